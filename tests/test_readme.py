"""The README says what is true."""

import re
import subprocess
import sys
from pathlib import Path

import camviz
from camviz.__main__ import methods_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_table_of_methods_is_the_generated_one() -> None:
    assert methods_table() in README, "run `python -m camviz methods` and put its output into the README"


def test_the_command_prints_the_table() -> None:
    command = [sys.executable, "-m", "camviz", "methods"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == methods_table()


def test_the_python_examples_run(monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    first, own, method_file = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    scope: dict[str, object] = {}
    exec(first, scope)
    assert scope["e"].label == "espresso" and scope["e"].attribution.shape == (7, 7)
    exec(own, scope)
    assert scope["model"].name == "mine" and scope["model"].categories[999] == "class 999"
    exec(method_file.replace("from ..", "from camviz."), {"__name__": "camviz.methods.energy_cam"})
    try:
        assert camviz.METHODS["energy_cam"].layer == "required"
    finally:
        del camviz.METHODS["energy_cam"]


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#\s]+)\)", README)
    assert links and all((Path(__file__).parents[1] / link).exists() for link in links)


def test_every_make_command_does_something() -> None:
    told = README + (ROOT / "deploy" / "README.md").read_text()
    targets = set(re.findall(r"(?:`|^)make (\w+)", told, re.MULTILINE))
    assert {"app", "test", "bench", "load", "fuzz"} <= targets
    for target in targets:
        done = subprocess.run(["make", "-n", target], capture_output=True, text=True, check=True, cwd=ROOT)
        assert "python" in done.stdout or "pytest" in done.stdout, target
