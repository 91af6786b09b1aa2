"""The report: one self-contained file with the explanation's numbers and escaped text."""

import base64
import dataclasses
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

import camviz
from camviz import captions, encode, images, render, report, scores
from camviz.explanation.explanation import Explanation
from camviz.models import Prediction, Weights

HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>.jpg'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A parsed page: elements with their attributes, text, table cells, code; every element must be closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.cells, self.code = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)
        if self.open and self.open[-1] == "pre":
            self.code.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def decoded(attributes):
    kind, _, data = attributes["src"].partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def assert_self_contained(page):
    """Check that no element or style runs code or loads a file."""
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "p", "div", "figure", "figcaption"),
        *("img", "table", "thead", "tbody", "tr", "th", "td", "pre", "footer", "a"),
    }
    for tag, attributes in page.elements:
        assert set(attributes) <= {"lang", "charset", "http-equiv", "content", "name", "class", "src", "alt", "href"}
        assert "src" not in attributes or attributes["src"].startswith("data:image/jpeg;base64,")
        assert "href" not in attributes or tag == "a"
    assert "url(" not in report.STYLE and "@import" not in report.STYLE
    assert any("default-src 'none'" in attributes.get("content", "") for attributes in page.all("meta"))


@pytest.fixture(scope="module")
def e(lite0, coffee):
    return camviz.explain(lite0, coffee, "grad_cam")


@pytest.fixture(scope="module")
def page(lite0, coffee, e):
    sections = report.explanation_sections(e, lite0.predict(coffee), "coffee.jpg")
    return Page(report.to_html("Why espresso?", sections, "http://localhost:8501/?method=grad_cam&img=sample:coffee"))


def test_report_is_self_contained_and_every_image_has_alt_text(page):
    assert_self_contained(page)
    assert page.all("html") == [{"lang": "en"}]
    assert all(len(image["alt"]) > 10 for image in page.all("img"))
    assert "@media print" in report.STYLE


def test_report_images_are_the_view_and_every_view_of_the_map(page, e):
    expected = [
        e.view,
        *(render.views(e.attribution, e.view)[name] for name in ("Overlay", "Heatmap", "Masked image")),
    ]
    found = page.all("img")
    assert len(found) == len(expected)
    for attributes, rgb in zip(found, expected, strict=True):
        np.testing.assert_array_equal(decoded(attributes), Image.open(io.BytesIO(encode.jpeg(rgb))))


def test_report_numbers_are_those_of_the_explanation(page, e, lite0, coffee):
    rows = dict(zip(page.cells[::2], page.cells[1::2], strict=True))
    for one in lite0.predict(coffee):
        assert rows[one.label] == f"{100 * one.probability:.1f}%" or one.probability < 0.001
    assert rows["probability"] == rows["espresso"] == "95.7%"
    assert float(rows["largest value"]) == pytest.approx(e.attribution.max(), rel=1e-5)
    assert float(rows["smallest value"]) == pytest.approx(e.attribution.min(), rel=1e-5)
    assert float(rows["sum"]) == pytest.approx(e.attribution.sum(dtype=float), rel=1e-5)
    assert (
        rows["layer"] == "bn2"
        and rows["settings"] == "counterfactual: False"
        and rows["explained"] == "espresso (logit(c=967))"
    )
    assert rows["passes"] == "1 forward, 1 backward" and rows["image's sha256"] == e.question.image.digest


def test_report_contains_captions_and_reproducing_code(page, e, monkeypatch, coffee):
    text = "".join(page.text)
    assert captions.reading(e, Prediction(967, "espresso", e.probability)) in text
    assert f"Limitations: {captions.caution(e)}" in text
    assert f"camviz {camviz.__version__}, torch {torch.__version__}" in text
    assert page.all("a") == [{"href": "http://localhost:8501/?method=grad_cam&img=sample:coffee"}]
    snippet, recipe = page.code
    monkeypatch.chdir(coffee.parent)
    scope = {}
    exec(snippet, scope)
    np.testing.assert_array_equal(scope["explanation"].attribution, e.attribution)
    np.testing.assert_array_equal(camviz.explain(**json.loads(recipe)).attribution, e.attribution)


