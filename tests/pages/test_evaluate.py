"""The Evaluate page without a browser: results of each test, waiting for a click, and continuing after Cancel."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch

from camviz import METHODS, explain, images, measure, scores
from camviz.evaluation.perturbation_curve import Curve, filler_image
from camviz.evaluation.registry import METRICS, Subject
from camviz.ui.evaluate import conclusions, perturbed_images, pointing_game, ranking
from camviz.ui.inputs.experiment import Experiment
from camviz.ui.inputs.image_input import InputImage
from camviz.ui.learn import steps
from camviz.ui.results import cost, explanations, metrics
from camviz.ui.server import store, tasks

PAGE = "pages/evaluate.py"
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
FIVE = ("polar_bear", "panda", "coffee", "koala", "macaw")  # the network is sure of them


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def buttons(app) -> list[str]:
    return [button.label for button in app.button if " (about " in button.label]


def page_of(downloads) -> str:
    return downloads["Report (HTML)"]()


@pytest.fixture
def waiting(monkeypatch) -> None:
    """Let slow work wait for a click."""
    monkeypatch.setattr("camviz.ui.results.cost.seconds_per_pass", lambda _: 1.0)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Compute everything without a click."""
    monkeypatch.setattr("camviz.ui.server.tasks.PATIENCE", 1e6)


def subject(lite0, coffee, method="grad_cam") -> Subject:
    e, x = explain(lite0, coffee, method), lite0.preprocess(coffee)
    return Subject(lite0.net, x, scores.probability(e.target), torch.from_numpy(e.attribution))


def test_curves_are_shown_at_once_and_slow_metrics_show_their_time(start, waiting) -> None:
    app = start(PAGE, steps="4")
    assert not app.exception and not app.warning
    assert not [button.key for button in app.button if button.key and button.key.startswith(("curves.", "controls."))]
    (others,) = buttons(app)  # of all metrics, those of few passes included
    heatmaps = 1 + len(metrics.CONTROLS)
    passes = sum(METRICS[key].cost for key in ("road", "average_drop", "increase_in_confidence", "infidelity"))
    number, unit = re.search(r"about ([\d.]+) (s|min)", others).groups()
    seconds = float(number) * {"s": 1, "min": 60}[unit]
    assert passes == 144 and seconds >= cost.SERIES * heatmaps * passes  # and some explanations, whose time is measured
    (table,) = (table.value for table in app.table)
    assert set(table["This heatmap"]) == set(table["Best control"]) == {"pending"}


def test_curves_equal_those_of_the_package_and_of_the_controls(start, waiting, lite0, coffee) -> None:
    app = start(PAGE, steps="4")
    assert not app.exception
    given = subject(lite0, coffee)
    found = {key: METRICS[key].measure(given, steps=4) for key in ("deletion", "insertion")}
    shown = [heading.value for heading in app.subheader if ":" in heading.value]
    assert shown == [f"{METRICS[key].title}: {curve.area:.3f}" for key, curve in found.items()]
    assert conclusions.curves("espresso", *found.values()) in text(app)
    assert "On this image it is no better than Center Gaussian in insertion." in text(app)
    center = METRICS["insertion"].measure(subject(lite0, coffee, "center_gaussian"), steps=4).area
    assert center > found["insertion"].area
    assert f"Best control: {center:.3f} (Center Gaussian). Higher is better." in text(app)
    assert METRICS["insertion"].limitation in text(app) and "pending." not in text(app)
    assert dict(app.query_params) == {"steps": "4"}


