"""Occlusion and RISE compared with loops in float64, captum, and networks that use one region of the image."""

from math import ceil

import captum.attr
import pytest
import torch
from torch import nn

from camviz import CamvizError, scores
from camviz.acceleration import many_passes as many_passes_module
from camviz.methods.occlusion import occlusion
from camviz.methods.rise import rise
from camviz.perturbation.occlusion import occlusion_maps, window_spans
from camviz.tape import counting_passes
from tests.methods.nets import NETS, SIZE, Modules, build, by_hand, close, random_images

SCORE = scores.logit(2)


class BoxMean(nn.Module):
    """Class 0 is the mean of one box of the image, class 1 its negative."""

    top, bottom, left, right = 4, 8, 16, 24

    def forward(self, x):
        seen = x[:, :, self.top : self.bottom, self.left : self.right].mean(dim=(1, 2, 3))
        return torch.stack([seen, -seen], dim=1)


def covered(x, row, column, size, stride):
    """Cover the square around the center of a cell, pixel by pixel."""
    x = x.clone()
    places = []
    for cell, length in ((row, x.shape[2]), (column, x.shape[3])):
        center = (cell + 0.5) * length / ceil(length / stride)
        places.append([p for p in range(length) if -size / 2 <= p + 0.5 - center + 1e-9 < size / 2 + 1e-6])
    for i in places[0]:
        for j in places[1]:
            x[:, :, i, j] = 0
    return x


def over_the_grid(x, size, stride, score):
    """Apply `score` to the images under each square; return (B, rows, columns)."""
    rows, columns = (ceil(length / stride) for length in x.shape[2:])
    with torch.no_grad():
        cells = [score(covered(x, r, c, size, stride)) for r in range(rows) for c in range(columns)]
    return torch.stack(cells, dim=1).view(len(x), rows, columns)


# -------------------------------------------------------------------------------------------------------- occlusion


@pytest.mark.parametrize(("size", "stride"), [(4, 4), (8, 4), (12, 10), (6, 2), (40, 10)])
@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_occlusion_equals_the_loop(kind, size, stride):
    net, x, _ = by_hand(kind)
    with torch.no_grad():
        whole = net(x.clone())[:, 2]
    expected = whole[:, None, None] - over_the_grid(x, size, stride, lambda seen: net(seen)[:, 2])
    close(occlusion(net, x, SCORE, size=size, stride=stride), expected)


def test_occlusion_of_the_class_probability_equals_the_loop():
    net, x, _ = by_hand(Modules)
    with torch.no_grad():
        whole = net(x).softmax(dim=1)[:, 2]
    expected = whole[:, None, None] - over_the_grid(x, 8, 4, lambda seen: net(seen).softmax(dim=1)[:, 2])
    close(occlusion(net, x, SCORE, size=8, stride=4, measure="class probability"), expected)


def test_occlusion_in_tiles_equals_captum():
    net, x = build(Modules, dtype=torch.float32), random_images(dtype=torch.float32)
    expected = captum.attr.Occlusion(net).attribute(x, (3, 4, 4), strides=(3, 4, 4), target=2)
    tiles = occlusion(net, x, SCORE, size=4, stride=4)
    assert tiles.shape == (2, 5, 7)
    spread = tiles.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    close(spread[:, None].expand(-1, 3, -1, -1), expected, 1e-4)


def test_overlapping_occlusion_equals_captum():
    net, x = build(Modules), random_images()
    expected = captum.attr.Occlusion(net).attribute(x, (3, 12, 12), strides=(3, 4, 4), target=2)[:, 0]
    cells = occlusion(net, x, SCORE, size=12, stride=4)[:, 1:-1, 1:-1]  # captum has none that hang over the border
    total, count = torch.zeros(2, *SIZE, dtype=torch.float64), torch.zeros(SIZE)
    for row in range(3):
        for column in range(5):
            place = (slice(4 * row, 4 * row + 12), slice(4 * column, 4 * column + 12))
            total[:, *place] += cells[:, row, column, None, None]
            count[place] += 1
    close((total / count).float(), expected, 1e-5)


def test_occlusion_of_a_box_mean_is_its_contribution():
    x = random_images().abs() + 0.1
    found = occlusion(BoxMean(), x, scores.logit(0), size=4, stride=4)
    inside = torch.zeros(5, 7, dtype=torch.bool)
    inside[1, 4:6] = True
    assert (found[:, inside] > 0).all() and (found[:, ~inside].abs() < 1e-12).all()
    close(found.sum(dim=(1, 2)), BoxMean()(x)[:, 0])
    close(occlusion(BoxMean(), x, scores.logit(1), size=4, stride=4), -found)
    mirrored = occlusion(BoxMean(), x, scores.contrast(0, 1), size=4, stride=4)
    close(mirrored, 2 * found)


