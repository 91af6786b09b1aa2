import dataclasses
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

import camviz
from camviz import METHODS, CamvizError, images, render, scores
from camviz.explanation import explain as explain_module
from camviz.explanation import recipe as recipe_module
from camviz.explanation.explain import answer_batch, ask, estimate, explain
from camviz.explanation.question import fuse_maps
from camviz.explanation.recipe import to_recipe
from camviz.text import passes_text, percent
from tests.methods.nets import Interrupt, Modules, build, run, state

LABELS = ("tench", "goldfish", "<b>shark</b>", "ray", "cup", "mug", "Espresso")
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (33, 40, 3), dtype=np.uint8))


def loaded(net=None, **arguments):
    net = build(Modules, dtype=torch.float32) if net is None else net
    return camviz.load_model(net, input_size=(20, 28), categories=LABELS, name="tiny", **arguments)


@pytest.fixture(scope="module")
def tiny():
    return loaded()


def bare_map(model, key, score, layer="features.6", fit="crop", **knobs):
    """Return the map of the bare method for the image."""
    return run(METHODS[key], model.net, model.preprocess(IMAGE, fit), score, model.module(layer), **knobs)[0].numpy()


# ------------------------------------------------------------------------------------------------ what is explained


@pytest.mark.parametrize("key", METHODS)
def test_explanation_equals_the_bare_method_for_the_predicted_class(tiny, key):
    e = explain(tiny, IMAGE, key)
    with torch.no_grad():
        probabilities = tiny.net(tiny.preprocess(IMAGE)).softmax(dim=1)[0]
    best = int(probabilities.argmax())
    assert (e.target, e.label, e.score) == (best, LABELS[best], scores.logit(best))
    assert e.probability == pytest.approx(float(probabilities.max()), rel=1e-6)
    assert (e.method, e.model, str(e.question.model.weights), e.question.fit) == (key, "tiny", "custom", "crop")
    assert e.layer == (tiny.default_layer if METHODS[key].layer == "required" else None)
    assert e.attribution.dtype == np.float32
    np.testing.assert_array_equal(e.attribution, bare_map(tiny, key, scores.logit(best), tiny.default_layer))


def test_grad_cam_is_the_default_method(tiny):
    np.testing.assert_array_equal(explain(tiny, IMAGE).attribution, explain(tiny, IMAGE, "grad_cam").attribution)


def custom_score(values):
    return values[:, 1] - values[:, 2:].mean(dim=1)


@pytest.mark.parametrize(
    ("target", "score", "index", "label"),
    [
        (5, scores.logit(5), 5, "mug"),
        (np.int64(5), scores.logit(5), 5, "mug"),
        ("mug", scores.logit(5), 5, "mug"),
        ("espresso", scores.logit(6), 6, "Espresso"),
        (scores.logit(3), scores.logit(3), 3, "ray"),
        (scores.probability(3), scores.probability(3), 3, "ray"),
        (scores.contrast(1, 3), scores.contrast(1, 3), 1, "goldfish rather than ray"),
        (custom_score, custom_score, None, "custom_score"),
    ],
)
def test_target_may_be_an_index_a_label_or_a_score(tiny, target, score, index, label):
    e = explain(tiny, IMAGE, "vanilla_backprop", target)
    assert (e.target, e.label, e.score) == (index, label, score)
    np.testing.assert_array_equal(e.attribution, bare_map(tiny, "vanilla_backprop", score))
    with torch.no_grad():
        probabilities = tiny.net(tiny.preprocess(IMAGE)).softmax(dim=1)[0]
    expected = float("nan") if index is None else float(probabilities[index])
    assert e.probability == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_layer_and_settings_reach_the_method(tiny):
    e = explain(tiny, IMAGE, "grad_cam", 3, "features.2", counterfactual=True)
    assert (e.layer, e.knobs) == ("features.2", {"counterfactual": True})
    np.testing.assert_array_equal(
        e.attribution, bare_map(tiny, "grad_cam", scores.logit(3), "features.2", counterfactual=True)
    )
    e = explain(tiny, IMAGE, "deconvnet", layer="features.2", feature_map=1.0)
    assert (e.layer, e.knobs["feature_map"], e.knobs["row"]) == ("features.2", 1, None)
    np.testing.assert_array_equal(
        e.attribution, bare_map(tiny, "deconvnet", scores.logit(0), "features.2", feature_map=1)
    )
    assert explain(tiny, IMAGE, "vanilla_backprop", layer="features.2").layer is None


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_fit_selects_the_geometry_of_the_input(tiny, fit):
    e = explain(tiny, IMAGE, "vanilla_backprop", 3, fit=fit)
    assert e.question.fit == fit
    np.testing.assert_array_equal(e.view, tiny.view(IMAGE, fit))
    np.testing.assert_array_equal(e.attribution, bare_map(tiny, "vanilla_backprop", scores.logit(3), fit=fit))


