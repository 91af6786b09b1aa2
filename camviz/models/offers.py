"""Networks that are not in the catalog: registered in this process, or offered by another package."""

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
from .catalog import Entry, source_of
from .checkpoints.download import Progress
from .checkpoints.weights import Weights
from .custom.copying import copied
from .geometry import Fit
from .model import Model

Load = Callable[[str, Progress | None], Model]

DEFAULT_MODEL = "efficientnet_lite0"  # comes with CamViz


@dataclass(frozen=True)
class ModelOffer:
    """A network with the name of `entry`; `load(device, progress)` returns it. `version` changes with the network."""

    entry: Entry
    load: Load
    version: str


_offers: dict[str, ModelOffer] = {}
_guard = threading.Lock()


def register(model: Model) -> Entry:
    """Register a loaded model in this process under its name, which takes precedence over the catalog.

    A model that was registered under this name before is replaced.
    """
    model = with_digest(model)

    def load(device: str, progress: Progress | None) -> Model:
        return on_device(model, device)

    entry = Entry(model.name, model.title, "custom", curated=True)
    with _guard:
        _offers[model.name] = ModelOffer(entry, load, str(model.weights))
    return entry


def unregister(name: str) -> None:
    """Remove the registered model of this name, if there is one."""
    with _guard:
        _offers.pop(name, None)


def registered() -> dict[str, ModelOffer]:
    """Return a copy of the registered networks by name, in the order of their registration."""
    with _guard:
        return dict(_offers)


@dataclass(frozen=True)
class PackagedModel:
    """A network that another package offers under the name of `entry`."""

    entry: Entry
    extension: EntryPoint
    function: Callable[[], object]

    def make(self) -> Model | nn.Module:
        """Return the network. Raises CamvizError, which names the package, if its function fails."""
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
    """Return the networks of other packages by name. Raises CamvizError, which names the package, for a broken one."""
    found = {}
    for extension in extensions.found(extensions.MODELS):
        function = extensions.loaded(extension)
        package, name = extensions.package_of(extension), extension.name
        fault = "" if callable(function) else Message("names no function")
        with suppress(CamvizError):  # raised for a name that is not in the catalog, as it should be
            source_of(name)
            fault = Message("is a name of the catalog")
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
    """Return the model on a device; the model itself if it is already there."""
    target = torch.device(device)
    if model.device.type == target.type:
        return model
    return replace(model, net=copied(model.net).to(target), device=target)


def with_digest(model: Model) -> Model:
    """Return the model with a digest of its tensors, classes and preprocessing as the name of its weights.

    So a result of another network of this name, or of the same one before more training, is never used for this one.
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
    """Return an image in which all parts differ, and whose width and height differ."""
    rows, columns = np.mgrid[:300, :400]
    return Image.fromarray(np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8))
