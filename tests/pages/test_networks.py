"""Uploaded models: private and limited in number; the operator's models."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
import torchvision.models as tv
from streamlit.testing.v1 import AppTest
from torch import nn

import camviz
from camviz import models
from camviz.models import offers
from camviz.training import to_file, train_head
from camviz.ui.server import holdings
from camviz.ui.session.markdown import escaped

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
Start = Callable[..., AppTest]
NAMES = b"wren\nrobin\n<b>tit</b>"


@pytest.fixture(autouse=True)
def _no_offered_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "_offers", {})
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: None))  # AppTest has a mock there


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def birds(seed: int = 0) -> bytes:
    torch.manual_seed(seed)
    return saved(tv.squeezenet1_1(num_classes=3).state_dict())


def upload_model(app: AppTest, content: bytes, file: str = "birds.pth", names: bytes | None = None) -> AppTest:
    app.selectbox(key="own_architecture").set_value("squeezenet1_1")
    number = app.session_state["_brought"]
    app.file_uploader(key=f"own_weights{number}").set_value((file, content, "application/octet-stream"))
    if names is not None:
        app.file_uploader(key=f"own_names{number}").set_value(("names.txt", names, "text/plain"))
    app.run()
    return app.button(key="own_use").click().run()


def shown_model(app: AppTest) -> camviz.Model:
    assert not app.exception
    model: camviz.Model = app.session_state["experiment"].model
    return model


def test_file_of_the_page_train_names_architecture_and_classes(start: Start, lite0) -> None:
    samples = {name: SAMPLES / f"{name}.jpg" for name in ("cat", "koala", "panda", "macaw", "rocket", "coffee")}
    trained = train_head(lite0, {"fur": list(samples.values())[:3], "other": list(samples.values())[3:]}).model
    app = upload_model(start(), to_file(trained, "efficientnet_lite0"), "zoo.safetensors")  # with SqueezeNet chosen
    model = shown_model(app)
    assert (model.categories, model.layers) == (("fur", "other"), trained.layers)
    assert app.session_state["experiment"].predictions == trained.predict(samples["coffee"])


def test_uploaded_model_is_explained_and_removed(start: Start) -> None:
    app = upload_model(start(), birds(), names=NAMES)
    model = shown_model(app)
    assert (model.name, model.categories) == ("birds (yours)", ("wren", "robin", "<b>tit</b>"))
    assert model.weights.is_custom
    state = torch.load(io.BytesIO(birds()))
    assert all(torch.equal(value.cpu(), state[key]) for key, value in model.net.state_dict().items())
    key = app.selectbox(key="model").value
    assert key.startswith("custom:") and app.query_params["model"] == key
    assert app.session_state["_brought"] == 1  # new, empty uploaders
    assert not [error.value for error in app.error]
    # Select another model, and the uploaded one again.
    app.selectbox(key="model").set_value("efficientnet_lite0").run()
    assert shown_model(app).name == "efficientnet_lite0"
    assert "own_remove" not in [button.key for button in app.button]
    app.selectbox(key="model").set_value(key).run()
    assert shown_model(app) is model
    app.button(key="own_remove").click().run()
    assert shown_model(app).name == "efficientnet_lite0" and "model" not in app.query_params and not app.warning
    assert "birds (yours)" not in app.selectbox(key="model").options


def test_uploaded_model_is_private(start: Start) -> None:
    key = upload_model(start(), birds()).selectbox(key="model").value
    other = start(model=key)
    assert shown_model(other).name == "efficientnet_lite0"
    assert key not in other.selectbox(key="model").options
    assert [warning.value for warning in other.warning] == [
        "This link refers to a private model that is not stored here. Upload the model to see the same result."
    ]
    upload_model(other, birds())  # the same content is the same network, and the same link
    assert other.selectbox(key="model").value == key


def test_last_four_models_of_a_visitor_are_kept(start: Start) -> None:
    app = start()
    for seed in range(5):
        upload_model(app, birds(seed), f"birds{seed}.pth")
        app.run()
    titles = [title for title in app.selectbox(key="model").options if "(yours)" in title]
    assert titles == [f"birds{seed} (yours)" for seed in range(1, 5)]


def test_dropped_model_shows_a_message(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(value.nbytes for value in torch.load(io.BytesIO(birds())).values())
    monkeypatch.setitem(holdings.MAX_BYTES, "network", 2 * size)
    app, other = start(), start()
    first = upload_model(app, birds(0)).selectbox(key="model").value
    for seed in (1, 2):
        upload_model(other, birds(seed), f"birds{seed}.pth")
    assert first in app.session_state["model"]
    app.run()
    assert shown_model(app).name == "efficientnet_lite0" and "model" not in app.query_params
    assert [note.value for note in app.warning] == ["Your model is no longer stored here. Upload it again."]
    assert not app.run().warning
    assert shown_model(other.run()).name == "birds2 (yours)"
    assert [title for title in other.selectbox(key="model").options if "(yours)" in title] == [
        "birds1 (yours)",
        "birds2 (yours)",
    ]


class Payload:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def compressed(content: bytes) -> bytes:
    """Compress the zeros of an archive: a small zip bomb."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return packed.getvalue()


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_hostile_uploads_are_refused(start: Start, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    program = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Conv2d(3, 1, 1)), program)
    zeros = saved({key: torch.zeros_like(value) for key, value in torch.load(io.BytesIO(birds())).items()})
    app = start()
    for content, names, sentence in [
        (pickle.dumps(Payload(touched), protocol=2), None, "and CamViz runs no code of a file"),
        (saved(Payload(touched)), None, "and CamViz runs no code of a file"),
        (program.getvalue(), None, "holds a program (TorchScript), which could do anything"),
        (compressed(zeros), None, "cannot be used"),
        (birds()[:-3000], None, "cannot be used"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{", None, "cannot be used"),
        (b"hello", None, "birds.pth cannot be used: it is damaged"),
        (saved({"epoch": 3}), None, "holds no state dict"),
        (birds(), b"wren\nrobin", "has 3 classes; got 2 categories"),
        (birds(), b"\xff", "class names: the file is no text in UTF-8"),
    ]:
        upload_model(app, content, names=names)
        assert any(escaped(sentence) in error.value for error in app.error), (sentence, [e.value for e in app.error])
        assert shown_model(app).name == "efficientnet_lite0"
    assert not touched.exists() and not [title for title in app.selectbox(key="model").options if "yours" in title]


def test_uploaded_models_are_not_written_to_disk(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = start()
    content = birds()
    opened = io.open
    written: list[Any] = []

    def watched(file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if set(mode) & set("wax+"):
            written.append(file)
        return opened(file, mode, *arguments, **more)

    monkeypatch.setattr("builtins.open", watched)
    monkeypatch.setattr(io, "open", watched)
    upload_model(app, content, names=NAMES)
    assert shown_model(app).name == "birds (yours)"
    assert written == []


@pytest.mark.parametrize(("uploads", "there"), [("true", True), ("false", False)])
def test_operator_enables_or_disables_uploads(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uploads: str, there: bool
) -> None:
    (tmp_path / "camviz.toml").write_text(f"uploads = {uploads}\n")
    monkeypatch.setenv("CAMVIZ_CONFIG", str(tmp_path / "camviz.toml"))
    # Also for a remote visitor: the file decides.
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: "203.0.113.5"))
    assert ("own_architecture" in [box.key for box in start().selectbox]) == there


@pytest.mark.parametrize(
    ("address", "headers", "there"),
    [
        (None, {}, True),
        ("203.0.113.5", {}, False),
        (None, {"X-Forwarded-For": "203.0.113.5"}, False),  # through a proxy on this machine
        (None, {"x-real-ip": "203.0.113.5"}, False),
    ],
)
def test_without_configuration_only_local_visitors_upload(
    start: Start, monkeypatch: pytest.MonkeyPatch, address: str | None, headers: dict[str, str], there: bool
) -> None:
    monkeypatch.delenv("CAMVIZ_CONFIG", raising=False)
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: address))
    monkeypatch.setattr(type(st.context), "headers", property(lambda self: headers))
    app = start()
    assert not app.exception
    assert ("own_architecture" in [box.key for box in app.selectbox]) == there


