"""The error for a checkpoint that does not fit: its tensors, their number, and the closest architecture."""

import time
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision.models as tv
from torch import nn

import camviz
from camviz.models.catalog import EMBEDDED, timm_architectures, torchvision_names
from camviz.models.checkpoints import closest_architecture as searching
from camviz.models.checkpoints.closest_architecture import (
    ClosestArchitecture,
    WithoutWeights,
    closest_architecture,
    shapes_of,
)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "densenet121",
        "regnet_y_400mf",
        "convnext_tiny",
        "googlenet",
        "timm/resnet50d",
        "timm/regnety_002",
        "efficientnet_lite0",
    ],
)
def test_shapes_without_weights_equal_those_of_the_network(name: str) -> None:
    model = camviz.load_model(name, weights="random")
    expected = {k: tuple(v.shape) for k, v in model.net.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert shapes_of(name) == expected


def test_without_weights_allocates_and_draws_nothing() -> None:
    before = torch.random.get_rng_state()
    with WithoutWeights():
        net = tv.vgg16(weights=None)
    assert all(parameter.is_meta for parameter in net.parameters())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.empty(1).is_meta


def gray(state: dict[str, torch.Tensor], first: str) -> dict[str, torch.Tensor]:
    return state | {first: state[first][:, :1]}


def test_architecture_is_found_for_other_classes_and_channels() -> None:
    for name, net, first in (
        ("resnet34", tv.resnet34(num_classes=7), "conv1.weight"),
        ("wide_resnet50_2", tv.wide_resnet50_2(num_classes=2), "conv1.weight"),
        ("timm/starnet_s2", timm.create_model("starnet_s2", num_classes=5), "stem.0.conv.weight"),
    ):
        found = closest_architecture(gray(net.state_dict(), first), "alexnet")
        assert found is not None
        assert (found.name, found.share, found.matching) == (name, 1, len(shapes_of(name)))


def test_matching_tensors_are_counted() -> None:
    """resnet18's tensors are 102 of resnet34's 182 (without counters), of the same shapes."""
    state = tv.resnet18().state_dict()
    assert searching._compare(
        "resnet34", {k: tuple(v.shape) for k, v in state.items() if "num_b" not in k}
    ) == ClosestArchitecture("resnet34", 102, 182)


def test_no_similar_architecture_gives_none() -> None:
    assert closest_architecture({"encoder.weight": torch.zeros(3, 3)}, "resnet18") is None


def load_error(name: str, state: dict[str, Any], tmp_path: Path) -> str:
    torch.save(state, tmp_path / "own.pth")
    with pytest.raises(camviz.CamvizError) as caught:
        camviz.load_model(name, weights=tmp_path / "own.pth")
    return str(caught.value)


def test_error_names_tensors_and_the_closest_architecture(tmp_path: Path) -> None:
    sentence = load_error("resnet18", tv.resnet34(num_classes=7).state_dict(), tmp_path)
    assert sentence == (
        "the weights file own.pth does not fit resnet18: resnet18 has no 'layer1.2.conv1.weight' (and 95 more); "
        "the closest in the catalog is resnet34, which it fits"
    )
    state = dict(tv.resnet18().state_dict())
    del state["layer1.0.conv1.weight"], state["bn1.bias"]
    state |= {"extra": torch.zeros(1), "layer1.0.bn1.bias": torch.zeros(3)}
    assert load_error("resnet18", state, tmp_path) == (
        "the weights file own.pth does not fit resnet18: it has no 'bn1.bias' (and 1 more); resnet18 has no 'extra'; "
        "'layer1.0.bn1.bias' has the shape (3,) instead of (64,); resnet18 is still the closest in the catalog "
        "(99 of 103 tensors match)"
    )
    assert load_error("resnet18", {"w": torch.zeros(2)}, tmp_path).endswith("; no network of the catalog is similar")


@pytest.mark.parametrize("wrapper", ["model.", "net.backbone.", "_orig_mod.", "module.model."])
def test_common_prefixes_are_removed(wrapper: str, tmp_path: Path) -> None:
    state = tv.squeezenet1_1(num_classes=3).state_dict()
    torch.save({"state_dict": {wrapper + key: value for key, value in state.items()}}, tmp_path / "own.ckpt")
    model = camviz.load_model("squeezenet1_1", weights=tmp_path / "own.ckpt")
    assert all(torch.equal(value, state[key]) for key, value in model.net.state_dict().items())


def test_prefix_of_the_network_itself_is_kept(tmp_path: Path) -> None:
    net = nn.ModuleDict({"model": nn.Linear(2, 2)})
    from camviz.models.checkpoints.selection import select

    assert list(select(net.state_dict(), net)) == ["model.weight", "model.bias"]


def test_stored_sketches_equal_the_catalog() -> None:
    names = [*EMBEDDED, *torchvision_names(), *(f"timm/{name}" for name, _ in timm_architectures())]
    assert list(searching.sketches()) == names
    for name in ("efficientnet_lite1", "resnet34", "googlenet", "timm/starnet_s2", "timm/regnety_002"):
        assert searching.sketches()[name] == searching.sketch(shapes_of(name))


def test_search_takes_less_than_5_seconds() -> None:
    states = (tv.regnet_x_400mf().state_dict(), {"encoder.weight": torch.zeros(3, 3)})
    shapes_of.cache_clear()
    started = time.perf_counter()
    for state in states:
        closest_architecture(state, "resnet18")
    assert time.perf_counter() - started < 5
