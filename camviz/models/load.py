"""load_model: from a name, or a network of one's own, to a Model; and the models that a process shares."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ..errors import CamvizError, unknown
from ..messages import Message
from . import state_dict
from . import weights as files
from .channels import RGB_CHANNELS, Channel, check_channels, default_channels, per_channel, spread
from .class_names import ClassNames, read_class_names
from .closest_architecture import closest_architecture
from .download import Progress
from .geometry import Geometry
from .layers import probe
from .model import Head, Model
from .preprocessing import Preprocess, infer_preprocessing
from .sources import ModelSource, custom_source, find_source, imagenet_labels, program_source
from .weights import Weights


def load_model(
    network: str | Path | nn.Module | ExportedProgram,
    /,
    *,
    weights: str | Path | Mapping[str, Tensor] = "default",
    device: str | torch.device | None = None,
    progress: Progress | None = None,
    input_size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    bands: Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
    head: Head | None = None,
    categories: ClassNames | None = None,
    name: str | None = None,
) -> Model:
    """A network ready to be explained, by its name in the catalogue, or a copy of one of your own.

    Your own may be an nn.Module, what torch.export.export returns, or the path of a TorchScript or torch.export file
    (.pt, .pt2; it may run any code: open those that you trust). The network that you give is never touched.

    `weights`: "default" = trained (fetched at first use, `progress(done_bytes, total_bytes)`), "random", or the
    path of a state dict (.pth, .pt, .safetensors), or a state dict. `device`: None = torch's default.
    `input_size` (height, width), `mean`, `std` and `categories` replace what the catalogue says; for your own network
    they default to 224 x 224 and ImageNet's values. `categories`: names, or the path of a text or JSON file of them.
    `bands`: what each input channel sees, out of "red", "green", "blue", "gray", "black"; None = gray for one
    channel, else red, green, blue. `preprocess`: a function from a PIL picture to the input (C, H, W), in place of
    `input_size`, `mean`, `std` and `bands`, which are then measured. `head`: "softmax", or "sigmoid" where each class
    is asked by itself; None = sigmoid where there is only one. Raises CamvizError on wrong input.
    """
    plan = _plan(network, name)
    net, loaded = _build(plan, weights, progress)
    where = torch.device(device) if device is not None else _device(network)
    for parameter in net.parameters():
        parameter.grad = None
        parameter.requires_grad_(False)
    net.eval().to(where)
    if preprocess is not None:
        if any(given is not None for given in (input_size, mean, std, bands)):
            raise CamvizError("preprocess says what input_size, mean, std and bands say: give either it or them")
        measured = infer_preprocessing(preprocess)
        input_size, mean, std, bands = measured.size, measured.mean, measured.std, measured.bands
    geometry = plan.geometry
    if input_size is not None:
        geometry = Geometry(input_size, input_size, geometry.interpolation)
    looks = check_channels(bands) if bands is not None else _bands(net, geometry.size)
    found = probe(net, geometry.size, len(looks))
    if head is not None and head not in get_args(Head):
        raise unknown(Message("head"), str(head), get_args(Head), "softmax, sigmoid")
    deviations = spread(plan.std, looks, 1.0) if std is None else per_channel(std, looks, "std")
    if 0 in deviations:
        raise CamvizError("std must not be 0, since it is divided by; got {deviations}", deviations=deviations)
    return Model(
        name=name or plan.name,
        title=Message("{title} (untrained)", title=plan.title) if loaded.is_random else plan.title,
        weights=loaded,
        net=net,
        categories=_labels(categories, found.classes, plan.name),
        layers=found.layers,
        default_layer=found.layers[-1].name if found.layers else "",
        mean=spread(plan.mean, looks, 0.0) if mean is None else per_channel(mean, looks, "mean"),
        std=deviations,
        geometry=geometry,
        device=where,
        bands=looks,
        head=head or ("sigmoid" if found.classes == 1 else "softmax"),
        transform=preprocess,
    )


def _plan(network: str | Path | nn.Module | ExportedProgram, name: str | None) -> ModelSource:
    if isinstance(network, nn.Module | ExportedProgram):
        return custom_source(network, name)
    if isinstance(network, Path) or Path(network).suffix in (".pt", ".pt2", ".pth"):
        return program_source(Path(network), name)
    return find_source(network)


def _build(
    plan: ModelSource, weights: str | Path | Mapping[str, Tensor], progress: Progress | None
) -> tuple[nn.Module, Weights]:
    if weights == "default":
        return plan.trained(progress), plan.weights
    if weights == "random" and not plan.from_catalogue:
        raise CamvizError("random weights are for networks of the catalogue; initialize your own before you give it")
    if weights == "random":
        return plan.untrained(plan.classes), Weights("random")
    if isinstance(weights, Mapping):
        if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
            raise CamvizError("a state dict holds tensors by name, as net.state_dict() gives them")
        state, file, loaded = dict(weights), "", Weights("custom")
    else:
        path = Path(weights)
        if not path.is_file():
            raise CamvizError("weights must be 'default', 'random' or a file; there is no file {path}", path=path)
        state, file, loaded = files.read(path), path.name, Weights("file", str(weights))
    net = plan.untrained(plan.classes)
    state = state_dict.unwrapped(state, net)
    if plan.from_catalogue:
        if (classes := state_dict.classes_in(state, net, plan.classes)) != plan.classes:
            net = plan.untrained(classes)
        if (channels := state_dict.channels_in(state, net)) != len(plan.mean):
            state_dict.widen(net, channels)
    state_dict.fill(net, state, file, plan.name, _likeness(plan.name) if plan.from_catalogue else None)
    return net, loaded if plan.from_catalogue else Weights("custom")


def _likeness(name: str) -> state_dict.Hint:
    """A word on which network of the catalogue a checkpoint is of, that is not of the one of that name."""

    def hint(state: Mapping[str, Tensor]) -> str:
        found = closest_architecture(state, name)
        if found is None:
            return Message("no network of the catalogue is like it")
        if found.share == 1 and found.name != name:
            return Message("nearest in the catalogue is {network}, which it fits", network=found.name)
        return Message(
            "{nearest} ({fitting} of {tensors} tensors fit)",
            nearest=Message(
                "it is nearest to {network} all the same"
                if found.name == name
                else "nearest in the catalogue is {network}",
                network=found.name,
            ),
            fitting=found.fitting,
            tensors=found.tensors,
        )

    return hint


def _bands(net: nn.Module, size: tuple[int, int]) -> tuple[Channel, ...]:
    """What the channels see where nobody says it, by what the first weights for maps take."""
    try:
        channels = state_dict.first_convolution(net)[1].in_channels
    except CamvizError:  # a compiled network has convolutions that are no nn.Conv2d
        channels = next((weight.shape[1] for weight in net.parameters() if weight.ndim == 4), 3)
    try:
        return default_channels(channels)
    except CamvizError:
        with suppress(CamvizError):  # the first in the list need not be the first to run
            probe(net, size)
            return RGB_CHANNELS
        raise


def _device(network: str | Path | nn.Module | ExportedProgram) -> torch.device:
    """Where a network of one's own lies; for one of the catalogue, torch's default."""
    parameter = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return torch.get_default_device() if parameter is None else parameter.device


def _labels(given: ClassNames | None, classes: int, name: str) -> tuple[str, ...]:
    if given is not None:
        names = read_class_names(given)
        if len(names) != classes:
            raise CamvizError(
                "{name} has {classes} classes; got {given} categories", name=name, classes=classes, given=len(names)
            )
        return names
    return (
        imagenet_labels()
        if classes == 1000
        else tuple(Message("class {number}", number=index) for index in range(classes))
    )
