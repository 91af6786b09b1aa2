"""The house rules of DESIGN.md, sections 1 and 2: who may import whom, and what is kept in one place."""

import ast
import re
import sys
from pathlib import Path

import pytest

from camviz import METHODS

ROOT = Path(__file__).parents[1]
FILES = [*sorted(ROOT.glob("camviz/**/*.py")), *sorted(ROOT.glob("pages/*.py")), ROOT / "app.py"]
TREES = {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

FOUNDATION = {"errors", "registry", "tape", "scores"}
OUTER = {"methods", "explanation", "models", "images", "render", "figures", "export", "evaluation", "ui"}
FORBIDDEN = {  # a part of camviz -> the parts that it must not know
    **dict.fromkeys(FOUNDATION, OUTER),
    "methods": OUTER - {"methods"},
    "evaluation": {"methods", "explanation", "ui"},
    **{part: {"methods", "explanation", "ui"} for part in ("images", "models", "render")},
    **{part: {"methods", "ui"} for part in ("figures", "export")},
}


def imported(path, tree):
    """Dotted names of what a file imports, relative ones resolved; not what is for the type checker only."""
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    package = list(path.parts[:-1])
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part(name):
    """The part of camviz that a dotted name or a path's parts belong to: 'methods' of camviz.methods.grad_cam."""
    parts = name.split(".")
    return parts[1] if parts[0] == "camviz" and len(parts) > 1 else ""


def test_the_checks_see_the_imports():
    path = Path("camviz/methods/grad_cam.py")
    assert {"torch.nn", "camviz.registry.method", "camviz.tape.record"} <= set(imported(path, TREES[path]))
    path = Path("camviz/export.py")
    assert "camviz.explanation.Explanation" not in set(imported(path, TREES[path]))  # for the type checker only


@pytest.mark.parametrize("path", TREES, ids=str)
def test_imports_point_inwards(path):
    if path.parts[0] != "camviz":
        return
    own = part(".".join(path.with_suffix("").parts))
    known = {part(name) for name in imported(path, TREES[path])}
    assert not known & FORBIDDEN.get(own, set())
    assert own == "ui" or "ui" not in known


def test_the_registry_needs_the_standard_library_only():
    for path in (Path("camviz/registry.py"), Path("camviz/pulse.py"), Path("camviz/errors.py")):
        names = (name for name in imported(path, TREES[path]) if part(name) not in ("errors", "pulse"))
        assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_streamlit_is_a_skin():
    users = {path for path, tree in TREES.items() if any(n.startswith("streamlit") for n in imported(path, tree))}
    assert Path("app.py") in users and Path("camviz/ui/panels.py") in users
    assert {
        path for path in users if path.parts[0] not in ("app.py", "pages") and path.parts[:2] != ("camviz", "ui")
    } == set()


def names_in(tree):
    """Every name and attribute that a file uses or calls, without its comments and strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def methods_called(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


@pytest.mark.parametrize("path", TREES, ids=str)
def test_hooks_backward_and_locks_are_kept_in_their_places(path):
    names = set(names_in(TREES[path]))
    if path != Path("camviz/tape.py"):
        assert not {name for name in names if re.fullmatch(r"register_\w*hook\w*", name)}
        assert not any(called == "backward" for called in methods_called(TREES[path]))
    if path.parts[:2] not in (("camviz", "models"), ("camviz", "ui"), ("camviz", "switch.py")):
        assert not names & {"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_is_one_short_file_that_says_what_it_does(method):
    path = Path("camviz/methods") / f"{method.key}.py"
    source = (ROOT / path).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 90
    assert source.count("\n@method(") == 1
    assert method.tooltip.endswith(".") and 20 <= len(method.tooltip) <= 120
    assert len(method.doc.splitlines()) > 1  # the formula, and what to make of it
    assert re.fullmatch(r"https://\S+", method.paper)
    assert all(knob.help for knob in method.knobs.values())


def test_every_method_of_the_folder_is_in_the_table():
    files = {path.stem for path in (ROOT / "camviz" / "methods").glob("*.py")} - {"__init__"}
    assert files == set(METHODS)
