"""Rules of DESIGN.md, sections 1 and 2: layers of imports, and code that is kept in one place."""

import ast
import functools
import re
import sys
from pathlib import Path

import pytest

from camviz import METHODS

ROOT = Path(__file__).parents[1]
FILES = [*sorted(ROOT.glob("camviz/**/*.py")), *sorted(ROOT.glob("pages/*.py")), ROOT / "app.py"]
TREES = {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

# From the bottom up, one layer a line: a module may import its own part and parts of earlier lines, never a part that
# stands beside it. `camviz.ui` is split into its folders.
LAYERS = """
messages version documentation
errors text
runtime
scores images
method_call
registry encode render
tape
models relevance acceleration
perturbation targets inspection training
stage
methods evaluation
edits
explanation feature_visualization adversarial
measurement
captions teaching export
figures report
batch
ui.session
ui.server ui.components
ui.inputs
ui.results
ui.widgets
ui.shell
ui.compare ui.dataset ui.evaluate ui.explain ui.inspect ui.learn ui.perturb ui.train ui.room
ui.dashboard
cli
"""
LAYER_OF = {part: number for number, line in enumerate(LAYERS.split("\n")) for part in line.split()}
TOP = ("camviz", "camviz.__main__")  # the public names and the command line: they may import everything
MODULES = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in TREES}


def imported(path, tree):
    """Yield dotted names of a file's imports, relative ones resolved, without those for type checking."""
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


@functools.cache
def names_imported(path):
    return frozenset(imported(path, TREES[path]))


def part(name):
    """Return the part of camviz that contains a dotted name: 'methods' of camviz.methods.grad_cam, or 'ui.learn'."""
    parts = name.split(".")
    if parts[0] != "camviz":
        return ""
    return ".".join(parts[1:3] if parts[1:2] == ["ui"] else parts[1:2])


def modules_imported(path):
    """Yield the dotted names of modules of this project that a file imports."""
    for name in names_imported(path):
        found = name if name in MODULES else name.rpartition(".")[0]
        if found in MODULES:
            yield found


NEEDED = {name: set(modules_imported(path)) - {name} for name, path in MODULES.items()}


def test_imports_are_detected():
    path = Path("camviz/methods/grad_cam.py")
    assert {"torch.nn", "camviz.registry.method", "camviz.tape.record"} <= names_imported(path)
    assert "camviz.models.shared" in set(modules_imported(Path("camviz/models/__init__.py")))
    assert part("camviz.ui.learn.chapters") == "ui.learn" and part("camviz.errors") == "errors" and part("torch") == ""


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("camviz.") and name not in TOP])
def test_imports_point_downwards(module):
    if module == "camviz.ui":
        return
    own = part(module)
    assert own in LAYER_OF, f"{module} stands in no layer: add it to LAYERS"
    for other in modules_imported(MODULES[module]):
        assert other not in TOP, f"{module} imports {other}, which imports everything"
        assert part(other) == own or LAYER_OF[part(other)] < LAYER_OF[own], f"{module} must not import {other}"


def test_there_are_no_import_cycles():
    """Check imports inside functions too: the modules can be sorted by their imports."""
    waiting = dict(NEEDED)
    while ready := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in ready:
            del waiting[name]
    assert not waiting, f"each of these is in a circle, or imports one: {sorted(waiting)}"


def test_folders_and_files_are_small():
    for folder in {path.parent for path in TREES if path.parts[0] == "camviz"} - {Path("camviz/methods")}:
        assert len([path for path in TREES if path.parent == folder and path.name != "__init__.py"]) <= 16, folder
    files = [path for folder in ("stage", "ui") for path in (ROOT / "camviz" / folder).rglob("*")]
    scripts = [path.relative_to(ROOT) for path in files if path.suffix in (".js", ".css")]
    assert len(scripts) > 20
    for path in (*TREES, *scripts):
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 300, path


def test_registry_imports_only_the_standard_library():
    for path in (
        Path("camviz/registry.py"),
        Path("camviz/runtime/progress.py"),
        Path("camviz/errors.py"),
        Path("camviz/messages.py"),
    ):
        names = (
            name
            for name in names_imported(path)
            if part(name) not in ("documentation", "errors", "messages", "runtime", "method_call")
        )
        assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_only_the_dashboard_imports_streamlit():
    users = {path for path in TREES if any(n.startswith("streamlit") for n in names_imported(path))}
    assert Path("app.py") in users and Path("camviz/ui/explain/map_views.py") in users
    assert {
        path for path in users if path.parts[0] not in ("app.py", "pages") and path.parts[:2] != ("camviz", "ui")
    } == set()


def test_widgets_are_imported_lazily():
    users = {path for path in TREES if any(n.startswith("anywidget") for n in names_imported(path))}
    assert users == {Path("camviz/stage/widget.py")}
    assert not any("camviz.stage.widget" in modules_imported(path) for path in TREES)


def names_in(tree):
    """Yield every name and attribute of a file, without comments and strings."""
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
def test_hooks_backward_and_locks_are_used_in_their_folders_only(path):
    names = set(names_in(TREES[path]))
    if path.parts[:2] != ("camviz", "tape"):
        assert not {name for name in names if re.fullmatch(r"register_\w*hook\w*", name)}
        assert not any(called == "backward" for called in methods_called(TREES[path]))
    if path.parts[:2] not in (("camviz", "models"), ("camviz", "ui"), ("camviz", "runtime")):
        assert not names & {"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_method_is_one_short_documented_file(method):
    path = Path("camviz/methods") / f"{method.key}.py"
    source = (ROOT / path).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 90
    assert source.count("\n@method(") == 1
    assert method.tooltip.endswith(".") and 20 <= len(method.tooltip) <= 120
    assert len(method.doc.splitlines()) > 1  # the formula, and what to make of it
    assert re.fullmatch(r"https://\S+", method.paper)
    assert all(knob.help for knob in method.knobs.values())


def test_every_method_file_is_registered():
    files = {path.stem for path in (ROOT / "camviz" / "methods").glob("*.py")} - {"__init__"}
    assert files == set(METHODS)
