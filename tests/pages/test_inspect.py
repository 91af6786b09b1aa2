"""The page Inspect without a browser: its texts, links and slow parts."""

from functools import partial
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from torch import nn

import camviz
from camviz.tape import activations
from camviz.ui.inputs import dataset_input, image_input
from camviz.ui.inspect.feature_maps import cut, map_image, square
from camviz.ui.results import cost
from camviz.ui.server import holdings, store
from camviz.ui.session import markdown


@pytest.fixture
def compute_at_once(monkeypatch) -> None:
    """Compute slow parts without a click."""
    monkeypatch.setattr(cost, "seconds_per_pass", lambda model: 0.0)


@pytest.fixture
def wait_for_click(monkeypatch) -> None:
    """Let slow parts wait for a click on any machine."""
    monkeypatch.setattr(cost, "seconds_per_pass", lambda model: 1.0)


@pytest.fixture
def visit(start):
    """Follow a link to the page."""
    return partial(start, "pages/_inspect.py")


def captions(app) -> str:
    return "\n".join(caption.value for caption in app.caption)


def headers(app) -> list[str]:
    return [header.value for header in app.header]


def labels(app) -> list[str]:
    return [button.label for button in app.main.button if button.key not in ("present_start", "tour")]


def test_inspect_opens_with_all_fast_parts(visit, wait_for_click, monkeypatch) -> None:
    monkeypatch.setattr("camviz.ui.inspect.feature_maps.STEPS", 64)
    app = visit()
    assert not app.exception and not app.warning and not app.error
    assert headers(app)[:2] == ["Feature maps of blocks.6", "Feature map 99"]
    assert dict(app.query_params) == {} and app.session_state["layer"] == "blocks.6"
    assert "Layers, parameters (4,652,008 in total) and receptive fields" in [box.label for box in app.expander]
    table = app.dataframe[0].value
    assert table["Parameters"].sum() == 4652008
    assert table["Step"].tolist()[1] == "bn1" and table["Step"].tolist()[-3:-1] == ["▸ blocks.6", "bn2"]
    assert table["Channels × height × width"].tolist()[2] == "16 x 112 x 112"
    assert set(table["Receptive field (pixels)"]) == {""}
    assert labels(app) == [
        "Show bn2",
        "Open in Feature visualization",
        "Find the 9 strongest of 12 images (about 1.4 min)",
        "Compute the receptive fields (about 1.2 min)",
    ]
    assert "Synthesized input: 64 steps, 160 × 160 pixels" in captions(app)  # stored
    app.button(key="last_layer").click().run()
    assert headers(app)[0] == "Feature maps of bn2" and dict(app.query_params) == {"layer": "bn2"}
    assert "Synthesize an image (about 2.7 min)" in labels(app) and "Show bn2" not in labels(app)


def test_depths_show_one_method_at_every_main_layer(visit) -> None:
    app = visit(inside="depths", sweep="hires_cam")
    assert not app.exception and not app.warning and not app.error
    for name in ("bn1", "blocks.2", "bn2"):
        assert f"`{name}`" in captions(app)
    assert dict(app.query_params) == {"inside": "depths", "sweep": "hires_cam"}


def test_chosen_layer_is_kept_even_if_its_maps_are_tied(visit, start, wait_for_click) -> None:
    app = visit(layer="bn2")
    assert headers(app)[0] == "Feature maps of bn2" and dict(app.query_params) == {"layer": "bn2"}
    app.switch_page("pages/explain.py").run()
    assert app.session_state["layer"] == "bn2" and "layer" not in app.query_params


def test_explain_keeps_its_default_layer(visit, wait_for_click) -> None:
    app = visit()
    app.switch_page("pages/explain.py").run()
    assert app.session_state["layer"] == "bn2" and dict(app.query_params) == {}


