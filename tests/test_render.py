import warnings

import numpy as np
import pytest
from plotly import colors

from camviz import render
from camviz.errors import CamvizError

VIEW = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
PIXELS = np.random.default_rng(2).normal(size=(3, 12, 20)).astype(np.float32)
MAP = np.random.default_rng(3).normal(size=(3, 5)).astype(np.float32)
SIZE = (12, 20)
for array in (VIEW, PIXELS, MAP):
    array.flags.writeable = False  # every test also shows that nothing is changed


def upsample_by_loop(values, size):
    (h, w), (H, W) = values.shape, size
    out = np.zeros(size)
    for i in range(H):
        for j in range(W):
            y = min(max((i + 0.5) * h / H - 0.5, 0), h - 1)
            x = min(max((j + 0.5) * w / W - 0.5, 0), w - 1)
            y0, x0 = int(y), int(x)
            y1, x1, a, b = min(y0 + 1, h - 1), min(x0 + 1, w - 1), y - y0, x - x0
            top = values[y0, x0] * (1 - b) + values[y0, x1] * b
            bottom = values[y1, x0] * (1 - b) + values[y1, x1] * b
            out[i, j] = top * (1 - a) + bottom * a
    return out


def test_upsample_equals_bilinear_interpolation():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where it is given read-only memory
        result = render.upsample(MAP, SIZE)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, upsample_by_loop(MAP.astype(np.float64), SIZE), atol=1e-6)
    np.testing.assert_array_equal(render.upsample(MAP[::-1], MAP.shape), MAP[::-1])
    with pytest.raises(CamvizError, match=r"shape \(h, w\)"):
        render.upsample(PIXELS, SIZE)


def test_minmax_scales_clips_and_never_divides_by_zero():
    values = np.array([-2.0, 0.0, 2.0])
    np.testing.assert_allclose(render.minmax(values), [0, 0.5, 1])
    np.testing.assert_allclose(render.minmax(values, 0, 4), [0, 0, 0.5])
    np.testing.assert_allclose(render.minmax(values, high=0), [0, 1, 1])
    np.testing.assert_allclose(render.minmax(values * 1e-30), [0, 0.5, 1])
    for flat in (np.full(3, 0.1), np.zeros(3), np.full(3, -7)):
        np.testing.assert_array_equal(render.minmax(flat), [0, 0, 0])
    for bad in (np.nan, np.inf):
        with pytest.raises(CamvizError, match="not finite"):
            render.minmax(np.array([0.0, bad]))


def test_color_scales_all_channels_jointly():
    gradient = np.array([[[-1.0, 0.0]], [[1.0, 0.0]], [[0.5, 3.0]]], np.float32)  # (3, 1, 2)
    expected = np.array([[[0, 0.5, 0.375], [0.25, 0.25, 1]]]) * 255
    np.testing.assert_array_equal(render.color(gradient), np.rint(expected))


def test_grayscale_clips_at_the_percentile():
    strength = np.abs(PIXELS.astype(np.float64)).sum(axis=0)
    top = np.percentile(strength, 90)
    expected = np.clip((strength - strength.min()) / (top - strength.min()), 0, 1)
    np.testing.assert_allclose(render.grayscale(PIXELS, 90), expected, atol=1e-6)
    plain = (strength - strength.min()) / (strength.max() - strength.min())
    np.testing.assert_allclose(render.grayscale(PIXELS, 100), plain, atol=1e-6)
    assert (render.grayscale(PIXELS) == 1).sum() == 3  # the top hundredth of 240 pixels
    for bad in (0, 101):
        with pytest.raises(CamvizError, match="percentile"):
            render.grayscale(PIXELS, bad)


def test_grayscale_of_very_few_pixels_is_not_blank():
    sparse = np.zeros((3, 40, 40), np.float32)
    sparse[0, 5, 5], sparse[1, 6, 6] = 2, -1
    gray = render.grayscale(sparse)
    assert (gray[5, 5], gray[6, 6], gray.sum()) == (1, 0.5, 1.5)
    assert render.peak(sparse, (40, 40)) == 2


