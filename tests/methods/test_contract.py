"""The contract of camviz/methods/__init__.py, checked for every method of METHODS, new ones included."""

import copy

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from camviz import METHODS, CamvizError, scores, tape
from tests.methods.nets import (
    SIZE,
    Interrupt,
    Modules,
    RaisingLayer,
    Residual,
    build,
    content,
    quick,
    random_images,
    state,
)


def parametrize_methods(methods):
    return pytest.mark.parametrize("method", list(methods), ids=lambda method: method.key)


SCORE = scores.logit(4)
LAYERS = {Modules: "features.6", Residual: "second"}
EVERY_METHOD = parametrize_methods(METHODS.values())
MANY_PASSES = parametrize_methods(method for method in METHODS.values() if method.many_passes)
WITH_A_LAYER = parametrize_methods(method for method in METHODS.values() if method.layer == "required")
FEW_PASSES = parametrize_methods(method for method in METHODS.values() if not method.many_passes)
THAT_RUN_THE_NETWORK = parametrize_methods(method for method in METHODS.values() if method.family != "control")
EVERY_NET = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__.lower())
KNOBS = [(method, knob) for method in METHODS.values() for knob in method.knobs.values()]


def prepare(kind=Modules, **arguments):
    net = build(kind, **arguments)
    return net, net.get_submodule(LAYERS[kind])


def with_state(net):
    """Give the network gradients, frozen parameters, a module in training mode and a hook."""
    parameters = list(net.parameters())
    for parameter in parameters[::2]:
        parameter.grad = torch.ones_like(parameter)
    for parameter in parameters[1::3]:
        parameter.requires_grad_(False)
    next(m for m in net.modules() if isinstance(m, nn.Conv2d)).train()
    net.register_forward_hook(lambda module, inputs, output: None)
    return net


# ----------------------------------------------------------------------------------------------------- the result


@EVERY_NET
@EVERY_METHOD
def test_maps_are_finite_well_shaped_and_reproducible(method, kind):
    net, layer = prepare(kind)
    x = random_images()
    first = quick(method, net, x, SCORE, layer)
    assert (first.ndim == 4) == method.pixels, (
        "@method(..., pixels=True) is for maps of shape (B, C, H, W) and no other"
    )
    if method.pixels:
        assert first.shape == (2, 3, *SIZE)
    elif method.layer == "required":
        assert first.shape == (2, *tape.activations(net, x, layer)[0].shape[2:])
    else:
        assert len(first) == 2 and first.ndim == 3 and first.shape[1] <= SIZE[0] and first.shape[2] <= SIZE[1]
    assert first.isfinite().all() and first.abs().max() > 0
    assert not first.requires_grad and first.dtype == torch.float64
    assert torch.equal(quick(method, net, x, SCORE, layer), first)


