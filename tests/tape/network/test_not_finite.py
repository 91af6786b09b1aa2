"""Values that are not finite are refused; the error names their origin."""

import pytest
import torch
from torch import nn

import camviz
from camviz import METHODS, CamvizError, scores, tape
from tests.models.nets import FEW, SIDE, Small, images, load

(IMAGE,) = images(1)
X = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("value", "keys"), [(torch.nan, METHODS), (torch.inf, ["grad_cam"])])
def test_broken_weights_are_named_by_every_method(value, keys):
    model = load(Small())
    with torch.no_grad():
        model.net.classifier.weight[2, 0] = value
    sentence = f"the parameter 'classifier.weight' of this network holds {value}"
    with pytest.raises(CamvizError, match=sentence):
        model.predict(IMAGE)
    for key in keys:
        method = METHODS[key]
        knobs = {name: number for name, number in FEW.items() if name in method.knobs}
        if key in ("edge_detector", "center_gaussian"):
            continue  # controls that never ask the network
        layer = [model.net.last_relu] if method.layer == "required" else []
        with pytest.raises(CamvizError, match=sentence):
            camviz.explain(model, IMAGE, key, **knobs)
        with pytest.raises(CamvizError, match=sentence):
            method(model.net, X, scores.logit(1), *layer, **knobs)


def test_broken_weights_are_named_by_metrics():
    model = load(Small())
    explanation = camviz.explain(model, IMAGE)
    with torch.no_grad():
        model.net.norm.running_var[1] = torch.nan
    for metric in ("deletion", "average_drop", "infidelity"):
        with pytest.raises(CamvizError, match=r"the buffer 'norm\.running_var' of this network holds nan"):
            camviz.measure(explanation, metric)


def test_input_that_is_not_finite_is_refused():
    x = X.clone()
    x[0, 1, 2, 3] = torch.inf
    net = Small().eval()
    for key in ("grad_cam", "vanilla_backprop", "occlusion", "lrp", "full_grad", "integrated_gradients"):
        layer = [net.second] if METHODS[key].layer == "required" else []
        with pytest.raises(CamvizError, match="the network's input holds inf: check the image and its preprocessing"):
            METHODS[key](net, x, scores.logit(1), *layer)
    for key in ("eigen_cam", "score_cam", "ablation_cam"):
        with pytest.raises(CamvizError, match=r"finite|holds (inf|nan)"):
            METHODS[key](net, x, scores.logit(1), net.second)


def test_error_names_the_module_that_returns_nan():
    class Divides(nn.Module):
        def forward(self, x):
            return x / (x.mean() - x.mean())

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), Divides()), nn.Flatten(), nn.LazyLinear(3)).eval()
    net(X)
    with pytest.raises(
        CamvizError, match=r"it begins in the layer '1\.1' \(Divides\), whose input and weights are finite"
    ):
        tape.forward(net, X)


def test_gradient_that_is_not_finite_is_refused():
    net = Small("root").eval()
    with torch.no_grad():
        assert tape.forward(net, X).isfinite().all()
    for key in ("vanilla_backprop", "gradient_x_input", "guided_backprop", "full_grad", "lrp"):
        with pytest.raises(CamvizError, match="the gradient of the score holds nan"):
            METHODS[key](net, X, scores.logit(1))
    for key in ("grad_cam", "layer_cam", "hires_cam"):
        with pytest.raises(CamvizError, match=r"begins in what follows the layer 'last_relu' \(ReLU\)"):
            METHODS[key](net, X, scores.logit(1), net.second)
    METHODS["occlusion"](net, X, scores.logit(1), size=12, stride=12)


def test_masked_class_with_minus_infinity_is_accepted():
    class Masked(Small):
        def forward(self, x):
            return super().forward(x).masked_fill(torch.tensor([False, True, False, False]), -torch.inf)

    model = load(Masked())
    assert model.predict(IMAGE)[-1].probability == 0 and not model.draws_random_numbers
    plain = camviz.explain(load(Small()), IMAGE, target=2)
    assert abs(camviz.explain(model, IMAGE, target=2).attribution - plain.attribution).max() < 1e-7


def test_score_that_is_not_finite_is_refused():
    net = Small().eval()
    with pytest.raises(CamvizError, match=r"the explained score is -?(inf|nan)"):
        METHODS["occlusion"](net, X, lambda values: values[:, 0] / 0, size=12, stride=12)
