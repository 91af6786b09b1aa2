"""The settings with which a stage is drawn."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..render import COLOR_MAPS

View = Literal["image", "overlay", "contour", "spotlight", "heatmap"]


@dataclass(frozen=True)
class Look:
    """The settings of a stage: strength and threshold are in [0, 1], `colors` is a key of render.COLOR_MAPS."""

    view: View = "overlay"
    strength: float = 0.8
    colors: str = "inferno"
    threshold: float = 0.0

    @classmethod
    def parse(cls, given: Any) -> "Look":
        """Return the look that a browser sent, with defaults for unknown values."""
        given, default = given if isinstance(given, dict) else {}, cls()

        def share(name: str) -> float:
            value = given.get(name)
            known = isinstance(value, int | float) and 0 <= value <= 1
            return round(float(value), 2) if known else float(getattr(default, name))

        return cls(
            view=given["view"] if given.get("view") in get_args(View) else default.view,
            strength=share("strength"),
            colors=given["colors"] if given.get("colors") in COLOR_MAPS else default.colors,
            threshold=share("threshold"),
        )
