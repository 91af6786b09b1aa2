"""The pages, the report and the captions in Chinese: no text is left untranslated."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import camviz
from camviz import METHODS, captions, figures, render, report
from camviz.feature_visualization import synthesize
from camviz.inspection import summary
from camviz.messages import Message
from camviz.models import Prediction, Weights
from camviz.models.layers import Layer
from camviz.registry import FAMILIES, SYNTHESES
from camviz.scores import contrast, logit
from camviz.teaching import courses, lessons, walkthroughs
from camviz.ui.inputs import dataset_input
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.results import explanations as computed
from camviz.ui.session import language
from camviz.ui.session.streamlit_internals import is_page_run
from tests import translations

ROOT = Path(__file__).parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")  # three words on end
# Proper names stay as they are.
NAMES = re.compile(r"[A-Za-z+-]*CAM(\+\+)?|FullGrad|RISE|ROAD|SmoothGrad|DeepDream")
SYMBOLS = {"alpha", "beta", "gamma", "epsilon", "Alpha", "Beta"}
# Missing translations may be shown in English: tests/pages/test_language.py warns of them.
MISSING = {text for text, _ in translations.sentences()} - language.catalog("zh").keys()


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese browser; and Chinese where no page is drawn, as AppTest asks for the labels of options after a run."""
    settled = language.current
    monkeypatch.setattr(language, "of_the_browser", lambda: "zh")
    monkeypatch.setattr(language, "current", lambda: settled() if is_page_run() else "zh")


def untranslated(texts: Iterator[str]) -> list[str]:
    """Return the texts that are not Chinese on the page, or still contain English."""
    translated = [(text, language.tr_message(text)) for text in texts if text not in MISSING]
    return [f"{text!r} -> {now!r}" for text, now in translated if not CHINESE.search(now) or ENGLISH.search(now)]


def test_missing_translation_is_shown_in_english() -> None:
    assert untranslated(iter([Message("Deletion"), "Deletion"])) == []
    assert untranslated(iter(["Nobody has said this"])) == ["'Nobody has said this' -> 'Nobody has said this'"]


# ------------------------------------------------------------------------------------------------------ the package


def test_tables_of_the_package_are_translated() -> None:
    assert untranslated(iter(walkthroughs.apply_relu_rules(torch.ones(1), torch.ones(1)))) == []
    assert untranslated(iter(FAMILIES.values())) == []
    assert untranslated(text for views in render.VIEWS.values() for one in views.items() for text in one) == []


@pytest.fixture(scope="module")
def explained() -> camviz.Explanation:
    with Image.open(ROOT / "assets" / "samples" / "coffee.jpg") as image:
        return camviz.explain(camviz.load_model("efficientnet_lite0"), image, "grad_cam")


def results(e: camviz.Explanation) -> Iterator[camviz.Explanation]:
    """Yield an explanation for every caption: methods, class and contrast, trained or not, one layer or two."""
    of_pixels = replace(e.result, attribution=np.zeros((3, *e.view.shape[:2]), np.float32))
    models = (e.question.model, replace(e.question.model, weights=Weights("random")))
    for method in METHODS.values():
        settings = method.settings({})
        result = of_pixels if method.layer == "none" else e.result
        for score, model, layers in product((logit(967), logit(5), contrast(5, 6)), models, (("b",), ("b", "c"))):
            question = e.question.replace(method=method, settings=settings, score=score, model=model)
            question = question.replace(layers=layers if method.layer == "required" else ())
            yield camviz.Explanation(question, result)
            for knob, value in (("feature_map", 3), ("counterfactual", True)):
                if knob in settings:
                    changed = question.replace(layers=layers, settings={**settings, knob: value})
                    yield camviz.Explanation(changed, result)


def test_readings_and_cautions_are_translated(explained) -> None:
    texts = {
        captions.reading(e, Prediction(967, "espresso", sure)) for e in results(explained) for sure in (0.001, 0.95)
    }
    texts |= {captions.reading(explained, Prediction(105, "koala", 0.5))}
    assert len(texts) > 40 and untranslated(iter(texts)) == []
    assert untranslated(captions.caution(e) for e in results(explained)) == []
    assert untranslated(e.facts for e in results(explained)) == []
    assert language.tr_message(captions.reading(explained, Prediction(967, explained.label, 0.953))) == (
        "模型预测为意式浓缩咖啡（95%）。突出显示的区域是支持意式浓缩咖啡的证据（层 bn2）。"
    )


def test_facts_of_syntheses_and_layers_are_translated(lite0) -> None:
    made = synthesize(lite0, "class_image", target="koala", steps=1)
    assert untranslated(iter([made.facts, Layer("a", "Conv2d", 8, 7, 7).describe(5)])) == []
    rows = summary.layer_summary(lite0, ())
    assert untranslated(iter([rows[0].name, rows[0].kind, rows[-1].name, rows[-1].kind])) == []
    names = [f"n{number}" for number in range(9)]
    table = figures.class_map(np.arange(9).reshape(3, 3), names)
    assert language.tr_message(table.legend[-1][1]) == "H 其他 2 个类别：占位置的 22.2%"


