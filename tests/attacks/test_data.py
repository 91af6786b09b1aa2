"""Hostile recipes, class names and lessons."""

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from camviz import CamvizError
from camviz.models.class_names import read_class_names
from camviz.teaching import lessons
from camviz.ui.inputs import image_input, recipe_input
from camviz.ui.session.markdown import escaped

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", " ", "x" * 5000, "\0", [], {}, [[]]),
    *(
        {"__class__": "os"},
        ["grad_cam"],
        "../../etc/passwd",
        "/etc/passwd",
        "{0.__class__}",
        "<script>",
        "logit",
        "own",
    ),
    *(
        "layer\n# x",
        "blocks.4,../../x",
        "timm/../x.pt",
        {"name": "x.pt"},
        {"name": "efficientnet_lite0", "weights": "x"},
    ),
    *({"contrast": [1, 10**300]}, {"logit": 1.5}, {"logit": True}, {"file": "coffee.jpg", "sha256": "../x"}),
)


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    image = image_input.choices()["sample:coffee"]
    return {
        "model": {"name": "efficientnet_lite0", "weights": "default"},
        "image": {"file": "coffee.jpg", "sha256": image.digest},
        "method": "smooth_grad",
        "target": 3,
        "layer": None,
        "fit": "crop",
        "fuse": "mean",
        "samples": 4,
    }


def settings_or_refusal(data: bytes) -> str:
    """Read a recipe or be refused, within five seconds; return the settings or the message as text."""
    started = time.perf_counter()
    try:
        settings = recipe_input.settings_of(data)
        assert all(isinstance(part, str) and len(part) <= 5000 for pair in settings.items() for part in pair)
        text = str(settings)
    except CamvizError as error:
        text = str(error)
    assert time.perf_counter() - started < 5
    return text


def test_recipe_with_hostile_values_is_read_or_refused(recipe: dict[str, Any]) -> None:
    assert recipe_input.settings_of(json.dumps(recipe).encode())["smooth_grad.samples"] == "4"
    for key in (*recipe, "extra", "seed", "progress", "noise", "__class__", "<b>"):
        for value in HOSTILE:
            settings_or_refusal(json.dumps({**recipe, key: value}).encode())
    rng = random.Random(0)
    good = json.dumps(recipe).encode()
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(rng.choice((1, 1, 3, 10))):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = rng.choice((b'"', b"{", b"[", b"}", b",", b"9" * 40, b"\\u0000", b"-"))
        settings_or_refusal(bytes(data))


@pytest.mark.parametrize("key", ["model", "image", "target", "layer", "samples", "method", "extra"])
def test_deeply_nested_recipe_is_refused(key: str, recipe: dict[str, Any]) -> None:
    """Some depths can just be read, but not be written into a message."""
    head = json.dumps({name: value for name, value in recipe.items() if name != key})[:-1]
    for depth in (*range(700, 1000, 7), 10_000):
        for opening, closing in (("[", "]"), ('{"name":', "}")):
            settings_or_refusal(f'{head}, "{key}": {opening * depth}1{closing * depth}}}'.encode())


def test_recipes_of_unusual_size_and_encoding(recipe: dict[str, Any]) -> None:
    good = json.dumps(recipe)
    assert "is over 1 MB, so it is no recipe" in settings_or_refusal(good.encode() + b" " * 50_000_000)
    many = {**recipe, **{f"x{number}": number for number in range(50_000)}}
    assert "setting 'x0' is not in the settings of smooth_grad" in settings_or_refusal(json.dumps(many).encode())
    assert (
        settings_or_refusal((good[:-1] + ', "samples": 9}').encode()).count("'smooth_grad.samples': '9'") == 1
    )  # the last one
    assert "is no recipe" in settings_or_refusal((good[:-1] + f', "samples": {"9" * 5000}}}').encode())
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        settings_or_refusal(good.encode(encoding))


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"[" * 10_000,
            b'{"0": ' * 10_000,
            b"[" + b"9" * 10_000 + b"]",
            b'{"0": "a", "0": "b"}',
            b"[NaN]",
            b"[1e999]",
        ),
        *(
            b'["a", null]',
            b'{"0": "a", "2": "b"}',
            b'{"-1": "a"}',
            b'["' + b"a" * 300 + b'"]',
            b"\xff\xfe[",
            b"[]",
            b"{}",
        ),
        *(b" " * (4 * 2**20 + 1), b"a\n\nb", b'{"a": {}}', b'{"9' + b"9" * 300 + b'": "a"}', b"[[[]]]"),
        *(b'{"a": ' + b"[" * depth + b"]" * depth + b"}" for depth in range(900, 990, 6)),
    ],
    ids=lambda content: content[:12].decode("latin1") + str(len(content)),
)
def test_damaged_class_names_are_refused(content: bytes) -> None:
    with pytest.raises(CamvizError) as refusal:
        read_class_names(content)
    assert len(str(refusal.value)) < 300 and "\n" not in str(refusal.value)


def test_markup_in_class_names_is_escaped() -> None:
    names = ("<script>alert(1)</script>", "![x](http://evil.example/x.png)", "$x$", ":material/x:", "[l](javascript:a)")
    assert read_class_names("\n".join(names).encode()) == names
    for name in names:
        bare = re.sub(r"\\.", "", escaped(name))
        assert not re.search(r"[<>\[\]$*_`]|:(?=\w)", bare)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain label, 3.5 (ok) x-y!", "a plain label, 3.5 (ok) x-y!"),
        ("# heading", r"\# heading"),
        ("1. item", r"1\. item"),
        ("- item", r"\- item"),
        ("two\n\n# lines", "two # lines"),
        ("www.evil.example a@b.c http://e", "www\u2060.evil.example a\u2060@b.c http\\:\u2060//e"),
        ("&lt;b&gt; {x} |", r"\&lt;b\&gt; {x} \|"),
        (":material/home: :+1: a: b", r"\:material/home: \:+1: a: b"),
    ],
)
def test_escaped_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_lessons_link_only_to_pages_of_camviz(tmp_path: Path) -> None:
    head = 'title = "<b>x</b>"\nquestion = "q"\nanswer = "a"\n[[view]]\nlabel = "l"\n'
    file = tmp_path / "01-x.toml"
    for page in ("../x", "http://evil.example", "//evil.example", "javascript:alert(1)", "explain?x"):
        file.write_text(f'{head}page = "{page}"\n')
        with pytest.raises(CamvizError, match="there is no page"):
            lessons.read(file)
    file.write_text(f'{head}page = "compare"\n[view.set]\nimg = "x&model=y#z <script>"\n')
    (view,) = lessons.read(file).views
    assert (view.page, view.settings) == ("compare", {"img": "x&model=y#z <script>"})
    with pytest.raises(CamvizError, match="is not one of the sample images"):
        lessons.question_of(view)
    file.write_text(f'{head}[view.set]\n"x=1&y" = "z"\n')
    with pytest.raises(CamvizError, match="is not the name of a setting in a link"):
        lessons.read(file)
