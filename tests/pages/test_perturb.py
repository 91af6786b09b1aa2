"""The page Perturb without a browser: texts of corruptions and attacks, and links that restore them."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import camviz
from camviz import edits, report
from camviz.models import Prediction
from camviz.ui.perturb import attack_request, conclusions, downloads
from camviz.ui.perturb.attack_view import amplification
from camviz.ui.session.language import tr_message

PAGE = "pages/perturb.py"


def text(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def slider_data(app: AppTest) -> dict[str, Any]:
    """Return the data of the slider's component."""
    (found,) = [
        json.loads(one.proto.json)
        for one in app.get("bidi_component")
        if one.proto.component_name == "camviz_perturbation"
    ]
    return found


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The downloads that a page has drawn last: their title, sections and data."""
    found: dict[str, Any] = {}
    offer = downloads.offer

    def note(experiment: Any, title: str, sections: Any, settings: Any, numbers: Any, *rest: str) -> None:
        found.update(title=title, sections=sections, data=lambda: {**settings(), **numbers()})
        offer(experiment, title, sections, settings, numbers, *rest)

    monkeypatch.setattr(downloads, "offer", note)
    return found


def report_of(offered: dict[str, Any]) -> str:
    sections = offered["sections"]()
    assert all(one.alt and one.base64 for section in sections for one in section.images)
    return report.to_html(offered["title"], sections)


def best(*classes: int) -> list[tuple[Prediction, ...]]:
    return [(Prediction(c, f"class {c}", 0.41), Prediction(9, "other", 0.2)) for c in classes]


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ((1, 1, 2, 3), "The prediction changes from level 2 on: class 2, 41%."),
        ((1, 2, 1, 3), "The prediction changes at level 1: class 2, 41%. At some higher levels it is class 1 again."),
        ((1, 1, 1, 1), "The prediction stays class 1 at every level; at level 3 with 41%."),
    ],
)
def test_sentence_names_the_level_of_a_changed_prediction(classes: tuple[int, ...], sentence: str) -> None:
    along = best(*classes)
    assert conclusions.predictions(along, [one[0] for one in along]) == sentence


def test_sentence_names_the_level_of_a_changed_heatmap() -> None:
    full, empty = [False] * 3, [False, False, True]
    assert "first falls below 0.5 at level 2, to 0.40" in conclusions.heatmaps((1.0, 0.5, 0.4), full)
    assert "stays similar to that of the untouched image: 0.50 or more" in conclusions.heatmaps((1.0, 0.5, 0.5), full)
    assert "At level 2 the heatmap is empty" in conclusions.heatmaps((1.0, 0.5, 0.0), empty)


def test_corruption_shows_the_numbers_of_the_package(
    start: Callable[..., AppTest],
    lite0: camviz.Model,
    coffee: Any,
    code: Callable[[AppTest], str],
    offered: dict[str, Any],
) -> None:
    app = start(PAGE, corruption="zoom")
    assert not app.exception and not app.error
    e = camviz.explain(lite0, coffee)
    curve = edits.corruption_curve(lite0, coffee, "zoom")
    heatmaps = camviz.heatmap_curve(e, "zoom")
    shown = slider_data(app)
    explained, first, similarity = (line["heights"] for line in shown["lines"])
    assert explained == pytest.approx(curve.of_class(967), abs=1e-5)
    assert first == pytest.approx([one[0].probability for one in curve.predictions], abs=1e-5)
    assert similarity == pytest.approx([max(0, one) for one in heatmaps.similarities], abs=1e-4)
    level = round(10 * (curve.breaks_at or 0))
    assert level > 0 and shown["first"] == level
    assert f"level {level}" in text(app) and "Level 5 (2.5 times as large): " in shown["words"]["readouts"][5]
    assert [row[0] for row in shown["rows"][0]][:2] == ["espresso", "cup"] and shown["rows"][0][0][3]
    (table,) = (table.value for table in app.table)
    assert list(table["Similarity of the heatmap"]) == [f"{one:.2f}" for one in heatmaps.similarities]
    assert dict(app.query_params) == {"corruption": "zoom"}
    names: dict[str, Any] = {}
    lines = code(app).replace("'coffee.jpg'", repr(str(coffee)))
    exec(lines, names)
    assert names["heatmaps"].similarities == pytest.approx(heatmaps.similarities, abs=1e-4)
    data = json.loads(json.dumps(offered["data"](), allow_nan=False))
    assert [one["probability"] for one in data["explained"]] == pytest.approx(curve.of_class(967), abs=1e-5)
    assert [one["label"] for one in data["predicted"]] == [one[0].label for one in curve.predictions]
    assert (data["breaks_at"], data["heatmap_breaks_at"]) == (curve.breaks_at, heatmaps.breaks_at)
    assert camviz.explain(**{**data["heatmap"], "image": str(coffee)}).question.key == e.question.key
    written = report_of(offered)
    assert f"The prediction changes from level {level} on" in written and written.count("<polyline") == 3
    assert written.count("<img") >= 6 and "5: 2.5 times as large" in written


def test_slow_heatmaps_wait_for_a_click_but_predictions_do_not(
    start: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camviz.ui.server.tasks.PATIENCE", 0.0)
    app = start(PAGE, level="7")
    assert not app.exception
    shown = slider_data(app)
    assert shown["first"] == 7 and len(shown["lines"]) == 2 and "heats" not in shown
    (button,) = [one for one in app.button if one.key == "corruption_maps.start"]
    assert button.label.startswith("Compute the heatmaps of all levels")
    button.click().run()
    assert not app.exception and len(slider_data(app)["lines"]) == 3 and slider_data(app)["heats"]
    assert dict(app.query_params) == {"level": "7"}


def test_attack_shows_the_numbers_of_the_package(
    start: Callable[..., AppTest],
    lite0: camviz.Model,
    coffee: Any,
    monkeypatch: pytest.MonkeyPatch,
    code: Callable[[AppTest], str],
    offered: dict[str, Any],
) -> None:
    monkeypatch.setattr("camviz.ui.server.tasks.PATIENCE", 1e6)
    link = {"perturb": "attack", "attack.epsilon": "8", "pgd.steps": "3"}
    app = start(PAGE, **link)
    assert not app.exception and not app.error
    found = camviz.adversarial.attack(lite0, coffee, epsilon=8 / 255, steps=3)
    noise = camviz.adversarial.noise(lite0, coffee, epsilon=8 / 255)
    assert found.success and not noise.success
    fooled = tr_message(found.after[0].label)
    assert (
        f"A change of at most 8/255 per pixel turns espresso (96%) into {fooled} "
        f"({found.after[0].shown(0)}). Random noise of the same size leaves it at espresso ({noise.after[0].shown(0)})."
    ) in text(app)
    factor = amplification(found)
    assert f"Perturbation, amplified {factor} times" in text(app) and factor == 15
    assert np.abs(found.amplified(factor).astype(int) - 127.5).max() <= 8 * factor + 1
    assert f"Grad-CAM of {fooled}" in text(app) and text(app).count("Grad-CAM of espresso") == 3
    assert dict(app.query_params) == link
    lines = code(app)
    assert "camviz.adversarial.attack(model, 'coffee.jpg', method='pgd', epsilon=8/255, steps=3)" in lines
    names: dict[str, Any] = {}
    exec(lines.replace("'coffee.jpg'", repr(str(coffee))), names)
    assert (names["attack"].perturbed_pixels == found.perturbed_pixels).all()
    data = json.loads(json.dumps(offered["data"](), allow_nan=False))
    assert (
        data["attack"]["epsilon"]
        == 8 / 255
        == data["largest_change"]
        == data["noise_of_the_same_size"]["largest_change"]
    )
    assert data["l2_norm"] == pytest.approx(np.linalg.norm(found.perturbation)) and data["success"] is True
    assert [one["label"] for one in data["after"]] == [one.label for one in found.after]
    fooled_recipe = data["heatmaps"][1]
    assert fooled_recipe["image"]["sha256"] == camviz.images.decode_image(found.perturbed_pixels).digest
    written = report_of(offered)
    assert "A change of at most 8/255 per pixel turns espresso" in written and written.count("<img") == 8
    assert "<td>8/255</td><td>8/255</td>" in written and f"heatmap of {found.after[0].label}" in written
    app.selectbox(key="attack.target").set_value(967).run()
    assert "already" in text(app) and not app.exception  # a target that is predicted anyway


def test_class_image_is_synthesized_after_a_click(
    start: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(camviz.ui.perturb.class_image.SETTINGS, "steps", 2)
    monkeypatch.setattr(attack_request, "PASSES", 0)
    app = start(PAGE, perturb="attack", attack="fgsm", target="388")
    button = app.button(key="class_image.start")
    assert button.label.startswith("Synthesize the image")
    button.click().run()
    assert not app.exception and "The model predicts **" in text(app)
    assert "An image that only the model takes for giant panda" in [one.value for one in app.header]
