"""The last linear layer of a network: its input for an image, and networks with another last layer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes
from ..acceleration.memory_layout import in_fastest_layout
from ..errors import ModelError
from ..images import ImageSource
from ..messages import Message
from ..models import Model, Weights, with_digest
from ..models.custom.copying import copied
from ..models.geometry import Fit
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..tape import as_matrix, forward, observe, reading_of


def find_head(model: Model) -> str:
    """Return the dotted name of the linear layer that computes the class scores. Raises CamvizError."""
    names: dict[nn.Module, str] = {
        module: name for name, module in model.net.named_modules() if isinstance(module, nn.Linear)
    }
    outputs: dict[nn.Module, Tensor] = {}

    def see(module: nn.Module, output: Tensor) -> None:
        if module in names:
            outputs[module] = output

    reading = reading_of(model.net)
    x = model.preprocess(np.zeros((*model.input_size, 3), np.uint8))
    with model.running(), torch.no_grad():
        observe(model.net, x, see)
        scores = forward(model.net, x)
    for module, output in reversed(outputs.items()):
        if output.ndim == 2 and output.shape == scores.shape and not (reading and reading.computed_back):
            if torch.allclose(output, scores, atol=1e-4):
                return names[module]
            break
    raise ModelError(
        "{model} does not end in a linear layer, so no new one can be trained: choose a network whose last layer is an "
        "nn.Linear, such as efficientnet_lite0",
        model=model.name,
    )


def head_features(
    model: Model, images: Sequence[ImageSource], fit: Fit = "crop", progress: Progress | None = None
) -> NDArray[np.float32]:
    """Return the input of the last linear layer for each image, (n, d). Raises CamvizError."""
    net = copied(model.net, shares_tensors=True)
    net.set_submodule(find_head(model), nn.Identity())
    found = []
    with model.running(), torch.no_grad(), many_passes(net, model.preprocess(images[0], fit)) as sizes:
        for part in batches(len(images), sizes.size, progress):
            x = in_fastest_layout(torch.cat([model.preprocess(image, fit) for image in images[part]]))
            found.append(as_matrix(forward(net, x), len(x)).float().cpu().numpy())
    return np.concatenate(found)


def head_of(model: Model) -> tuple[Tensor, Tensor]:
    """Return weight (K, d) and bias (K,) of the last linear layer. Raises CamvizError."""
    layer = model.net.get_submodule(find_head(model))
    assert isinstance(layer, nn.Linear)
    bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
    return layer.weight.detach().cpu(), bias.detach().cpu()


def with_classes(
    model: Model, class_names: tuple[str, ...], weight: Tensor, bias: Tensor, name: str | Message
) -> Model:
    """Return a classifier of these classes: the network with another last layer. All other tensors are shared."""
    return with_digest(
        replace(
            model,
            name=str(name),
            title=name,
            weights=Weights("custom"),
            net=with_head(model.net, find_head(model), weight, bias),
            categories=class_names,
            head="softmax",
            has_probabilities=True,
            unit="",
        )
    )


def with_head(net: nn.Module, name: str, weight: Tensor, bias: Tensor) -> nn.Module:
    """Return a copy of a network with another linear layer of this name. All other tensors are shared."""
    old = net.get_submodule(name)
    reference = next(old.parameters())
    head = nn.Linear(weight.shape[1], weight.shape[0], device=reference.device, dtype=reference.dtype)
    head.requires_grad_(False)
    head.weight.copy_(weight)
    head.bias.copy_(bias)
    changed = copied(net, shares_tensors=True)
    changed.set_submodule(name, head.eval())
    return changed
