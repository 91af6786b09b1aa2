"""Find a state dict in a checkpoint and fill a network with it."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models import GoogLeNet, Inception3

from ...errors import ModelError, WeightsFitError
from ...messages import SEMICOLON, Message, join
from .weights import reading

Hint = Callable[[Mapping[str, Tensor]], str]


_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")  # GoogLeNet's and Inception's second heads


def fill(net: nn.Module, state: Mapping[str, Tensor], file: str, name: str, hint: Hint | None = None) -> None:
    """Load `state` into `net`. Every key and shape must match.

    Raises CamvizError with the number of missing, unexpected and misshapen tensors, the first of each, and the text
    that `hint` returns for the state.
    """
    wanted = net.state_dict()
    given = {key: value for key, value in state.items() if key in wanted or not key.startswith(_TRAINING_ONLY)}
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [key for key in given if key in wanted and given[key].shape != wanted[key].shape]
    reasons: list[str] = []
    if missing:
        reasons.append(Message("it has no '{name}'{more}", name=missing[0], more=_more(missing)))
    if unexpected:
        reasons.append(
            Message("{network} has no '{name}'{more}", network=name, name=unexpected[0], more=_more(unexpected))
        )
    if misshapen:
        key = misshapen[0]
        reasons.append(
            Message(
                "'{name}' has the shape {shape} instead of {expected}{more}",
                name=key,
                shape=tuple(given[key].shape),
                expected=tuple(wanted[key].shape),
                more=_more(misshapen),
            )
        )
    if reasons:
        if hint:
            reasons.append(hint(state))
        raise WeightsFitError(
            "{weights} does not fit {network}: {reasons}",
            weights=Message("the weights file {file}", file=file) if file else Message("the state dict"),
            network=name,
            reasons=join(reasons, SEMICOLON),
        )
    wanted.update(given)  # keeps the versions that torch stores beside the tensors
    with reading(file or "of these tensors"):
        net.load_state_dict(wanted)


def classes_in(state: Mapping[str, Tensor], net: nn.Module, classes: int) -> int:
    """Return the number of classes of a checkpoint: the rows of its last layer. `net` was built for `classes`."""
    heads = [(key, value) for key, value in net.state_dict().items() if value.ndim > 1 and len(value) == classes]
    key, known = heads[-1] if heads else ("", torch.empty(0, device="cpu"))
    given = state.get(key)
    return classes if given is None or given.shape[1:] != known.shape[1:] or given.ndim < 2 else len(given)


def channels_in(state: Mapping[str, Tensor], net: nn.Module) -> int:
    """Return the number of input channels of a checkpoint: those of its first convolution, named as in `net`."""
    name, first = first_convolution(net)
    given = state.get(f"{name}.weight")
    known = len(first.weight), *first.kernel_size
    if given is None or given.ndim != 4 or (len(given), *given.shape[2:]) != known:
        return first.in_channels
    return given.shape[1] * first.groups


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """Return the first convolution with its name. Raises CamvizError if there is none."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    raise ModelError("{kind} has no convolution (nn.Conv2d): CamViz needs a CNN", kind=type(net).__name__)


def widen(net: nn.Module, channels: int) -> None:
    """Change the number of input channels of a network whose weights are not loaded yet."""
    _, first = first_convolution(net)
    first.in_channels = channels
    first.weight = nn.Parameter(first.weight.new_zeros(len(first.weight), channels, *first.kernel_size))
    if isinstance(net, GoogLeNet | Inception3):
        net.transform_input = False  # it scales red, green and blue, and fails for other channels


def _more(keys: list[str]) -> str:
    return Message(" (and {count} more)", count=len(keys) - 1) if len(keys) > 1 else ""