@EVERY_NET
@EVERY_METHOD
def test_batch_equals_single_images(method, kind):
    net, layer = prepare(kind)
    x = random_images()
    together = quick(method, net, x, SCORE, layer)
    alone = torch.cat([quick(method, net, one, SCORE, layer) for one in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-10 * float(alone.abs().max()))


@EVERY_METHOD
def test_requires_grad_does_not_change_the_map(method):
    net, layer = prepare(Residual)
    x = random_images()
    expected = quick(method, net, x, SCORE, layer)
    net.requires_grad_(False)
    assert torch.equal(quick(method, net, x, SCORE, layer), expected)
    x.requires_grad_()
    result = quick(method, net, x, SCORE, layer)
    assert torch.equal(result, expected) and x.grad is None


@EVERY_METHOD
def test_wrapped_class_scores_give_the_same_map(method):
    class Wrapped(Modules):
        def forward(self, x):
            return {"logits": super().forward(x)}

    (net, layer), (plain, plain_layer) = (prepare_as(kind) for kind in (Wrapped, Modules))
    expected = quick(method, plain, random_images(), SCORE, plain_layer)
    assert torch.equal(quick(method, net, random_images(), SCORE, layer), expected)


def prepare_as(kind):
    net = build(kind)
    return net, net.get_submodule(LAYERS[Modules])


@pytest.mark.parametrize(("method", "knob"), KNOBS, ids=[f"{method.key} {knob.name}" for method, knob in KNOBS])
def test_every_setting_works_at_its_ends(method, knob):
    if knob.choices:
        values = list(knob.choices)
    elif knob.type is bool:
        values = [False, True]
    else:
        assert knob.range is not None, "a number needs a Range, from which the page derives its slider"
        values = [knob.range.low, knob.range.high]
    net, layer = prepare()
    assert knob.check(knob.default, method.key) == knob.default
    for value in values:
        given = {knob.name: knob.check(value, method.key)}
        # A number without a default is an index of the layer, which may have fewer channels.
        may_refuse = knob.optional and value is values[-1]
        try:
            result = quick(method, net, random_images(1), SCORE, layer, **given)
        except CamvizError as error:
            assert may_refuse and knob.name.replace("_", " ") in str(error)
        else:
            assert result.isfinite().all()


@EVERY_NET
@FEW_PASSES
def test_first_pass_runs_on_the_image_itself(method, kind, monkeypatch):
    """`explain` reads the predicted class off the first call of the score."""
    net, layer = prepare(kind)
    x = random_images()
    expected = tape.forward(net, x)
    inputs, outputs = [], []
    net.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0].detach().clone()))

    def score(values):
        outputs.append(values.detach().clone())
        return SCORE(values)

    with tape.counting_passes() as counts:
        quick(method, net, x, score, layer)
    assert counts.forward_passes <= 2 * len(x), "a method of more than two passes takes a parameter `progress`"
    assert all(torch.equal(one, x) for one in inputs[:1])
    assert all(torch.equal(one, expected) for one in outputs[:1])
    if method.class_specific:
        assert inputs and outputs, "the map of a class must come from the network and from the score"


@MANY_PASSES
def test_progress_counts_up_to_the_total(method):
    net, layer = prepare()
    seen = []
    expected = quick(method, net, random_images(), SCORE, layer)
    result = quick(method, net, random_images(), SCORE, layer, progress=lambda done, total: seen.append((done, total)))
    assert torch.equal(result, expected)
    counts, totals = zip(*seen, strict=True)
    assert len(set(totals)) == 1 and counts[-1] == totals[0] > 0
    assert list(counts) == sorted(counts) and counts[0] >= 0


# ------------------------------------------------------------------------------------------------ nothing is changed


@EVERY_NET
@EVERY_METHOD
def test_network_is_unchanged(method, kind):
    net, layer = prepare(kind)
    with_state(net)
    x = random_images()
    before, pixels = state(net), content(x)
    quick(method, net, x, SCORE, layer)
    assert state(net) == before
    assert (content(x), x.requires_grad, x.grad, x._version) == (pixels, False, None, 0)