def test_link_restores_all_settings(visit, wait_for_click) -> None:
    link = {"layer": "blocks.0", "map": "7", "sort": "number"}
    app = visit(img="sample:macaw", **link)
    assert not app.exception and not app.warning
    assert headers(app)[:2] == ["Feature maps of blocks.0", "Feature map 7"]
    assert "Feature map 7 of blocks.0: activation at row" in captions(app)
    app.number_input(key="map").set_value(3).run()
    assert headers(app)[1] == "Feature map 3"
    assert dict(app.query_params) == {**link, "map": "3", "img": "sample:macaw"}


def test_another_layer_resets_map_and_page(visit, wait_for_click) -> None:
    app = visit(layer="blocks.5", map="190", maps="3")
    assert headers(app)[1] == "Feature map 190" and app.query_params["maps"] == "3"
    app.selectbox(key="layer").set_value("blocks.0").run()
    assert not app.exception and not app.warning
    assert "map" not in app.query_params and "maps" not in app.query_params


def test_unknown_values_in_a_link_fall_back_with_a_note(visit, wait_for_click) -> None:
    app = visit(map="5000", sort="beauty", maps="99")
    assert not app.exception and len(app.warning) == 3
    assert app.segmented_control(key="sort").value == "strength"


def test_first_map_follows_the_sort_order(visit, wait_for_click, lite0) -> None:
    from camviz.inspection.feature_maps import feature_maps

    image = image_input.SAMPLES / "koala.jpg"
    layer = lite0.module("blocks.3")
    x = lite0.preprocess(image)
    best = lite0.predict(image, 1)[0].index
    found = feature_maps(lite0.net, x, camviz.scores.logit(best), layer)
    app = visit(img="sample:koala", layer="blocks.3")
    assert headers(app)[1] == f"Feature map {int(found.maps.max(axis=(1, 2)).argmax())}"
    app.segmented_control(key="sort").set_value("weight").run()
    assert headers(app)[1] == f"Feature map {int(found.weights.argmax())}"


def test_maps_sorted_by_relevance_show_shares_and_pixels(visit, wait_for_click, lite0, monkeypatch) -> None:
    from camviz.inspection.feature_maps import relevance_shares
    from camviz.methods.lrp import composites
    from camviz.ui.components import browser

    shown = []
    monkeypatch.setattr(browser, "tiles", lambda label, items, *_, **__: shown.append(items))
    app = visit(img="sample:koala", layer="blocks.3", sort="relevance")
    assert not app.exception and not app.warning and not app.error
    image = image_input.SAMPLES / "koala.jpg"
    x, score = lite0.preprocess(image), camviz.scores.logit(lite0.predict(image, 1)[0].index)
    shares = relevance_shares(lite0.net, x, score, lite0.module("blocks.3"), composites()["epsilon-plus-flat"])
    first = int(shares.argmax())
    assert headers(app)[1] == f"Feature map {first}"
    assert [text for _, _, text, _ in shown[0]][:2] == [f"{c}\n{shares[c]:.1%}" for c in (-shares).argsort()[:2]]
    assert "Pixels that contribute to koala through this feature map" in captions(app)
    assert dict(app.query_params) == {"img": "sample:koala", "layer": "blocks.3", "sort": "relevance"}


def test_fast_results_need_no_click_and_nine_strongest_equal_a_full_search(visit, compute_at_once, lite0) -> None:
    app = visit(layer="blocks.0", map="5", sort="number")
    assert not app.exception and not app.error
    table = app.dataframe[0].value
    fields = dict(zip(table["Step"], table["Receptive field (pixels)"], strict=True))
    assert (fields["bn1"], fields["▸ blocks.0"], fields["bn2"]) == ("3 × 3", "7 × 7", "whole image")
    assert labels(app) == ["Open in Feature visualization"]
    assert "Synthesized input: 2 steps, 224 × 224 pixels" in captions(app)
    strength = {}
    for path in image_input.SAMPLES.glob("*.jpg"):
        strength[path.name] = activations(lite0.net, lite0.preprocess(path), lite0.module("blocks.0"))[0][0, 5].max()
    best = sorted(strength, key=lambda name: -strength[name])[:9]
    shown = [c.value.replace("\\", "").split(": ")[0] for c in app.caption if ".jpg" in c.value.replace("\\", "")]
    assert shown == best
    assert len(store.result_store()._kept) >= 9  # the projections lie with the other explanations


