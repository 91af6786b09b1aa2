"""Watch a method at work: the local variables of its functions are its steps, and carry its paper's symbols."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch.autograd import set_multithreading_enabled

See = Callable[[Mapping[str, Any], Any], None]


@contextmanager
def tracing(watched: Mapping[Callable[..., Any], See]) -> Iterator[None]:
    """Within it, in this thread, `watched[f](variables, result)` is told whenever the function f has returned.

    `variables` are f's arguments and local variables as they are at its end. A function that raises, or returns
    None, tells nothing. The functions themselves stay as they are, so what is told is what was computed.
    """
    seers = {function.__code__: see for function, see in watched.items()}

    def on_event(frame: FrameType, event: str, result: Any) -> None:
        if event == "return" and result is not None and (see := seers.get(frame.f_code)):
            see(frame.f_locals, result)

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        with set_multithreading_enabled(False):  # the way back from an accelerator would run in a thread of its own
            yield
    finally:
        sys.setprofile(before)
