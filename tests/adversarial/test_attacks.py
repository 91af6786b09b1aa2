"""Attacks on small networks: the optimum of a linear network, 8-bit levels, norms, heads and input channels."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import camviz
from camviz import CamvizError, adversarial
from camviz.adversarial.ball import Ball
from camviz.adversarial.objective import AttackLoss, Objective
from camviz.runtime.rng import Rng
from tests.methods.nets import Interrupt, state
from tests.models.nets import ALONE, SIDE, Small, images, load

EPSILON = 4 / 255


class Linear(nn.Module):
    """Three scores, each a weighted sum of the pixels."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 3, SIDE)
        with torch.no_grad():
            self.conv.weight.copy_(torch.randn(self.conv.weight.shape, generator=generator) / 50)
            self.conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)[:, :, 0, 0]


def gray_noise(seed: int = 0) -> np.ndarray:
    """A view (SIDE, SIDE, 3) far from black and white."""
    return np.random.default_rng(seed).integers(64, 192, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attack_finds_the_optimum_of_a_linear_network(method, norm) -> None:
    model = load(Linear(), mean=(0.5,) * 3, std=(0.25,) * 3)
    view, epsilon = gray_noise(), EPSILON if norm == "linf" else 0.7
    first = model.predict(view, 3, fit="stretch")
    found = adversarial.attack(
        model, view, first[2].index, method=method, norm=norm, epsilon=epsilon, fit="stretch", loss="cross-entropy"
    )
    weight = model.net.conv.weight.detach().double()
    wanted, others = first[2].index, [first[0].index, first[1].index]
    delta = torch.from_numpy(found.perturbation).permute(2, 0, 1)
    gains = [float(((weight[wanted] - weight[other]) * delta).sum() / 0.25) for other in others]
    for other, gain in zip(others, gains, strict=True):
        slope = weight[wanted] - weight[other]
        most = epsilon * float(slope.abs().sum() if norm == "linf" else slope.square().sum().sqrt()) / 0.25
        assert gain <= most * (1 + 1e-6)
    best = (
        [EPSILON * float((weight[wanted] - weight[o]).abs().sum()) / 0.25 for o in others]
        if norm == "linf"
        else [0.7 * float((weight[wanted] - weight[o]).norm()) / 0.25 for o in others]
    )
    assert sum(gains) > 0.7 * sum(best)
    logits = [model.net(model.normalize(one))[0].double() for one in (found.pixels, found.perturbed_pixels)]
    change = logits[1] - logits[0]
    assert float(change[wanted] - change[others[0]]) == pytest.approx(gains[0], rel=1e-3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("epsilon", [1 / 255, 2.5 / 255, 8 / 255, 0.5])
@pytest.mark.parametrize("gray", [False, True])
def test_stored_perturbations_stay_in_the_ball(norm, epsilon, gray) -> None:
    view = np.random.default_rng(1).choice(np.array([0, 1, 127, 254, 255], np.uint8), (16, 18, 1 if gray else 3))
    ball = Ball(
        np.broadcast_to(view, (16, 18, 3)),
        norm,
        np.floor(255 * epsilon + 1e-6) / 255 if norm == "linf" else epsilon,
        gray,
    )
    rng = np.random.default_rng(2)
    points = [ball.random_point(Rng(seed)) for seed in range(3)] + [ball.random_point(Rng(0), longest=True)]
    points += [ball.project(scale * rng.standard_normal(ball.view.shape)) for scale in (1e-4, 0.01, 1)] + [ball.zero()]
    for delta in points:
        stored = ball.stored(delta).astype(int)
        change = (stored - ball.view) / 255
        size = np.abs(change).max() if norm == "linf" else np.linalg.norm(change)
        assert size <= epsilon + 1e-12 and stored.min() >= 0 and stored.max() <= 255
        assert np.abs(delta).max() <= ball.epsilon + 1e-12 or norm == "l2"
        assert ((ball.unit + delta) >= -1e-12).all() and ((ball.unit + delta) <= 1 + 1e-12).all()
    if norm == "l2" and epsilon > 2 / 255:  # rounding does not waste the budget
        assert np.linalg.norm(ball.stored(points[3]) / 255.0 - ball.unit) > 0.7 * np.linalg.norm(points[3])
    if gray:
        assert all((ball.stored(delta) == ball.stored(delta)[:, :, :1]).all() for delta in points[:4])


@pytest.mark.parametrize("loss", ["margin", "cross-entropy"])
@pytest.mark.parametrize("targeted", [False, True])
def test_losses_equal_their_definitions(loss, targeted) -> None:
    scores = torch.randn(5, 4, dtype=torch.float64)
    for row, value in zip(scores.tolist(), AttackLoss(2, targeted, loss)(scores).tolist(), strict=True):
        margin = max(row[:2] + row[3:]) - row[2]
        entropy = np.log(np.exp(row).sum()) - row[2]
        assert value == pytest.approx((-1) ** targeted * (margin if loss == "margin" else entropy))


def test_gradient_equals_finite_differences() -> None:
    """Of the view in [0, 1], through channels and normalization; the network's own gradient is in float64."""
    net = Linear().double()
    model = load(net, input_channels=("blue", "red", "green"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.1))
    ball = Ball(model.view(gray_noise(), "stretch"), "linf", EPSILON)
    objective = Objective(model, AttackLoss(1, False, "margin"))
    value, gradient = objective.gradient(ball, ball.zero())
    assert objective.value(ball, ball.zero()) == pytest.approx(value, abs=1e-6)
    for place in ((0, 0, 0), (3, 5, 1), (20, 7, 2)):
        step = ball.zero()
        step[place] = 2 / 255
        assert objective.value(ball, step) - value == pytest.approx(gradient[place] * 2 / 255, rel=1e-3)


@pytest.mark.parametrize("kind", ["", *ALONE, "noise"])
@pytest.mark.parametrize("target", [None, "a"])
def test_attack_reports_the_model_s_own_predictions(kind, target, tmp_path) -> None:
    model, (image,) = load(Small(kind), categories=("a", "b", "c", "d")), images(1)
    before = state(model.net)
    if model.predict(image)[0].label == "a":
        target = target and "b"
    found = adversarial.attack(model, image, target, epsilon=0.3)
    assert state(model.net) == before or kind == "noise"
    assert [p.index for p in found.before] == [p.index for p in model.predict(image)]
    best = found.after[0].index
    assert found.success == (best != found.before[0].index if target is None else found.after[0].label == target)
    assert abs(found.perturbation).max() <= 0.3 and found.perturbation.dtype == float
    np.testing.assert_allclose(found.view + found.perturbation, found.perturbed, atol=1e-15)
    assert (found.perturbed * 255 == np.rint(found.perturbed * 255)).all() and found.perturbed.min() >= 0
    file = tmp_path / "fooled.png"
    camviz.images.Image.fromarray(found.perturbed_pixels).save(file)
    for again in (file, found.perturbed):
        same = model.predict(again, fit="stretch")
        assert [p.index for p in same] == [p.index for p in found.after]
        assert [p.probability for p in same] == pytest.approx([p.probability for p in found.after], abs=1e-6)
    repeated = adversarial.attack(model, image, target, epsilon=0.3)
    assert (repeated.perturbed == found.perturbed).all()
    assert found.backward_passes == 10


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ({"head": "sigmoid"}, {}),
        ({"head": "sigmoid"}, {"target": 1, "norm": "l2", "epsilon": 3}),
        ({"input_channels": ("blue", "green", "red")}, {"random_start": True}),
        ({"input_channels": ("red", "gray", "black")}, {"jpeg_copies": 2}),
    ],
)
def test_attack_with_other_heads_and_input_channels(arguments, settings) -> None:
    model, (image,) = load(Small(), **arguments), images(1)
    found = adversarial.attack(model, image, **{"epsilon": 0.2, **settings})
    assert found.success or "target" in settings
    assert found.after[0].probability == model.predict(found.perturbed, fit="stretch")[0].probability


