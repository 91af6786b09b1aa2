"""Checkpoints of training scripts: the network's tensors are loaded, or an error names the remedy."""

import argparse
import gzip
import json
import pathlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import camviz

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return tv.squeezenet1_1(num_classes=3).state_dict()


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def changed(state: State) -> State:
    return {key: value + 1 for key, value in state.items()}


SETTINGS = {"args": argparse.Namespace(lr=0.1, out=pathlib.Path("runs")), "best": np.float64(3), "step": np.int64(1)}
FORMS: dict[str, Callable[[State], dict[str, Any]]] = {
    "beside a number": lambda s: {"net": s, "acc": 90},
    "beside averaged weights": lambda s: {
        "ema": changed(s),
        "model_state": s,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
    },
    "averaged weights alone": lambda s: {"epoch": 1, "state_dict_ema": s},
    "beside a loss and a teacher": lambda s: {
        "state_dict": {**under("teacher.", changed(s)), **under("model.", s), "criterion.weight": torch.ones(3)},
        **SETTINGS,
    },
    "deep": lambda s: {"checkpoint": {"experiment": {"weights": s, "epoch": 7}}},
    "SWA": lambda s: {"n_averaged": torch.tensor(3), **under("module.", s)},
    "DataParallel on a part": lambda s: {key.replace("features.", "features.module."): v for key, v in s.items()},
    "compiled part": lambda s: {key.replace("features.3.", "features.3._orig_mod."): v for key, v in s.items()},
    "FSDP": lambda s: {key.replace("features.4.", "features.4._fsdp_wrapped_module."): v for key, v in s.items()},
    "checkpointed": lambda s: {
        key.replace("features.4.", "features.4._checkpoint_wrapped_module."): v for key, v in s.items()
    },
    "several prefixes": lambda s: under("module.model._orig_mod.net.", s),
    "a loss inside": lambda s: {**s, "loss_fn.pos_weight": torch.ones(3)},
    "the same twice": lambda s: {"last": s, "best": {key: value.clone() for key, value in s.items()}},
    "other precision": lambda s: {"model": {key: value.double() for key, value in s.items()}},
}


@pytest.mark.parametrize("form", FORMS)
def test_tensors_are_found_in_every_form_of_checkpoint(form: str, state: State, tmp_path: Path) -> None:
    given = FORMS[form](state)
    torch.save(given, tmp_path / "own.pth.tar")
    for weights in (given, tmp_path / "own.pth.tar"):
        net = camviz.load_model("squeezenet1_1", weights=weights).net
        assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())


def test_two_fitting_state_dicts_are_refused(state: State) -> None:
    with pytest.raises(camviz.CamvizError, match="several state dicts that fit the network equally well, under 'a' "):
        camviz.load_model("squeezenet1_1", weights={"a": state, "b": changed(state)})  # type: ignore[dict-item]


def test_unknown_layers_are_refused(state: State) -> None:
    with pytest.raises(camviz.CamvizError, match=r"squeezenet1_1 has no 'gate\.weight'"):
        camviz.load_model("squeezenet1_1", weights={**state, "gate.weight": torch.zeros(2, 2)})


IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
HEADS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "fc.1": ("resnet18", lambda net: setattr(net, "fc", nn.Sequential(nn.Dropout(), nn.Linear(512, 4)))),
    "classifier": ("mobilenet_v2", lambda net: setattr(net, "classifier", nn.Linear(1280, 4))),
    "classifier.1.1": (
        "mobilenet_v2",
        lambda net: net.classifier.__setitem__(1, nn.Sequential(nn.Dropout(), nn.Linear(1280, 4))),
    ),
    "weight norm": ("resnet18", lambda net: weight_norm(net.fc)),
    "weight norm of a convolution": ("resnet18", lambda net: parametrizations.weight_norm(net.conv1)),
    "spectral norm": ("resnet18", lambda net: spectral_norm(net.fc)),
    "new spectral norm": ("resnet18", lambda net: parametrizations.spectral_norm(net.conv1)),
    "pruned": ("resnet18", lambda net: prune.l1_unstructured(net.fc, "weight", 0.5)),
}


