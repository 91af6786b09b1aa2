"""Hostile links: every setting of every page with hostile values, and settings far out of range."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from camviz.adversarial import ATTACKS
from camviz.registry import METHODS, SYNTHESES, Knob
from camviz.ui.session import settings
from camviz.ui.session.markdown import escaped
from camviz.ui.widgets import method_picker

Start = Callable[..., AppTest]

HOSTILE = (
    *("", " ", "0", "-0", "-1", "-2", "1e400", "-1e400", "nan", "inf", "-inf", "NaN", "1e9", "1e-400", "9" * 5000),
    *(
        "2147483648",
        "-9223372036854775809",
        "0x10",
        "1_0",
        "٣",
        "½",
        "None",
        "null",
        "true",
        "True",
        "False",
        "[]",
        "{}",
    ),
    *("\0", "a\0b", "\r\nSet-Cookie: x=1", "\u202eevil", "👩‍👩‍👧", "ﷺ" * 50, "a\u0300" * 200, "\ufeff"),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<b>", "&lt;", "javascript:alert(1)"),
    *("![x](http://evil.example/x.png)", "[x](javascript:alert(1))", "http://evil.example", "$x$", ":material/home:"),
    *("../../../etc/passwd", "/etc/passwd", "..\\..\\x", "file:///etc/passwd", "sample:../../x", "sha:" + "0" * 12),
    *(
        "custom:000000000000",
        "C:\\x.pt",
        "x.pt",
        "__class__",
        "{0}",
        "{x.__class__}",
        "%s%n",
        "{" * 500,
        "'; DROP TABLE",
    ),
    *("," * 2000, "x," * 2000, "grad_cam," * 2000, ",".join(map(str, range(2000))), "a" * 100_000, "sample:cat," * 500),
    *("blocks.4,blocks.4", "grad_cam,lrp", "bn2", "1", "2", "13", "100000", "all", "own", "stretch", "zh"),
)
PAGES = ("explain", "compare", "dataset", "_inspect", "learn", "evaluate", "perturb", "train", "room")
PARTS = {  # links that open the parts of a page that are hidden at first
    "learn": [{"part": "methods", "chapter": "grad_cam"}, {"part": "glossary"}],
    "evaluate": [{"test": key} for key in ("randomization", "pointing", "ranking")],
    "perturb": [{"perturb": "attack", "pgd.steps": "2"}, {"perturb": "attack", "attack.norm": "l2", "attack": "fgsm"}],
    "_inspect": [{"inside": "depths"}, *({"inside": "visualization", "dream": key} for key in SYNTHESES)],
    "compare": [{"rows": "classes", "columns": "layers"}, {"present": "1"}],
    "explain": [{"method": "occlusion"}, {"several": "1"}],
}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Collect the settings that a run registers, with their options; each value must be one of them."""
    found: dict[str, Any] = {}
    setting, many = settings.setting, settings.many

    def check_setting(key: str, default: Any, options: Any, *more: Any, **named: Any) -> Any:
        value = setting(key, default, options, *more, **named)
        assert value in options, (key, value)
        found[key] = options
        return value

    def check_settings(key: str, default: Any, options: Any, most: int = settings.MOST) -> list[str]:
        value = many(key, default, options, most)
        assert set(value) <= set(options) and len(set(value)) == len(value) <= most, (key, value)
        found[key] = options
        return value

    monkeypatch.setattr(settings, "setting", check_setting)
    monkeypatch.setattr(settings, "many", check_settings)
    return found


def assert_only_notes(app: AppTest) -> None:
    """Check that there is no exception and no error, and that the notes are short, few and plain text."""
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert len(app.warning) < 100
    for note in app.warning:
        assert len(note.value) < 500
        assert not re.search(r"[<$\[*`]|:(?=\w)|www\.", re.sub(r"\\.", "x", note.value)), note.value


