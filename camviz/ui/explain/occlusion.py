"""Occlusion by hand on the page Explain: the tried windows, in the link, in the report and as Python code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ... import edits
from ...edits import Fill
from ...errors import CamvizError, choice
from ...explanation.explanation import Explanation
from ...images import DecodedImage
from ...messages import Message
from ...models import Model
from ...models.geometry import Fit
from ...report import ReportImage, Section
from ..inputs.experiment import Experiment
from ..server.queue import compute_queue
from ..server.store import result_store
from ..session import settings

_TRIED_ON = "_tried_on"  # in st.session_state: the digest of the image that the windows were tried on
FELL, ROSE = (214, 40, 40), (40, 90, 214)  # as in camviz/stage/mask.js
FAINTEST, STRONGEST = 30 / 255, 220 / 255


@dataclass(frozen=True)
class Windows:
    """Tried windows, and the fill of the pixels under them. `text` is both as a link writes them."""

    text: str
    fill: Fill
    windows: tuple[edits.Window, ...]

    @classmethod
    def parse(cls, text: Any) -> "Windows":
        """Read "FILL.WINDOWS". Raises CamvizError for another text."""
        given, _, packed = str(text).partition(".")
        fill: Fill = choice(given, get_args(Fill), Message("fill"))  # type: ignore[assignment]
        return cls(str(text), fill, edits.unpack_windows(packed))

    @property
    def data(self) -> dict[str, Any]:
        """Return the data for the script of the stage."""
        return {"text": self.text, "fill": self.fill, "windows": [list(one) for one in self.windows]}


class _Texts:
    """The texts that tried windows can have in a link, or none."""

    def __contains__(self, text: Any) -> bool:
        if text == "":
            return True
        try:
            Windows.parse(text)
        except CamvizError:
            return False
        return True


def read(experiment: Experiment) -> Windows | None:
    """Return the tried windows of the link or the session; another image than before starts without any."""
    state, digest = st.session_state, experiment.image.digest
    if settings.asked("tried") is None and state.get(_TRIED_ON, digest) != digest:
        settings.choose("tried", "")
    state[_TRIED_ON] = digest
    text = settings.setting("tried", "", _Texts())
    return Windows.parse(text) if text else None


def keep(given: Mapping[str, Any]) -> None:
    """Keep the windows that the browser has sent; ignore a value that it cannot have sent."""
    try:
        packed = edits.pack_windows(given["windows"]) if given.get("windows") else ""
        text = Windows.parse(f"{given.get('fill')}.{packed}").text if packed else ""
    except CamvizError:
        return
    settings.choose("tried", text)


def changes(model: Model, image: DecodedImage, fit: Fit, chosen: int, tried: Windows) -> NDArray[np.float64]:
    """Return by how much each window changes the answer for a class, (N,); computed once for all visitors."""
    key, store = ("tried windows", image.digest, fit, model.key, chosen, tried.text), result_store()
    with store.claim(key, lambda _: None):
        if (found := store.get(key)) is None:
            with compute_queue().turn(lambda _: None) as yield_turn:
                found = edits.try_windows(
                    model,
                    image,
                    tried.windows,
                    chosen,
                    fill=tried.fill,
                    fit=fit,
                    progress=lambda done, total: yield_turn(),
                ).changes
            store.put(key, found)
    return found  # type: ignore[no-any-return]


def python_code(e: Explanation, image_name: str) -> str:
    """Return the lines of Python that try the same windows, "" without any; `model` is the explained one."""
    text = st.session_state.get("tried")
    tried = Windows.parse(text) if text else None
    if tried is None or e.target is None:
        return ""
    packed = tried.text.partition(".")[2]
    given = "" if tried.fill == "blur" else f", fill={tried.fill!r}"
    given += "" if e.question.fit == "crop" else f", fit={e.question.fit!r}"
    return (
        f"\nwindows = camviz.edits.unpack_windows({packed!r})  # (left, top, right, bottom) in cells of 56 x 56\n"
        f"tried = camviz.edits.try_windows(model, {image_name!r}, windows, {e.target}{given})\n"
        "print(tried.changes)\n"
        "tried.map  # (56, 56): the mean change over the windows that covered each cell\n"
    )


def section(experiment: Experiment, tried: Windows) -> Section:
    """Return the section of a report: the map of the tried windows, and those that changed the answer most."""
    model, index = experiment.model, experiment.explained_class
    found = edits.TriedWindows(
        tried.windows, changes(model, experiment.image.decoded, experiment.fit, index, tried), index
    )
    image = painted(experiment.view, found.map)
    order = np.argsort(-np.abs(found.changes), kind="stable")[:5].tolist()
    return Section(
        Message("Occlusion by hand"),
        [
            Message(
                "Tried windows: {count} ({fill}). Red: the output for {label} fell; blue: it rose. Each place shows "
                "the mean over the windows that covered it.",
                count=len(tried.windows),
                fill=Message(tried.fill),
                label=model.categories[index],
            )
        ],
        [ReportImage(image, Message("Map of the windows that were tried"))],
        table=[
            (Message("window (left, top, right, bottom; of 56)"), Message("change")),
            *((", ".join(map(str, tried.windows[place])), f"{found.changes[place]:+.3f}") for place in order),
        ],
    )


def painted(view: NDArray[np.uint8], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a view (H, W, 3) under the map of the tried windows (56, 56), in the colors of the stage."""
    height, width = view.shape[:2]
    rows, columns = (((2 * np.arange(side) + 1) * edits.GRID) // (2 * side) for side in (height, width))
    plane = values[rows[:, None], columns]
    tried = ~np.isnan(plane)
    size = np.abs(np.where(tried, plane, 0.0))
    alpha = np.where(tried, FAINTEST + (STRONGEST - FAINTEST) * size / max(1e-9, float(size.max())), 0.0)[:, :, None]
    color = np.where(np.where(tried, plane, 0.0)[:, :, None] < 0, FELL, ROSE)
    mixed: NDArray[np.uint8] = np.rint((1 - alpha) * view + alpha * color).astype(np.uint8)
    return mixed
