"""What a computation frees stays with the process while its passes go on, and not for longer."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
from camviz.heap import kept_memory

def pages():  # that the system had to bring for one round of tensors that live at the same time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.zeros(2**20) for _ in range(40)]  # 160 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
pages()
outside = [pages() for _ in range(3)]
with kept_memory():
    pages()
    within = [pages() for _ in range(3)]
after = [pages() for _ in range(3)]
print(min(outside), max(within), after[-1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_within_it_no_page_is_fetched_twice():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    outside, within, after = map(int, done.stdout.split())
    assert outside > 10_000 and after > 10_000 and within < 100
