"""The image as an experiment: replace a part of it, corrupt it, hide what a heatmap highlights, and read the answer."""

from ..perturbation.superpixels import segments
from .answers import answers_of, predictions_of
from .corruptions import CORRUPTIONS, CorruptionCurve, corrupt, corruption_curve
from .fills import FILLS, Fill, apply
from .hiding import Hidden, Hiding, Step, hide_and_ask_again, hide_highlighted
from .masks import GRID, enlarged, inverted, on_grid
from .packed_masks import pack, unpack

__all__ = [
    "CORRUPTIONS",
    "FILLS",
    "GRID",
    "CorruptionCurve",
    "Fill",
    "Hidden",
    "Hiding",
    "Step",
    "answers_of",
    "apply",
    "corrupt",
    "corruption_curve",
    "enlarged",
    "hide_and_ask_again",
    "hide_highlighted",
    "inverted",
    "on_grid",
    "pack",
    "predictions_of",
    "segments",
    "unpack",
]