def test_gray_network_gets_a_gray_perturbation() -> None:
    model = load(nn.Sequential(nn.Conv2d(1, 3, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)))
    for settings in ({}, {"norm": "l2", "epsilon": 2, "random_start": True}, {"jpeg_copies": 2}):
        found = adversarial.attack(model, images(1)[0], **{"epsilon": 0.2, **settings})
        assert (found.perturbed == found.perturbed[:, :, :1]).all()
        assert np.linalg.norm(found.perturbation) <= (2 if "norm" in settings else 1e9)
    noise = adversarial.noise(model, images(1)[0])
    assert (noise.perturbed == noise.perturbed[:, :, :1]).all() and noise.perturbation.any()


def test_attack_on_a_network_that_returns_probabilities() -> None:
    model = load(nn.Sequential(Small(), nn.Softmax(dim=1)), head="none")
    found = adversarial.attack(model, images(1)[0], epsilon=0.3)
    assert found.success and sum(one.probability for one in found.after) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "pgdd"}, "did you mean 'pgd'"),
        ({"norm": "l1"}, "norm 'l1'"),
        ({"epsilon": 0.001}, "smallest change"),
        ({"epsilon": 2}, "to 1 in this norm"),
        ({"epsilon": "4/255"}, "epsilon must be a number of 1/255"),
        ({"steps": 0}, "steps of pgd must lie in 1 to 200"),
        ({"loss": "hinge"}, "loss 'hinge'"),
        ({"jpeg_copies": -1}, "jpeg_copies"),
        ({"speed": 1}, "setting 'speed'"),
        ({"target": "zebra"}, "class 'zebra'"),
        ({"progress": 1}, "progress must be a function"),
    ],
)
def test_wrong_settings_are_refused(settings, says) -> None:
    with pytest.raises(CamvizError, match=says):
        adversarial.attack(load(Small()), images(1)[0], **settings)


