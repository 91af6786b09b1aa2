import numpy as np
import pytest

from camviz import figures
from camviz.errors import CamvizError
from camviz.text import percent


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
def test_percent_of_a_count_may_be_0_or_100(share, text):
    assert percent(share, exact=True) == text


def test_percent_rounds_to_whole_numbers_in_sentences():
    assert [percent(p, 0) for p in (0.0004, 0.004, 0.01, 0.957)] == ["<0.1%", "0.4%", "1%", "96%"]
    assert [percent(p, 0) for p in (0.994, 0.996, 1)] == ["99%", "99.6%", ">99.9%"]


def test_correlation_matrix_has_numbers_and_a_fixed_color_scale():
    matrix = np.array([[1, -0.25], [-0.25, 1]])
    table = figures.correlation_matrix(matrix, ["Grad-CAM", "<i> & a layer"])
    assert [[cell.text for cell in row] for row in table.cells] == [["1.00", "-0.25"], ["-0.25", "1.00"]]
    assert table.rows == ("1 Grad-CAM", "2 <i> & a layer") and table.columns == ("1", "2")
    assert table.cells[0][1].tooltip == "Grad-CAM · <i> & a layer"
    assert table.cells[0][0].color == figures.AGREEMENT[-1]  # red at 1
    assert table.cells[0][1].color == "rgb(196,222,234)"  # halfway from white to the paler blue
    with pytest.raises(CamvizError, match=r"\(3, 3\)"):
        figures.correlation_matrix(matrix, ["a", "b", "c"])


def test_class_map_has_letter_color_and_share_of_each_class():
    categories = np.array([[3, 3, 0], [3, 1, 0]])
    table = figures.class_map(categories, ["cup", "<pot>", "bowl", "espresso"])
    assert [str(sentence) for _, sentence in table.legend] == [
        "A espresso: 50.0% of the places",
        "B cup: 33.3% of the places",
        "C <pot>: 16.7% of the places",
    ]
    assert [[cell.text for cell in row] for row in table.cells] == [["A", "A", "B"], ["A", "C", "B"]]
    assert table.cells[1][1] == figures.Cell("C", figures.KINDS[2], "<pot>")
    assert [color for color, _ in table.legend] == figures.KINDS[:3]


def test_class_map_groups_rare_classes():
    table = figures.class_map(np.arange(12).reshape(3, 4), [f"class {index}" for index in range(12)])
    assert str(table.legend[-1][1]) == "H 5 other classes: 41.7% of the places"
    cells = [cell for row in table.cells for cell in row]
    assert len(table.legend) == 8 and [cell.color for cell in cells].count(figures.KINDS[-1]) == 5
    assert cells[-1].tooltip == "class 11"
