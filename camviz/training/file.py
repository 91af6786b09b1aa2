"""A trained network as a file: its state dict, with the class names in the header."""

import json

from safetensors.torch import save

from ..models import Model
from ..models.checkpoints.saved_names import ARCHITECTURE, CLASS_NAMES


def to_file(model: Model, architecture: str = "") -> bytes:
    """Return the state dict of a network as safetensors, with the class names in the header.

    `camviz.load_model(architecture, weights=file)` and the upload of a model read it with its class names.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.net.state_dict().items()}
    names = json.dumps(list(model.categories), ensure_ascii=False)
    return save(tensors, {CLASS_NAMES: names, **({ARCHITECTURE: architecture} if architecture else {})})
