"""Run the Python examples of the documentation, those of one page in one namespace."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from camviz.evaluation.registry import METRICS
from camviz.registry import METHODS
from camviz.teaching.record_pages import record_pages

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
ELSEWHERE = {"models.md", "how-to/extend.md"}  # in tests/test_readme.py
PAGES = {
    page.relative_to(ROOT / "docs").as_posix(): page.read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").rglob("*.md"))
}
GENERATED = record_pages(ROOT / "docs" / "reference" / "samples")


@pytest.mark.parametrize(
    "page", [name for name, text in PAGES.items() if EXAMPLE.search(text) and name not in ELSEWHERE]
)
def test_examples_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"__name__": "page"}
    for example in EXAMPLE.findall(PAGES[page]):
        exec(example, scope)


@pytest.mark.parametrize("page", ["methods/layer_cam.md", "methods/vanilla_backprop.md", "metrics/sparseness.md"])
def test_example_of_a_generated_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = EXAMPLE.findall(GENERATED[page])
    scope: dict[str, Any] = {"__name__": "page"}
    exec(example, scope)
    assert scope["e"].label == "koala"


def test_every_generated_example_compiles() -> None:
    examples = {page: EXAMPLE.findall(text) for page, text in GENERATED.items()}
    for found in examples.values():
        for example in found:
            compile(example, "page", "exec")
    keys = {f"methods/{key}.md" for key in METHODS} | {f"metrics/{key}.md" for key in METRICS if key != "pointing_game"}
    assert {page for page, found in examples.items() if found} >= keys


def test_first_tutorial_states_the_right_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    scope: dict[str, Any] = {"__name__": "page"}
    exec("\n".join(EXAMPLE.findall(PAGES["tutorials/first-map.md"])[:1]), scope)
    assert scope["e"].attribution.shape == (7, 7) and scope["e"].layer == "bn2" and scope["e"].label == "koala"
    torch.testing.assert_close(scope["e"].heatmap.max(), scope["e"].heatmap.dtype.type(1))
