"""LIME and KernelSHAP compared with scikit-learn, captum and exact Shapley values."""

from itertools import combinations
from math import factorial

import captum.attr
import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from sklearn.linear_model import Ridge
from torch.nn.functional import interpolate

from camviz import scores
from camviz.methods.kernel_shap import coalitions, kernel_shap
from camviz.methods.lime import lime
from camviz.perturbation.coalitions import superpixels_and_background
from camviz.perturbation.superpixels import segments_of
from camviz.runtime.rng import Rng
from tests.methods.nets import SIZE, Modules, Residual, build, close, random_images

SCORE = scores.logit(2)


def blocks(count):
    """Return images of squares of one color with noise, so that superpixels have edges to follow."""
    return interpolate(random_images(count, size=(3, 4)), size=SIZE, mode="nearest") + random_images(count) / 10


def hidden_scores(net, image, labels, rows, behind):
    """Return the scores with some superpixels visible, one by one."""
    found = []
    for row in rows:
        visible = torch.from_numpy(np.isin(labels.numpy(), np.flatnonzero(row)))
        with torch.no_grad():
            found.append(float(net(torch.where(visible, image, behind)[None])[0, 2]))
    return np.array(found)


@pytest.mark.parametrize("hidden", ["mean color", "own color"])
def test_lime_equals_weighted_ridge_regression(hidden):
    net, x = build(Residual), blocks(1)
    labels = segments_of(x[0], 9)
    behind = torch.zeros_like(x[0])
    if hidden == "own color":
        for k in range(int(labels.max()) + 1):
            behind[:, labels == k] = x[0][:, labels == k].mean(dim=1, keepdim=True)
    rows = (Rng(5).uniform(40, int(labels.max()) + 1) < 0.5).numpy().astype(float)
    rows[0] = 1
    cosine = rows.sum(axis=1) / np.sqrt(rows.sum(axis=1).clip(1e-12)) / np.sqrt(rows.shape[1])
    weight = np.sqrt(np.exp(-((1 - cosine) ** 2) / 0.3**2))  # as the package lime
    outputs = hidden_scores(net, x[0], labels, rows, behind)
    expected = Ridge(alpha=0.2).fit(rows, outputs, sample_weight=weight).coef_
    found = lime(net, x, SCORE, superpixels=9, samples=40, width=0.3, penalty=0.2, hidden=hidden, seed=5)
    close(found[0], torch.from_numpy(expected)[labels], 1e-8)


def test_lime_without_penalty_equals_captum():
    net, x = build(Modules), blocks(1)
    labels = segments_of(x[0], 6)
    count = int(labels.max()) + 1
    rows = (Rng(0).uniform(60, count) < 0.5).double()
    rows[0] = 1
    waiting = iter(rows)
    peer = captum.attr.LimeBase(
        net,
        interpretable_model=SkLearnLinearRegression(),
        similarity_func=lambda *_, **__: 1.0,
        perturb_func=lambda *_, **__: next(waiting)[None],
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda row, image, **_: image * row[0][labels],
        to_interp_rep_transform=None,
    )
    expected = peer.attribute(x, target=2, n_samples=60)[0].double()
    close(lime(net, x, SCORE, superpixels=6, samples=60, width=2.0, penalty=0.0)[0], expected[labels], 0.05)


def test_kernel_shap_of_few_superpixels_is_exact():
    net, x = build(Residual), blocks(1)
    labels = segments_of(x[0], 6)
    count = int(labels.max()) + 1
    assert 4 <= count <= 8
    value = {}
    for size in range(count + 1):
        for members in combinations(range(count), size):
            row = np.isin(np.arange(count), members)
            value[members] = hidden_scores(net, x[0], labels, [row], torch.zeros_like(x[0]))[0]
    expected = torch.zeros(count).double()
    for k in range(count):
        for members, before in value.items():
            if k not in members:
                share = factorial(len(members)) * factorial(count - len(members) - 1) / factorial(count)
                expected[k] += share * (value[tuple(sorted((*members, k)))] - before)
    found = kernel_shap(net, x, SCORE, superpixels=6, samples=300)
    close(found[0], expected[labels])
    sampled = kernel_shap(net, x, SCORE, superpixels=6, samples=10 * count)[0]
    assert float((sampled - expected[labels]).norm() / expected[labels].norm()) < 0.35
    torch.manual_seed(0)
    peer = captum.attr.KernelShap(net).attribute(x, feature_mask=labels[None, None], target=2, n_samples=400)
    close(peer[0, 0].double(), expected[labels], 0.1)


def test_coalitions_are_paired_with_the_sizes_of_the_kernel():
    visible, weight = coalitions(12, 400, 3)
    assert (visible[2::2] + visible[3::2] == 1).all() and (weight == 1).all()
    assert visible[0].sum() == 0 and visible[1].sum() == 12
    sizes = visible[2:].sum(dim=1).long()
    odds = torch.tensor([1 / (size * (12 - size)) for size in range(1, 12)])
    close(sizes.bincount(minlength=12)[1:].double() / 400, (odds / odds.sum()).double(), 0.25)


def test_kernel_shap_of_few_samples_sums_to_the_difference():
    net, x = build(Modules), blocks(2)
    found = kernel_shap(net, x, SCORE, superpixels=30, samples=8)
    for image, one in zip(x, found, strict=True):
        labels, _ = superpixels_and_background(image, 30, "mean color")
        total = sum(float(one[labels == k][0]) for k in range(int(labels.max()) + 1))
        with torch.no_grad():
            expected = (net(image[None]) - net(torch.zeros_like(image[None])))[0, 2]
        assert total == pytest.approx(float(expected))
