"""Class activation maps beyond Grad-CAM: formulas on gradients by hand, identities, and peer libraries."""

import warnings

import pytest
import torch
import torch.nn.functional as F
import torchcam.methods
from pytorch_grad_cam import EigenCAM, FinerCAM, GradCAMPlusPlus, HiResCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision import models

from camviz import CamvizError, scores
from camviz.methods.cam import cam
from camviz.methods.eigen_cam import eigen_cam
from camviz.methods.finer_cam import finer_cam
from camviz.methods.grad_cam import grad_cam
from camviz.methods.grad_cam_pp import grad_cam_pp
from camviz.methods.hires_cam import hires_cam
from camviz.methods.xgrad_cam import xgrad_cam
from camviz.tape import counting_passes, score_gradient
from tests.methods.nets import NETS, Functional, Modules, Residual, build, by_hand, close, of_class, random_images

LAYERS = [(kind, name) for kind in NETS.values() for name in kind.layers]
EVERY_LAYER = pytest.mark.parametrize(("kind", "name"), LAYERS, ids=[f"{k.__name__} {name}" for k, name in LAYERS])
LAST = {Modules: "features.6", Functional: None, Residual: "second"}


def at(kind, name, c):
    """Return network, images, layer, its activation and the gradient of class c there, by hand."""
    net, x, hand = by_hand(kind)
    gradients, _ = hand.back(of_class(c))
    step = kind.layers[name]
    return net, x, net.get_submodule(name), hand.values[step], gradients[step]


def cells(activation):
    """Return the index of every number of (B, c, h, w)."""
    return [(b, c, i, j) for b in range(len(activation)) for c in range(activation.shape[1])
            for i in range(activation.shape[2]) for j in range(activation.shape[3])]  # fmt: skip


def same(result, expected):
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------- CAM


@pytest.mark.parametrize("kind", [Modules, Residual])
def test_cam_equals_the_formula(kind):
    net, x, layer, activation, _ = at(kind, LAST[kind], 0)
    weight, bias = net.head[-1].weight.detach(), net.head[-1].bias.detach()
    for c in range(7):
        expected = sum(weight[c, k] * activation[:, k] for k in range(6))
        result = cam(net, x, scores.logit(c), layer)
        same(result, expected)
        same(result.mean(dim=(1, 2)) + bias[c], net(x)[:, c].detach())
        same(grad_cam(net, x, scores.logit(c), layer), result.relu() / activation[0, 0].numel())


def test_cam_of_contrast_and_probability():
    net, x, layer, _, _ = at(Modules, "features.6", 0)
    a, b = (cam(net, x, scores.logit(c), layer) for c in (2, 5))
    assert (a - b).abs().max() > 0.01
    same(cam(net, x, scores.contrast(2, 5), layer), a - b)
    p = net(x).detach().softmax(dim=1)
    maps = torch.stack([cam(net, x, scores.logit(c), layer) for c in range(7)], dim=1)
    slope = p[:, 2, None] * (F.one_hot(torch.tensor(2), 7) - p)
    same(cam(net, x, scores.probability(2), layer), (slope[:, :, None, None] * maps).sum(dim=1))


def test_cam_needs_no_backward_pass_through_the_network():
    net, x, layer, _, _ = at(Modules, "features.6", 0)
    with counting_passes() as counts:
        cam(net, x, scores.logit(2), layer)
    assert (counts.forward_passes, counts.backward_passes) == (2, 0)


class Headed(nn.Module):
    """Feature maps and any head."""

    def __init__(self, *head):
        super().__init__()
        self.maps, self.head = nn.Conv2d(3, 5, 3), nn.Sequential(*head)

    def forward(self, x):
        return self.head(self.maps(x))


def test_cam_with_a_convolution_as_the_last_layer():
    net = build(Headed).double()
    net.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(5, 7, 1, bias=False), nn.Flatten()).double()
    x = random_images()
    expected = torch.einsum("c,bchw->bhw", net.head[1].weight[3, :, 0, 0], net.maps(x)).detach()
    same(cam(net, x, scores.logit(3), net.maps), expected)


@pytest.mark.parametrize(
    "head",
    [
        (nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(5, 7)),
        (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7), nn.ReLU()),
        (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 5), nn.Linear(5, 7)),
        (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7)),
        (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 7)),
    ],
    ids=["max", "relu after", "two layers", "relu before", "larger pooling"],
)
def test_cam_is_refused_if_more_layers_follow(head):
    torch.manual_seed(0)
    net = Headed(*head).double().eval()
    for parameter in net.parameters():  # those of the head were drawn when this file was imported
        nn.init.normal_(parameter)
    with pytest.raises(CamvizError, match="followed only by average pooling and one linear layer"):
        cam(net, random_images(), scores.logit(3), net.maps)