def test_canceled_controls_are_pending_and_finished_ones_are_kept(start, waiting, monkeypatch) -> None:
    computed, most = [], 3  # both curves of the heatmap, and one of the first control

    def compute(question, metric, report, **settings):
        if len(computed) == most:
            st.stop()  # as Cancel does
        computed.append((question.method.key, metric.key))
        return Curve((0, 1), (1, 0.5))

    monkeypatch.setattr(metrics, "compute", compute)
    app = start(PAGE)
    assert app.subheader[0].value == "Deletion: 0.750"
    app.button(key="controls.stop").click().run()
    assert not app.exception and len(computed) == most
    assert "Best control: pending. Lower is better." in text(app) and "no better than" not in text(app)
    assert buttons(app)[0].startswith("Compare with the controls (about ")
    most = 8
    app.button(key="controls.start").click().run()
    assert computed[3:] == [(key, test) for key in metrics.CONTROLS for test in ("deletion", "insertion")][:5]
    most = 9
    app.run()
    app.button(key="controls.start").click().run()
    assert computed[8:] == [("center_gaussian", "deletion")]


def test_other_metrics_equal_those_of_the_package(start, quick, lite0, coffee, monkeypatch) -> None:
    keys = ("average_drop", "sparseness")
    monkeypatch.setattr("camviz.ui.evaluate.heatmap_tests.ALONE", keys)
    app = start(PAGE, steps="2", filler="mean")
    assert not app.exception
    (table,) = (table.value for table in app.table)
    expected = [METRICS[key].measure(subject(lite0, coffee)) for key in keys]
    assert list(table["This heatmap"]) == [f"{value:.3f}" for value in expected]
    controls = {key: subject(lite0, coffee, key) for key in metrics.CONTROLS}
    for key, texts in zip(keys, table["Best control"], strict=True):
        values = {METHODS[control].title: METRICS[key].measure(given) for control, given in controls.items()}
        best = {"low": min, "high": max}[METRICS[key].better](values, key=values.get)
        assert texts == f"{values[best]:.3f} ({best})"
    assert all(METRICS[key].limitation in row for key, row in zip(keys, table.iloc[:, -1], strict=True))


def test_image_at_each_step_is_the_model_s_input(start, lite0, coffee) -> None:
    question = start(PAGE, steps="2").session_state["experiment"].question(METHODS["grad_cam"])
    e, given = explanations.compute(question), subject(lite0, coffee)
    curve = METRICS["insertion"].measure(given, steps=5)
    found = perturbed_images.replacement(e, 5, "blur")
    filler = filler_image(given.x, "blur")
    steps = torch.from_numpy(found.steps)
    assert steps.min() == 1 and steps.max() == 5
    for step, (share, value) in enumerate(zip(curve.fractions, curve.values, strict=True)):
        assert (steps <= step).double().mean().item() == pytest.approx(share)
        x = torch.where(steps <= step, given.x, filler)
        assert given.score(lite0.net(x)).item() == pytest.approx(value, abs=1e-5)
    shown = np.asarray(images.decode(found.filler), dtype=float)
    assert np.abs(shown - lite0.denormalize(filler[0])).mean() < 3  # a JPEG of it
    texts = perturbed_images.readouts(lite0, METRICS["insertion"], Curve((0, 0.5, 1), (0, 0.25, 0.957)), "espresso")
    assert texts == [
        "0% of the pixels inserted: the probability of espresso is <0.1%.",
        "50% of the pixels inserted: the probability of espresso is 25%.",
        "100% of the pixels inserted: the probability of espresso is 96%.",
    ]


def test_randomization_and_class_contrast(start, quick, downloads, lite0, coffee) -> None:
    app = start(PAGE, test="randomization", method="edge_detector")
    assert not app.exception
    assert "The heatmap hardly changes although all weights are random" in text(app)
    assert "Mean of |r|: 1.00. Best control: " in text(app) and "down to conv\\_stem" in text(app)
    assert "pending" not in text(app)
    assert "The heatmap is nearly the same for every class" in text(app)
    protos = [element.proto for element in app.get("bidi_component")]
    groups = [json.loads(one.json)["group"] for one in protos if one.component_name == "camviz_stage"]
    assert groups == ["evaluated", *["randomized"] * 9, *["other_classes"] * 6]
    page = page_of(downloads)
    assert "The heatmap hardly changes although all weights are random" in page and "<polyline" in page
    assert "Heatmaps of other classes" in page and page.count("data:image/jpeg") > 8
    app.selectbox(key="method").set_value("grad_cam").run()
    assert "The heatmap hardly changes" not in text(app) and "Most similar: cup, r = 0.98." in text(app)
    control = float(measure(explain(lite0, coffee, "random_cam"), "randomization"))
    assert f"Best control: {control:.2f} (Random-CAM). Lower is better." in text(app)
    assert "Best control: 1.00 (" in text(app)  # no control depends on the class


