"""Concept relevance propagation compared with explicit matrices; channels sum to the whole."""

import pytest
import torch

from camviz import CamvizError, scores
from camviz.inspection.feature_maps import relevance_shares
from camviz.methods.concept_relevance import concept_relevance
from camviz.methods.lrp import composites, lrp
from camviz.relevance.channels import channel_relevance
from camviz.tape import record
from tests.methods.nets import ByHand, Modules, Residual, build, close, random_images

SCORE = scores.logit(2)
CASES = [(Modules, "features.2", 4), (Modules, "features.5", 6), (Residual, "first", 4), (Residual, "stem", 4)]


@pytest.mark.parametrize("composite", ["epsilon-plus-flat", "epsilon-gamma-box"])
@pytest.mark.parametrize(("kind", "layer", "count"), CASES)
def test_channels_sum_to_the_relevance_of_the_pixels(kind, layer, count, composite):
    net, x = build(kind), random_images()
    layer = net.get_submodule(layer)
    parts = [concept_relevance(net, x, SCORE, layer, channel=c, composite=composite) for c in range(count)]
    whole = lrp(net, x, SCORE, composite=composite)
    close(sum(parts), whole)
    assert min(float((one - whole).abs().max() / whole.abs().max()) for one in parts) > 0.05
    shares = channel_relevance(net, x, SCORE, layer, composites()[composite])
    best = torch.stack([parts[int(c)][image] for image, c in enumerate(shares.argmax(dim=1))])
    assert torch.equal(concept_relevance(net, x, SCORE, layer, composite=composite), best)


def test_relevance_of_a_last_channel_is_its_share_of_the_score():
    net, x = build(Modules), random_images()
    maps, gradient = record(net, x, SCORE, net.features[6])
    shares = channel_relevance(net, x, SCORE, net.features[6], composites()["epsilon-plus"])
    close(shares, (maps * gradient).sum(dim=(2, 3)), 1e-4)  # x w / z * R, where R = z


def test_missing_channel_is_refused():
    net, x = build(Modules), random_images()
    with pytest.raises(CamvizError, match="channels 0 to 5; got channel 6"):
        concept_relevance(net, x, SCORE, net.features[6], channel=6)


def matrix(layer, shape):
    """Return the weights from each input to each output of an affine layer."""
    unit = torch.eye(int(torch.tensor(shape).prod()), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        return (layer(unit) - layer(torch.zeros_like(unit[:1]))).flatten(1)


def shared(contributions, more, relevance):
    """R[j] = sum_k c[jk] / (sum_j c[jk] + more[k]) R[k]."""
    z = contributions.sum(dim=0) + more
    return contributions @ (relevance / (z + 1e-6 * (2 * (z >= 0) - 1)))


def plus(layer, x, relevance):
    """Apply the z-plus rule."""
    bias = layer.bias.detach().clamp(min=0).repeat_interleave(relevance.numel() // len(layer.bias))
    return shared((x.flatten()[:, None] * matrix(layer, x.shape)).clamp(min=0), bias, relevance)


def relevance_by_matrices(net, image, channel):
    """Compute the relevance of the feature maps after ReLU6, and of the pixels through one of them, by matrices."""
    flat = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False).double()
    torch.nn.init.ones_(flat.weight)
    hand = ByHand(net.steps(), image[None])
    pooled, maps, last, linear = hand.values[2][0], hand.values[4][0], hand.values[6][0], net.head[2]
    means, weight = last.mean(dim=(1, 2)), linear.weight.detach()[2]
    score = hand.values[-1][0, 2]
    relevance = shared((means * weight)[:, None], linear.bias.detach()[2], score[None])
    parts = last.flatten(1) / last[0].numel()
    relevance = torch.cat([shared(part[:, None], 0, r[None]) for part, r in zip(parts, relevance, strict=True)])
    relevance = plus(net.features[5], maps, relevance).view_as(maps)
    masked = torch.zeros_like(relevance)
    masked[channel] = relevance[channel]
    before = plus(net.features[3], pooled, masked.flatten()).view_as(pooled)
    before = hand.undo[2](before[None], None, None)  # max-pooling, place by place
    pixels = shared((matrix(flat, image.shape) > 0).double(), 0, before.flatten())
    return relevance, pixels.view_as(image)


def test_concept_relevance_equals_explicit_matrices():
    net, x = build(Modules), random_images(1)
    for channel in (0, 3):
        relevance, expected = relevance_by_matrices(net, x[0], channel)
        found = concept_relevance(net, x, SCORE, net.features[4], channel=channel)
        close(found[0], expected, 1e-8)
    sums = relevance.sum(dim=(1, 2))
    found = relevance_shares(net, x, SCORE, net.features[4], composites()["epsilon-plus-flat"])
    close(torch.from_numpy(found).double(), sums / sums.abs().sum(), 1e-6)
