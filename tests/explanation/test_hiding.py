"""Hide the highlighted region and two control regions, and explain again."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import camviz
from camviz import CamvizError, edits, render
from camviz.explanation.hiding import Hidden, Hiding, _least_highlighted
from camviz.models import Prediction


@pytest.fixture(scope="module")
def explained(lite0, coffee):
    return camviz.explain(lite0, coffee, "layer_cam")


def test_hidden_regions_have_equal_size_and_ordered_mass(explained, lite0) -> None:
    found = camviz.hide_highlighted(explained, "gray")
    region = found.highlighted.region
    assert (region == render.highlighted(explained.heatmap)).all()
    assert explained.heatmap[region].sum() == pytest.approx(explained.heatmap.sum() / 2, rel=0.01)
    assert not found.before.region.any() and (found.before.view == explained.view).all()
    for one in (found.highlighted, found.random, found.least):
        assert one.region.sum() == region.sum() and one.share == region.mean()
        assert (one.view == edits.apply(explained.view, one.region, "gray")).all()
        single = lite0.predict(one.view, fit="stretch")
        assert [p.index for p in single] == [p.index for p in one.predictions]
        assert single[0].probability == pytest.approx(one.predictions[0].probability, abs=1e-5)
        assert one.explained.index == explained.target
    mass = [explained.heatmap[one.region].sum() for one in (found.least, found.random, found.highlighted)]
    assert mass == sorted(mass)
    again, other = camviz.hide_highlighted(explained, "gray"), camviz.hide_highlighted(explained, "gray", seed=1)
    assert (again.random.region == found.random.region).all() and (other.random.region != found.random.region).any()
    assert found.highlighted.explained.probability < found.random.explained.probability
    share, control = (one.explained.shown(0) for one in (found.highlighted, found.random))
    assert f"predicts espresso ({share} instead of 96%), as without a random region of the same size ({control})" in (
        found.sentence
    )


def test_least_highlighted_shift_equals_the_loop() -> None:
    rng = np.random.default_rng(0)
    heatmap, region = rng.random((9, 11), dtype=np.float32), rng.random((9, 11)) < 0.3
    shifts = product(range(9), range(11))
    assert _least_highlighted(heatmap, region) == min(
        shifts, key=lambda s: heatmap[np.roll(region, s, axis=(0, 1))].sum()
    )


def hidden(*best: tuple[int, float]) -> Hidden:
    """Return predictions of which "cat" (0) is explained."""
    predictions = tuple(Prediction(index, ("cat", "dog", "cow")[index], share) for index, share in best)
    nothing = np.zeros((4, 4))
    return Hidden(nothing > 0, nothing.astype(np.uint8), predictions, next(one for one in predictions if not one.index))


CAT, DOG, COW = ((0, 0.9), (1, 0.1)), ((1, 0.7), (0, 0.3)), ((2, 0.6), (0, 0.4))


@pytest.mark.parametrize(
    ("before", "without", "random", "says"),
    [
        (
            CAT,
            DOG,
            CAT,
            "dog (70%) instead of cat (90%). Without a random region of the same size it still predicts cat (90%)",
        ),
        (CAT, DOG, COW, "size it predicts cow (60%): hiding this much changes the prediction elsewhere too."),
        (CAT, CAT, CAT, "still predicts cat (90% instead of 90%), as without a random region of the same size (90%)"),
        (CAT, CAT, COW, "cat (90%), but without a random region of the same size cow (60%): the heatmap does not mark"),
        (DOG, COW, DOG, "The answer for cat goes from 30% to 40% without the highlighted region"),
    ],
)
def test_sentence_describes_the_change_of_the_prediction(before, without, random, says) -> None:
    found = Hiding(hidden(*before), hidden(*without), hidden(*random), hidden(*before))
    assert says in found.sentence and found.sentence.template and found.sentence.values


def test_each_round_explains_the_same_class_on_the_remaining_image(explained, lite0) -> None:
    reports = []
    steps = camviz.hide_and_ask_again(explained, 3, progress=lambda *done: reports.append(done))
    assert len(steps) == 3 and reports[-1] == (2, 2)
    assert steps[0].explanation is explained
    union = np.zeros_like(steps[0].region)
    for before, step in zip((None, *steps), steps, strict=False):
        assert not (step.region & union).any() and step.region.any()
        union |= step.region
        assert (step.result.region == union).all()
        assert (step.result.view == edits.apply(explained.view, union)).all()
        assert step.explanation.target == explained.target and step.explanation.method == "layer_cam"
        shares = {one.index: one.probability for one in lite0.predict(step.result.view, 1000, fit="stretch")}
        assert step.probability == pytest.approx(shares[explained.target], abs=1e-5)
        if before is not None:
            assert (step.explanation.view == before.result.view).all()
            alone = camviz.explain(lite0, before.result.view, "layer_cam", explained.target, fit="stretch")
            assert (alone.attribution == step.explanation.attribution).all()
    assert steps[2].probability < steps[0].probability < 0.2


class Corner(nn.Module):
    """One output: the brightness of the upper left quarter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.conv.weight, 1 / 3)
        nn.init.constant_(self.conv.bias, 0.0)

    def forward(self, x):
        return self.conv(x)[:, :, :16, :16].mean(dim=(2, 3))


def test_hiding_for_a_regression_and_for_an_empty_heatmap() -> None:
    model = camviz.load_model(Corner(), input_size=(32, 32), head="none", unit="lux", mean=(0, 0, 0), std=(1, 1, 1))
    view = np.full((32, 32, 3), 204, np.uint8)
    e = camviz.explain(model, view, "occlusion", size=16, stride=16, fit="stretch")
    found = camviz.hide_highlighted(e, np.zeros_like(view))
    seen = found.highlighted.view[:16, :16].mean() / 255
    assert found.highlighted.explained.value == pytest.approx(seen, abs=1e-6) and seen < 0.5
    assert f"goes from 0.8 lux to {seen:.3g} lux without" in found.sentence
    pixels = camviz.explain(model, view, "gradient_x_input", fit="stretch")
    steps = camviz.hide_and_ask_again(pixels, 5, np.zeros_like(view))
    assert len(steps) < 5 and steps[-1].result.explained.value == 0  # nothing is left to highlight
    black = camviz.explain(model, np.zeros_like(view), "gradient_x_input", fit="stretch")
    for ask in (camviz.hide_highlighted, camviz.hide_and_ask_again):
        with pytest.raises(CamvizError, match="heatmap is empty"):
            ask(black)
        with pytest.raises(CamvizError, match="got Tensor"):
            ask(torch.zeros(3))
    with pytest.raises(CamvizError, match="1 to 5"):
        camviz.hide_and_ask_again(e, 6)
