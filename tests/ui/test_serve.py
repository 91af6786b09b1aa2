"""camviz.serve: a real server in a script's process, started from another folder; refused arguments."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from torch import nn

import camviz
from camviz import CamvizError
from camviz.ui.server import web_server

ROOT = Path(__file__).parents[2]

NET = """
import gc, pickle, socket, sys, threading, urllib.request
import torch
from torch import nn
import camviz
from camviz import models

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))

def answers(server):
    with urllib.request.urlopen(server.url + "/_stcore/health", timeout=20) as answer:
        return answer.read() == b"ok"

net = Net()
settings = dict(input_size=(32, 32), categories=["cat", "dog"], port=0)
"""

RESTART = """
before = {key: value.clone() for key, value in net.state_dict().items()}
hooks = [len(m._forward_hooks) + len(m._backward_hooks) for m in net.modules()]
server = camviz.serve(net, name="first", block=False, **settings)
assert server.running and answers(server) and server.url.startswith("http://localhost:"), server
assert models.default_model_name() == "first" and models.shared_model("first").categories == ("cat", "dog")
again = camviz.serve(Net(), name="second", block=False, **settings)
assert again is server
assert [entry.name for entry in models.offered_models()[:2]] == ["first", "second"], models.offered_models()[:2]

# A visitor's run takes the place of __main__, and gives it back.
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(str(camviz.runtime.installation.APP), default_timeout=120).run()
assert not app.exception and app.session_state["experiment"].model.name == "first"
assert type(pickle.loads(pickle.dumps(net))) is Net
assert gc.get_freeze_count() == 0  # the script's own objects are still collected

assert net.training and all(p.requires_grad and p.grad is None for p in net.parameters())
assert hooks == [len(m._forward_hooks) + len(m._backward_hooks) for m in net.modules()]
assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
with torch.no_grad():
    net.head.bias += 1
assert not torch.equal(models.shared_model("first").net.head.bias, net.head.bias)
old = str(models.shared_model("first").weights)
camviz.serve(net, name="first", block=False, **settings)
assert str(models.shared_model("first").weights) != old

server.stop()
assert not server.running and models.default_model_name() == "efficientnet_lite0"
assert "camviz" not in [thread.name for thread in threading.enumerate()]
port = int(server.url.rpartition(":")[2])
after = camviz.serve(net, block=False, **(settings | dict(port=port)))
assert after is not server and after.url == server.url and answers(after)
after.stop()
print("finished")
"""

EVENT_LOOP = """
import asyncio
async def cell():
    server = camviz.serve(net, **settings)  # block=None: a running loop is somebody's notebook
    assert answers(server)
    assert server._repr_html_() == f'<p><a href="{server.url}" target="_blank">{server.url}</a></p>'
    server.stop()
    assert "stopped" in server._repr_html_()
asyncio.run(cell())
print("finished")
"""


def command(code: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    (folder / "script.py").write_text(NET + code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(display, None)
    return [sys.executable, "script.py"], environment


def listen() -> None:
    """Handle Ctrl-C, which a shell ignores for background processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("code", [RESTART, EVENT_LOOP], ids=["restart", "event loop"])
def test_serve_in_a_script_and_in_an_event_loop(code: str, tmp_path: Path) -> None:
    run, environment = command(code, tmp_path)
    ended = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.endswith("finished\n")
    assert "CamViz shows " in ended.stdout


def test_script_waits_until_ctrl_c(tmp_path: Path) -> None:
    run, environment = command("camviz.serve(net, **settings)\nprint('ended')", tmp_path)
    with subprocess.Popen(
        run, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listen
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            assert process.stdout.readline() == "Ctrl-C ends it.\n"
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=20) as answer:
                assert answer.read() == b"ok"
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "ended\n"), err[-2000:]


def test_wrong_arguments_of_serve_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(CamvizError, match="has 2 classes; got 1 categories"):
        camviz.serve(net, input_size=(16, 16), categories=["cat"])
    model = camviz.load_model(net, input_size=(16, 16))
    with pytest.raises(CamvizError, match="says itself how it sees an image; give these settings to load_model"):
        camviz.serve(model, categories=["cat", "dog"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CamvizError, match=f"127.0.0.1, port {port} is not free for a server"):
            camviz.serve(model, port=port)
    with pytest.raises(CamvizError, match="port must be a whole number of 0 to 65535; got 70000"):
        camviz.serve(model, port=70000)
    monkeypatch.setattr(web_server, "APP", tmp_path / "app.py")
    with pytest.raises(CamvizError, match=r"app\.py is missing: install CamViz again"):
        camviz.serve(model)


def test_only_serve_imports_streamlit() -> None:
    code = "import sys, camviz; assert 'streamlit' not in sys.modules; camviz.serve; assert 'streamlit' in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)
    with pytest.raises(AttributeError, match="module 'camviz' has no attribute 'server'"):
        _ = camviz.server  # type: ignore[attr-defined]


WITH_MODEL = """
import json, sys
import torch
import camviz
from camviz.cli import serve as command

net = camviz.load_model("squeezenet1_1", weights="random").net
net.classifier[1] = torch.nn.Conv2d(512, 2, 1)
torch.save(net.state_dict(), "birds.pth")
open("names.txt", "w").write("finch\\nwren\\n")

from camviz.__main__ import main
from camviz.ui.server.web_server import WebServer

def look(server):
    model = camviz.models.shared_model(camviz.models.default_model_name())
    print(model.name, model.categories, answers(server))
    server.stop()

WebServer.wait, WebServer.warm, command.ENVIRONMENT = look, lambda server: None, {"PATH": ""}
main("serve birds.pth --architecture squeezenet1_1 --classes names.txt --no-browser --port 0".split())
"""


def test_command_serves_a_model_from_a_file(tmp_path: Path) -> None:
    run, environment = command(WITH_MODEL, tmp_path)
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = done.stdout.splitlines()
    assert first.startswith("CamViz shows birds at http://localhost:")
    assert second == "birds ('finch', 'wren') True"
