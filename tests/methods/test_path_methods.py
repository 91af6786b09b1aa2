"""Gradient x input, integrated gradients and SmoothGrad compared with hand computation and captum; identities."""

from dataclasses import replace

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

from camviz import METHODS, scores
from camviz.acceleration import many_passes as many_passes_module
from camviz.methods.gradient_x_input import gradient_x_input
from camviz.methods.guided_backprop import guided_backprop
from camviz.methods.integrated_gradients import integrated_gradients
from camviz.methods.smooth_grad import smooth_grad
from camviz.runtime.noise import normal_noise
from camviz.tape import counting_passes
from tests.methods.nets import NETS, ByHand, Modules, Residual, build, by_hand, close, of_class, random_images

SCORE = scores.logit(2)
SLOW = {"blur_integrated_gradients", "guided_integrated_gradients", "idgi"}  # test_contract.py runs them as bases
BASES = [key for key in METHODS["smooth_grad"].knobs["base"].choices if key not in SLOW]


class Polynomial(nn.Module):
    """The class scores are the sums of the pixels to the powers of 1, 2 and 3."""

    def forward(self, x):
        return torch.stack([x.pow(power).sum(dim=(1, 2, 3)) for power in (1, 2, 3)], dim=1)


def gradient_by_hand(net, x):
    return ByHand(net.steps(), x).back(of_class(2))[1]


# ------------------------------------------------------------------------------------------------ gradient x input


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_gradient_x_input_equals_the_computation_by_hand(kind):
    net, x, hand = by_hand(kind)
    close(gradient_x_input(net, x, SCORE), x * hand.back(of_class(2))[1])


def test_gradient_x_input_equals_captum():
    net, x = build(Modules, dtype=torch.float32), random_images(dtype=torch.float32)
    expected = captum.attr.InputXGradient(net).attribute(x.clone().requires_grad_(), target=2)
    close(gradient_x_input(net, x, SCORE), expected.detach(), 1e-5)


def test_gradient_x_input_sums_to_the_score_without_biases():
    net, x = build(Residual), random_images()
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                tensor.zero_()
    close(gradient_x_input(net, x, SCORE).sum(dim=(1, 2, 3)), net(x)[:, 2].detach())


# -------------------------------------------------------------------------------------------- integrated gradients


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_integrated_gradients_equal_the_quadrature_by_hand(kind):
    net, x, _ = by_hand(kind)
    for baseline, start in (
        ("mean color", torch.zeros_like(x)),
        ("darkest", x.flatten(2).min(dim=2).values[:, :, None, None] * torch.ones_like(x)),
        ("brightest", x.flatten(2).max(dim=2).values[:, :, None, None] * torch.ones_like(x)),
    ):
        # Gauss-Legendre with three points, from the textbook, moved from (-1, 1) to (0, 1).
        places, weights = ((1 - 0.6**0.5) / 2, 0.5, (1 + 0.6**0.5) / 2), (5 / 18, 8 / 18, 5 / 18)
        expected = sum(w * gradient_by_hand(net, start + a * (x - start)) for a, w in zip(places, weights, strict=True))
        close(integrated_gradients(net, x, SCORE, steps=3, baseline=baseline), (x - start) * expected)


@pytest.mark.parametrize("baseline", ["mean color", "darkest"])
@pytest.mark.parametrize("steps", [1, 5, 20])
def test_integrated_gradients_equal_captum(steps, baseline):
    net, x = build(Residual, dtype=torch.float32), random_images(dtype=torch.float32)
    start = torch.zeros_like(x) if baseline == "mean color" else x.amin(dim=(2, 3), keepdim=True).expand_as(x)
    peer = build(Residual, dtype=torch.float32)
    peer.relu.inplace = False
    expected = captum.attr.IntegratedGradients(peer).attribute(x, start, target=2, n_steps=steps)
    close(integrated_gradients(net, x, SCORE, steps=steps, baseline=baseline), expected.detach().float(), 1e-4)


@pytest.mark.parametrize(("power", "steps"), [(1, 1), (2, 1), (3, 2)])
def test_integrated_gradients_of_a_polynomial_are_exact(power, steps):
    x = random_images()
    close(integrated_gradients(Polynomial(), x, scores.logit(power - 1), steps=steps), x**power)