def test_pointing_game_uses_images_with_confident_predictions(start, quick, downloads) -> None:
    app = start(PAGE, test="pointing", pointing_methods="grad_cam,center_gaussian")
    assert not app.exception
    quarters = app.multiselect(key="quarters")
    assert [key.partition(":")[2] for key in quarters.value] == ["polar_bear", "panda", "coffee", "koala"]
    (table,) = (table.value for table in app.dataframe)
    assert list(table["Method"]) == ["Grad-CAM", "Center Gaussian (control)"]
    assert table["In the correct quarter"][0] > 0.7 and table["In the correct quarter"][1] == pytest.approx(
        0.25, abs=1e-3
    )
    assert "Most of the heatmap lies on the image of the explained class." in text(app)
    page = page_of(downloads)
    assert "<td>25%</td>" in page and "Center Gaussian (control)" in page and page.count("data:image/jpeg") == 4
    quarters.set_value(quarters.value[:3]).run()
    assert "Choose four images." in text(app) and not app.exception


def test_stored_map_does_not_shorten_the_estimate_of_work_that_recomputes_it(start, monkeypatch) -> None:
    experiment, method = start(layer="blocks.4").session_state["experiment"], METHODS["score_cam"]
    monkeypatch.setattr("camviz.ui.results.cost.estimate", lambda _: 42.0)
    question, estimates = experiment.question(method), []
    grad_cam = explanations.answer(experiment.question(METHODS["grad_cam"]))
    store.result_store().put(question.key, grad_cam.result)  # whatever map it is
    assert explanations.expected_seconds(question) == 0
    assert pointing_game.seconds(question) == 16 * 42
    monkeypatch.setattr(tasks, "run", lambda name, key, seconds, *_: estimates.append(seconds))
    steps.draw("score_cam", experiment)
    assert estimates == [42]


def test_untrained_model_has_no_confident_predictions(start) -> None:
    app = start(PAGE, test="pointing", model="squeezenet1_1", untrained="1")
    assert not app.exception and "there are 0" in text(app)


def test_ranking_is_computed_after_a_click_and_continues(start, waiting, downloads) -> None:
    link = {"ranking_methods": "grad_cam", "metrics": "average_drop,sparseness", "images": "sample:coffee,sample:koala"}
    app = start(PAGE, test="ranking", **link)
    assert not app.exception and not app.dataframe
    (label,) = buttons(app)
    assert label.startswith("Compute 16 numbers (about ")
    app.button(key="league.start").click().run()
    assert not app.exception and not buttons(app)
    (table,) = (table.value for table in app.dataframe)
    assert list(table["Method"])[0] == "Grad-CAM" and len(table) == 4
    assert table["Average drop ↓"][0] < table["Average drop ↓"][1] and "Means over 2 images" in text(app)
    assert set(table["Average drop, 95%"]) == {"–"}  # no interval over two images
    page = page_of(downloads)
    assert "Means over 2 images" in page and "<td>coffee.jpg</td><td>espresso</td>" in page
    app.multiselect(key="images").set_value(["sample:coffee", "sample:koala", "sample:panda"]).run()
    assert buttons(app)[0].startswith("Compute 8 numbers (about ")  # the others are kept
    (partial,) = (table.value for table in app.dataframe)  # and shown meanwhile
    assert partial["Average drop ↓"][0] == f"{table['Average drop ↓'][0]:.3f}, n = 2"


