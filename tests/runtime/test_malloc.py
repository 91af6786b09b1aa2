"""What a computation frees stays with the process while its passes go on, and not for longer."""

import platform
import subprocess
import sys

import pytest

from camviz.runtime import malloc

PROGRAM = """
import resource
import torch
from camviz.runtime.malloc import kept_memory

def pages():  # that the system had to bring for one round of tensors that live at the same time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.zeros(2**20) for _ in range(40)]  # 160 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
pages()
with kept_memory():
    pages()
    print(min(pages() for _ in range(5)))
"""
GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")


@GLIBC
def test_within_it_no_page_is_fetched_twice():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100  # of 40,000


@GLIBC
def test_it_is_told_once_and_taken_back_once(monkeypatch):
    told = []
    monkeypatch.setattr(malloc, "_tell", told.append)
    with malloc.kept_memory(), malloc.kept_memory():
        assert told == [malloc.WITHIN]
    assert told == [malloc.WITHIN, malloc.USUAL]
    with pytest.raises(ZeroDivisionError), malloc.kept_memory():
        raise ZeroDivisionError
    assert told == [malloc.WITHIN, malloc.USUAL] * 2


def test_other_libraries_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(malloc, "_tell", lambda settings: pytest.fail("nothing is told"))
    with malloc.kept_memory():
        pass
