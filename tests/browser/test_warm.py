"""The warm-up visit that loads the first page at server start."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from camviz.ui.server import warm

SCRIPT = Path(warm.__file__)


def memory(process: int) -> int:
    """Resident memory in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024


def test_warm_up_loads_torch_and_the_model(started: tuple[str, int]) -> None:
    server, process = started
    done = subprocess.run([sys.executable, "-I", SCRIPT, server], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert memory(process) > 300  # PyTorch and a network are there; without them it is some 100


def test_warm_up_reports_a_failing_page() -> None:
    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/_stcore/script-health-check"
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b"error")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Failing) as server:
        Thread(target=server.handle_request).start()
        assert warm.warm(f"http://127.0.0.1:{server.server_port}") == "503 error"


def test_warm_up_reports_a_server_that_never_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "LONGEST_START", 0.3)
    assert "refused" in warm.warm("http://127.0.0.1:9")
