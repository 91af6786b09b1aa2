"""ARCC against the package grad-cam, MuFidelity against a loop."""

import numpy as np
import pytest
import scipy.stats
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.metrics.arcc import ARCC
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget, ClassifierOutputTarget

from camviz.evaluation.metrics.arcc import arcc
from camviz.evaluation.metrics.mu_fidelity import mu_fidelity
from camviz.runtime.rng import Rng
from tests.evaluation.subjects import LAYER, SCORE, TARGET, example, grad_cam, gradient, probability_of
from tests.methods.nets import SIZE


@pytest.mark.parametrize("sign", [1, -1])
def test_arcc_equals_grad_cam_package(sign):
    net, x, _ = example(dtype=torch.float32)
    heatmap = sign * gradient(net, x)[0].sum(dim=0)  # without ties, which the package removes all or none of
    mask = (heatmap - heatmap.min()) / (heatmap.max() - heatmap.min())
    peer = ARCC(GradCAM(net, [net.get_submodule(LAYER)]), [20, 40, 60, 80])
    expected = peer.coherency(x, mask.numpy()[None], [ClassifierOutputTarget(TARGET)], net, peer.base_method)
    found = arcc(net, x, SCORE, mask, lambda net, x: grad_cam(net, x))
    assert found.coherency == pytest.approx(float(expected[0]), abs=1e-4)
    assert found.simplicity == pytest.approx(1 - float(peer.complexity(mask.numpy()[None])[0]), abs=1e-6)
    removed = peer.road(x, mask.numpy()[None], [ClassifierOutputSoftmaxTarget(TARGET)], net)
    assert found.road == pytest.approx(float(np.clip(2 * removed, 0, 1)[0]), abs=2e-3)
    parts = (found.coherency, found.simplicity, found.road)
    assert float(found) == pytest.approx(3 / sum(1 / (part + 1e-8) for part in parts))


def test_mu_fidelity_equals_the_loop():
    net, x, heatmap = example()
    rng, sums, drops = Rng(7), [], []
    for _ in range(25):
        hidden = np.zeros(16)
        hidden[rng.permutation(16)[:5].numpy()] = 1
        rows, columns = (np.arange(length) * 4 // length for length in SIZE)
        mask = torch.from_numpy(hidden.reshape(4, 4)[rows][:, columns])
        sums.append(float((heatmap * mask).sum()))
        drops.append(probability_of(net, x) - probability_of(net, x * (1 - mask)))
    expected = scipy.stats.spearmanr(sums, drops).statistic
    assert abs(expected) > 0.01
    found = mu_fidelity(net, x, SCORE, heatmap, samples=25, cells=4, share=0.3, seed=7)
    assert found == pytest.approx(expected, abs=1e-9)
