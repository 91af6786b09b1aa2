"""Weights files: downloaded completely or not at all, verified, and read without running code."""

import errno
import hashlib
import io
import os
import pickle
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
import torchvision.models as tv
from safetensors.torch import save, save_file
from torch import nn

import camviz
from camviz import models
from camviz.models import Weights, shared
from camviz.models.checkpoints import download
from camviz.models.checkpoints import weights as files


class Server(ThreadingHTTPServer):
    """Serve `content` by path; `announced` overrides the stated length."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.announced: dict[str, int | None] = {}
        self.requested: list[str] = []
        self.tokens: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        body = self.server.content.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        # As Hugging Face tells a file's digest and the commit that it is of.
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", "c" * 40)
        length = self.server.announced.get(self.path, len(body))
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.server.tokens.append(self.headers.get("Authorization"))
        with suppress(ConnectionError):  # the other side may cancel
            if self.command == "GET":
                self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def squeezenet(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    """SqueezeNet's weights, filled with a seed of their own, on the local server instead of pytorch.org."""
    torch.manual_seed(5)
    state = tv.squeezenet1_1(weights=None).state_dict()
    torch.save(state, tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    name = f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    server.content[f"/{name}"] = content
    monkeypatch.setattr(tv.SqueezeNet1_1_Weights.DEFAULT.value, "url", f"{server.url}/{name}")
    return name, state


def assert_equal(net: nn.Module, state: dict[str, torch.Tensor]) -> None:
    loaded = net.state_dict()
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_weights_are_downloaded_once_with_progress(server: Server, squeezenet: Any, folder: Path) -> None:
    name, state = squeezenet
    seen: list[tuple[int, int]] = []
    model = models.load_model("squeezenet1_1", progress=lambda done, total: seen.append((done, total)))
    assert_equal(model.net, state)
    assert (str(model.weights), model.title) == ("IMAGENET1K_V1", "SqueezeNet 1.1")
    size = len(server.content[f"/{name}"])
    assert seen[-1] == (size, size)
    assert {total for _, total in seen} == {size}
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[0][0] < size
    assert [file.name for file in folder.iterdir()] == [name]

    models.load_model("squeezenet1_1")
    assert server.requested == [f"/{name}"]


MOBILENET = "mobilenetv3_small_050.lamb_in1k"
MOBILENET_PATH = f"/timm/{MOBILENET}/resolve/main/model.safetensors"


def point_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the endpoint like HF_ENDPOINT, which huggingface_hub reads at import."""
    template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def mobilenet(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A timm network's weights on a local server instead of huggingface.co, and an empty cache for them."""
    torch.manual_seed(6)
    state = timm.create_model("mobilenetv3_small_050").state_dict()
    server.content[MOBILENET_PATH] = save(state)
    point_to(server.url, monkeypatch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    return state


def requests(server: Server) -> list[str]:
    return [path for path in server.requested if path.startswith("/timm/")]


def test_timm_weights_are_downloaded_from_hugging_face_once(server: Server, mobilenet: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    model = models.load_model(f"timm/{MOBILENET}", progress=lambda done, total: seen.append((done, total)))
    assert_equal(model.net, mobilenet)
    assert str(model.weights) == "lamb_in1k"
    size = len(server.content[MOBILENET_PATH])
    assert seen[-1] == (size, size)
    count = len(requests(server))
    assert set(requests(server)) == {MOBILENET_PATH}
    server.content.clear()
    assert_equal(models.load_model(f"timm/{MOBILENET}").net, mobilenet)
    assert len(requests(server)) == count  # no further request
    assert next((tmp_path / "hf").glob("models--timm--*/snapshots/*/model.safetensors")).stat().st_size == size


def test_pinned_revision_is_downloaded(server: Server, mobilenet: Any) -> None:
    path = f"/timm/{MOBILENET}/resolve/{'d' * 40}/model.safetensors"
    server.content[path] = server.content.pop(MOBILENET_PATH)
    found = download.from_hugging_face(f"timm/{MOBILENET}@{'d' * 40}", "model.safetensors", "x.safetensors")
    assert found.read_bytes() == server.content[path] and set(requests(server)) == {path}


def test_manually_placed_file_is_preferred(server: Server, mobilenet: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{MOBILENET}.safetensors").write_bytes(server.content.pop(MOBILENET_PATH))
    assert_equal(models.load_model(f"timm/{MOBILENET}").net, mobilenet)
    assert requests(server) == []


def test_canceled_hugging_face_download_can_be_repeated(
    mobilenet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr(download, "PAUSE", 0.0)

    def cancel(done: int, total: int) -> None:
        raise Cancel

    with pytest.raises(Cancel):
        models.load_model(f"timm/{MOBILENET}", progress=cancel)
    assert_equal(models.load_model(f"timm/{MOBILENET}").net, mobilenet)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("not there", "the server answered 404"),
        ("offline", "HF_HUB_OFFLINE is set"),
        ("refused", ".*refused"),
    ],
)
def test_failed_hugging_face_download_names_the_reason(
    fault: str, reason: str, server: Server, mobilenet: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content.clear()
    if fault == "offline":
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    elif fault == "refused":
        point_to("http://127.0.0.1:9", monkeypatch)
    started = time.monotonic()
    expected = (
        rf"the weights file {MOBILENET}.safetensors is missing and could not be downloaded \({reason}\): download it to"
    )
    with pytest.raises(camviz.CamvizError, match=expected) as refusal:
        models.load_model(f"timm/{MOBILENET}")
    assert str(folder) in str(refusal.value) and "\n" not in str(refusal.value)
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_hugging_face_environment_variables_are_used(server: Server, mobilenet: Any, tmp_path: Path) -> None:
    code = f"import camviz; print(camviz.load_model('timm/{MOBILENET}').weights)"
    variables = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_secret"}
    environment = {**os.environ, **variables, "TORCH_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "lamb_in1k\n"
    assert list((tmp_path / "home" / "hub").glob("models--timm--*")) and "Bearer hf_secret" in server.tokens


def test_interrupted_download_leaves_no_file(server: Server, squeezenet: Any, folder: Path) -> None:
    name, state = squeezenet
    size = len(server.content[f"/{name}"])
    server.announced[f"/{name}"] = size + 1000
    with pytest.raises(camviz.CamvizError, match=f"broke off after {size} of {size + 1000} bytes") as raised:
        models.load_model("squeezenet1_1")
    for part in (name, str(folder), "efficientnet_lite0", "weights='random'"):
        assert part in str(raised.value)
    assert list(folder.iterdir()) == []

    del server.announced[f"/{name}"]
    assert_equal(models.load_model("squeezenet1_1").net, state)


def test_download_without_content_length(server: Server, squeezenet: Any) -> None:
    name, state = squeezenet
    server.announced[f"/{name}"] = None
    seen: set[int] = set()
    assert_equal(models.load_model("squeezenet1_1", progress=lambda done, total: seen.add(total)).net, state)
    assert seen == {0}


def other_content(server: Server, name: str) -> None:
    server.content[f"/{name}"] = b"x" * 500_000


def not_there(server: Server, name: str) -> None:
    server.content.clear()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (other_content, r"could not be downloaded \(the downloaded file does not have the checksum"),
        (not_there, r"\(the server answered 404\)"),
    ],
)
def test_failed_download_leaves_no_file(
    server: Server, squeezenet: Any, folder: Path, change: Callable[[Server, str], None], sentence: str
) -> None:
    change(server, squeezenet[0])
    with pytest.raises(camviz.CamvizError, match=sentence):
        models.load_model("squeezenet1_1")
    assert list(folder.iterdir()) == []


def test_refused_connection_leaves_no_file(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(camviz.CamvizError, match=r"the weights file net.pth is missing .* refused"):
        download.cached(f"http://127.0.0.1:{port}/net.pth")
    assert list(folder.iterdir()) == []


class Cancel(BaseException):
    """Like Streamlit's exception that stops a script, not an Exception."""


def test_canceled_download_leaves_no_file(squeezenet: Any, folder: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done > total / 2:
            raise Cancel

    with pytest.raises(Cancel):
        models.load_model("squeezenet1_1", progress=cancel)
    assert list(folder.iterdir()) == []
    assert_equal(models.load_model("squeezenet1_1").net, squeezenet[1])


def test_threads_download_the_same_file_once(squeezenet: Any, folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: models.load_model("squeezenet1_1"), range(4)))
    for model in loaded:
        assert_equal(model.net, squeezenet[1])
    assert [file.name for file in folder.iterdir()] == [squeezenet[0]]


def zeros_at_the_end(content: bytes) -> bytes:
    """Return a file as a power failure leaves it: full length, zeros at the end."""
    return content[:-2_000_000] + bytes(2_000_000)


@pytest.mark.parametrize("damage", [lambda content: content[:200_000], zeros_at_the_end, lambda _: b""])
def test_damaged_file_is_downloaded_again(squeezenet: Any, server: Server, folder: Path, damage: Any) -> None:
    name, state = squeezenet
    whole = server.content.pop(f"/{name}")
    folder.mkdir(parents=True)
    (folder / name).write_bytes(damage(whole))
    with pytest.raises(
        camviz.CamvizError, match=rf"{name} is damaged and could not be downloaded \(the server answered"
    ):
        models.load_model("squeezenet1_1")
    assert [file.name for file in folder.iterdir()] == [name]
    server.content[f"/{name}"] = whole
    assert_equal(models.load_model("squeezenet1_1").net, state)
    assert (folder / name).read_bytes() == whole
    models.load_model("squeezenet1_1")
    assert server.requested == [f"/{name}"] * 2


@pytest.mark.parametrize("kind", ["net.safetensors", "net.bin"])
def test_truncated_file_without_checksum_is_downloaded_again(server: Server, folder: Path, kind: str) -> None:
    state = {"weight": torch.arange(50_000.0)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    whole = save(state) if kind == "net.safetensors" else buffer.getvalue()
    server.content[f"/{kind}"] = whole
    folder.mkdir(parents=True)
    for part in (0, 7, 1000, len(whole) - 1):
        (folder / kind).write_bytes(whole[:part])
        assert download.cached(f"{server.url}/{kind}").read_bytes() == whole
    assert len(server.requested) == 4
    download.cached(f"{server.url}/{kind}")
    assert len(server.requested) == 4


class FullDisk(io.FileIO):
    def write(self, data: Any) -> int:
        if self.tell() > 500_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_full_disk_leaves_no_partial_file(squeezenet: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(Path, "open", lambda path, mode: FullDisk(path, mode.strip("b")))
        with pytest.raises(camviz.CamvizError, match=r"could not be downloaded \(the disk is full\): download it to"):
            models.load_model("squeezenet1_1")
    assert list(folder.iterdir()) == []
    assert_equal(models.load_model("squeezenet1_1").net, squeezenet[1])


def test_former_densenet_names_are_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tv.densenet121(weights=None).state_dict()
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    folder.mkdir(parents=True)
    monkeypatch.setattr(tv.DenseNet121_Weights.DEFAULT.value, "url", "http://127.0.0.1/densenet121.pth")
    torch.save(old, folder / "densenet121.pth")
    assert_equal(models.load_model("densenet121").net, state)


# ----------------------------------------------------------------------------------------------- custom checkpoints


@pytest.fixture
def ten() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return tv.squeezenet1_1(num_classes=10).state_dict()


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_custom_checkpoint_is_loaded(ten: Any, tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    state = {prefix + key: value for key, value in ten.items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "birds.pth")
    model = models.load_model("squeezenet1_1", weights=tmp_path / "birds.pth")
    assert_equal(model.net, ten)
    assert (str(model.weights), len(model.categories), model.categories[9]) == ("birds.pth", 10, "class 9")


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "mnasnet0_5", "timm/starnet_s1"])
def test_safetensors_with_other_classes_are_loaded(name: str, tmp_path: Path) -> None:
    torch.manual_seed(8)
    net = timm.create_model(name[5:], num_classes=3) if name.startswith("timm/") else tv.get_model(name, num_classes=3)
    save_file(net.state_dict(), tmp_path / "birds.safetensors")
    model = models.load_model(name, weights=str(tmp_path / "birds.safetensors"), categories=["wren", "robin", "tit"])
    assert_equal(model.net, net.state_dict())
    assert model.categories == ("wren", "robin", "tit")


def test_auxiliary_heads_of_googlenet_are_left_out(tmp_path: Path) -> None:
    net = tv.googlenet(num_classes=5, aux_logits=True, init_weights=False)
    torch.save(net.state_dict(), tmp_path / "own.pth")
    model = models.load_model("googlenet", weights=tmp_path / "own.pth")
    assert len(model.categories) == 5
    assert_equal(model.net, {key: value for key, value in net.state_dict().items() if not key.startswith("aux")})


def test_state_dict_is_copied_and_checked(ten: Any) -> None:
    model = models.load_model("squeezenet1_1", weights=ten)
    assert_equal(model.net, ten)
    assert (str(model.weights), len(model.categories)) == ("custom", 10)
    assert model.net.state_dict()["features.0.bias"].data_ptr() != ten["features.0.bias"].data_ptr()
    with pytest.raises(camviz.CamvizError, match=r"the state dict does not fit resnet18: it has no 'conv1.weight'"):
        models.load_model("resnet18", weights=ten)
    for wrong in ({}, {"epoch": 3}):
        with pytest.raises(camviz.CamvizError, match="weights hold no tensors"):
            models.load_model("resnet18", weights=wrong)


def test_checkpoint_is_loaded_into_a_copy_of_a_given_network(tmp_path: Path) -> None:
    def build(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    torch.save(build(1).state_dict(), tmp_path / "own.pt")
    given = build(2)
    model = models.load_model(given, weights=tmp_path / "own.pt", input_size=(16, 16))
    assert_equal(model.net, dict(build(1).state_dict()))
    assert_equal(given, dict(build(2).state_dict()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"features.0.bias": None},
            r"does not fit squeezenet1_1: it has no 'features.0.bias'; "
            r"squeezenet1_1 is still the closest in the catalog \(51 of 52 tensors match\)\n",
        ),
        ({"extra.weight": torch.zeros(1), "z": torch.zeros(1)}, r"squeezenet1_1 has no 'extra.weight' \(and 1 more\)"),
        ({"features.0.bias": torch.zeros(3)}, r"'features.0.bias' has the shape \(3,\) instead of \(64,\)"),
    ],
)
def test_checkpoint_that_does_not_fit_is_refused(
    ten: Any, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    state = {key: value for key, value in (dict(ten) | change).items() if value is not None}
    torch.save(state, tmp_path / "own.pth")
    with pytest.raises(camviz.CamvizError, match=sentence):
        models.load_model("squeezenet1_1", weights=tmp_path / "own.pth")


class Payload:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Payload(tmp_path / "touched"), protocol=2))
    with pytest.raises(camviz.CamvizError, match="holds more than tensors"):
        models.load_model("squeezenet1_1", weights=tmp_path / "evil.pth")
    torch.save(Payload(tmp_path / "touched"), tmp_path / "evil.pth")
    with pytest.raises(camviz.CamvizError, match="holds more than tensors"):
        models.load_model("squeezenet1_1", weights=tmp_path / "evil.pth")
    assert not (tmp_path / "touched").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_damaged_content_is_read_or_refused(kind: str) -> None:
    """Changed, removed or repeated bytes give tensors or a CamvizError."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Linear(2, 2))
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer, _use_new_zipfile_serialization=kind == "zip")
    whole = save(net.state_dict()) if kind == "safetensors" else buffer.getvalue()
    rng, refused = random.Random(0), 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            start = rng.randrange(len(content))
            if rng.random() < 0.7:
                content[start] = rng.randrange(256)
            else:
                content[start : start + rng.randint(1, 200)] = bytes(rng.randrange(256) for _ in range(5))
        try:
            assert all(isinstance(value, torch.Tensor) for value in files.read(bytes(content), "own.pth").values())
        except camviz.CamvizError as error:
            refused += 1
            assert "own.pth" in str(error)
    assert 30 < refused < 300


@pytest.mark.parametrize("content", [{"epoch": 3}, {}, [torch.zeros(1)], torch.zeros(1)])
def test_file_without_a_state_dict_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "own.pth")
    with pytest.raises(camviz.CamvizError, match=r"own\.pth holds no state dict"):
        models.load_model("squeezenet1_1", weights=tmp_path / "own.pth")


# ---------------------------------------------------------------------------------------------------- shared models


@pytest.fixture
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.shared, "_slots", type(shared._slots)())


@pytest.mark.usefixtures("empty_registry")
def test_shared_model_is_loaded_once(squeezenet: Any, server: Server) -> None:
    with ThreadPoolExecutor(6) as pool:
        loaded = set(pool.map(lambda _: models.shared_model("squeezenet1_1"), range(6)))
    assert len(loaded) == 1
    assert len(server.requested) == 1
    assert models.shared_model("squeezenet1_1", weights="random") not in loaded


@pytest.mark.usefixtures("empty_registry")
def test_shared_models_keep_the_last_six(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def load(name: str, **settings: Any) -> str:
        built.append(name)
        return f"{name}, number {len(built)}"

    monkeypatch.setattr(models.shared, "load_model", load)
    for name in "abcdef":
        models.shared_model(name)
    assert models.shared_model("a") == "a, number 1"
    models.shared_model("g")
    assert models.shared_model("a") == "a, number 1"
    assert models.shared_model("b") == "b, number 8"
    assert built == list("abcdefgb")


@pytest.mark.usefixtures("empty_registry")
def test_shared_model_is_reloaded_if_its_file_changes(ten: Any, tmp_path: Path) -> None:
    torch.save(ten, tmp_path / "own.pth")
    first = models.shared_model("squeezenet1_1", tmp_path / "own.pth")
    assert models.shared_model("squeezenet1_1", str(tmp_path / "own.pth")) is first
    torch.save({key: value + 1 for key, value in ten.items()}, tmp_path / "own.pth")
    assert models.shared_model("squeezenet1_1", tmp_path / "own.pth") is not first


@pytest.mark.usefixtures("empty_registry")
def test_failed_load_can_be_repeated(squeezenet: Any, server: Server) -> None:
    content = server.content.copy()
    server.content.clear()
    with pytest.raises(camviz.CamvizError, match="404"):
        models.shared_model("squeezenet1_1")
    server.content.update(content)
    assert_equal(models.shared_model("squeezenet1_1").net, squeezenet[1])


@pytest.mark.usefixtures("empty_registry")
def test_waiting_for_a_shared_load_can_be_canceled(squeezenet: Any, folder: Path) -> None:
    waiting = threading.Event()
    reports: list[tuple[int, int]] = []

    def slow(done: int, total: int) -> None:
        waiting.wait(timeout=10)

    def impatient(done: int, total: int) -> None:
        reports.append((done, total))
        if done:
            raise Cancel

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(models.shared_model, "squeezenet1_1", progress=slow)
        try:
            while not shared._slots or not next(iter(shared._slots.values())).seen[1]:
                assert not loading.done()
            with pytest.raises(Cancel):
                models.shared_model("squeezenet1_1", progress=impatient)
        finally:
            waiting.set()
        assert_equal(loading.result().net, squeezenet[1])
    assert reports[-1][1] > reports[-1][0] > 0  # the numbers of the one who loads


@pytest.mark.parametrize(
    ("weights", "text", "argument"),
    [
        (Weights("default", "IMAGENET1K_V1"), "IMAGENET1K_V1", "default"),
        (Weights("default", "a1.in1k"), "a1.in1k", "default"),
        (Weights("random"), "random", "random"),
        (Weights("file", "runs/birds.pth"), "birds.pth", "runs/birds.pth"),
        (Weights("file", "checkpoint"), "checkpoint", "checkpoint"),
        (Weights("file", "default"), "default", "./default"),
        (Weights("file", "custom 1a2b3c4d"), "custom 1a2b3c4d", "./custom 1a2b3c4d"),
        (Weights("program", "runs/net.pt"), "net.pt", "default"),
        (Weights("custom", "1a2b3c4d"), "custom 1a2b3c4d", "custom 1a2b3c4d"),
        (Weights("custom"), "custom", "custom"),
    ],
)
def test_weights_are_written_and_parsed(weights: Weights, text: str, argument: str) -> None:
    assert (str(weights), weights.argument) == (text, argument)
    assert weights.is_custom == (weights.kind == "custom") and weights.is_random == (weights.kind == "random")
    parsed = Weights.parse(argument)
    assert parsed.kind == ("default" if weights.kind == "program" else weights.kind)
    assert hash(weights) == hash(Weights(weights.kind, weights.name))


def test_weights_of_a_network_given_as_an_object_are_custom(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    torch.save(net.state_dict(), tmp_path / "net.pth")
    for weights in ("default", tmp_path / "net.pth", net.state_dict()):
        assert models.load_model(net, weights=weights).weights == Weights("custom")
