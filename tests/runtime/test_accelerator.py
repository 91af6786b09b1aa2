"""Methods on an accelerator, simulated on the CPU: batches, memory layout, and waits for the device.

Nothing here is timed: passes, intercepted calls and waits are counted. `test_devices.py` runs on real devices.
"""

from collections import Counter

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from camviz import METHODS, scores
from camviz.runtime.devices import synchronized
from tests.methods.nets import Modules, Residual, build, close, random_images

SCORE = scores.logit(2)
GIGABYTE = 2**30
# Settings of methods that take one pass, and of those that take many, with the number of passes they take at once.
SINGLE = {"vanilla_backprop": {}, "gradient_x_input": {}, "grad_cam": {}, "layer_cam": {}, "eigen_cam": {}}
MANY = {
    "integrated_gradients": ({"steps": 32}, 32),
    "smooth_grad": ({"samples": 32}, 32),
    "expected_gradients": ({"samples": 32}, 32),
    "score_cam": ({}, 6),
    "occlusion": ({"size": 8, "stride": 2}, 140),
    "rise": ({"masks": 40}, 40),
}
# Operations of torch that give a number to Python, for which an accelerator must finish its work.
WAITING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.nonzero.default}


class Watch(TorchDispatchMode):
    """Count the operations that wait for the device."""

    def __init__(self):
        super().__init__()
        self.waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.waits += func in WAITING
        return func(*args, **(kwargs or {}))


@pytest.fixture
def accelerate(monkeypatch):
    """Treat the CPU as an accelerator with much free memory; return the list of devices that are waited for."""

    def simulate():
        found = []
        for module in ("devices", "batching", "noise"):
            monkeypatch.setattr(f"camviz.runtime.{module}.is_accelerator", lambda device: True)
        monkeypatch.setattr("camviz.runtime.batching.free_memory", lambda device: 8 * GIGABYTE)
        monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: found.append(device.type))
        return found

    return simulate


@pytest.fixture
def waited(accelerate):
    return accelerate()


@pytest.fixture
def modes(monkeypatch):
    """The modes that were entered, each of which intercepts every torch call of a pass."""
    found, enter = [], TorchFunctionMode.__enter__

    def counted(self):
        found.append(type(self).__name__)
        return enter(self)

    monkeypatch.setattr(TorchFunctionMode, "__enter__", counted)
    return found


def run(key, net, x, **settings):
    """Return the map of a method, at the layer that it needs."""
    given = (net.get_submodule("features.6" if isinstance(net, Modules) else "second"),)
    return METHODS[key](net, x, SCORE, *(given if METHODS[key].layer == "required" else ()), **settings)


@pytest.mark.parametrize("key", [*SINGLE, *MANY])
def test_methods_without_rewriting_intercept_no_calls(waited, modes, key):
    settings = SINGLE.get(key) or MANY.get(key, [{}])[0]
    for kind in (Modules, Residual):
        net, x = build(kind), random_images(1)
        run(key, net, x, **settings)  # learns the network, once
        modes.clear()
        run(key, net, x, **settings)
        assert modes == []


def test_cpu_calls_are_intercepted_only_for_fused_batch_norms(modes):
    for kind, expected in ((Modules, []), (Residual, ["_Interception"])):
        net, x = build(kind), random_images(1)
        run("rise", net, x, masks=4)
        modes.clear()
        run("rise", net, x, masks=4)
        assert sorted(set(modes)) == expected


@pytest.mark.parametrize(("key", "settings", "passes"), [(key, *given) for key, given in MANY.items()])
def test_accelerator_runs_all_passes_in_one_contiguous_batch(accelerate, monkeypatch, key, settings, passes):
    net, x = build(Residual), random_images(1)
    expected = run(key, net, x, **settings)  # on the CPU
    accelerate()
    run(key, net, x, **settings)  # learns the network, once
    seen = Counter()

    def see(module, inputs):
        (batch,) = inputs
        assert batch.is_contiguous()
        seen[len(batch)] += 1

    net.register_forward_pre_hook(see)
    close(run(key, net, x, **settings), expected, 1e-9)
    assert seen[passes] == 1 and sum(count for size, count in seen.items() if size > 2) == 1
    seen.clear()
    monkeypatch.setattr("camviz.runtime.batching.free_memory", lambda device: 40_000)
    close(run(key, net, x, **settings), expected, 1e-9)
    assert max(seen) < passes


@pytest.mark.parametrize("key", ["integrated_gradients", "smooth_grad", "score_cam", "occlusion"])
def test_number_of_waits_does_not_grow_with_the_passes(waited, key):
    net, x = build(Residual), random_images(1)
    fewer_and_more = {
        "integrated_gradients": ({"steps": 4}, {"steps": 32}),
        "smooth_grad": ({"samples": 4}, {"samples": 32}),
        "occlusion": ({"size": 8, "stride": 10}, {"size": 8, "stride": 2}),
    }
    counts = []
    for settings in fewer_and_more.get(key, ({}, {})):
        run(key, net, x, **settings)
        with Watch() as watch:
            run(key, net, x, **settings)
        counts.append(watch.waits)
    # One look at the scores, one at the explained score and one at the gradient of each batch, and one at the map.
    assert counts[0] == counts[1] <= 7 and waited == []


def test_progress_is_reported_after_the_device_has_finished(waited):
    net, x, reports = build(Residual), random_images(1), []
    with synchronized(x.device, lambda *now: reports.append((now, len(waited)))) as progress:
        run("integrated_gradients", net, x, steps=4, progress=progress)
    assert reports == [((4, 4), 1)] and len(waited) == 2
