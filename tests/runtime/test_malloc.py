"""Environment variables of the server's start let the C library keep freed memory; the package does not set them."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from camviz.cli import serve

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource
import threading
import torch

def faults():  # pages that the system brings for tensors that live at the same time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.zeros(2**20) for _ in range(40)]  # 160 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def work():
    faults()
    print(min(faults() for _ in range(5)))

torch.set_num_threads(1)
thread = threading.Thread(target=work)  # Streamlit runs a page in a thread
thread.start()
thread.join()
"""


def settings(file):
    return dict(re.findall(r"\b(MALLOC_\w+)=(\d+)", (ROOT / file).read_text()))


def test_makefile_image_and_command_use_the_same_settings():
    command = {name: value for name, value in serve.ENVIRONMENT.items() if name.startswith("MALLOC_")}
    assert settings("Makefile") == settings("Dockerfile") == command
    assert settings("Makefile").keys() == {
        *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_")
    }


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do not read these variables")
def test_malloc_settings_prevent_page_faults():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=environment | settings("Makefile"),
    )
    assert int(done.stdout) < 100  # of 40,000


def test_package_does_not_call_the_c_library():
    assert not [file for file in ROOT.glob("camviz/**/*.py") if re.search(r"mallopt|ctypes", file.read_text())]
