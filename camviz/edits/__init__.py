"""Experiments on an image: replace a part of it or corrupt it, and compute the predictions again."""

from ..perturbation.superpixels import segments
from .answers import answers_of, predictions_of
from .corruptions import CORRUPTIONS, CorruptionCurve, corrupt, corruption_curve, moved
from .edit import TOOLS, Edit, describe, parts_of, read_text
from .fills import FILLS, Fill, apply
from .masks import GRID, enlarged, inverted, on_grid
from .packed_masks import from_bits, pack, to_bits, unpack
from .windows import TriedWindows, Window, pack_windows, try_windows, unpack_windows

__all__ = [
    "CORRUPTIONS",
    "FILLS",
    "GRID",
    "TOOLS",
    "CorruptionCurve",
    "Edit",
    "Fill",
    "TriedWindows",
    "Window",
    "answers_of",
    "apply",
    "corrupt",
    "corruption_curve",
    "describe",
    "enlarged",
    "from_bits",
    "inverted",
    "moved",
    "on_grid",
    "pack",
    "pack_windows",
    "parts_of",
    "predictions_of",
    "read_text",
    "segments",
    "to_bits",
    "try_windows",
    "unpack",
    "unpack_windows",
]
