"""ShapleyCAM compared with the package grad-cam, a full Hessian, and Grad-CAM for a linear score."""

import pytest
import torch
from pytorch_grad_cam import ShapleyCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST
from torch import nn

from camviz import CamvizError, scores
from camviz.methods.grad_cam import grad_cam
from camviz.methods.shapley_cam import shapley_cam
from tests.methods.nets import Modules, Residual, build, by_hand, close, random_images

SCORE = scores.logit(2)


def test_shapley_cam_equals_grad_cam_package():
    net, x = build(Residual, dtype=torch.float32), random_images(dtype=torch.float32)
    net.relu.inplace = False
    peer = ShapleyCAM(net, [net.second])
    with peer:
        peer.activations_and_grads.detach = False
        output = peer.activations_and_grads(x)
        loss = sum(ClassifierOutputReST(2)(one) for one in output)
        loss.backward(retain_graph=True, create_graph=True)
        activation, gradient = (
            found[0] for found in (peer.activations_and_grads.activations, peer.activations_and_grads.gradients)
        )
        weight = torch.from_numpy(peer.get_cam_weights(x, None, None, activation, gradient))[:, :, None, None]
    expected = (weight * activation.detach()).sum(dim=1).relu()
    close(shapley_cam(net, x, SCORE, net.second), expected, 1e-4)


def test_shapley_cam_equals_the_full_hessian():
    net, x = build(Modules, activation=nn.SiLU), random_images(1)

    def utility(maps):
        z = net.head(net.features[6](maps))
        return 2 * z[0, 2] - z.logsumexp(dim=1)[0]

    maps = net.features[:6](x).detach()
    gradient = torch.autograd.functional.jacobian(utility, maps)
    hessian = torch.autograd.functional.hessian(utility, maps).reshape(maps.numel(), maps.numel())
    weight = gradient - (hessian @ maps.flatten()).reshape(maps.shape) / 2
    expected = (weight.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()
    close(shapley_cam(net, x, SCORE, net.features[5]), expected)


def attention_written_out(q, k, v):
    return (q @ k.mT / q.shape[3] ** 0.5).softmax(dim=3) @ v


class Attending(nn.Module):
    """Attention over places by torch's fused kernel, which has no second derivative, or written out."""

    def __init__(self, fused):
        super().__init__()
        self.conv, self.heads, self.last = nn.Conv2d(3, 8, 3, 4), nn.Linear(8, 24), nn.Linear(8, 7)
        self.fused = fused

    def forward(self, x):
        q, k, v = self.heads(self.conv(x).flatten(2).mT).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        attention = nn.functional.scaled_dot_product_attention if self.fused else attention_written_out
        return self.last(attention(q, k, v).transpose(1, 2).flatten(2).mean(dim=1))


def test_shapley_cam_with_fused_attention():
    fused, plain = (build(Attending, fused=one) for one in (True, False))
    x = random_images()
    close(shapley_cam(fused, x, SCORE, fused.conv), shapley_cam(plain, x, SCORE, plain.conv))


def test_shapley_cam_of_a_linear_score_equals_grad_cam():
    net, x, _ = by_hand(Modules)
    close(shapley_cam(net, x, SCORE, net.features[4], utility="score"), grad_cam(net, x, SCORE, net.features[4]))
    with pytest.raises(CamvizError, match="utility='score'"):
        shapley_cam(net, x, scores.contrast(1, 2), net.features[4])