def test_search_can_be_limited_to_uploaded_images(visit, wait_for_click) -> None:
    app = visit(layer="blocks.0")
    buffer = BytesIO()
    Image.open(image_input.SAMPLES / "cat.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(buffer, "PNG")
    app.file_uploader(key="upload").upload("my_cat.png", buffer.getvalue(), "image/png").run()
    assert "Find the 9 strongest of 13 images (about 1.4 min)" in labels(app)
    app.segmented_control(key="search_in").set_value("own").run()
    assert not app.exception
    assert "Find the 1 strongest of 1 images (about 9 s)" in labels(app)
    assert app.query_params["search_in"] == "own"


def test_model_without_relu_names_the_reason_for_a_missing_projection(visit, wait_for_click) -> None:
    app = visit(model="efficientnet_b0", untrained="1", layer="features.1")
    assert not app.exception
    assert any("this network has none" in warning.value for warning in app.warning)
    app.toggle(key="smooth").set_value(True).run()
    assert not any("this network has none" in warning.value for warning in app.warning)
    assert ": activation at row" in captions(app) and app.query_params["smooth"] == "1"


def test_network_without_feature_maps_shows_a_message(visit, monkeypatch) -> None:
    flat = camviz.load_model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), input_size=(32, 32), name="flat")
    monkeypatch.setattr("camviz.ui.inputs.model_input.network", lambda *_: flat)
    app = visit()
    assert not app.exception
    assert any("This model has no layer with spatial feature maps" in info.value for info in app.info)
    assert headers(app) == ["First-layer filters"]
    assert app.dataframe[0].value["Parameters"].sum() == 4 * (3 * 32 * 32 + 1)


def test_feature_map_images_and_escaped_text() -> None:
    one = np.array([[-3.0, 0.0], [1.0, 2.0]], np.float32)
    picture = map_image(one, "gray")
    assert picture.shape == (112, 112, 3)
    assert [int(picture[y, x, 0]) for y, x in ((0, 0), (0, 111), (111, 0), (111, 111))] == [0, 0, 128, 255]
    assert (map_image(-np.ones((2, 2), np.float32), "gray") == 0).all()
    rgb = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    assert np.array_equal(cut(rgb, (1, 2, 5, 4)), rgb[1:5, 2:4])
    assert square(rgb, 12).shape == (12, 12, 3) and (square(rgb, 12)[:, 0] == 128).all()
    assert markdown.escaped("a_b*[x](y).jpg") == r"a\_b\*\[x\](y).jpg"


def test_search_in_the_dataset_reports_damaged_files(visit, wait_for_click, monkeypatch, lite0) -> None:
    photos = {name: (image_input.SAMPLES / f"{name}.jpg").read_bytes() for name in ("koala", "panda", "macaw")}
    app = visit(layer="blocks.0", map="5", sort="number")
    files = [dataset_input._dataset_image(f"{name}.jpg", data) for name, data in photos.items()]
    files.append(dataset_input._dataset_image("broken.jpg", b"\xff\xd8 not an image"))
    app.session_state["_visitor"] = "visitor"
    holdings.holdings().put("visitor", "files", "dataset", files, 1)
    app.run()
    monkeypatch.setattr(cost, "seconds_per_pass", lambda model: 0.0)
    app.segmented_control(key="search_in").set_value("gallery").run()
    assert not app.exception and not app.error
    strength = {}
    for name in photos:
        x = lite0.preprocess(image_input.SAMPLES / f"{name}.jpg")
        strength[f"{name}.jpg"] = activations(lite0.net, x, lite0.module("blocks.0"))[0][0, 5].max()
    shown = [c.value.replace("\\", "").split(": ")[0] for c in app.caption if ".jpg" in c.value.replace("\\", "")]
    assert shown == sorted(strength, key=lambda name: -strength[name])
    assert [w.value.replace("\\", "") for w in app.warning] == ["These images could not be read: broken.jpg."]
