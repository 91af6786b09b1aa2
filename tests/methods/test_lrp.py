"""LRP: every rule compared with its formula, networks compared with zennit, and conservation of relevance."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonAlpha2Beta1, EpsilonGammaBox, EpsilonPlus, EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

from camviz import CamvizError, load_model, scores
from camviz.methods.lrp import composites, lrp
from camviz.methods.vanilla_backprop import vanilla_backprop
from camviz.relevance.propagation import propagating, relevance_of, relevance_per_layer
from camviz.relevance.rules import AlphaBeta, Composite, Epsilon, Flat, Gamma, ZBox
from camviz.tape import counting_passes, input_gradient
from tests.methods.nets import NETS, RELUS, SMOOTH, Functional, Modules, Residual, build, close, random_images

SCORE = scores.logit(4)
STABILIZER = 1e-6


# ------------------------------------------------------------------------------------------------ rules, by formula


def stable(z, epsilon=STABILIZER):
    return z + torch.where(z >= 0, 1.0, -1.0).double() * epsilon


def plus(value):
    return value.clamp(min=0)


def minus(value):
    return value.clamp(max=0)


def by_formula(rule, x, w, b, relevance):
    """Return R[j] of one sample from x[j], the matrix w[j, k], b[k] and R[k]."""
    c = x[:, None] * w
    z = c.sum(dim=0) + b
    if isinstance(rule, Epsilon):
        return (c / stable(z, rule.epsilon) * relevance).sum(dim=1)
    if isinstance(rule, Gamma):
        up, down = c + rule.gamma * plus(c), c + rule.gamma * minus(c)
        above = up / stable(up.sum(dim=0) + b + rule.gamma * plus(b))
        below = down / stable(down.sum(dim=0) + b + rule.gamma * minus(b))
        return (torch.where(z > 0, above, torch.where(z < 0, below, 0.0)) * relevance).sum(dim=1)
    if isinstance(rule, AlphaBeta):
        above = plus(c) / stable(plus(c).sum(dim=0) + plus(b))
        below = minus(c) / stable(minus(c).sum(dim=0) + minus(b))
        return ((rule.alpha * above - (rule.alpha - 1) * below) * relevance).sum(dim=1)
    if isinstance(rule, ZBox):
        c = c - rule.low * plus(w) - rule.high * minus(w)
        return (c / stable(c.sum(dim=0)) * relevance).sum(dim=1)
    seen = (w != 0).double()
    return (seen / stable(seen.sum(dim=0)) * relevance).sum(dim=1)


RULES = {
    "epsilon": Epsilon(),
    "epsilon 0.3": Epsilon(0.3),
    "gamma": Gamma(),
    "gamma 2": Gamma(2.0),
    "z-plus": AlphaBeta(1),
    "alpha 2 beta 1": AlphaBeta(2),
    "box": ZBox(),
    "box -2 1.5": ZBox(-2.0, 1.5),
    "flat": Flat(),
}
OPS = {
    "linear": (F.linear, (5, 12), (12,)),
    "conv": (lambda x, w, b=None: F.conv2d(x, w, b, 2, 1), (4, 3, 3, 3), (3, 5, 6)),
    "conv in groups": (lambda x, w, b=None: F.conv2d(x, w, b, padding=1, groups=2), (4, 2, 3, 3), (4, 3, 4)),
}


@pytest.mark.parametrize("inputs", ["signed", "after a ReLU"])
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("rule", RULES)
def test_rule_equals_its_formula(rule, op, inputs):
    rule = RULES[rule]
    op, weights, shape = OPS[op]
    generator = torch.Generator().manual_seed(3)
    w = torch.randn(weights, generator=generator, dtype=torch.float64)
    b = torch.randn(weights[0], generator=generator, dtype=torch.float64)
    x = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    if inputs != "signed":
        x = x.relu()
    unit = torch.eye(x[0].numel(), dtype=torch.float64).reshape(-1, *shape)
    matrix = op(unit, w).flatten(1)
    for bias in (b, None):
        z = op(x, w, bias)
        relevance = torch.randn(z.shape, generator=generator, dtype=torch.float64)
        result = rule(op, x, w, bias, relevance)
        offset = op(torch.zeros_like(x[:1]), w, bias).flatten()
        for sample in range(2):
            expected = by_formula(rule, x[sample].flatten(), matrix, offset, relevance[sample].flatten())
            close(result[sample].flatten(), expected)


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_zero_relevance_or_input(rule):
    w, x = torch.ones(5, 12).double(), torch.ones(2, 12).double()
    nothing = torch.zeros(2, 5).double()
    assert (RULES[rule](F.linear, x, w, None, nothing) == 0).all()
    result = RULES[rule](F.linear, 0 * x, w, None, nothing + 1)
    assert result.isfinite().all() and (bool(result.any()) == (rule in {"box", "box -2 1.5", "flat"}))


# --------------------------------------------------------------------------------------------- networks, by zennit


def vgg(letter, batch_norm):
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs[letter], batch_norm)
    head = nn.Sequential(nn.Linear(2048, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, 10))
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(2), nn.Flatten(), head)


FAMILIES = {
    "vgg11_bn": (lambda: vgg("A", True), SequentialMergeBatchNorm),
    "vgg11": (lambda: vgg("A", False), SequentialMergeBatchNorm),
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=10), ResNetCanonizer),
    "resnet50": (lambda: torchvision.models.resnet50(num_classes=10), ResNetCanonizer),
    "squeezenet1_1": (lambda: torchvision.models.squeezenet1_1(num_classes=10), SequentialMergeBatchNorm),
    # functional ReLUs, for which zennit takes the gradient: no relevance arrives where that differs
    "googlenet": (lambda: torchvision.models.GoogLeNet(10, False, init_weights=False), SequentialMergeBatchNorm),
}
COMPOSITES = {
    "epsilon-gamma-box": EpsilonGammaBox,
    "epsilon-plus": EpsilonPlus,
    "epsilon-plus-flat": EpsilonPlusFlat,
    "epsilon-alpha2-beta1": EpsilonAlpha2Beta1,
}


def norms(net):
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def trained(net):
    """Give batch norms trained statistics. Their eps is tiny, as zennit counts it twice."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        for norm in norms(net):
            norm.eps = 1e-14
            norm.weight.normal_(1, 0.2)
            norm.bias.normal_(0, 0.2)
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.5, 1.5)
    return net


