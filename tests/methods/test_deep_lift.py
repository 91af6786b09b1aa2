"""DeepLIFT and DeepSHAP compared with captum; completeness on networks for which captum is not exact."""

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from camviz import scores
from camviz.methods.deep_lift import deep_lift
from camviz.methods.deep_shap import deep_shap
from camviz.perturbation.references import random_references
from camviz.tape import counting_passes
from tests.methods.nets import NETS, Modules, build, by_hand, close, random_images

SCORE = scores.logit(2)


class Separate(nn.Module):
    """A network for which captum's DeepLIFT is exact: each activation is a separate module, no max-pooling.

    After a ReLU, captum's max-pooling loses part of the difference, as the sum of its map shows.
    """

    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 5, 3)
        self.acts = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sigmoid(), nn.ELU()])
        self.pool, self.head = nn.AvgPool2d(2), nn.Linear(5, 7)

    def forward(self, x):
        x = self.pool(self.acts[0](self.one(x)))
        x = self.acts[1](self.two(x) + x)
        return self.head(self.acts[3](self.acts[2](self.three(x)).mean(dim=(2, 3))))


class Reused(Separate):
    """The same computation: one ReLU module twice in place, the rest as functions."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = F.avg_pool2d(self.relu(self.one(x)), 2)
        kept = x
        x = self.two(x)
        x += kept
        x = torch.sigmoid(self.three(self.relu(x)))
        return self.head(F.elu(x.mean(dim=(2, 3)), inplace=True))


class Gated(nn.Module):
    """Products of branches: squeeze and excitation, attention over places, a quotient, a normalization."""

    def __init__(self):
        super().__init__()
        self.one, self.gate, self.norm, self.head = (
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 1),
            nn.GroupNorm(2, 4),
            nn.Linear(4, 7),
        )

    def forward(self, x):
        x = self.norm(F.silu(self.one(x)))
        x = x * self.gate(x.mean(dim=(2, 3), keepdim=True)).sigmoid()
        rows = x.flatten(2)
        rows = rows @ (rows.mT @ rows / 8).softmax(dim=1)
        return self.head(rows.mean(dim=2) / (1 + rows.square().mean(dim=2)))


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks")
def test_deep_lift_equals_captum_also_for_reused_modules():
    net, x = build(Separate, dtype=torch.float32), random_images(dtype=torch.float32)
    expected = captum.attr.DeepLift(net).attribute(x, torch.zeros_like(x), target=2).detach()
    close(deep_lift(net, x, SCORE), expected, 1e-5)
    reused = Reused()
    reused.load_state_dict(net.state_dict())
    close(deep_lift(reused, x, SCORE), expected, 1e-5)
    start = random_references(0, "noise", range(3), x[0])
    expected = captum.attr.DeepLiftShap(net).attribute(x[:1], start, target=2).detach()
    close(deep_shap(reused, x[:1], SCORE, samples=3, reference="noise"), expected, 1e-5)


@pytest.mark.parametrize("kind", [*NETS.values(), Reused, Gated], ids=lambda kind: kind.__name__.lower())
@pytest.mark.parametrize("score", [SCORE, scores.contrast(2, 3), scores.probability(2)], ids=lambda s: type(s).__name__)
def test_deep_lift_sums_to_the_difference_of_the_scores(kind, score):
    net, x = build(kind), random_images()
    start = x.amin(dim=(2, 3), keepdim=True).expand_as(x)
    with counting_passes() as counts, torch.no_grad():
        found = deep_lift(net, x, score, baseline="darkest")
        expected = score(net(x.clone())) - score(net(start.clone()))
    close(found.sum(dim=(1, 2, 3)), expected, 1e-9 if kind is not Gated else 1e-3)
    assert (counts.forward_passes, counts.backward_passes) == (4, 2)


def test_incomplete_sum_has_a_note():
    class Rounded(Modules):
        def forward(self, x):
            return super().forward(torch.where(x > 0, x, 0.1 * x))  # a nonlinear step that is not known as one

    with counting_passes() as counts:
        deep_lift(build(Rounded), random_images(), SCORE, baseline="darkest")
    assert "misses" in str(counts.notes[0])


def test_deep_shap_is_the_mean_over_references():
    net, x, _ = by_hand(Modules)
    total = torch.zeros_like(x[0])
    for number in range(5):
        start = random_references(4, "plain colors", [number], x[0])
        total += deep_lift(_Shifted(net, start), x[:1] - start, SCORE)[0]
    close(deep_shap(net, x[:1], SCORE, samples=5, seed=4)[0], total / 5)


class _Shifted(nn.Module):
    """A network with another mean color."""

    def __init__(self, net, start):
        super().__init__()
        self.net, self.start = net, start

    def forward(self, x):
        return self.net(x + self.start)
