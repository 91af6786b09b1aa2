"""Guided and blur integrated gradients and XRAI compared with the package saliency of their authors; IDGI."""

import numpy as np
import pytest
import saliency.core as saliency
import torch
from saliency.core.xrai import _get_segments_felzenszwalb as pair_segments
from torch.nn.functional import interpolate

from camviz import scores
from camviz.methods.blur_integrated_gradients import blur_integrated_gradients
from camviz.methods.guided_integrated_gradients import guided_integrated_gradients
from camviz.methods.idgi import idgi
from camviz.methods.xrai import xrai
from camviz.perturbation.regions import densest_first, regions_of
from camviz.tape import counting_passes
from tests.methods.nets import Modules, Residual, build, close, random_images

SCORE = scores.logit(2)


def gradients_of(net):
    """Wrap the network for the package saliency, with channels last."""

    def call(images, call_model_args=None, expected_keys=None):
        dtype = next(net.parameters()).dtype
        x = torch.from_numpy(np.asarray(images)).to(dtype).permute(0, 3, 1, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[:, 2].sum(), x)
        return {saliency.INPUT_OUTPUT_GRADIENTS: gradient.permute(0, 2, 3, 1).numpy()}

    return call


def saliency_maps(mask, net, x, **settings):
    """Return the maps of the package saliency, image by image."""
    found = [mask.GetMask(one.permute(1, 2, 0).numpy(), gradients_of(net), **settings) for one in x]
    result = torch.from_numpy(np.stack(found))
    return result.permute(0, 3, 1, 2) if result.ndim == 4 else result


@pytest.mark.parametrize(("fraction", "distance"), [(0.25, 0.02), (0.1, 0.3), (0.5, 1.0)])
def test_guided_integrated_gradients_equal_saliency(fraction, distance, monkeypatch):
    quantile = np.quantile  # whose argument `interpolation` is called `method` today
    monkeypatch.setattr(np, "quantile", lambda a, q, interpolation: quantile(a, q, method=interpolation))
    net, x = build(Residual), random_images()
    expected = saliency_maps(saliency.GuidedIG(), net, x, x_steps=12, fraction=fraction, max_dist=distance)
    close(guided_integrated_gradients(net, x, SCORE, steps=12, fraction=fraction, distance=distance), expected, 1e-6)


def test_guided_integrated_gradients_at_distance_zero_follow_the_straight_path():
    net, x = build(Modules), random_images()
    straight = guided_integrated_gradients(net, x, SCORE, steps=5, distance=0.0)
    places = torch.arange(5).double() / 5
    gradients = [torch.autograd.functional.jacobian(lambda p: net(p)[:, 2].sum(), place * x) for place in places]
    close(straight, x * torch.stack(gradients).mean(dim=0), 1e-6)


@pytest.mark.parametrize("spacing", ["even", "square root"])
def test_blur_integrated_gradients_equal_saliency(spacing):
    net, x = build(Residual), random_images()
    expected = saliency_maps(saliency.BlurIG(), net, x, max_sigma=6, steps=10, sqrt=spacing == "square root")
    close(blur_integrated_gradients(net, x, SCORE, steps=10, sigma=6.0, spacing=spacing), expected, 1e-6)


def test_idgi_equals_the_loop_and_sums_to_the_increase():
    net, x = build(Residual), random_images()
    expected = torch.zeros_like(x)
    for step in range(20):
        here, there = (((step + more) / 20 * x).requires_grad_() for more in (0, 1))
        before, after = net(here)[:, 2], net(there)[:, 2]
        (gradient,) = torch.autograd.grad(before.sum(), here)
        share = gradient**2 / (gradient**2).sum(dim=(1, 2, 3), keepdim=True)
        expected += share * (after - before).detach()[:, None, None, None]
    found = idgi(net, x, SCORE, steps=20)
    close(found, expected)
    with torch.no_grad():
        close(found.sum(dim=(1, 2, 3)), (net(x) - net(torch.zeros_like(x)))[:, 2])


def test_xrai_equals_saliency():
    """In float32, whose last digits decide about some of the segments."""
    net, colors = build(Modules, dtype=torch.float32), torch.tensor([1.0, 2, 3])[:, None, None]
    x = interpolate(random_images(1, torch.float32, (5, 7)), size=(40, 56), mode="bicubic") * colors
    regions = regions_of(x[0], 6)
    masks = pair_segments(x[0].permute(1, 2, 0).numpy())
    assert {region.tobytes() for region in regions} == {np.flatnonzero(mask).tobytes() for mask in masks if mask.any()}
    given = {"segments": masks, "batch_size": 8, "extra_parameters": saliency.XRAIParameters(steps=8)}
    expected = saliency_maps(saliency.XRAI(), net, x, **given).float()
    found = xrai(net, x, SCORE, steps=8)
    assert len(regions) > 20 and len(found.unique()) > 5
    close(found, expected, 1e-4)


def test_uncovered_pixels_get_their_mean():
    values = np.array([[1.0, 5.0, 2.0, 3.0]])
    regions = [np.array([0, 1]), np.array([1]), np.array([2])]
    assert densest_first(values, regions, 1).tolist() == [[1, 5, 2, 3]]
    assert densest_first(values, regions, 2).tolist() == [[3, 3, 2.5, 2.5]]


@pytest.mark.parametrize("method", [guided_integrated_gradients, idgi])
def test_instance_norm_has_a_note_at_a_baseline_of_one_color(method):
    net, x = build(Modules), random_images(1)
    notes = []
    for norm in (torch.nn.BatchNorm2d(4), torch.nn.InstanceNorm2d(4)):
        net.features[1] = norm.double().eval()
        for baseline in ("mean color", "brightest"):
            with counting_passes() as counts:
                method(net, x, SCORE, steps=2, baseline=baseline)
            notes.append([note.template[:36] for note in counts.notes])
    assert notes == [[], [], ["This model normalizes each image by "], []]
