"""A computation of a page whose result the server keeps: it tells its time, waits for a click, and can be canceled."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import streamlit as st
import torch

from ...errors import CamvizError
from ...models import Model
from ...runtime.devices import stopwatch
from ...tape import forward
from ..session.language import error_text, tr
from . import queue, singletons, store

Result = TypeVar("Result")
ReportProgress = Callable[[float, str], Any]  # (share done, text)

PATIENCE = 2.0  # seconds that a computation may take without being asked

BEGUN = "_begun"  # in st.session_state: the name of the task whose button was clicked
LARGEST = 500  # results, each of numbers and a few JPEGs


def run(name: str, key: Hashable, seconds: float, what: str, work: Callable[[ReportProgress], Result]) -> Result | None:
    """The result of `work(report)`: from before, at once where it is quick, or after a click. None: not yet.

    `key` is what the result depends on, by content, as everybody on this server finds it. `name` tells the buttons
    of a page apart, `what` stands on them. `report(share, text)` is where a rerun of the page ends the work.
    """
    if (before := kept_result(key)) is not None:
        return before  # type: ignore[no-any-return]
    button, bar, found = st.empty(), st.empty(), None
    if seconds > PATIENCE:
        if not clicked(button, name, tr("{what}, about {seconds} s", what=what, seconds=f"{seconds:.0f}")):
            return None
        button.button(tr("Cancel"), key=f"{name}.stop", shortcut="Esc", help=tr("Changing any setting also stops it."))

    def waiting(_: int) -> None:
        bar.progress(0.0, tr("Somebody else is computing the same"))

    try:
        with store.result_store().claim(key, waiting):
            found = kept_result(key)
            if found is None:
                found = keep_result(key, work(bar.progress))
    except CamvizError as error:
        st.error(error_text(error))
    bar.empty()
    button.empty()
    return found


def clicked(place: Any, name: str, label: str, kind: Literal["primary", "secondary"] = "primary") -> bool:
    """Whether the button of that name was clicked, once; draws it where it was not."""
    if st.session_state.get(BEGUN) == name:
        del st.session_state[BEGUN]  # so that Cancel, which is a rerun, does not begin again
        return True
    place.button(label, key=f"{name}.start", type=kind, on_click=_begin, args=(name,))
    return False


def _begin(name: str) -> None:
    st.session_state[BEGUN] = name


def kept_result(key: Hashable) -> Any:
    """The result of that key, or None."""
    return _results().get(key)


def keep_result(key: Hashable, result: Result) -> Result:
    """Keep a result under its key, and return it; the oldest ones go when there are too many."""
    results = _results()
    results[key] = result
    while len(results) > LARGEST:
        results.popitem(last=False)
    return result


def computed_once(key: Hashable, make: Callable[[], Result]) -> Result:
    """The result of that key, made where it is not there; for what is quick."""
    found: Result | None = kept_result(key)
    return keep_result(key, make()) if found is None else found


@contextmanager
def in_queue(report: ReportProgress, start: float = 0.0, end: float = 1.0) -> Iterator[Callable[[int, int], None]]:
    """A turn to compute; yields progress(done, total), which tells the time left and lets others in between.

    What it reports is the part from `start` to `end` of a longer work.
    """
    with queue.compute_queue().turn(lambda before: report(start, tr("{count} before you", count=before))) as let_others:
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            let_others()
            told = time_left((time.monotonic() - started) * (total - done) / done) if done else tr("starts")
            report(start + (end - start) * done / total, told)

        yield progress


def time_left(seconds: float) -> str:
    """How a progress text tells the time that a work still needs."""
    return tr("about {seconds} s left", seconds=f"{seconds:.0f}")


def seconds_of_pass(model: Model) -> float:
    """How long a forward pass of one picture takes on this machine, measured once."""

    def measure() -> float:
        x = torch.zeros(1, *model.input_shape, device=model.device)
        with queue.compute_queue().turn(lambda _: None), torch.no_grad():
            forward(model.net, x)
            clock = stopwatch(model.device)
            started = clock()
            forward(model.net, x)
            return clock() - started

    return store.result_store().seconds(("pass", *network_key(model)), measure)


def network_key(model: Model) -> tuple[str, str, str]:
    """What identifies a network and where it is computed."""
    return model.name, str(model.weights), str(model.device)


@singletons.process_singleton
def _results() -> "OrderedDict[Hashable, Any]":
    return OrderedDict()
