"""Eight threads share a network: every map equals the one computed alone, to the last bit."""

import contextlib
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import nn

from camviz import METHODS, CamvizError, scores
from camviz.methods.guided_backprop import guided_backprop
from tests.methods.nets import Modules, Residual, build, picture, quick, state

THREADS = 8
# Every way to compute; the tiny networks try every method.
QUICK = {key for key, method in METHODS.items() if not method.many_passes and key != "cam"}
WAYS = QUICK | {"smooth_grad", "integrated_gradients", "score_cam", "rise", "deep_shap"}


@pytest.fixture(autouse=True)
def _eager_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def jobs(net, x, layers, many, classes):
    """Every method of every class, at every layer if it needs one; `many`: the one for methods of many passes."""

    def at(method):
        if method.key == "recipro_cam":  # a pass for each of its cells
            return layers[:1]
        return (many,) if method.many_passes else layers if method.layer == "required" else layers[:1]

    return [
        (method, net, x, scores.logit(c), net.get_submodule(name))
        for method in METHODS.values()
        for name in at(method)
        for c in classes
    ]


def check(todo):
    """The methods among the jobs that did not refuse; each job done by each thread gives what it gave before."""
    done = []
    for job in todo:
        with contextlib.suppress(CamvizError):  # CAM takes the last layer only
            done.append((job, quick(*job)))
    barrier = Barrier(THREADS)

    def work(seed):
        order = random.Random(seed).sample(done, len(done))  # so that other methods run at the same time
        barrier.wait()
        return [job[0].key for job, alone in order if not torch.equal(quick(*job), alone)]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [[]] * THREADS
    return {job[0].key for job, _ in done}


@pytest.mark.parametrize("kind", [Modules, Residual])
def test_tiny_networks(kind):
    net = build(kind, dtype=torch.float32)
    layers = list(kind.layers)[-2:]
    before = state(net)
    assert check(jobs(net, picture(1, torch.float32), layers, layers[1], (1, 4))) == set(METHODS)
    assert state(net) == before


def test_the_embedded_network(lite0):
    before = state(lite0.net)
    todo = jobs(lite0.net, picture(1, torch.float32, (48, 64)), ("blocks.4",), "blocks.0", (7,))
    assert check([job for job in todo if job[0].key in WAYS]) == WAYS
    assert state(lite0.net) == before


def test_the_embedded_network_where_each_thread_uses_two_more(lite0):
    few = {"vanilla_backprop", "guided_grad_cam", "layer_cam", "lrp", "score_cam"}
    todo = jobs(lite0.net, picture(1, torch.float32, (48, 64)), ("blocks.4",), "blocks.0", (7,))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert check([job for job in todo if job[0].key in few]) == few
    finally:
        torch.set_num_threads(before)


def test_a_failing_thread_disturbs_no_other():
    """One thread in two is refused, or interrupted in the middle, while the others compute."""
    torch.manual_seed(0)
    net, smooth = build(Modules, dtype=torch.float32), build(Modules, activation=nn.SiLU, dtype=torch.float32)
    x = picture(1, torch.float32)
    good = [
        (method, net, x, scores.logit(4), net.features[6]) for method in METHODS.values() if method.family != "control"
    ]
    alone = [quick(*job) for job in good]
    barrier = Barrier(THREADS)

    def work(number):
        barrier.wait()
        for _ in range(3):
            for job, expected in zip(good, alone, strict=True):
                if number % 2:
                    assert torch.equal(quick(*job), expected)
                    continue
                with pytest.raises(CamvizError):
                    guided_backprop(smooth, x, scores.logit(4))
                with pytest.raises(ZeroDivisionError):
                    quick(*job[:3], lambda values: 1 / 0, job[4])
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