def test_canceled_ranking_compares_complete_images_and_continues(start, waiting, monkeypatch) -> None:
    computed, most = [], 11  # the 4 rows of two images, then 3 of the third

    def number(question, metric, report):
        if len(computed) == most:
            st.stop()  # as Cancel does
        computed.append((question.image.name, question.method.key))
        value = len(computed) / 100
        metrics.keep(question, metric, value)
        return value

    monkeypatch.setattr(metrics, "number", number)
    over = ["coffee", "koala", "panda", "macaw"]
    app = start(
        PAGE,
        test="ranking",
        ranking_methods="grad_cam",
        metrics="deletion",
        images=",".join(f"sample:{one}" for one in over),
    )
    app.button(key="league.start").click().run()
    assert [name for name, _ in computed] == [f"{one}.jpg" for one in over[:3] for _ in range(4)][:most]
    app.button(key="league.stop").click().run()
    assert not app.exception and len(computed) == most
    assert buttons(app)[0].startswith("Continue with 5 numbers (about ")
    (table,) = (table.value for table in app.dataframe)
    rows = [0.03, 0.04, 0.05, 0.06]  # row r of image i was computed as number 4 i + r + 1: means over i = 0 and 1
    assert list(table["Deletion ↓"]) == [f"{one:.3f}, n = 2" for one in rows]
    assert set(table["Deletion, 95%"]) == {"–"} and table["Beats all controls in"][0] == "–"
    assert "Means over 2 images" in text(app) and "for 2 of 4 images" in text(app)
    most = 16
    app.button(key="league.start").click().run()
    assert not buttons(app) and "league.stop" not in [button.key for button in app.button]
    (table,) = (table.value for table in app.dataframe)
    assert list(table["Deletion ↓"]) == pytest.approx([0.07, 0.08, 0.09, 0.10])
    assert table["Beats all controls in"][0] == "1 / 1: Deletion" and "–" not in set(table["Deletion, 95%"])
    assert "Means over 4 images" in text(app) and "of 4 images" not in text(app)


def test_pointing_game_in_the_ranking_is_the_share_per_quarter(start, quick) -> None:
    over = "sample:polar_bear,sample:panda,sample:coffee,sample:koala,sample:macaw"
    app = start(PAGE, test="ranking", ranking_methods="grad_cam", metrics="pointing_game", images=over)
    assert not app.exception
    (table,) = (table.value for table in app.dataframe)
    assert list(table["Method"]) == ["Grad-CAM", *(f"{METHODS[key].title} (control)" for key in metrics.CONTROLS)]
    shares = dict(zip(table["Method"], table["Pointing game ↑"], strict=True))
    assert shares["Grad-CAM"] > 0.7 and shares["Center Gaussian (control)"] == pytest.approx(0.25, abs=1e-3)
    app = start(
        PAGE, test="pointing", pointing_methods="grad_cam"
    )  # the surest four are the first mosaic of the league
    assert not [button for button in app.button if button.key == "pointing.start"]


def test_mosaics_give_every_confident_image_one_quarter(lite0) -> None:
    found = {key: InputImage(key, images.decode_image(SAMPLES / f"{key}.jpg")) for key in FIVE}
    given = pointing_game.mosaics(Experiment(found["coffee"], lite0, ("bn2",), "crop"), found)
    assert [quarter for _, _, quarter in given] == [0, 1, 2, 3, 0] and {key for key, _, _ in given} == set(FIVE)
    for key, mosaic, quarter in given:
        assert mosaic.images[quarter] is found[key]
        assert len({one.index for one in mosaic.predictions}) == 4


def test_report_of_the_curves_contains_numbers_and_map(start, waiting, downloads, lite0, coffee) -> None:
    app = start(PAGE, steps="4")
    assert not app.exception
    page = html.unescape(page_of(downloads))
    found = {key: METRICS[key].measure(subject(lite0, coffee), steps=4) for key in ("deletion", "insertion")}
    assert conclusions.curves("espresso", *found.values()) in page
    for key, curve in found.items():
        assert f"{METRICS[key].title}: area {curve.area:.3f} for Grad-CAM" in page and METRICS[key].limitation in page
    assert "Grad-CAM of espresso" in page and page.count("<polyline") == 8 and "steps=4" in page
    assert "Other metrics of this heatmap" in page and "<script" not in page