def test_images_are_identified_by_their_pixels(tiny, tmp_path):
    file = tmp_path / "a.png"
    IMAGE.save(file)
    several = [IMAGE, file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes())]
    found = [explain(tiny, one, "vanilla_backprop", 3) for one in several]
    assert {e.question.image.digest for e in found} == {images.digest(IMAGE)}
    for e in found[1:]:
        np.testing.assert_array_equal(e.attribution, found[0].attribution)


# --------------------------------------------------------------------------------------------------- several layers


@pytest.mark.parametrize("fuse", ["mean", "max", "product"])
def test_maps_of_several_layers_are_scaled_and_fused(tiny, fuse):
    names = ("features.2", "features.4")
    e = explain(tiny, IMAGE, "layer_cam", 3, ",".join(names), fuse=fuse)
    assert (e.layer, e.question.layers, e.attribution.shape) == (",".join(names), names, (9, 13))
    maps = [bare_map(tiny, "layer_cam", scores.logit(3), name) for name in names]
    scaled = [render.upsample(one / one.max(), (9, 13)) for one in maps]
    expected = {"mean": sum(scaled) / 2, "max": np.maximum(*scaled), "product": scaled[0] * scaled[1]}[fuse]
    np.testing.assert_allclose(e.attribution, expected, atol=1e-6)


def test_mean_with_an_empty_map_is_half_of_the_other():
    one = torch.rand(1, 4, 6)
    result = fuse_maps([one, torch.zeros(1, 4, 6)], "mean")
    torch.testing.assert_close(result, one / one.max() / 2)


def test_progress_continues_over_several_layers(tiny):
    shares = []
    explain(tiny, IMAGE, "score_cam", 3, "features.2,features.4", progress=lambda d, t: shares.append(d / t))
    assert shares == sorted(shares) and shares[-1] == 1
    assert 0.5 in shares


# ------------------------------------------------------------------------------------------ several images at once

OTHER = Image.fromarray(np.random.default_rng(1).integers(0, 256, (50, 40, 3), dtype=np.uint8))
DARK = Image.fromarray(np.random.default_rng(2).integers(0, 60, (40, 50, 3), dtype=np.uint8))
FEW_PASSES = [key for key, method in METHODS.items() if not method.many_passes]


def together(model, *arguments, **knobs):
    pictures = IMAGE, OTHER, DARK
    found, values = answer_batch([ask(model, image, *arguments, **knobs) for image in pictures])
    alone = [explain(model, image, *arguments, **knobs) for image in pictures]
    return found, alone, values


def assert_same(found, alone):
    for one, other in zip(found, alone, strict=True):
        scale = max(1e-30, float(np.abs(other.attribution).max()))
        np.testing.assert_allclose(one.attribution, other.attribution, atol=2e-5 * scale)
        np.testing.assert_array_equal(one.view, other.view)
        assert one.question.key == other.question.key and one.notes == other.notes
        assert one.probability == pytest.approx(other.probability, rel=1e-5)


