"""An edit of a view as a value: the part that is replaced and its replacement. Links and recipes can contain it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from PIL import Image

from ..errors import CamvizError, choice
from ..images import DecodedImage
from ..images.arrays import check_view
from ..messages import Message
from .fills import Fill, apply
from .masks import RGB, Mask, enlarged, inverted
from .packed_masks import unpack

TOOLS = ("hide", "keep", "paste")


@dataclass(frozen=True, eq=False)
class Edit:
    """A part of a view that is replaced.

    `mask`: the part, 56 x 56 cells, as the text that `pack` returns. `fill`: as in `apply`; `seed` is for "noise".
    `keep`: the part is kept, and everything else is replaced. `pasted`: an image whose same part replaces it; `fill` is
    ignored then. Raises CamvizError for a text that is no mask, or an unknown fill.
    """

    mask: str
    fill: Fill = "blur"
    keep: bool = False
    seed: int = 0
    pasted: DecodedImage | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the fields."""
        unpack(self.mask)
        choice(self.fill, get_args(Fill), Message("fill"))
        if not isinstance(self.keep, bool):
            raise CamvizError("keep must be True or False; got {given}", given=repr(self.keep)[:60])
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise CamvizError("seed must be a whole number; got {given}", given=repr(self.seed)[:60])

    @property
    def key(self) -> Hashable:
        """Everything that determines the edited pixels."""
        pasted = self.pasted.digest if self.pasted else None
        return self.mask, None if pasted else self.fill, self.keep, self.seed, pasted

    @property
    def cells(self) -> Mask:
        """The mask, (56, 56): True where the view is replaced."""
        drawn = unpack(self.mask)
        return inverted(drawn) if self.keep else drawn

    @property
    def share(self) -> float:
        """The share of the view that is replaced."""
        return float(self.cells.mean())

    def apply(self, view: RGB, view_of: Callable[[DecodedImage], RGB]) -> RGB:
        """Return the edited view (H, W, 3). `view_of` returns the view of an image, for the one that is pasted."""
        return apply(view, self.cells, view_of(self.pasted) if self.pasted else self.fill, seed=self.seed)

    def enlarge(self, original: RGB, edited: RGB) -> RGB:
        """Return an image (H', W', 3) with the edited part of the smaller view (H, W, 3), enlarged."""
        pixels = check_view(original)
        height, width = pixels.shape[:2]
        replaced = np.asarray(Image.fromarray(edited).resize((width, height), Image.Resampling.BILINEAR))
        found: RGB = np.where(enlarged(self.cells, (height, width))[:, :, None], replaced, pixels)
        return found


def read_text(text: str, find_image: Callable[[str], DecodedImage | None]) -> Edit:
    """Return the edit of a link: "hide.FILL.MASK", "keep.FILL.MASK" or "paste.IMAGE.MASK".

    `find_image` returns an image by its name in links; if it returns None, the edit is without a pasted image. Raises
    CamvizError for another text.
    """
    tool, what, mask = parts_of(text)
    if tool == "paste":
        return Edit(mask, pasted=find_image(what))
    return Edit(mask, what, keep=tool == "keep")  # type: ignore[arg-type]


def parts_of(text: str) -> tuple[str, str, str]:
    """Return the tool, the fill or image, and the mask of an edit in a link. Raises CamvizError for another text."""
    tool, _, rest = text.partition(".")
    what, _, mask = rest.rpartition(".")
    if tool not in TOOLS or not what:
        raise CamvizError(
            "an edit in a link begins with one of {tools}, a fill and a mask, as in hide.blur.MASK; got {given}",
            tools=", ".join(TOOLS),
            given=repr(text)[:60],
        )
    return tool, what, mask


def describe(edit: Edit) -> Message:
    """Return a description of an edit."""
    share = f"{edit.share:.0%}"
    if edit.pasted is not None:
        return Message("{share} of the image replaced by {name}", share=share, name=edit.pasted.name or "another image")
    return Message("{share} of the image replaced ({fill})", share=share, fill=Message(edit.fill))


def check_edit(given: Any, read_image: Callable[[Any], DecodedImage]) -> Edit | None:
    """Return an edit, or the edit of a recipe: {"mask", "fill", "keep", "seed", "paste"}. Raises CamvizError.

    `read_image` reads the image to paste.
    """
    if given is None or isinstance(given, Edit):
        return given
    known = ("mask", "fill", "keep", "seed", "paste")
    if not isinstance(given, Mapping) or "mask" not in given or not set(given) <= set(known):
        raise CamvizError(
            "an edit is a camviz.edits.Edit, or a part of a recipe with a mask and perhaps {known}; got {given}",
            known=", ".join(known[1:]),
            given=repr(given)[:60],
        )
    fields = {name: given[name] for name in known[:-1] if name in given}
    return Edit(**fields, pasted=read_image(given["paste"]) if "paste" in given else None)
