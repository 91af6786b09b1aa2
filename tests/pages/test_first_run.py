"""What a newcomer is told: the tour, a help beside every setting, and empty states that say what to do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

Start = Callable[..., AppTest]

KINDS = (
    *("selectbox", "multiselect", "slider", "select_slider", "number_input", "toggle", "checkbox", "radio"),
    *("button_group", "text_input", "file_uploader", "camera_input"),
)
# Without a help, because:
OF_WHAT_STANDS_ABOVE = {"rows.layers", "columns.methods"}  # the label is hidden, the selector above carries the help
DESCRIBED_BELOW = {"favorite"}
SAYS_ALL = {
    "lang",
    "part",
    "inside",
    "test",
    "perturb",
    "corruption",
    "chapter",
    "camera_on",
    "camera",
}  # the options, or the label, say it all
WITHOUT = DESCRIBED_BELOW | OF_WHAT_STANDS_ABOVE | SAYS_ALL

VISITS: list[tuple[str, dict[str, str]]] = [
    ("", {"several": "1", "method": "guided_backprop"}),
    ("compare", {"rows.layers": "bn2", "columns.methods": "grad_cam"}),
    ("dataset", {}),
    ("train", {}),
    ("_inspect", {"layer": "blocks.4"}),
    ("learn", {"part": "methods", "chapter": "guided_backprop"}),
    ("evaluate", {"test": "randomization"}),
    ("evaluate", {"test": "pointing"}),
    ("evaluate", {"test": "ranking"}),
    ("perturb", {"perturb": "attack", "attack": "fgsm"}),
    ("_inspect", {"inside": "visualization", "dream": "class_image"}),
]


def settings_of(app: AppTest) -> Iterator[tuple[str, Any]]:
    """Every widget of a page that sets something, by its key."""
    for kind in KINDS:
        for widget in app.get(kind):
            proto = getattr(widget, "proto", None)
            if proto is not None:
                yield getattr(widget, "key", None) or proto.label, proto


def is_hidden(proto: Any) -> bool:
    """Whether the label, and the help with it, is not shown."""
    return bool(getattr(getattr(proto, "label_visibility", None), "value", 0))


@pytest.mark.usefixtures("work_waits")
@pytest.mark.parametrize(("page", "link"), VISITS, ids=lambda value: str(value) or "explain")
def test_every_setting_has_a_help_beside_it(start: Start, page: str, link: dict[str, str]) -> None:
    app = start(f"pages/{page}.py" if page else "", **link)
    assert not app.exception
    found = dict(settings_of(app))
    assert len(found) >= 4
    missing = {key for key, proto in found.items() if not proto.help or is_hidden(proto)}
    assert missing - WITHOUT == set()


def cards(app: AppTest) -> list[dict[str, Any]]:
    """What the tour's cards are told, in their order on the page."""
    protos = (component.proto for component in app.get("bidi_component"))
    return [json.loads(proto.json) for proto in protos if proto.component_name == "camviz_tour"]


def test_the_tour_is_offered_to_who_comes_without_a_link(start: Start) -> None:
    app = start()
    assert [(card["step"], card["asked"]) for card in cards(app)] == [(step, "first") for step in (1, 2, 3, 4)]
    assert [card["next"] for card in cards(app)] == ["Next", "Next", "Next", "Done"]
    app.selectbox(key="method").set_value("layer_cam").run()
    assert len(cards(app)) == 4  # which of them is shown is the browser's affair
    assert cards(start(img="sample:koala")) == []


def test_the_tour_is_asked_for_again_by_the_small_button(start: Start) -> None:
    app = start(img="sample:koala")
    app.button(key="tour").click().run()
    assert [card["asked"] for card in cards(app)] == ["again 1"] * 4
    app.button(key="tour").click().run()
    assert [card["asked"] for card in cards(app)] == ["again 2"] * 4


def told(app: AppTest) -> str:
    return " ".join(box.value for box in (*app.info, *app.error, *app.warning))


def test_compare_without_methods_shows_what_to_do(start: Start) -> None:
    app = start("pages/compare.py")
    app.multiselect(key="columns.methods").set_value([]).run()
    assert not app.exception and "choose at least one row and one column" in told(app)


def test_a_dataset_of_damaged_files_shows_what_to_do(start: Start) -> None:
    app = start("pages/dataset.py")
    app.file_uploader(key="album_upload").set_value([("a.png", b"no image", "image/png")]).run()
    assert not app.exception and "upload others" in told(app) and "a.png" in told(app)


def test_feature_visualization_before_the_first_run_and_the_ranking_without_metrics(start: Start) -> None:
    assert "press the button" in told(start("pages/_inspect.py", layer="blocks.0", inside="visualization"))
    app = start("pages/evaluate.py", test="ranking")
    app.multiselect(key="metrics").set_value([]).run()
    assert "Choose at least one method, one metric and one image." in told(app)


def test_weights_that_cannot_be_fetched_leave_the_page_with_a_sentence(start: Start) -> None:
    app = start(model="resnet18")
    assert not app.exception and "Showing EfficientNet-Lite0 instead" in told(app)
    assert app.title[0].value == "Explain"
