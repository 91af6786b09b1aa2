"""load_model: a Model from a catalog name, a file, or a network given as a Python object."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torchvision.models import WeightsEnum

from ..errors import CamvizError, ClassNamesError, PreprocessingError, WeightsError
from ..messages import Message
from ..runtime.progress import check_progress
from ..tape import mark_batches_of_one, usual_modes
from .channels import RGB_CHANNELS, Channel, check_channels, check_per_channel, default_channels, from_rgb_values
from .checkpoints import state_dict
from .checkpoints import weights as files
from .checkpoints.closest_architecture import closest_architecture
from .checkpoints.contents import tensors_in
from .checkpoints.download import Progress
from .checkpoints.heads import fitting_heads
from .checkpoints.saved_names import saved_class_names
from .checkpoints.selection import select
from .checkpoints.weights import Weights
from .class_names import ClassNames, read_class_names
from .custom.checks import checked, one_input, prepare
from .custom.copying import bake_weights
from .custom.reading import Answers, Head, Output, read_output
from .geometry import Geometry
from .given_files import is_file
from .layers import probe
from .load_arguments import channels_of, device_of, network_of, per_channel, size_of, text_of, weights_of
from .model import Model
from .offers import on_device, packaged_models, with_digest
from .preprocessing import Preprocess, infer_preprocessing
from .sources import ModelSource, custom_source, find_source, imagenet_labels, program_source


@usual_modes()
def load_model(
    network: str | Path | nn.Module | ExportedProgram,
    /,
    *,
    weights: str | Path | Mapping[str, Tensor] | WeightsEnum | None = "default",
    device: str | int | torch.device | None = None,
    progress: Progress | None = None,
    input_size: int | tuple[int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    input_channels: str | Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
    head: Head | None = None,
    output: Output | None = None,
    unit: str = "",
    categories: ClassNames | None = None,
    name: str | None = None,
) -> Model:
    """Load a network by its catalog name, or copy a given one, and return it as a Model.

    `network`: a name of the catalog, an nn.Module, an ExportedProgram of torch.export.export, or the path of a
    TorchScript or torch.export file (.pt, .pt2; such a file can run any code, so open only files that you trust).
    A network given as an object is copied and never changed.

    `weights`: "default" = pretrained (downloaded on first use, `progress(done_bytes, total_bytes)`), "random", the
    path of a checkpoint (.pth, .pt, .ckpt, .bin, .safetensors), or its content. The tensors that fit the network are
    used, with any prefix of their names; plain weights are preferred to averaged ones (EMA). None = "random", as in
    torchvision. `device`: None = torch's default. `input_size`: (height, width), or the side of a square. It, `mean`,
    `std` and `categories` replace the catalog's values; for a network given as an object the defaults are 224 x 224
    and ImageNet's values. `categories`: class names, or the path of a file of them. `input_channels`: the content of
    each input channel, out of "red", "green", "blue", "gray", "black" (zeros); None = gray for one channel, red, green
    and blue for three. `preprocess`: a function from a PIL image to the input (C, H, W); it replaces `input_size`,
    `mean`, `std` and `input_channels`, which are inferred from it.
    `head`: how class scores become probabilities: "softmax", "sigmoid" for independent labels, or "none" if the output
    of the network is the answer itself: probabilities, or a number in `unit`. None = the last step of the network; if
    it is none of these, sigmoid for one score (a number, if its sigmoid is exactly 0 or 1), else softmax.
    `output`: the index or name of the output with the class scores, if the network returns several. Two names for one
    score s are two classes, of scores -s and s.
    A network with several inputs is wrapped by `camviz.models.FixedInputs`. `Model.notes` has facts that belong to
    every result, such as a forward pass that draws random numbers. Raises CamvizError for invalid input.
    """
    network = network_of(network)
    name, unit = text_of(name, "name"), text_of(unit, "unit") or ""
    check_progress(progress)
    if isinstance(network, str) and network in (packaged := packaged_models()):
        made = packaged[network].make()
        name = name or network
        if isinstance(made, Model):
            settings = (input_size, mean, std, input_channels, preprocess, head, output, unit or None, categories)
            if weights != "default" or any(one is not None for one in settings):
                raise CamvizError(
                    "{name} is a loaded model of another package, so it takes no settings: leave them out", name=network
                )
            moved = made if device is None else on_device(made, str(device_of(device)))
            return with_digest(replace(moved, name=name, title=name))
        network = made
    source = _model_source(network, name, weights)
    net, loaded = _build(source, weights_of(weights, source), progress)
    where = device_of(device) if device is not None else _device(network)
    bake_weights(net)
    notes = prepare(net)
    net.to(where)
    if preprocess is not None:
        if any(given is not None for given in (input_size, mean, std, input_channels)):
            raise PreprocessingError(
                "preprocess replaces input_size, mean, std and input_channels: leave these out, or leave out preprocess"
            )
        inferred = infer_preprocessing(preprocess)
        input_size, mean, std, input_channels = inferred.size, inferred.mean, inferred.std, inferred.channels
    geometry = source.geometry
    if input_size is not None:
        geometry = Geometry(size_of(input_size), size_of(input_size), geometry.interpolation)
    channels = (
        check_channels(channels_of(input_channels))
        if input_channels is not None
        else _default_channels(net, geometry.size)
    )
    names = saved_class_names(weights) if categories is None else read_class_names(categories)
    with one_input(net):
        shape = (len(channels), *geometry.size)
        given = head is not None or output is not None or not source.from_catalog
        answers = (
            read_output(net, shape, head, output, None if names is None else len(names), unit)
            if given
            else Answers("softmax")
        )
        found = probe(net, geometry.size, len(channels))
    deviations = (
        from_rgb_values(source.std, channels, 1.0)
        if std is None
        else check_per_channel(per_channel(std, len(channels)), channels, "std")
    )
    if 0 in deviations:
        raise PreprocessingError(
            "std must not be 0, because inputs are divided by it; got {deviations}", deviations=deviations
        )
    model = Model(
        name=name or source.name,
        title=Message("{title} (untrained)", title=source.title) if loaded.is_random else source.title,
        weights=loaded,
        net=net,
        categories=_labels(names, found.classes, source.name, answers.are_probabilities),
        layers=found.layers,
        default_layer=found.layers[-1].name if found.layers else "",
        mean=from_rgb_values(source.mean, channels, 0.0)
        if mean is None
        else check_per_channel(per_channel(mean, len(channels)), channels, "mean"),
        std=deviations,
        geometry=geometry,
        device=where,
        input_channels=channels,
        head=answers.head,
        has_probabilities=answers.are_probabilities,
        unit=unit,
        transform=preprocess,
        notes=(*notes, *answers.notes),
    )
    if source.from_catalog:
        mark_batches_of_one(net, needed=False)
        return model
    return checked(model)


def _model_source(network: str | Path | nn.Module | ExportedProgram, name: str | None, weights: Any) -> ModelSource:
    if isinstance(network, nn.Module | ExportedProgram):
        return custom_source(network, name)
    if isinstance(network, Path) or Path(network).suffix in (".pt", ".pt2", ".pth", *files.STATE_DICTS):
        return program_source(Path(network), name)
    asked = weights.name if isinstance(weights, WeightsEnum) else weights
    return find_source(network, asked if isinstance(asked, str) else None)


def _build(
    source: ModelSource, weights: str | Path | Mapping[str, Tensor], progress: Progress | None
) -> tuple[nn.Module, Weights]:
    if weights == "default":
        return source.trained(progress), source.weights
    if weights == "random" and not source.from_catalog:
        raise CamvizError("random weights are for networks of the catalog; initialize your network before you give it")
    if weights == "random":
        return source.untrained(source.classes), Weights("random")
    if isinstance(weights, Mapping):
        state, file, loaded = tensors_in(weights), "", Weights("custom")
        if not state:
            raise WeightsError("weights hold no tensors: give a state dict, as net.state_dict() returns it")
    else:
        path = Path(weights)
        if not is_file(path):
            raise WeightsError(
                "weights must be 'default', 'random' or a file; there is no file {path}", path=str(path)[:200]
            )
        state, file, loaded = files.read_checkpoint(path), path.name, Weights("file", str(weights))
    net = source.untrained(source.classes)
    state = fitting_heads(select(state, net), net, file)
    if source.from_catalog:
        if (classes := state_dict.classes_in(state, net, source.classes)) != source.classes:
            net = source.untrained(classes)
        if (channels := state_dict.channels_in(state, net)) != len(source.mean):
            state_dict.widen(net, channels)
    state_dict.fill(net, state, file, source.name, _closest_hint(source.name) if source.from_catalog else None)
    return net, loaded if source.from_catalog else Weights("custom")


def _closest_hint(name: str) -> state_dict.Hint:
    """Return a function that names the catalog architecture closest to a checkpoint that does not fit `name`."""

    def hint(state: Mapping[str, Tensor]) -> str:
        found = closest_architecture(state, name)
        if found is None:
            return Message("no network of the catalog is similar")
        if found.share == 1 and found.name != name:
            return Message("the closest in the catalog is {network}, which it fits", network=found.name)
        same = "{network} is still the closest in the catalog"
        return Message(
            "{closest} ({matching} of {tensors} tensors match)",
            closest=Message(
                same if found.name == name else "the closest in the catalog is {network}", network=found.name
            ),
            matching=found.matching,
            tensors=found.tensors,
        )

    return hint


def _default_channels(net: nn.Module, size: tuple[int, int]) -> tuple[Channel, ...]:
    """Return the default channels of a network, by the number of input channels of its first convolution."""
    try:
        count = state_dict.first_convolution(net)[1].in_channels
    except CamvizError:  # the convolutions of a compiled network are no nn.Conv2d
        count = next((weight.shape[1] for weight in net.parameters() if weight.ndim == 4), 3)
    try:
        return default_channels(count)
    except CamvizError:
        with suppress(CamvizError):  # the first convolution in the list may not be the first that runs
            probe(net, size)
            return RGB_CHANNELS
        raise


def _device(network: str | Path | nn.Module | ExportedProgram) -> torch.device:
    """Return the device of a network given as an object, torch's default device for all others."""
    parameter = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return torch.get_default_device() if parameter is None else parameter.device


def _labels(names: tuple[str, ...] | None, classes: int, name: str, are_probabilities: bool) -> tuple[str, ...]:
    if names is not None:
        if len(names) != classes:
            raise ClassNamesError(
                "{name} has {classes} classes; got {given} categories", name=name, classes=classes, given=len(names)
            )
        return imagenet_labels() if names == imagenet_labels() else names
    if classes == 1000:
        return imagenet_labels()
    if classes == 1 and not are_probabilities:
        return (Message("value"),)
    return tuple(Message("class {number}", number=index) for index in range(classes))