@pytest.mark.parametrize("key", FEW_PASSES)
def test_batch_equals_single_explanations(tiny, key):
    found, alone, values = together(tiny, key)
    assert_same(found, alone)
    with torch.no_grad():
        expected = tiny.net(torch.cat([tiny.preprocess(image) for image in (IMAGE, OTHER, DARK)]))
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)


def test_each_image_of_a_batch_is_explained_for_its_own_class():
    net = build(Modules, dtype=torch.float32)
    with torch.no_grad():
        net.head[2].weight *= 200  # so that the three images get different classes
    found, alone, _ = together(loaded(net), "vanilla_backprop")
    assert len({e.target for e in found}) > 1
    assert_same(found, alone)


@pytest.mark.parametrize(
    ("arguments", "knobs"),
    [
        (("grad_cam", 3), {}),
        (("grad_cam", "mug", "features.2"), {"counterfactual": True, "fit": "pad"}),
        (("layer_cam", scores.contrast(1, 3), "features.2,features.4"), {"fuse": "max"}),
        (("vanilla_backprop", {"probability": 2}), {"fit": "stretch"}),
    ],
)
def test_batch_accepts_every_setting(tiny, arguments, knobs):
    assert_same(*together(tiny, *arguments, **knobs)[:2])


def test_batch_uses_one_pass_for_class_and_map(tiny):
    found, alone, _ = together(tiny, "grad_cam")
    assert [(e.forward_passes, e.backward_passes) for e in (found[0], alone[0])] == [(1, 1), (1, 1)]


def test_notes_are_kept_for_each_image_of_a_batch():
    net = build(Modules, dtype=torch.float32)
    net.features[4] = nn.Tanh()  # FullGrad's terms add up to the score with ReLU only
    found, alone, _ = together(loaded(net), "full_grad", 3)
    assert len({e.notes for e in found}) > 1
    assert_same(found, alone)


def test_batch_refuses_methods_of_many_passes(tiny):
    with pytest.raises(CamvizError, match="Score-CAM takes many passes for each image: answer its questions one by"):
        together(tiny, "score_cam")


# ------------------------------------------------------------------------------------------------------- from a recipe


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    IMAGE.save("my photo.png")
    return "my photo.png"


def explain_by_recipe(e, photo):
    """Explain by the recipe, written and read as JSON."""
    return explain(**json.loads(recipe_module.recipe_json(e.question, photo)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "target", "layer", "settings"),
    [
        ("grad_cam", None, None, {}),
        ("grad_cam", 281, "blocks.4", {"counterfactual": True, "fit": "pad"}),
        ("layer_cam", scores.contrast(281, 282), "blocks.3,bn2", {"fuse": "max"}),
        ("vanilla_backprop", scores.probability(281), None, {"fit": "stretch"}),
        ("deconvnet", None, "blocks.0", {"feature_map": 3}),
        ("smooth_grad", None, None, {"samples": 2}),
    ],
)
def test_recipe_reproduces_the_explanation(lite0, photo, method, target, layer, settings):
    e = explain(lite0, photo, method, target, layer, **settings)
    same = explain_by_recipe(e, photo)
    np.testing.assert_array_equal(same.attribution, e.attribution)
    assert same.question.key == e.question.key
    assert (same.label, same.probability, same.notes) == (e.label, e.probability, e.notes)
    scope = {}
    exec(recipe_module.snippet(e.question, photo), scope)
    np.testing.assert_array_equal(scope["explanation"].attribution, e.attribution)


def test_recipe_reproduces_random_weights(photo):
    e = explain(camviz.load_model("squeezenet1_1", weights="random"), photo, "vanilla_backprop")
    np.testing.assert_array_equal(explain_by_recipe(e, photo).attribution, e.attribution)


