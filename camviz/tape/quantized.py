"""Quantized modules: they compute with integers, so no gradient passes through them."""

from weakref import WeakKeyDictionary

from torch import nn

from ..errors import CamvizError

_PACKAGES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized", "torchao.quantization")

_quantized: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


class NoGradientError(CamvizError):
    """The score does not depend on what its gradient is asked for, as autograd sees it."""


def is_quantized(net: nn.Module) -> bool:
    """Whether a module of the network is quantized."""
    if (known := _quantized.get(net)) is None:
        known = _quantized[net] = any(type(module).__module__.startswith(_PACKAGES) for module in net.modules())
    return known


def without_gradient(net: nn.Module) -> NoGradientError | None:
    """Return the error for a gradient that ends at a quantized module; None if the network has none."""
    if not is_quantized(net):
        return None
    return NoGradientError(
        "this network is quantized, and no gradient passes through its integers, so methods of gradients cannot "
        "explain it: use a method without gradients (occlusion, RISE, Score-CAM, Ablation-CAM), or load the network "
        "as it was before it was quantized"
    )
