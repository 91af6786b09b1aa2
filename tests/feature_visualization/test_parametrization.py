"""Pixels, frequencies and colors compared with their definitions, term by term."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from camviz.feature_visualization import parametrization
from camviz.feature_visualization.features import FeatureFunction
from camviz.feature_visualization.inversion import correlation, total_variation
from camviz.feature_visualization.optimization import maximize, transformed
from tests.conftest import SAMPLES

GENERATOR = torch.Generator().manual_seed(3)
MEAN = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64).view(1, 3, 1, 1)
STD = torch.tensor([0.2, 0.25, 0.3], dtype=torch.float64).view(1, 3, 1, 1)
FEATURE_FUNCTION = FeatureFunction(torch.nn.Identity(), (6, 8), MEAN, STD)


def random(*size):
    return torch.randn(*size, generator=GENERATOR, dtype=torch.float64)


def sum_of_waves(z, size):
    """Return the image of the frequencies z (3, H, W // 2 + 1, 2) as a sum of cosines and sines."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    found = np.zeros((3, height, width))
    for down in range(height):
        for right in range(width // 2 + 1):
            cycles = math.hypot(min(down, height - down) / height, right / width)
            scale = math.sqrt(height * width) / 4 / max(cycles, 1 / max(size))
            turn = 2 * math.pi * (down * rows / height + right * columns / width)
            twice = 1 if right in (0, width / 2) else 2  # the other half of the spectrum is the mirror of this one
            for color in range(3):
                real, imaginary = z[color, down, right]
                found[color] += twice * scale * (real * np.cos(turn) - imaginary * np.sin(turn))
    return found / (height * width)


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (4, 9)], ids=str)
@pytest.mark.parametrize("decorrelate", [True, False])
def test_fourier_image_equals_a_sum_of_waves(size, decorrelate):
    z = random(1, 3, size[0], size[1] // 2 + 1, 2)
    made = parametrization.FourierImage(z, size, decorrelate).image()
    plain = sum_of_waves(z[0].numpy(), size)
    mixed = np.einsum("ij,jhw->ihw", parametrization.color_root().double().numpy(), plain) if decorrelate else plain
    np.testing.assert_allclose(made[0].numpy(), 1 / (1 + np.exp(-mixed)), atol=1e-6)
    assert made.std() > 0.1


def test_color_root_squares_to_imagenet_color_covariance():
    root = parametrization.color_root().double().numpy()
    directions, variances = np.array(parametrization.DIRECTIONS), np.diag(parametrization.VARIANCES)
    covariance = directions @ variances @ directions.T
    squared = root @ root.T
    np.testing.assert_allclose(squared / squared.trace(), covariance / covariance.trace(), atol=1e-6)
    # lucid's root, from its own sample of ImageNet, rounded there
    lucid = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    lucid /= np.linalg.norm(lucid, axis=0).max()
    np.testing.assert_allclose(squared, lucid @ lucid.T, atol=0.03)


def test_color_root_matches_the_main_color_axis_of_the_samples():
    pixels = np.concatenate(
        [
            np.asarray(Image.open(file).resize((64, 64))).reshape(-1, 3)
            for file in SAMPLES.iterdir()
            if file.suffix == ".jpg"
        ]
    )
    main = np.linalg.eigh(np.cov(pixels.T))[1][:, -1]
    assert abs(main @ parametrization.color_root()[:, 0].numpy()) > 0.99


def test_decorrelation_gives_noise_correlated_colors():
    z = random(1, 3, 64, 33, 2) / 10
    for decorrelate, low, high in ((True, 0.7, 1.0), (False, -0.2, 0.2)):
        made = parametrization.FourierImage(z, (64, 64), decorrelate).image()[0].flatten(1)
        red_to_green = float(torch.corrcoef(made)[0, 1])
        assert low < red_to_green < high


def test_pixel_image_is_normalized_and_clamped():
    z = random(1, 3, 6, 8) * 3
    made = parametrization.PixelImage(z.clone(), FEATURE_FUNCTION)
    torch.testing.assert_close(made.image(), z * STD + MEAN)
    made.clamp()
    torch.testing.assert_close(made.image(), (z * STD + MEAN).clamp(0, 1))


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_noise_is_weak_around_gray_and_seeded(kind):
    first, same, other = (parametrization.noise(FEATURE_FUNCTION, kind, seed=seed).image() for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    gray = MEAN if kind == "pixels" else 0.5
    assert 0.001 < float((first - gray).abs().mean()) < 0.1


def test_blur_of_a_fourier_image_equals_a_blur_of_its_pixels():
    z = random(1, 3, 32, 17, 2) * 0.01
    z[:, :, 0, 0] = 0
    made = parametrization.FourierImage(z.clone(), (32, 32), False)
    before = made.image().logit()
    made.blur(1.2)
    expected = parametrization.blur(before.repeat(1, 1, 3, 3), 1.2)[:, :, 32:64, 32:64]  # waves repeat at the edges
    torch.testing.assert_close(made.image().logit(), expected, atol=3e-3 * float(before.std()), rtol=0)
    assert made.image().std() < before.sigmoid().std() * 0.9


def test_blur_equals_the_gaussian_weighted_mean():
    x = random(1, 2, 9, 11)
    weights = np.exp(-0.5 * (np.arange(-3, 4) / 0.9) ** 2)
    weights /= weights.sum()
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="reflect")
    expected = np.zeros(x.shape)
    for row in range(9):
        for column in range(11):
            expected[:, :, row, column] = np.einsum(
                "bchw,h,w->bc", padded[:, :, row : row + 7, column : column + 7], weights, weights
            )
    np.testing.assert_allclose(parametrization.blur(x, 0.9).numpy(), expected, atol=1e-12)


def test_total_variation_of_known_images():
    x = torch.tensor([[[[0.0, 1.0], [3.0, 7.0]]]], dtype=torch.float64)  # 3 downwards, 1 to the right
    assert float(total_variation(x, 2)) == pytest.approx(10)
    assert float(total_variation(x, 1)) == pytest.approx(math.sqrt(10))
    stripes = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    stripes[:, :, 1] = 2  # only over the height
    assert float(total_variation(stripes, 2)) == pytest.approx(4)
    assert float(total_variation(stripes.transpose(2, 3), 2)) == pytest.approx(4)  # only over the width
    channels = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    channels[:, 1] = 5  # two flat channels that differ
    assert float(total_variation(channels, 2)) == pytest.approx(0, abs=1e-9)


def test_correlation_equals_numpy():
    a, b = (np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8) for seed in (1, 2))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert correlation(a, a) == pytest.approx(1) and correlation(a, 255 - a) == pytest.approx(-1)
    assert correlation(a, np.full_like(a, 7)) == 0