@pytest.mark.parametrize("name", ["checkpoint", "birds.pth", "random"])
def test_recipe_reproduces_a_weights_file(name, photo, tmp_path, monkeypatch):
    torch.manual_seed(5)
    torch.save(torchvision.models.squeezenet1_1(num_classes=3).state_dict(), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    model = camviz.load_model("squeezenet1_1", weights=Path(name))
    assert (str(model.weights), model.weights.kind) == (name, "file")
    e = explain(model, photo, "vanilla_backprop")
    np.testing.assert_array_equal(explain_by_recipe(e, photo).attribution, e.attribution)


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_recipe_reproduces_a_program_file(suffix, photo, tmp_path):
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    file = tmp_path / f"net{suffix}"
    if suffix == ".pt":
        torch.jit.save(torch.jit.script(net), file)
    else:
        dynamic = ({0: torch.export.Dim("batch")},)
        torch.export.save(torch.export.export(net, (torch.rand(2, 3, 224, 224),), dynamic_shapes=dynamic), file)
    model = camviz.load_model(file)
    assert (model.name, model.weights.kind) == ("net", "program")
    e = explain(model, photo, "vanilla_backprop")
    np.testing.assert_array_equal(explain_by_recipe(e, photo).attribution, e.attribution)


def test_recipe_refuses_another_image(lite0, photo):
    recipe = to_recipe(explain(lite0, photo).question, photo)
    OTHER.save(photo)
    with pytest.raises(CamvizError, match="the pixels of 'my photo\\.png' differ"):
        explain(**recipe)
    assert explain(**{**recipe, "image": OTHER}).question.image.digest == images.digest(OTHER)


def test_recipe_of_another_version_adds_a_note(lite0, photo):
    recipe = to_recipe(explain(lite0, photo).question, photo)
    recipe["model"]["made_with"]["torch"] = "1.13.0"
    (sentence,) = explain(**recipe).notes
    assert "made with torch 1.13.0" in sentence and torch.__version__ in sentence


def test_recipe_of_a_custom_network_needs_the_network(tiny, photo):
    e = explain(tiny, photo, target=3)
    recipe = to_recipe(e.question, photo)
    with pytest.raises(CamvizError, match="this recipe is for your own network 'tiny'"):
        explain(**recipe)
    np.testing.assert_array_equal(explain(**{**recipe, "model": tiny}).attribution, e.attribution)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "efficientnet_lite9"}, "model 'efficientnet_lite9' is not in the catalog"),
        ({"model": {"name": 7}}, "the model of a recipe needs a 'name', as text; got '7'"),
        ({"model": {"nam": "x"}}, "field 'nam' is not in the model of a recipe; did you mean 'name'"),
        ({"model": ["efficientnet_lite0"]}, "a model is what camviz.load_model returns, .* got list"),
        ({"model": {"name": "vgg16", "weights": "../../x.pth"}}, "there is no file"),
        ({"model": {"name": "vgg16", "made_with": 3}}, "the made_with of a recipe has the fields camviz, torch; got"),
        ({"image": {"sha256": "00"}}, "the image of a recipe needs a 'file', as text"),
        ({"image": {"file": "nowhere.jpg"}}, "cannot read the image 'nowhere.jpg'"),
        ({"target": {"contrast": [1]}}, "the score 'contrast' takes the indices of 2 classes"),
        ({"target": {"logit": 4000}}, "efficientnet_lite0 has the classes 0 to 999; got 4000"),
        ({"extra": 1}, "setting 'extra' is not in the settings of grad_cam"),
    ],
)
def test_wrong_recipes_are_refused(lite0, photo, changes, sentence):
    recipe = to_recipe(explain(lite0, photo).question, photo)
    with pytest.raises(CamvizError, match=sentence) as caught:
        explain(**{**recipe, **changes})
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------ how it shows


def test_heatmap_is_the_rendered_attribution(tiny):
    e = explain(tiny, IMAGE, "grad_cam", 3)
    assert e.attribution.max() != 1  # raw
    assert e.heatmap.shape == e.view.shape[:2] == (20, 28)
    np.testing.assert_array_equal(e.heatmap, render.heatmap(e.attribution, (20, 28)))
    assert (e.heatmap.min(), e.heatmap.max()) == (0, 1)
    assert e.notes == ()