@EVERY_LAYER
def test_cam_is_refused_at_other_layers(kind, name):
    net, x, layer, _, _ = at(kind, name, 0)
    if name != LAST[kind]:
        with pytest.raises(CamvizError, match="use Grad-CAM"):
            cam(net, x, scores.logit(3), layer)


# ------------------------------------------------------------------------------------- Grad-CAM++, XGrad, HiRes


@EVERY_LAYER
@pytest.mark.parametrize("c", [1, 4])
def test_grad_cam_pp_equals_the_formula(kind, name, c):
    net, x, layer, activation, gradient = at(kind, name, c)
    weight = torch.zeros_like(activation[:, :, 0, 0])
    for b, k, i, j in cells(activation):
        g = float(gradient[b, k, i, j])
        if g > 0:
            weight[b, k] += g * g**2 / (2 * g**2 + float(activation[b, k].sum()) * g**3)
    expected = (weight[:, :, None, None] * activation).sum(dim=1).clamp(min=0)
    same(grad_cam_pp(net, x, scores.logit(c), layer), expected)


def test_grad_cam_pp_notes_negative_activations():
    net, x, layer, activation, _ = at(Modules, "features.2", 4)
    assert (activation >= 0).all()
    with counting_passes() as counts:
        grad_cam_pp(net, x, lambda z: 1e3 * z[:, 4], layer)
    assert counts.notes == []
    layer, activation = net.features[0], net.features[0](x)
    assert (activation < 0).any()
    with counting_passes() as counts:
        result = grad_cam_pp(net, x, lambda z: 1e3 * z[:, 4], layer)
    assert "negative activations" in counts.notes[0] and result.isfinite().all()


@EVERY_LAYER
@pytest.mark.parametrize("c", [1, 4])
def test_xgrad_cam_equals_the_formula(kind, name, c):
    net, x, layer, activation, gradient = at(kind, name, c)
    weight = torch.zeros_like(activation[:, :, 0, 0])
    for b, k, i, j in cells(activation):
        if total := float(activation[b, k].sum()):
            weight[b, k] += gradient[b, k, i, j] * activation[b, k, i, j] / total
    before = (weight[:, :, None, None] * activation).sum(dim=1)
    same(before.sum(dim=(1, 2)), (gradient * activation).sum(dim=(1, 2, 3)))
    same(xgrad_cam(net, x, scores.logit(c), layer), before.clamp(min=0))


@EVERY_LAYER
@pytest.mark.parametrize("c", [1, 4])
def test_hires_cam_equals_the_formula(kind, name, c):
    net, x, layer, activation, gradient = at(kind, name, c)
    expected = torch.zeros_like(activation[:, 0])
    for k in range(activation.shape[1]):
        expected += gradient[:, k] * activation[:, k]
    same(hires_cam(net, x, scores.logit(c), layer), expected.clamp(min=0))


@pytest.mark.parametrize("method", [hires_cam, xgrad_cam])
def test_hires_and_xgrad_equal_grad_cam_before_average_pooling(method):
    net, x, layer, _, _ = at(Modules, "features.6", 0)
    for c in range(7):
        expected = grad_cam(net, x, scores.logit(c), layer)
        same(method(net, x, scores.logit(c), layer), expected)


@pytest.mark.parametrize("method", [grad_cam_pp, xgrad_cam, hires_cam, finer_cam])
def test_gradient_cams_cost_one_forward_and_one_backward_pass(method):
    net, x, layer, _, _ = at(Modules, "features.4", 0)
    with counting_passes() as counts:
        method(net, x, scores.logit(2), layer)
    assert (counts.forward_passes, counts.backward_passes) == (2, 2)


# ------------------------------------------------------------------------------------------------------- Eigen-CAM


@pytest.mark.parametrize("centered", [True, False])
@EVERY_LAYER
def test_eigen_cam_is_the_first_principal_component(kind, name, centered):
    net, x, layer, activation, _ = at(kind, name, 0)
    result = eigen_cam(net, x, scores.logit(0), layer, centered=centered)
    for sample, found in zip(activation, result, strict=True):
        table = sample.flatten(1).T  # a place a row
        if centered:
            table = table - table.mean(dim=0)
        expected = (table @ torch.linalg.svd(table, full_matrices=False).Vh[0]).reshape(sample[0].shape)
        prominent = sample.abs().mean(dim=0)
        agreement = torch.corrcoef(torch.stack([found.flatten(), prominent.flatten()]))[0, 1]
        assert agreement > 0
        close(found, expected if (found * expected).sum() > 0 else -expected, 1e-8)


