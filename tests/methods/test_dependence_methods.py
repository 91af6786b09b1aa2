"""Sobol and HSIC attribution compared with loops in float64 and with a function of known indices."""

import numpy as np
import torch
from torch import nn
from torch.quasirandom import SobolEngine

from camviz import scores
from camviz.methods.hsic import hsic
from camviz.methods.sobol import sobol
from camviz.runtime.rng import Rng
from tests.methods.nets import Residual, build, close, random_images

SCORE = scores.logit(2)


def upsampled(row, cells, size):
    """Enlarge cells to a mask of the image by nearest neighbor."""
    rows, columns = (np.arange(length) * cells // length for length in size)
    return torch.from_numpy(row.reshape(cells, cells)[rows][:, columns])


def masked_scores(net, image, rows, cells):
    with torch.no_grad():
        return np.array([float(net((image * upsampled(row, cells, image.shape[1:]))[None])[0, 2]) for row in rows])


def test_sobol_equals_jansen_estimator():
    net, x = build(Residual), random_images()
    drawn = SobolEngine(18, scramble=True, seed=4).draw(8, dtype=torch.float64).numpy()
    one, other = drawn[:, :9], drawn[:, 9:]
    found = sobol(net, x, SCORE, samples=8, cells=3, seed=4)
    for image, shown in zip(x, found, strict=True):
        plain = masked_scores(net, image, one, 3)
        expected = []
        for k in range(9):
            changed = one.copy()
            changed[:, k] = other[:, k]
            expected.append(((plain - masked_scores(net, image, changed, 3)) ** 2).mean() / 2 / plain.var())
        close(shown.flatten(), torch.tensor(expected))


class Known(nn.Module):
    """Its score is 3 m[0] + m[1] + 2 m[2] m[3] of four cells of a white image, so its Sobol indices are known."""

    def forward(self, x):
        m = x[:, 0, ::4, ::4].flatten(1)
        return torch.stack([3 * m[:, 0] + m[:, 1] + 2 * m[:, 2] * m[:, 3], m.sum(dim=1)], dim=1)


def test_sobol_approaches_known_indices():
    found = sobol(Known(), torch.ones(1, 3, 8, 8).double(), scores.logit(0), samples=2048, cells=2).flatten()
    parts = torch.tensor([9 / 12, 1 / 12, 4 / 12 * (1 / 3), 4 / 12 * (1 / 3)]).double()  # E var of each cell
    variance = 10 / 12 + 4 * (1 / 9 - 1 / 16)
    close(found, parts / variance, 0.05)


def test_hsic_equals_the_trace_formula():
    net, x = build(Residual), random_images()
    rows = (Rng(6).uniform(30, 16) < 0.5).double().numpy()
    found = hsic(net, x, SCORE, samples=30, cells=4, seed=6)
    for image, shown in zip(x, found, strict=True):
        values = masked_scores(net, image, rows, 4)
        distance = abs(values[:, None] - values)
        width = torch.tensor(sorted(distance[n, m] for n in range(30) for m in range(30) if n != m)).median().item()
        center = np.eye(30) - 1 / 30
        outputs = center @ np.exp(-(distance**2) / (2 * width**2)) @ center
        expected = [np.trace((0.5 - (z[:, None] - z) ** 2) @ outputs) / 900 for z in rows.T]
        close(shown.flatten(), torch.tensor(expected))
    assert found.min() >= 0
