"""Networks whose samples depend on their batch, compared with a loop over single images in float64."""

import copy
import time

import pytest
import torch
from torch import nn

from camviz import METHODS, scores, tape
from camviz.acceleration.many_passes import many_passes
from camviz.acceleration.partial_forward import partial_forward
from camviz.inspection.receptive_field import receptive_field
from tests.models.nets import ALONE, FEW, SIDE, Small, relative

X = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
SCORE = scores.logit_of((1, 2, 0))

# Settings with which float32 and float64 agree: batch statistics of a single color are a division of 0 by 0, and the
# probabilities of this network differ by few units in the last place.
WELL_CONDITIONED = {
    "guided_integrated_gradients": {"baseline": "brightest"},
    "idgi": {"baseline": "brightest"},
    "kernel_shap": {"hidden": "own color"},
    "recipro_cam": {"measure": "score"},
}


def network(kind):
    """Return a network, marked if only loading can detect it, and its float64 copy."""
    net = Small(kind).eval()
    exact = copy.deepcopy(net).double()
    if kind in ("mean", "std", "first"):
        tape.mark_batches_of_one(net)
        tape.mark_batches_of_one(exact)
    return net, exact


def method_of(kind, key, net, x, score):
    method = METHODS[key]
    knobs = {name: value for name, value in FEW.items() if name in method.knobs} | WELL_CONDITIONED.get(key, {})
    if key == "occlusion":
        knobs = {"size": 8, "stride": 6}
    return method(net, x, score, *([net.last_relu] if method.layer == "required" else []), **knobs)


@pytest.mark.parametrize("kind", ALONE)
def test_scores_of_a_batch_equal_single_samples(kind):
    net, exact = network(kind)
    expected = torch.cat([exact(one.double()) for one in X.split(1)])
    with torch.no_grad():
        assert relative(tape.forward(net, X), expected) < 1e-5
    assert tape.needs_batches_of_one(net)
    with many_passes(net, X[:1]) as passes:
        assert (passes.size, passes.size_with_gradient) == (1, 1)


FEW_METHODS = ("grad_cam", "vanilla_backprop", "score_cam", "integrated_gradients", "lrp", "occlusion")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        *(("norm", key) for key in METHODS if key not in ("smooth_grad", "random_cam", "cam")),
        *((kind, key) for kind in ("mean", "view") for key in FEW_METHODS),
    ],
)
def test_methods_on_a_batch_equal_single_samples(kind, key):
    net, exact = network(kind)
    many = METHODS[key].many_passes
    found = method_of(kind, key, net, X[:2], scores.logit(1) if many else scores.logit_of((1, 2)))
    expected = torch.cat(
        [
            method_of(kind, key, exact, one.double(), scores.logit(1 if many else c))
            for c, one in zip((1, 2), X.split(1), strict=False)
        ]
    )
    assert relative(found, expected) < 1e-4


def test_occlusion_equals_the_loop():
    net, exact = network("norm")
    found = METHODS["occlusion"](net, X[:1], scores.logit(1), size=6, stride=6)
    expected = torch.empty(1, 4, 4, dtype=torch.float64)
    for row in range(4):
        for column in range(4):
            hidden = X[:1].double().clone()
            hidden[:, :, 6 * row : 6 * row + 6, 6 * column : 6 * column + 6] = 0
            expected[0, row, column] = exact(X[:1].double())[0, 1] - exact(hidden)[0, 1]
    assert relative(found, expected.detach()) < 1e-4


def test_gradients_equal_those_of_single_samples():
    net, exact = network("norm")
    gradients = [tape.input_gradient(exact, X[n : n + 1].double(), scores.logit(c)) for n, c in enumerate((1, 2, 0))]
    assert relative(tape.input_gradient(net, X, SCORE), torch.cat(gradients)) < 1e-4
    wanted = [net.second, net.classifier]
    expected = [
        tape.gradient_sums(exact, X[n : n + 1].double(), scores.logit(c), [exact.second, exact.classifier])
        for n, c in enumerate((1, 2, 0))
    ]
    for found, parts in zip(tape.gradient_sums(net, X, SCORE, wanted), zip(*expected, strict=True), strict=True):
        assert relative(found, torch.cat(parts)) < 1e-4


def test_partial_forward_accepts_any_batch_size():
    net, _ = network("view")
    rest = partial_forward(net, X[:1], net.second)
    with torch.no_grad():
        activation = net.second(net.pool(net.relu(net.norm(net.first(X)))))
        expected = torch.cat([net(one) for one in X.split(1)])
    assert relative(rest(activation), expected) < 1e-5


def test_failed_batch_is_not_counted():
    net, _ = network("view")
    with tape.counting_passes() as counts, torch.no_grad():
        tape.forward(net, X)
        tape.forward(net, X)
    assert counts.forward_passes == 6


def test_error_at_every_batch_size_is_raised():
    net = nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        tape.forward(net, X)
    assert not tape.needs_batches_of_one(net)


def test_error_of_the_progress_callback_does_not_mark_the_network():
    class Slow(Small):
        def forward(self, x):
            time.sleep(0.25)
            return super().forward(x)

    def progress(done, total):
        raise RuntimeError("stop")

    net = Slow().eval()
    with pytest.raises(RuntimeError, match="stop"):
        METHODS["rise"](net, X[:1], scores.logit(0), masks=16, progress=progress)
    assert not tape.needs_batches_of_one(net)


def test_ordinary_network_runs_in_batches():
    sizes = []

    class Watched(Small):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    net = Watched().eval()
    with torch.no_grad():
        tape.forward(net, X)
    assert sizes == [3] and not tape.needs_batches_of_one(net)
    assert not tape.needs_batches_of_one(nn.Sequential(nn.InstanceNorm2d(3)))  # it normalizes each sample by itself


def test_receptive_field_of_a_network_for_batches_of_one():
    plain = Small().eval()
    net, _ = network("view")
    tape.mark_batches_of_one(net)
    assert receptive_field(net, X[:1], net.second, 5, 5) == receptive_field(plain, X[:1], plain.second, 5, 5)