def test_eigen_cam_with_fewer_positions_than_channels():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 40, 5, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(40 * 2 * 3, 7)).double()
    activation = net[:2](random_images()).detach()
    table = activation.flatten(2) - activation.flatten(2).mean(dim=2, keepdim=True)
    expected = (torch.linalg.svd(table).U[:, :, :1] * table).sum(dim=1).reshape(2, 2, 3)
    result = eigen_cam(net, random_images(), scores.logit(0), net[1])
    for one, other in zip(result, expected, strict=True):
        close(one, other if (one * other).sum() > 0 else -other, 1e-8)


def test_eigen_cam_is_class_independent_and_checks_the_class():
    net, x, layer, _, _ = at(Modules, "features.6", 0)
    one, other = (eigen_cam(net, x, scores.logit(c), layer) for c in (0, 3))
    assert torch.equal(one, other)
    with pytest.raises(CamvizError, match="class 7 does not exist"):
        eigen_cam(net, x, scores.logit(7), layer)


def test_eigen_cam_of_a_constant_layer_is_empty():
    net, x = build(Modules), random_images()
    with torch.no_grad():
        net.features[5].weight.zero_()
    assert (eigen_cam(net, x, scores.logit(0), net.features[6]) == 0).all()


# ------------------------------------------------------------------------------------------------------- Finer-CAM


def similar(z, c, k):
    """Return the k classes with scores nearest to that of class c, by sorting."""
    return sorted((d for d in range(len(z)) if d != c), key=lambda d: abs(float(z[d] - z[c])))[:k]


@EVERY_LAYER
@pytest.mark.parametrize("weighting", ["probability", "equal"])
def test_finer_cam_equals_the_formula(kind, name, weighting):
    net, x, layer, activation, _ = at(kind, name, 0)
    _, _, hand = by_hand(kind)
    gradients = [hand.back(of_class(d))[0][kind.layers[name]] for d in range(7)]
    z = hand.values[-1]
    for c, k, alpha in ((1, 3, 1.0), (4, 2, 0.6)):
        expected = []
        for b in range(2):
            near = similar(z[b], c, k)
            q = z[b, near].softmax(dim=0) if weighting == "probability" else torch.full_like(z[b, near], 1 / k)
            mean = float((q * z[b, near]).sum())
            gradient = gradients[c][b].clone()
            for d, share in zip(near, q, strict=True):
                # d/dz[d] of sum q z, where q is a softmax: q[d] (1 + z[d] - sum q z)
                slope = share * (1 + z[b, d] - mean) if weighting == "probability" else share
                gradient -= alpha * slope * gradients[d][b]
            expected.append((gradient.mean(dim=(1, 2))[:, None, None] * activation[b]).sum(dim=0).clamp(min=0))
        result = finer_cam(net, x, scores.logit(c), layer, alpha=alpha, similar=k, weighting=weighting)
        same(result, torch.stack(expected))


def test_finer_cam_without_comparison_is_grad_cam():
    net, x, layer, _, _ = at(Modules, "features.4", 0)
    same(finer_cam(net, x, scores.logit(2), layer, alpha=0), grad_cam(net, x, scores.logit(2), layer))


def test_finer_cam_with_one_class_is_a_contrast():
    net, x, layer, _, _ = at(Modules, "features.4", 0)
    x = x[:1]
    (near,) = similar(net(x)[0].detach(), 2, 1)
    expected = grad_cam(net, x, scores.contrast(2, near), layer)
    for weighting in ("probability", "equal"):
        same(finer_cam(net, x, scores.logit(2), layer, similar=1, weighting=weighting), expected)


def test_finer_cam_takes_any_score_of_one_class():
    net, x, layer, _, _ = at(Modules, "features.4", 0)
    same(finer_cam(net, x, lambda z: z[:, 2] + 3, layer), finer_cam(net, x, scores.logit(2), layer))


@pytest.mark.parametrize("score", [scores.probability(2), scores.contrast(2, 3), lambda z: z.sum(dim=1)])
def test_finer_cam_refuses_scores_of_several_classes(score):
    net, x, layer, _, _ = at(Modules, "features.4", 0)
    with pytest.raises(CamvizError, match="explains the score of one class only"):
        finer_cam(net, x, score, layer)


def test_score_gradient_of_a_contrast_and_of_a_constant():
    z = torch.tensor([[1.0, 2.0, 0.5]], dtype=torch.float64)
    assert torch.equal(score_gradient(scores.contrast(0, 2), z), torch.tensor([[1.0, 0.0, -1.0]], dtype=torch.float64))
    with torch.no_grad(), pytest.raises(CamvizError, match="does not depend on the class scores"):
        score_gradient(lambda scores: torch.zeros(len(scores)), z)


