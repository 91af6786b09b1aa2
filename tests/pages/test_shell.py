"""The shell of every page: title, parts of the experiment, link, presentation."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import segno
from PIL import Image
from streamlit.testing.v1 import AppTest

from camviz.ui.inputs.image_input import SAMPLES
from camviz.ui.shell import title_line
from camviz.ui.shell.pages import PAGES, Page
from tests.pages.help_texts import settings_without_help

Start = Callable[..., AppTest]

SELECTS = {"model": "model", "class": "target", "layer": "layer"}


def component_data(app: AppTest, component: str) -> dict[str, Any]:
    """Return the data of one of the browser's components."""
    (found,) = [one.proto for one in app.get("bidi_component") if one.proto.component_name == f"camviz_{component}"]
    return json.loads(found.json)


@pytest.mark.usefixtures("work_waits")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.file)
def test_page_shows_its_title_and_only_the_settings_that_it_uses(start: Start, page: Page) -> None:
    app = start(f"pages/{page.file}.py" if page.path else "", layer="blocks.4")
    assert not app.exception
    assert app.title[0].value == page.title and page.sentence in [caption.value for caption in app.caption]
    drawn = {widget.key for widget in app.selectbox}
    assert {part for part, key in SELECTS.items() if key in drawn} == page.uses & SELECTS.keys()
    images = [one for one in app.get("bidi_component") if one.proto.component_name == "camviz_gallery"]
    assert len(images) == ("image" in page.uses)
    assert app.session_state["experiment"].layers == ("blocks.4",)  # also where the layer is not shown
    assert settings_without_help(app) == set()


def test_new_image_resets_the_class_unless_it_is_kept(start: Start) -> None:
    app = start(img="sample:koala", target="105", rather_than="106")
    for keep, target in ((True, 105), (False, -1)):
        app.toggle(key="keep_class").set_value(keep).run()
        data = (SAMPLES / ("panda.jpg" if keep else "moose.jpg")).read_bytes()
        app.file_uploader(key="upload").upload("a.jpg", data, "image/jpeg").run()
        assert app.session_state["target"] == target
        assert app.session_state["rather_than"] == (106 if keep else -1)


def test_explained_class_is_always_a_marked_bar(start: Start) -> None:
    rows = component_data(start(img="sample:koala"), "bars")["rows"]
    assert [row["chosen"] for row in rows] == [True, False, False, False, False]
    app = start(img="sample:koala", target="22", rather_than="105")
    rows = component_data(app, "bars")["rows"]
    assert [row["label"] for row in rows][::5] == ["koala", "bald eagle"]
    assert [row["chosen"] for row in rows] == [False] * 5 + [True]
    model = app.session_state["experiment"].model
    exact = {one.index: one.probability for one in model.predict(SAMPLES / "koala.jpg", len(model.categories))}
    assert rows[5]["share"] == pytest.approx(exact[22], rel=1e-5)


def test_presentation_keeps_the_page_and_ends(start: Start) -> None:
    app = start(present="1", img="sample:koala")
    assert "predicts koala" in "".join(one.value for one in app.markdown)
    app.button(key="present_stop").click().run()
    assert "present" not in app.query_params and not app.exception
    app.button(key="present_start").click().run()
    assert app.query_params["present"] in ("1", ["1"])


def test_shared_address_replaces_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title_line, "_local_address", lambda: "192.168.1.7")
    shared = title_line.shared_address
    assert shared("http://localhost:8501/compare?img=a%3Ab") == "http://192.168.1.7:8501/compare?img=a%3Ab"
    assert shared("https://camviz.example.org/?x=1") == "https://camviz.example.org/?x=1"
    monkeypatch.setattr(title_line, "_local_address", lambda: None)
    assert shared("http://localhost:8501/") == "http://localhost:8501/"


def test_qr_code_contains_the_link() -> None:
    link = "http://192.168.1.7:8501/?img=sample%3Akoala&method=layer_cam"
    pixels = np.asarray(Image.open(BytesIO(title_line.qr_code(link))).convert("L"))
    cells = pixels[3::6, 3::6] < 128  # one pixel of each module of 6, with a margin of 4
    wanted = np.array([list(row) for row in segno.make(link, error="l", micro=False).matrix], dtype=bool)
    assert (cells[4:-4, 4:-4] == wanted).all() and not cells[:4].any()