def test_code_in_the_report_gives_the_same_numbers(start, quick, downloads, lite0, coffee, monkeypatch, capsys) -> None:
    monkeypatch.setattr("camviz.ui.evaluate.heatmap_tests.ALONE", ("sparseness",))
    start(PAGE, steps="2")
    page = html.unescape(page_of(downloads))
    blocks = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    explained = next(one for one in blocks if "camviz.explain(" in one)
    program = "\n".join([explained, *(one for one in blocks if "camviz.measure(" in one)])
    monkeypatch.chdir(SAMPLES)
    exec(program, {})
    texts = dict(re.findall(r"^(\w+) ([\d.]+)$", capsys.readouterr().out, re.MULTILINE))
    given = subject(lite0, coffee)
    expected = {key: float(METRICS[key].measure(given, steps=2)) for key in ("deletion", "insertion")}
    expected["sparseness"] = float(METRICS["sparseness"].measure(given))
    assert {key: float(value) for key, value in texts.items()} == pytest.approx(expected, abs=1e-6)


def test_unsuitable_methods_show_an_error(start, waiting) -> None:
    app = start(PAGE, model="efficientnet_b0", untrained="1", method="guided_backprop")
    assert not app.exception
    assert len(app.error) == 1 and "ReLU" in app.error[0].value
    app = start(PAGE, test="nonsense", filler="holes", steps="2")
    assert len(app.warning) == 2 and not app.exception


# ----------------------------------------------------------------------------------------- tables and conclusions


def example_ranking() -> ranking.Ranking:
    values = {
        "grad_cam": {"deletion": [0.1, 0.2, 0.3, 0.2], "insertion": [0.5, 0.9, nan, None]},
        "layer_cam": {"deletion": [None] * 4, "insertion": [nan] * 4},
        "random_cam": {"deletion": [0.4, 0.3, 0.5, 0.6], "insertion": [0.6, 0.2, 0.5, 0.5]},
    }
    rows = [ranking.Row(METHODS[key], line) for key, line in values.items()]
    return ranking.Ranking(rows, [METRICS["deletion"], METRICS["insertion"]], 4)


def test_methods_are_compared_on_images_that_every_row_has() -> None:
    found = example_ranking()
    (first, missing, control), (deletion, insertion) = found.rows, found.metrics
    assert found.images(deletion) == [0, 1, 2, 3] and found.images(insertion) == [0, 1]
    assert found.standing(first, insertion).mean == pytest.approx(0.7)
    assert found.standing(control, insertion).mean == pytest.approx(0.4)  # not 0.45, over all four
    assert found.standing(missing, deletion) is None and found.standing(missing, insertion) is None
    assert found.beaten(first) == ([deletion], [deletion])  # two images decide nothing
    assert found.beaten(missing) == ([], [])
    assert found.count == 4 and "every row" not in found.sentence
    columns = ranking.columns_of(found)
    assert columns["Beats all controls in"] == ["1 / 1: Deletion", "–", ""]
    assert columns["Deletion ↓"] == ["0.200", "–", "0.450"]
    assert columns["Insertion ↑"] == ["0.700, n = 2", "–", "0.400, n = 2"]
    assert columns["Insertion, 95%"] == ["–"] * 3 and columns["Deletion, 95%"][1] == "–"
    assert not any(cell is None for cells in columns.values() for cell in cells)


def test_ranking_without_controls_decides_nothing() -> None:
    row, control = (METHODS[key] for key in ("grad_cam", "random_cam"))
    rows = [
        ranking.Row(row, {"deletion": [0.1, 0.2, 0.3, None]}),
        ranking.Row(control, {"deletion": [None] * 4}),
    ]
    found = ranking.Ranking(rows, [METRICS["deletion"]], 4)
    columns = ranking.columns_of(found)
    assert columns["Deletion ↓"] == ["0.200, n = 3", "–"] and columns["Beats all controls in"] == ["–", ""]
    assert found.sentence.startswith("Means over 3 images") and "for 3 of 4 images" in found.sentence
    assert ranking.columns_of(ranking.Ranking(rows[1:], [METRICS["deletion"]], 4)) == {}


