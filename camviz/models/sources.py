"""The sources of networks: how each is built, its weights and its preprocessing."""

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.export import ExportedProgram, unflatten

from ..errors import ModelError, WeightsError
from ..runtime.rng import SeededOperations
from .catalog import CURATED, depends_on_packages, source_of, torchvision_weights
from .channels import RGB_CHANNELS, check_per_channel
from .checkpoints import download, state_dict
from .checkpoints import weights as files
from .checkpoints.download import Progress
from .checkpoints.weights import Weights
from .class_names import ImageNetName
from .custom.copying import copied
from .geometry import Geometry
from .given_files import check_readable, is_file

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


@dataclass(frozen=True)
class ModelSource:
    """A network before it is built: `untrained(classes)` and `trained(progress)` build it."""

    name: str
    title: str
    weights: Weights
    classes: int
    geometry: Geometry
    mean: tuple[float, ...]
    std: tuple[float, ...]
    untrained: Callable[[int], nn.Module]
    trained: Callable[[Progress | None], nn.Module]

    @property
    def from_catalog(self) -> bool:
        """Whether the architecture is one of the catalog, not a given network."""
        return self.weights.kind == "default"


def find_source(name: str, weights: str | None = None) -> ModelSource:
    """Return the source of a network by its catalog name. Raises CamvizError for an unknown one.

    `weights`: the name of torchvision's weights, for networks whose default weights depend on installed packages.
    """
    source, found = source_of(name)
    if source == "torchvision":
        return _torchvision(found, weights)
    return _embedded(found) if source == "embedded" else _timm(found)


def custom_source(network: nn.Module | ExportedProgram, name: str | None) -> ModelSource:
    """Return the source of a copy of `network`, with 224 x 224 pixels and ImageNet's mean and deviation as defaults."""
    size, title = (224, 224), type(network).__name__
    try:
        if isinstance(network, ExportedProgram):
            size, net = _exported_size(network), cast(nn.Module, unflatten(network))
        elif isinstance(network, torch.jit.ScriptModule):
            title, net = network.original_name, _copied_script(network)
        else:
            net = copied(network)
    except (RuntimeError, TypeError) as error:  # of a compiled network
        raise ModelError(
            "this {kind} cannot be copied, so it cannot be loaded: {error}",
            kind=type(network).__name__,
            error=str(error),
        ) from error
    name = name or title
    geometry = Geometry(size, size)
    return ModelSource(
        name, name, Weights("custom"), 1000, geometry, IMAGENET_MEAN, IMAGENET_STD, lambda _: net, lambda _: net
    )


def program_source(file: Path, name: str | None) -> ModelSource:
    """Return the source of the network in a TorchScript or torch.export file. Such a file can run any code."""
    if not is_file(file):
        raise WeightsError(
            "there is no file {file}: check the path; a network of the catalog is given by its name",
            file=str(file)[:200],
        )
    check_readable(file)
    kind = files.kind_of(file)
    if kind == "state dict":
        raise WeightsError(
            "the file {file} holds weights without a network: name the architecture that they "
            "are for, camviz.load_model('resnet18', weights={path})",
            file=file,
            path=repr(str(file)),
        )
    with files.reading(file):
        network = _from_torchscript(file) if kind == "TorchScript" else torch.export.load(file)
    return replace(custom_source(network, name or file.stem), weights=Weights("program", str(file)))


def _copied_script(network: torch.jit.ScriptModule) -> nn.Module:
    """Return a copy of a TorchScript network. The parameters of a deepcopy would be no leaves of autograd's graph."""
    buffer = BytesIO()
    torch.jit.save(network, buffer)
    buffer.seek(0)
    return _from_torchscript(buffer)


def _from_torchscript(source: Path | BytesIO) -> nn.Module:
    network: nn.Module = torch.jit.load(source, map_location="cpu")  # type: ignore[no-untyped-call]
    return network


def _exported_size(network: ExportedProgram) -> tuple[int, int]:
    """Return the (height, width) of an exported network. Raises CamvizError if its batch is fixed, except to 1."""
    inputs = [
        node.meta["val"]
        for node in network.graph.nodes
        if node.op == "placeholder" and node.name in network.graph_signature.user_inputs
    ]
    if len(inputs) != 1 or inputs[0].ndim != 4:
        raise ModelError("the exported network must take one input of shape (batch, channels, height, width)")
    batch, _, height, width = inputs[0].shape
    if isinstance(batch, int) and batch != 1:
        raise ModelError(
            "this network was exported for batches of {batch}, and CamViz needs any: export it by "
            "torch.export.export(net, (x,), dynamic_shapes=({{0: torch.export.Dim('batch')}},)) "
            "with two images in x",
            batch=batch,
        )
    return (height if isinstance(height, int) else 224), (width if isinstance(width, int) else 224)


