"""Eight threads share a network: every map is bit-identical to the one computed alone."""

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
from tests.methods.nets import Modules, Residual, build, quick, random_images, state

THREADS = 8
# A method of every kind of computation; one network runs all methods.
FEW = {"vanilla_backprop", "guided_grad_cam", "layer_cam", "lrp", "smooth_grad", "score_cam", "rise", "deep_shap"}


@pytest.fixture(autouse=True)
def _frequent_thread_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def jobs(net, x, layers, many, classes):
    """Return a job for every method, class and layer; `many` is the layer for methods of many passes."""

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


def check_threads(todo):
    """Check that each thread gets the same maps as one thread alone; return the methods that did not refuse."""
    done = []
    for job in todo:
        with contextlib.suppress(CamvizError):  # CAM takes the last layer only
            done.append((job, quick(*job)))
    barrier = Barrier(THREADS)

    def work(seed):
        order = list(done)
        random.Random(seed).shuffle(order)  # so that other methods run at the same time
        barrier.wait()
        return [job[0].key for job, alone in order if not torch.equal(quick(*job), alone)]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [[]] * THREADS
    return {job[0].key for job, _ in done}


@pytest.mark.parametrize(("kind", "keys"), [(Modules, set(METHODS)), (Residual, FEW)])
def test_threads_on_tiny_networks(kind, keys):
    net = build(kind, dtype=torch.float32)
    layers = list(kind.layers)[-2:]
    before = state(net)
    todo = jobs(net, random_images(1, torch.float32), layers, layers[1], (1, 4))
    assert check_threads([job for job in todo if job[0].key in keys]) == keys
    assert state(net) == before


def test_threads_on_the_embedded_network_with_two_threads_of_torch_each(lite0):
    before, torch_threads = state(lite0.net), torch.get_num_threads()
    todo = jobs(lite0.net, random_images(1, torch.float32, (48, 64)), ("blocks.4",), "blocks.0", (7,))
    torch.set_num_threads(2)
    try:
        assert check_threads([job for job in todo if job[0].key in FEW]) == FEW
    finally:
        torch.set_num_threads(torch_threads)
    assert state(lite0.net) == before


def test_failing_threads_do_not_affect_others():
    """Every second thread gets errors while the others compute."""
    torch.manual_seed(0)
    net, smooth = build(Modules, dtype=torch.float32), build(Modules, activation=nn.SiLU, dtype=torch.float32)
    x = random_images(1, torch.float32)
    good = [
        (method, net, x, scores.logit(4), net.features[6]) for method in METHODS.values() if method.family != "control"
    ]
    alone = [quick(*job) for job in good]
    barrier = Barrier(THREADS)

    def work(number):
        barrier.wait()
        for _ in range(2):
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
