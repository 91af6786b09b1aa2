"""The notebooks of docs/notebooks/ run, print the results that their text names, and are small."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.notebooks.run import NOTEBOOKS, run_notebooks

VIEW = "application/vnd.jupyter.widget-view+json"
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOMEPAGE = PROJECT["urls"]["Homepage"]
NAME = HOMEPAGE.partition("github.com/")[2]
BADGES = (
    f"https://colab.research.google.com/github/{NAME}/blob/main/docs/notebooks/{{name}}.ipynb",
    f"https://mybinder.org/v2/gh/{NAME}/main?labpath=docs/notebooks/{{name}}.ipynb",
)


@pytest.fixture(scope="module")
def run() -> Mapping[str, NotebookNode]:
    return {path.stem: notebook for path, notebook in run_notebooks()}


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def text(notebook: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in outputs(notebook))


def widgets(notebook: NotebookNode) -> int:
    return sum(VIEW in output.get("data", {}) for output in outputs(notebook))


def number(pattern: str, printed: str) -> float:
    found = re.search(pattern, printed)
    assert found is not None, f"{pattern} is not in:\n{printed}"
    return float(found[1])


def test_first_maps_notebook(run: Mapping[str, NotebookNode]) -> None:
    printed = text(run["first_maps"])
    assert number(r"koala +([\d.]+)%", printed) == pytest.approx(93.4, abs=0.2)
    assert "(7, 7) (224, 224)" in printed and "in row 3, column 5 of layer bn2" in printed
    assert "(3, 224, 224) 11 forward passes" in printed and "the same map again: True" in printed
    assert widgets(run["first_maps"]) == 5


def test_own_network_notebook(run: Mapping[str, NotebookNode]) -> None:
    printed = text(run["own_network"])
    assert number(r"of the same kind: (\d+)%", printed) == 100
    marked, clean = (float(one) for one in re.findall(r"(\d+)% of the map lies in the corner", printed))
    assert marked > 60 and clean < 5
    without, turned, better, robust = (float(one) for one in re.findall(r"accuracy with\w* mark.*: (\d+)%", printed))
    assert without < 70 and turned < 10 and better > 90 and robust > 90
    assert widgets(run["own_network"]) == 3


def test_compare_and_evaluate_notebook(run: Mapping[str, NotebookNode]) -> None:
    printed = text(run["compare_and_evaluate"])
    assert number(r"grad_cam +([+-][\d.]+)", printed) < 0 and number(r"guided_backprop +([+-][\d.]+)", printed) > 0.95
    cam, guided = number(r"grad_cam +(0\.\d+)\n", printed), number(r"guided_backprop +(0\.\d+)\n", printed)
    assert cam < guided < number(r"edge_detector +([\d.]+)\n", printed) == 1
    methods = ("grad_cam", "random_cam", "center_gaussian")
    cam, noise, gaussian = (number(rf"{method} +deletion ([\d.]+)", printed) for method in methods)
    assert cam < min(noise, gaussian)
    assert number(r"grad_cam .*insertion ([\d.]+)", printed) < number(r"random_cam .*insertion ([\d.]+)", printed)
    assert widgets(run["compare_and_evaluate"]) == 3


def test_exercises_notebook(run: Mapping[str, NotebookNode]) -> None:
    printed = text(run["exercises"])
    assert "the same gradient: True" in printed and "CAM / Grad-CAM: 49.00 to 49.00, cells: 49" in printed
    assert "largest change: 1 of 255" in printed and "8 answers, 8 right" in printed and "wrong" not in printed


def test_notebooks_install_camviz_and_are_small() -> None:
    assert len(NOTEBOOKS) == 4
    setup = set()
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        title, first = notebook.cells[:2]
        assert all(badge.format(name=path.stem) in title.source for badge in BADGES)
        setup.add(first.source)
        kept = outputs(notebook)
        assert kept and not widgets(notebook) and {"widgets"} - notebook.metadata.keys()
        assert not any(output.output_type == "error" for output in kept)
        assert path.stat().st_size < 250_000, "run `python -m tests.notebooks.run`, which leaves the widgets out"
    (source,) = setup
    assert (
        'if find_spec("camviz") is None:' in source and '"./camviz[notebook]"' in source and f"{HOMEPAGE}\n" in source
    )