@cache
def imagenet_labels() -> tuple[ImageNetName, ...]:
    """Return the 1000 classes of ImageNet in their order."""
    from torchvision.models import AlexNet_Weights

    return tuple(map(ImageNetName, AlexNet_Weights.DEFAULT.meta["categories"]))


def _embedded(name: str) -> ModelSource:
    import timm

    architecture = f"tf_{name}"
    size, grid = {"0": (224, 256), "1": (240, 272), "2": (260, 292)}[name[-1]]

    def untrained(classes: int) -> nn.Module:
        return _build(timm.create_model, architecture, num_classes=classes)

    def trained(progress: Progress | None) -> nn.Module:
        net = untrained(1000)
        package = importlib.import_module(f"{name}_pytorch_model")
        file = Path(getattr(package, f"{name.title().replace('_', '')}ModelFile").get_model_file_path())
        state = files.read(file)
        # The file has timm's tensors in timm's order, under the names of another implementation.
        state_dict.fill(net, dict(zip(net.state_dict(), state.values(), strict=True)), file.name, name)
        return net

    half = (0.5, 0.5, 0.5)
    geometry = Geometry((size, size), (grid, grid), "bicubic")
    weights = Weights("default", "imagenet")
    return ModelSource(name, CURATED[name], weights, 1000, geometry, half, half, untrained, trained)


def _torchvision(name: str, asked: str | None) -> ModelSource:
    from torchvision import models

    weights = torchvision_weights(name, asked)
    transform = weights.transforms()
    (size,), (grid,) = transform.crop_size, transform.resize_size
    extra: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # As in the trained networks: the input is scaled inside, and there are no auxiliary heads.
        extra = {"aux_logits": False, "transform_input": True, "init_weights": False}
    elif name.startswith("vit_"):
        extra = {"image_size": size}

    def untrained(classes: int) -> nn.Module:
        return _build(models.get_model, name, weights=None, num_classes=classes, **extra)

    def trained(progress: Progress | None) -> nn.Module:
        file = download.cached(weights.url, progress=progress)
        net = untrained(1000)
        # The DenseNet files have old names: "norm.1" is now "norm1".
        state = {_OLD_DENSENET.sub(r"\1", key): value for key, value in files.read(file).items()}
        state_dict.fill(net, state, str(file), name)
        return net

    geometry = Geometry((size, size), (grid, grid), transform.interpolation.value)
    mean, std = (
        check_per_channel(transform.mean, RGB_CHANNELS, "mean"),
        check_per_channel(transform.std, RGB_CHANNELS, "std"),
    )
    tag = Weights("default", weights.name, named=depends_on_packages(name))
    return ModelSource(name, CURATED.get(name, name), tag, 1000, geometry, mean, std, untrained, trained)


def _timm(name: str) -> ModelSource:
    import timm

    config = timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()
    full = f"{name.partition('.')[0]}.{config.tag}" if config.tag else name
    if not config.num_classes:
        raise ModelError(
            "timm/{full} ends in features, not in class scores, so there is no prediction to explain: choose a "
            "classification network",
            full=full,
        )

    def untrained(classes: int) -> nn.Module:
        return _build(timm.create_model, name, num_classes=classes)

    def trained(progress: Progress | None) -> nn.Module:
        if config.hf_hub_id:
            path = config.hf_hub_filename or "model.safetensors"
            file = download.from_hugging_face(config.hf_hub_id, path, full + Path(path).suffix, progress)
        elif config.url:
            file = download.cached(config.url, progress=progress)
        else:
            raise WeightsError(
                "timm has no trained weights for {full}: use weights='random' or your own file", full=full
            )
        state = files.read(file)
        with files.reading(file):
            return _build(timm.create_model, name, pretrained=True, pretrained_cfg_overlay={"state_dict": state})

    size = (config.input_size[1], config.input_size[2])
    grid = (math.floor(size[0] / config.crop_pct), math.floor(size[1] / config.crop_pct))
    geometry = Geometry(size, grid, config.interpolation, keep_ratio=config.crop_mode != "squash")
    mean, std = check_per_channel(config.mean, RGB_CHANNELS, "mean"), check_per_channel(config.std, RGB_CHANNELS, "std")
    weights = Weights("default", config.tag)
    return ModelSource(f"timm/{full}", full, weights, config.num_classes, geometry, mean, std, untrained, trained)


def _build(make: Callable[..., nn.Module], name: str, **arguments: Any) -> nn.Module:
    with torch.device("cpu"), SeededOperations():
        return make(name, **arguments)
