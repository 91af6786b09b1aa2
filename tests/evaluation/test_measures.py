"""Metrics that are one number, compared with formulas in float64, torchcam and captum."""

import captum.metrics
import numpy as np
import pytest
import torch
from torchcam.metrics import ClassificationMetric

from camviz import CamvizError, scores
from camviz.evaluation.metrics.average_drop import average_drop
from camviz.evaluation.metrics.increase_in_confidence import increase_in_confidence
from camviz.evaluation.metrics.infidelity import infidelity, perturbations
from camviz.evaluation.metrics.max_sensitivity import max_sensitivity
from camviz.evaluation.metrics.sparseness import sparseness
from camviz.evaluation.pixel_ranking import pixel_values
from camviz.evaluation.ssim import ssim
from tests.evaluation.subjects import SCORE, TARGET, Fixed, example, grad_cam, gradient, probability_of
from tests.methods.nets import NETS, SIZE

# ------------------------------------------------------------------------------------- average drop and increase


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_average_drop_and_increase_equal_the_formula(kind):
    net, x, heatmap = example(kind)
    positive = np.maximum(heatmap.numpy(), 0)
    mask = torch.tensor((positive - positive.min()) / (positive.max() - positive.min()))
    drops = []
    for target in range(7):
        before, after = probability_of(net, x, target), probability_of(net, x * mask, target)
        score = scores.probability(target)
        drops.append(average_drop(net, x, score, heatmap))
        assert drops[-1] == pytest.approx(max(0, before - after) / before, rel=1e-9, abs=1e-12)
        assert increase_in_confidence(net, x, score, heatmap) == (1.0 if after > before else 0.0)
    assert min(drops) == 0 < max(drops)  # probabilities sum to 1, so one falls and one rises


def test_average_drop_and_increase_equal_torchcam():
    net, x, heatmap = example(dtype=torch.float32)
    mask = (heatmap - heatmap.min()) / (heatmap.max() - heatmap.min())
    rises = []
    for target in range(7):
        peer = ClassificationMetric(Fixed(net, mask), lambda scores: scores.softmax(dim=-1))
        peer.update(x, target)
        score = scores.probability(target)
        assert average_drop(net, x, score, mask) == pytest.approx(peer.summary()["avg_drop"], abs=1e-5)
        rises.append(increase_in_confidence(net, x, score, mask))
        assert rises[-1] == peer.summary()["conf_increase"]
    assert {*rises} == {0, 1}


def test_average_drop_refuses_a_negative_score():
    net, x, heatmap = example()
    with pytest.raises(CamvizError, match="must be positive"):
        average_drop(net, x, lambda scores: -scores.exp().sum(dim=1), heatmap)


# -------------------------------------------------------------------------------------------------------- sparseness