def by_zennit(net, x, c, composite, canonizer, **settings):
    """Return zennit's relevance on a copy of the network, started with the class's logit."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    z = net(x).detach()
    start = torch.zeros_like(z)
    start[:, c] = z[:, c]
    with Gradient(net, composite(canonizers=[canonizer()], **settings)) as attributor:
        return attributor(x.clone(), start)[1].detach()


@pytest.mark.parametrize("family", FAMILIES)
def test_lrp_equals_zennit(family):
    kind, canonizer = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = trained(kind()).double().eval()
    x = random_images(1, size=(48, 32))
    for name in COMPOSITES if family == "resnet18" else ("epsilon-gamma-box", "epsilon-plus"):
        box = {"low": -3.0, "high": 3.0} if name == "epsilon-gamma-box" else {}
        expected = by_zennit(net, x, 4, COMPOSITES[name], canonizer, **box)
        close(lrp(net, x, SCORE, composite=name), expected, 1e-9)


def test_lrp_equals_zennit_with_other_settings():
    net, x = build(Modules), random_images()
    for settings in ({"epsilon": 0.2}, {"gamma": 1.5}, {"low": -4.0}, {"high": 5.0}):
        given = {"epsilon": 1e-6, "gamma": 0.25, "low": -3.0, "high": 3.0} | settings
        expected = by_zennit(net, x, 4, EpsilonGammaBox, SequentialMergeBatchNorm, **given)
        result = lrp(net, x, SCORE, **settings)
        close(result, expected)
        plain = lrp(net, x, SCORE)
        assert (result - plain).norm() > 1e-3 * plain.norm()


def test_default_composite_is_epsilon_gamma_box():
    net, x = build(Modules), random_images()
    sets = {name: lrp(net, x, SCORE, composite=name) for name in COMPOSITES}
    assert torch.equal(lrp(net, x, SCORE), sets["epsilon-gamma-box"])
    assert list(sets) == list(composites())
    names = list(sets)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert (sets[one] - sets[other]).norm() > 0.05 * sets[one].norm()


# ------------------------------------------------------------------------------------------------------ identities


def without_biases(net):
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                tensor.zero_()
    return net


PLAIN = Composite(Epsilon(1e-12), Epsilon(1e-12), Epsilon(1e-12))


def with_rules(net, x, score, composite):
    with propagating(composite):
        return input_gradient(net, x, relevance_of(score))


@pytest.mark.parametrize("kind", [Modules, Residual], ids=["modules", "residual"])
def test_epsilon_rule_without_biases_is_gradient_times_input(kind):
    net, x = without_biases(build(kind)), random_images()
    if kind is Modules:
        net.features[4] = nn.ReLU()  # a ReLU6 has, in effect, a bias where it cuts off
    for score in (SCORE, scores.contrast(1, 2)):
        # as near as the stabilizer of additions and pooling lets it come
        close(with_rules(net, x, score, PLAIN), x * vanilla_backprop(net, x, score), 1e-3)


@pytest.mark.parametrize("name", ["epsilon-gamma-box", "epsilon-plus", "epsilon-plus-flat"])
def test_every_layer_receives_the_score_without_biases(name):
    net, x = without_biases(build(Modules)), random_images()
    S = SCORE(net(x)).detach()
    for value in relevance_per_layer(net, x, SCORE, [*net.features, *net.head], composites()[name]):
        close(value, S, 1e-3)
    close(lrp(net, x, SCORE, composite=name).sum(dim=(1, 2, 3)), S, 1e-3)


def test_branches_of_a_block_share_the_score():
    net, x = without_biases(build(Residual)), random_images()
    S = SCORE(net(x)).detach()
    whole, branches = [net.stem, net.first, net.relu, net.second, net.head], [net.second.down, net.second.bn2]
    *alone, down, bn2 = relevance_per_layer(net, x, SCORE, [*whole, *branches], composites()["epsilon-gamma-box"])
    for value in (*alone, down + bn2, lrp(net, x, SCORE).sum(dim=(1, 2, 3))):
        close(value, S, 1e-3)
    assert (down.abs() > 0.1 * S.abs()).all() and (bn2.abs() > 0.1 * S.abs()).all()


def test_layer_and_its_batch_norm_receive_equal_relevance():
    net, x = build(Residual), random_images()
    block = net.first
    conv, norm = relevance_per_layer(net, x, SCORE, [block.conv1, block.bn1], composites()["epsilon-plus"])
    close(conv, norm)


def test_gate_receives_no_relevance_and_unused_layer_is_refused():
    net, x = between(lambda a, b: a * b.mean(dim=(2, 3), keepdim=True)), random_images()
    conv, other = relevance_per_layer(net, x, SCORE, [net.conv, net.other], composites()["epsilon-plus"])
    assert (conv != 0).all() and torch.equal(other, torch.zeros(2).double())
    with pytest.raises(CamvizError, match="does not run through this layer"):
        relevance_per_layer(net, x, SCORE, [net.conv, nn.ReLU()], composites()["epsilon-plus"])


def test_biases_receive_relevance():
    net, x = build(Modules), random_images()
    S = SCORE(net(x)).detach()
    above, pooled = relevance_per_layer(net, x, SCORE, [net.head[2], net.head[0]], composites()["epsilon-plus"])
    close(above, S)
    close(pooled, S - net.head[2].bias[4].detach(), 1e-4)


@pytest.mark.parametrize("name", COMPOSITES)
def test_lrp_is_linear_in_the_relevance_of_the_classes(name):
    net, x = build(Residual), random_images()
    each = torch.stack([lrp(net, x, scores.logit(c), composite=name) for c in range(7)])
    close(lrp(net, x, scores.contrast(1, 5), composite=name), each[1] - each[5], 1e-9)
    p = net(x).softmax(dim=1).detach()
    slope = p[:, 2:3] * (torch.eye(7).double()[2] - p)  # dS/dz, and each already is z times what came from 1
    expected = torch.einsum("kbchw,bk->bchw", each, slope)
    close(lrp(net, x, scores.probability(2), composite=name), expected, 1e-9)


# ----------------------------------------------------------------------------------------- operations of a network


class Between(nn.Module):
    """Two convolutions, the operation `middle`, and a linear layer after the maximum over positions."""

    def __init__(self, middle):
        super().__init__()
        self.conv, self.other = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(3, 4, 3, stride=2)
        self.middle, self.head = middle, nn.Linear(4, 7)

    def forward(self, x):
        value = self.middle(self.conv(x), self.other(x))
        return self.head(value.amax(dim=(2, 3)))


def between(middle):
    return build(Between, middle=middle)


def parts_of(middle, back):
    """Return the map of Between(middle), and the same by hand: `back` splits the relevance of the middle."""
    net, x = between(middle), random_images()
    rule = Epsilon()
    composite = Composite(rule, rule, rule)
    with torch.no_grad():
        a, b = net.conv(x), net.other(x)
        value = net.middle(a.clone(), b.clone())
        flat = value.flatten(2)
        top = flat.amax(dim=2)
        z = net.head(top)
        start = torch.zeros_like(z)
        start[:, 4] = z[:, 4]
        weight, bias = net.head.weight, net.head.bias
        relevance = torch.zeros_like(flat)
        relevance.scatter_(2, flat.argmax(dim=2, keepdim=True), rule(F.linear, top, weight, bias, start)[..., None])
        relevance = relevance.reshape(value.shape)
    op = lambda x, w, b: F.conv2d(x, w, b, stride=2)  # noqa: E731
    expected = sum(
        rule(op, x, conv.weight.detach(), conv.bias.detach(), share)
        for conv, share in zip((net.conv, net.other), back(a, b, relevance), strict=True)
        if share is not None
    )
    return with_rules(net, x, SCORE, composite), expected


def split(first, second):
    """Share in proportion to the contribution of each branch."""

    def back(a, b, relevance):
        z = stable(first * a + second * b)
        return first * a / z * relevance, second * b / z * relevance

    return back


def overwrite(a, b):
    a += b
    return a


def overwrite_by_difference(a, b):
    a -= b
    return a


ADDITIONS = {
    "+": (lambda a, b: a + b, split(1, 1)),
    "+=": (overwrite, split(1, 1)),
    "add_": (lambda a, b: a.add_(b), split(1, 1)),
    "add": (lambda a, b: a.add(other=b), split(1, 1)),
    "torch.add": (lambda a, b: torch.add(a, b, alpha=3), split(1, 3)),
    "torch.add by name": (lambda a, b: torch.add(input=a, other=b), split(1, 1)),
    "sum": (lambda a, b: sum([a, b]), split(1, 1)),
    "stack and sum": (lambda a, b: torch.stack([a, b]).sum(dim=0), split(1, 1)),
    "-": (lambda a, b: a - b, split(1, -1)),
    "-=": (overwrite_by_difference, split(1, -1)),
    "a branch overwritten afterwards": (lambda a, b: (a + b, a.mul_(0))[0], split(1, 1)),
}


@pytest.mark.parametrize("form", ADDITIONS)
def test_every_form_of_addition_shares_in_proportion(form):
    middle, back = ADDITIONS[form]
    close(*parts_of(middle, back), 1e-8)


def test_broadcast_addition_shares_in_proportion():
    def middle(a, b):
        return a + b.amax(dim=(2, 3), keepdim=True)

    def back(a, b, relevance):
        top = b.flatten(2).max(dim=2)
        vector = top.values[..., None, None]
        z = stable(a + vector)
        shared = torch.zeros_like(b).flatten(2)
        shared.scatter_(2, top.indices[..., None], (vector / z * relevance).sum(dim=(2, 3))[..., None])
        return a / z * relevance, shared.reshape(b.shape)

    close(*parts_of(middle, back), 1e-8)


CONSTANT = nn.Parameter(torch.linspace(-2, 2, 4, dtype=torch.float64).reshape(4, 1, 1))
TO_A = lambda a, b, relevance: (relevance, None)  # noqa: E731
PRODUCTS = {
    "a smaller gate": (lambda a, b: a * b.mean(dim=(2, 3), keepdim=True), TO_A),
    "a smaller gate first": (lambda a, b: b.mean(dim=(2, 3), keepdim=True) * a, TO_A),
    "a sigmoid": (lambda a, b: a * b.sigmoid(), TO_A),
    "a sigmoid first": (lambda a, b: torch.sigmoid(b) * a, TO_A),
    "a sigmoid, expanded": (lambda a, b: a * b.mean(dim=(2, 3), keepdim=True).sigmoid().expand_as(a), TO_A),
    "a sigmoid in place": (lambda a, b: a.mul_(b.sigmoid_()), TO_A),
    "hardsigmoid": (lambda a, b: F.hardsigmoid(b, inplace=True) * a, TO_A),
    "softmax": (lambda a, b: a * b.softmax(dim=1), TO_A),
    "swish, spelled out": (lambda a, b: a * a.sigmoid(), TO_A),
    "two signals": (lambda a, b: a * b, lambda a, b, relevance: (relevance / 2, relevance / 2)),
    "a square": (lambda a, b: a * a, TO_A),
    "a quotient": (lambda a, b: a / (b.abs() + 1), TO_A),
    "constants": (lambda a, b: (2 * a / 3 - CONSTANT + 5) * CONSTANT, TO_A),
    "constants in place": (lambda a, b: a.mul_(CONSTANT).add_(1), TO_A),
    "a negative": (lambda a, b: 1 - (-a), TO_A),
}


@pytest.mark.parametrize("form", PRODUCTS)
def test_products_give_all_relevance_to_the_signal(form):
    middle, back = PRODUCTS[form]
    with counting_passes() as counts:
        close(*parts_of(middle, back), 1e-8)
    assert counts.notes == []


def test_parameters_with_gradients_are_constants():
    net, x = between(lambda a, b: a + CONSTANT.reshape(1, 4, 1, 1) * 2), random_images()
    expected = lrp(net, x, SCORE)
    try:
        CONSTANT.requires_grad_(False)
        assert torch.equal(lrp(net, x, SCORE), expected)
    finally:
        CONSTANT.requires_grad_(True)


@pytest.mark.parametrize("form", [*RELUS, *SMOOTH, "nn.Tanh", "nn.Sigmoid", "F.threshold_"])
def test_activations_pass_relevance_on(form):
    more = {"nn.Tanh": nn.Tanh(), "nn.Sigmoid": nn.Sigmoid(), "F.threshold_": lambda x: F.threshold_(x, 0.1, 0)}
    activation = (more | {name: entry[0] for name, entry in (RELUS | SMOOTH).items()})[form]
    if isinstance(activation, nn.Module):
        activation.double()
    close(*parts_of(lambda a, b: activation(a), TO_A), 1e-8)


@pytest.mark.parametrize(
    "norm",
    [
        lambda a, b: F.layer_norm(a.movedim(1, -1), (4,)).movedim(-1, 1),
        lambda a, b: F.group_norm(a, 2),
        lambda a, b: F.instance_norm(a),
        lambda a, b: F.local_response_norm(a, 2),
        lambda a, b: F.normalize(a),
        lambda a, b: F.batch_norm(a.relu(), torch.ones(4).double(), 2 * torch.ones(4).double()),
    ],
    ids=["layer", "group", "instance", "local response", "normalize", "batch, not after a layer"],
)
def test_normalizations_pass_relevance_on(norm):
    close(*parts_of(norm, TO_A), 1e-8)


POOLINGS = {
    "mean": lambda a, b: a.mean(dim=(2, 3), keepdim=True),
    "torch.mean by name": lambda a, b: torch.mean(input=a, dim=(2, 3), keepdim=True),
    "adaptive": lambda a, b: F.adaptive_avg_pool2d(a, 1),
    "module": lambda a, b: nn.AdaptiveAvgPool2d(1)(a),
    "sum": lambda a, b: a.sum(dim=(2, 3), keepdim=True),
}


@pytest.mark.parametrize("form", POOLINGS)
def test_pooling_shares_in_proportion(form):
    size = 1 if form == "sum" else 9 * 13

    def back(a, b, relevance):
        return a / size / stable(a.sum(dim=(2, 3), keepdim=True) / size) * relevance, None

    close(*parts_of(POOLINGS[form], back), 1e-8)


def test_average_pooling_of_windows_shares_in_proportion():
    def back(a, b, relevance):
        z = stable(F.avg_pool2d(a, 2))
        shared = torch.zeros_like(a)
        for row in range(z.shape[2]):
            for column in range(z.shape[3]):
                window = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
                part = (relevance / z)[:, :, row, column, None, None]
                shared[:, :, window[0], window[1]] = a[:, :, window[0], window[1]] / 4 * part
        return shared, None

    close(*parts_of(lambda a, b: F.avg_pool2d(a, 2), back), 1e-8)


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 7)
        trained(self)

    def forward(self, x):
        return self.head(self.normalized(x).relu().mean(dim=(2, 3)))

    def normalized(self, x):
        return self.norm(self.conv(x))


class ByFunction(Norms):
    def normalized(self, x):
        norm = self.norm
        return F.batch_norm(
            weight=norm.weight,
            bias=norm.bias,
            eps=norm.eps,
            running_var=norm.running_var,
            running_mean=norm.running_mean,
            input=F.conv2d(weight=self.conv.weight, input=x, bias=self.conv.bias),
        )


class Folded(Norms):
    def normalized(self, x):
        norm = self.norm
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = (self.conv.bias - norm.running_mean) * scale + norm.bias
        return F.conv2d(x, self.conv.weight * scale[:, None, None, None], bias)


@pytest.mark.parametrize("name", COMPOSITES)
def test_batch_norm_is_fused_with_the_convolution_before_it(name):
    folded, x = build(Folded), random_images()
    expected = lrp(folded, x, SCORE, composite=name)
    for kind in (Norms, ByFunction):
        close(lrp(build(kind), x, SCORE, composite=name), expected, 1e-9)


def test_layer_is_fused_with_one_batch_norm_only():
    def norm(a, scale):
        mean = torch.linspace(-1, 1, 4, dtype=torch.float64)
        return F.batch_norm(a, mean, mean**2 + 0.5, scale * (mean + 2), mean)

    one, x = between(lambda a, b: norm(a, 1.0)), random_images()
    two = between(lambda a, b: (norm(a, 1.0), norm(a, -3.0))[0])
    assert torch.equal(lrp(two, x, SCORE), lrp(one, x, SCORE))
    assert (lrp(one, x, SCORE) - lrp(between(lambda a, b: norm(a, -3.0)), x, SCORE)).any()


def test_batch_norm_is_fused_with_the_linear_layer_before_it():
    net, x = build(Modules), random_images()
    norm = trained(nn.Sequential(nn.BatchNorm1d(7))).double()[0]
    with torch.no_grad():
        norm.running_mean += 0.3
        norm.bias += 0.2
    folded = copy.deepcopy(net)
    net.head.append(norm.eval())
    with torch.no_grad():
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        folded.head[2].weight *= scale[:, None]
        folded.head[2].bias.copy_((folded.head[2].bias - norm.running_mean) * scale + norm.bias)
    close(lrp(net, x, SCORE), lrp(folded, x, SCORE))


def test_composite_selects_the_rule_of_each_layer():
    net, x = build(Functional), random_images()
    mixed = Composite(Flat(), Gamma(), Epsilon())
    found = []

    def watched(name, rule):
        def watching(op, x, w, b, relevance):
            found.append((name, tuple(w.shape)))
            return rule(op, x, w, b, relevance)

        return watching

    with_rules(net, x, SCORE, Composite(*(watched(name, rule) for name, rule in vars(mixed).items())))
    assert found[::-1] == [
        ("first", (4, 3, 3, 3)),
        ("convolution", (5, 4, 3, 3)),
        ("convolution", (6, 5, 3, 3)),
        ("linear", (7, 6)),
    ]


# ----------------------------------------------------------------------------------------------------------- notes


def test_calls_without_a_rule_are_noted():
    net, x = between(lambda a, b: a.exp()), random_images()
    with counting_passes() as counts:
        lrp(net, x, SCORE)
    assert counts.notes == [
        "The image has values outside the box of -3 to 3 that the first layer's rule assumes.",
        "Relevance has no rule for exp, which passed on the plain gradient: the map may not sum to the score.",
    ]
    with counting_passes() as counts:  # a gate gets no relevance, so its operations need no rule
        lrp(between(lambda a, b: a * b.exp().mean(dim=(2, 3), keepdim=True)), x.clamp(-3, 3), SCORE)
    assert counts.notes == []


def test_lrp_costs_one_forward_and_one_backward_pass():
    with counting_passes() as counts:
        lrp(build(Residual), random_images(3).clamp(-3, 3), SCORE)
    assert (counts.forward_passes, counts.backward_passes, counts.notes) == (3, 3, [])


# --------------------------------------------------------------------------------------------------- real networks


def test_relevance_sums_to_the_score_on_the_embedded_network_without_biases():
    net = without_biases(copy.deepcopy(load_model("efficientnet_lite0").net))
    x = random_images(1, torch.float32, (64, 64)).clamp(-3, 3)
    S = net(x)[0, 4]
    for name in ("epsilon-gamma-box", "epsilon-plus"):
        assert abs(lrp(net, x, SCORE, composite=name).sum() - S) < 1e-2 * abs(S)


@pytest.mark.parametrize(
    "name",
    [
        "densenet121",
        "googlenet",
        "squeezenet1_1",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "convnext_tiny",
        "shufflenet_v2_x0_5",
    ],
)
def test_lrp_is_finite_and_has_a_rule_for_every_call_in(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"init_weights": False, "transform_input": True} if name == "googlenet" else {}
        net = trained(getattr(torchvision.models, name)(num_classes=10, **settings)).eval()
    x = random_images(1, torch.float32, (64, 64)).clamp(-3, 3)
    with counting_passes() as counts:
        for composite in ("epsilon-gamma-box", "epsilon-plus"):
            result = lrp(net, x, SCORE, composite=composite)
            assert result.isfinite().all() and result.any()
    assert counts.notes == []


def test_eight_threads_compute_bit_identical_relevance():
    nets = [build(kind) for kind in NETS.values()]
    x = random_images()

    def work(index):
        return lrp(nets[index % 3], x, scores.logit(index % 7), composite=list(COMPOSITES)[index % 4])

    alone = [work(index) for index in range(32)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(work, range(32)))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
    assert isinstance(together[0], Tensor) and (together[0] - together[1]).any()
