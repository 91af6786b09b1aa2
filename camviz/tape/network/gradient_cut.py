"""Where a network's forward cuts the gradient, by torch.no_grad(), detach() or .data."""

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CamvizError
from ..hooks import listening


def explained_cut(net: nn.Module, x: Tensor, layer: nn.Module | None, run: Any) -> CamvizError | None:
    """Return the error that says where the gradient is cut between `layer`, or the input, and the class scores.

    `run(x)` is a plain pass. None if the pass does not show it.
    """
    names = {module: name for name, module in net.named_modules() if name}
    cut: list[str] = []
    started = layer is None

    def see(module: nn.Module, output: Any) -> Any:
        nonlocal started
        tensor = isinstance(output, Tensor) and output.is_floating_point()
        if module is layer and tensor:
            started = True
            return output.detach().requires_grad_()
        if started and tensor and module in names and not any(module.children()):
            cut.extend([] if output.requires_grad else [names[module]])
        return None

    with listening(see), torch.enable_grad():
        run(x.detach().requires_grad_())
    if not cut:
        return None
    return CamvizError(
        "no gradient of the score arrives, because the network's forward cuts it at '{name}', by torch.no_grad(), "
        "detach() or .data: explain a layer that comes later, take a method without gradients (occlusion, Score-CAM), "
        "or remove the cut",
        name=cut[0],
    )
