"""RefineCAM: its layers, its formula, and the package grad-cam."""

import pytest
import torch
import torch.nn.functional as F
from pytorch_grad_cam import GradCAM, RefineCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from camviz import METHODS, CamvizError, scores
from camviz.inspection.stages import stages
from camviz.methods.refine_cam import refine_cam
from tests.methods.nets import SIZE, Modules, Residual, build, close, random_images

SCORE = scores.logit(2)


def test_stages_are_the_last_layers_of_each_size():
    net, x = build(Modules), random_images()
    assert stages(net, x) == [net.features[1], net.features[2], net.features]
    assert stages(net, x, net.features[3]) == [net.features[1], net.features[2], net.features[3]]
    net = build(Residual)  # its ReLU runs five times, so that its output is not one
    assert stages(net, x) == [net.first, net.second]
    with pytest.raises(CamvizError, match="does not run through this layer"):
        stages(net, x, torch.nn.ReLU())


@pytest.mark.parametrize("base", ["grad_cam", "layer_cam"])
def test_refine_cam_is_the_product_of_upsampled_and_scaled_maps(base):
    net, x = build(Residual), random_images()
    product = torch.ones(2, 1, *SIZE).double()
    for levels, layer in enumerate((net.second, net.first), start=1):
        found = F.interpolate(METHODS[base](net, x, SCORE, layer).relu()[:, None], size=SIZE, mode="bilinear")
        low, high = (end(found.flatten(1), dim=1)[:, None, None, None] for end in (torch.amin, torch.amax))
        single = (found - low) / (high - low)
        product *= single
        close(refine_cam(net, x, SCORE, base=base, levels=levels), product[:, 0])
    close(refine_cam(net, x, SCORE, net.first, base=base), single[:, 0])


def test_refine_cam_equals_grad_cam_package_up_to_scale():
    net, x = build(Modules, dtype=torch.float32), random_images(1, torch.float32)
    peer = RefineCAM(net, stages(net, x)[-2:], base_method=GradCAM)
    expected = torch.from_numpy(peer(x.clone(), [ClassifierOutputTarget(2)]))
    found = refine_cam(net, x, SCORE, base="grad_cam", levels=2)
    assert found.shape == x[:, 0].shape and found.min() == 0
    close(found / found.max(), expected, 1e-4)
