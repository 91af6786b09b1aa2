"""Downloads of Explain and Compare, and loading of recipes."""

import base64
import io
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn

import camviz
from camviz import models, scores
from camviz.explanation import recipe
from camviz.explanation.recipe import to_recipe
from camviz.models import offers
from camviz.ui.inputs import recipe_input
from camviz.ui.session.markdown import escaped

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.error, *app.info])


def recipe_of(name="macaw", method="layer_cam", target=None, layer="blocks.3", **settings):
    e = camviz.explain("efficientnet_lite0", SAMPLES / f"{name}.jpg", method, target, layer, **settings)
    return recipe.to_recipe(e.question, f"{name}.jpg")


def load(app, recipe):
    data = recipe if isinstance(recipe, bytes) else json.dumps(recipe).encode()
    return app.file_uploader(key="recipe").upload("recipe.json", data, "application/json").run()


def test_recipe_restores_all_settings(start) -> None:
    app = start(rather_than="3", several="1", layers="blocks.4,bn2")
    load(app, recipe_of(target=89, fit="pad"))
    assert not app.exception and not app.error and not app.warning
    assert "evidence for sulphur-crested cockatoo (layer blocks.3)" in text(app)
    settings = {"img": "sample:macaw", "method": "layer_cam", "layer": "blocks.3", "target": "89", "fit": "pad"}
    assert dict(app.query_params) == settings
    assert app.toggle(key="several").value is False and app.selectbox(key="rather_than").value == -1


def test_recipe_of_several_layers_of_an_untrained_network(start, code) -> None:
    e = camviz.explain(
        camviz.load_model("squeezenet1_1", weights="random"),
        *(SAMPLES / "cat.jpg", "grad_cam", scores.contrast(281, 282), "features.3,features.12"),
        fuse="max",
        counterfactual=True,
    )
    app = load(start(), recipe.to_recipe(e.question, "cat.jpg"))
    assert not app.exception and not app.error
    (warning,) = app.warning
    assert "This model is untrained" in warning.value
    assert app.multiselect(key="layers").value == ["features.3", "features.12"]
    assert app.toggle(key="grad_cam.counterfactual").value is True
    shown = code(app)
    assert "camviz.scores.contrast(281, 282)" in shown and "fuse='max'" in shown and "weights='random'" in shown


def test_recipe_of_an_uploaded_image_needs_the_image(start) -> None:
    image = ImageOps.mirror(Image.open(SAMPLES / "panda.jpg"))
    e = camviz.explain("efficientnet_lite0", image, "layer_cam")
    recipe, app = to_recipe(e.question, "my panda.png"), start()
    load(app, recipe)
    assert "This recipe is of the image 'my panda.png', which is not here: load it" in app.error[0].value
    assert "predicts espresso" in text(app)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    app.file_uploader(key="upload").upload("renamed.png", buffer.getvalue(), "image/png").run()
    app.selectbox(key="method").set_value("grad_cam").run()
    load(app, recipe)
    assert not app.error and app.selectbox(key="method").value == "layer_cam"
    assert app.query_params["img"].startswith("sha:")


def test_recipe_of_a_registered_network_needs_the_same_weights(start, monkeypatch) -> None:
    monkeypatch.setattr(offers, "_offers", {})
    torch.manual_seed(0)
    one, other = (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()) for _ in "ab")
    entry = models.register(camviz.load_model(one, input_size=(28, 28), name="mine"))
    e = camviz.explain(models.shared_model("mine"), SAMPLES / "cat.jpg", "layer_cam", layer="1", target=2)
    recipe, app = to_recipe(e.question, "cat.jpg"), start(model="efficientnet_lite0")
    load(app, recipe)
    assert not app.error and app.selectbox(key="model").value == entry.name == "mine"
    shown = app.session_state["experiment"]
    assert (shown.model.weights, shown.layer, shown.target) == (e.question.model.weights, "1", 2)
    models.register(camviz.load_model(other, input_size=(28, 28), name="mine"))
    app = start(model="efficientnet_lite0")
    load(app, recipe)
    assert "This recipe is of a network of somebody's own, 'mine', which is not here" in app.error[0].value


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "<b>x</b>"}, "method '<b>x</b>' is not in CamViz"),
        ({"method": ["grad_cam"]}, "the recipe needs a 'method', as text"),
        ({"model": {"name": "efficientnet_lite0", "weights": "/etc/passwd"}}, "weights of its own ('/etc/passwd')"),
        (
            {"model": {"name": "mine", "weights": "custom 0123abcd"}},
            "a network of somebody's own, 'mine', which is not here with the same weights: bring it along",
        ),
        ({"model": 7}, "the model of a recipe has the fields name, weights, made_with"),
        ({"image": {"file": "/etc/passwd", "sha256": "00"}}, "the image '/etc/passwd', which is not here"),
        ({"target": {"probability": 3}}, "this recipe explains a probability, which only Python does"),
        ({"target": {"__class__": 3}}, "score '__class__' is not in CamViz"),
        ({"target": "3"}, "the score 'logit' takes the index of a class"),
        ({"layer": "x" * 3000}, "the recipe needs a 'layer', as text"),
        ({"extra": 1}, "setting 'extra' is not in the settings of layer_cam"),
        ({"progress": 1}, "setting 'progress' is not in the settings of layer_cam"),
    ],
)
def test_hostile_recipe_is_refused(changes, sentence) -> None:
    with pytest.raises(camviz.CamvizError, match=re.escape(sentence)):
        recipe_input.settings_of(json.dumps({**recipe_of(), **changes}).encode())


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"[" * 200_000, b"[]", b"null", b'{"model": 1}', b"NaN"])
def test_files_that_are_no_recipe_are_refused(data) -> None:
    with pytest.raises(camviz.CamvizError, match="is no recipe"):
        recipe_input.settings_of(data)


