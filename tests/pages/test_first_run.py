"""Help for new visitors: the tour, help texts of settings, and empty states that name the next step."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.help_texts import settings_of, settings_without_help

Start = Callable[..., AppTest]

# Settings that the pages do not show at first; test_shell.py visits the pages themselves.
VISITS: list[tuple[str, dict[str, str]]] = [
    ("", {"several": "1", "method": "guided_backprop"}),
    ("learn", {"part": "methods", "chapter": "guided_backprop"}),
    ("evaluate", {"test": "randomization"}),
    ("evaluate", {"test": "pointing"}),
    ("evaluate", {"test": "ranking"}),
    ("perturb", {"perturb": "attack", "attack": "fgsm"}),
    ("_inspect", {"inside": "visualization", "dream": "class_image"}),
]


@pytest.mark.usefixtures("work_waits")
@pytest.mark.parametrize(("page", "link"), VISITS, ids=lambda value: str(value) or "explain")
def test_every_setting_has_a_help_text(start: Start, page: str, link: dict[str, str]) -> None:
    app = start(f"pages/{page}.py" if page else "", **link)
    assert not app.exception
    assert len(dict(settings_of(app))) >= 4 and settings_without_help(app) == set()


def cards(app: AppTest) -> list[dict[str, Any]]:
    """Return the data of the tour's cards, in their order on the page."""
    protos = (component.proto for component in app.get("bidi_component"))
    return [json.loads(proto.json) for proto in protos if proto.component_name == "camviz_tour"]


def test_tour_is_offered_without_a_link(start: Start) -> None:
    app = start()
    assert [(card["step"], card["asked"]) for card in cards(app)] == [(step, "first") for step in (1, 2, 3, 4)]
    assert [card["next"] for card in cards(app)] == ["Next", "Next", "Next", "Done"]
    app.selectbox(key="method").set_value("layer_cam").run()
    assert len(cards(app)) == 4  # which of them is shown is the browser's affair
    assert cards(start(img="sample:koala")) == []


def test_button_starts_the_tour_again(start: Start) -> None:
    app = start(img="sample:koala")
    app.button(key="tour").click().run()
    assert [card["asked"] for card in cards(app)] == ["again 1"] * 4
    app.button(key="tour").click().run()
    assert [card["asked"] for card in cards(app)] == ["again 2"] * 4


def messages(app: AppTest) -> str:
    return " ".join(box.value for box in (*app.info, *app.error, *app.warning))


def test_compare_without_methods_names_the_next_step(start: Start) -> None:
    app = start("pages/compare.py")
    app.multiselect(key="columns.methods").set_value([]).run()
    assert not app.exception and "choose at least one row and one column" in messages(app)


def test_dataset_of_damaged_files_names_the_next_step(start: Start) -> None:
    app = start("pages/dataset.py")
    app.file_uploader(key="album_upload").set_value([("a.png", b"no image", "image/png")]).run()
    assert not app.exception and "upload others" in messages(app) and "a.png" in messages(app)


def test_empty_synthesis_and_ranking_name_the_next_step(start: Start) -> None:
    assert "press the button" in messages(start("pages/_inspect.py", layer="blocks.0", inside="visualization"))
    app = start("pages/evaluate.py", test="ranking")
    app.multiselect(key="metrics").set_value([]).run()
    assert "Choose at least one method, one metric and one image." in messages(app)


def test_failed_download_shows_a_message(start: Start) -> None:
    app = start(model="resnet18")
    assert not app.exception and "Showing EfficientNet-Lite0 instead" in messages(app)
    assert app.title[0].value == "Explain"
