"""Refuse a network in training mode: a pass would change it, or give random results."""

from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from ...errors import ModelError
from ...runtime.modules import every_module


def check_eval(net: nn.Module) -> None:
    """Raise CamvizError for a network in training mode: a pass would change it, or give random results."""
    for module in (one for one in every_module(net) if one.training):
        drops = getattr(module, "p" if isinstance(module, _DropoutNd | StochasticDepth) else "drop_prob", 0)
        tracks = getattr(module, "track_running_stats", False)  # InstanceNorm can too
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.RReLU) or tracks or drops:
            raise ModelError(
                "the network is in training mode ({kind}); call net.eval() first", kind=type(module).__name__
            )
