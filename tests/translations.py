"""Collect every sentence that a person sees into camviz.pot, and bring each language's camviz.po up to date.

`make translations` runs it. A translator opens camviz/ui/locale/<language>/LC_MESSAGES/camviz.po in any gettext editor
(Poedit, Weblate, ...); what has no translation yet is shown in English.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from camviz import CamvizError, feature_visualization, methods
from camviz.adversarial import ATTACKS
from camviz.evaluation import metrics
from camviz.evaluation.registry import METRICS
from camviz.models.geometry import Fit
from camviz.registry import METHODS, SYNTHESES, Knob
from camviz.render import COLOR_MAPS
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.learn.failure_modes import FAILURE_MODES, RANDOMIZATION_TESTS
from camviz.ui.learn.glossary import GLOSSARY
from camviz.ui.session.language import LOCALES

REGISTERING = (methods, feature_visualization, metrics)  # importing them fills the registries
ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "camviz").rglob("*.py"))]
CALLS = {"tr", "Message", "add_note", "Axis"}  # whose first argument is a template; so is that of every CamvizError
# Tables of the interface, by name: their values are shown through tr().
TABLES = {
    "SOURCES",
    "FITS",
    "FUSES",
    "SCALES",
    "PARTS",
    "TRIALS",
    "THREE",
    "BETTER",
    "BYS",
    "FILLERS",
    "COLORS",
    "ORDERS",
    "HOW",
}
# Settings whose values are shown through tr().
VALUES = ("channel", "class", "link", "recipe", "Rows", "Columns", "Open the example", *COLOR_MAPS, *get_args(Fit))
# Files whose messages only a terminal shows.
TERMINAL = {"batch/cli.py", "batch/engines.py", "batch/output_folder.py", "batch/job.py", "ui/server/serve.py"} | {
    "ui/server/web_server.py",
    "cli/serve.py",
    "runtime/extensions.py",
}
# Names that are the same in every language.
NAMES = {"alpha", "beta", "gamma", "epsilon"}

Found = tuple[str, str]  # a template, and where it stands: "camviz/scores.py"


def sentences() -> Iterator[Found]:
    """Yield every template with the places where it stands."""
    calls = CALLS | {error.__name__ for error in error_classes()}
    for path in SOURCES:
        where = path.relative_to(ROOT).as_posix()
        if where.removeprefix("camviz/") not in TERMINAL:
            for text in in_source(ast.parse(path.read_text(encoding="utf-8")), calls):
                yield text, where
    yield from of_registries()
    for key, chapter in CHAPTERS.items():
        yield from ((text, f"chapter {key}") for text in (chapter.idea, chapter.symbols))
    for fault in (*FAILURE_MODES.values(), *RANDOMIZATION_TESTS.values()):
        yield from ((text, "camviz/ui/learn/failure_modes.py") for text in (fault.title, fault.sentence))
    for term, meaning in GLOSSARY.items():
        yield from ((text, "camviz/ui/learn/glossary.py") for text in (term, meaning))
    yield from ((text, "a setting") for text in VALUES)


def error_classes(base: type[CamvizError] = CamvizError) -> Iterator[type[CamvizError]]:
    """Yield CamvizError and every class of it."""
    yield base
    for one in base.__subclasses__():
        yield from error_classes(one)


def in_source(tree: ast.Module, calls: set[str]) -> Iterator[str]:
    """Yield the templates of a module: first arguments of `calls`, values of TABLES."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls and node.args:
            yield from literals(node.args[0])
    for node in tree.body:
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and target.id in TABLES and isinstance(node, ast.Assign | ast.AnnAssign):
            yield from literals(node.value)


def literals(node: ast.expr | None) -> Iterator[str]:
    """Yield the texts that an expression may be: a literal, both sides of a condition, a table's values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*literals(node.body), *literals(node.orelse))
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from literals(value)
    elif isinstance(node, ast.Tuple):
        for value in node.elts:
            yield from literals(value)


def of_registries() -> Iterator[Found]:
    """Yield the texts of methods, syntheses, metrics, attacks and their settings."""
    for one in (*METHODS.values(), *SYNTHESES.values(), *METRICS.values(), *ATTACKS.values()):
        more = (str(getattr(one, name, "")) for name in ("limitation", "requires", "reads", "caution"))
        texts = [str(one.title), one.tooltip, *more]
        yield from ((text, f"{one.key}") for text in texts if text)
        for knob in one.knobs.values():
            yield from ((text, f"{one.key}, {knob.name}") for text in of_knob(knob))


def of_knob(knob: Knob) -> Iterator[str]:
    """Yield a setting's label, its name in messages, its help and its choices."""
    if knob.name not in NAMES:
        yield knob.name.replace("_", " ").capitalize()
        yield knob.name.replace("_", " ")
    yield from (knob.help, *(choice for choice in knob.choices if choice not in METHODS))


def template() -> Catalog:
    """Return the catalog without translations."""
    found = Catalog(project="CamViz", charset="utf-8", creation_date=datetime(2026, 1, 1, tzinfo=UTC))
    for text, where in sentences():
        found.add(text, auto_comments=[where])
    return found


def main() -> None:
    """Write camviz.pot and update every camviz.po."""
    new = template()
    with (LOCALES / "camviz.pot").open("wb") as file:
        write_po(file, new, width=120, sort_output=True)
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/camviz.po")):
        with path.open("rb") as file:
            old = read_po(file, path.parents[1].name)
        old.update(new, no_fuzzy_matching=True)
        with path.open("wb") as file:
            write_po(file, old, width=120, sort_output=True, ignore_obsolete=True)
        missing = [entry for entry in old if entry.id and not entry.string]
        print(f"{path.relative_to(ROOT)}: {len(old)} sentences, {len(missing)} without a translation")


if __name__ == "__main__":
    main()
