"""Networks beside those of the catalogue: registered in this process, or offered by another package."""

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint
from typing import get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..errors import CamvizError
from ..messages import Message
from ..runtime import extensions
from ..tape import reading_of
from .catalogue import Entry, source_of
from .checkpoints.download import Progress
from .checkpoints.weights import Weights
from .custom.copying import copied
from .geometry import Fit
from .model import Model

Load = Callable[[str, Progress | None], Model]

DEFAULT_MODEL = "efficientnet_lite0"  # comes with CamViz


@dataclass(frozen=True)
class ModelOffer:
    """A network under the name in `entry`; `load(device, progress)` makes it. `version` changes with the network."""

    entry: Entry
    load: Load
    version: str


_offers: dict[str, ModelOffer] = {}
_guard = threading.Lock()


def register(model: Model) -> Entry:
    """Offer a loaded model to everybody in this process, under its name, before those of the catalogue.

    What was registered under that name is replaced.
    """
    model = with_digest(model)

    def load(device: str, progress: Progress | None) -> Model:
        return on_device(model, device)

    entry = Entry(model.name, model.title, "custom", curated=True)
    with _guard:
        _offers[model.name] = ModelOffer(entry, load, str(model.weights))
    return entry


def unregister(name: str) -> None:
    """Take back what was registered under that name, if anything was."""
    with _guard:
        _offers.pop(name, None)


def registered() -> dict[str, ModelOffer]:
    """Return a copy of the registered networks by name, in the order of their registration."""
    with _guard:
        return dict(_offers)


@dataclass(frozen=True)
class PackagedModel:
    """A network that another package offers under the name in `entry`."""

    entry: Entry
    extension: EntryPoint
    function: Callable[[], object]

    def make(self) -> Model | nn.Module:
        """Return the network. Raises CamvizError, with the package, if it fails."""
        made = extensions.called(self.extension, self.function)
        if not isinstance(made, Model | nn.Module):
            raise CamvizError(
                "the package {package} offers the model '{name}', but returns no camviz.Model and no nn.Module; got "
                "{kind}",
                package=extensions.package_of(self.extension),
                name=self.entry.name,
                kind=type(made).__name__,
            )
        return made


@cache
def packaged_models() -> dict[str, PackagedModel]:
    """Return the networks of other packages by name. Raises CamvizError, with the package, for a broken one."""
    found = {}
    for extension in extensions.found(extensions.MODELS):
        function = extensions.loaded(extension)
        package, name = extensions.package_of(extension), extension.name
        fault = "" if callable(function) else Message("names no function")
        with suppress(CamvizError):  # of an unknown name
            source_of(name)
            fault = Message("is a name of the catalogue")
        if fault or name in found:
            raise CamvizError(
                "the package {package} offers the model '{name}', which {fault}; update or uninstall the package",
                package=package,
                name=name,
                fault=fault or Message("another package offers too"),
            )
        found[name] = PackagedModel(Entry(name, name, "custom", curated=True, note=package), extension, function)
    return found


def on_device(model: Model, device: str) -> Model:
    """The model on a device: itself, where it is there."""
    there = torch.device(device)
    if model.device.type == there.type:
        return model
    return replace(model, net=copied(model.net).to(there), device=there)


def with_digest(model: Model) -> Model:
    """The model with a digest of its numbers, its classes and how it sees an image in what it says of its weights.

    So no result of another network of that name, or of the same one after more training, is taken for one of this.
    """
    inputs = (
        model.net,
        model.categories,
        model.mean,
        model.std,
        model.input_channels,
        model.head,
        reading_of(model.net),
    )
    digest = hashlib.sha256(repr(inputs).encode())
    for name, tensor in model.net.state_dict().items():
        if not isinstance(tensor, Tensor) or tensor.is_quantized:  # of a quantized layer
            digest.update(f"{name} {tensor}".encode())
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    for fit in get_args(Fit):
        digest.update(model.view(_probe(), fit).tobytes())
    return replace(model, weights=Weights("custom", digest.hexdigest()[:8]))


def _probe() -> Image.Image:
    """An image of which every part looks different, and longer than it is wide."""
    rows, columns = np.mgrid[:300, :400]
    return Image.fromarray(np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8))
