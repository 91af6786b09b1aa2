"""Networks whose forward cuts the gradient: the error names the place, and layers after the cut are explained."""

import pytest
import torch
from torch import nn

import camviz
from camviz import METHODS, CamvizError, scores
from tests.models.nets import FEW, SIDE, Small, images, load, relative

IMAGE = images(1)[0]
X = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


class Cutting(nn.Module):
    """The small network as backbone and head, run by `way`."""

    def __init__(self, way):
        super().__init__()
        net = Small()
        self.backbone = nn.Sequential(net.first, net.norm, net.relu, net.pool, net.second, net.last_relu)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Flatten(), net.classifier)
        self.way = way
        self.eval()

    def rest(self, x):
        return self.head(self.pool(x))

    def forward(self, x):
        return self.way(self, x)


def plain(net, x):
    return net.rest(net.backbone(x))


def frozen(net, x):
    with torch.no_grad():
        x = net.backbone(x)
    return net.rest(x)


@torch.no_grad()
def decorated(net, x):
    return plain(net, x)


def switched(net, x):
    torch.set_grad_enabled(False)
    x = net.backbone(x)
    torch.set_grad_enabled(True)
    return net.rest(x)


def inference(net, x):
    with torch.inference_mode():
        x = net.backbone(x)
    return net.rest(x.clone())


def detached(net, x):
    return net.rest(net.backbone(x).detach())


def through_data(net, x):
    return net.rest(net.backbone(x).data)


def through_numpy(net, x):
    return net.rest(torch.from_numpy(net.backbone(x).detach().numpy()))


def detached_scores(net, x):
    return plain(net, x).detach()


def one_hot(net, x):
    values = plain(net, x)
    return nn.functional.one_hot(values.argmax(dim=1), values.shape[1]).float()


WHERE = {
    frozen: "at 'backbone.0'",
    decorated: "at 'backbone.0'",
    switched: "at 'backbone.0'",
    inference: "at 'backbone.0'",
    detached: "at 'pool'",
    through_data: "at 'pool'",
    through_numpy: "at 'pool'",
    detached_scores: "after its last layer 'head.1'",
    one_hot: "after its last layer 'head.1'",
}
PIXELS = ("vanilla_backprop", "guided_backprop", "integrated_gradients", "smooth_grad", "lrp", "full_grad")
CAMS = ("grad_cam", "layer_cam", "hires_cam", "xgrad_cam", "grad_cam_pp")


def knobs(key):
    return {name: value for name, value in FEW.items() if name in METHODS[key].knobs}


@pytest.mark.parametrize("way", WHERE, ids=lambda way: way.__name__)
def test_pixel_methods_name_the_place_of_the_cut(way):
    model = load(Cutting(way))
    for key in PIXELS:
        with pytest.raises(CamvizError, match=f"forward cuts it {WHERE[way]}, by .*occlusion"):
            camviz.explain(model, IMAGE, key, target=1, **knobs(key))
        with pytest.raises(CamvizError, match=f"forward cuts it {WHERE[way]}, by .*occlusion"):
            METHODS[key](Cutting(way), X, scores.logit(1), **knobs(key))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("way", [frozen, decorated, switched], ids=lambda way: way.__name__)
@pytest.mark.parametrize("layer", ["backbone.2", "backbone.5", "backbone"])
def test_layers_of_a_frozen_backbone_are_explained(way, layer):
    model, expected = load(Cutting(way)), load(Cutting(plain))
    for key in CAMS:
        found, other = (camviz.explain(some, IMAGE, key, target=1, layer=layer) for some in (model, expected))
        assert relative(found.attribution, other.attribution) < 1e-6
    with torch.no_grad():
        x = model.preprocess(IMAGE)
        activation = expected.net.backbone(x)
    activation.requires_grad_()
    (gradient,) = torch.autograd.grad(expected.net.rest(activation)[0, 1], activation)
    by_hand = (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1).relu().detach()
    found = METHODS["grad_cam"](model.net, x, scores.logit(1), model.net.backbone)
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("way", [detached, through_data, through_numpy, inference], ids=lambda way: way.__name__)
def test_layers_before_a_cut_name_its_place(way):
    where = "backbone" if way is inference else "pool"
    with pytest.raises(CamvizError, match=f"forward cuts it at '{where}'"):
        camviz.explain(load(Cutting(way)), IMAGE, "grad_cam", target=1, layer="backbone")


@pytest.mark.parametrize("way", WHERE, ids=lambda way: way.__name__)
def test_methods_without_gradients_are_not_affected(way):
    model, expected = load(Cutting(way)), load(Cutting(plain))
    for key in ("score_cam", "occlusion", "eigen_cam") if way is not one_hot else ("eigen_cam",):
        found, other = (
            camviz.explain(some, IMAGE, key, target=1, layer=None if key == "occlusion" else "backbone", **knobs(key))
            for some in (model, expected)
        )
        assert relative(found.attribution, other.attribution) < 1e-5


def test_partial_cut_gives_the_gradient_of_torch():
    net = Cutting(lambda net, x: net.rest((lambda f: f.detach() / 2 + f / 2)(net.backbone(x))))
    found = METHODS["vanilla_backprop"](net, X, scores.logit(1))
    torch.testing.assert_close(2 * found, METHODS["vanilla_backprop"](Cutting(plain), X, scores.logit(1)))