def test_refused_recipe_shows_an_error_and_changes_nothing(start) -> None:
    app = start(method="grad_cam", img="sample:koala")
    for changes, sentence in (({"method": "x" * 1500}, "Method 'xxx"), ({"layer": 3}, "The recipe needs a 'layer'")):
        load(app, {**recipe_of(), **changes})
        assert not app.exception
        (error,) = app.error
        assert error.value.startswith(sentence) and len(error.value) < 500
        assert app.selectbox(key="method").value == "grad_cam" and "predicts koala" in text(app)
    load(app, recipe_of())
    assert not app.error and app.selectbox(key="method").value == "layer_cam"


def test_unknown_values_of_a_recipe_fall_back_with_a_note(start) -> None:
    changes = {"model": "efficientnet_lite9", "target": 4000, "layer": "blocks.99", "fit": "squeezed"}
    app = load(start(), {**recipe_of(), **changes})
    assert not app.exception and not app.error
    assert sorted(note.value for note in app.warning) == [
        f"Unknown {key} '{escaped(str(value))}' in the recipe: using the default."
        for key, value in (
            ("fit", "squeezed"),
            ("layer", "blocks.99"),
            ("model", "efficientnet_lite9"),
            ("target", 4000),
        )
    ]


def test_settings_out_of_range_are_refused() -> None:
    for value, sentence in (
        (0, "must lie in 1 to 200"),
        ("7", "must be int"),
        (1e999, "must be int"),
        ([1], "must be"),
    ):
        with pytest.raises(camviz.CamvizError, match=sentence):
            recipe_input.settings_of(
                json.dumps({**recipe_of("coffee", "smooth_grad", samples=2), "samples": value}).encode()
            )


def test_recipe_and_report_of_explain_contain_its_numbers(start, downloads, monkeypatch) -> None:
    start(img="sample:cat", method="grad_cam", layer="blocks.4", rather_than="282")
    monkeypatch.chdir(SAMPLES)
    recipe = json.loads(downloads["Recipe (JSON)"]())
    e = camviz.explain(**recipe)
    assert (e.label, e.layer) == ("Egyptian cat rather than tiger cat", "blocks.4")
    page = downloads["Report (HTML)"]()
    assert f"<td>{e.attribution.max():.6g}</td>" in page and e.question.image.digest in page
    link = page.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
    parameters = parse_qs(urlsplit(link).query)
    assert parameters == {"img": ["sample:cat"], "layer": ["blocks.4"], "rather_than": ["282"]}


def test_report_of_compare_contains_every_map_and_correlations(start, downloads) -> None:
    app = start(
        "pages/compare.py", **{"rows": "layers", "rows.layers": "blocks.4,bn2", "columns.methods": "grad_cam,lrp"}
    )
    assert not app.exception
    page = downloads["Report (HTML)"]()
    titles = ("1. blocks.4 · Grad-CAM", "2. blocks.4 · Layer-wise", "3. bn2 · Grad-CAM", "4. bn2 · Layer-wise")
    assert all(f"<td>{title}" in page for title in titles)
    image = base64.b64decode(page.split("data:image/jpeg;base64,")[3].partition('"')[0])  # the third
    e = camviz.explain("efficientnet_lite0", SAMPLES / "coffee.jpg", "grad_cam")
    shown = np.asarray(Image.open(io.BytesIO(image))).astype(int)
    pixels = np.asarray(e.question.model.original_view(e.question.image))  # finer than the model's 224 x 224
    heat = camviz.render.heatmap(e.attribution, pixels.shape[:2])
    assert pixels.shape == (350, 350, 3)
    assert np.abs(shown - camviz.render.overlay(pixels, heat)).mean() < 4
    assert page.count("data:image") == 4 and "Agreement of the heatmaps" in page and "<td>1.00</td>" in page
