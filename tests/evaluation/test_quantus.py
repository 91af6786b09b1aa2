"""Metrics compared with Quantus (Hedström et al., JMLR 2023)."""

import warnings

import numpy as np
import pytest
import quantus
import torch
from quantus.functions.norm_func import fro_norm
from quantus.functions.perturb_func import noisy_linear_imputation
from quantus.functions.similarity_func import correlation_spearman, difference
from torch import nn

from camviz import scores
from camviz.evaluation.metrics import randomization as sanity
from camviz.evaluation.metrics.deletion import deletion
from camviz.evaluation.metrics.infidelity import infidelity
from camviz.evaluation.metrics.max_sensitivity import max_sensitivity
from camviz.evaluation.metrics.pointing_game import share_inside
from camviz.evaluation.metrics.road import impute
from camviz.evaluation.metrics.sparseness import sparseness
from camviz.evaluation.pixel_ranking import pixel_values
from camviz.evaluation.registry import METRICS
from tests.evaluation.subjects import SCORE, TARGET, example, gradient
from tests.methods.nets import SIZE, Functional, Modules, random_images

SAME = {"disable_warnings": True, "abs": False, "normalise": False}  # a map as it is


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def result_of(metric, net, x, heatmap, **more):
    """Return the result of a Quantus metric for one image and its map."""
    return metric(net, x.numpy(), np.array([TARGET]), heatmap.numpy()[None, None], device="cpu", **more)


def explain_gradient(model, inputs, targets, **_):
    """Compute gradients with the interface of Quantus' explain functions."""
    maps = [
        gradient(model, torch.from_numpy(one)[None].float(), int(target))
        for one, target in zip(inputs, targets, strict=True)
    ]
    return torch.cat(maps).numpy()


def test_sparseness_equals_quantus():
    net, x, heatmap = example(dtype=torch.float32)
    peer = quantus.Sparseness(disable_warnings=True, abs=True, normalise=False)
    assert sparseness(heatmap) == pytest.approx(result_of(peer, net, x, heatmap)[0], abs=1e-5)


