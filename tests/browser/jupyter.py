"""JupyterLab on a free port, with its own settings."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The dialog about news would cover the notebook.
WITHOUT_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def environment(home: Path) -> dict[str, str]:
    """Return the environment in which Jupyter keeps all that it writes in a folder."""
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TORCH_HOME")
    return {**os.environ, "PYTHONPATH": str(ROOT), **{name: str(home / name.lower()) for name in places}}


def trust(notebook: Path, home: Path) -> None:
    """Let JupyterLab show the widgets of a notebook that it has not run."""
    command = [sys.executable, "-m", "nbformat.sign", str(notebook)]
    subprocess.run(command, env=environment(home), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def jupyterlab(home: Path, notebooks: Path) -> Iterator[str]:
    """Start JupyterLab on a folder of notebooks; yield its address, whose path ends in /lab."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = home / "jupyter_config_dir" / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(WITHOUT_NEWS))
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={notebooks}"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
        f"--LabApp.workspaces_dir={home}",
    ]
    log = home / "jupyterlab.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment(home), stdout=file, stderr=file)
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}/api", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"JupyterLab ended at once:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not come up within a minute:\n{log.read_text()}")