def test_networks_of_the_operator_are_offered(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "birds.pth").write_bytes(birds())
    file = tmp_path / "camviz.toml"
    file.write_text('[[model]]\nname = "birds"\narchitecture = "squeezenet1_1"\nweights = "birds.pth"\n')
    monkeypatch.setenv("CAMVIZ_CONFIG", str(file))
    app = start(model="birds")
    assert shown_model(app).name == "birds" and len(shown_model(app).categories) == 3
    assert app.toggle(key="untrained").disabled
    file.write_text("[[model]]\nname = 'broken'\n")
    app.run()
    assert shown_model(app).name == "efficientnet_lite0"
    assert any("Not available: " in note.value and "model 1 'broken': it needs" in note.value for note in app.warning)
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: "203.0.113.5"))
    app.run()
    assert not any("broken" in note.value for note in app.warning)  # paths are not for strangers


def test_registered_network_is_the_default(start: Start) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    models.register(camviz.load_model(net, input_size=(28, 28), name="mine", head="sigmoid", categories=list("abc")))
    app = start()
    assert shown_model(app).name == "mine" == app.selectbox(key="model").value
    assert app.selectbox(key="model").options[0] == "mine"
    assert not app.query_params  # the default needs no word in the link
    assert "Each class has its own probability, so the probabilities need not sum to 1." in [
        c.value for c in app.caption
    ]
    assert not app.error


def test_models_of_the_same_name_keep_their_preprocessing(start: Start) -> None:
    for size in (28, 40):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        models.register(camviz.load_model(net, input_size=(size, size), name="mine"))
        assert start().session_state["experiment"].view.shape == (size, size, 3)


def test_pages_work_with_other_input_channels(start: Start) -> None:
    for channels in (1, 4):
        net = nn.Sequential(
            nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        )
        named = {4: ("red", "green", "blue", "black")}.get(channels)
        models.register(camviz.load_model(net, input_size=(28, 28), name="mine", input_channels=named))
        for page in ("", "pages/compare.py", "pages/_inspect.py", "pages/evaluate.py"):
            app = start(page)
            assert shown_model(app).name == "mine"
            made = ["Images are synthesized in red, green and blue, but mine takes "]
            assert all(any(error.value.startswith(known) for known in made) for error in app.error)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_compiled_model_names_the_reason_for_missing_layers(start: Start) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    models.register(camviz.load_model(torch.jit.script(net), input_size=(28, 28), name="program"))
    app = start()
    assert shown_model(app).name == "program"
    assert [error.value for error in app.error] == [
        "Program has no layer of feature maps, as its layers are hidden in TorchScript, which Grad-CAM needs: use a "
        "method without a layer, such as occlusion."
    ]
    assert "TorchScript hides the layers of this model" in app.info[0].value
    app = start(method="lrp")
    assert app.error[0].value.startswith("This network is compiled (TorchScript or torch.export), so this method")
    assert not start(method="vanilla_backprop").error
