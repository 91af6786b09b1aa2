"""The stage: an image and its heatmap that the browser colors, swipes, zooms and reads out."""

import base64
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ... import encode, render
from ...explanation.explanation import Explanation
from ...images import DecodedImage
from ...models import Model
from ...models.geometry import Fit
from ..components import component
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message
from ..session.streamlit_internals import media_address

View = Literal["image", "overlay", "contour", "spotlight", "heatmap"]

FINE = 4096  # values of a map up to which each takes 16 bits, and 8 bits beyond

LONGEST = 900  # pixels of the longer side of the image that is sent

_stage = component("stage")


@dataclass(frozen=True)
class Look:
    """How a stage is drawn: strength and threshold are in 0 to 1, `colors` is a key of render.COLOR_MAPS."""

    view: View = "overlay"
    strength: float = 0.8
    colors: str = "inferno"
    threshold: float = 0.0

    @classmethod
    def parse(cls, given: Any) -> "Look":
        """Return the look that a browser sent, with the default in place of anything unknown."""
        given, default = given if isinstance(given, dict) else {}, cls()

        def share(name: str) -> float:
            value = given.get(name)
            known = isinstance(value, int | float) and 0 <= value <= 1
            return round(float(value), 2) if known else float(getattr(default, name))

        return cls(
            view=given["view"] if given.get("view") in get_args(View) else default.view,
            strength=share("strength"),
            colors=given["colors"] if given.get("colors") in render.COLOR_MAPS else default.colors,
            threshold=share("threshold"),
        )


@dataclass(frozen=True)
class StageMap:
    """A heatmap as the stage receives it: values (h, w), 1 for `top`, the value at the upper end of the color bar.

    `signed` values lie in [-1, 1], others in [0, 1].
    """

    values: NDArray[np.float32]
    top: float
    signed: bool = False

    @classmethod
    def of(cls, e: Explanation, high: float | None = None) -> "StageMap":
        """Return the heatmap of an explanation at its own resolution, on a scale from 0 to `high`.

        The scale ends at the maximum by default. Of a pixel attribution the stage shows the sum over the channels, and
        the scale ends at the 99th percentile.
        """
        if e.attribution.ndim == 2:
            values = e.attribution.clip(min=0)
            return cls._up_to(values, float(values.max()) if high is None else high)
        values = np.abs(e.attribution).sum(axis=0)
        return cls._up_to(values, (float(np.percentile(values, 99)) or float(values.max())) if high is None else high)

    @classmethod
    def of_map(cls, values: NDArray[np.float32]) -> "StageMap":
        """Return a map (h, w) on a scale from 0 to its maximum."""
        return cls._up_to(values.clip(min=0), float(values.max()))

    @property
    def bits(self) -> int:
        """The bits of each value that is sent: 16 of a coarse map, 8 of one of many values."""
        return 16 if self.values.size <= FINE else 8

    @property
    def encoded(self) -> str:
        """The values as signed integers of `bits` bits in base64; the largest integer stands for 1."""
        whole = self.values.clip(-1, 1) * (2 ** (self.bits - 1) - 1)
        return base64.b64encode(np.rint(whole).astype("<i2" if self.bits == 16 else np.int8).tobytes()).decode()

    @classmethod
    def _up_to(cls, values: NDArray[np.float32], top: float) -> "StageMap":
        return cls((values / top).clip(0, 1), top) if top > 0 else cls(np.zeros_like(values), 0.0)


def look() -> Look:
    """Return the look that is set in the session or the link."""
    default = Look()
    return Look(
        view=settings.setting("view", default.view, get_args(View)),
        strength=settings.setting("opacity", default.strength, settings.Span(0, 1), float),
        colors=settings.setting("colors", default.colors, render.COLOR_MAPS),
        threshold=settings.setting("threshold", default.threshold, settings.Span(0, 1), float),
    )


def keep(look: Look) -> None:
    """Keep a look that the visitor has chosen, in the session and the link."""
    st.session_state.update(view=look.view, opacity=look.strength, colors=look.colors, threshold=look.threshold)