def test_squares_are_centered_and_clipped_at_the_border():
    assert window_spans(20, 8, 5) == [(0, 7), (4, 12), (9, 17), (14, 20)]  # centers 2.5, 7.5, 12.5, 17.5
    assert window_spans(28, 4, 4) == [(p, p + 4) for p in range(0, 28, 4)]
    assert window_spans(10, 3, 4) == [(0, 3), (4, 7), (7, 10)]  # three places, as four pixels fit in 2.5 times
    assert window_spans(7, 100, 3) == [(0, 7)] * 3
    assert window_spans(5, 1, 1) == [(p, p + 1) for p in range(5)]
    assert window_spans(6, 2, 100) == [(2, 4)]


def test_occlusion_of_a_feature_map_equals_the_loop():
    net, x, hand = by_hand(Modules)
    for name, step in net.layers.items():
        layer = net.get_submodule(name)
        whole = hand.values[step][:, 1].sum(dim=(1, 2))
        parts = net.features[: step + 1]
        expected = whole[:, None, None] - over_the_grid(x, 8, 4, lambda seen: parts(seen)[:, 1].sum(dim=(1, 2)))  # noqa: B023
        close(occlusion(net, x, SCORE, layer, feature_map=1, size=8, stride=4), expected)


def test_occlusion_of_a_convolution_ignores_its_batch_norm():
    net, x, _ = by_hand(NETS["residual"])
    layer = net.first.conv1
    seen = []
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    with torch.no_grad():
        net(x)
    handle.remove()
    one = occlusion(net, x, SCORE, layer, feature_map=2, size=100, stride=100)  # everything hidden
    with torch.no_grad():
        nothing = layer(net.relu(net.stem(torch.zeros_like(x))))
    close(one[:, 0, 0], (seen[0] - nothing)[:, 2].sum(dim=(1, 2)))


def test_occlusion_refuses_a_missing_layer_or_feature_map():
    net, x, _ = by_hand(Modules)
    with pytest.raises(CamvizError, match="choose the layer too"):
        occlusion(net, x, SCORE, feature_map=0)
    for refuse in (
        lambda: occlusion(net, x, SCORE, net.features[4], feature_map=5),
        lambda: occlusion_maps(net, x, 2, net.features[4], 5),
    ):
        with pytest.raises(CamvizError, match="feature maps 0 to 4; got feature map 5"):
            refuse()


def test_occlusion_costs_one_pass_per_position(monkeypatch):
    net, x, _ = by_hand(Modules)
    expected = occlusion(net, x, SCORE, size=8, stride=4)
    for largest in (1, 6, 100):
        monkeypatch.setattr(many_passes_module, "batch_size", lambda *_, largest=largest: largest)
        done = []
        with counting_passes() as counts:
            close(occlusion(net, x, SCORE, size=8, stride=4, progress=lambda *now: done.append(now)), expected)  # noqa: B023
        assert (counts.forward_passes, counts.backward_passes) == (2 + 2 * 35, 0)
        assert len(done) == 2 * ceil(35 / largest) and done[-1] == (70, 70)


# ------------------------------------------------------------------------------------------------- the three maps


def test_occlusion_maps_equal_the_loop():
    net, x, hand = by_hand(Modules)
    parts, layer = net.features[:5], net.features[4]
    found = occlusion_maps(net, x, 3, layer, size=8, stride=4)
    close(found.probability, over_the_grid(x, 8, 4, lambda seen: net(seen).softmax(dim=1)[:, 3]))
    assert torch.equal(found.category, over_the_grid(x, 8, 4, lambda seen: net(seen).argmax(dim=1)))
    strongest = hand.values[4].sum(dim=(2, 3)).argmax(dim=1)
    assert torch.equal(found.feature_map, strongest)
    pick = torch.arange(len(x))
    close(found.strength, over_the_grid(x, 8, 4, lambda seen: parts(seen)[pick, strongest].sum(dim=(1, 2))))
    chosen = occlusion_maps(net, x, 3, layer, 0, size=8, stride=4)
    assert chosen.feature_map.tolist() == [0, 0]
    close(chosen.strength, over_the_grid(x, 8, 4, lambda seen: parts(seen)[:, 0].sum(dim=(1, 2))))