@pytest.mark.parametrize("kind", HEADS)
def test_changed_heads_and_reparametrizations_give_equal_outputs(kind: str) -> None:
    name, change = HEADS[kind]
    torch.manual_seed(2)
    net = getattr(tv, name)(num_classes=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        change(net)
    net.eval()
    loaded = camviz.load_model(name, weights=under("model.", net.state_dict())).net
    with torch.no_grad():
        torch.testing.assert_close(loaded(IMAGES), net(IMAGES), rtol=1e-5, atol=1e-5)


def test_error_for_a_deeper_head_names_the_remedy() -> None:
    net = tv.resnet18()
    net.fc = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 4))  # type: ignore[assignment]
    with pytest.raises(camviz.CamvizError) as caught:
        camviz.load_model("resnet18", weights=net.state_dict())
    assert "net.fc = nn.Sequential(nn.Linear(512, 64), ..., nn.Linear(64, 4))" in str(caught.value)
    loaded = camviz.load_model(net, weights=under("module.", net.state_dict())).net
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES), net.eval()(IMAGES))


@pytest.mark.parametrize("suffix", [".ckpt", ".bin", ".safetensors", ".pth.tar"])
def test_weights_file_without_architecture_is_refused(suffix: str, state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / f"own{suffix}")
    with pytest.raises(camviz.CamvizError, match="holds weights without a network: name the architecture"):
        camviz.load_model(str(tmp_path / f"own{suffix}"))


def test_compressed_file_is_refused(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "own.pth")
    (tmp_path / "own.pth.gz").write_bytes(gzip.compress((tmp_path / "own.pth").read_bytes()[:1000]))
    with pytest.raises(camviz.CamvizError, match=r"own\.pth\.gz is a gzip archive: unpack it"):
        camviz.load_model("squeezenet1_1", weights=tmp_path / "own.pth.gz")


def test_nested_references_are_read_once() -> None:
    value: dict[str, Any] = {"w": torch.zeros(1)}
    for _ in range(7):
        value = {str(number): value for number in range(50)}
    value["again"] = value
    with pytest.raises(camviz.CamvizError):
        camviz.load_model("squeezenet1_1", weights=value)


@pytest.mark.parametrize("prefix", ["", "model.", "module.net."])
def test_prefixes_are_matched_with_the_network_s_names(prefix: str) -> None:
    def net() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    state = net().state_dict()
    loaded = camviz.load_model(nn.Sequential(net()), weights=under(prefix, state), input_size=(16, 16)).net.state_dict()
    assert all(torch.equal(loaded[f"0.{key}"], value) for key, value in state.items())


def test_checkpoint_in_several_files_is_loaded_by_its_index(tmp_path: Path, state: State) -> None:
    """An index loads all its files; other files raise an error that names the index."""
    names = sorted(state)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, held in files.items():
        save_file({name: state[name] for name in held} | {"extra": torch.zeros(1)}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    places = {name: file for file, held in files.items() for name in held}
    index.write_text(json.dumps({"metadata": {"total_size": 7}, "weight_map": places}))
    loaded = camviz.load_model("squeezenet1_1", weights=index).net.state_dict()
    assert loaded.keys() == state.keys() and all(torch.equal(loaded[name], state[name]) for name in state)

    def refusal(weights: Path, content: object = None) -> str:
        if content is not None:
            weights.write_text(json.dumps(content))
        with pytest.raises(camviz.CamvizError) as raised:
            camviz.load_model("squeezenet1_1", weights=weights)
        return str(raised.value)

    other, first = tmp_path / "other.index.json", next(iter(files))
    assert f"one of 2 weights files of a network: give their index, {index.name}" in refusal(tmp_path / first)
    assert "expected JSON with a 'weight_map'" in refusal(other, [places])
    assert "names the file ../x.bin: expected files in its own folder" in refusal(
        other, {"weight_map": {"a": "../x.bin"}}
    )
    assert "of which 1 are missing (x.bin)" in refusal(other, {"weight_map": {"a": first, "b": "x.bin"}})
    assert f"the weights file {first} has no 'a'" in refusal(other, {"weight_map": {"a": first}})