def test_transforms_shift_rotate_and_zoom():
    x = random(1, 3, 6, 8)
    torch.testing.assert_close(transformed(x, 0, 0, 0, 1), x)
    torch.testing.assert_close(transformed(x, 2, -1, 0, 1)[:, :, 2:, :-1], x[:, :, :-2, 1:])
    square = random(1, 3, 8, 8)
    torch.testing.assert_close(transformed(square, 0, 0, math.pi / 2, 1), square.rot90(1, (2, 3)))
    ramp = torch.linspace(-7, 7, 8, dtype=torch.float64).expand(1, 1, 6, 8)
    torch.testing.assert_close(transformed(ramp, 0, 0, 0, 2), ramp / 2)


def test_rotation_of_a_rectangular_image_keeps_shapes():
    row, column = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(41.0) - 20, indexing="ij")
    disc = torch.sigmoid(2 * (6 - torch.hypot(row, column)))[None, None].double()
    near = torch.hypot(row, column) < 9  # behind the edge its mirror image begins
    turned = transformed(disc, 0, 0, 0.7, 1)
    torch.testing.assert_close(turned[..., near], disc[..., near], atol=0.06, rtol=0)
    bar = torch.zeros(1, 1, 21, 41, dtype=torch.float64)
    bar[..., 10, 14:27] = 1
    turned = transformed(bar, 0, 0, math.pi / 2, 1)
    assert float(turned[..., 4:17, 20].mean()) > 0.95 and float(turned[..., 10, :19].abs().max()) < 0.05


def test_maximize_equals_gradient_ascent_by_hand():
    z = random(1, 3, 6, 8) * 0.1
    target = random(1, 3, 6, 8) * 0.1

    def closeness(image):
        return -((image - MEAN) / STD - target).square().sum()[None] / 2  # its gradient by z is target - z

    expected = z.clone()
    for step in range(1, 4):
        gradient = target - expected
        gradient *= min(1, 0.5 / float(gradient.norm()))
        expected = expected + 0.1 * (gradient - 0.3 * expected)
        if step == 2:
            expected = parametrization.blur(expected, 0.8)
    values = []
    made = maximize(
        parametrization.PixelImage(z.clone(), FEATURE_FUNCTION),
        closeness,
        torch.optim.SGD,
        steps=3,
        rate=0.1,
        weight_decay=0.3,
        blur=0.8,
        every=2,
        clipping=0.5,
        progress=lambda done, total, image, value: values.append((done, total, value)),
    )
    torch.testing.assert_close(made, expected * STD + MEAN, atol=1e-9, rtol=0)
    assert [value[:2] for value in values] == [(1, 3), (2, 3), (3, 3)]
    assert values[0][2] == pytest.approx(-float((z - target).square().sum()) / 2)
