"""Two replicas of the dashboard as in the container image, and a new nginx for each test."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import program
from tests.deploy.replicas import Nginx, Replica, installed

BROKEN = 'import streamlit as st\n\nraise ValueError("a secret of the server")\n'


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    program("nginx")  # before the replicas start in vain
    app = installed(tmp_path_factory.mktemp("app"))
    (app / "pages" / "_inspect.py").write_text(BROKEN)
    started = [Replica(app, tmp_path_factory.mktemp("home")) for _ in "ab"]
    try:
        for replica in started:
            replica.wait()
        yield started
    finally:
        for replica in started:
            replica.stop()


@pytest.fixture
def nginx(replicas: list[Replica], tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path, *(replica.port for replica in replicas))
    try:
        yield server
    finally:
        server.stop()
        for _ in range(100):  # the next test starts without visitors
            if not any(replica.visitors() for replica in replicas if replica.process.poll() is None):
                break
            time.sleep(0.05)
