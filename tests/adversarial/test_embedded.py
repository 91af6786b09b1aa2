"""Attacks on the embedded networks, against foolbox: success, norms, and robustness to JPEG."""

import eagerpy
import foolbox
import numpy as np
import pytest
import torch

import camviz
from camviz import adversarial
from camviz.edits.corruptions import jpeg
from tests.conftest import SAMPLES

EPSILON = 4 / 255


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("efficientnet_lite0", "koala"),
        ("efficientnet_lite1", "macaw"),
        ("efficientnet_lite2", "koala"),
        ("mobilenet_v2", "macaw"),
    ],
)
def test_attack_changes_the_prediction_and_equal_noise_does_not(name, sample) -> None:
    model = camviz.load_model(name)
    found = adversarial.attack(model, SAMPLES / f"{sample}.jpg", steps=5)
    assert found.success and found.after[0].label != found.before[0].label == sample
    assert abs(found.perturbation).max() == EPSILON
    control = adversarial.noise(model, SAMPLES / f"{sample}.jpg")
    assert not control.success and abs(control.perturbation).max() == EPSILON
    assert control.after[0].probability > found.before[0].probability - 0.1


@pytest.mark.parametrize(("method", "norm"), [("fgsm", "linf"), ("fgsm", "l2"), ("pgd", "linf"), ("pgd", "l2")])
def test_attacks_equal_foolbox(lite0, method, norm) -> None:
    epsilon, steps = (EPSILON, 5) if norm == "linf" else (1.0, 5)
    found = adversarial.attack(
        lite0, SAMPLES / "koala.jpg", method=method, norm=norm, epsilon=epsilon, steps=steps, loss="cross-entropy"
    )
    attacks = {
        ("fgsm", "linf"): foolbox.attacks.LinfFastGradientAttack(random_start=False),
        ("fgsm", "l2"): foolbox.attacks.L2FastGradientAttack(random_start=False),
        ("pgd", "linf"): foolbox.attacks.LinfPGD(rel_stepsize=2.5 / steps, steps=steps, random_start=False),
        ("pgd", "l2"): foolbox.attacks.L2PGD(rel_stepsize=2.5 / steps, steps=steps, random_start=False),
    }
    scale = {"mean": lite0.mean, "std": lite0.std, "axis": -3}
    peer = foolbox.PyTorchModel(lite0.net, bounds=(0, 1), preprocessing=scale, device="cpu")
    view = eagerpy.astensor(torch.from_numpy(found.view).float().permute(2, 0, 1)[None])
    label = eagerpy.astensor(torch.tensor([found.before[0].index]))
    _, clipped, success = attacks[method, norm](peer, view, foolbox.criteria.Misclassification(label), epsilons=epsilon)
    theirs = (clipped - view).raw[0].permute(1, 2, 0).double().numpy()
    size = (lambda d: abs(d).max()) if norm == "linf" else np.linalg.norm
    assert bool(success.item()) == found.success
    assert size(found.perturbation) == pytest.approx(size(theirs), rel=0.01)
    ours = found.perturbation.ravel()
    if method == "fgsm" and norm == "linf":
        assert (abs(ours - theirs.ravel()) < 1e-6).mean() > 0.999
    else:  # they step between the 8-bit levels
        assert ours @ theirs.ravel() / np.linalg.norm(ours) / np.linalg.norm(theirs) > 0.75


def test_jpeg_copies_make_an_attack_robust_to_jpeg(lite0) -> None:
    predicted = {}
    for copies in (0, 4):
        found = adversarial.attack(lite0, SAMPLES / "koala.jpg", jpeg_copies=copies)
        views = [jpeg(found.perturbed_pixels, quality) for quality in (50, 65, 75)]
        predicted[copies] = [dict.fromkeys(p.label for p in lite0.predict(v, 1, fit="stretch")) for v in views]
        assert found.success
    assert "koala" in predicted[0][0] and not any("koala" in one for one in predicted[4])
