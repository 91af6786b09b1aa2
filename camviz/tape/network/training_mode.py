"""Refuse a network in training mode: a pass would change it, or give random results."""

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from ...errors import ModelError


def check_eval(net: nn.Module) -> None:
    """Raise CamvizError for a network in training mode: a pass would change it, or give random results."""
    for module in _in_training(net):
        drops = getattr(module, "p" if isinstance(module, _DropoutNd | StochasticDepth) else "drop_prob", 0)
        tracks = getattr(module, "track_running_stats", False)  # InstanceNorm can too
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.RReLU) or tracks or drops:
            raise ModelError(
                "the network is in training mode ({kind}); call net.eval() first", kind=type(module).__name__
            )


def _in_training(net: nn.Module) -> Iterator[nn.Module]:
    """Yield its modules in training mode; faster than net.modules(), as it runs in every pass."""
    waiting, seen = [net], {net}
    while waiting:
        module = waiting.pop()
        if module.training:
            yield module
        new = [child for child in module.children() if child not in seen]
        seen.update(new)
        waiting += new
