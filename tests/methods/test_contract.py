"""The contract of camviz/methods/__init__.py, checked for every method of METHODS, new ones included."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from camviz import METHODS, CamvizError, scores, tape
from tests.methods.nets import SIZE, Fuse, Interrupt, Modules, Residual, build, content, picture, quick, state


def over(methods):
    return pytest.mark.parametrize("method", list(methods), ids=lambda method: method.key)


SCORE = scores.logit(4)
LAYERS = {Modules: "features.6", Residual: "second"}
EVERY_METHOD = over(METHODS.values())
MANY_PASSES = over(method for method in METHODS.values() if method.many_passes)
WITH_A_LAYER = over(method for method in METHODS.values() if method.layer == "required")
FEW_PASSES = over(method for method in METHODS.values() if not method.many_passes)
THAT_ASK_THE_NETWORK = over(method for method in METHODS.values() if method.family != "control")
EVERY_NET = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__.lower())
KNOBS = [(method, knob) for method in METHODS.values() for knob in method.knobs.values()]


def prepared(kind=Modules, **arguments):
    net = build(kind, **arguments)
    return net, net.get_submodule(LAYERS[kind])


def used(net):
    """As somebody may have left it: gradients, some parameters frozen, a module in training mode, a hook."""
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
def test_finite_of_the_right_shape_and_the_same_every_time(method, kind):
    net, layer = prepared(kind)
    x = picture()
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
    with torch.no_grad():
        assert torch.equal(quick(method, net, x, SCORE, layer), first)


@EVERY_NET
@EVERY_METHOD
def test_a_batch_is_its_pictures_one_by_one(method, kind):
    net, layer = prepared(kind)
    x = picture(3)
    together = quick(method, net, x, SCORE, layer)
    alone = torch.cat([quick(method, net, one, SCORE, layer) for one in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-10 * float(alone.abs().max()))


@EVERY_METHOD
def test_gradients_that_nobody_needs_change_nothing(method):
    net, layer = prepared(Residual)
    x = picture()
    expected = quick(method, net, x, SCORE, layer)
    net.requires_grad_(False)
    assert torch.equal(quick(method, net, x, SCORE, layer), expected)
    x.requires_grad_()
    result = quick(method, net, x, SCORE, layer)
    assert torch.equal(result, expected) and x.grad is None


@pytest.mark.parametrize(
    "wrap", [lambda s: (s, s + 1), lambda s: {"logits": s}, lambda s: [s]], ids=["tuple", "dict", "list"]
)
@EVERY_METHOD
def test_class_scores_may_come_wrapped(method, wrap):
    class Wrapped(Modules):
        def forward(self, x):
            return wrap(super().forward(x))

    (net, layer), (plain, plain_layer) = (prepared_as(kind) for kind in (Wrapped, Modules))
    expected = quick(method, plain, picture(), SCORE, plain_layer)
    assert torch.equal(quick(method, net, picture(), SCORE, layer), expected)


def prepared_as(kind):
    net = build(kind)
    return net, net.get_submodule(LAYERS[Modules])


@pytest.mark.parametrize(("method", "knob"), KNOBS, ids=[f"{method.key} {knob.name}" for method, knob in KNOBS])
def test_every_setting_works_at_its_ends(method, knob):
    if knob.choices:
        values = list(knob.choices)
    elif knob.type is bool:
        values = [False, True]
    else:
        assert knob.range is not None, "a number needs a Range, which the page makes its slider of"
        values = [knob.range.low, knob.range.high]
    net, layer = prepared()
    assert knob.check(knob.default, method.key) == knob.default
    for value in values:
        given = {knob.name: knob.check(value, method.key)}
        # A number without a default picks something out of the layer, which may not have that many.
        may_refuse = knob.optional and value is values[-1]
        try:
            result = quick(method, net, picture(), SCORE, layer, **given)
        except CamvizError as error:
            assert may_refuse and knob.name.replace("_", " ") in str(error)
        else:
            assert result.isfinite().all()


@EVERY_NET
@FEW_PASSES
def test_the_first_pass_of_a_method_of_few_passes_is_the_image_itself(method, kind, monkeypatch):
    """`explain` reads the predicted class off the first call of the score."""
    net, layer = prepared(kind)
    x = picture()
    expected = tape.forward(net, x)
    inputs, outputs = [], []
    net.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0].detach().clone()))

    def score(values):
        outputs.append(values.detach().clone())
        return SCORE(values)

    with tape.counting_passes() as account:
        quick(method, net, x, score, layer)
    assert account.forward_passes <= 2 * len(x), "a method of more than two passes takes a parameter `progress`"
    assert all(torch.equal(one, x) for one in inputs[:1])
    assert all(torch.equal(one, expected) for one in outputs[:1])
    if method.class_specific:
        assert inputs and outputs, "the map of a class must come from the network and from the score"


@MANY_PASSES
def test_progress_counts_up_to_the_total(method):
    net, layer = prepared()
    seen = []
    expected = quick(method, net, picture(), SCORE, layer)
    result = quick(method, net, picture(), SCORE, layer, progress=lambda done, total: seen.append((done, total)))
    assert torch.equal(result, expected)
    counts, totals = zip(*seen, strict=True)
    assert len(set(totals)) == 1 and counts[-1] == totals[0] > 0
    assert list(counts) == sorted(counts) and counts[0] >= 0


# ------------------------------------------------------------------------------------------------ nothing is touched


@EVERY_NET
@EVERY_METHOD
def test_leaves_the_network_exactly_as_it_was(method, kind):
    net, layer = prepared(kind)
    used(net)
    x = picture()
    before, pixels = state(net), content(x)
    quick(method, net, x, SCORE, layer)
    assert state(net) == before
    assert (content(x), x.requires_grad, x.grad, x._version) == (pixels, False, None, 0)


@EVERY_METHOD
def test_the_picture_survives_a_network_that_overwrites_its_input(method):
    class Overwriting(Modules):
        def forward(self, x):
            return super().forward(x.mul_(0.5).add_(0.3))

    class Careful(Modules):
        def forward(self, x):
            return super().forward(x * 0.5 + 0.3)

    (net, layer), (careful, careful_layer) = (prepared_as(kind) for kind in (Overwriting, Careful))
    x = picture()
    result = quick(method, net, x, SCORE, layer)
    assert torch.equal(x, picture())
    torch.testing.assert_close(result, quick(method, careful, x, SCORE, careful_layer), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("error", [RuntimeError("blown"), Interrupt()], ids=["Exception", "BaseException"])
@EVERY_METHOD
def test_leaves_nothing_behind_when_a_module_raises(method, error):
    net, layer = prepared()
    fuse = Fuse(error)
    net.head.insert(1, fuse)
    used(net)
    expected = quick(method, net, picture(), SCORE, layer)
    runs = fuse.runs
    for blow in {1, 2, (runs + 1) // 2, runs} & {*range(1, runs + 1)}:
        fuse.runs, fuse.blow = 0, blow
        before = state(net)
        with pytest.raises(type(error)):
            quick(method, net, picture(), SCORE, layer)
        assert state(net) == before
    fuse.blow = 0
    assert torch.equal(quick(method, net, picture(), SCORE, layer), expected)


@MANY_PASSES
def test_leaves_nothing_behind_when_it_is_canceled(method):
    net, layer = prepared()
    used(net)
    expected = quick(method, net, picture(), SCORE, layer)
    before = state(net)

    def cancel(done, total):
        raise Interrupt

    with pytest.raises(Interrupt):
        quick(method, net, picture(), SCORE, layer, progress=cancel)
    assert state(net) == before
    assert torch.equal(quick(method, net, picture(), SCORE, layer), expected)


# ------------------------------------------------------------------------------------------------------- refusals


def refused(method, net, layer, sentence, score=SCORE):
    before = state(net)
    with pytest.raises(CamvizError, match=sentence) as caught:
        quick(method, net, picture(), score, layer)
    assert state(net) == before
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "part",
    [
        nn.BatchNorm2d(3),
        nn.Dropout(0.2),
        nn.Dropout2d(0.2),
        StochasticDepth(0.2, "row"),
        nn.InstanceNorm2d(3, track_running_stats=True),
    ],
    ids=lambda part: type(part).__name__,
)
@THAT_ASK_THE_NETWORK
def test_a_network_in_training_mode_is_refused(method, part):
    net, layer = prepared()
    net.features.insert(0, copy.deepcopy(part).double())
    net.train()
    refused(method, net, layer, f"training mode .{type(part).__name__}.; call net.eval")
    net.eval()
    assert quick(method, net, picture(), SCORE, layer).isfinite().all()


@EVERY_METHOD
def test_training_mode_does_not_matter_where_no_module_minds(method):
    net, layer = prepared()
    expected = quick(method, net, picture(), SCORE, layer)
    assert torch.equal(quick(method, net.train(), picture(), SCORE, layer), expected)
    for harmless in (nn.Dropout(0.0), nn.InstanceNorm2d(3), StochasticDepth(0.0, "row")):
        net.features.insert(0, harmless)
    in_eval = quick(method, net.eval(), picture(), SCORE, layer)
    assert torch.equal(quick(method, net.train(), picture(), SCORE, layer), in_eval)


@WITH_A_LAYER
def test_refuses_a_layer_that_has_no_map_to_show(method):
    net, _ = prepared()
    refused(method, net, nn.Conv2d(3, 3, 1), "does not run through this layer")
    refused(
        method, net, net.head[2], r"needs a layer of feature maps .batch, channels, height, width.; got shape \(\d, 7\)"
    )


@THAT_ASK_THE_NETWORK
def test_refuses_a_class_that_does_not_exist(method):
    net, layer = prepared()
    for score in (scores.logit(7), scores.logit(-1), scores.probability(7), scores.contrast(0, 7)):
        refused(method, net, layer, "class -?[17] does not exist; this network has classes 0 to 6", score)


@THAT_ASK_THE_NETWORK
def test_refuses_a_score_that_is_not_one_number_for_each_picture(method):
    net, layer = prepared()
    refused(method, net, layer, r"one number for each sample, shape \(\d+,\); got \(\)", lambda values: values.sum())


@THAT_ASK_THE_NETWORK
def test_refuses_a_network_that_does_not_end_in_class_scores(method):
    net, _ = prepared()
    layer = net.features[6]
    refused(method, net.features, layer, r"must end in class scores .*returned shape \(\d+, 6, 5, 7\)")


@EVERY_METHOD
def test_works_within_another_context(method):
    """A page may compute under no_grad, and a caller may count passes."""
    net, layer = prepared()
    expected = quick(method, net, picture(), SCORE, layer)
    for context in (torch.no_grad(), torch.enable_grad(), tape.counting_passes(), nullcontext()):
        with context:
            assert torch.equal(quick(method, net, picture(), SCORE, layer), expected)