@EVERY_METHOD
def test_input_is_unchanged_by_a_network_that_overwrites_it(method):
    class Overwriting(Modules):
        def forward(self, x):
            return super().forward(x.mul_(0.5).add_(0.3))

    class Careful(Modules):
        def forward(self, x):
            return super().forward(x * 0.5 + 0.3)

    (net, layer), (careful, careful_layer) = (prepare_as(kind) for kind in (Overwriting, Careful))
    x = random_images()
    result = quick(method, net, x, SCORE, layer)
    assert torch.equal(x, random_images())
    torch.testing.assert_close(result, quick(method, careful, x, SCORE, careful_layer), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("error", [RuntimeError("blown"), Interrupt()], ids=["Exception", "BaseException"])
@EVERY_METHOD
def test_nothing_is_left_behind_if_a_module_raises(method, error):
    net, layer = prepare()
    raising = RaisingLayer(error)
    net.head.insert(1, raising)
    with_state(net)
    expected = quick(method, net, random_images(), SCORE, layer)
    runs = raising.runs
    for raise_at in {1, 2, (runs + 1) // 2, runs} & {*range(1, runs + 1)}:
        raising.runs, raising.raise_at = 0, raise_at
        before = state(net)
        with pytest.raises(type(error)):
            quick(method, net, random_images(), SCORE, layer)
        assert state(net) == before
    raising.raise_at = 0
    assert torch.equal(quick(method, net, random_images(), SCORE, layer), expected)


@MANY_PASSES
def test_nothing_is_left_behind_after_cancel(method):
    net, layer = prepare()
    with_state(net)
    expected = quick(method, net, random_images(), SCORE, layer)
    before = state(net)

    def cancel(done, total):
        raise Interrupt

    with pytest.raises(Interrupt):
        quick(method, net, random_images(), SCORE, layer, progress=cancel)
    assert state(net) == before
    assert torch.equal(quick(method, net, random_images(), SCORE, layer), expected)


# ------------------------------------------------------------------------------------------------------- refusals


def assert_refused(method, net, layer, sentence, score=SCORE):
    before = state(net)
    with pytest.raises(CamvizError, match=sentence) as caught:
        quick(method, net, random_images(), score, layer)
    assert state(net) == before
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


def assert_refused_in_training_mode(method, part):
    net, layer = prepare()
    net.features.insert(0, part.double())
    net.train()
    assert_refused(method, net, layer, f"training mode .{type(part).__name__}.; call net.eval")
    net.eval()
    assert quick(method, net, random_images(), SCORE, layer).isfinite().all()


@THAT_RUN_THE_NETWORK
def test_network_in_training_mode_is_refused(method):
    assert_refused_in_training_mode(method, nn.BatchNorm2d(3))


@pytest.mark.parametrize(
    "part",
    [
        nn.Dropout(0.2),
        nn.Dropout2d(0.2),
        StochasticDepth(0.2, "row"),
        nn.InstanceNorm2d(3, track_running_stats=True),
    ],
    ids=lambda part: type(part).__name__,
)
@pytest.mark.parametrize("key", ["grad_cam", "score_cam", "lrp"])
def test_other_parts_in_training_mode_are_refused(key, part):
    assert_refused_in_training_mode(METHODS[key], copy.deepcopy(part))


@EVERY_METHOD
def test_training_mode_without_effect_is_accepted(method):
    net, layer = prepare()
    expected = quick(method, net, random_images(), SCORE, layer)
    assert torch.equal(quick(method, net.train(), random_images(), SCORE, layer), expected)
    for harmless in (nn.Dropout(0.0), nn.InstanceNorm2d(3), StochasticDepth(0.0, "row")):
        net.features.insert(0, harmless)
    in_eval = quick(method, net.eval(), random_images(), SCORE, layer)
    assert torch.equal(quick(method, net.train(), random_images(), SCORE, layer), in_eval)


@WITH_A_LAYER
def test_layer_without_feature_maps_is_refused(method):
    net, _ = prepare()
    assert_refused(method, net, nn.Conv2d(3, 3, 1), "does not run through this layer")
    assert_refused(
        method, net, net.head[2], r"needs a layer of feature maps .batch, channels, height, width.; got shape \(\d, 7\)"
    )


@THAT_RUN_THE_NETWORK
def test_missing_class_is_refused(method):
    net, layer = prepare()
    for score in (scores.logit(7), scores.logit(-1), scores.probability(7), scores.contrast(0, 7)):
        assert_refused(method, net, layer, "class -?[17] does not exist; this network has classes 0 to 6", score)


@THAT_RUN_THE_NETWORK
def test_score_must_be_one_number_per_image(method):
    net, layer = prepare()
    assert_refused(
        method, net, layer, r"one number for each sample, shape \(\d+,\); got \(\)", lambda values: values.sum()
    )


@THAT_RUN_THE_NETWORK
def test_network_without_class_scores_is_refused(method):
    net, _ = prepare()
    layer = net.features[6]
    assert_refused(method, net.features, layer, r"must end in class scores .*returned shape \(\d+, 6, 5, 7\)")


@EVERY_METHOD
def test_maps_are_equal_in_other_contexts(method):
    """A page may compute under no_grad, and a caller may count passes."""
    net, layer = prepare()
    expected = quick(method, net, random_images(), SCORE, layer)
    for context in (torch.no_grad(), tape.counting_passes()):
        with context:
            assert torch.equal(quick(method, net, random_images(), SCORE, layer), expected)