def test_empty_map_has_a_note():
    net = build(Modules, dtype=torch.float32)
    with torch.no_grad():
        net.head[2].weight[3] = -1
    model = loaded(net)
    e = explain(model, IMAGE, "grad_cam", 3)
    assert (e.heatmap == 0).all() and (e.attribution == 0).all()
    assert e.notes == ("No positive evidence for this class at this layer: the heatmap is empty.",)
    assert explain(model, IMAGE, "grad_cam", 3, counterfactual=True).notes == ()
    e = explain(model, IMAGE, "guided_grad_cam", 3)
    assert (e.heatmap == 0).all()
    assert e.notes == ("Nothing reached the pixels: the heatmap is empty.",)


def test_notes_of_the_method_are_kept():
    net = build(Modules, dtype=torch.float32)
    net.features[1] = nn.SiLU()
    (sentence,) = explain(loaded(net), IMAGE, "guided_backprop", 3).notes
    assert "1 smooth activations of this network are no ReLU" in sentence


@pytest.mark.parametrize(
    ("key", "passes"),
    [
        ("vanilla_backprop", (1, 1)),  # the pass of the method itself tells the predicted class
        ("guided_backprop", (1, 1)),
        ("deconvnet", (1, 1)),
        ("grad_cam", (1, 1)),
        ("layer_cam", (1, 1)),
        ("guided_grad_cam", (2, 2)),
    ],
)
def test_facts_name_method_class_time_and_passes(tiny, key, passes, monkeypatch):
    clock = iter([100.0, 100.25])
    monkeypatch.setattr(explain_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    e = explain(tiny, IMAGE, key, 3)
    assert (e.seconds, e.forward_passes, e.backward_passes) == (0.25, *passes)
    where = f", layer {tiny.default_layer}" if e.layer else ""
    assert e.facts == (
        f"{METHODS[key].title} of ray ({percent(e.probability)}), tiny{where}: 0.25 s, {passes_text(*passes)}"
    )


def test_explanation_is_frozen_and_hashable(tiny):
    e = explain(tiny, IMAGE, "grad_cam", 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        e.label = "another"
    assert len({e, e}) == 1


def test_html_shows_image_overlay_and_facts_and_is_escaped(tiny):
    e = explain(tiny, IMAGE, "grad_cam", 2)
    page = e._repr_html_()
    assert "<b>" not in page and "Grad-CAM of &lt;b&gt;shark&lt;/b&gt;" in page
    assert page.count("<img ") == 2 and 'alt="image"' in page and 'alt="overlay"' in page
    question = e.question.replace(model=dataclasses.replace(e.question.model, name="<script>"))
    e = dataclasses.replace(e, question=question, result=dataclasses.replace(e.result, notes=('"<i>"',)))
    assert "<script>" not in e._repr_html_() and "<i>" not in e._repr_html_()


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"method": "grad_camm"}, "method 'grad_camm' is not in CamViz; did you mean 'grad_cam'"),
        ({"method": "Grad-CAM"}, "method 'Grad-CAM' is not in CamViz; did you mean 'grad_cam'"),
        ({"layer": "features.9"}, r"layer 'features.9' is not in tiny; did you mean 'features.\d'"),
        ({"layer": "features.2,head.2"}, "layer 'head.2' is not in tiny"),
        ({"layer": ""}, "layer '' is not in tiny"),
        ({"target": "goldfisch"}, "class 'goldfisch' is not in tiny; did you mean 'goldfish'"),
        ({"target": 7}, "tiny has the classes 0 to 6; got 7"),
        ({"target": 3.5}, "a target is the index of a class, its label, or a score; got 3.5"),
        ({"target": -1}, "tiny has the classes 0 to 6; got -1"),
        ({"target": scores.contrast(1, 7)}, "tiny has the classes 0 to 6; got 7"),
        ({"counterfactual": 1}, "counterfactual of grad_cam must be bool; got 1"),
        ({"counterfactuals": True}, "not in the settings of grad_cam; did you mean 'counterfactual'"),
        ({"fit": "croped"}, "fit 'croped' is not in .*; did you mean 'crop'"),
        ({"fuse": "maximum"}, "fuse 'maximum' is not in mean, max, product; did you mean 'max'"),
        ({"image": b"no image"}, "."),
        ({"target": lambda values: values}, r"one number for each sample, shape \(1,\); got \(1, 7\)"),
    ],
)
def test_wrong_input_raises_a_one_line_error(tiny, arguments, sentence):
    before = state(tiny.net)
    with pytest.raises(CamvizError, match=sentence) as caught:
        explain(tiny, **{"image": IMAGE, **arguments})
    assert "\n" not in str(caught.value)
    assert state(tiny.net) == before


