"""Feature maps: weights, order and strongest positions compared with loops; patches compared with their input."""

import numpy as np
import pytest
import torch

from camviz.errors import CamvizError
from camviz.inspection.feature_maps import FeatureMaps, Peaks, feature_maps, peaks, top_activations
from camviz.inspection.receptive_field import receptive_fields
from camviz.scores import contrast, logit
from camviz.tape import activations
from tests.methods import nets


def test_weights_are_the_mean_gradient() -> None:
    net, x = nets.build(nets.Modules), nets.random_images(1)
    found = feature_maps(net, x, contrast(2, 5), net.features[4])
    activation = net.features[:5](x).detach().requires_grad_()
    scores = net.head(net.features[5:](activation))[0]
    (gradient,) = torch.autograd.grad(scores[2] - scores[5], activation)
    assert np.allclose(found.maps, activation[0].detach().numpy(), atol=1e-6)
    for channel in range(5):
        assert found.weights[channel] == pytest.approx(float(gradient[0, channel].sum()) / gradient[0, 0].numel())
        assert found.strengths[channel] == pytest.approx(float(activation.detach()[0, channel].max()))


def test_orders_equal_sorting() -> None:
    rng = np.random.default_rng(0)
    maps = np.minimum(rng.normal(size=(40, 5, 6)), 1.5).astype(np.float32)  # many reach the same top
    weights, relevances = rng.normal(size=(2, 40)).astype(np.float32)
    found = FeatureMaps(maps, weights, relevances)
    strong = sorted(range(40), key=lambda c: (max(maps[c].flat), maps[c].mean()), reverse=True)
    assert found.order("strength").tolist() == strong
    assert found.order("weight").tolist() == sorted(range(40), key=lambda c: -found.weights[c])
    assert found.order("relevance").tolist() == sorted(range(40), key=lambda c: -found.relevances[c])
    assert found.order("number").tolist() == list(range(40))
    with pytest.raises(CamvizError, match="relevance_shares"):
        FeatureMaps(maps, weights).order("relevance")
    with pytest.raises(CamvizError, match="did you mean 'weight'"):
        found.order("weigth")  # type: ignore[arg-type]


@pytest.mark.slow
def test_top_activations_equal_a_full_search(lite0) -> None:
    layer = lite0.module("blocks.2")
    images = torch.randn(12, 3, 224, 224, generator=torch.Generator().manual_seed(4))
    found = [peaks(lite0.net, x[None], layer) for x in images]
    maps = activations(lite0.net, images, layer)[0]
    for feature_map in (0, 7, 39):
        best = []
        for number in range(12):
            values = maps[number, feature_map].tolist()
            best.append(max((v, number, r, c) for r, row in enumerate(values) for c, v in enumerate(row)))
        best.sort(reverse=True)
        strongest = top_activations(found, feature_map)
        assert [(f.image, f.row, f.column) for f in strongest] == [one[1:] for one in best[:9]]
        assert [f.value for f in strongest] == pytest.approx([one[0] for one in best[:9]], abs=1e-4)


def test_ties_among_top_activations_keep_their_order() -> None:
    same = Peaks(np.array([2.0, 3.0], np.float32), np.array([1, 2]), np.array([3, 4]))
    strongest = top_activations([same, same], 1)
    assert [(f.image, f.row, f.column, f.value) for f in strongest] == [(0, 2, 4, 3.0), (1, 2, 4, 3.0)]


@pytest.mark.slow
def test_receptive_field_contains_all_input_of_an_activation(lite0, coffee) -> None:
    layer, x = lite0.module("blocks.2"), lite0.preprocess(coffee)
    one = peaks(lite0.net, x, layer)
    row, column, value = int(one.rows[5]), int(one.columns[5]), float(one.values[5])
    ((top, left, bottom, right),) = receptive_fields(lite0.net, x, [(layer, row, column)])
    assert (bottom - top) <= 67 and (right - left) <= 67  # 86 to 153 in the middle
    outside = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    outside[:, :, top:bottom, left:right] = x[:, :, top:bottom, left:right]
    after = activations(lite0.net, outside, layer)[0]
    assert float(after[0, 5, row, column]) == pytest.approx(value, abs=1e-4)
    assert float(after[0].max(dim=1).values.sum()) != pytest.approx(float(one.values.sum()), rel=0.01)
    inside = x.clone()
    inside[:, :, top:bottom, left:right] = 0
    assert abs(float(activations(lite0.net, inside, layer)[0][0, 5, row, column]) - value) > 0.1


def test_weighted_feature_maps_equal_grad_cam(lite0, coffee) -> None:
    from camviz import METHODS

    x, layer = lite0.preprocess(coffee), lite0.module("blocks.5")
    found = feature_maps(lite0.net, x, logit(967), layer)
    cam = METHODS["grad_cam"](lite0.net, x, logit(967), layer)[0].numpy()
    assert np.allclose(np.tensordot(found.weights, found.maps, 1).clip(min=0), cam, atol=1e-5)