def test_occlusion_map_of_classes_changes_over_the_evidence():
    class Bright(BoxMean):
        def forward(self, x):
            return super().forward(x) + torch.tensor([0.0, 0.1])

    x = random_images().abs() + 0.1
    found = occlusion_maps(Bright(), x, 0, size=12, stride=4)
    hidden = torch.zeros(5, 7, dtype=torch.long)
    hidden[0:3, 4:6] = 1  # only there both halves of the box lie under the square
    assert (found.category == 0).any() and torch.equal(found.category[0][hidden == 1], torch.ones(6, dtype=torch.long))
    assert found.category[0, 4, 0] == 0
    assert found.strength is None and found.feature_map is None
    with pytest.raises(CamvizError, match="class 2 does not exist"):
        occlusion_maps(Bright(), x, 2)


# ------------------------------------------------------------------------------------------------------------ RISE


def masks_by_hand(count, cells, keep, seed, size):
    """Compute the paper's masks pixel by pixel: each interpolates the four nearest cells."""
    generator = torch.Generator().manual_seed(seed)
    cell = [ceil(side / cells) for side in size]
    grids = (torch.rand(count, 1, cells, cells, generator=generator) < keep).double()[:, 0]
    shifts = [torch.randint(side, (count,), generator=generator) for side in cell]
    masks = torch.zeros(count, *size, dtype=torch.float64)
    for n in range(count):
        for i in range(size[0]):
            for j in range(size[1]):
                masks[n, i, j] = between(grids[n], [i + int(shifts[0][n]), j + int(shifts[1][n])], cell, cells)
    return masks


def between(grid, place, cell, cells):
    """Interpolate bilinearly a grid that is enlarged to (cells + 1) * cell pixels a side."""
    near = []
    for position, side in zip(place, cell, strict=True):
        at = min(max((position + 0.5) * cells / ((cells + 1) * side) - 0.5, 0), cells - 1)
        low = min(int(at), cells - 2)
        near.append(((low, 1 - (at - low)), (low + 1, at - low)))
    return sum(grid[r, c] * p * q for r, p in near[0] for c, q in near[1])


@pytest.mark.parametrize("measure", ["class probability", "score"])
@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_rise_equals_the_loop(kind, measure):
    net, x, _ = by_hand(kind)
    masks = masks_by_hand(6, 3, 0.4, 9, SIZE)
    with torch.no_grad():
        out = torch.stack([net(x * mask) for mask in masks])
    weights = (out if measure == "score" else out.softmax(dim=2))[:, :, 2]
    expected = torch.einsum("nb,nhw->bhw", weights, masks) / (6 * 0.4)
    close(rise(net, x, SCORE, masks=6, cells=3, keep=0.4, measure=measure, seed=9), expected)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_rise_is_normalized_by_the_expected_coverage(keep):
    net, x, _ = by_hand(Modules)

    def one(values):
        return values[:, 0] * 0 + 1

    found = rise(net, x[:1], one, masks=2000, cells=4, keep=keep, measure="score")
    assert float(found.mean()) == pytest.approx(1, abs=0.02)
    assert float(found.min()) > 0.8 and float(found.max()) < 1.2


def test_rise_peaks_at_the_region_that_the_network_uses():
    x = random_images(1).abs() + 0.5
    found = rise(BoxMean(), x, scores.logit(0), masks=1500, measure="score")[0]
    inside = found[BoxMean.top : BoxMean.bottom, BoxMean.left : BoxMean.right].mean()
    assert divmod(int(found.argmax()), SIZE[1])[0] in range(3, 9)
    assert divmod(int(found.argmax()), SIZE[1])[1] in range(15, 25)
    assert inside > 1.1 * found[12:, :12].max()


def test_rise_builds_masks_in_batches(monkeypatch):
    net, x, _ = by_hand(Modules)
    expected = rise(net, x, SCORE, masks=21)
    sizes = []
    original = torch.nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: sizes.append(len(x)) or original(self, x))
    rise(net, x, SCORE, masks=1)  # profiles the network
    for largest in (1, 4, 100):
        monkeypatch.setattr(many_passes_module, "batch_size", lambda *_, largest=largest: largest)
        done, sizes[:] = [], []
        with counting_passes() as counts:
            close(rise(net, x, SCORE, masks=21, progress=lambda *now: done.append(now)), expected)  # noqa: B023
        assert (counts.forward_passes, counts.backward_passes) == (2 * 21, 0)
        assert len(done) == 2 * ceil(21 / largest) and done[-1] == (42, 42)
        assert max(sizes) == min(largest, 21)


def test_rise_depends_on_its_seed():
    net, x, _ = by_hand(Modules)
    first, again, other = (rise(net, x, SCORE, masks=8, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert (first - other).norm() > 0.1 * first.norm()