def test_positive_and_negative_saliency():
    gradient = np.array([[[-1.0, 0.0]], [[2.0, 0.0]], [[-4.0, 1.0]]], np.float32)
    np.testing.assert_allclose(render.positive(gradient), [[[0, 1, 0], [0, 0, 0.5]]])
    np.testing.assert_allclose(render.negative(gradient), [[[0.25, 0, 1], [0, 0, 0]]])
    np.testing.assert_array_equal(render.positive(-np.abs(PIXELS)), np.zeros((12, 20, 3)))
    np.testing.assert_array_equal(render.negative(np.abs(PIXELS)), np.zeros((12, 20, 3)))


def test_heatmap_is_upsampled_then_clipped_then_scaled():
    positive = upsample_by_loop(MAP.astype(np.float64), SIZE).clip(0)
    np.testing.assert_allclose(render.heatmap(MAP, SIZE), positive / positive.max(), atol=1e-6)
    above = np.array([[1.0, 2.0]], np.float32)
    np.testing.assert_allclose(render.heatmap(above, (1, 2)), [[0, 1]])


@pytest.mark.parametrize("values", [0.1, 0.7, 1e-9, 0.0, -3.0])
def test_heatmap_of_a_constant_map_is_zero(values):
    flat = np.full((7, 7), values, np.float32)  # 0.1 upsampled is not constant to the last bit
    np.testing.assert_array_equal(render.heatmap(flat, (224, 200)), np.zeros((224, 200)))


def test_heatmap_of_a_negative_map_is_zero():
    np.testing.assert_array_equal(render.heatmap(-np.abs(MAP) - 0.1, SIZE), np.zeros(SIZE))
    assert render.peak(-np.abs(MAP), SIZE) == 0


def test_heatmap_of_a_pixel_attribution_is_its_grayscale():
    np.testing.assert_array_equal(render.heatmap(PIXELS, SIZE, 95), render.grayscale(PIXELS, 95))


@pytest.mark.parametrize("attribution", [PIXELS, MAP])
def test_shared_scale_keeps_proportions(attribution):
    high = max(render.peak(attribution, SIZE), render.peak(attribution * 4, SIZE))
    assert high == pytest.approx(4 * render.peak(attribution, SIZE))
    small = render.heatmap(attribution, SIZE, high=high)
    large = render.heatmap(attribution * 4, SIZE, high=high)
    unclipped = large < 1
    np.testing.assert_allclose(large[unclipped], small[unclipped] * 4, atol=1e-6)
    assert large.max() == 1 and unclipped.mean() > 0.9
    np.testing.assert_array_equal(render.heatmap(attribution, SIZE, high=0), np.zeros(SIZE))


def test_attributions_of_another_shape_are_refused():
    for shape in ((2, 4, 4), (1, 3, 4, 4), (4,)):
        with pytest.raises(CamvizError, match=r"\(3, H, W\) or \(h, w\)"):
            render.heatmap(np.zeros(shape, np.float32), (4, 4))
    with pytest.raises(CamvizError, match=r"\(3, H, W\)"):
        render.color(MAP)


def test_signed_keeps_zero_and_sign():
    values = np.array([[-2.0, 0.0, 1.0]], np.float32)
    np.testing.assert_allclose(render.signed(values, (1, 3)), [[-1, 0, 0.5]])
    np.testing.assert_allclose(render.signed(values, (1, 3), high=4), [[-0.5, 0, 0.25]])
    np.testing.assert_array_equal(render.signed(values * 0, (1, 3)), [[0, 0, 0]])
    total = PIXELS.astype(np.float64).sum(axis=0)
    expected = (total / np.percentile(np.abs(total), 99)).clip(-1, 1)
    np.testing.assert_allclose(render.signed(PIXELS, SIZE), expected, atol=1e-6)


def test_diverging_colors_are_pale_at_zero():
    negative, zero, positive = render.diverging(np.array([[-1.0, 0.0, 1.0]]))[0].astype(int)
    assert zero.min() > 240
    assert negative[2] > negative[0] + 40  # blue
    assert positive[0] > positive[2] + 40  # red


def test_color_maps_equal_plotly():
    first, *_, last = render.COLOR_MAPS
    assert (first, last) == ("cividis", "jet")
    for name, plotly_name in [("cividis", "cividis"), ("viridis", "viridis"), ("blue-red", "rdbu_r"), ("jet", "jet")]:
        for place in (0, 255):
            sampled = colors.sample_colorscale(plotly_name, [place / 255], colortype="tuple")[0]
            np.testing.assert_allclose(render.color_table(name)[place], np.array(sampled) * 255, atol=1)
    np.testing.assert_array_equal(render.color_table("gray"), np.arange(256)[:, None].repeat(3, axis=1))
    lightness = render.color_table("cividis") @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()