def test_models_that_cannot_be_attacked_are_refused() -> None:
    model, (image,) = load(Small()), images(1)
    with pytest.raises(CamvizError, match="already"):
        adversarial.attack(model, image, model.predict(image)[0].index)
    with pytest.raises(CamvizError, match="got Small"):
        adversarial.attack(Small(), image)
    with pytest.raises(CamvizError, match="no class to change"):
        adversarial.attack(load(nn.Sequential(Small(), nn.Linear(4, 1)), head="none"), image)
    with pytest.raises(CamvizError, match="one class"):
        adversarial.attack(load(nn.Sequential(Small(), nn.Linear(4, 1)), head="sigmoid"), image)
    with pytest.raises(CamvizError, match="loss='margin'"):
        adversarial.attack(load(Small(), head="sigmoid"), image, loss="cross-entropy")


def test_progress_is_reported_and_can_cancel_an_attack() -> None:
    model, (image,) = load(Small()), images(1)
    reports = []
    adversarial.attack(model, image, steps=4, progress=lambda *done: reports.append(done))
    assert [*dict.fromkeys(reports)][-4:] == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(done: int, total: int) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        adversarial.attack(model, image, progress=stop)


def test_noise_is_as_large_as_an_attack() -> None:
    model, (image,) = load(Small()), images(1)
    linf, l2 = adversarial.noise(model, image), adversarial.noise(model, image, norm="l2", epsilon=0.5)
    assert abs(linf.perturbation).max() == EPSILON and linf.method == "noise"
    assert 0.4 < np.linalg.norm(l2.perturbation) <= 0.5
    assert (linf.amplified(10)[linf.perturbation == 0] == 128).all()
    other = adversarial.noise(model, image, seed=1)
    assert (other.perturbation != linf.perturbation).mean() > 0.5


def test_every_attack_has_a_paper_and_documented_settings() -> None:
    assert set(adversarial.ATTACKS) == {"fgsm", "pgd"}
    for attack in adversarial.ATTACKS.values():
        assert attack.tooltip.endswith(".") and attack.paper.startswith("https://")
        assert all(knob.help for knob in attack.knobs.values())
    signature = inspect.signature(partial(camviz.adversarial.attack))
    assert [*signature.parameters][:3] == ["model", "image", "target"]
