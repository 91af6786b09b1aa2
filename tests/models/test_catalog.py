"""The catalogue of models by name, and random weights."""

import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants

import camviz
from camviz import models
from camviz.models.catalog import EMBEDDED, source_of
from camviz.models.checkpoints import download

CURATED = [
    *("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "alexnet", "vgg16", "resnet18", "resnet50"),
    *("densenet121", "googlenet", "inception_v3", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_large"),
    *("efficientnet_b0", "convnext_tiny"),
]


def test_catalog_is_ordered_by_source() -> None:
    entries = models.catalog()
    assert [entry.name for entry in entries if entry.curated] == CURATED == [entry.name for entry in entries[:15]]
    assert [entry.source for entry in entries[:4]] == ["embedded", "embedded", "embedded", "torchvision"]
    sources = [entry.source for entry in entries]
    assert sources == sorted(sources, key=["embedded", "torchvision", "timm"].index)
    assert len({entry.name for entry in entries}) == len(entries)
    assert entries[0].title == "EfficientNet-Lite0"
    assert next(entry for entry in entries if entry.name == "resnet18").note == "11.7 million parameters, 45 MB"


def test_the_catalog_holds_cnns_only() -> None:
    names = [entry.name for entry in models.catalog()]
    assert {"resnet101", "regnet_y_400mf", "timm/resnet50.a1_in1k", "timm/convnext_tiny.in12k_ft_in1k"} < set(names)
    starts = ("vit", "swin", "maxvit", "maxxvit", "deit", "beit", "mixer", "levit", "pvt", "coatnet", "caformer", "eva")
    assert not [name for name in names if name.removeprefix("timm/").startswith(starts)]
    assert not [name for name in names if "hybrid" in name or name.endswith((".openai", ".clip_laion2b"))]
    assert sum(name.startswith("timm/") for name in names) > 600


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("efficientnet_lite0", ("embedded", "efficientnet_lite0")),  # timm has one of that name too
        ("timm/efficientnet_lite0", ("timm", "efficientnet_lite0")),
        ("resnet50", ("torchvision", "resnet50")),
        ("torchvision/resnet50", ("torchvision", "resnet50")),
        ("timm/resnet50.a1_in1k", ("timm", "resnet50.a1_in1k")),
        ("resnet26", ("timm", "resnet26")),
        ("vit_b_16", ("torchvision", "vit_b_16")),
    ],
)
def test_names_lead_to_their_source(name: str, source: tuple[str, str]) -> None:
    assert source_of(name) == source


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet51", "model 'resnet51' is not in the catalog; did you mean 'resnet5"),
        ("efficientnet-lite0", "did you mean 'efficientnet_lite0'"),
        ("timm/resnet50.nonsense", "did you mean 'timm/resnet50"),
        ("../secret", "'../secret' is not in the catalog"),
        ("torchvision/resnet26", "'torchvision/resnet26' is not in the catalog"),
        ("timm/vit_small_patch14_dinov2", "ends in features, not in class scores"),
    ],
)
def test_unknown_names_are_refused_with_a_suggestion(name: str, sentence: str) -> None:
    with pytest.raises(camviz.CamvizError, match=sentence):
        models.load_model(name)


def test_timm_network_with_other_classes() -> None:
    model = models.load_model("timm/mobilenetv3_large_100.miil_in21k", weights="random")
    assert len(model.categories) == 11221
    assert model.categories[11220] == "class 11220"
    assert (model.name, str(model.weights)) == ("timm/mobilenetv3_large_100.miil_in21k", "random")


def parameters(model: models.Model) -> list[torch.Tensor]:
    return list(model.net.state_dict().values())


def test_random_weights_are_reproducible_and_marked() -> None:
    first = models.load_model("resnet18", weights="random")
    torch.manual_seed(12345)
    second = models.load_model("resnet18", weights="random")
    assert all(torch.equal(a, b) for a, b in zip(parameters(first), parameters(second), strict=True))
    assert (str(first.weights), first.title, first.name) == ("random", "ResNet18 (untrained)", "resnet18")
    # He initialization over the fan-out: 64 channels of 7 x 7.
    assert first.net.get_submodule("conv1").weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 49)), rel=0.03)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "shufflenet_v2_x0_5", "timm/starnet_s1"])
def test_loading_does_not_change_random_generators(name: str) -> None:
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    models.load_model(name, weights="random")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # type: ignore[index]


def test_random_weights_are_reproducible_under_threads() -> None:
    expected = parameters(models.load_model("squeezenet1_1", weights="random"))
    stop = threading.Event()

    def draw_random_numbers() -> None:
        while not stop.is_set():
            torch.rand(1000)

    noise = threading.Thread(target=draw_random_numbers)
    noise.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            built = list(pool.map(lambda _: models.load_model("squeezenet1_1", weights="random"), range(4)))
    finally:
        stop.set()
        noise.join()
    for model in built:
        assert all(torch.equal(a, b) for a, b in zip(expected, parameters(model), strict=True))


def test_local_models_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    real = download.try_to_load_from_cache
    monkeypatch.setattr(download, "try_to_load_from_cache", partial(real, cache_dir=tmp_path / "hf"))
    offline = {*EMBEDDED, "mobilenet_v2"}  # whose weights the Makefile installs
    assert models.local_models() == offline
    files = tmp_path / "hub" / "checkpoints"
    files.mkdir(parents=True)
    for name in ("resnet18-f37072fd.pth", "resnet18-f37072fd.pth.123.part", "resnet50.a1_in1k.safetensors", "x.pth"):
        (files / name).touch()
    for repository, name in (("timm/vgg11.tv_in1k", "model.safetensors"), ("timm/vgg13.tv_in1k", "config.json")):
        folder = tmp_path / "hf" / f"models--{repository.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True)
        (folder / "snapshots" / "abc" / name).touch()
    assert models.local_models() == {*offline, "resnet18", "timm/resnet50.a1_in1k", "timm/vgg11.tv_in1k"}
