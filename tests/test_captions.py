"""What a result means, in plain words."""

import pytest

import camviz
from camviz import captions, scores


@pytest.mark.parametrize(
    ("method", "settings", "sentence"),
    [
        ("grad_cam", {}, "The bright region is what raised that score most at layer bn2."),
        ("grad_cam", {"layer": "blocks.4,bn2"}, "what raised that score most at layers blocks.4, bn2."),
        ("grad_cam", {"counterfactual": True}, "The bright region is what spoke against that score most at layer bn2."),
        ("grad_cam", {"target": "cup"}, "is what raised the score of cup most at layer bn2."),
        ("vanilla_backprop", {"target": scores.contrast(967, 968)}, "to which the score of espresso rather than cup"),
        ("deconvnet", {"layer": "blocks.0", "feature_map": 3}, "excites feature map 3 of layer blocks.0 most."),
        ("lrp", {}, "The bright pixels are those to which that score is traced back most."),
        ("edge_detector", {}, "This map is the same whatever the class: it shows no reason for this answer."),
    ],
)
def test_reading(lite0, coffee, method, settings, sentence):
    e = camviz.explain(lite0, coffee, method, **settings)
    text = captions.reading(e, "espresso", 0.957)
    assert text.startswith("The network is 96% sure this is an espresso. ") and sentence in text


def test_caution_belongs_to_the_family_and_untrained_networks_say_so(lite0, coffee):
    assert captions.caution(camviz.explain(lite0, coffee)) == captions.CAUTIONS["cam"]
    untrained = camviz.load_model("squeezenet1_1", weights="random")
    text = captions.caution(camviz.explain(untrained, coffee, "vanilla_backprop"))
    assert text == (
        "This network is untrained, so whatever the map shows was not learned. " + captions.CAUTIONS["gradient"]
    )


def test_a_small_chance_is_not_called_none(lite0, coffee):
    assert "under 1% sure" in captions.reading(camviz.explain(lite0, coffee), "espresso", 0.004)
