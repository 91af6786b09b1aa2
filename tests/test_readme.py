"""Examples, links and commands of README.md and of the other pages."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import camviz

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTEND = (ROOT / "docs" / "how-to" / "extend.md").read_text(encoding="utf-8")
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    ROOT / "deploy" / "README.md",
    ROOT / "assets/lessons/README.md",
]
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # the changelog names removed files too


def test_readme_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first, own = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    scope: dict[str, object] = {}
    exec(first, scope)
    assert scope["e"].label == "espresso" and scope["e"].attribution.shape == (7, 7)
    exec(own, scope)
    assert scope["model"].name == "mine" and scope["model"].categories[999] == "class 999"


def test_examples_of_custom_models_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    scope: dict[str, Any] = {"__name__": "models"}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(example, scope)
    assert scope["model"].categories == scope["named"].categories == ("cat", "dog", "fox")
    image = torch.rand(3, 64, 64)
    x = scope["trained"].preprocess(image)
    assert torch.equal(scope["trained"].net(x), scope["net"].eval()(x))
    (age,) = scope["age"].predict(image)
    assert (age.label, age.unit) == ("age", "years") and age.value == scope["age"].net(x).item()
    both = {one.label: one.probability for one in scope["both"].predict(image)}
    assert both["sick"] + both["normal"] == pytest.approx(1)
    assert len(scope["fine"].predict(image, k=9)) == len(scope["fixed"].predict(image, k=9)) == 3


def test_configuration_example_offers_its_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    net = camviz.load_model("resnet18", weights="random").net
    net.fc = torch.nn.Linear(512, 1)
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "age.safetensors")
    (tmp_path / "camviz.toml").write_text(table, encoding="utf-8")
    monkeypatch.setenv("CAMVIZ_CONFIG", str(tmp_path / "camviz.toml"))
    assert camviz.models.operator_config().faults == ()
    model = camviz.models.operator_config().offers["age"].load("cpu", None)
    (answer,) = model.predict(torch.rand(3, 64, 64))
    assert (model.head, model.has_probabilities, answer.unit) == ("none", False, "years")


def test_example_of_a_new_method_is_registered() -> None:
    (method_file,) = re.findall(r"```python\n(.*?)```", EXTEND, re.DOTALL)
    exec(method_file.replace("from ..", "from camviz."), {"__name__": "camviz.methods.energy_cam"})
    try:
        assert camviz.METHODS["energy_cam"].layer == "required"
    finally:
        del camviz.METHODS["energy_cam"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_linked_file_exists(page: Path) -> None:
    words = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!http|mailto)([^)#\s]+)", words)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_backticks_exists(page: Path) -> None:
    named = re.findall(r"`((?:camviz|tests|pages|docs|deploy|assets)/[\w./-]+)`", page.read_text(encoding="utf-8"))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


def test_every_make_command_exists() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    targets = set(re.findall(r"(?:`|^)make (\w+)", text, re.MULTILINE))
    assert {"app", "check", "test", "format", "docs", "site", "bench", "load", "fuzz"} <= targets
    for target in targets:
        done = subprocess.run(["make", "-n", target], capture_output=True, text=True, check=True, cwd=ROOT)
        assert ".venv" in done.stdout or "awk" in done.stdout, target


def test_make_help_lists_every_command() -> None:
    shown = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"^make (\w+)", shown, re.MULTILINE)) == set(phony.split()) - {"debian"}