def test_colorize_uses_256_colors_and_suggests_names():
    heat = np.array([[0.0, 0.5, 1.0]], np.float32)
    np.testing.assert_array_equal(render.colorize(heat, "jet")[0], render.color_table("jet")[[0, 128, 255]])
    with pytest.raises(CamvizError, match="did you mean 'cividis'"):
        render.colorize(heat, "cividiss")
    with pytest.raises(ValueError, match="read-only"):
        render.color_table("jet")[0] = 0  # it is shared by every visitor


def test_overlay_opacity_grows_with_the_heatmap():
    heat = render.heatmap(MAP, SIZE)
    np.testing.assert_array_equal(render.overlay(VIEW, heat, 0), VIEW)
    line, edge = render.contour(heat)
    over = render.overlay(VIEW, heat, 0.3, "jet")
    assert (over[line] == 255).all()
    alpha = 0.3 * heat.astype(float)[:, :, None] ** 1.3
    warm = render.colorize(0.35 + 0.65 * heat, "jet").astype(float)
    np.testing.assert_array_equal(over[~edge], np.rint((1 - alpha) * VIEW + alpha * warm)[~edge])
    np.testing.assert_array_equal(over[(heat == 0) & ~edge], VIEW[(heat == 0) & ~edge])
    with pytest.raises(CamvizError, match="opacity"):
        render.overlay(VIEW, heat, 1.5)
    with pytest.raises(CamvizError, match="same size"):
        render.overlay(VIEW, heat.T)


def test_contour_encloses_half_of_the_mass():
    rows, columns = np.mgrid[-1:1:200j, -1:1:200j]
    heat = np.exp(-(rows**2 + columns**2) / 0.18).astype(np.float32)  # a Gaussian of sigma 0.3
    line, edge = render.contour(heat)
    distance = np.hypot(rows, columns)[line]
    np.testing.assert_allclose(distance, 0.3 * np.sqrt(2 * np.log(2)), atol=0.02)  # the radius of half of its mass
    assert (edge & ~line).any() and edge[line].all()
    inside = heat >= render.half_of_the_mass(heat)
    assert heat[inside].sum() / heat.sum() == pytest.approx(0.5, abs=0.01)
    assert not render.contour(np.zeros((9, 9), np.float32))[0].any()
    speckled = heat * np.random.default_rng(0).integers(0, 2, heat.shape).astype(np.float32)
    assert render.contour(speckled)[0].sum() < 3 * line.sum()  # one outline, and not one for each pixel


def test_masked_is_the_image_times_the_heatmap():
    view = np.full((1, 3, 3), 200, np.uint8)
    masked = render.masked(view, np.array([[0.0, 0.5, 1.0]], np.float32))
    np.testing.assert_array_equal(masked[0, :, 0], [0, 100, 200])
    with pytest.raises(CamvizError, match="same size"):
        render.masked(view, np.zeros((3, 1), np.float32))


def test_views_equal_the_drawing_functions():
    heat = render.heatmap(PIXELS, SIZE, 95)
    expected = {
        "Color": render.color(PIXELS),
        "Grayscale": np.rint(render.grayscale(PIXELS, 95) * 255)[:, :, None].repeat(3, axis=2),
        "Positive": np.rint(render.positive(PIXELS) * 255),
        "Negative": np.rint(render.negative(PIXELS) * 255),
        "Overlay": render.overlay(VIEW, heat, 0.4, "jet"),
    }
    assert_views(render.views(PIXELS, VIEW, 0.4, "jet", 95), expected, "pixel")
    heat = render.heatmap(MAP, SIZE)
    expected = {
        "Overlay": render.overlay(VIEW, heat, 0.4, "jet"),
        "Heatmap": render.colorize(heat, "jet"),
        "Masked image": render.masked(VIEW, heat),
    }
    assert_views(render.views(MAP, VIEW, 0.4, "jet"), expected, "map")


def assert_views(drawn, expected, kind):
    assert list(drawn) == list(expected) == list(render.VIEWS[kind])
    for name, image in drawn.items():
        assert image.dtype == np.uint8 and image.shape == (12, 20, 3), name
        np.testing.assert_array_equal(image, expected[name], err_msg=name)
