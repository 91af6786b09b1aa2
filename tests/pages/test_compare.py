"""The Compare page without a browser."""

import json


def captions(app) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_opens_on_layers_by_methods(start) -> None:
    app = start("pages/compare.py")
    assert not app.exception and not app.warning and not app.error
    assert "**bn2 · Guided Grad-CAM**" in captions(app)
    assert "Rank correlation" in captions(app)
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    names = chart["layout"]["yaxis"]["ticktext"]
    assert names[0] == "1 blocks.2 · Grad-CAM"  # in the grid's order, though Explain's bn2 · Grad-CAM was there before


def test_a_cell_that_fails_shows_its_error_and_the_others_stay(start) -> None:
    link = {"rows": "networks", "rows.networks": "efficientnet_lite0,resnet18", "columns.methods": "grad_cam,layer_cam"}
    app = start("pages/compare.py")
    app.selectbox(key="rows").set_value("networks").run()
    app.multiselect(key="rows.networks").set_value(link["rows.networks"].split(",")).run()
    app.multiselect(key="columns.methods").set_value(["grad_cam", "layer_cam"]).run()
    assert not app.exception
    said = "ResNet18 could not be downloaded: no internet connection"
    assert len(app.error) == 2 and all(error.value.endswith(said) for error in app.error)
    assert "**EfficientNet-Lite0 · Layer-CAM**" in captions(app)


def test_one_method_by_classes_and_pictures(start) -> None:
    app = start("pages/compare.py")
    app.selectbox(key="columns").set_value("classes").run()
    app.selectbox(key="rows").set_value("pictures").run()
    assert not app.exception and not app.error
    assert "**cat.jpg · cup**" in captions(app)
    app.segmented_control(key="scale").set_value("shared").run()
    assert not app.exception


def test_settings_survive_a_change_of_page(start) -> None:
    app = start(img="sample:koala", layer="blocks.4", method="layer_cam")
    app.switch_page("pages/compare.py").run()
    assert "koala" in captions(app)
    assert app.selectbox(key="layer").value == "blocks.4"
    app.switch_page("pages/explain.py").run()
    assert app.selectbox(key="method").value == "layer_cam"
    assert app.query_params["img"] == "sample:koala"


def test_one_click_tests_all_maps(start) -> None:
    app = start(
        "pages/compare.py", rows="layers", **{"rows.layers": "bn2", "columns.methods": "grad_cam,edge_detector"}
    )
    assert not any("Deletion" in caption.value for caption in app.caption)
    app.button(key="proof.start").click().run()
    found = [caption.value for caption in app.caption if "Deletion 0" in caption.value]
    assert len(found) == 2 and found[0] != found[1]
    assert found[1].endswith("Similarity after randomization 1.00")  # an edge detector never saw the network