# ------------------------------------------------------------------------------------------------------- the peers


@pytest.fixture(scope="module", params=["resnet18 layer4", "squeezenet1_1 features.9"])
def peer_case(request):
    name, layer = request.param.split()
    torch.manual_seed(0)
    net = models.get_model(name).eval()
    for module in net.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    return net, net.get_submodule(layer), random_images(2, torch.float32, (64, 96))


def shown(maps, size):
    """Return a map as grad-cam does: upsampled, and scaled to 0 to 1 before and after."""
    return stretched(F.interpolate(stretched(maps)[:, None], size, mode="bilinear")[:, 0])


def stretched(maps):
    low, high = maps.flatten(1).amin(dim=1)[:, None, None], maps.flatten(1).amax(dim=1)[:, None, None]
    return (maps - low) / (high - low)


def difference(ours, theirs):
    assert theirs.abs().max() > 0
    return float((ours - theirs).norm() / theirs.norm())


class Large(ClassifierOutputTarget):
    """The class's score times 1000, so that the 1e-6 that grad-cam adds to divisors is negligible."""

    def __call__(self, output):
        return 1e3 * super().__call__(output)


@pytest.mark.parametrize(
    ("method", "peer"), [(grad_cam_pp, GradCAMPlusPlus), (xgrad_cam, XGradCAM), (hires_cam, HiResCAM)]
)
def test_cams_equal_grad_cam_package(peer_case, method, peer):
    net, layer, x = peer_case
    with peer(net, [layer]) as theirs:
        expected = torch.from_numpy(theirs(x, [Large(7)] * 2))
    assert difference(shown(method(net, x, lambda z: 1e3 * z[:, 7], layer), x.shape[2:]), expected) < 1e-3


def test_eigen_cam_equals_grad_cam_package(peer_case):
    net, layer, x = peer_case
    ours = eigen_cam(net, x, scores.logit(7), layer)
    with EigenCAM(net, [layer]) as theirs, torch.no_grad():
        expected = torch.from_numpy(theirs(x, [ClassifierOutputTarget(7)] * 2))
    for sample in range(2):  # the sign of grad-cam is arbitrary
        signs = [shown((sign * ours[sample : sample + 1]).relu(), x.shape[2:])[0] for sign in (1, -1)]
        assert min(difference(one, expected[sample]) for one in signs) < 1e-3


def test_finer_cam_equals_grad_cam_package(peer_case):
    net, layer, x = peer_case
    ours = finer_cam(net, x, scores.logit(7), layer, alpha=0.6)
    with FinerCAM(net, [layer]) as theirs:
        expected = torch.from_numpy(theirs(x, target_idx=7, alpha=0.6))
    assert difference(shown(ours, x.shape[2:]), expected) < 1e-3


def test_xgrad_cam_equals_torchcam(peer_case):
    net, layer, x = peer_case
    with torchcam.methods.XGradCAM(net, layer) as theirs:
        (expected,) = theirs([7] * 2, net(x.clone().requires_grad_()), normalized=False)
    ours = xgrad_cam(net, x, scores.logit(7), layer)
    assert difference(ours / ours.max(), expected.relu() / expected.max()) < 1e-3


def test_cam_equals_torchcam():
    torch.manual_seed(0)
    net, x = models.resnet18().eval(), random_images(1, torch.float32, (64, 96))
    with torchcam.methods.CAM(net, "layer4", "fc") as theirs, torch.no_grad():
        net(x)
        (expected,) = theirs(7, normalized=False)
    assert difference(cam(net, x, scores.logit(7), net.layer4), expected) < 1e-5


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("densenet121", "features.norm5"),
        ("googlenet", "inception5b"),
        ("mobilenet_v2", "features.18"),
        ("vgg11", "features.20"),
    ],
)
def test_cam_on_families(name, layer):
    """DenseNet has a ReLU after its last layer, and VGG a classifier of three layers; the others suit CAM."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = models.get_model(name, **({"aux_logits": False} if name == "googlenet" else {})).eval()
    layer, x, score = net.get_submodule(layer), random_images(1, torch.float32, (64, 96)), scores.logit(7)
    if name in ("densenet121", "vgg11"):
        with pytest.raises(CamvizError, match="use Grad-CAM"):
            cam(net, x, score, layer)
    else:
        result = cam(net, x, score, layer)
        expected = grad_cam(net, x, score, layer) * result[0].numel()
        assert difference(result.relu(), expected) < 1e-4
