"""An extension package adds a method, a metric and models; a broken one is named in the error."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from camviz import CamvizError
from camviz.models import offers
from camviz.runtime import extensions

ROOT = Path(__file__).parents[1]

METHODS = '''
from camviz import CamvizError
from camviz.registry import method
from camviz.tape import record


@method("Energy", family="control", paper="https://example.org/energy", class_specific=False)
def energy_cam(net, x, score, layer):
    """Where the layer is active at all, whatever the class.

    map[b,h,w] = sum_c A[b,c,h,w]^2
    """
    activation, _ = record(net, x, score, layer)
    return activation.square().sum(dim=1)
'''

METRICS = '''
from camviz.evaluation.registry import metric


@metric("Largest value", better="high", cost=0, paper="https://example.org/energy", limitation="A toy.")
def largest_value(attribution):
    """The largest value of the map."""
    return attribution.max().item()
'''

MODELS = """
import torch
import camviz
from torch import nn


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def birds():
    return camviz.load_model(net(), input_size=(32, 32), categories=["finch", "wren"])
"""

PROGRAM = """
import sys
import camviz
from camviz import models
from camviz.evaluation.registry import METRICS
from camviz.runtime.installation import APP, SAMPLES

assert list(camviz.METHODS)[-1] == "energy_cam" and list(METRICS)[-1] == "largest_value"
model, bare = camviz.load_model("birds"), camviz.load_model("bare", input_size=(16, 16))
assert model.categories == ("finch", "wren") and (model.name, bare.name, bare.input_size) == ("birds", "bare", (16, 16))
explanation = camviz.explain(model, SAMPLES / "coffee.jpg", "energy_cam", layer="0")
activation = model.net[0](model.preprocess(SAMPLES / "coffee.jpg"))
assert abs(explanation.attribution - activation.square().sum(1)[0].numpy()).max() < 1e-5
assert float(camviz.measure(explanation, "largest_value")) == explanation.attribution.max()
assert [entry.name for entry in models.offered_models()[:3]] == ["bare", "birds", "efficientnet_lite0"]
try:
    camviz.load_model("birds", weights="random")
except camviz.CamvizError as error:
    assert "birds is a loaded model of another package" in str(error)

from streamlit.testing.v1 import AppTest
app = AppTest.from_file(str(APP), default_timeout=120)
app.query_params["model"], app.query_params["method"] = "birds", "energy_cam"
app.run()
assert not app.exception
assert "Energy" in app.selectbox(key="method").options and app.session_state["method"] == "energy_cam"
assert app.session_state["experiment"].model.categories == ("finch", "wren")
print("finished")
"""


def install(folder: Path, name: str, entries: str, **modules: str) -> None:
    """Write an installed package: its modules, and its metadata with the entry points."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entries)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)


def test_package_adds_a_method_a_metric_and_models(tmp_path: Path) -> None:
    entries = (
        "[camviz.methods]\nenergy = energy_methods\n[camviz.metrics]\nlargest = energy_metrics\n"
        "[camviz.models]\nbirds = energy_models:birds\nbare = energy_models:net\n"
    )
    install(tmp_path, "energy-maps", entries, energy_methods=METHODS, energy_metrics=METRICS, energy_models=MODELS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    run = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "finished\n"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import a_package_that_is_missing", "which fails: ModuleNotFoundError: No module named 'a_package_that_is_m"),
        (
            "from camviz import CamvizError\nraise CamvizError('{n} knobs', n=3)",
            "which fails: CamvizError: 3 knobs;",
        ),
        ("def energy_cam(net, x, score, layer): ...", "which adds nothing: its functions lack the decorator @method"),
    ],
    ids=["import", "error", "empty"],
)
def test_broken_package_is_named(source: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken-maps", "[camviz.methods]\nall = broken_maps\n", broken_maps=source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_maps", raising=False)
    message = rf"the package broken-maps 1\.2 extends CamViz by broken_maps \(camviz\.methods\), {fault}"
    with pytest.raises(CamvizError, match=message):
        extensions.load_into({}, extensions.METHODS)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("birds", "os:sep", "offers the model 'birds', which names no function"),
        ("resnet18", "os:getcwd", "offers the model 'resnet18', which is a name of the catalog"),
        ("birds", "os:getcwd", "offers the model 'birds', but returns no camviz.Model and no nn.Module; got str"),
        ("birds", "os:abort_", "which fails: AttributeError"),
    ],
    ids=["no function", "name", "no model", "missing"],
)
def test_broken_model_is_named(name: str, value: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = EntryPoint(name, value, extensions.MODELS)
    monkeypatch.setattr(extensions, "found", lambda group: (one,))
    offers.packaged_models.cache_clear()
    with pytest.raises(CamvizError, match=rf"the package {value} .*{fault}"):
        offers.packaged_models()[name].make()
    offers.packaged_models.cache_clear()
