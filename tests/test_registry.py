import importlib
import inspect
import sys
from dataclasses import replace
from typing import Annotated, Literal

import pytest
import torch
from torch import nn

import camviz
import camviz.methods
from camviz import METHODS, CamvizError, registry, scores
from camviz.registry import MODE, Choices, Knob, Method, Range, SynthesisMethod, knobs_of, method, synthesis
from tests.methods.nets import Modules, build, quick, random_images


@pytest.fixture(autouse=True)
def _own_tables(monkeypatch):
    monkeypatch.setattr(registry, "_METHODS", {})
    monkeypatch.setattr(registry, "_SYNTHESES", {})


def toy(
    net,
    x,
    score,
    layer=None,
    *,
    samples: Annotated[int, Range(1, 200, 1), "How many"] = 50,
    level: Annotated[float, Range(0.0, 1.0)] = 0.1,
    over: Annotated[Literal["class", "channel"], "What the softmax runs over"] = "class",
    plain: Literal["a", "b"] = "b",
    signed: bool = False,
    row: Annotated[int | None, Range(0, 9), "Row"] = None,
    progress=None,
):
    """Does nothing.

    In two paragraphs.
    """
    return net, x, score, layer, samples


def test_settings_are_declared_by_the_signature():
    assert knobs_of(toy) == {
        "samples": Knob("samples", int, 50, "How many", Range(1, 200, 1)),
        "level": Knob("level", float, 0.1, "", Range(0, 1)),
        "over": Knob("over", str, "class", "What the softmax runs over", None, ("class", "channel")),
        "plain": Knob("plain", str, "b", "", None, ("a", "b")),
        "signed": Knob("signed", bool, False),
        "row": Knob("row", int, None, "Row", Range(0, 9), (), True),
    }


def test_decorator_registers_and_returns_the_function():
    assert method("Toy", family="control", paper="https://example.org")(toy) is toy
    record = registry._METHODS["toy"]
    knobs = {**knobs_of(toy), "mode": MODE}  # of many passes
    assert record == Method("toy", "Toy", "https://example.org", toy, knobs, "control", "optional", True)
    assert (record.tooltip, record.doc) == ("Does nothing.", "Does nothing.\n\nIn two paragraphs.")
    net, x, score = nn.Flatten(), torch.zeros(1, 3, 4, 4), scores.logit(0)
    found = record(net, x, score, samples=4)
    assert found[0] is net and torch.equal(found[1], x) and found[2:] == (score, None, 4)


@pytest.mark.parametrize(
    ("function", "layer", "many"),
    [
        (lambda net, x, score: None, "none", False),
        (lambda net, x, score, layer: None, "required", False),
        (lambda net, x, score, layer=None, *, progress=None: None, "optional", True),
    ],
)
def test_needs_of_a_method_are_read_from_its_parameters(function, layer, many):
    method("Toy", family="cam", paper="")(function)
    record = registry._METHODS["<lambda>"]
    assert (record.layer, record.many_passes, record.tooltip) == (layer, many, "")


def test_two_methods_of_one_name_are_refused():
    add = method("Toy", family="cam", paper="")
    add(toy)
    add(toy)  # the same file read again, as Streamlit does

    def other(net, x, score):
        """Another file's."""

    other.__name__, other.__module__ = "toy", "elsewhere"
    with pytest.raises(CamvizError, match="two functions have the name 'toy'"):
        add(other)
    assert registry._METHODS["toy"].function is toy


@pytest.mark.parametrize(
    "hint",
    [
        str,
        tuple[int, int],
        Annotated[int, Range(1, 2)] | None,  # the range would be lost: Annotated[int | None, Range(1, 2)]
    ],
)
def test_setting_of_an_unsupported_type_is_refused(hint):
    def function(net, x, score, *, knob=None):
        """Only here for its knob."""

    function.__annotations__["knob"] = hint
    with pytest.raises(CamvizError, match="the knob 'knob' needs a default and must be"):
        method("Toy", family="cam", paper="")(function)
    assert registry._METHODS == {}


def test_setting_without_a_default_is_refused():
    def function(net, x, score, *, knob: int):
        """Only here for its knob."""

    with pytest.raises(CamvizError, match="the knob 'knob' needs a default"):
        method("Toy", family="cam", paper="")(function)


def test_choices_are_evaluated_on_access():
    found = ["a"]

    def function(net, x, score, *, base: Annotated[str, Choices(lambda: found), "Which"] = "a"):
        """Only here for its knob."""

    knob = knobs_of(function)["base"]
    assert (knob.type, knob.choices, knob.help) == (str, ("a",), "Which")
    found.append("b")
    assert knob.choices == ("a", "b") and knob.check("b", "toy") == "b"
    with pytest.raises(CamvizError, match="base 'c' is not in the choices of toy"):
        knob.check("c", "toy")