@pytest.mark.parametrize("baseline", ["mean color", "darkest", "brightest"])
@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_integrated_gradients_sum_to_the_increase_of_the_score(kind, baseline):
    net, x, _ = by_hand(kind)
    start = {
        "mean color": torch.zeros_like(x),
        "darkest": x.amin(dim=(2, 3), keepdim=True).expand_as(x),
        "brightest": x.amax(dim=(2, 3), keepdim=True).expand_as(x),
    }[baseline]
    with torch.no_grad():
        rise = (net(x.clone()) - net(start.clone()))[:, 2]
    sums = integrated_gradients(net, x, SCORE, steps=300, baseline=baseline).sum(dim=(1, 2, 3))
    assert ((sums - rise).abs() < 0.05 * rise.abs()).all()


def test_too_few_steps_of_integrated_gradients_have_a_note():
    class Step(nn.Module):
        """A score that rises only between 0.7 and 0.8 of the image."""

        def forward(self, x):
            level = x.mean(dim=(1, 2, 3))
            return torch.stack([level, (level - 0.7).relu() - (level - 0.8).relu()], dim=1)

    x = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    with counting_passes() as counts:
        integrated_gradients(Step(), x, scores.logit(1), steps=1)
    assert counts.notes == ["The map's sum misses 100% of the score's increase from the baseline: use more steps."]
    with counting_passes() as counts:
        close(integrated_gradients(Step(), x, scores.logit(1), steps=200).sum(), torch.tensor(0.1).double(), 0.1)
    assert counts.notes == []


def test_integrated_gradients_cost_one_pass_per_step(monkeypatch):
    net, x, _ = by_hand(Modules)
    with counting_passes() as counts:
        expected = integrated_gradients(net, x, SCORE, steps=7)
    # Two images: each itself, its baseline, and the steps.
    assert (counts.forward_passes, counts.backward_passes) == (2 + 2 + 14, 14)
    for largest in (1, 3, 100):
        monkeypatch.setattr(many_passes_module, "batch_size", lambda *_, largest=largest: largest)
        done = []
        close(integrated_gradients(net, x, SCORE, steps=7, progress=lambda *now: done.append(now)), expected)  # noqa: B023
        assert len(done) == 2 * -(-7 // largest) and done[-1] == (14, 14)


# ------------------------------------------------------------------------------------------------------ SmoothGrad


def noisy(x, samples, level, seed):
    """Draw the noisy copies of each image."""
    noise = [normal_noise(seed, [number], x.shape[1:], x)[0] for number in range(samples)]
    return [x + torch.stack([level * (one.max() - one.min()) * drawn for one in x]) for drawn in noise]


def test_smooth_grad_bases_are_the_pixel_methods_without_a_layer(monkeypatch):
    assert {"vanilla_backprop", "guided_backprop", "deconvnet", "integrated_gradients", "lrp"} <= set(BASES)
    assert {"smooth_grad", "guided_grad_cam", "full_grad", "rise", "edge_detector"}.isdisjoint(BASES)
    added = replace(METHODS["gradient_x_input"], key="added", function=lambda net, x, score: 7 * x)
    monkeypatch.setitem(METHODS, "added", added)
    assert METHODS["smooth_grad"].knobs["base"].choices == tuple(sorted([*BASES, *SLOW, "added"]))
    net, x, _ = by_hand(Modules)
    assert METHODS["smooth_grad"].settings({"base": "added"})["base"] == "added"
    close(smooth_grad(net, x, SCORE, base="added", level=0.0), 7 * x)
    with pytest.raises(ValueError, match="base 'grad_cam' is not in the choices of smooth_grad"):
        METHODS["smooth_grad"].settings({"base": "grad_cam"})


@pytest.mark.parametrize("base", BASES)
def test_smooth_grad_without_noise_equals_its_base(base):
    net, x, _ = by_hand(Residual)
    expected = METHODS[base](net, x, SCORE)
    close(smooth_grad(net, x, SCORE, base=base, level=0.0), expected, 1e-12)
    close(smooth_grad(net, x, SCORE, base=base, level=0.0, statistic="squared"), expected**2, 1e-12)
    assert (smooth_grad(net, x, SCORE, base=base, level=0.0, statistic="variance") == 0).all()


@pytest.mark.parametrize("base", BASES)
def test_smooth_grad_equals_the_statistics_of_its_base(base):
    net, x, _ = by_hand(Modules)
    maps = torch.stack([METHODS[base](net, copy, SCORE) for copy in noisy(x, 6, 0.3, 5)])
    given = {"base": base, "samples": 6, "level": 0.3, "seed": 5}
    close(smooth_grad(net, x, SCORE, **given), maps.mean(dim=0))
    close(smooth_grad(net, x, SCORE, **given, statistic="squared"), (maps**2).mean(dim=0))
    close(smooth_grad(net, x, SCORE, **given, statistic="variance"), maps.var(dim=0, correction=0))


@pytest.mark.parametrize(
    ("statistic", "name"), [("mean", "smoothgrad"), ("squared", "smoothgrad_sq"), ("variance", "vargrad")]
)
def test_smooth_grad_equals_captum_noise_tunnel(monkeypatch, statistic, name):
    net, x = build(Modules, dtype=torch.float32), random_images(1, dtype=torch.float32)
    drawn = normal_noise(3, range(8), x.shape[1:], x)
    monkeypatch.setattr(torch, "normal", lambda mean, deviation: mean + deviation * drawn)
    tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(net))
    deviation = 0.2 * float(x.max() - x.min())
    expected = tunnel.attribute(x, nt_type=name, nt_samples=8, stdevs=deviation, target=2, abs=False)
    close(smooth_grad(net, x, SCORE, statistic=statistic, samples=8, level=0.2, seed=3), expected.detach(), 1e-4)


