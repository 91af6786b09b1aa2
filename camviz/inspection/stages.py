"""The stages of a network: for each size of its feature maps, the last layer of that size."""

from collections import Counter
from typing import Any

from torch import Tensor, nn

from ..errors import LayerError
from ..messages import Message
from ..models.layers import is_map
from ..tape import is_compiled, observe


def stages(net: nn.Module, x: Tensor, last: nn.Module | None = None) -> list[nn.Module]:
    """Return the last module of each size of feature maps (B, c, h, w), in forward order; the last one is `last`.

    Without `last` it is the last module whose output has more than one place. Modules that run several times are left
    out, because they have several outputs. Raises CamvizError if there is none.
    """
    seen: list[tuple[nn.Module, tuple[int, int]]] = []
    runs: Counter[nn.Module] = Counter()

    def see(module: nn.Module, output: Any) -> None:
        runs[module] += 1
        if is_map(module, output, (x.shape[-2], x.shape[-1])):
            seen.append((module, (output.shape[2], output.shape[3])))

    observe(net, x[:1], see)
    if last is not None:
        places = [place for place, (module, _) in enumerate(seen) if module is last]
        if not places:
            raise LayerError("the network's forward pass does not run through this layer")
        seen = seen[: places[-1] + 1]
    found: dict[tuple[int, int], nn.Module] = {}
    for module, size in seen:
        if runs[module] == 1 or module is last:
            found.pop(size, None)
            found[size] = module
    if not found:
        hidden = Message(", as its layers are hidden in TorchScript") if is_compiled(net) else ""
        raise LayerError(
            "the network has no layer of feature maps (batch, channels, height, width){hidden}", hidden=hidden
        )
    return list(found.values())