def test_report_is_translated(explained, lite0) -> None:
    chart = report.Chart(
        {Message("{name}: {area:.3f}", name=METHODS["occlusion"].title, area=0.3): ([0, 1], [0, 1])},
        Message("share of the pixels deleted"),
        Message("probability of {label}", label="cab"),
        "x",
    )
    section = report.Section(Message("Deletion and insertion"), charts=[chart])
    predictions = (camviz.models.Prediction(967, "espresso", 0.95),)
    sections = [*report.explanation_sections(explained, predictions, "coffee.jpg"), section]
    sections += report.comparison_sections(
        {"1. a": explained}, {"1. a": explained.view}, {"1. a": "b.jpg"}, [(Message("map"), "1")]
    )
    page = report.to_html(Message("Comparison of heatmaps"), sections, "https://a.org", *language.translator())
    assert page.startswith('<!DOCTYPE html>\n<html lang="zh-Hans">')
    plain = re.sub(r"<style>.*?</style>|<pre>.*?</pre>|data:image[^\"]*|<meta[^>]*>|https://\S+", "", page, flags=re.S)
    texts = [html.unescape(text) for text in re.findall(r'(?<=>)[^<>]+|(?<=alt=")[^"]+|(?<=label=")[^"]+', plain)]
    assert [text for text in texts if ENGLISH.search(text)] == []
    names = {"Grad-CAM", "espresso", "coffee.jpg", "b.jpg", "1. a", "bn2", "x", explained.question.image.digest}
    names |= {f"{lite0.name} ({lite0.weights})", f"espresso（{explained.score}）", "1. a：espresso 95.7%"}
    left = [text for text in texts if re.search("[A-Za-z]{2}", text) and not CHINESE.search(text)]
    assert {text.strip() for text in left} <= names


# ------------------------------------------------------------------------------------------------------------ lessons


def test_every_lesson_is_translated() -> None:
    for english, translated in zip(lessons.lessons(), lessons.lessons(language="zh"), strict=True):
        for name in ("title", "question", "answer"):
            assert CHINESE.search(getattr(translated, name)) and not ENGLISH.search(getattr(translated, name))
            assert not CHINESE.search(getattr(english, name))
        for view, other in zip(english.views, translated.views, strict=True):
            assert (view.page, view.settings) == (other.page, other.settings)
            assert view.label == other.label == "Open the example" or CHINESE.search(other.label)
        for prompt, other in zip(english.prompts, translated.prompts, strict=True):
            assert (prompt.key, prompt.keys) == (other.key, other.keys) == (prompt.text, prompt.options)
            for text, original in ((other.text, prompt.text), *zip(other.options, prompt.options, strict=True)):
                assert CHINESE.search(text) or (text == original and (len(text) < 3 or NAMES.fullmatch(text)))
    for course in courses.courses(lessons.lessons(language="zh"), language="zh"):
        assert CHINESE.search(course.title) and CHINESE.search(course.about)


def test_lesson_without_translation_stays_in_english(tmp_path: Path) -> None:
    (tmp_path / "1-a.toml").write_text('title = "A"\nquestion = "B"\nanswer = "C"\nanswer_zh = "丙"\n[[view]]\n')
    (lesson,) = lessons.lessons(tmp_path, "zh")
    assert (lesson.title, lesson.question, lesson.answer, lesson.views[0].label) == ("A", "B", "丙", "Open the example")


# ---------------------------------------------------------------------------------------------------------- the pages

READ = ("label", "body", "value", "help", "placeholder", "caption", "alt", "options", "body_text", "text")
PROPER = {"ReLU", "sigmoid", "bootstrap", "CamViz", "EfficientNet-Lite", "TorchScript", "English", "Language", "Python"}
PROPER |= {"ARCC", "DeepLIFT", "DeepSHAP", "FEM", "HSIC", "IDGI", "KernelSHAP", "LIME", "MuFidelity", "Sobol", "XRAI"}
PAPER = re.compile(r".*(ICLR|ICML|ICCV|ECCV|CVPR|PLOS ONE).*", re.DOTALL)


NAME_LISTS = ("model", "target", "rather_than", "own_architecture")  # pickers of nothing but names


def shown(app: AppTest) -> set[str]:
    """Return all visible texts of a page, from the fields of its elements."""
    found: set[str] = set()

    def read(message: object) -> None:
        for field, value in message.ListFields():  # type: ignore[attr-defined]
            for one in value if field.is_repeated else [value]:
                if hasattr(one, "ListFields"):
                    read(one)
                elif isinstance(one, str) and field.name in READ:
                    found.add(one)

    for node in app.main:
        listed = getattr(node, "key", None) in NAME_LISTS
        if node.type not in ("latex", "code") and getattr(node, "proto", None) is not None and not listed:
            read(node.proto)
    return found