def test_methods_of_layers_refuse_a_network_without_feature_maps():
    model = loaded(nn.Sequential(nn.Flatten(), nn.Linear(3 * 20 * 28, 7)))
    assert explain(model, IMAGE, "vanilla_backprop").attribution.any()
    with pytest.raises(CamvizError, match="tiny has no layer of feature maps, which Grad-CAM needs"):
        explain(model, IMAGE, "grad_cam")


# ------------------------------------------------------------------------------------------ canceling and estimating


class Wide(nn.Module):
    """Sixty-four feature maps; each sample takes 0.01 s of the clock."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.features, self.head = nn.Conv2d(3, 64, 3, stride=4), nn.Linear(64, 7)

    def forward(self, x):
        self.clock.now += 0.01 * len(x)
        return self.head(self.features(x).mean(dim=(2, 3)))


class Clock:
    now = 0.0

    def __deepcopy__(self, memo):
        return self


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    fake_time = SimpleNamespace(perf_counter=lambda: clock.now, thread_time=lambda: clock.now)
    monkeypatch.setattr(explain_module, "time", fake_time)
    return clock


def test_estimate_takes_two_batches_and_is_within_10_percent(clock):
    torch.manual_seed(0)
    model = loaded(Wide(clock))
    explained = explain(model, IMAGE, "score_cam", 3)
    # One pass for each feature map, and one or two for the image and the layer; two more profile the network, once.
    assert 65 <= explained.forward_passes <= 67
    assert explained.seconds == pytest.approx(0.01 * (explained.forward_passes + 2), abs=0.011)
    clock.now = 0.0
    expected = estimate(ask(model, IMAGE, "score_cam"))
    assert expected == pytest.approx(explained.seconds, rel=0.1)
    assert clock.now < 0.25  # two batches of eight
    other = estimate(ask(model, IMAGE, "score_cam", weighting="class probability", fit="pad"))
    assert other == pytest.approx(explained.seconds, rel=0.1)


def test_heartbeats_do_not_change_the_estimate(clock, monkeypatch):
    model = loaded(Wide(clock))
    estimate(ask(model, IMAGE, "score_cam"))  # the first one also profiles the network
    expected = estimate(ask(model, IMAGE, "score_cam"))
    monkeypatch.setattr("camviz.tape.hooks.HEARTBEAT_SECONDS", -1.0)  # a heartbeat at every module
    assert estimate(ask(model, IMAGE, "score_cam")) == pytest.approx(expected)


def test_estimate_of_a_method_of_few_passes_is_its_duration(clock):
    torch.manual_seed(0)
    assert estimate(ask(loaded(Wide(clock)), IMAGE, "grad_cam")) == pytest.approx(0.01)


def test_exception_from_progress_cancels_at_once(clock):
    torch.manual_seed(0)
    model = loaded(Wide(clock))
    before, seen = state(model.net), []
    clock.now = 0.0

    def cancel(done, total):
        seen.append((done, total))
        raise Interrupt

    with pytest.raises(Interrupt):
        explain(model, IMAGE, "score_cam", 3, progress=cancel)
    assert seen == [(8, 64)] and clock.now < 0.16  # one batch of eight
    assert state(model.net) == before
    assert explain(model, IMAGE, "score_cam", 3).attribution.shape == (5, 7)
