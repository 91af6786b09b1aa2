"""RefineCAM (Domeniconi et al., 2026)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..inspection.stages import stages
from ..perturbation.masked_scores import masks_of
from ..registry import METHODS, Choices, Range, method
from ..runtime.progress import Progress
from ..scores import Score


def base_methods() -> list[str]:
    """Return the keys of the class activation maps of any layer that take one or two passes, sorted."""
    found = (one for one in METHODS.values() if one.family == "cam" and one.layer == "required" and not one.requires)
    return sorted(one.key for one in found if not one.many_passes and one.class_specific)


@method(
    "RefineCAM",
    family="cam",
    paper="https://arxiv.org/abs/2605.14641",
    reads="The highlighted region is evidence for {label} at several layers at once, as fine as the earliest of them.",
    caution="A place that one layer leaves out is lost, whatever the others show.",
)
def refine_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module | None = None,
    *,
    base: Annotated[str, Choices(base_methods), "Method whose maps are multiplied"] = "grad_cam_pp",
    levels: Annotated[int, Range(1, 8), "Number of sizes of feature maps, from the layer on to earlier ones"] = 4,
    progress: Progress | None = None,
) -> Tensor:
    """Evidence for the class at several layers: the product of their maps, as fine as the earliest layer.

    map[b,i,j] = prod_l minmax( upsampled( relu( M[l] ) ) )[b,i,j], (B, H, W)

    M[l]: the base method's map at the last layer of each of the smallest sizes of feature maps, up to `layer` (of the
    whole network without one), upsampled to the size of the image. Explaining at several layers of your own choice with
    fuse='product' multiplies their maps too, at the size of the finest.

    Late layers give the place, early layers the detail, whose noise at other places the product removes.
    """
    chosen = stages(net, x, layer)[-levels:]
    result = torch.ones_like(x[:, :1])
    for done, one in enumerate(chosen, start=1):
        found = METHODS[base].function(net, x, score, one).relu()
        result = result * masks_of(found, x.shape[2:])
        if progress:
            progress(done, len(chosen))
    return result[:, 0]
