"""The Model of a network that is given instead of one: loaded once, and again when its tensors have changed."""

from collections.abc import Hashable
from weakref import WeakKeyDictionary

from torch import nn

from ..load import load_model
from ..model import Model

_loaded: WeakKeyDictionary[nn.Module, tuple[Hashable, Model]] = WeakKeyDictionary()


def loaded_once(net: nn.Module) -> Model:
    """Return `load_model(net)`, the same Model until a tensor of the network changes. Raises CamvizError."""
    tensors = [*net.parameters(), *net.buffers()]
    if any(tensor.is_inference() for tensor in tensors):  # inference tensors do not count their changes
        return load_model(net)
    state = tuple((id(tensor), tensor._version) for tensor in tensors)
    known, model = _loaded.get(net, (None, None))
    if model is None or known != state:
        model = load_model(net)
        _loaded[net] = state, model
    return model