def english_in(texts: set[str], names: set[str]) -> list[str]:
    left, longest_first = [], sorted(names, key=len, reverse=True)
    for text in texts - MISSING:
        bare = re.sub(r":material/\w+:|`[^`]*`|\]\([^)]*\)|<[^>]*>", " ", text).replace("\\", "")
        if not re.search("[A-Za-z]{2}", bare):
            continue
        for name in longest_first:
            bare = bare.replace(name, " ")
        if not PAPER.match(text) and (
            ENGLISH.search(bare) or (re.search("[A-Za-z]{3}", bare) and not CHINESE.search(text))
        ):
            left.append(text)
    return left


@pytest.fixture
def names(lite0) -> set[str]:
    """Return names that are not translated: classes, layers, networks, images, methods, color maps."""
    samples = {path.name for path in (ROOT / "assets" / "samples").glob("*.jpg")}
    titles = {one.title for one in (*METHODS.values(), *SYNTHESES.values()) if NAMES.fullmatch(one.title)}
    layers = {name for layer in lite0.layers for name in (layer.name, layer.kind)}
    layers.update(METHODS["lrp"].knobs["composite"].choices)
    return {*lite0.categories, *layers, *samples, *titles, *render.COLOR_MAPS, lite0.name, lite0.title, *SYMBOLS}


MODELS = {"MobileNet v2", *(f"EfficientNet-Lite{number}" for number in range(3))}


def test_learn_page_is_translated(start, names, explained, monkeypatch) -> None:
    # The maps do not matter here, only the texts beside them.
    monkeypatch.setattr(computed, "compute", lambda question, *_, **__: camviz.Explanation(question, explained.result))
    app = start("pages/learn.py", layer="blocks.0")
    for lesson in lessons.lessons(language="zh"):
        app.session_state["lesson"] = app.session_state["answer"] = lesson.number
        app.run()
        texts = shown(app)
        assert not app.exception
        assert {lesson.question, lesson.answer, language.catalog("zh")["Open in Explain"]} <= texts
        assert len(texts) > 20 and english_in(texts, names | MODELS) == [], lesson.title
    app.session_state["part"] = "glossary"
    app.run()
    assert not app.exception and english_in(shown(app), names | {"ReLU", "Softmax", "class activation map"}) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_is_drawn_and_translated(start, names, chapter) -> None:
    app = start("pages/learn.py", part="methods", chapter=chapter, layer="blocks.0")
    for button in ("steps.score_cam.start", f"fault.{chapter}.start", f"randomization.{chapter}.start"):
        if any(one.key == button for one in app.button):
            app.button(key=button).click().run()
    assert not app.exception and not app.error
    texts, catalogue = shown(app), language.catalogue("zh")
    assert len(texts) > 15 and english_in(texts, names) == []
    everything = "\n".join(texts)
    assert catalogue[CHAPTERS[chapter].idea] in everything and CHAPTERS[chapter].paper in everything
    passes = re.escape(catalogue["passes: {count}, {seconds} s"])
    assert re.search(passes.replace(r"\{count\}", r"\d+").replace(r"\{seconds\}", r"\d+\.\d\d"), everything)
    assert [latex.value for latex in app.latex] == [f"$$\n{CHAPTERS[chapter].formula}\n$$"]


def test_inspect_page_is_translated(start, names) -> None:
    app = start("pages/_inspect.py", sort="relevance")
    assert not app.exception and len(shown(app)) > 30
    assert english_in(shown(app), names) == []


def test_feature_visualization_page_is_translated(start, names) -> None:
    link = {"dream": "class_image", "class_image.steps": "2", "img": "sample:koala"}
    app = start("pages/_inspect.py", inside="visualization", **link)
    app.button(key="dream.start").click().run()
    assert not app.exception and len(shown(app)) > 20
    assert english_in(shown(app), names) == []
    for method in ("activation_maximization", "deep_dream", "inversion"):
        app.session_state["dream"] = method
        app.run()
        assert not app.exception and english_in(shown(app), names) == [], method


PAGES = {
    "explain": {},
    "compare": {"rows": "classes", "rows.classes": "967", "columns.methods": "grad_cam,edge_detector"},
    "evaluate": {"steps": "4"},
    "dataset": {},
    "perturb": {"perturb": "attack", "attack": "fgsm"},
    "train": {},
}


@pytest.mark.parametrize("page", PAGES)
def test_other_pages_are_translated(page: str, start: Callable[..., AppTest], names, monkeypatch) -> None:
    two = dataset_input._samples()[:2]
    monkeypatch.setattr(dataset_input, "dataset_images", lambda: two)
    app = start("" if page == "explain" else f"pages/{page}.py", **PAGES[page])
    app = app.run() if page == "explain" else app
    assert [box.value for box in app.exception] == []
    texts = shown(app)
    assert len(texts) > 20 and english_in(texts, names | PROPER) == []
    assert sum(CHINESE.search(text) is not None for text in texts) > 0.6 * len(texts - names)
