"""Every error class has a unique code, a section in docs/reference/errors.md and code that raises it."""

import ast
import pickle
import re
import traceback
from collections import Counter
from pathlib import Path

import pytest

import camviz
import camviz.ui.server.serve
from camviz import CamvizError, documentation
from camviz.errors import ImageError, LayerError, UnknownNameError
from tests.translations import SOURCES, error_classes

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
SECTIONS = {block.partition("\n")[0]: block for block in PAGE.split("\n## ")[1:]}
NAMED = [one for one in error_classes() if one.__module__.startswith("camviz.")]


def test_every_error_code_has_a_section() -> None:
    assert {one.code for one in NAMED} == set(SECTIONS)
    for code, section in SECTIONS.items():
        named = set(re.findall(r"`(\w*Error)`", section.split(". ")[0]))
        own = {one.__name__ for one in NAMED if one.code == code and "code" in vars(one)}
        assert own <= named, f"the section {code} does not name {own - named}"


def test_error_codes_are_unique() -> None:
    counted = Counter(vars(one)["code"] for one in NAMED if "code" in vars(one))
    assert set(counted.values()) == {1} and all(re.fullmatch(r"[a-z]+(-[a-z]+)+", code) for code in counted)


def test_every_error_class_is_raised() -> None:
    called = {
        node.func.id
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    raised = {parent.code for one in NAMED if one.__name__ in called for parent in [one]}
    assert raised | {"network-fails"} == set(SECTIONS)  # tape/network/errors.py makes its class as it raises


@pytest.mark.parametrize(
    ("image", "method", "layer", "kind"),
    [
        (b"no image", "grad_cam", None, ImageError),
        ("koala.jpg", "grad_kam", None, UnknownNameError),
        ("koala.jpg", "grad_cam", "blocks.9", UnknownNameError),
        ("koala.jpg", "grad_cam", [], LayerError),
    ],
)
def test_error_and_traceback_name_the_code(lite0, coffee, image, method, layer, kind) -> None:
    given = coffee.parent / image if isinstance(image, str) else image
    with pytest.raises(kind) as raised:
        camviz.explain(lite0, given, method, layer=layer)
    error = raised.value
    assert error.code == kind.code and f"Error code {error.code}: " in "".join(traceback.format_exception(error))
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, str(again), again.__notes__) == (error.code, str(error), error.__notes__)


def test_help_links_to_the_built_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "FOLDER", tmp_path)
    assert CamvizError("it is empty").help == "Error code argument-invalid: docs/reference/errors.md#argument-invalid"
    (tmp_path / "index.html").touch()
    address = f"{tmp_path.as_uri()}/reference/errors.html#image-unreadable"
    assert ImageError("it is empty").help == f"Error code image-unreadable: {address}"
    assert documentation.link("a.html") == "docs/a.html"