def test_variance_is_accurate_for_a_large_mean():
    class Steep(nn.Module):
        """A gradient of 1000 with a little curvature: in float32 the square of the mean hides the variance."""

        def forward(self, x):
            return torch.stack([(1000 * x + 0.05 * x**2).sum(dim=(1, 2, 3)), x.sum(dim=(1, 2, 3))], dim=1)

    x = random_images(1, dtype=torch.float32)
    maps = torch.stack([1000 + 0.1 * copy.double() for copy in noisy(x, 40, 0.15, 0)])
    found = smooth_grad(Steep(), x, scores.logit(0), statistic="variance", samples=40)
    close(found.double(), maps.var(dim=0, correction=0), 0.01)


def test_noise_has_the_given_deviation_and_seed(monkeypatch):
    seen = []

    def record_input(net, x, score):
        seen.append(x)
        return torch.zeros_like(x)

    monkeypatch.setitem(METHODS, "vanilla_backprop", replace(METHODS["vanilla_backprop"], function=record_input))
    net, x, _ = by_hand(Modules)
    for seed in (0, 0, 1):
        smooth_grad(net, x[:1], SCORE, samples=50, level=0.4, seed=seed)
    noise = (torch.cat(seen) - x[:1]).view(3, 50, *x.shape[1:])
    assert torch.equal(noise[0], noise[1]) and not torch.equal(noise[0], noise[2])
    assert float(noise[0].std()) == pytest.approx(0.4 * float(x[0].max() - x[0].min()), rel=0.01)
    assert float(noise[0].mean()) == pytest.approx(0, abs=0.02)
    assert abs(np.corrcoef(noise[0, 0].flatten(), noise[0, 1].flatten())[0, 1]) < 0.1


@pytest.mark.parametrize("base", ["vanilla_backprop", "guided_backprop", "integrated_gradients"])
def test_batch_size_does_not_change_smooth_grad(monkeypatch, base):
    net, x, _ = by_hand(Modules)
    expected = smooth_grad(net, x, SCORE, base=base, samples=5)
    for largest in (1, 2, 100):
        monkeypatch.setattr(many_passes_module, "batch_size", lambda *_, largest=largest: largest)
        done = []
        close(smooth_grad(net, x, SCORE, base=base, samples=5, progress=lambda *now: done.append(now)), expected)  # noqa: B023
        steps = 32 if base == "integrated_gradients" else 1
        assert done[-1] == (10 * steps, 10 * steps)
        assert len(done) == (10 * -(-32 // largest) if steps > 1 else 2 * -(-5 // largest))


def test_smooth_grad_with_an_extended_base():
    net, x = build(Modules, activation=nn.SiLU), random_images()
    with pytest.raises(ValueError, match="'extended'"):
        smooth_grad(net, x, SCORE, base="guided_backprop", level=0.0)
    close(
        smooth_grad(net, x, SCORE, base="guided_backprop", level=0.0, extended=True),
        guided_backprop(net, x, SCORE, extended=True),
    )