@pytest.mark.usefixtures("work_waits")
@pytest.mark.parametrize("page", PAGES)
def test_hostile_values_of_every_setting_fall_back(page: str, start: Start, registered: dict[str, Any]) -> None:
    rng = random.Random(page)
    path = f"pages/{page}.py"
    app = start("" if page == "explain" else path)
    for part in [{}, *PARTS.get(page, ())]:
        app.query_params.clear()
        # Not a known language: the next run of an AppTest fails when the words of its widgets have changed.
        for key, value in {**{key: rng.choice(HOSTILE) for key in registered}, "lang": "<b>", **part}.items():
            app.query_params[key] = value
        assert_only_notes(app.run())
    assert len(registered) > 10


class PageState(dict[str, Any]):
    """The session state of a page's run."""

    def __init__(self, key: str, value: str) -> None:
        super().__init__({"_asked": {key: value}, "_who": "link", "_notes": [], "_used": {}})


def every_knob() -> Iterator[tuple[str, Knob]]:
    for method in (*METHODS.values(), *SYNTHESES.values(), *ATTACKS.values()):
        for name, knob in method.knobs.items():
            yield f"{method.key}.{name}", knob


NUMBERS = ("1e400", "-1e400", "nan", "1000000000", "-1000000000", "999999999999999999999999", "1e308", "-1", "1e-320")


@pytest.mark.parametrize(("key", "knob"), list(every_knob()), ids=lambda value: value if isinstance(value, str) else "")
def test_settings_stay_in_their_range(key: str, knob: Knob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the page's own code without widgets."""
    for value in (*NUMBERS, *HOSTILE):
        page = PageState(key, value)
        monkeypatch.setattr(st, "session_state", page)
        for widget in ("slider", "number_input", "toggle", "segmented_control"):
            monkeypatch.setattr(st, widget, lambda *_, **__: None)
        found = method_picker._knob(key, knob)
        assert knob.check(found, key) == found  # raises where it is out of range
        assert knob.range or knob.choices or knob.type is bool or abs(found or 0) <= 1e9


KNOBS = [
    ("explain", "smooth_grad", "samples"),
    ("_inspect", "deep_dream", "octaves"),
]


@pytest.mark.parametrize(("page", "method", "name"), KNOBS)
def test_enormous_setting_is_replaced_by_its_default(page: str, method: str, name: str, start: Start) -> None:
    key = f"{method}.{name}"
    table = METHODS if page == "explain" else SYNTHESES
    link = {"method": method} if page == "explain" else {"inside": "visualization", "dream": method}
    link[key] = "1000000000"
    app = start("" if page == "explain" else f"pages/{page}.py", **link)
    assert app.session_state[key] == table[method].knobs[name].default
    assert [note.value for note in app.warning] == [f"Unknown {key} '1000000000' in the link: using the default."]
    # The same without the link, as a browser that was tampered with would send it.
    for enormous in (10**9, -(10**9)):
        app.slider(key=key).set_value(enormous).run()
        assert_only_notes(app)
        knob = table[method].knobs[name]
        assert knob.range and app.session_state[key] in (knob.default, knob.range.low, knob.range.high)


def test_too_many_values_in_a_link_are_cut(start: Start) -> None:
    classes = ",".join(map(str, range(1000)))
    app = start("pages/compare.py", **{"rows": "classes", "rows.classes": classes, "columns.methods": "random_cam"})
    assert_only_notes(app)
    assert app.session_state["rows.classes"] == [str(index) for index in range(8)]
    app = start("pages/compare.py", **{"columns.methods": "edge_detector," * 20_000})
    assert_only_notes(app)
    assert app.session_state["columns.methods"] == ["edge_detector"]
    app = start("pages/compare.py", **{"columns.methods": ",".join(f"x{number}" for number in range(30_000))})
    assert_only_notes(app)
    assert len(app.warning) == settings.NOTED


def test_note_shows_the_requested_value_as_text(start: Start) -> None:
    link = {"fit": "![x](http://evil.example/x.png)", "layer": "<img src=x>", "colors": "$x$ :material/home:"}
    notes = [note.value for note in start(**link).warning]
    assert sorted(notes) == sorted(
        f"Unknown {key} '{escaped(value)}' in the link: using the default." for key, value in link.items()
    )
