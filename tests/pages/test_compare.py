"""The Compare page without a browser."""

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import camviz
from camviz.models.checkpoints import packaged
from camviz.ui.compare import agreement
from camviz.ui.widgets import stage as stages

SAMPLES = "assets/samples"
MODELS = ("EfficientNet-Lite0", "EfficientNet-Lite1", "EfficientNet-Lite2", "MobileNet v2")


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the data of each stage and of the tools, in drawing order."""
    drawn: list[dict[str, Any]] = []
    original = stages._stage

    def keep(*, key: str, data: dict[str, Any], **more: Any) -> Any:
        if data["group"] == "compare":
            drawn.append({"key": key, **data})
        return original(key=key, data=data, **more)

    monkeypatch.setattr(stages, "_stage", keep)
    return drawn


def labels(app: AppTest) -> list[str]:
    return [one.value for one in app.markdown]


def alts(cells: list[dict[str, Any]]) -> list[str]:
    return [cell["alt"].partition(":")[0] for cell in cells if not cell.get("tools_only")]


def relations(cells: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return [cell["relations"] for cell in cells if cell.get("tools_only")][-1]


def test_compare_opens_with_the_image_and_three_methods(start, cells) -> None:
    app = start("pages/compare.py")
    assert not app.exception and not app.warning and not app.error
    assert alts(cells)[:4] == ["Image", "Grad-CAM", "Layer-CAM", "Guided backpropagation"]
    assert labels(app)[-4:] == ["Image", "Grad-CAM", "Layer-CAM", "Guided backpropagation"]
    assert any(caption.value == "Explained: espresso 95.7%" for caption in app.caption)
    assert {"rows", "columns", "columns.methods"} & set(app.query_params) == set()
    assert not [button.key for button in app.button if str(button.key).startswith("grid")]


@pytest.mark.parametrize(
    ("link", "rows", "columns"),
    [
        ({"columns.methods": "grad_cam,layer_cam"}, ["blocks.4", "blocks.6", "bn2"], 2),
        ({"rows.layers": "bn2"}, ["bn2"], 4),
        ({"rows": "classes", "rows.classes": "967,968"}, ["espresso", "cup"], 4),
        ({"rows": "none", "columns.methods": "grad_cam,layer_cam"}, [""], 2),
    ],
)
def test_former_links_give_their_grid_and_are_kept(start, link, rows, columns) -> None:
    app = start("pages/compare.py", **link)
    grid = app.session_state["rows"], app.session_state["columns"]
    assert grid == ("none" if link.get("rows") == "none" else link.get("rows", "layers"), "methods")
    assert len(app.session_state["columns.methods"]) == columns
    shown = [text.strip("*") for text in labels(app) if text.startswith("**")]
    if rows[0] == "blocks.4":
        assert len(shown) == 3 and shown[-1] == "bn2"
    else:
        assert shown == [row for row in rows if row]
    assert {key: app.query_params[key] for key in link} == link
    assert "rows" in link or "rows" not in app.query_params
    app.run()
    assert {key: app.query_params[key] for key in link} == link and ("rows" in link or "rows" not in app.query_params)


def test_grid_of_former_links_is_written_in_full(start) -> None:
    app = start("pages/compare.py")
    app.selectbox(key="rows").set_value("layers").run()
    assert app.query_params["columns.methods"] == "grad_cam,layer_cam,guided_backprop"
    four = ["grad_cam", "layer_cam", "guided_grad_cam", "guided_backprop"]
    app.multiselect(key="columns.methods").set_value(four).run()
    assert app.query_params["rows"] == "layers" and "columns.methods" not in app.query_params


def test_single_value_on_an_axis_gives_one_row(start, cells) -> None:
    start("pages/compare.py", **{"rows": "networks", "columns.methods": "grad_cam"})
    names = [f"Grad-CAM · {name}" for name in MODELS]
    assert alts(cells)[:4] == names  # and no image: each model crops it anew
    assert [cell["key"] for cell in cells[:4]] == [f"cell.0.{number}" for number in range(4)]
    assert relations(cells) == {f"0.{number}": {} for number in range(4)}


def test_button_compares_models_of_two_families(start, cells, monkeypatch, tmp_path) -> None:
    app = start("pages/compare.py")
    app.button(key="compare.models").click().run()
    app.run()
    assert not app.exception and not app.error
    assert alts(cells)[-4:] == list(MODELS) and alts(cells)[-5] == MODELS[-1]  # of the run before: no other row
    assert (app.query_params["columns"], app.query_params["rows"]) == ("networks", "none")
    assert "compare.models" not in {one.key for one in app.button}
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # where the package with MobileNet v2 is not installed
    monkeypatch.setattr(packaged, "PACKAGES", {})
    app = start("pages/compare.py", columns="networks", rows="none")
    assert not app.exception and alts(cells)[-3:] == list(MODELS[:3])


def test_failing_cell_shows_its_error_and_others_stay(start, cells) -> None:
    app = start("pages/compare.py")
    app.selectbox(key="rows").set_value("networks").run()
    app.multiselect(key="rows.networks").set_value(["efficientnet_lite0", "resnet18"]).run()
    app.multiselect(key="columns.methods").set_value(["grad_cam", "layer_cam"]).run()
    assert not app.exception
    messages = {error.value for error in app.error}
    assert len(app.error) == 2 and messages == {"ResNet18 could not be downloaded: no internet connection."}
    assert "EfficientNet-Lite0 · Layer-CAM" in alts(cells)
    assert [app.button(key=f"open.{row}.1").disabled for row in (0, 1)] == [False, True]


def test_grid_of_classes_and_images_with_a_shared_scale(start, cells) -> None:
    app = start("pages/compare.py")
    app.selectbox(key="columns").set_value("classes").run()
    app.selectbox(key="rows").set_value("images").run()
    assert not app.exception and not app.error
    assert "cat.jpg · cup" in alts(cells)
    cells.clear()
    app.segmented_control(key="scale").set_value("shared").run()
    assert not app.exception
    tops = {cell["key"]: cell["top"] for cell in cells if not cell.get("tools_only")}
    assert len(tops) == 9 and len(set(tops.values())) == 1  # all of one method, drawn once


def test_only_heatmaps_of_one_image_and_layer_are_correlated(start, cells) -> None:
    """The numbers are those of the package; different images, layers and input sizes have none."""
    app = start(
        "pages/compare.py",
        agreement="1",
        **{"rows": "pictures", "rows.pictures": "sample:cat,sample:koala", "columns.methods": "grad_cam,lrp"},
    )
    assert app.session_state["rows"] == "images"  # the link has the axis' former name
    found = relations(cells)
    assert found.keys() == {"0.0", "0.1", "1.0", "1.1"}
    for row, name in enumerate(("cat", "koala")):
        maps = [camviz.explain("efficientnet_lite0", f"{SAMPLES}/{name}.jpg", key) for key in ("grad_cam", "lrp")]
        r = camviz.evaluation.rank_correlation.pairwise_rank_correlation([e.heatmap for e in maps], (56, 56))[0, 1]
        assert found[f"{row}.0"] == {f"{row}.1": f"r {r:.2f}"} and found[f"{row}.1"] == {f"{row}.0": f"r {r:.2f}"}
    assert labels(app)[-2:] == ["cat.jpg, bn2", "koala.jpg, bn2"]  # above one matrix each


def test_heatmaps_are_grouped_by_layer_and_input_size(lite0) -> None:
    def map_of(method: str, layer: str = "bn2", name: str = "efficientnet_lite0", **more: Any) -> camviz.Explanation:
        layers = {"layer": layer} if camviz.METHODS[method].layer != "none" else {}
        return camviz.explain(name, f"{SAMPLES}/cat.jpg", method, **layers, **more)

    last, early, pixels = map_of("grad_cam"), map_of("grad_cam", "blocks.4"), map_of("guided_backprop")
    other, cropped = map_of("layer_cam"), map_of("layer_cam", fit="stretch")
    larger = map_of("guided_backprop", name="efficientnet_lite1")
    maps = {(0, place): e for place, e in enumerate((last, early, pixels, other, cropped, larger, pixels))}
    found = agreement.correlations(maps)
    assert {place[1]: {other[1] for other in others} for place, others in found.items()} == {
        0: {2, 3, 6},
        1: {2, 6},
        2: {0, 1, 3, 6},
        3: {0, 2, 6},
        4: set(),
        5: set(),
        6: {0, 1, 2, 3},
    }
    assert found[0, 2][0, 6] == pytest.approx(1)
    groups = {tuple(place[1] for place in places): matrix for places, matrix in agreement.groups(maps)}
    assert groups.keys() == {(0, 2, 3), (1, 2)}  # the heatmap that stands twice is taken once
    assert np.allclose(groups[1, 2][0, 1], found[0, 1][0, 2])


def test_cell_opens_in_explain_with_its_settings(start) -> None:
    app = start(
        "pages/compare.py",
        **{"rows": "pictures", "rows.pictures": "sample:cat,sample:koala", "columns": "layers", "method": "grad_cam"},
    )
    app.multiselect(key="columns.layers").set_value(["blocks.4", "bn2"]).run()
    app.button(key="open.1.0").click().run()
    assert not app.exception and app.title[0].value == "Explain"
    assert (app.query_params["img"], app.query_params["layer"]) == ("sample:koala", "blocks.4")
    app.switch_page("pages/compare.py").run()
    app.selectbox(key="columns").set_value("methods").run()
    app.session_state["random_cam.seed"] = 7  # of Explain; the grid shows the default
    app.multiselect(key="columns.methods").set_value(["random_cam", "layer_cam"]).run()
    app.button(key="open.0.0").click().run()
    assert (app.query_params["img"], app.query_params["method"]) == ("sample:cat", "random_cam")
    assert "random_cam.seed" not in app.query_params


def test_settings_survive_a_change_of_page(start, cells) -> None:
    app = start(img="sample:koala", layer="blocks.4", method="layer_cam")
    app.switch_page("pages/compare.py").run()
    assert any("koala" in caption.value for caption in app.caption)
    assert app.selectbox(key="layer").value == "blocks.4"
    app.switch_page("pages/explain.py").run()
    assert app.selectbox(key="method").value == "layer_cam"
    assert app.query_params["img"] == "sample:koala"


def test_button_tests_all_heatmaps(start) -> None:
    app = start(
        "pages/compare.py", rows="layers", **{"rows.layers": "bn2", "columns.methods": "grad_cam,edge_detector"}
    )
    assert not any("Deletion" in caption.value for caption in app.caption)
    app.button(key="proof.start").click().run()
    found = [caption.value for caption in app.caption if "Deletion 0" in caption.value]
    assert len(found) == 2 and found[0] != found[1]
    assert found[1].endswith("Similarity after randomization 1.00")  # an edge detector never saw the network
    assert not [button.key for button in app.button if str(button.key).startswith(("proof", "grid"))]


def test_slow_heatmaps_wait_for_one_button(start, cells, monkeypatch) -> None:
    monkeypatch.setattr("camviz.ui.results.cost.explanation_seconds", lambda question: 75.0)
    app = start("pages/compare.py", rows="none", **{"columns.methods": "grad_cam,ss_cam"})
    assert app.button(key="grid.start").label == "Compute the slow heatmap (about 1.2 min)"
    app.multiselect(key="columns.methods").set_value(["grad_cam", "ss_cam", "score_cam"]).run()
    assert app.button(key="grid.start").label == "Compute 2 slow heatmaps (about 2.5 min)"
    app.multiselect(key="columns.methods").set_value(["grad_cam", "random_cam"]).run()
    assert not [button.key for button in app.button if str(button.key).startswith("grid")]