def test_deletion_equals_pixel_flipping():
    """Quantus flips values and not pixels: a pixel's three values are equally hot, so they are flipped together."""
    net, _, _ = example(dtype=torch.float32)
    side, steps = 24, 12
    x, heatmap = random_images(1, torch.float32, (side, side)), torch.randperm(side * side).view(side, side).float()
    peer = quantus.PixelFlipping(features_in_step=3 * side * side // steps, perturb_baseline=0.0, **SAME)
    expected = result_of(peer, net, x, heatmap, softmax=True)[0]
    found = deletion(net, x, SCORE, heatmap, steps=steps, filler="mean").values
    assert np.ptp(expected) > 0.01
    assert found[1:] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_road_imputation_equals_quantus(share):
    _, x, heatmap = example()
    hole = (heatmap >= heatmap.flatten().quantile(1 - share)).numpy()
    expected = noisy_linear_imputation(x[0].numpy(), np.flatnonzero(hole), noise=0.0)
    assert impute(x[0].numpy(), hole) == pytest.approx(expected, abs=1e-9)


def test_infidelity_equals_quantus(monkeypatch):
    """Quantus removes more and more blocks, row by row; infidelity gets the same perturbations."""
    net, x, heatmap = example(dtype=torch.float32)
    removed = []

    def remove(arr, indices, **_):
        values = np.array(arr)
        np.put_along_axis(values, indices, 0, axis=1)
        removed.append(x[0] - torch.from_numpy(values).view(x.shape)[0])
        return values

    peer = quantus.Infidelity(perturb_patch_sizes=[4], n_perturb_samples=1, perturb_func=remove, **SAME)
    expected = result_of(peer, net, x, heatmap)[0]
    changes = torch.stack(removed)
    given = (changes, (changes != 0).float())
    monkeypatch.setattr("camviz.evaluation.metrics.infidelity.perturbations", lambda *_: given)
    settings = {"samples": len(changes), "interpretation": "gradient", "normalization": "none"}
    found = infidelity(net, x, scores.logit(TARGET), heatmap, **settings)
    assert len(changes) > 8
    assert found == pytest.approx(expected, rel=1e-4)


def test_max_sensitivity_equals_quantus():
    net, x, _ = example(dtype=torch.float32)
    generator = torch.Generator().manual_seed(3)

    def shift(arr, **_):
        noise = torch.rand(x.shape, generator=generator, dtype=torch.float64) * 2 - 1
        return arr + (noise.float() * 0.05).numpy().reshape(arr.shape)

    peer = quantus.MaxSensitivity(
        nr_samples=6,
        perturb_func=shift,
        similarity_func=difference,
        norm_numerator=fro_norm,
        norm_denominator=fro_norm,
        return_nan_when_prediction_changes=False,
        **SAME,
    )
    expected = peer(net, x.numpy(), np.array([TARGET]), None, device="cpu", explain_func=explain_gradient)[0]
    found = max_sensitivity(net, x, lambda net, x: gradient(net, x), samples=6, radius=0.05, seed=3)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("of", ["input", "output", "representation"])
def test_relative_stability_equals_quantus(of):
    net, x, _ = example(dtype=torch.float32)
    noise = torch.Generator().manual_seed(3)

    def shift(arr, **_):
        return arr + (
            (torch.rand(x.shape, generator=noise, dtype=torch.float64) * 2 - 1).float() * 0.05
        ).numpy().reshape(arr.shape)

    settings = {**SAME, "nr_samples": 6, "perturb_func": shift}
    if of == "representation":
        settings["layer_names"] = [name for name, one in net.named_modules() if not [*one.children()]]
    peer = getattr(quantus, f"Relative{of.title()}Stability")(**settings)
    expected = peer(net, x.numpy(), np.array([TARGET]), None, device="cpu", explain_func=explain_gradient)[0]
    found = METRICS[f"relative_{of}_stability"](net, x, gradient, samples=6, radius=0.05, seed=3)
    assert np.isfinite(expected) and found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("quarter", range(4))
def test_share_inside_equals_attribution_localisation(quarter):
    net, x, heatmap = example(dtype=torch.float32)
    height, width = SIZE[0] // 2, SIZE[1] // 2
    inside = np.zeros((1, 1, *SIZE), dtype=bool)
    top, left = quarter // 2 * height, quarter % 2 * width
    inside[..., top : top + height, left : left + width] = True
    peer = quantus.AttributionLocalisation(positive_attributions=True, **SAME)
    expected = result_of(peer, net, x, heatmap, s_batch=inside)[0]
    assert share_inside(heatmap, SIZE, quarter) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [Modules, Functional])
def test_randomization_equals_mprt(kind, monkeypatch):
    """Both give every layer the same new weights; order, copies and correlations are computed separately."""
    net, x, _ = example(kind, torch.float32)

    def fresh(values):
        drawn = torch.randn(values.shape, generator=torch.Generator().manual_seed(values.numel()))
        return drawn.abs() if values.ndim == 1 else drawn

    def reset(module):
        with torch.no_grad():
            for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                if values.is_floating_point():
                    values.copy_(fresh(values))

    for each in (nn.Conv2d, nn.Linear, nn.BatchNorm2d):
        monkeypatch.setattr(each, "reset_parameters", reset)
    monkeypatch.setattr(sanity, "_fresh", lambda name, values, generator: fresh(values))

    def heatmaps(model, inputs, targets, **_):
        return torch.stack(
            [pixel_values(torch.from_numpy(one), SIZE) for one in explain_gradient(model, inputs, targets)]
        ).numpy()

    peer = quantus.MPRT(similarity_func=correlation_spearman, layer_order="top_down", **SAME)
    expected = peer(net, x.numpy(), np.array([TARGET]), None, device="cpu", explain_func=heatmaps)
    found = sanity.randomization(net, x, lambda net, x: gradient(net, x), stages=60)
    assert list(expected)[1:] == list(found.layers)[1:]
    assert found.correlations[1:] == pytest.approx(
        [float(np.ravel(one)[0]) for one in list(expected.values())[1:]], abs=1e-5
    )