def original(model: Model, image: DecodedImage, fit: Fit) -> bytes:
    """Return the part of the image that the model sees as a JPEG, in the image's own pixels."""
    return result_store().once(
        ("original", image.digest, fit, model.key),
        lambda: encode.jpeg(np.asarray(model.original_view(image, fit, LONGEST)), quality=85),
    )


def stage(
    key: str,
    image: bytes,
    size: tuple[int, int],
    shown: StageMap | None,
    look: Look,
    alt: str,
    changed: Callable[[Look], None] | None = None,
    *,
    group: str = "",
    name: str = "",
    peak: str = "",
) -> None:
    """Show a heatmap over a JPEG; `changed(look)` is called when a gesture that changes the look has ended.

    `size` is (height, width) of the area that map and image cover. Without a map the image is shown alone. Stages of
    one `group` share pointer, zoom and look; `name` tells them apart. Without `changed` the stage is small: its tools
    appear in full screen. `peak` is what the upper end of the color bar says after its value.
    """
    values: dict[str, Any] = {"rows": 0, "columns": 0, "top": 0.0, "signed": False, "low": "", "high": ""}
    if shown is not None:
        values = {
            "values": shown.encoded,
            "bits": shown.bits,
            "rows": shown.values.shape[0],
            "columns": shown.values.shape[1],
            "top": shown.top,
            "signed": shown.signed,
            "low": f"{-shown.top:.3g}" if shown.signed else "0",
            "high": f"{shown.top:.3g}{peak}",
        }
    data = {
        **values,
        "image": media_address(image, "image/jpeg", key),
        "height": size[0],
        "width": size[1],
        "group": group or key,
        "name": name,
        "small": changed is None,
        "alt": alt,
    }
    _mount(key, data, look, changed, signed=bool(values["signed"]))


def tools(
    key: str,
    look: Look,
    changed: Callable[[Look], None],
    group: str,
    relations: Mapping[str, Mapping[str, str]],
) -> None:
    """Show the tools of a group of stages: view, strength and color map.

    `relations` holds what a stage shows while another one is pointed at, by the name of that one and its own name.
    """
    data: dict[str, Any] = dict.fromkeys(("image", "alt", "low", "high"), "")
    data |= {
        "rows": 0,
        "columns": 0,
        "height": 1,
        "width": 1,
        "group": group,
        "relations": relations,
        "tools_only": True,
    }
    _mount(key, data, look, changed)


def _mount(
    key: str, data: dict[str, Any], look: Look, changed: Callable[[Look], None] | None, signed: bool = False
) -> None:
    words = {
        "image": tr("Image"),
        "overlay": tr("Overlay"),
        "contour": tr("Contour"),
        "spotlight": tr("Spotlight"),
        "heatmap": tr("Heatmap"),
        "view": tr("View"),
        "strength": tr("Strength"),
        "threshold": tr("Threshold: hide weaker values"),
        "colors": tr("Color map"),
        "full": tr("Full screen"),
        "readout": tr(
            "Value {value}, {share} of the scale; row {row}, column {column}",
            value="{value}",
            share="{share}",
            row="{row}",
            column="{column}",
        ),
        "keys": tr("Arrow keys: read values. + and -: zoom. [ and ]: swipe. F: full screen."),
    }

    def change() -> None:
        if changed is not None:
            changed(Look.parse(st.session_state[key].get("look")))

    drawn = {"look": look.__dict__, "reset": str(look), "tables": _tables(signed), "words": words}
    _stage(key=key, data={**data, **drawn}, on_look_change=change)


def _tables(signed: bool) -> dict[str, dict[str, str]]:
    names = ["blue-red"] if signed else [name for name in render.COLOR_MAPS if name != "blue-red"]
    return {name: {"label": tr_message(name), "colors": _table(name)} for name in names}


@functools.cache
def _table(name: str) -> str:
    return base64.b64encode(render.color_table(name).tobytes()).decode()
