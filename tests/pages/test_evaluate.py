"""The Evaluate page without a browser: what each test says of the map, that it waits, and that it goes on."""

import csv
import html
import io
import re
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import torch

from camviz import METHODS, explain, images, scores
from camviz.evaluation import registry
from camviz.evaluation.perturbation_curve import Curve
from camviz.evaluation.registry import METRICS, Subject
from camviz.ui.evaluate import conclusions, pointing_game, ranking
from camviz.ui.inputs.experiment import Experiment
from camviz.ui.inputs.image_input import InputImage
from camviz.ui.learn import steps
from camviz.ui.results import explanations, metrics
from camviz.ui.server import store, tasks

PAGE = "pages/evaluate.py"
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
FIVE = ("polar_bear", "panda", "coffee", "koala", "macaw")  # the network is sure of them


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def buttons(app) -> list[str]:
    return [button.label for button in app.button if " (about " in button.label]


@pytest.fixture
def waiting(monkeypatch) -> None:
    """Nothing that takes time is computed without a click."""
    monkeypatch.setattr("camviz.ui.results.cost.seconds_per_pass", lambda _: 1.0)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Everything is computed without a click."""
    monkeypatch.setattr("camviz.ui.server.tasks.PATIENCE", 1e6)


def subject(lite0, coffee) -> Subject:
    e, x = explain(lite0, coffee), lite0.preprocess(coffee)
    return Subject(lite0.net, x, scores.probability(e.target), torch.from_numpy(e.attribution))


def test_slow_tests_show_their_time_and_wait_for_a_click(start, waiting) -> None:
    app = start(PAGE, steps="4")
    assert not app.exception and not app.warning
    curves, others = buttons(app)
    assert curves == "Compute the curves (about 10 s)"  # twice five passes
    passes = sum(METRICS[key].cost for key in ("road", "average_drop", "increase_in_confidence", "infidelity"))
    number, unit = re.search(r"about ([\d.]+) (s|min)", others).groups()
    assert float(number) * {"s": 1, "min": 60}[unit] >= passes == 144  # and some explanations, whose time is measured
    assert not app.subheader or "Deletion" not in app.subheader[-1].value


def test_the_curves_equal_those_of_the_package_and_of_the_controls(start, waiting, lite0, coffee) -> None:
    app = start(PAGE, steps="4")
    app.button(key="curves.start").click().run()
    given = subject(lite0, coffee)
    found = {key: METRICS[key].measure(given, steps=4) for key in ("deletion", "insertion")}
    shown = [heading.value for heading in app.subheader if ":" in heading.value]
    assert shown == [f"{METRICS[key].title}: {curve.area:.3f}" for key, curve in found.items()]
    assert conclusions.curves("espresso", *found.values()) in text(app)
    assert "no better than" not in text(app) and METRICS["insertion"].limitation in text(app)
    app.button(key="controls.start").click().run()
    assert not app.exception
    assert "On this image it is no better than Center Gaussian in insertion." in text(app)
    assert dict(app.query_params) == {"steps": "4"}


def test_the_other_metrics_equal_those_of_the_package(start, quick, lite0, coffee, monkeypatch) -> None:
    monkeypatch.setattr("camviz.ui.evaluate.heatmap_tests.ALONE", ("average_drop", "sparseness"))
    app = start(PAGE, steps="2", filler="mean")
    assert not app.exception
    (table,) = (table.value for table in app.table)
    given = subject(lite0, coffee)
    expected = [METRICS[key].measure(given) for key in ("average_drop", "sparseness")]
    assert list(table["This heatmap"]) == [f"{value:.3f}" for value in expected]
    assert all(
        METRICS[key].limitation in row
        for key, row in zip(("average_drop", "sparseness"), table.iloc[:, -1], strict=True)
    )


def test_randomization_and_other_classes(start, quick) -> None:
    app = start(PAGE, test="randomization", method="edge_detector")
    assert not app.exception
    assert "The heatmap hardly changes although all weights are random" in text(app)
    assert "Mean of |r|: 1.00." in text(app) and "down to conv\\_stem" in text(app)
    assert "The heatmap is nearly the same for every class" in text(app)
    app.selectbox(key="method").set_value("grad_cam").run()
    assert "The heatmap hardly changes" not in text(app) and "Most similar: cup, r = 0.98." in text(app)


def test_the_pointing_game_uses_images_with_confident_predictions(start, quick) -> None:
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
    quarters.set_value(quarters.value[:3]).run()
    assert "Choose four images." in text(app) and not app.exception


def test_a_map_that_is_there_already_shortens_no_work_that_computes_it_anew(start, monkeypatch) -> None:
    experiment, method = start(layer="blocks.4").session_state["experiment"], METHODS["score_cam"]
    monkeypatch.setattr("camviz.ui.results.cost.estimate", lambda _: 42.0)
    question, asked = experiment.question(method), []
    grad_cam = explanations.answer(experiment.question(METHODS["grad_cam"]))
    store.result_store().put(question.key, grad_cam.result)  # whatever map it is
    assert explanations.expected_seconds(question) == 0
    assert pointing_game.seconds(question) == 16 * 42
    monkeypatch.setattr(tasks, "run", lambda name, key, seconds, *_: asked.append(seconds))
    steps.draw("score_cam", experiment)
    assert asked == [42]


def test_an_untrained_model_has_no_confident_predictions(start) -> None:
    app = start(PAGE, test="pointing", model="squeezenet1_1", untrained="1")
    assert not app.exception and "there are 0" in text(app)


def test_the_table_of_methods_is_computed_after_a_click_and_goes_on_where_it_stopped(start, waiting) -> None:
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
    app.multiselect(key="images").set_value(["sample:coffee", "sample:koala", "sample:panda"]).run()
    assert buttons(app)[0].startswith("Compute 8 numbers (about ")  # the others are kept
    assert len(app.dataframe) == 1  # and shown meanwhile


def test_the_pointing_game_in_the_league_is_the_share_in_each_pictures_quarter(start, quick) -> None:
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
        assert mosaic.pictures[quarter] is found[key]
        assert len({one.index for one in mosaic.predictions}) == 4


def page_of(downloads) -> str:
    return downloads["Report (HTML)"]()


def test_the_report_of_the_curves_has_numbers_and_map(start, quick, downloads, lite0, coffee) -> None:
    app = start(PAGE, steps="4")
    assert not app.exception
    page = html.unescape(page_of(downloads))
    found = {key: METRICS[key].measure(subject(lite0, coffee), steps=4) for key in ("deletion", "insertion")}
    assert conclusions.curves("espresso", *found.values()) in page
    for key, curve in found.items():
        assert f"{METRICS[key].title}: area {curve.area:.3f} for Grad-CAM" in page and METRICS[key].limitation in page
    assert "Grad-CAM of espresso" in page and page.count("<polyline") == 8 and "steps=4" in page
    assert "Other metrics of this heatmap" in page and "<script" not in page


def test_the_code_in_the_report_gives_the_same_numbers(
    start, quick, downloads, lite0, coffee, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("camviz.ui.evaluate.heatmap_tests.ALONE", ("sparseness",))
    start(PAGE, steps="2")
    page = html.unescape(page_of(downloads))
    blocks = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    explained = next(one for one in blocks if "camviz.explain(" in one)
    program = "\n".join([explained, *(one for one in blocks if "camviz.measure(" in one)])
    monkeypatch.chdir(SAMPLES)
    exec(program, {})
    told = dict(re.findall(r"^(\w+) ([\d.]+)$", capsys.readouterr().out, re.MULTILINE))
    given = subject(lite0, coffee)
    expected = {key: float(METRICS[key].measure(given, steps=2)) for key in ("deletion", "insertion")}
    expected["sparseness"] = float(METRICS["sparseness"].measure(given))
    assert {key: float(value) for key, value in told.items()} == pytest.approx(expected, abs=1e-6)


def test_the_other_tests_have_a_report_too(start, quick, downloads) -> None:
    start(PAGE, test="randomization", method="edge_detector")
    page = page_of(downloads)
    assert "The heatmap hardly changes although all weights are random" in page and "<polyline" in page
    assert "Heatmaps of other classes" in page and page.count("data:image/jpeg") > 8
    start(PAGE, test="pointing", pointing_methods="center_gaussian")
    page = page_of(downloads)
    assert "<td>25%</td>" in page and "Center Gaussian (control)" in page and page.count("data:image/jpeg") == 4
    start(PAGE, test="ranking", ranking_methods="grad_cam", metrics="sparseness", images="sample:coffee,sample:koala")
    page = page_of(downloads)
    assert "Means over 2 images" in page and "<td>coffee.jpg</td><td>espresso</td>" in page


def test_methods_that_cannot_be_used_are_reported(start, waiting) -> None:
    app = start(PAGE, model="efficientnet_b0", untrained="1", method="guided_backprop")
    assert not app.exception
    assert len(app.error) == 1 and "ReLU" in app.error[0].value
    app = start(PAGE, test="nonsense", filler="holes")
    assert len(app.warning) == 2 and not app.exception


# -------------------------------------------------------------------------------------------- tables and words


def rows() -> tuple[list[ranking.Row], list[registry.Metric]]:
    metrics = [METRICS["deletion"], METRICS["insertion"]]
    values = {
        "grad_cam": {"deletion": [0.1, 0.2, 0.3, 0.2], "insertion": [0.5, 0.9, nan, None]},
        "random_cam": {"deletion": [0.4, 0.3, 0.5, 0.6], "insertion": [0.6, 0.2, 0.5, 0.5]},
    }
    return [ranking.Row(METHODS[key], line) for key, line in values.items()], metrics


def test_a_row_beats_another_only_where_the_pictures_agree() -> None:
    (first, control), (deletion, insertion) = rows()
    assert first.beats(control, deletion) and not control.beats(first, deletion)
    assert not first.beats(control, insertion) and not control.beats(first, insertion)
    assert first.standing(insertion).count == 2 and first.standing(insertion).mean == pytest.approx(0.7)


def test_the_csv_has_every_number(lite0, coffee) -> None:
    image = images.DecodedImage(images.decode(coffee), "=1+1.jpg")
    experiment = Experiment(InputImage("sample:coffee", image), lite0, ("bn2",), "crop")
    found, metrics = rows()
    table = list(csv.DictReader(io.StringIO(ranking.summary(experiment, found, metrics))))
    assert len(table) == 4 and table[0]["method"] == "grad_cam" and float(table[0]["mean"]) == pytest.approx(0.2)
    assert (table[1]["metric"], table[1]["better"], table[1]["images"]) == ("insertion", "high", "2")
    single = list(csv.DictReader(io.StringIO(ranking.numbers(experiment, found, metrics, "abcd"))))
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


def test_of_a_rather_than_b_the_probability_of_a_is_watched(lite0, coffee) -> None:
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
def test_the_conclusion_fits_the_randomization_curve(correlations, part) -> None:
    assert part in conclusions.randomization(correlations)


def test_the_conclusions_fit_the_curves() -> None:
    falling, rising = Curve((0, 0.2, 1), (0.9, 0.1, 0)), Curve((0, 0.2, 1), (0, 0.8, 0.9))
    text_of_curves = conclusions.curves("cat", falling, rising)
    assert (
        "10% of the pixels changes the probability of cat from 90% to 50%" in text_of_curves
        and "it is 40%" in text_of_curves
    )
    flat = Curve((0, 1), (0.9, 0.0)), Curve((0, 1), (0.0, 0.9))
    assert "beats every control" in conclusions.against((falling, rising), {"Edges": flat})
    lost = conclusions.against(flat, {"Edges": (falling, rising), "Center": (falling, flat[1])})
    assert "no better than Edges and Center in deletion and no better than Edges and Center in insertion" in lost


@pytest.mark.parametrize(("share", "part"), [(0.25, "hardly"), (0.5, "prefers"), (0.9, "Most of the heatmap")])
def test_the_conclusion_fits_the_share(share, part) -> None:
    assert part in conclusions.pointing(share)


@pytest.mark.parametrize(
    ("value", "part"), [(0.95, "nearly the same"), (0.7, "nearly the same places"), (0.1, "Most similar: cup")]
)
def test_the_conclusion_fits_the_class_contrast(value, part) -> None:
    assert part in conclusions.classes(value, "cup")
