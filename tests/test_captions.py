"""Captions: the sentences below a result."""

import re
from dataclasses import replace
from math import nan

import pytest

import camviz
from camviz import METHODS, captions, scores
from camviz.models import Prediction


@pytest.mark.parametrize(
    ("method", "settings", "sentence"),
    [
        ("grad_cam", {}, "The highlighted region is evidence for espresso (layer bn2)."),
        ("grad_cam", {"layer": "blocks.4,bn2"}, "evidence for espresso (layers blocks.4, bn2)."),
        ("grad_cam", {"counterfactual": True}, "The highlighted region is evidence against espresso (layer bn2)."),
        ("grad_cam", {"target": "cup"}, "The highlighted region is evidence for cup (layer bn2)."),
        (
            "vanilla_backprop",
            {"target": scores.contrast(967, 968)},
            "pixels change the score of espresso rather than cup most.",
        ),
        ("deconvnet", {"layer": "blocks.0", "feature_map": 3}, "activate feature map 3 of layer blocks.0 most."),
        ("vanilla_backprop", {}, "Small changes of the highlighted pixels change this score most."),
        (
            "integrated_gradients",
            {"steps": 1},
            "contribute most to this score. The contributions are relative to the baseline",
        ),
        ("gradient_x_input", {}, "contribute most to this score. The contributions are relative to an image of"),
        ("guided_backprop", {}, "structures that activate the model; they are nearly the same for every class."),
        ("deconvnet", {}, "projected back to the pixels; they are nearly the same for every class."),
        (
            "smooth_grad",
            {"samples": 1},
            "change this score most. This is averaged over noisy copies of the image.",
        ),
        (
            "smooth_grad",
            {"samples": 1, "base": "lrp"},
            "score is assigned to the highlighted pixels. This is averaged",
        ),
        ("smooth_grad", {"samples": 2, "statistic": "variance"}, "pixels the noise changes the gradient of this score"),
        ("lrp", {}, "Most of this score is assigned to the highlighted pixels."),
        ("eigen_cam", {}, "stands out most in the feature maps (layer bn2). This heatmap is the same for every class"),
        ("edge_detector", {}, "The highlighted pixels are the edges in the image. This heatmap is the same for every"),
    ],
)
def test_reading_of_each_kind_of_method(lite0, coffee, method, settings, sentence):
    e = camviz.explain(lite0, coffee, method, **settings)
    text = captions.reading(e, Prediction(967, "espresso", 0.957))
    assert text.startswith("The model predicts espresso (96%). ") and sentence in text


def test_every_method_has_a_reading_and_a_caution():
    for texts in ([one.reads for one in METHODS.values()], [one.caution for one in METHODS.values()]):
        assert len(set(texts)) == len(METHODS)
        assert [text for text in texts if not re.fullmatch(r"[A-Z{].*\.", text) or len(text) > 240] == []
    assert {tip.tooltip for tip in METHODS.values()}.isdisjoint(one.reads for one in METHODS.values())
    unknown = {name for one in METHODS.values() for name in re.findall(r"{(.*?)}", one.reads + one.caution)}
    assert unknown == {"score", "label", "where", "base"}


@pytest.mark.parametrize("key", ["guided_backprop", "deconvnet"])
def test_class_insensitive_methods_have_a_caution(key):
    assert "nearly the same for every class" in METHODS[key].reads and "reason" in METHODS[key].caution


@pytest.mark.parametrize("key", ["integrated_gradients", "gradient_x_input"])
def test_contributions_are_described_relative_to_a_baseline(key):
    assert "contribute most" in METHODS[key].reads and "get none" in METHODS[key].caution
    assert "sensitive" not in METHODS[key].caution


def test_method_without_a_reading_uses_its_tooltip(lite0, coffee, monkeypatch):
    silent = replace(METHODS["grad_cam"], reads="", caution="")
    monkeypatch.setitem(METHODS, "grad_cam", silent)
    e = camviz.explain(lite0, coffee)
    assert captions.reading(e, Prediction(967, "espresso", 0.957)).endswith("(96%). " + silent.tooltip)
    assert captions.caution(e) == captions.OF_ANY_METHOD


def test_caution_is_that_of_the_method_and_names_untrained_networks(lite0, coffee):
    assert captions.caution(camviz.explain(lite0, coffee)) == METHODS["grad_cam"].caution
    noisy = camviz.explain(lite0, coffee, "smooth_grad", samples=1, base="guided_backprop")
    assert captions.caution(noisy).startswith(METHODS["guided_backprop"].caution + " It explains noisy copies")
    untrained = camviz.load_model("squeezenet1_1", weights="random")
    text = captions.caution(camviz.explain(untrained, coffee, "vanilla_backprop"))
    assert (
        text == "This model is untrained, so nothing in the heatmap was learned. " + METHODS["vanilla_backprop"].caution
    )


@pytest.mark.parametrize(
    ("probability", "sentence"),
    [
        (0.93, "The model predicts espresso (93%). The"),
        (0.301, "The model predicts espresso (30%). The"),
        (0.14, "The model predicts espresso with only 14%: it is undecided. The"),
        (0.004, "The model predicts espresso with only 0.4%: it is undecided. The"),
        (nan, "The model predicts espresso (3 years). The"),
    ],
)
def test_low_probability_is_called_undecided(lite0, coffee, probability, sentence):
    predicted = Prediction(967, "espresso", probability, 3.0, "years")
    assert captions.reading(camviz.explain(lite0, coffee), predicted).startswith(sentence)
