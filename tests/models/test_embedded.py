"""The embedded networks give their known predictions, without a network connection."""

import re
from pathlib import Path

import pytest

import camviz
from camviz import models

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def documented_predictions() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (\w+\.jpg) .*\| ([^|]+) \|$", (SAMPLES / "ATTRIBUTION.md").read_text(), re.MULTILINE)
    assert len(rows) == 12
    return rows


@pytest.mark.parametrize(("file", "listed"), documented_predictions())
def test_predictions_equal_those_of_attribution_md(lite0: camviz.Model, file: str, listed: str) -> None:
    first, second = lite0.predict(SAMPLES / file, k=2)
    assert listed.startswith(first.label)
    for prediction, percent in zip((first, second), re.findall(r"(\d+) %", listed), strict=False):
        assert round(100 * prediction.probability) == int(percent)
        assert f"{prediction.label} {percent} %" in listed


@pytest.mark.parametrize(
    ("name", "side", "probability"),
    [("efficientnet_lite0", 224, 0.957), ("efficientnet_lite1", 240, 0.478), ("efficientnet_lite2", 260, 0.879)],
)
def test_coffee_is_predicted_as_espresso(name: str, side: int, probability: float, coffee: Path) -> None:
    model = models.shared_model(name)
    best = model.predict(coffee.read_bytes())[0]
    assert (best.index, best.label) == (967, "espresso")
    assert best.probability == pytest.approx(probability, abs=0.005)
    assert model.input_size == (side, side)
    assert (str(model.weights), model.default_layer, len(model.categories)) == ("imagenet", "bn2", 1000)


def test_predictions_are_sorted_and_sum_to_one(lite0: camviz.Model, coffee: Path) -> None:
    everything = lite0.predict(coffee, k=5000)
    assert len({prediction.index for prediction in everything}) == len(everything) == 1000
    assert sum(prediction.probability for prediction in everything) == pytest.approx(1, abs=1e-5)
    assert [p.probability for p in everything] == sorted((p.probability for p in everything), reverse=True)
    assert lite0.predict(coffee, k=3) == everything[:3]
    with pytest.raises(camviz.CamvizError, match="at least 1; got 0"):
        lite0.predict(coffee, k=0)


def test_main_layers_of_the_default_model(lite0: camviz.Model) -> None:
    assert [(layer.name, layer.describe(lite0.stages)) for layer in lite0.layers if layer.main] == [
        ("bn1", "stage 1 of 5, 112x112, 32 channels"),
        ("blocks.0", "stage 1 of 5, 112x112, 16 channels"),
        ("blocks.1", "stage 2 of 5, 56x56, 24 channels"),
        ("blocks.2", "stage 3 of 5, 28x28, 40 channels"),
        ("blocks.3", "stage 4 of 5, 14x14, 80 channels"),
        ("blocks.4", "stage 4 of 5, 14x14, 112 channels"),
        ("blocks.5", "stage 5 of 5, 7x7, 192 channels"),
        ("blocks.6", "stage 5 of 5, 7x7, 320 channels"),
        ("bn2", "stage 5 of 5, 7x7, 1280 channels"),
    ]


def test_class_index_accepts_label_and_number(lite0: camviz.Model) -> None:
    assert lite0.class_index("espresso") == lite0.class_index("ESPRESSO") == lite0.class_index(967) == 967
    assert lite0.class_index("Cardigan") == 264  # the dog; the jacket is 474: exact case decides
    assert lite0.class_index("cardigan") == 474
    for wrong, sentence in {
        "CARDIGAN": r"'CARDIGAN' stands for the classes 264 and 474; give the index",
        "expresso": r"'expresso' is not in efficientnet_lite0; did you mean 'espresso'\?",
        1000: r"classes 0 to 999; got 1000",
        -1: r"classes 0 to 999; got -1",
    }.items():
        with pytest.raises(camviz.CamvizError, match=sentence):
            lite0.class_index(wrong)


def test_every_label_leads_back_to_its_class(lite0: camviz.Model) -> None:
    assert [lite0.class_index(label) for label in lite0.categories] == list(range(1000))


def test_layers_are_found_by_name(lite0: camviz.Model) -> None:
    assert lite0.module("blocks.4") is lite0.net.get_submodule("blocks.4")
    assert lite0.layer("blocks.4").channels == 112
    with pytest.raises(camviz.CamvizError, match=r"layer 'blocks.44' is not in efficientnet_lite0; did you mean 'blo"):
        lite0.module("blocks.44")
    with pytest.raises(camviz.CamvizError, match="layer 'classifier'"):
        lite0.module("classifier")


def test_network_is_frozen(lite0: camviz.Model) -> None:
    assert not any(module.training for module in lite0.net.modules())
    assert not any(parameter.requires_grad for parameter in lite0.net.parameters())
