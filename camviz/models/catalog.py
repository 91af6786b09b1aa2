"""The networks that load_model knows by name: the embedded ones, those of torchvision and those of timm."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from ..errors import unknown
from ..messages import Message
from .checkpoints.packaged import PACKAGES, packaged_file

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

Source = Literal["embedded", "torchvision", "timm", "custom"]

EMBEDDED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")

CURATED = {
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
    "alexnet": "AlexNet",
    "vgg16": "VGG16",
    "resnet18": "ResNet18",
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "googlenet": "GoogLeNet",
    "inception_v3": "Inception v3",
    "squeezenet1_1": "SqueezeNet 1.1",
    "mobilenet_v2": "MobileNet v2",
    "mobilenet_v3_large": "MobileNet v3 large",
    "efficientnet_b0": "EfficientNet-B0",
    "convnext_tiny": "ConvNeXt-Tiny",
}

TRANSFORMERS = ("vit_", "swin_", "maxvit_")  # can be loaded by name, but are not listed: CamViz is about CNNs
# fmt: off
_TIMM_CNNS = frozenset((
    "byobnet", "convmixer", "convnext", "cspnet", "cspnext", "densenet", "dla", "dpn", "efficientnet", "fasternet",
    "ghostnet", "hardcorenas", "hgnet", "hrnet", "inception_next", "inception_resnet_v2", "inception_v3",
    "inception_v4", "lcnetv2", "mobilenetv3", "nasnet", "nfnet", "pnasnet", "rdnet", "regnet", "repghost", "repvit",
    "res2net", "resnest", "resnet", "resnetv2", "rexnet", "selecsls", "senet", "sknet", "starnet", "tresnet", "vgg",
    "vovnet", "xception", "xception_aligned",
))
# fmt: on
_TIMM_CLASSES = (1000, 11221, 11821, 21841, 21842, 21843)  # ImageNet's; other numbers are sizes of embeddings


@dataclass(frozen=True)
class Entry:
    """One network of the catalog. `name` is the argument of load_model; `note` is its size, if that is known."""

    name: str
    title: str
    source: Source
    curated: bool = False
    note: str = ""


@cache
def catalog() -> tuple[Entry, ...]:
    """Return every CNN: a short list first, then the others of torchvision and timm. Built at the first call."""
    curated = [_entry(name, source_of(name)[0], curated=True) for name in CURATED]
    torchvision = [_entry(name, "torchvision") for name in torchvision_names() if name not in CURATED]
    return (
        *curated,
        *(entry for entry in torchvision if not entry.name.startswith(TRANSFORMERS)),
        *(_entry(f"timm/{name}", "timm") for name in _timm_cnns()),
    )


def source_of(name: str) -> tuple[Source, str]:
    """Return the source of a name, and the name there.

    'timm/x' and 'torchvision/x' name their source; any other name is looked up in all sources in turn. Raises
    CamvizError, with the nearest name, for an unknown one.
    """
    prefix, _, rest = name.rpartition("/")
    if prefix in ("", "embedded") and rest in EMBEDDED:
        return "embedded", rest
    if prefix in ("", "torchvision") and rest in torchvision_names():
        return "torchvision", rest
    if prefix in ("", "timm") and _is_timm(rest):
        return "timm", rest
    raise unknown(Message("model"), name, _known(), Message("the catalog"))


@cache
def torchvision_names() -> tuple[str, ...]:
    """Return the names of torchvision's classification networks."""
    from torchvision import models

    return tuple(models.list_models(module=models))


def torchvision_weights(name: str, asked: str | None = None) -> "WeightsEnum":
    """Return the trained weights of a network of torchvision: those of an installed package, or its newest ones.

    If a package provides some of its weights, `asked` chooses any of them by name, such as "IMAGENET1K_V1".
    """
    from torchvision.models import get_model_weights

    known = get_model_weights(name)
    packaged = [weights for weights in known if _file_name(weights) in PACKAGES]
    if packaged and asked in known.__members__ and asked != "DEFAULT":
        return known[asked]
    return next((weights for weights in packaged if packaged_file(_file_name(weights))), known.DEFAULT)


def depends_on_packages(name: str) -> bool:
    """Return whether the weights of a network of torchvision depend on the packages that are installed."""
    from torchvision.models import get_model_weights

    return any(_file_name(weights) in PACKAGES for weights in get_model_weights(name))


def _file_name(weights: "WeightsEnum") -> str:
    return str(weights.url).rpartition("/")[2]


@cache
def timm_architectures() -> tuple[tuple[str, str], ...]:
    """Return the names of timm's CNN architectures, each with the family that it belongs to."""
    import timm
    from timm.models import model_entrypoint

    named = [(name, model_entrypoint(name).__module__.rpartition(".")[2]) for name in timm.list_models()]
    return tuple((name, family) for name, family in named if family in _TIMM_CNNS and "hybrid" not in name)


def _is_timm(name: str) -> bool:
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        return False
    return not tag or tag in {known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")}


def _timm_cnns() -> list[str]:
    import timm
    from timm.models import model_entrypoint

    return [
        name
        for name in timm.list_models(pretrained=True)
        if model_entrypoint(name.partition(".")[0]).__module__.rpartition(".")[2] in _TIMM_CNNS
        and "hybrid" not in name
        and timm.get_pretrained_cfg(name).num_classes in _TIMM_CLASSES
    ]


def _known() -> list[str]:
    import timm

    return [*EMBEDDED, *torchvision_names(), *timm.list_models(), *(entry.name for entry in catalog())]


def _entry(name: str, source: Source, curated: bool = False) -> Entry:
    note = ""
    if source == "torchvision":
        weights = torchvision_weights(name)
        note = f"{weights.meta['num_params'] / 1e6:.1f} million parameters, {weights.meta['_file_size']:.0f} MB"
    elif source == "embedded":
        note = "comes with CamViz, no download"
    return Entry(name, CURATED.get(name, name.removeprefix("timm/")), source, curated, note)
