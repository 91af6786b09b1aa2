"""Two replicas of the dashboard with the public configuration, and the real nginx in front of them."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.chromium import program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
AROUND = """worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
{temporary}
access_log {folder}/access.log;
include {folder}/camviz.conf;
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed(root: Path) -> Path:
    """Copy the dashboard into a folder by the COPY lines of the Dockerfile."""
    copied = re.findall(r"^COPY (.+) (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for sources, target in copied:
        place = root / target
        for source in sources.split():
            path = ROOT / source
            if path.is_dir():
                shutil.copytree(path, place, ignore=shutil.ignore_patterns("__pycache__"))
                continue
            file = place / path.name if target.endswith("/") else place
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, file)
    return root


def filled(template: str, values: dict[str, str]) -> str:
    """Fill a template as envsubst of the nginx image does."""
    return re.sub(r"\$\{(CAMVIZ_\w+)\}", lambda found: values[found[1]], template)


class Replica:
    """One server, started as in the container image except for its port and address."""

    def __init__(self, app: Path, home: Path) -> None:
        self.port = free_port()
        self.app, self.home, self.log = app, home, home / "log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")},
            **dict.fromkeys(("HOME", "TMPDIR", "TORCH_HOME"), str(home)),
            "CAMVIZ_CONFIG": str(app / "deploy" / "camviz.toml"),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", "app.py"),
                    *(f"--server.port={self.port}", "--server.address=127.0.0.1"),
                ],
                cwd=app,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        url = f"http://127.0.0.1:{self.port}/_stcore/health"
        for _ in range(300):
            assert self.process.poll() is None, self.log.read_text()
            try:
                urllib.request.urlopen(url, timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def visitors(self) -> int:
        """Return the number of open websockets that the server reports."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/metrics", timeout=10) as answer:
            found = re.search(r"^active_sessions (\d+)", answer.read().decode(), re.MULTILINE)
        return int(found[1]) if found else 0

    def files(self) -> set[Path]:
        """Return all files of its folders: the dashboard, its home, temporary files and weights."""
        return {path for folder in (self.app, self.home) for path in folder.rglob("*") if path.is_file()}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Nginx:
    """A running nginx with deploy/nginx.conf."""

    def __init__(self, folder: Path, a: int, b: int) -> None:
        nginx = program("nginx")
        self.folder, self.port = folder, free_port()
        values = {
            "CAMVIZ_HOST": "127.0.0.1 camviz.example.org",
            "CAMVIZ_LISTEN": f"127.0.0.1:{self.port}",
            "CAMVIZ_TRUSTED": "192.0.2.1",
            "CAMVIZ_RESOLVER": "127.0.0.1",
            "CAMVIZ_A": f"127.0.0.1:{a}",
            "CAMVIZ_B": f"127.0.0.1:{b}",
        }
        (folder / "camviz.conf").write_text(filled((DEPLOY / "nginx.conf").read_text(), values))
        temporary = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, temporary=temporary))
        self._command = [nginx, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        self.checked = subprocess.run([*self._command, "-t"], capture_output=True, text=True)
        assert self.checked.returncode == 0, self.checked.stderr
        self.process = subprocess.Popen([*self._command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(self.errors)

    @property
    def errors(self) -> str:
        return (self.folder / "error.log").read_text()

    @property
    def used_a_disk(self) -> bool:
        """Return whether nginx wrote a temporary file, or tried to."""
        return re.search(rf"{self.folder}/({'|'.join(TEMPORARY)})/", self.errors) is not None

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