def test_synthesis_is_declared_by_its_signature():
    def dream(phi, image, layer, *, steps: Annotated[int, Range(1, 9), "Steps"] = 3, progress=None):
        """Dreams."""
        return steps

    assert synthesis("Dream", paper="https://example.org")(dream) is dream
    record = registry._SYNTHESES["dream"]
    assert record == SynthesisMethod("dream", "Dream", "https://example.org", dream, knobs_of(dream), "required", True)
    assert record(1, 2, 3, steps=4, progress=None) == 4 and registry._METHODS == {}
    assert record.settings({}) == {"steps": 3} and record.tooltip == "Dreams."


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("samples", 1, 1),
        ("samples", 200, 200),
        ("samples", 7.0, 7),
        ("level", 1, 1.0),
        ("over", "channel", "channel"),
        ("signed", True, True),
        ("row", None, None),
        ("row", 9, 9),
    ],
)
def test_valid_value_is_converted(name, value, expected):
    checked = knobs_of(toy)[name].check(value, "toy")
    assert checked == expected and type(checked) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("samples", 0, "samples of toy must lie in 1 to 200; got 0"),
        ("samples", 201, "samples of toy must lie in 1 to 200; got 201"),
        ("samples", 7.5, "samples of toy must be int; got 7.5"),
        ("samples", "7", "samples of toy must be int; got '7'"),
        ("samples", None, "samples of toy must be int; got None"),
        ("samples", True, "samples of toy must be int; got True"),
        ("samples", float("inf"), "samples of toy must be int; got inf"),
        ("samples", float("nan"), "samples of toy must be int; got nan"),
        ("level", float("nan"), "level of toy must lie in 0 to 1; got nan"),
        ("level", 1.01, "level of toy must lie in 0 to 1; got 1.01"),
        ("level", "much", "level of toy must be float; got 'much'"),
        ("level", [0.5], r"level of toy must be float; got \[0.5\]"),
        ("over", "chanel", "over 'chanel' is not in the choices of toy; did you mean 'channel'?"),
        ("over", 3, "over '3' is not in the choices of toy"),
        ("over", None, "over 'None' is not in the choices of toy"),
        ("signed", 1, "signed of toy must be bool; got 1"),
        ("signed", "yes", "signed of toy must be bool; got 'yes'"),
        ("row", 10, "row of toy must lie in 0 to 9; got 10"),
        ("row", False, "row of toy must be int; got False"),
    ],
)
def test_invalid_value_is_refused(name, value, sentence):
    with pytest.raises(CamvizError, match=sentence.replace("?", r"\?")):
        knobs_of(toy)[name].check(value, "toy")


def test_settings_are_complete_and_checked():
    method("Toy", family="cam", paper="")(toy)
    record = registry._METHODS["toy"]
    defaults = {
        "samples": 50,
        "level": 0.1,
        "over": "class",
        "plain": "b",
        "signed": False,
        "row": None,
        "mode": "exact",
    }
    assert record.settings({}) == defaults
    assert record.settings({"samples": 7.0, "row": 3}) == {**defaults, "samples": 7, "row": 3}
    with pytest.raises(CamvizError, match=r"setting 'sample' is not .* settings of toy; did you mean 'samples'"):
        record.settings({"sample": 7})
    with pytest.raises(CamvizError, match="must lie in"):
        record.settings({"samples": 0})


def test_every_file_is_imported_and_a_broken_one_raises(tmp_path, monkeypatch):
    package = tmp_path / "own_methods"
    package.mkdir()
    (package / "__init__.py").write_text(inspect.getsource(camviz.methods), encoding="utf-8")
    lines = (
        '"""A method."""',
        "from camviz.registry import method",
        '@method("One", family="cam", paper="https://example.org")',
        "def one(net, x, score):",
        '    """The first."""',
    )
    (package / "one.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        importlib.import_module("own_methods")
        assert list(registry._METHODS) == ["one"]
        (package / "two.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
        for name in [name for name in sys.modules if name.startswith("own_methods")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
            importlib.import_module("own_methods")
    finally:
        for name in [name for name in sys.modules if name.startswith("own_methods")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    "key", [key for key, one in METHODS.items() if one.layer == "required" and "base" not in one.knobs]
)
def test_copied_file_under_a_new_name_is_a_new_method(key, tmp_path, monkeypatch):
    """A method needs only one file: record and map of the copy equal the original."""
    package = tmp_path / "copied_methods"
    package.mkdir()
    (package / "__init__.py").write_text(inspect.getsource(camviz.methods), encoding="utf-8")
    source = inspect.getsource(sys.modules[f"camviz.methods.{key}"]).replace(f"def {key}(", "def my_method(")
    source = source.replace("from ..", "from camviz.").replace("from .", "from camviz.methods.")
    (package / "my_method.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        importlib.import_module("copied_methods")
    finally:
        for name in [name for name in sys.modules if name.startswith("copied_methods")]:
            del sys.modules[name]
    assert list(registry._METHODS) == ["my_method"]
    copied, original = registry._METHODS["my_method"], METHODS[key]
    assert replace(copied, key=key, function=original.function) == original
    net = build(Modules)
    layer = net.features[6]
    assert torch.equal(
        quick(copied, net, random_images(), scores.logit(2), layer),
        quick(original, net, random_images(), scores.logit(2), layer),
    )


def test_methods_are_registered_by_their_function_name():
    assert {
        "vanilla_backprop",
        "guided_backprop",
        "deconvnet",
        "grad_cam",
        "guided_grad_cam",
        "score_cam",
        "layer_cam",
    } <= set(METHODS)
    for key, record in METHODS.items():
        assert key == record.key == record.function.__name__ == record.function.__module__.rpartition(".")[2]
