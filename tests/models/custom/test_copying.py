"""Networks that copy.deepcopy refuses are explained, and the given network is not changed."""

import copy
import logging
import threading
import warnings
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import camviz
from camviz import CamvizError, tape
from camviz.models.custom.copying import copied
from tests.models.nets import SIDE, Small, images, load, relative

(IMAGE,) = images(1)
BATCH = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def pruned():
    net = Small()
    prune.l1_unstructured(net.first, "weight", 0.5)
    prune.ln_structured(net.first, "weight", 0.3, n=2, dim=0)
    prune.random_unstructured(net.classifier, "bias", 0.5)
    return net


def old_weight_norm():
    net = Small()
    weight_norm(net.first)
    weight_norm(net.classifier, dim=None)
    return net


def old_spectral_norm():
    net = Small()
    spectral_norm(net.second)
    net(BATCH)
    return net


def parametrized():
    net = Small()
    parametrizations.weight_norm(net.first)
    parametrizations.spectral_norm(net.second)
    net(BATCH)
    return net


def cached():
    net = Small("cached")
    net(BATCH)
    return net


def computed_buffer():
    net = Small()
    net.first.register_buffer("doubled", net.first.weight * 2)
    return net


class Logging(Small):
    """Holds objects that cannot be copied, and hooks of every kind."""

    def __init__(self):
        super().__init__()
        self.lock, self.ready, self.numbers = threading.Lock(), threading.Condition(), (n for n in range(3))
        self.file = Path(__file__).open(encoding="utf-8")  # noqa: SIM115
        self.parts, self.numpy = {"deep": [(self.lock,)]}, np
        self.log, self.last = logging.getLogger(__name__), deque([self.classifier.weight * 2], maxlen=3)
        self.seen = None
        self.relu.register_forward_hook(self.keep)
        self.second.register_forward_hook(lambda module, inputs, output: None)
        self.second.register_forward_hook(partial(counted, self.lock))

    def keep(self, module, inputs, output):
        self.seen = output


def counted(lock, module, inputs, output):
    with lock:
        return None


KINDS = [pruned, old_weight_norm, old_spectral_norm, parametrized, cached, computed_buffer, Logging]


def made(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old ones are deprecated
        return kind().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_copied_network_gives_equal_results(kind):
    given = made(kind)
    before = {name: values.clone() for name, values in given.state_dict().items()}
    attributes = {name: set(vars(module)) for name, module in given.named_modules()}
    model = load(given)
    x = model.preprocess(IMAGE)
    with torch.no_grad():
        assert torch.equal(tape.forward(model.net, x), given(x))
    for key, knobs in (
        ("grad_cam", {}),
        ("lrp", {}),
        ("integrated_gradients", {"steps": 3}),
        ("occlusion", {"size": 9}),
    ):
        method = camviz.METHODS[key]
        layers = [[net.last_relu] if method.layer == "required" else [] for net in (given, model.net)]
        expected = method(given, x, camviz.scores.logit(1), *layers[0], **knobs)
        found = camviz.explain(model, IMAGE, key, target=1, layer=None if not layers[0] else "last_relu", **knobs)
        assert relative(found.attribution, expected[0].detach().numpy()) < 1e-5
    assert {name: set(vars(module)) for name, module in given.named_modules()} == attributes
    for name, values in given.state_dict().items():
        assert torch.equal(values, before[name])
        assert values.data_ptr() not in {one.data_ptr() for one in model.net.state_dict().values()}


@pytest.mark.parametrize("kind", [pruned, old_weight_norm, old_spectral_norm])
def test_computed_weights_become_parameters(kind):
    model = load(made(kind))
    assert set(model.net.state_dict()) == set(Small().state_dict())
    result = camviz.measure(camviz.explain(model, IMAGE), "randomization", stages=2)
    assert abs(result.correlations[-1]) < 0.9  # randomizing reaches them


def test_hooks_of_the_copy_write_to_the_copy():
    given = made(Logging)
    model = load(given)
    camviz.explain(model, IMAGE)
    assert given.seen is None and model.net.seen is not None
    assert model.net.lock is given.lock  # what cannot be copied is shared


def test_copyable_attributes_are_deep_copied():
    given = made(Small)
    given.extra = {"values": [torch.ones(2)]}
    other = copied(given)
    assert other.extra["values"][0] is not given.extra["values"][0]
    assert torch.equal(other.extra["values"][0], copy.deepcopy(given).extra["values"][0])


def test_copy_keeps_the_mark_for_batches_of_one():
    net = made(lambda: Small("mean"))
    tape.mark_batches_of_one(net)
    assert tape.needs_batches_of_one(copied(net))
    model = load(Small("mean"))
    explanation = camviz.explain(model, IMAGE, "occlusion", size=12, stride=12, target=1)
    result = camviz.measure(explanation, "randomization", stages=1, new_weights="shuffled")
    expected = copied(model.net).double()
    assert np.isfinite(float(result)) and tape.needs_batches_of_one(expected)


def test_network_that_refuses_to_be_copied_is_refused():
    class Stubborn(Small):
        def __deepcopy__(self, memo):
            raise TypeError("not this one")

    with pytest.raises(CamvizError, match=r"this Stubborn cannot be copied.*\(not this one\): delete its attributes"):
        load(Stubborn())
    assert isinstance(copied(nn.Identity()), nn.Identity)
