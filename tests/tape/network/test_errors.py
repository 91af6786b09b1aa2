"""Errors of a network's code are CamvizErrors with one line, and keep their original type."""

import pytest
import torch
from torch import nn

import camviz
from camviz import METHODS, CamvizError, scores, tape
from camviz.errors import is_out_of_memory
from tests.models.nets import SIDE, Small, images, load

IMAGE = images(1)[0]
X = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


class TwoArguments(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.parts = one, two

    def __reduce__(self):
        return TwoArguments, self.parts


class TwoArgumentsValue(ValueError):
    def __init__(self, one, two):
        super().__init__(one)
        self.two = two

    def __reduce__(self):
        return TwoArgumentsValue, (*self.args, self.two)


class Raising(Small):
    """The small network that raises once it is `armed`, in its forward or in its backward pass."""

    def __init__(self, error, backward=False):
        super().__init__()
        self.error, self.backward, self.armed = error, backward, False
        self.eval()

    def pooled(self, x):
        if self.armed and self.backward:
            return Breaking.apply(x, self.error)
        if self.armed:
            raise self.error
        return x


class Breaking(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, error):
        ctx.error = error
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ctx.error


ERRORS = [
    RuntimeError("the first line\nthe second line"),
    ValueError("a value"),
    KeyError("a key"),
    AttributeError("no such attribute"),
    NotImplementedError(),
    ZeroDivisionError("division by zero"),
    TwoArguments("one", "two"),
    AssertionError(),
    OSError(2, "No such file"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "reason"),
    TwoArgumentsValue("one", "two"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("key", ["vanilla_backprop", "grad_cam", "occlusion", "lrp"])
def test_error_of_the_forward_pass(error, key):
    net = Raising(error)
    model = load(net)
    model.net.armed = True
    with pytest.raises(CamvizError, match="forward pass of Raising fails for an input of shape") as raised:
        camviz.explain(model, IMAGE, key, target=1)
    assert isinstance(raised.value, tape.NetworkError)
    assert repr(raised.value.__cause__) == repr(error)  # a copy, as the network is
    with pytest.raises(CamvizError, match="forward pass of Raising fails"):
        model.predict(IMAGE)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_of_the_backward_pass(error):
    net = Raising(error, backward=True)
    net.armed = True
    with pytest.raises(CamvizError, match="backward pass of the network fails for an input of shape"):
        METHODS["vanilla_backprop"](net, X, scores.logit(1))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_of_a_score(error):
    def score(values):
        raise error

    with pytest.raises(CamvizError, match="explained score fails for an input of shape"):
        camviz.explain(load(Small()), IMAGE, "vanilla_backprop", target=score)


def test_message_has_one_line_of_at_most_200_characters():
    net = Raising(RuntimeError("\n  " + "long " * 100 + "\nsecond"))
    net.armed = True
    with pytest.raises(CamvizError) as raised:
        tape.forward(net, X)
    assert str(raised.value).endswith("long long") or str(raised.value).endswith("long ")
    assert "second" not in str(raised.value) and len(str(raised.value)) < 300
    net.error = NotImplementedError()
    with pytest.raises(CamvizError, match=r"(?m)NotImplementedError$"):
        tape.forward(net, X)


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, ZeroDivisionError, NotImplementedError])
def test_errors_keep_their_original_type(kind):
    net = Raising(kind("a reason"))
    net.armed = True
    with pytest.raises(kind, match="a reason") as raised:
        tape.forward(net, X)
    assert isinstance(raised.value, CamvizError)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_end_a_program_are_not_wrapped(kind):
    net = Raising(kind())
    net.armed = True
    with pytest.raises(kind):
        tape.forward(net, X)


def test_out_of_memory_is_not_wrapped():
    error = torch.OutOfMemoryError("CUDA out of memory.")
    net = Raising(error)
    net.armed = True
    with pytest.raises(torch.OutOfMemoryError) as raised:
        tape.forward(net, X)
    assert raised.value is error and is_out_of_memory(error)


def test_error_of_a_progress_callback_is_not_wrapped():
    def progress(done, total):
        raise LookupError("of the callback")

    with pytest.raises(LookupError, match="of the callback") as raised:
        camviz.explain(load(Small()), IMAGE, "occlusion", progress=progress)
    assert not isinstance(raised.value, CamvizError)


def test_wrong_shape_inside_the_network_is_reported():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 22 * 22, 3)).eval()
    assert METHODS["vanilla_backprop"](net, X, scores.logit(1)).shape == X.shape
    with pytest.raises(CamvizError, match=r"forward pass of Sequential fails for an input of shape \(1, 3, 10, 10\)"):
        METHODS["vanilla_backprop"](net, X[..., :10, :10], scores.logit(1))
    with pytest.raises(CamvizError, match="Sequential"):
        camviz.load_model(net, input_size=(10, 10))


# -------------------------------------------------------------------------------------- hooks of the network's own


class Hooked(Small):
    """The small network that puts a hook on its features in every pass."""

    def __init__(self, hook):
        super().__init__()
        self.hook = hook
        self.eval()

    def pooled(self, x):
        self.hook(x)
        return x


HOOKS = {
    "gradient": lambda x: x.register_hook(lambda gradient: gradient),
    "retained": lambda x: x.retain_grad(),
    "where it is needed": lambda x: x.register_hook(lambda gradient: gradient) if x.requires_grad else None,
}


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_inside_a_forward_do_not_change_maps(hook):
    model, plain = load(Hooked(HOOKS[hook])), load(Small().eval())
    assert model.predict(IMAGE) == plain.predict(IMAGE)
    for key in ("vanilla_backprop", "guided_backprop", "grad_cam", "score_cam", "occlusion", "lrp", "full_grad"):
        found, expected = (camviz.explain(some, IMAGE, key, target=1).attribution for some in (model, plain))
        assert (found == expected).all()
        if key != "occlusion":
            x = model.preprocess(IMAGE)
            layer = lambda net: [net.last_relu] if METHODS[key].layer == "required" else []  # noqa: B023, E731
            found, expected = (
                METHODS[key](net, x, scores.logit(1), *layer(net)) for net in (Hooked(HOOKS[hook]), Small().eval())
            )
            assert torch.equal(found, expected)


def test_hook_that_changes_the_gradient_is_part_of_the_network():
    doubled = Hooked(lambda x: x.register_hook(lambda gradient: 2 * gradient))
    expected = METHODS["vanilla_backprop"](Small().eval(), X, scores.logit(1))
    torch.testing.assert_close(METHODS["vanilla_backprop"](doubled, X, scores.logit(1)), 2 * expected)
