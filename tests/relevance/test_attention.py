"""Relevance of matrix products, compared with gradient x input with constant attention weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from camviz import METHODS, CamvizError, scores
from camviz.relevance.propagation import propagating, relevance_of
from camviz.relevance.rules import Composite, Epsilon
from camviz.tape import counting_passes, input_gradient

SCORE = scores.logit(1)
EPSILON = Composite(Epsilon(1e-9), Epsilon(1e-9), Epsilon(1e-9))
X = torch.randn(1, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def shares(weights):
    return weights / weights.sum(dim=-1, keepdim=True)


FORMS = {
    "matmul": lambda q, k, v: (q @ k.transpose(1, 2)).softmax(dim=-1) @ v,
    "function": lambda q, k, v: torch.matmul(F.softmax(torch.matmul(q, k.mT) / 2, dim=-1), v),
    "bmm": lambda q, k, v: torch.bmm(torch.bmm(q, k.mT).softmax(dim=-1), mat2=v),
    "einsum": lambda q, k, v: torch.einsum("bij,bjc->bic", torch.einsum("bic,bjc->bij", q, k).softmax(dim=-1), v),
    "fused": lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    "fused, by names": lambda q, k, v: F.scaled_dot_product_attention(key=k, query=q, value=v),
    "normalized": lambda q, k, v: (
        (lambda a: a / a.sum(dim=-1, keepdim=True))((q @ k.mT).softmax(dim=-1) * 0.3 + 0.1) @ v
    ),
}


class Net(nn.Module):
    def __init__(self, attend, constant=False):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3, bias=False), nn.Linear(8, 3, bias=False)
        self.qkv = nn.Linear(8, 24, bias=False)
        self.attend, self.constant = attend, constant
        self.double().eval()

    def forward(self, x):
        q, k, v = self.qkv(F.relu(self.conv(x)).flatten(2).transpose(1, 2)).chunk(3, dim=2)
        if self.constant:
            q, k = q.detach(), k.detach()
        return self.head(F.relu(self.attend(q, k, v)).mean(dim=1))


def gradient_times_input(net):
    x = X.clone().requires_grad_()
    score = net(x)[:, 1].sum()
    return (x * torch.autograd.grad(score, x)[0]).detach(), float(score)


def relevance(net, score=SCORE):
    with counting_passes() as counts, propagating(EPSILON):
        found = input_gradient(net, X, relevance_of(score))
    return found, counts.notes


@pytest.mark.parametrize("form", FORMS)
def test_relevance_treats_attention_weights_as_constant(form):
    expected, score = gradient_times_input(Net(FORMS[form], constant=True))
    found, notes = relevance(Net(FORMS[form]))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert float(found.sum()) == pytest.approx(score, rel=1e-4) and not notes


def test_factors_without_a_gate_share_relevance_equally():
    net = Net(lambda q, k, v: q @ (k.mT @ v))  # of degree 3 in the image: each factor's share of gradient x input
    found, notes = relevance(net)
    _, score = gradient_times_input(net)
    assert float(found.sum()) == pytest.approx(score, rel=1e-3) and not notes
    square = Net(lambda q, k, v: (v @ v.mT) @ torch.ones(16, 8, dtype=torch.float64))
    expected, score = gradient_times_input(square)
    found, _ = relevance(square)
    torch.testing.assert_close(found, expected / 2, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_attention_with_constant_values_has_a_note():
    constant = torch.ones(1, 16, 8, dtype=torch.float64)
    _, notes = relevance(Net(lambda q, k, v: F.scaled_dot_product_attention(q, k, constant) + v))
    assert [str(note) for note in notes] == [
        "Relevance has no rule for scaled_dot_product_attention, which passed on the plain gradient: the map may not "
        "sum to the score."
    ]


@pytest.mark.parametrize(("name", "size"), [("convit_tiny", 224), ("maxvit_rmlp_pico_rw_256", 256)])
def test_relevance_of_attention_hybrids_is_finite(name, size):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model(name).eval()
        x = torch.randn(1, 3, size, size)
    with counting_passes() as counts:
        try:
            found = METHODS["lrp"](net, x.clamp(-3, 3), SCORE)
        except CamvizError as error:
            pytest.fail(str(error))
    assert found.isfinite().all() and found.abs().max() > 0 and not counts.notes


def test_relevance_of_overlapping_windows_is_summed():
    def windows(q, k, v):
        return v.unfold(1, 4, 2).flatten(1, 2).mean(dim=2).unsqueeze(2).expand(-1, -1, 8)

    expected, score = gradient_times_input(Net(windows))
    found, notes = relevance(Net(windows))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert float(found.sum()) == pytest.approx(score, rel=1e-4) and not notes
