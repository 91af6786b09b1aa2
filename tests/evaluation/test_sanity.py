"""Randomization, class contrast and the pointing game, on networks with known results."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from camviz import CamvizError
from camviz.evaluation.metrics.class_contrast import class_contrast
from camviz.evaluation.metrics.pointing_game import join_quarters, most_confident, pointing_game, share_inside
from camviz.evaluation.metrics.randomization import layers_with_weights, randomization, randomize_layers
from camviz.evaluation.pixel_ranking import normalize_map, pixel_values
from camviz.evaluation.ssim import ssim
from camviz.runtime.rng import Rng
from tests.evaluation.subjects import LAYER, TARGET, example, grad_cam, gradient
from tests.methods.nets import NETS, SIZE, Functional, Modules, Residual, state

# ----------------------------------------------------------------------------------------------------- randomization


def test_layers_with_weights_are_in_forward_order():
    net, x, _ = example(Residual)
    assert layers_with_weights(net, x) == [
        "stem",
        *("first.conv1", "first.bn1", "first.conv2", "first.bn2"),
        *("second.conv1", "second.bn1", "second.conv2", "second.bn2", "second.down"),
        "head.3",
    ]
    net, x, _ = example(Functional)
    assert layers_with_weights(net, x) == ["one", "two", "three", "head"]


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
@pytest.mark.parametrize("new_weights", ["fresh", "shuffled"])
def test_randomization_equals_stepwise_randomized_copies(kind, new_weights):
    net, x, _ = example(kind)
    before = state(net)
    result = randomization(net, x, gradient, stages=3, new_weights=new_weights, seed=5)
    assert state(net) == before
    names = layers_with_weights(net, x)[::-1]
    other, rng, done = copy.deepcopy(net), Rng(5), 0
    torch.testing.assert_close(result.maps[0], gradient(net, x)[0])
    for stage, layer in enumerate(result.layers[1:], start=1):
        end = names.index(layer) + 1
        assert result.depths[stage] == pytest.approx(end / len(names))
        randomize_layers(other, names[done:end], new_weights, rng)
        done = end
        torch.testing.assert_close(result.maps[stage], gradient(other, x)[0])
    assert result.layers[1] == names[0] and result.layers[-1] == names[-1] and result.depths[-1] == 1
    strength = [one.abs().sum(dim=0).numpy().ravel() for one in result.maps]
    expected = [spearmanr(strength[0], one).statistic for one in strength]
    np.testing.assert_allclose(result.correlations, expected, atol=1e-12)
    heatmaps = [normalize_map(pixel_values(one, SIZE)) for one in result.maps]
    np.testing.assert_allclose(result.similarities, [ssim(heatmaps[0], heatmap) for heatmap in heatmaps])
    assert result.correlations[0] == pytest.approx(1) and result.similarities[0] == pytest.approx(1)
    assert float(result) == pytest.approx(np.mean(np.abs(expected[1:])))


def test_randomize_layers_changes_only_the_named_layers():
    net, *_ = example(Residual)
    other = copy.deepcopy(net)
    randomize_layers(other, ["second.bn2", "second.conv2"], "fresh", Rng(0))
    held, new = net.state_dict(), other.state_dict()
    changed = {name for name in held if not torch.equal(held[name], new[name])}
    assert changed == {
        "second.conv2.weight",
        *(f"second.bn2.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
    }
    assert new["second.bn2.weight"].unique().tolist() == [1] and new["second.bn2.running_mean"].unique().tolist() == [0]
    kernel = new["second.conv2.weight"]
    assert float(kernel.std()) == pytest.approx((2 / kernel[0].numel()) ** 0.5, rel=0.15)
    randomize_layers(other, ["stem", "head.3"], "shuffled", Rng(0))
    for name in ("stem.weight", "head.3.weight", "head.3.bias"):
        assert not torch.equal(held[name], new[name])
        assert torch.equal(held[name].flatten().sort().values, new[name].flatten().sort().values)


def test_randomization_of_a_model_independent_map_is_1():
    net, x, _ = example()
    result = randomization(net, x, lambda net, x: x.mean(dim=1), stages=4)
    assert result.correlations == pytest.approx([1] * 5) and float(result) == pytest.approx(1)
    assert result.similarities == pytest.approx([1] * 5)


def test_randomization_with_many_stages_and_one_stage():
    net, x, _ = example()
    assert len(randomization(net, x, grad_cam, stages=60).maps) == 5  # the start and four layers
    once = randomization(net, x, grad_cam, stages=1)
    assert once.depths == (0, 1) and once.layers == ("", "features.0")
    with pytest.raises(CamvizError, match="no weights"):
        randomization(torch.nn.Sequential(torch.nn.Flatten()).eval(), x, lambda net, x: x.mean(dim=1))


# ----------------------------------------------------------------------------------------------- contrast of classes


def test_class_contrast_compares_with_classes_across_all_ranks():
    net, x, _ = example()
    with torch.no_grad():
        ranking = [c for c in net(x)[0].argsort(descending=True).tolist() if c != TARGET]
    result = class_contrast(net, x, TARGET, lambda c: gradient(net, x, c), others=3)
    assert result.classes == (TARGET, ranking[0], ranking[2], ranking[5])  # round(2.5) is 2
    strength = [gradient(net, x, c)[0].abs().sum(dim=0).numpy().ravel() for c in result.classes]
    expected = [spearmanr(strength[0], one).statistic for one in strength[1:]]
    np.testing.assert_allclose(result.correlations, expected, atol=1e-12)
    assert float(result) == pytest.approx(np.mean(expected))


def test_class_contrast_of_a_class_independent_map_is_1():
    net, x, heatmap = example()
    assert float(class_contrast(net, x, TARGET, lambda c: heatmap[None])) == pytest.approx(1)
    with pytest.raises(CamvizError, match="only one class"):
        class_contrast(
            torch.nn.Sequential(Modules(), torch.nn.Linear(7, 1)).eval().double(), x, 0, lambda c: heatmap[None]
        )


# ----------------------------------------------------------------------------------------------------- pointing game


def test_quarters_are_joined_row_by_row():
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 3)
    whole = join_quarters(images)
    assert whole.shape == (1, 3, 4, 6)
    assert whole[0, 0].tolist() == [[0, 0, 0, 1, 1, 1]] * 2 + [[2, 2, 2, 3, 3, 3]] * 2
    with pytest.raises(CamvizError, match="four images"):
        join_quarters(images[:3])


def test_share_inside_of_known_maps():
    attribution = torch.zeros(4, 6)
    attribution[0, 0], attribution[0, 5], attribution[3, 0], attribution[3, 4] = 1, 2, -7, 5
    assert [share_inside(attribution, (4, 6), quarter) for quarter in range(4)] == pytest.approx(
        [1 / 8, 2 / 8, 0, 5 / 8]
    )
    assert share_inside(-torch.ones(2, 2), (4, 4), 0) == 0
    assert [share_inside(torch.ones(7, 7), (20, 28), quarter) for quarter in range(4)] == pytest.approx([0.25] * 4)
    channels = torch.stack([attribution, -0.5 * attribution, torch.zeros(4, 6)])
    assert share_inside(channels, (4, 6), 3) == pytest.approx(5 / 8)


def test_pointing_game_on_a_color_classifier():
    class Colors(torch.nn.Module):
        """The score of class c is the mean of color c, that of class 3 the darkness."""

        def forward(self, x):
            return torch.cat([x.mean(dim=(2, 3)), -x.mean(dim=(1, 2, 3))[:, None]], dim=1)

    images = torch.zeros(4, 3, 8, 8)
    for color in range(3):
        images[color, color] = 1
    whole, net = join_quarters(images), Colors().eval()

    def explain(index):
        with torch.enable_grad():
            x = whole.clone().requires_grad_()
            return torch.autograd.grad(net(x)[0, index], x)[0] * whole

    result = pointing_game(whole, explain, (0, 1, 2, 3))
    assert result.shares == pytest.approx((1, 1, 1, 0)) and float(result) == pytest.approx(0.75)
    assert pointing_game(whole, explain, (1, 0, 2, 3)).shares == pytest.approx((0, 0, 1, 0))
    with pytest.raises(CamvizError, match="four different"):
        pointing_game(whole, explain, (0, 0, 1, 2))


def test_most_confident_image_of_each_class_is_chosen():
    assert most_confident([5, 5, 7, 9, 8], [0.6, 0.9, 0.55, 0.4, 0.95]) == [4, 1, 2]
    assert LAYER in dict(example()[0].named_modules())
