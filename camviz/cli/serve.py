"""`camviz serve`: the dashboard, with the networks of the catalog or with a given one."""

import argparse
import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..errors import CamvizError

if TYPE_CHECKING:
    from ..ui.server.web_server import WebServer

HELP = "Starts the dashboard and opens it in a browser. With a file of weights it shows that network first."

# glibc reads these when a process starts. It then keeps freed memory for the next batch, in one pool for all threads.
ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_TOP_PAD_": "536870912",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("model", type=Path, nargs="?", help="weights (.pth, .pt, .safetensors, ...), or a TorchScript or .pt2 file")
    add("--architecture", help="the network of the catalog that the weights are for, such as resnet18")
    add("--classes", type=Path, help="the class names of the model: a file with one name per line, JSON, CSV or YAML")
    add("--name", help="the name of the model in the dashboard; default: the name of its file")
    add("--host", default="127.0.0.1", help="default: this machine only; 0.0.0.0: all devices that can reach it")
    add("--port", type=int, help="default: 8501, or any free one; 0: any free one")
    add("--no-browser", action="store_false", dest="browser", help="do not open a browser")
    add("--config", type=Path, help="a TOML file with models to offer, like the variable CAMVIZ_CONFIG")
    add("--lessons", type=Path, help="a folder of your own lessons for Learn, like the variable CAMVIZ_LESSONS")


def run(given: argparse.Namespace) -> NoReturn:
    """Serve until Ctrl-C, and end the process. Raises CamvizError for wrong input."""
    if given.config is not None:
        if not given.config.is_file():
            raise CamvizError("there is no file {file}: give --config the path of a TOML file", file=given.config)
        os.environ["CAMVIZ_CONFIG"] = str(given.config.absolute())
    if given.lessons is not None:
        if not given.lessons.is_dir():
            raise CamvizError("there is no folder {folder}: give --lessons the path of a folder", folder=given.lessons)
        os.environ["CAMVIZ_LESSONS"] = str(given.lessons.absolute())
    for option in ("architecture", "classes", "name"):
        if given.model is None and (value := vars(given)[option]):
            raise CamvizError(
                "--{option} needs a model, as in camviz serve model.pth --{option} {value}", option=option, value=value
            )
    if platform.libc_ver()[0] == "glibc" and not ENVIRONMENT.keys() & os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | ENVIRONMENT)
    server = _of_the_catalog(given) if given.model is None else _with_model(given)
    if server.network_url:
        print(f"For other devices on this network: {server.network_url}")
    server.warm()
    server.wait()
    sys.stdout.flush()
    # A normal exit would wait for the computations of visitors, and can abort in threads of PyTorch.
    os._exit(0)


def _of_the_catalog(given: argparse.Namespace) -> "WebServer":
    """Return a running server; it answers before it loads PyTorch."""
    web_server = import_module("camviz.ui.server.web_server")  # imports Streamlit, which --help must not wait for
    server: WebServer = web_server.WebServer(given.host, web_server.checked_place(given.host, given.port))
    server.start()
    print(f"CamViz is at {server.url}", flush=True)
    if given.browser:
        server.open_browser()
    return server


def _with_model(given: argparse.Namespace) -> "WebServer":
    """Return a running server that shows the model of a file."""
    load_model, serve = (getattr(import_module("camviz"), name) for name in ("load_model", "serve"))
    source, weights = (given.architecture, given.model) if given.architecture else (given.model, "default")
    model = load_model(source, weights=weights, categories=given.classes, name=given.name or given.model.stem)
    server: WebServer = serve(model, host=given.host, port=given.port, browser=given.browser, block=False)
    return server
