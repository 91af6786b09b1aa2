"""FEM compared with its formula and with the package grad-cam."""

import numpy as np
import torch
from pytorch_grad_cam import FEM

from camviz import scores
from camviz.methods.fem import fem
from tests.methods.nets import Modules, by_hand, close

SCORE = scores.logit(2)


def test_fem_equals_the_formula():
    net, x, hand = by_hand(Modules)
    maps = hand.values[3].numpy()
    expected = np.zeros((2, *maps.shape[2:]))
    for image in range(2):
        for channel in maps[image]:
            expected[image] += channel.mean() * (channel > channel.mean() + 1.5 * channel.std())
    close(fem(net, x, SCORE, net.features[3], deviations=1.5), torch.from_numpy(expected))


def test_fem_weighted_by_feature_maps_equals_grad_cam_package():
    net, x, hand = by_hand(Modules)
    with FEM(net, [net.features[6]], k=1) as peer:
        expected = peer.get_cam_image(None, None, None, hand.values[6].numpy(), None, False)
    close(fem(net, x, SCORE, net.features[6], deviations=1, weighting="feature maps"), torch.from_numpy(expected))
