import re

import numpy as np
import pytest

from camviz import figures, render
from camviz.errors import CamvizError
from camviz.text import percent


def plain(text):
    return re.sub(r"<.*?>|\u25b8", " ", text).split()


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "<0.1%"), (0.0009, "<0.1%"), (0.001, "0.1%"), (0.9534, "95.3%"), (0.9996, ">99.9%")],
)
def test_percent_never_claims_certainty(probability, text):
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.5, "50.0%"), (0.9996, ">99.9%"), (1, "100%"), (2.5, "250.0%")],
)
def test_percent_of_a_counted_share_may_be_none_or_all(share, text):
    assert percent(share, exact=True) == text


def test_percent_rounds_to_whole_numbers_in_sentences():
    assert [percent(p, 0) for p in (0.0004, 0.004, 0.01, 0.957)] == ["<0.1%", "0.4%", "1%", "96%"]
    assert [percent(p, 0) for p in (0.994, 0.996, 1)] == ["99%", "99.6%", ">99.9%"]


def test_figures_are_transparent_and_take_the_given_ink():
    figure = figures.correlation_heatmap(np.eye(1), ["a"], ink="#123456")
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert figure.layout.font.color == "#123456"
    assert figures.correlation_heatmap(np.eye(1), ["a"]).layout.font.color is None


def test_correlation_heatmap_has_numbers_and_a_fixed_scale():
    matrix = np.array([[1, -0.25], [-0.25, 1]])
    figure = figures.correlation_heatmap(matrix, ["Grad-CAM", "<i> & a layer with.a.very_long.name.of.its_own"])
    cells = figure.data[0]
    np.testing.assert_array_equal(cells.z, matrix)
    assert (cells.zmin, cells.zmax, cells.texttemplate) == (-1, 1, "%{z:.2f}")
    assert figure.layout.xaxis.ticktext == ("1", "2")
    first, second = figure.layout.yaxis.ticktext
    assert first == "1 Grad-CAM"
    assert second.startswith("2 &lt;i&gt; &amp; a layer") and "".join(plain(second)).endswith("name.of.its_own")
    with pytest.raises(CamvizError, match=r"\(3, 3\)"):
        figures.correlation_heatmap(matrix, ["a", "b", "c"])


@pytest.mark.parametrize("name", render.COLOR_MAPS)
def test_color_bar_runs_through_the_color_map(name):
    bar = figures.color_bar(name, "none", "most", "for <espresso>")
    stops = np.array(re.findall(r"rgb\((\d+), (\d+), (\d+)\)", bar), int)
    np.testing.assert_array_equal(stops, render.color_table(name)[::15])
    np.testing.assert_array_equal(stops[-1], render.color_table(name)[255])
    assert 'aria-label="Color bar: for &lt;espresso&gt;, from none to most"' in bar and "<espresso>" not in bar


def test_the_class_map_has_a_letter_a_color_and_a_share_for_each_class():
    categories = np.array([[3, 3, 0], [3, 1, 0]])
    figure = figures.class_map(categories, ["cup", "<pot>", "bowl", "espresso"])
    assert [trace.name for trace in figure.data] == [
        "A espresso: 50.0% of the places",
        "B cup: 33.3% of the places",
        "C &lt;pot&gt;: 16.7% of the places",
    ]
    np.testing.assert_array_equal(figure.data[0].z, [[1, 1, np.nan], [1, np.nan, np.nan]])
    assert [list(row) for row in figure.data[0].text] == [["A", "A", "B"], ["A", "C", "B"]]
    assert figure.data[0].customdata[1][1] == "&lt;pot&gt;"


def test_the_class_map_gives_rare_classes_one_color():
    figure = figures.class_map(np.arange(12).reshape(3, 4), [f"class {index}" for index in range(12)])
    assert [trace.name for trace in figure.data][-1] == "H 5 other classes: 41.7% of the places"
    assert len(figure.data) == 8 and np.nansum(figure.data[-1].z) == 5
