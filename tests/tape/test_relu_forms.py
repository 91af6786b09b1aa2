"""Every form of ReLU follows a backward rule; unknown functions are noted."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from camviz import METHODS, CamvizError, tape
from camviz.scores import logit
from tests.relevance.test_unseen import SCRIPTED_RELU, SCRIPTED_SWISH, Relu, Swish


def by_index(x):
    x = x.clone()
    x[x < 0] = 0
    return x


def by_mask_in_place(x):
    x = x.clone()
    x *= x > 0
    return x


FORMS = {
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, turned": lambda x: torch.maximum(torch.zeros_like(x), x),
    "maximum with one zero": lambda x: torch.maximum(x, x.new_zeros(())),
    "max": lambda x: torch.max(x, torch.zeros_like(x)),
    "fmax": lambda x: torch.fmax(x, torch.zeros_like(x)),
    "method": lambda x: x.maximum(torch.zeros_like(x)),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "threshold in place": lambda x: F.threshold(x, 0, 0, True),
    "threshold by name": lambda x: F.threshold(x, value=0.0, threshold=0.0),
    "module": nn.Threshold(0, 0),
    "clamp at a tensor": lambda x: x.clamp(min=x.new_zeros(())),
    "clamp_min": lambda x: x.clamp_min(0),
    "leaky with slope 0": lambda x: F.leaky_relu(x, 0.0),
    "leaky in place": lambda x: F.leaky_relu(x, negative_slope=0.0, inplace=True),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, turned": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "where, by a method": lambda x: x.where(x.gt(0), torch.zeros_like(x)),
    "masked fill": lambda x: x.masked_fill(x < 0, 0),
    "masked fill in place": lambda x: x.clone().masked_fill_(x < 0, 0),
    "by index": by_index,
    "product": lambda x: x * (x > 0),
    "product in place": by_mask_in_place,
    "product with numbers": lambda x: (x > 0).to(x.dtype) * x,
    "half of a sum": lambda x: (x + x.abs()) / 2,
    "half of a sum, turned": lambda x: 0.5 * (torch.abs(x) + x),
    "own function": Relu.apply,
    "scripted": lambda x: SCRIPTED_RELU(x),
}


class Net(nn.Module):
    def __init__(self, act):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.one, self.two, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3), nn.Linear(6, 3)
        self.act = act
        self.eval()

    def forward(self, x):
        return self.head(F.relu(self.two(self.act(self.one(x)))).mean(dim=(2, 3)))


X = torch.randn(2, 3, 10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def guided(net, x=X):
    with tape.counting_passes() as counts, tape.backward_rule(lambda gradient, slope: gradient.clamp(min=0) * slope):
        found = tape.input_gradient(net, x, logit(1))
    return found, [str(note) for note in counts.notes]


def guided_by_hand(net):
    """Compute guided backprop of the network with plain ReLUs by hand."""
    first = net.one(X)
    second = net.two(first.relu())
    arriving = (net.head.weight[1] / second[0, 0].numel())[:, None, None].expand_as(second)
    arriving = F.conv_transpose2d(arriving.clamp(min=0) * (second > 0), net.two.weight)
    return F.conv_transpose2d(arriving.clamp(min=0) * (first > 0), net.one.weight).detach()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_relu_follows_the_rule(form):
    net = Net(FORMS[form]).double()
    for _ in range(3):  # a scripted function is compiled further in its second pass
        found, notes = guided(net)
    torch.testing.assert_close(found, guided_by_hand(net), rtol=0, atol=1e-12)
    assert not notes


@pytest.mark.parametrize("form", ["where", "own function", "scripted", "half of a sum"])
def test_forms_of_relu_keep_gradients_and_bias_terms(form):
    net = Net(FORMS[form]).double()
    gradient, terms, explained = tape.bias_gradients(net, X, logit(1))
    x = X.clone().requires_grad_()
    score = Net(F.relu).double()(x)[:, 1]
    torch.testing.assert_close(gradient, torch.autograd.grad(score.sum(), x)[0])
    total = (gradient * X).flatten(1).sum(1) + sum(term.flatten(1).sum(1) for term in terms)
    torch.testing.assert_close(total, explained)


@pytest.mark.parametrize(
    ("act", "name"),
    [(Swish.apply, "SwishBackward"), (lambda x: (x + x * x.sign()) / 2, "sign")],
)
def test_unknown_functions_are_noted_by_name(act, name):
    _, notes = guided(Net(act).double())
    assert notes == [
        f"Functions that define their own backward pass were left unchanged ({name}), whether or not they are ReLUs; "
        "1 ReLUs follow the method."
    ]


def test_scripted_smooth_function_is_noted():
    net = Net(lambda x: SCRIPTED_SWISH(x)).double()
    for _ in range(3):
        _, notes = guided(net)
    assert len(notes) == 1


class Hidden(Net):
    def forward(self, x):
        return self.head(self.act(self.two(self.act(self.one(x)))).mean(dim=(2, 3)))


def test_network_without_a_known_relu_is_refused():
    with pytest.raises(CamvizError, match=r"hides its activations .* \(SwishBackward\)"):
        METHODS["guided_backprop"](Hidden(Swish.apply).double(), X, logit(1))
    with pytest.raises(CamvizError, match="has none"):
        METHODS["guided_backprop"](Hidden(torch.sin).double(), X, logit(1))


@pytest.mark.parametrize(
    "act",
    [
        lambda x: torch.where(x > 0.5, x, 0.0),
        lambda x: torch.where(x > 0, x, 1.0),
        lambda x: F.threshold(x, 0.5, 0.0),
        lambda x: x * (x < 0),
        lambda x: x * 2,
        lambda x: torch.maximum(x, torch.full_like(x, 0.1)),
        lambda x: x.masked_fill(x < 0, -1),
        lambda x: (x + x.abs()) / 3,
        lambda x: F.leaky_relu(x, 0.1),
    ],
)
def test_other_functions_keep_their_gradient(act):
    net = Net(act).double()
    found, _ = guided(net)
    x = X.clone().requires_grad_()
    second = net.two(net.act(net.one(x)))
    (gradient,) = torch.autograd.grad(net.head(second.mean(dim=(2, 3)))[:, 1].sum(), second, retain_graph=True)
    (expected,) = torch.autograd.grad(second, x, gradient.clamp(min=0) * (second > 0))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
