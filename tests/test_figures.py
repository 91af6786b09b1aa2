import re
from dataclasses import dataclass

import numpy as np
import pytest

from camviz import figures, render
from camviz.errors import CamvizError


@dataclass
class Prediction:
    index: int
    label: str
    probability: float


PREDICTIONS = [
    Prediction(967, "espresso", 0.9534),
    Prediction(7, "American Staffordshire terrier, Staffordshire terrier, American pit bull terrier", 0.031),
    Prediction(3, "cup <b>& saucer</b>", 0.0004),
]


def plain(text):
    return re.sub(r"<.*?>|\u25b8", " ", text).split()


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "under 0.1 %"), (0.0009, "under 0.1 %"), (0.001, "0.1 %"), (0.9534, "95.3 %"), (0.9996, "over 99.9 %")],
)
def test_percent_never_claims_certainty(probability, text):
    assert figures.percent(probability) == text


def test_bars_have_the_probability_as_length_and_the_class_as_click():
    figure = figures.prediction_bars(PREDICTIONS, chosen=7)
    rows = [bar for bar in figure.data if bar.customdata is not None]
    assert [bar.customdata[0] for bar in rows] == [967, 7, 3]
    bars = [bar for bar in figure.data if bar.marker.color in (figures.PLAIN, figures.CHOSEN)]
    assert [bar.x[0] for bar in bars] == [0.9534, 0.031, 0.0004]
    assert [bar.marker.color for bar in bars] == [figures.PLAIN, figures.CHOSEN, figures.PLAIN]
    assert {bar.hoverinfo for bar in figure.data if bar.customdata is None} == {"skip"}  # clicks reach the row


def test_labels_are_whole_escaped_and_marked_not_only_by_colour():
    figure = figures.prediction_bars(PREDICTIONS, chosen=7)
    labels = [note.text for note in figure.layout.annotations if note.x == 0]
    assert plain(labels[1]) == PREDICTIONS[1].label.split()
    assert labels[2] == "cup &lt;b&gt;&amp; saucer&lt;/b&gt;"
    assert ["\u25b8" in label for label in labels] == [False, True, False]
    assert [note.text for note in figure.layout.annotations if note.x == 1] == ["95.3 %", "3.1 %", "under 0.1 %"]


def test_rows_leave_room_for_every_line():
    figure = figures.prediction_bars(PREDICTIONS)
    rows = [bar for bar in figure.data if bar.customdata is not None]
    tops = [bar.y[0] - bar.width / 2 for bar in rows] + [rows[-1].y[0] + rows[-1].width / 2]
    labels = [note for note in figure.layout.annotations if note.x == 0]
    bars = [bar for bar in figure.data if bar.marker.color == figures.PLAIN]
    assert [note.y for note in labels] == tops[:-1]
    for label, bar, below in zip(labels, bars, tops[1:], strict=True):
        lines = label.text.count("<br>") + 1
        assert bar.y[0] - bar.width / 2 >= label.y + 18 * lines
        assert bar.y[0] + bar.width / 2 < below
    assert figure.layout.height >= tops[-1] == figure.layout.yaxis.range[0]


def test_figures_are_transparent_and_take_the_given_ink():
    for figure in (
        figures.prediction_bars(PREDICTIONS, ink="#123456"),
        figures.correlation_heatmap(np.eye(1), ["a"], ink="#123456"),
    ):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
        assert figure.layout.font.color == "#123456"
    assert figures.prediction_bars(PREDICTIONS).layout.font.color is None


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


@pytest.mark.parametrize("name", render.COLOUR_MAPS)
def test_colour_bar_runs_through_the_colour_map(name):
    bar = figures.colour_bar(name, "none", "most", "for <espresso>")
    stops = np.array(re.findall(r"rgb\((\d+), (\d+), (\d+)\)", bar), int)
    np.testing.assert_array_equal(stops, render.colour_table(name)[::15])
    np.testing.assert_array_equal(stops[-1], render.colour_table(name)[255])
    assert 'aria-label="Colour bar: for &lt;espresso&gt;, from none to most"' in bar and "<espresso>" not in bar
