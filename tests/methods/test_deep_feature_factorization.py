"""Deep feature factorization compared with scikit-learn and the package grad-cam."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.feature_factorization.deep_feature_factorization import dff
from sklearn.decomposition import NMF

from camviz import CamvizError, scores
from camviz.inspection.factorization import ITERATIONS, factorized, singular_start
from camviz.methods.deep_feature_factorization import deep_feature_factorization
from camviz.runtime.steps import recording_steps
from tests.methods.nets import Modules, by_hand, close

SCORE = scores.logit(2)


def test_factors_equal_scikit_learn():
    matrix = torch.rand(6, 30, dtype=torch.float64)
    factors, places = singular_start(matrix, 3)
    peer = NMF(3, init="custom", solver="mu", max_iter=ITERATIONS, tol=0)
    expected = peer.fit_transform(matrix.numpy(), W=factors.numpy().copy(), H=places.numpy().copy())
    found = factorized(matrix, 3)
    close(found[0], torch.from_numpy(expected), 1e-6)
    close(found[1], torch.from_numpy(peer.components_), 1e-6)


def test_fit_is_as_good_as_grad_cam_package_and_components_are_sorted():
    net, x, hand = by_hand(Modules)
    maps = hand.values[4][:1]
    with recording_steps() as steps:
        shown = [
            deep_feature_factorization(net, x, SCORE, net.features[4], components=3, component=c) for c in range(3)
        ]
    ours = (steps[0]["factors"] @ steps[0]["places"]).numpy()
    shifted = maps.flatten(2)[0].numpy()
    shifted = shifted - shifted.min(axis=1, keepdims=True)
    concepts, explanations = dff(maps.numpy().copy(), n_components=3)
    theirs = (concepts - maps[0].amin(dim=(1, 2)).numpy()[:, None]) @ explanations.reshape(3, -1)
    assert np.linalg.norm(ours - shifted) < 1.02 * np.linalg.norm(theirs - shifted) < 0.5 * np.linalg.norm(shifted)
    gradient = hand.back(lambda scores: torch.eye(7).double()[[2, 2]])[0][4]
    shares = []
    for one in shown:
        row = next(k for k, places in enumerate(steps[0]["places"]) if torch.equal(places, one[0].flatten()))
        rebuilt = steps[0]["factors"][:, row, None] * steps[0]["places"][row]
        shares.append(float((gradient[0].flatten(1) * rebuilt).sum()))
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    with pytest.raises(CamvizError, match="component 3 does not exist"):
        deep_feature_factorization(net, x, SCORE, net.features[4], components=3, component=3)
