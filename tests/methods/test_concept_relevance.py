"""Concept relevance propagation: the parts sum to the whole, and one channel against a layer that has no other."""

import pytest
import torch

from camviz import CamvizError, scores
from camviz.methods.concept_relevance import concept_relevance
from camviz.methods.lrp import composites, lrp
from camviz.relevance.channels import channel_relevance
from camviz.tape import record
from tests.methods.nets import Modules, Residual, build, close, picture

SCORE = scores.logit(2)
CASES = [(Modules, "features.2", 4), (Modules, "features.5", 6), (Residual, "first", 4), (Residual, "stem", 4)]


@pytest.mark.parametrize("composite", ["epsilon-plus-flat", "epsilon-gamma-box"])
@pytest.mark.parametrize(("kind", "layer", "count"), CASES)
def test_the_channels_sum_to_the_relevance_of_the_pixels(kind, layer, count, composite):
    net, x = build(kind), picture()
    layer = net.get_submodule(layer)
    parts = [concept_relevance(net, x, SCORE, layer, channel=c, composite=composite) for c in range(count)]
    whole = lrp(net, x, SCORE, composite=composite)
    close(sum(parts), whole)
    assert min(float((one - whole).abs().max() / whole.abs().max()) for one in parts) > 0.05
    shares = channel_relevance(net, x, SCORE, layer, composites()[composite])
    best = torch.stack([parts[int(c)][image] for image, c in enumerate(shares.argmax(dim=1))])
    assert torch.equal(concept_relevance(net, x, SCORE, layer, composite=composite), best)


def test_the_relevance_of_a_channel_after_the_last_layer_is_its_share_of_the_score():
    net, x = build(Modules), picture()
    maps, gradient = record(net, x, SCORE, net.features[6])
    shares = channel_relevance(net, x, SCORE, net.features[6], composites()["epsilon-plus"])
    close(shares, (maps * gradient).sum(dim=(2, 3)), 1e-4)  # x w / z * R, where R = z


def test_refuses_a_channel_that_the_layer_does_not_have():
    net, x = build(Modules), picture()
    with pytest.raises(CamvizError, match="channels 0 to 5; got channel 6"):
        concept_relevance(net, x, SCORE, net.features[6], channel=6)
