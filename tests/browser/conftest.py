"""The dashboard on a free port."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The dashboard's address and its process ID."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    log = (home / "streamlit.log").open("w")
    command = [sys.executable, "-m", "tests.browser.dashboard", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TORCH_HOME": str(home)}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(url, process, home / "streamlit.log")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server(started: tuple[str, int]) -> str:
    """The dashboard's address; results of earlier tests are still there."""
    return started[0]


@pytest.fixture
def forgetful_server(started: tuple[str, int]) -> str:
    """The dashboard's address, without results of earlier tests: for buttons that only unfinished work shows."""
    os.kill(started[1], signal.SIGUSR1)
    return started[0]


@pytest.fixture(scope="session")
def server_process(started: tuple[str, int]) -> int:
    return started[1]


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended at once:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the dashboard did not come up within a minute")
