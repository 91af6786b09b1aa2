"""Pinned heatmaps: views that a visitor keeps to compare them."""

from dataclasses import astuple, dataclass

import streamlit as st

from ...registry import METHODS, Method
from ..session import settings
from ..session.language import tr_message
from . import image_input, model_input
from .experiment import Experiment

MOST = 8
SEPARATOR = "~"  # occurs in no id of an image, a model, a layer or a method
_KEY = "pins"


@dataclass(frozen=True)
class Pin:
    """A pinned heatmap by the settings that show it; `target` is the index of the explained class."""

    img: str
    model: str
    layer: str
    target: str
    method: str

    @classmethod
    def of(cls, experiment: Experiment, target: int, method: Method) -> "Pin":
        """Return the pin of a view."""
        model = str(st.session_state["model"])
        return cls(experiment.image.id, model, experiment.layer, str(target), method.key)

    @classmethod
    def parse(cls, text: str) -> "Pin | None":
        """Return the pin that a link names; None if there is no such image, model or method here."""
        parts = text.split(SEPARATOR)
        if len(parts) != 5 or not parts[3].isdecimal():
            return None
        pin = cls(*parts)
        here = pin.img in image_input.choices() and pin.model in model_input.choices() and pin.method in METHODS
        return pin if here else None

    def __str__(self) -> str:
        return SEPARATOR.join(astuple(self))

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings that show this heatmap on Explain, as a link writes them."""
        return {"img": self.img, "model": self.model, "layer": self.layer, "target": self.target, "method": self.method}

    @property
    def label(self) -> str:
        """Return the text that a list shows."""
        return f"{tr_message(METHODS[self.method].title)} · {image_input.choices()[self.img].name} · {self.layer}"


def pins() -> list[Pin]:
    """Return the visitor's pins, in the order in which they were set; those of a link count too."""
    asked = (settings.asked(_KEY) or "").split(",")
    known = [str(pin) for text in (*asked, *st.session_state.get(_KEY, ())) if (pin := Pin.parse(text))]
    return [pin for text in settings.many(_KEY, [], known, MOST) if (pin := Pin.parse(text))]


def toggle(pin: Pin) -> None:
    """Set a pin, or remove it; the oldest one goes when there are too many."""
    before = [text for text in st.session_state.get(_KEY, ()) if text != str(pin)]
    added = [] if str(pin) in st.session_state.get(_KEY, ()) else [str(pin)]
    settings.choose(_KEY, [*before, *added][-MOST:])
