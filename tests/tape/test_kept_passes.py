"""Cached passes: maps are bit-identical, and the part before the layer runs once."""

import pytest
import torch
from torch import Tensor, nn

from camviz import METHODS, CamvizError, scores
from camviz.acceleration.many_passes import many_passes
from camviz.explanation.explain import answer, ask
from camviz.tape import backward_rule, counting_passes, record, reusing_passes, scores_through
from tests.methods.nets import CLASSES, NETS, Modules, Residual, build, random_images, run

QUICK = [method for method in METHODS.values() if not method.many_passes and method.layer != "none"]


class Bypassed(nn.Module):
    """A skip connection around the second convolution."""

    layers = ("one", "two", "three")

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.head = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        return self.head(self.three(x + self.two(x).relu()).mean(dim=(2, 3)))


class Random(Bypassed):
    """Dropout in evaluation mode too."""

    layers = ("three",)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.dropout(self.three(self.two(self.one(x))), 0.5).mean(dim=(2, 3)))


class Half(Bypassed):
    """The last layer runs under autocast."""

    layers = ("three",)

    def forward(self, x: Tensor) -> Tensor:
        x = self.three(self.two(self.one(x)))
        with torch.autocast("cpu", torch.bfloat16):
            return self.head(x.mean(dim=(2, 3))).float()


def maps(net, x, layer, methods=QUICK):
    """Return the maps of two classes by every method, or the error."""
    found = []
    for method in methods:
        for c in (1, 4):
            with counting_passes() as counts:
                try:
                    found.append((method.key, c, run(method, net, x, scores.logit(c), layer), counts))
                except CamvizError as error:
                    found.append((method.key, c, str(error), None))
    return found


def same(one, other):
    return [
        (key, c)
        for (key, c, a, counts), (_, _, b, again) in zip(one, other, strict=True)
        if counts != again or (a != b if isinstance(a, str) else not torch.equal(a, b))
    ] == []


class Kept(dict):
    """A store without limits."""

    def get(self, net, key):
        return super().get((net, key))

    def put(self, net, key, found):
        self[net, key] = found

    def refuses(self, net, key):
        return False


def kept(passes):
    return [found for found in passes.values() if found is not None]


@pytest.mark.parametrize("kind", [*NETS.values(), Bypassed, Half])
def test_maps_from_cached_passes_are_bit_identical(kind):
    net, passes, x = build(kind, dtype=torch.float32), Kept(), random_images(1, torch.float32)
    record(net, x, scores.logit(1), net.get_submodule(list(kind.layers)[-1]))  # finds out how the network must be run
    for name in kind.layers:
        layer = net.get_submodule(name)
        alone = maps(net, x, layer)
        with reusing_passes(passes):
            assert same(maps(net, x, layer), alone)
            assert torch.equal(scores_through(net, x, layer), scores_through(net, x, None))
            assert same(maps(net, x, layer), alone)


@pytest.mark.parametrize(
    ("kind", "layer", "runs_before"),
    [
        (Modules, "features.6", 1),  # kept
        (Residual, "second", 1),
        (Residual, "second.bn2", 3),  # a skip connection bypasses it
        (Residual, "stem", 3),  # most of the network follows
        (Bypassed, "three", 1),
        (Bypassed, "two", 3),
        (Half, "three", 3),
    ],
)
def test_layers_before_the_explained_one_run_once(kind, layer, runs_before):
    net, x = build(kind, dtype=torch.float32), random_images(1, torch.float32)
    record(net, x, scores.logit(1), net.get_submodule(layer))  # finds out how the network must be run
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    runs = []
    with first.register_forward_hook(lambda *_: runs.append(1)), reusing_passes(passes := Kept()):
        for c in range(3):
            record(net, x, scores.logit(c), net.get_submodule(layer))
    assert len(runs) == runs_before
    assert len(kept(passes)) == (1 if runs_before == 1 else 0)
    assert not any(tensor.requires_grad or tensor.grad_fn for one in kept(passes) for tensor in [one.activation])


def test_pass_with_random_numbers_is_not_cached():
    net, x = build(Random, dtype=torch.float32), random_images(1, torch.float32)
    with reusing_passes(passes := Kept()):
        record(net, x, scores.logit(1), net.three)
    assert kept(passes) == []


def test_cache_distinguishes_inputs_rules_and_weights():
    net, x = build(Modules, dtype=torch.float32), random_images(1, torch.float32)
    layer, score = net.features[4], scores.logit(4)

    def found(x=x):
        return torch.cat([part.flatten() for part in record(net, x, score, layer)])

    def changed():
        with torch.no_grad():
            net.features[0].weight.mul_(1.5)

    before, flat = found(), x.contiguous(memory_format=torch.channels_last)
    with reusing_passes(passes := Kept()):
        assert torch.equal(found(), before)
        found(x + 0.01), found(flat)
        assert len(kept(passes)) == 3
        with backward_rule(lambda gradient, slope: gradient * 0):
            assert not torch.equal(found(), before)
        with many_passes(net, x):
            found()
        record(net, torch.cat([x, x]), score, layer)
        assert len(kept(passes)) == 3
        changed()
        with_reuse = found()
    assert torch.equal(with_reuse, found())
    assert not torch.equal(with_reuse, before)


def test_result_may_be_overwritten():
    net, x = build(Residual, dtype=torch.float32), random_images(1, torch.float32)
    alone = record(net, x, scores.logit(4), net.second)
    with reusing_passes(Kept()):
        for _ in range(3):
            again = record(net, x, scores.logit(4), net.second)
            assert all(torch.equal(a, b) for a, b in zip(again, alone, strict=True))
            for part in again:
                part.zero_()


def test_prediction_fills_the_cache(lite0, coffee):
    question = ask(lite0, coffee, "grad_cam", target=7)
    alone, ranked = answer(question), lite0.predict(coffee)
    first = next(module for module in lite0.net.modules() if isinstance(module, nn.Conv2d))
    runs = []
    with first.register_forward_hook(lambda *_: runs.append(1)), reusing_passes(Kept()):
        assert lite0.predict(coffee) == ranked
        again = answer(question)
    assert runs == [1]
    assert (again.attribution == alone.attribution).all()
    assert (again.probability, again.forward_passes) == (alone.probability, alone.forward_passes)
