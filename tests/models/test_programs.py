"""TorchScript and torch.export: results equal the plain network, and unsupported methods are refused."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export

import camviz
from camviz import CamvizError
from camviz.models.checkpoints.weights import kind_of

SIZE = (40, 48)
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")


class Net(nn.Module):
    """A network with shifts and biases, so that a method which ignores them is wrong."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 5)
        with torch.no_grad():
            for tensor in (self.stem[1].running_mean, self.stem[1].bias):
                tensor.normal_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.stem(x)).mean((2, 3)))


def exported(net: nn.Module) -> Any:
    return export(net, (torch.rand(2, 3, *SIZE),), dynamic_shapes=({0: Dim("batch")},))


KINDS: dict[str, Callable[[nn.Module], Any]] = {
    "script": torch.jit.script,
    "trace": lambda net: torch.jit.trace(net, torch.rand(1, 3, *SIZE)),
    "export": exported,
}
REFUSED = {"concept_relevance", "deconvnet", "deep_lift", "deep_shap", "full_grad", "guided_backprop"}
REFUSED |= {"guided_grad_cam", "lrp", "relevance_cam"}


@pytest.fixture(scope="module")
def plain() -> camviz.Model:
    return camviz.load_model(Net(), input_size=SIZE)


@pytest.fixture(scope="module")
def plain_map(plain: camviz.Model, coffee: Path) -> Callable[..., np.ndarray]:
    """Return a function that explains class 1 by the plain network, once for each method."""

    @cache
    def explained(key: str, layer: str | None, **knobs: float) -> np.ndarray:
        return camviz.explain(plain, coffee, key, 1, layer, **knobs).attribution

    return explained


@pytest.fixture(scope="module", params=KINDS)
def compiled(request: pytest.FixtureRequest) -> camviz.Model:
    return camviz.load_model(KINDS[request.param](Net().eval()), input_size=SIZE, name=request.param)


@pytest.mark.parametrize("key", camviz.METHODS)
def test_methods_on_programs_equal_the_plain_network_or_are_refused(
    key: str, plain_map: Callable[..., np.ndarray], compiled: camviz.Model, coffee: Path
) -> None:
    method = camviz.METHODS[key]
    few = {"samples": 4, "steps": 4, "masks": 16}
    knobs = {name: few[name] for name in method.knobs if name in few}
    if method.layer == "required" and compiled.name != "export":
        with pytest.raises(
            CamvizError,
            match=f"has no layer of feature maps, as its layers are hidden in TorchScript, which {method.title}",
        ):
            camviz.explain(compiled, coffee, key, 1)
        return
    if key == "refine_cam" and compiled.name != "export":
        with pytest.raises(CamvizError, match=r"no layer of feature maps .* as its layers are hidden in TorchScript"):
            camviz.explain(compiled, coffee, key, 1)
        return
    layer = "body" if method.layer == "required" else None
    if key in REFUSED:
        with pytest.raises(CamvizError, match=r"this network is compiled .* so this method cannot follow"):
            camviz.explain(compiled, coffee, key, 1, layer)
        return
    if key == "cam":
        with pytest.raises(CamvizError, match="CAM needs a layer that is followed only by average pooling"):
            camviz.explain(compiled, coffee, key, 1, layer)
        return
    expected = plain_map(key, layer, **knobs)
    found = camviz.explain(compiled, coffee, key, 1, layer, **knobs).attribution
    assert np.abs(expected).max() > 0
    assert np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max()


def test_only_exported_programs_have_layers(compiled: camviz.Model) -> None:
    names = [layer.name for layer in compiled.layers]
    assert names == (
        ["stem.0", "stem.1", "stem.2", "stem", "body.0", "body.1", "body"] if compiled.name == "export" else []
    )


@pytest.mark.parametrize("kind", KINDS)
def test_programs_are_loaded_from_files(kind: str, plain: camviz.Model, coffee: Path, tmp_path: Path) -> None:
    file = tmp_path / ("net.pt2" if kind == "export" else "net.pt")
    made = KINDS[kind](Net().eval())
    torch.export.save(made, file) if kind == "export" else torch.jit.save(made, file)
    assert kind_of(file) == {"export": "torch.export"}.get(kind, "TorchScript")
    for given in (file, str(file)):
        model = camviz.load_model(given, input_size=None if kind == "export" else SIZE)
        assert (model.name, str(model.weights), model.input_size) == ("net", file.name, SIZE)
        assert model.weights == camviz.models.Weights("program", str(file))
        assert [one.probability for one in model.predict(coffee)] == pytest.approx(
            [one.probability for one in plain.predict(coffee)]
        )


def test_given_program_is_not_changed() -> None:
    given = torch.jit.script(Net())
    before = {key: value.clone() for key, value in given.state_dict().items()}
    model = camviz.load_model(given, input_size=SIZE)
    assert given.training and not model.net.training
    assert all(parameter.requires_grad for parameter in given.parameters())
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    for key, value in model.net.state_dict().items():
        assert torch.equal(value, before[key]) and value.data_ptr() != given.state_dict()[key].data_ptr()


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CamvizError, match="exported for batches of 2, and CamViz needs any: export it by"):
        camviz.load_model(export(Net().eval(), (torch.rand(2, 3, *SIZE),)))
    torch.save(Net().state_dict(), tmp_path / "state.pth")
    with pytest.raises(
        CamvizError, match=r"holds weights without a network: name the architecture .*'resnet18', weights="
    ):
        camviz.load_model(tmp_path / "state.pth")
    torch.jit.save(torch.jit.script(Net()), tmp_path / "program.pth")
    with pytest.raises(CamvizError, match=r"holds a program \(TorchScript\) and not a state dict: load it without"):
        camviz.load_model("resnet18", weights=tmp_path / "program.pth")
    with pytest.raises(CamvizError, match="there is no file"):
        camviz.load_model(tmp_path / "none.pt")
    (tmp_path / "broken.pt2").write_bytes((tmp_path / "program.pth").read_bytes()[:-200])
    with pytest.raises(CamvizError, match="holds weights without a network"):
        camviz.load_model(tmp_path / "broken.pt2")