def test_csv_contains_every_number(lite0, coffee) -> None:
    image = images.DecodedImage(images.decode(coffee), "=1+1.jpg")
    experiment = Experiment(InputImage("sample:coffee", image), lite0, ("bn2",), "crop")
    table = list(csv.DictReader(io.StringIO(ranking.summary(experiment, example_ranking()))))
    assert len(table) == 4 and table[0]["method"] == "grad_cam" and float(table[0]["mean"]) == pytest.approx(0.2)
    assert float(table[0]["low"]) < 0.2 < float(table[0]["high"])
    assert (table[1]["metric"], table[1]["better"], table[1]["images"]) == ("insertion", "high", "2")
    assert (table[1]["low"], table[1]["high"]) == ("", "")
    single = list(csv.DictReader(io.StringIO(ranking.numbers(experiment, example_ranking(), "abcd"))))
    assert len(single) == 4 + 2 + 4 + 4
    assert single[5] == {
        "model": "efficientnet_lite0",
        "weights": str(lite0.weights),
        "layer": "bn2",
        "method": "grad_cam",
        "metric": "insertion",
        "image": "b",
        "value": "0.9",
    }


def test_contrast_is_evaluated_by_the_probability_of_its_first_class(lite0, coffee) -> None:
    image = InputImage("sample:coffee", images.decode_image(coffee))
    experiment = Experiment(image, lite0, ("bn2",), "crop", target=7, rival=9)
    assert experiment.question(METHODS["grad_cam"]).class_index == 7
    assert [one.key for one in metrics.controls_for(replace(experiment, layers=()))] == [
        "edge_detector",
        "center_gaussian",
    ]


@pytest.mark.parametrize(
    ("correlations", "part"),
    [
        ([1, 0.95, 0.9, 0.85], "hardly changes"),
        ([1, 0.97, 0.5, 0.1], "does not change when the last layer"),
        ([1, 0.7, 0.4, 0.6], "much of it remains"),
        ([1, 0.8, 0.5, 0.2], "changes slowly"),
        ([1, -0.3, 0.1, 0.0], "as soon as"),
        ([1, -0.95, -0.9, -0.9], "hardly changes"),  # upside down is not another map
    ],
)
def test_conclusion_fits_the_randomization_curve(correlations, part) -> None:
    assert part in conclusions.randomization(correlations)


def test_conclusions_fit_the_curves() -> None:
    falling, rising = Curve((0, 0.2, 1), (0.9, 0.1, 0)), Curve((0, 0.2, 1), (0, 0.8, 0.9))
    text_of_curves = conclusions.curves("cat", falling, rising)
    assert (
        "10% of the pixels changes the probability of cat from 90% to 50%" in text_of_curves
        and "it is 40%." in text_of_curves
    )
    flat = Curve((0, 1), (0.9, 0.0)), Curve((0, 1), (0.0, 0.9))
    assert "beats every control" in conclusions.against((falling, rising), {"Edges": flat})
    lost = conclusions.against(flat, {"Edges": (falling, rising), "Center": (falling, flat[1])})
    assert "no better than Edges and Center in deletion and no better than Edges and Center in insertion" in lost


@pytest.mark.parametrize(("share", "part"), [(0.25, "hardly"), (0.5, "prefers"), (0.9, "Most of the heatmap")])
def test_conclusion_fits_the_pointing_game(share, part) -> None:
    assert part in conclusions.pointing(share)


@pytest.mark.parametrize(
    ("value", "part"), [(0.95, "nearly the same"), (0.7, "nearly the same places"), (0.1, "Most similar: cup")]
)
def test_conclusion_fits_the_class_contrast(value, part) -> None:
    assert part in conclusions.classes(value, "cup")
