"""Find the place where a network's forward cuts the gradient by torch.no_grad(), detach() or .data."""

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CamvizError, GradientError
from ..hooks import listening


def explained_cut(net: nn.Module, x: Tensor, layer: nn.Module | None, run: Any) -> CamvizError | None:
    """Return the error that names the place of the cut between `layer`, or the input, and the class scores.

    `run(x)` is a plain pass. None if the place cannot be found in it.
    """
    names = {module: name for name, module in net.named_modules() if name}
    cut: list[str] = []
    last = ""
    started = layer is None

    def see(module: nn.Module, output: Any) -> Any:
        nonlocal started, last
        tensor = isinstance(output, Tensor) and output.is_floating_point()
        if module is layer and tensor:
            started = True
            cut.extend([names.get(module, "")] if output.is_inference() else [])
            return output.detach().requires_grad_()
        if started and tensor and module in names and not any(module.children()):
            cut.extend([] if output.requires_grad else [names[module]])
            last = names[module]
        return None

    with listening(see), torch.enable_grad():
        scores = run(x.detach().requires_grad_())
    if not cut and last and isinstance(scores, Tensor) and not scores.requires_grad:
        return GradientError(
            "no gradient of the score arrives, because the network's forward cuts it after its last layer '{name}', by "
            "torch.no_grad(), detach(), NumPy or a function without a gradient, such as argmax: use a method without "
            "gradients (occlusion, Score-CAM), or return the class scores themselves",
            name=last,
        )
    if not cut:
        return None
    return GradientError(
        "no gradient of the score arrives, because the network's forward cuts it at '{name}', by torch.no_grad(), "
        "torch.inference_mode(), detach() or .data: explain a later layer, use a method without gradients "
        "(occlusion, Score-CAM), or remove the cut",
        name=cut[0],
    )