def test_sparseness_equals_the_gini_formula():
    heatmap = torch.randn(9, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = heatmap.abs().flatten().numpy()
    gini = np.abs(values[:, None] - values).sum() / (2 * len(values) * values.sum())
    assert sparseness(heatmap) == pytest.approx(gini, rel=1e-12)


def test_sparseness_of_known_maps():
    one = torch.zeros(10, 10)
    assert sparseness(one) == 0 and sparseness(one + 3) == pytest.approx(0)
    one[4, 4] = 5
    assert sparseness(one) == pytest.approx(0.99)


# -------------------------------------------------------------------------------------------------------- infidelity


@pytest.mark.parametrize("perturbation", ["squares", "noise"])
def test_infidelity_of_gradients_equals_captum(perturbation):
    net, x, _ = example()
    attribution = gradient(net, x)
    removed = perturbations(x[0], 12, perturbation, seed=3)[0]

    for normalize, normalization in ((False, "none"), (True, "optimal")):
        ours = infidelity(
            net,
            x,
            scores.logit(TARGET),
            attribution[0],
            samples=12,
            perturbation=perturbation,
            interpretation="gradient",
            normalization=normalization,
            seed=3,
        )
        peer = captum.metrics.infidelity(
            net,
            lambda inputs: (removed, inputs - removed),
            x,
            attribution,
            target=TARGET,
            n_perturb_samples=12,
            normalize=normalize,
        )
        assert ours == pytest.approx(float(peer), rel=1e-8)


def test_relative_infidelity_of_contributions_equals_the_loop():
    net, x, _ = example()
    attribution = grad_cam(net, x)[0]
    full = pixel_values(attribution, SIZE).numpy()
    change, where = perturbations(x[0], 15, "squares", seed=4)
    predicted = [3 * full[where[n, 0].bool().numpy()].sum() for n in range(15)]
    actual = [probability_of(net, x) - probability_of(net, x[0] - change[n]) for n in range(15)]
    best = np.dot(predicted, actual) / np.dot(predicted, predicted)
    expected = np.sum((best * np.array(predicted) - actual) ** 2) / np.sum(np.square(actual))
    result = infidelity(net, x, SCORE, attribution, samples=15, seed=4)
    assert 0 < result < 1 and result == pytest.approx(expected, rel=1e-8)
    assert infidelity(net, x, SCORE, 1000 * attribution, samples=15, seed=4) == pytest.approx(result)


def test_infidelity_is_0_for_a_linear_network_and_1_for_an_empty_map():
    _, x, _ = example()
    weight = torch.randn(2, x.numel(), generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(x.numel(), 2, dtype=torch.float64)).eval()
    net[1].weight.data = weight
    slope = weight[0].view(x.shape[1:])
    for interpretation, attribution in (("gradient", slope), ("contribution", slope * x[0])):
        found = infidelity(net, x, scores.logit(0), attribution, interpretation=interpretation, normalization="none")
        assert found == pytest.approx(0, abs=1e-18)
    assert infidelity(net, x, scores.logit(0), torch.zeros(5, 5, dtype=torch.float64)) == 1


def test_square_perturbations_cover_the_image():
    _, x, _ = example()
    change, where = perturbations(x[0], 200, "squares", seed=0)
    torch.testing.assert_close(change, where * x[0])
    areas = where[:, 0].sum(dim=(1, 2)).sqrt()
    assert torch.equal(areas, areas.round()) and areas.min() == 1 and areas.max() == 10
    reached = where[:, 0].amax(dim=0)
    assert reached[0].any() and reached[-1].any() and reached[:, 0].any() and reached[:, -1].any()
    assert reached[5:15, 5:23].all()


# --------------------------------------------------------------------------------------------------- max-sensitivity


@pytest.mark.parametrize("method", [gradient, grad_cam])
def test_max_sensitivity_equals_the_loop(method):
    net, x, _ = example()
    generator = torch.Generator().manual_seed(6)
    first, found = method(net, x).numpy().ravel(), []
    for _ in range(4):
        shift = torch.rand(x.shape, generator=generator, dtype=torch.float64) * 0.2 - 0.1
        found.append(np.linalg.norm(method(net, x + shift).numpy().ravel() - first) / np.linalg.norm(first))
    assert max_sensitivity(net, x, method, samples=4, radius=0.1, seed=6) == pytest.approx(max(found), rel=1e-10)


def test_max_sensitivity_equals_captum():
    net, x, _ = example()
    generator = torch.Generator().manual_seed(6)
    shifted = torch.cat(
        [x + torch.rand(x.shape, generator=generator, dtype=torch.float64) * 0.04 - 0.02 for _ in range(5)]
    )

    def explain(inputs):  # captum hands over a tuple the first time, and then a tensor
        return (gradient(net, *inputs),) if isinstance(inputs, tuple) else gradient(net, inputs)

    peer = captum.metrics.sensitivity_max(explain, x, perturb_func=lambda *_: shifted, n_perturb_samples=5)
    assert max_sensitivity(net, x, gradient, samples=5, radius=0.02, seed=6) == pytest.approx(float(peer), rel=1e-8)


def test_max_sensitivity_refuses_an_empty_map():
    net, x, _ = example()
    with pytest.raises(CamvizError, match="zero everywhere"):
        max_sensitivity(net, x, lambda net, x: torch.zeros(1, 4, 4))


# -------------------------------------------------------------------------------------------------------------- SSIM


def test_ssim_equals_the_loop_over_windows():
    a, b = torch.rand(2, 14, 13, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    b = 0.5 * a + 0.5 * b
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    values = []
    for i in range(4):
        for j in range(3):
            p, q = a[i : i + 11, j : j + 11].numpy(), b[i : i + 11, j : j + 11].numpy()
            m, n = (window * p).sum(), (window * q).sum()
            u, v = (window * (p - m) ** 2).sum(), (window * (q - n) ** 2).sum()
            both = (window * (p - m) * (q - n)).sum()
            values.append((2 * m * n + 1e-4) * (2 * both + 9e-4) / ((m * m + n * n + 1e-4) * (u + v + 9e-4)))
    assert ssim(a, b) == pytest.approx(np.mean(values), rel=1e-10)
    assert ssim(a, a) == pytest.approx(1)
    with pytest.raises(CamvizError, match="at least 11"):
        ssim(a[:5], b[:5])
