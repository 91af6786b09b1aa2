"""What a result means, in plain words."""

import pytest

import camviz
from camviz import captions, scores
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
        ("integrated_gradients", {}, "The highlighted pixels contribute most to this score."),
        ("guided_backprop", {}, "they are nearly the same for every class."),
        ("lrp", {}, "Most of this score is assigned to the highlighted pixels."),
        ("edge_detector", {}, "This heatmap is the same for every class"),
    ],
)
def test_reading(lite0, coffee, method, settings, sentence):
    e = camviz.explain(lite0, coffee, method, **settings)
    text = captions.reading(e, Prediction(967, "espresso", 0.957))
    assert text.startswith("The model predicts espresso (96%). ") and sentence in text


def test_caution_belongs_to_the_family_and_untrained_networks_say_so(lite0, coffee):
    assert captions.caution(camviz.explain(lite0, coffee)) == captions.CAUTIONS["cam"]
    untrained = camviz.load_model("squeezenet1_1", weights="random")
    text = captions.caution(camviz.explain(untrained, coffee, "vanilla_backprop"))
    assert text == ("This model is untrained, so nothing in the heatmap was learned. " + captions.CAUTIONS["gradient"])


def test_a_small_chance_is_not_called_none(lite0, coffee):
    assert "(under 1%)" in captions.reading(camviz.explain(lite0, coffee), Prediction(967, "espresso", 0.004))