def test_report_escapes_every_name(lite0, coffee, e):
    model = dataclasses.replace(lite0, name=HOSTILE, weights=Weights("file", HOSTILE), categories=(HOSTILE,) * 1000)
    question = e.question.replace(model=model, layers=(HOSTILE,), settings={"counterfactual": HOSTILE})
    hostile = Explanation(question, dataclasses.replace(e.result, notes=(HOSTILE,)))
    (first, *_) = lite0.predict(coffee)
    sections = report.explanation_sections(hostile, [dataclasses.replace(first, label=HOSTILE)], HOSTILE)
    maps = report.comparison_sections({HOSTILE: hostile}, {HOSTILE: e.view}, {HOSTILE: HOSTILE}, [[HOSTILE], [HOSTILE]])
    link = f"http://localhost/?x={HOSTILE}"
    page = Page(report.to_html(HOSTILE, [*sections, *maps, report.Section(HOSTILE, [HOSTILE], code=[HOSTILE])], link))
    assert_self_contained(page)
    assert "".join(page.text).count(HOSTILE) > 12
    assert page.all("img")[0]["alt"] == f"{HOSTILE}, as the model sees it"
    assert page.all("a") == [{"href": link}]


def test_report_of_several_maps_contains_correlations(lite0, coffee, e):
    other = camviz.explain(lite0, coffee, "vanilla_backprop", scores.contrast(967, 968))
    maps = {"1. late": e, "2. pixels": other}
    shown = {name: render.overlay(one.view, one.heatmap) for name, one in maps.items()}
    agreement = [["map", "1", "2"], ["1. late", "1.00", "0.25"], ["2. pixels", "0.25", "1.00"]]
    sections = report.comparison_sections(maps, shown, dict.fromkeys(maps, "coffee.jpg"), agreement)
    page = Page(report.to_html("Two", sections))
    assert_self_contained(page)
    for attributes, rgb in zip(page.all("img"), shown.values(), strict=True):
        np.testing.assert_array_equal(decoded(attributes), Image.open(io.BytesIO(encode.jpeg(rgb))))
    text = "".join(page.text)
    assert "1. late: espresso 95.7%" in text and "espresso rather than cup" in text
    assert captions.caution(e) in text and captions.caution(other) in text
    assert "Heatmaps can agree and still be wrong." in text and "0.25" in page.cells
    assert text.count("import camviz") == 2 and "camviz.scores.contrast(967, 968)" in text
    assert page.all("a") == []


def test_empty_parts_are_left_out():
    page = Page(report.to_html("Empty", [report.Section("Nothing")]))
    assert [tag for tag in ("img", "table", "pre", "div", "a") if page.all(tag)] == []


def test_report_notes_an_empty_map(lite0):
    flat = Image.new("RGB", (64, 64), "gray")
    e = camviz.explain(lite0, flat, target=lambda class_scores: class_scores[:, 0])
    e = dataclasses.replace(e, result=dataclasses.replace(e.result, notes=("The map is empty.",)))
    page = Page(report.to_html("Flat", report.explanation_sections(e, lite0.predict(flat), "flat.png")))
    assert "The map is empty." in "".join(page.text) and "nan" not in page.cells
    assert images.digest(flat) in page.cells
    assert page.code == [] and "your own score" in "".join(page.text)


def test_chart_is_drawn_to_scale():
    lines = {"<map>": ([0, 0.5, 1], [1.0, 0.0, -1.0]), "random": ([0, 1], [0.5, 2.0])}
    chart = report.Chart(lines, "share of pixels", "probability", "Two lines of <map>")
    page = Page(report.to_html("Chart", [report.Section("Curves", charts=[chart])]))
    assert (chart.low, chart.high) == (-1, 2)
    drawn = page.all("polyline")
    assert [line["points"] for line in drawn] == [
        "40.0,83.3 310.0,156.7 580.0,230.0",  # 2 is at the top, 10, and -1 at the bottom, 230
        "40.0,120.0 580.0,10.0",
    ]
    assert [line["class"] for line in drawn] == ["line-0", "line-1"]
    assert [line["aria-label"] for line in page.all("svg") if "aria-label" in line] == ["Two lines of <map>"]
    text = "".join(page.text)
    assert all(word in text for word in ("<map>", "probability, against share of pixels", "20%", "100%"))
