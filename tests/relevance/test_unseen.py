"""LRP and FullGrad with operations that are no torch calls: autograd.Functions and scripted functions."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from camviz import METHODS, scores
from camviz.tape import counting_passes

SCORE = scores.logit(1)
X = torch.randn(1, 3, 10, 10, generator=torch.Generator().manual_seed(1)).clamp(-3, 3)


class Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        result = x.clamp(min=0)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        sigmoid = x.sigmoid()
        return gradient * (sigmoid + x * sigmoid * (1 - sigmoid))


def scripted(source, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(torch.jit.CompilationUnit(source), name)


SCRIPTED_SWISH = scripted("def swish(x: Tensor):\n    return x * torch.sigmoid(x)\n", "swish")
SCRIPTED_RELU = scripted("def relu(x: Tensor):\n    return torch.relu(x)\n", "relu")
RELUS = {
    "own function": Relu.apply,
    "scripted": SCRIPTED_RELU,
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "mask": lambda x: x * (x > 0),
    "masked fill": lambda x: x.masked_fill(x < 0, 0),
    "half of a sum": lambda x: (x + x.abs()) / 2,
    "sign": lambda x: (x + x * x.sign()) / 2,
    "heaviside": lambda x: x * torch.heaviside(x, torch.zeros(())),
    "minimum": lambda x: -torch.minimum(-x, torch.zeros(())),
}


class Net(nn.Module):
    def __init__(self, act):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.one, self.norm, self.two, self.head = (
                nn.Conv2d(3, 5, 3),
                nn.BatchNorm2d(5),
                nn.Conv2d(5, 6, 3),
                nn.Linear(6, 3),
            )
        self.act = act
        self.eval()

    def forward(self, x):
        return self.head(F.relu(self.two(self.act(self.norm(self.one(x))))).mean(dim=(2, 3)))


def explained(key, act):
    net = Net(act)
    for _ in range(3):  # a scripted function is compiled further in its second pass
        with counting_passes() as counts:
            found = METHODS[key](net, X, SCORE)
    return found, [str(note) for note in counts.notes]


@pytest.mark.parametrize("form", RELUS)
def test_relevance_is_equal_for_every_form_of_relu(form):
    found, notes = explained("lrp", RELUS[form])
    expected, _ = explained("lrp", F.relu)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert not notes


@pytest.mark.parametrize("form", [form for form in RELUS if form != "heaviside"])  # torch has no derivative of it
def test_full_grad_is_equal_for_every_form_of_relu(form):
    found, notes = explained("full_grad", RELUS[form])
    expected, _ = explained("full_grad", F.relu)
    torch.testing.assert_close(found, expected)
    assert not notes


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (Swish.apply, "Swish"),
        (SCRIPTED_SWISH, "torch.jit.script"),
        (lambda x: x.clone().exp_(), "exp"),
        (lambda x: torch.special.expm1(x), "special_expm1"),
    ],
)
def test_smooth_step_without_a_rule_has_a_note(act, name):
    _, notes = explained("lrp", act)
    assert notes == [
        f"Relevance has no rule for {name}, which passed on the plain gradient: the map may not sum to the score."
    ]
    _, notes = explained("full_grad", act)
    assert len(notes) == 1 and notes[0].endswith("of the score: not all is ReLU here.")


def test_operations_of_a_custom_score_need_no_rule():
    net = Net(F.relu)
    with counting_passes() as counts:
        METHODS["lrp"](net, X, lambda values: (values * values).exp().sum(dim=1).sigmoid())
    assert not counts.notes
