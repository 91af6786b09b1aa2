"""Augmentation smoothing, of the package grad-cam: a map averaged over changed copies of the image."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..registry import METHODS, Choices, Range, method
from ..runtime.progress import Progress
from ..scores import Score

FACTORS = (1.0, 0.9, 1.1)  # of the contrast


def base_methods() -> list[str]:
    """Return the keys of the methods of one or two passes that look at the network, sorted."""
    found = (one for one in METHODS.values() if one.family != "control" and not one.many_passes)
    return sorted(one.key for one in found)


@method(
    "Augmentation smoothing",
    family="cam",
    paper="https://github.com/jacobgil/pytorch-grad-cam#smoothing-to-get-nice-looking-cams",
    reads="{base} This is averaged over mirrored copies of the image, and copies with another contrast.",
    caution="{base} It explains copies of the image, not the image alone.",
)
def augmentation_smoothing(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    base: Annotated[str, Choices(base_methods), "Method whose maps are averaged"] = "grad_cam",
    mirrored: Annotated[bool, "Use mirrored copies too"] = True,
    contrasts: Annotated[int, Range(1, 3), "Contrasts of the copies: 1, then 0.9 and 1.1 times that of the image"] = 3,
    progress: Progress | None = None,
) -> Tensor:
    """The map of a method, averaged over mirrored copies of the image and copies with another contrast.

    map = mean_{m,f} m( M( m( f * x ) ) ), f: 1, 0.9, 1.1; m: the identity and mirroring left to right

    M: the base method, whose map is mirrored back; (B, h, w), or (B, 3, H, W) for a method at the pixels.

    Centers a coarse map on its object, whose cells fall elsewhere in a mirrored image. SmoothGrad does the same for
    noise. Six times the passes of the base method.
    """
    x = x.detach()
    chosen = METHODS[base]
    at = [layer] if chosen.layer == "required" else []
    copies = [(factor, flip) for factor in FACTORS[:contrasts] for flip in (False, True)[: 1 + mirrored]]
    maps = []
    for done, (factor, flip) in enumerate(copies, start=1):
        found = chosen.function(net, mirror(factor * x, flip), score, *at)
        maps.append(mirror(found, flip))
        if progress:
            progress(done, len(copies))
    return torch.stack(maps).mean(dim=0)


def mirror(values: Tensor, flip: bool) -> Tensor:
    """Return the values with their last dimension reversed, or as they are."""
    return torch.flip(values, (-1,)) if flip else values
