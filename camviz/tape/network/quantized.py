"""Quantized modules, which compute with integers, so that no gradient passes through them."""

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ...errors import CamvizError, GradientError, MethodError
from ...messages import Message
from ..pass_counts import add_note

_PACKAGES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized", "torchao.quantization")

_quantized: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


QUANTIZED = Message(
    "this network is quantized, and no gradient passes through its integers, so methods of gradients cannot explain "
    "it: use a method without gradients (occlusion, RISE, Score-CAM, Ablation-CAM), or load the network as it was "
    "before it was quantized"
)


class NoGradientError(GradientError):
    """The score does not depend on the tensor for which its gradient is needed, according to autograd."""


def is_quantized(net: nn.Module) -> bool:
    """Return whether a module of the network is quantized."""
    if (known := _quantized.get(net)) is None:
        known = _quantized[net] = any(type(module).__module__.startswith(_PACKAGES) for module in net.modules())
    return known


def without_gradient(net: nn.Module, error: Exception) -> CamvizError | None:
    """Return the error for a gradient that cannot be computed because of the network's weights; None otherwise."""
    if is_quantized(net) and isinstance(error.__cause__ or error, NoGradientError | RuntimeError | TypeError):
        return MethodError(QUANTIZED)
    if isinstance(error.__cause__ or error, RuntimeError) and any(tensor.is_inference() for tensor in net.parameters()):
        return MethodError(
            "the weights of this network were made under torch.inference_mode(), so that nothing can be differentiated "
            "with them: load it by camviz.load_model(net), which copies them, and explain the loaded model's net"
        )
    return None


def check_quantized(net: nn.Module, results: Iterable[Tensor]) -> None:
    """Raise CamvizError if a gradient of a quantized network is zero; add a note if it is not."""
    if not is_quantized(net):
        return
    if not all(bool(result.any()) for result in results):
        raise MethodError(QUANTIZED)
    add_note("Parts of this network are quantized and pass back no gradient, so the map does not include their effect.")
