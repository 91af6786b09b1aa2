"""Colors of maps and charts under red-green color vision deficiency, by the model of Machado et al. (2009)."""

import itertools
import re

import numpy as np
import pytest

from camviz import figures, render
from camviz.ui.widgets import charts

VISION = {
    "usual": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
PAGES = ("#ffffff", "#171614")  # light and dark


def linear(colors):
    """Convert colors, '#rrggbb' or 'rgb(r,g,b)' or numbers of 0 to 255, to linear RGB (n, 3)."""

    def numbers(color):
        if not isinstance(color, str):
            return list(color)
        if color.startswith("#"):
            return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
        return [int(value) for value in re.findall(r"\d+", color)]

    c = np.array([numbers(color) for color in colors]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(colors, vision):
    """Return CIE Lab (n, 3) of the colors for a kind of color vision."""
    xyz = (linear(colors) @ np.array(VISION[vision]).T).clip(0, 1) @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def least_distance(colors, vision, pairs=None):
    """Return the least distance of two colors; 2 is just visible side by side, 10 at a glance."""
    seen = lab(colors, vision)
    every = pairs or itertools.combinations(range(len(seen)), 2)
    return min(float(np.linalg.norm(seen[a] - seen[b])) for a, b in every)


def contrast(a, b):
    """Return the WCAG contrast ratio of two colors."""
    high, low = sorted(linear([a, b]) @ TO_XYZ[1], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_color_distances_of_known_colors():
    assert lab(["#ffffff"], "usual")[0] == pytest.approx([100, 0, 0], abs=0.1)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert (
        least_distance(["#ff0000", "#00b400"], "usual")
        > 100
        > 60
        > least_distance(["#c80000", "#7a6a00"], "deuteranopia")
    )


@pytest.mark.parametrize("vision", VISION)
def test_cividis_rises_in_lightness_for_every_vision(vision):
    lightness = lab(render.color_table("cividis"), vision)[:, 0]
    assert np.all(np.diff(lightness[::8]) > 0) and lightness[-1] - lightness[0] > 70


@pytest.mark.parametrize("vision", VISION)
def test_colors_of_classes_signs_and_correlations_are_distinct(vision):
    assert least_distance(figures.KINDS, vision) > 10
    steps = len(figures.AGREEMENT)
    assert least_distance(figures.AGREEMENT, vision, list(itertools.pairwise(range(steps)))) > 15
    assert least_distance([figures.AGREEMENT[0], figures.AGREEMENT[-1]], vision) > 45
    signs = render.diverging(np.array([[-1.0, -0.5, 0.0, 0.5, 1.0]]))[0]
    assert least_distance(signs, vision) > 30


def test_lines_have_distinct_dashes_and_contrast():
    assert len(set(charts.DASHES)) == len(charts.OTHERS)
    assert all(least_distance((charts.STRONG, *charts.OTHERS), vision) > 8 for vision in VISION)
    for color in (charts.STRONG, *charts.OTHERS):
        assert min(contrast(color, page) for page in PAGES) >= 3, color
