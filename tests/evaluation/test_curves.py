"""Deletion, insertion and ROAD, compared with loops in float64, torchcam and grad-cam."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer, ROADCombined
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torchcam.metrics import DeletionInsertionMetric
from torchvision.transforms.functional import gaussian_blur

from camviz import CamvizError
from camviz.evaluation.metrics.deletion import deletion
from camviz.evaluation.metrics.insertion import insertion
from camviz.evaluation.metrics.road import impute, road
from camviz.evaluation.perturbation_curve import Curve, blur, filler_image
from camviz.evaluation.pixel_ranking import pixel_ranks, pixel_values
from tests.evaluation.subjects import SCORE, TARGET, Fixed, example, grad_cam, probability_of
from tests.methods.nets import NETS, SIZE

PIXELS = SIZE[0] * SIZE[1]


def ranked_pixels(heatmap):
    """Return all (row, column), sorted by falling value."""
    places = [(row, column) for row in range(SIZE[0]) for column in range(SIZE[1])]
    return sorted(places, key=lambda place: -float(heatmap[place]))


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
@pytest.mark.parametrize("filler", ["mean", "blur"])
@pytest.mark.parametrize("steps", [7, 3])
def test_deletion_and_insertion_equal_the_loop(kind, filler, steps):
    net, x, heatmap = example(kind)
    stand_in = torch.zeros_like(x) if filler == "mean" else blur(x, 1.0)
    order = ranked_pixels(heatmap)
    for metric, start, end in ((deletion, x, stand_in), (insertion, stand_in, x)):
        expected, fractions = [], []
        for step in range(steps + 1):
            count = round(PIXELS * step / steps)
            changed = start.clone()
            for row, column in order[:count]:
                changed[0, :, row, column] = end[0, :, row, column]
            expected.append(probability_of(net, changed))
            fractions.append(count / PIXELS)
        curve = metric(net, x, SCORE, heatmap, steps=steps, filler=filler)
        np.testing.assert_allclose(curve.values, expected, rtol=1e-10)
        np.testing.assert_allclose(curve.fractions, fractions, rtol=1e-12)
        assert float(curve) == pytest.approx(np.trapezoid(expected, fractions), rel=1e-10)


def test_insertion_starts_at_the_filler_and_ends_at_the_image():
    net, x, heatmap = example()
    curve = insertion(net, x, SCORE, heatmap, steps=2)
    assert curve.values[0] == pytest.approx(probability_of(net, filler_image(x, "blur")))
    assert curve.values[-1] == pytest.approx(probability_of(net, x))


def test_area_of_a_curve_with_uneven_steps():
    assert Curve((0.0, 0.25, 1.0), (1.0, 0.5, 0.1)).area == pytest.approx(0.25 * 0.75 + 0.75 * 0.3)


def test_deletion_and_insertion_equal_torchcam():
    net, x, heatmap = example(dtype=torch.float32)
    peer = DeletionInsertionMetric(Fixed(net, heatmap), lambda scores: scores.softmax(dim=-1), steps=7)
    peer.update(x, TARGET)
    ours = [float(metric(net, x, SCORE, heatmap, steps=7, filler="mean")) for metric in (deletion, insertion)]
    assert ours == pytest.approx([peer.summary()[f"{name}_auc"] for name in ("deletion", "insertion")], rel=1e-5)


def test_blur_equals_torchvision_away_from_the_border():
    x = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = gaussian_blur(x, [13, 13], [2.0, 2.0])
    torch.testing.assert_close(blur(x, 2.0)[..., 6:-6, 6:-6], expected[..., 6:-6, 6:-6], rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(filler_image(x, "blur"), blur(x, 2.0))


def test_ties_are_ranked_in_a_fixed_random_order():
    heatmap = torch.zeros(20, 28)
    heatmap[3, 4] = 1
    place = pixel_ranks(heatmap)
    assert place[3 * 28 + 4] == 0 and sorted(place.tolist()) == list(range(560))
    assert torch.equal(place, pixel_ranks(heatmap))
    rest = place.view(20, 28)[10:].double()
    assert rest.mean() == pytest.approx(280, abs=30)  # the lower half comes neither first nor last


# ------------------------------------------------------------------------------------------------------------- ROAD


def impute_densely(image, hole):
    """Solve the imputation as a dense linear system, one equation per pixel."""
    height, width = hole.shape
    matrix, known = np.zeros((height * width,) * 2), np.zeros((height * width, len(image)))
    for i in range(height):
        for j in range(width):
            row = i * width + j
            if not hole[i, j]:
                matrix[row, row], known[row] = 1, image[:, i, j]
                continue
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    if (down or right) and 0 <= i + down < height and 0 <= j + right < width:
                        weight = 1 / 12 if down and right else 1 / 6
                        matrix[row, row] += weight
                        matrix[row, (i + down) * width + j + right] -= weight
    return np.linalg.solve(matrix, known).T.reshape(image.shape)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_imputation_equals_the_dense_system_and_grad_cam(share):
    rng = np.random.default_rng(3)
    image, hole = rng.normal(size=(3, 9, 14)), rng.random((9, 14)) < share
    result = impute(image, hole)
    np.testing.assert_allclose(result, impute_densely(image, hole), atol=1e-12)
    peer = NoisyLinearImputer(noise=0)(torch.tensor(image).float(), torch.tensor(1 - hole.astype(np.float32)))
    np.testing.assert_allclose(result, peer, atol=1e-5)


def test_imputation_of_a_ramp_is_exact():
    ramp = np.add.outer(np.arange(12.0), 2 * np.arange(10.0))[None]
    hole = np.zeros((12, 10), bool)
    hole[3:7, 2:8] = True
    np.testing.assert_allclose(impute(np.where(hole, 0, ramp), hole), ramp, atol=1e-12)


def test_road_equals_the_loop():
    net, x, heatmap = example()
    result = road(net, x, SCORE, heatmap, steps=3, noise=0)
    order = ranked_pixels(heatmap)
    most, least = result.most_relevant_first, result.least_relevant_first
    for share, with_most_removed, with_least_removed in zip((0.25, 0.5, 0.75), most, least, strict=True):
        for first, value in ((order, with_most_removed), (order[::-1], with_least_removed)):
            hole = np.zeros(SIZE, bool)
            hole[tuple(np.array(first[: round(PIXELS * share)]).T)] = True
            assert value == pytest.approx(
                probability_of(net, torch.tensor(impute_densely(x[0].numpy(), hole))), rel=1e-9
            )
    assert result.fractions == (0.25, 0.5, 0.75)
    assert float(result) == pytest.approx(np.subtract(least, most).mean() / 2)


def test_road_without_noise_equals_grad_cam(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # grad-cam's noise
    net, x, heatmap = example(dtype=torch.float32)
    peer = ROADCombined()(x, heatmap[None].numpy(), [ClassifierOutputSoftmaxTarget(2)], net)
    assert float(road(net, x, SCORE, heatmap, noise=0)) == pytest.approx(float(peer[0]), rel=1e-4)


def test_road_noise_is_seeded_and_small():
    net, x, heatmap = example()
    plain = road(net, x, SCORE, heatmap, steps=2, noise=0)
    one, other = (road(net, x, SCORE, heatmap, steps=2, noise=0.05, seed=seed) for seed in (1, 2))
    assert one != other and one == road(net, x, SCORE, heatmap, steps=2, noise=0.05, seed=1)
    np.testing.assert_allclose(one.most_relevant_first, plain.most_relevant_first, rtol=0.02)
    assert one.most_relevant_first != plain.most_relevant_first


def test_wrong_input_of_curves_is_refused():
    net, x, heatmap = example()
    with pytest.raises(CamvizError, match=r"\(2, 3, 20, 28\)"):
        deletion(net, torch.cat([x, x]), SCORE, heatmap)
    with pytest.raises(CamvizError, match=r"\(20, 28\); got \(7, 7\)"):
        insertion(net, x, SCORE, torch.ones(7, 7))
    with pytest.raises(CamvizError, match="none of them can be imputed"):
        impute(x[0].numpy(), np.ones(SIZE, bool))
    with pytest.raises(CamvizError, match="not finite"):
        pixel_values(torch.tensor([[0.0, float("nan")]]), SIZE)
    with pytest.raises(CamvizError, match=r"\(4, 5, 5\)"):
        pixel_values(torch.ones(4, 5, 5), SIZE)


def test_constant_map_gives_zero_pixel_values():
    assert pixel_values(torch.full((7, 7), 0.1), (224, 200)).unique().tolist() == [0]
    net, x, _ = example()
    assert float(pixel_values(grad_cam(net, x)[0], SIZE).amax()) > 0
