"""The package's own texts in Chinese: errors, tooltips, readings, notes, reports; and Learn, Layers and Dream."""

import ast
import html
import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

import camviz
from camviz import METHODS, captions, errors, figures, render, report
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import synthesize
from camviz.inspection import summary
from camviz.models import Weights, class_names
from camviz.models.layers import Layer
from camviz.registry import FAMILIES, SYNTHESES, Knob
from camviz.teaching import lessons
from camviz.teaching.walkthroughs import apply_relu_rules
from camviz.text import percent
from camviz.ui.layers.feature_maps import BYS
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.learn.failure_modes import FAILURE_MODES, RANDOMIZATION_TESTS
from camviz.ui.learn.glossary import GLOSSARY
from camviz.ui.results import explanations as computed
from camviz.ui.session import language

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "camviz" / "ui" / "chinese"
# What only a terminal shows: the command for many pictures, and the server's start.
TERMINAL = {"batch/cli.py", "batch/engines.py", "batch/output_folder.py", "batch/job.py", "ui/server/serve.py"}
CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")  # three words on end
# Proper names stay as they are.
NAMES = re.compile(r"[A-Za-z+-]*CAM(\+\+)?|FullGrad|RISE|ROAD|SmoothGrad|DeepDream")
SYMBOLS = {"alpha", "beta", "gamma", "epsilon", "Alpha", "Beta"}


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese browser; and Chinese where no page is drawn, as AppTest asks for the labels of options after a run."""
    settled = language.current
    monkeypatch.setattr(language, "of_the_browser", lambda: "zh")
    monkeypatch.setattr(language, "current", lambda: settled() if get_script_run_ctx(suppress_warning=True) else "zh")


def untranslated(texts: Iterator[str]) -> list[str]:
    """Those of the texts that are not Chinese when said, or still have English in them."""
    told = [(text, language.tr_message(text)) for text in texts]
    return [f"{text!r} -> {now!r}" for text, now in told if not CHINESE.search(now) or ENGLISH.search(now)]


# -------------------------------------------------------------------------------------------- what stands in the code


def raised(name: str) -> Iterator[tuple[str, list[str]]]:
    """For each call of that name in the package: where it is, and what its first argument may be."""
    for path in sorted((ROOT / "camviz").rglob("*.py")):
        where = path.relative_to(ROOT / "camviz").as_posix()
        if where in TERMINAL:
            continue
        module = ".".join(["camviz", *path.relative_to(ROOT / "camviz").with_suffix("").parts]).removesuffix(
            ".__init__"
        )
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name and node.args:
                found = instances(node.args[0], module)
                if node.keywords:
                    found = [re.sub(r"{\w+[^{}]*}", "\0", text.replace("{{", "\1")) for text in found]
                    found = [text.replace("\1", "{").replace("}}", "}") for text in found]
                yield f"{where}:{node.lineno}", [number(text) for text in found]


def instances(node: ast.expr, module: str) -> list[str]:
    """The texts that an expression may give, with a mark for each value that is not known before it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*(instances(part, module) for part in node.values))]
    if isinstance(node, ast.FormattedValue):
        return instances(node.value, module)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return ["".join(parts) for parts in product(instances(node.left, module), instances(node.right, module))]
    if isinstance(node, ast.IfExp):
        return [*instances(node.body, module), *instances(node.orelse, module)]
    if isinstance(node, ast.Call) and re.fullmatch(r"[A-Z]+\.format", ast.unparse(node.func)):
        template: str = getattr(importlib.import_module(module), ast.unparse(node.func).partition(".")[0])
        names = [keyword.arg or "" for keyword in node.keywords]
        given = [instances(argument, module) for argument in (*node.args, *(one.value for one in node.keywords))]
        count = len(node.args)
        return [
            template.format(*values[:count], **dict(zip(names, values[count:], strict=True)))
            for values in product(*given)
        ]
    return ["\0"]


def number(text: str) -> str:
    """The marks of a text told apart."""
    pieces = text.split("\0")
    return "".join(f"{piece}v{place}" for place, piece in enumerate(pieces[:-1])) + pieces[-1]


def test_every_error_is_said_in_chinese(chinese) -> None:
    texts = [text for _, found in raised("CamvizError") for text in found if len(re.sub(r"v\d|\W", "", text)) > 2]
    assert len(texts) > 150
    assert untranslated(iter(texts)) == []
    for text in texts:
        assert set(re.findall(r"v\d", text)) == set(re.findall(r"v\d", language.tr_message(text))), text


def test_every_note_and_fault_is_said_in_chinese(chinese) -> None:
    found = [text for name in ("add_note",) for _, texts in raised(name) for text in texts]
    texts = [text for text in found if not re.fullmatch(r"v\d", text)]
    assert len(texts) >= 6 and untranslated(iter(texts)) == []


def test_the_search_for_texts_finds_what_is_put_together() -> None:
    code = 'f"a {x}" + (" or none" if y else f", {z!r}: {w}") + "!"'
    found = instances(ast.parse(code, mode="eval").body, "camviz")
    assert [number(text) for text in found] == ["a v0 or none!", "a v0, v1: v2!"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.unknown("layer", "layer9", ["layer4"], "resnet50"), "resnet50中没有层“layer9”，也许应为“layer4”"),
        (errors.unknown("setting", "x", [], "the settings of grad_cam"), "grad_cam 的设置中没有设置“x”"),
        (
            "the weights file a does not fit b: it has no 'c' (and 3 more); b has no 'd'; no network of the "
            "catalogue is similar",
            "权重文件 a 与 b 不匹配：它没有“c”（以及另外 3 个）；b 没有“d”；目录中没有与它相似的网络",
        ),
    ],
)
def test_errors_with_names_in_them(error: object, said: str, chinese) -> None:
    assert language.tr_message(str(error)) == said


def test_errors_that_are_put_together_elsewhere(chinese, lite0) -> None:
    said = [
        refusal(lambda: lite0.layer("layer9")),
        refusal(lambda: lite0.class_index("expresso")),
        refusal(lambda: camviz.load_model("resnet")),
        "the state dict does not fit resnet18: it has no 'conv1.weight' (and 9 more); resnet18 has no 'a' (and 1 more);"
        " 'fc.bias' has the shape (1,) instead of (2,);"
        " the closest in the catalogue is resnet50 (3 of 4 tensors match)",
        refusal(lambda: class_names.read_class_names(b"{}", "the class names in a.json")),
        refusal(lambda: METHODS["grad_cam"].settings({"counterfactual": 3})),
        refusal(lambda: METHODS["occlusion"].settings({"size": 100_000})),
        refusal(lambda: METHODS["rise"].settings({"measure": "luck"})),
        refusal(lambda: camviz.scores.from_data({"contrast": 3})),
        "model 'x' has no layer of feature maps, as its layers are hidden in TorchScript, which Occlusion needs",
        "the weights file a.pth holds more than tensors, or is damaged: save the tensors alone, by "
        "torch.save(net.state_dict(), file)",
        "the weights file a.pth is missing and could not be downloaded (HF_HUB_OFFLINE is set): put it by hand "
        "into /tmp, or use efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, which come with CamViz, "
        "or weights='random'",
        "models.toml, model 2 'x': it needs an architecture of the catalogue, weights, or both",
    ]
    assert untranslated(iter(said)) == []


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(camviz.CamvizError) as raised:
        call()
    return str(raised.value)


# ------------------------------------------------------------------------------------------------------- the registries


def test_titles_and_tooltips_are_said_in_chinese(chinese) -> None:
    everything = [*METHODS.values(), *SYNTHESES.values(), *METRICS.values()]
    assert untranslated(one.title for one in everything if not NAMES.fullmatch(one.title)) == []
    assert untranslated(one.tooltip for one in everything) == []
    assert untranslated(metric.limitation for metric in METRICS.values()) == []
    assert untranslated(method.requires for method in METHODS.values() if method.requires) == []
    assert untranslated(iter([*FAMILIES.values(), *(title.capitalize() for title in FAMILIES.values())])) == []
    assert untranslated(iter(apply_relu_rules(torch.ones(1), torch.ones(1)))) == []
    assert untranslated(text for views in render.VIEWS.values() for one in views.items() for text in one) == []


def knobs() -> Iterator[Knob]:
    for one in (*METHODS.values(), *SYNTHESES.values(), *METRICS.values()):
        yield from one.knobs.values()


def test_settings_are_said_in_chinese(chinese) -> None:
    labels = {knob.name.replace("_", " ").capitalize() for knob in knobs() if knob.name not in SYMBOLS}
    composites = set(METHODS["lrp"].knobs["composite"].choices)  # of Greek letters
    choices = {choice for knob in knobs() for choice in knob.choices} - composites - METHODS.keys()
    assert untranslated(iter(labels)) == [] and untranslated(iter(choices)) == []
    assert untranslated(knob.help for knob in knobs()) == []


# ------------------------------------------------------------------------------------------- what it says of a result


@pytest.fixture(scope="module")
def explained() -> camviz.Explanation:
    with Image.open(ROOT / "assets" / "samples" / "coffee.jpg") as image:
        return camviz.explain(camviz.load_model("efficientnet_lite0"), image, "grad_cam")


def results(e: camviz.Explanation) -> Iterator[camviz.Explanation]:
    """What the words may be about: every method, of a class and of a contrast, trained or not, of one layer or two."""
    of_pixels = np.zeros((3, *e.view.shape[:2]), np.float32)
    for key, method in METHODS.items():
        knobs = method.settings({})
        attribution = of_pixels if method.layer == "none" else e.attribution
        for label, weights, layer in product(
            (e.label, "cab", "cab rather than koala"), (Weights("file", "a"), Weights("random")), ("b", "b,c")
        ):
            told = layer if method.layer == "required" else None
            yield replace(e, method=key, knobs=knobs, attribution=attribution, label=label, weights=weights, layer=told)
        for knob, value in (("feature_map", 3), ("counterfactual", True)):
            if knob in knobs:
                for layer in ("b", "b,c"):
                    yield replace(e, method=key, knobs={**knobs, knob: value}, layer=layer)


def test_readings_and_cautions_are_said_in_chinese(chinese, explained) -> None:
    texts = {captions.reading(e, "espresso", sure) for e in results(explained) for sure in (0.001, 0.95)}
    texts |= {captions.reading(explained, "koala", 0.5)}
    assert len(texts) > 40 and untranslated(iter(texts)) == []
    assert untranslated(captions.caution(e) for e in results(explained)) == []
    assert untranslated(e.facts for e in results(explained)) == []
    assert language.tr_message(captions.reading(explained, "espresso", 0.953)) == (
        "网络有 95% 的把握认为这是 espresso。在层 bn2，亮的区域最能提高这个得分。"
    )


def test_facts_of_made_pictures_and_layers_are_said_in_chinese(chinese, lite0) -> None:
    made = synthesize(lite0, "class_image", target="koala", steps=1)
    assert untranslated(iter([made.facts, Layer("a", "Conv2d", 8, 7, 7).describe(5)])) == []
    rows = summary.layer_summary(lite0, ())
    assert untranslated(iter([rows[0].name, rows[0].kind, rows[-1].name, rows[-1].kind])) == []
    assert untranslated(iter([percent(share, decimals) for share in (0, 1) for decimals in (0, 1)])) == []
    assert language.tr_message("under 0.1%") == "低于 0.1%" and language.tr_message("over 99.9%") == "高于 99.9%"
    figure = language.tr_parts(figures.class_map(np.arange(9).reshape(3, 3), [f"n{number}" for number in range(9)]))
    assert figure.data[-1].name == "H 其他 2 个类别：占位置的 22.2%"


def test_a_report_is_written_in_chinese(chinese, explained, lite0) -> None:
    chart = report.Chart(
        {"Occlusion: 0.3": ([0, 1], [0, 1])}, "share of the pixels replaced", "probability of cab", "x"
    )
    told = report.Section("Deletion and insertion", charts=[chart])
    predictions = (camviz.models.Prediction(967, "espresso", 0.95),)
    sections = [*report.explanation_sections(explained, predictions, "coffee.jpg"), told]
    named = {"1. a": explained}
    sections += report.comparison_sections(named, {"1. a": explained.view}, {"1. a": "b.jpg"}, [("map", "1")])
    page = report.to_html("Do these maps agree?", sections, "https://a.org", *language.translator())
    assert page.startswith('<!DOCTYPE html>\n<html lang="zh-Hans">')
    plain = re.sub(r"<style>.*?</style>|<pre>.*?</pre>|data:image[^\"]*|<meta[^>]*>|https://\S+", "", page, flags=re.S)
    texts = [html.unescape(text) for text in re.findall(r'(?<=>)[^<>]+|(?<=alt=")[^"]+|(?<=label=")[^"]+', plain)]
    assert [text for text in texts if ENGLISH.search(text)] == []
    names = {"Grad-CAM", "espresso", "coffee.jpg", "b.jpg", "1. a", "bn2", "x", explained.image_digest}
    names |= {f"{lite0.name} ({lite0.weights})", f"espresso ({explained.score})", "1. a：espresso 95.7%"}
    left = [text for text in texts if re.search("[A-Za-z]{2}", text) and not CHINESE.search(text)]
    assert {text.strip() for text in left} <= names


def test_a_report_is_english_where_nobody_says_otherwise(explained) -> None:
    assert language.translator()[0] == "en"
    assert '<html lang="en">' in report.to_html("a", []) and "Made with camviz" in report.to_html("a", [])


# ---------------------------------------------------------------------------------------------------------- the tables


def test_nothing_is_translated_for_nothing(explained) -> None:
    """Every sentence stands in the code, or is one that a text of this file is an instance of."""
    code = set()
    for path in [*sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "camviz").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                code.add(node.value.partition("\n")[0].replace("{{", "{").replace("}}", "}"))
    everything = "\n".join(code)
    used = {name for text in composed(explained) for name in entries(text)}
    known = everything.lower().replace("_", " ")
    for table in ("package.toml", "learn.toml"):
        for sentence in tomllib.loads((TABLES / table).read_text(encoding="utf-8")):
            pieces = [piece.strip().lower() for piece in re.split(r"\{\w+\}", sentence.replace("_", " "))]
            assert sentence in used or all(piece in known for piece in pieces), sentence


def composed(e: camviz.Explanation) -> Iterator[str]:
    """Texts whose sentences stand in the code in parts only."""
    for one in results(e):
        yield from (captions.reading(one, first, sure) for first in ("espresso", "koala") for sure in (0.001, 0.95))
    yield from (text for _, texts in raised("CamvizError") for text in texts)
    yield "Deletion: How fast. What it can't tell. It. https://a.org"
    yield "How fast. What it can't tell. It."
    yield "it is nearest to a all the same (1 of 2 tensors fit)"
    yield "nearest in the catalogue is a (1 of 2 tensors fit)"
    yield "1 of 2 tensors fit"
    yield "stage 4 of 5, 14x14, 112 channels"
    yield "it has no 'a' (and 3 more)"
    yield "b has no 'a' (and 3 more)"
    yield "'a' has the shape (1,) instead of (2,) (and 3 more)"
    yield "'a' has the shape (1,) instead of (2,)"
    yield "the settings of grad_cam"
    yield from (knob.name.replace("_", " ") for knob in knobs())
    yield from (knob.name.capitalize() for knob in knobs())


def entries(text: str) -> Iterator[str]:
    sentence, values = language.entry(text)
    yield sentence
    for value in values.values():
        yield from entries(value)


def test_what_the_learn_page_holds_as_data_is_translated() -> None:
    texts = [text for chapter in CHAPTERS.values() for text in (chapter.idea, chapter.symbols)]
    texts += [
        text
        for fault in [*FAILURE_MODES.values(), *RANDOMIZATION_TESTS.values()]
        for text in (fault.title, fault.sentence)
    ]
    texts += [*GLOSSARY.keys() - {"ReLU", "Softmax"}, *GLOSSARY.values(), *BYS.values()]
    table = language.chinese()
    assert [text for text in texts if not CHINESE.search(table.get(text, ""))] == []


def test_every_lesson_has_its_chinese() -> None:
    for english, translated in zip(lessons.lessons(), lessons.lessons(language="zh"), strict=True):
        for name in ("title", "question", "answer"):
            assert CHINESE.search(getattr(translated, name)) and not ENGLISH.search(getattr(translated, name))
            assert not CHINESE.search(getattr(english, name))
        for view, other in zip(english.views, translated.views, strict=True):
            assert (view.page, view.settings) == (other.page, other.settings)
            assert view.label == other.label == "Open it" or CHINESE.search(other.label)


def test_a_lesson_without_chinese_stays_in_english(tmp_path: Path) -> None:
    (tmp_path / "1-a.toml").write_text('title = "A"\nquestion = "B"\nanswer = "C"\nanswer_zh = "丙"\n[[view]]\n')
    (lesson,) = lessons.lessons(tmp_path, "zh")
    assert (lesson.title, lesson.question, lesson.answer, lesson.views[0].label) == ("A", "B", "丙", "Open it")


# ----------------------------------------------------------------------------------------------------------- the pages

READ = ("label", "body", "value", "help", "placeholder", "caption", "alt", "options", "body_text", "text")
PAPER = re.compile(r".*(ICLR|ICML|ICCV|ECCV|CVPR|PLOS ONE).*", re.DOTALL)


def shown(app: AppTest) -> set[str]:
    """All that a page has people read: what the elements' messages hold in fields of such names."""
    found: set[str] = set()

    def read(message: object) -> None:
        for field, value in message.ListFields():  # type: ignore[attr-defined]
            for one in value if field.is_repeated else [value]:
                if hasattr(one, "ListFields"):
                    read(one)
                elif isinstance(one, str) and field.name in READ:
                    found.add(one)

    for node in app.main:
        if node.type not in ("latex", "code") and getattr(node, "proto", None) is not None:
            read(node.proto)
    return found


def english_in(texts: set[str], names: set[str]) -> list[str]:
    left = []
    for text in texts:
        bare = re.sub(r":material/\w+:|`[^`]*`|\]\([^)]*\)|<[^>]*>", " ", text).replace("\\", "")
        for name in sorted(names, key=len, reverse=True):
            bare = bare.replace(name, " ")
        if not PAPER.match(text) and (
            ENGLISH.search(bare) or (re.search("[A-Za-z]{3}", bare) and not CHINESE.search(text))
        ):
            left.append(text)
    return left


@pytest.fixture
def names(lite0) -> set[str]:
    """What stays as it is: classes, layers and their kinds, networks, pictures, methods, color maps."""
    samples = {path.name for path in (ROOT / "assets" / "samples").glob("*.jpg")}
    titles = {one.title for one in (*METHODS.values(), *SYNTHESES.values()) if NAMES.fullmatch(one.title)}
    layers = {name for layer in lite0.layers for name in (layer.name, layer.kind)}
    layers.update(METHODS["lrp"].knobs["composite"].choices)
    return {*lite0.categories, *layers, *samples, *titles, *render.COLOR_MAPS, lite0.name, lite0.title, *SYMBOLS}


def test_learn_in_chinese(start, chinese, names, explained, monkeypatch) -> None:
    # What the maps show does not matter here, only what stands beside them.
    monkeypatch.setattr(computed, "compute", lambda _, method, *__: replace(explained, method=method.key))
    app = start("pages/learn.py", layer="blocks.0")
    assert not app.exception and len(shown(app)) > 40 and english_in(shown(app), names) == []
    assert app.get("link_button")[0].proto.label == "打开"
    app.session_state["part"] = "methods"
    for chapter in CHAPTERS:
        app.session_state["chapter"] = chapter
        app.run()
        for button in ("steps.score_cam.start", f"fault.{chapter}.start"):
            if any(one.key == button for one in app.button):
                app.button(key=button).click().run()
        assert not app.exception and not app.error
        assert len(shown(app)) > 15 and english_in(shown(app), names) == [], chapter
    app.session_state["part"] = "glossary"
    app.run()
    assert not app.exception and english_in(shown(app), names | {"ReLU", "Softmax", "class activation map"}) == []


def test_layers_in_chinese(start, chinese, names) -> None:
    app = start("pages/layers.py")
    assert not app.exception and len(shown(app)) > 30
    assert english_in(shown(app), names) == []


def test_dream_in_chinese(start, chinese, names) -> None:
    link = {"dream": "class_image", "class_image.steps": "2", "img": "sample:koala"}
    app = start("pages/dream.py", **link)
    app.button(key="dream.start").click().run()
    assert not app.exception and len(shown(app)) > 20
    assert english_in(shown(app), names) == []
    for method in ("activation_maximization", "deep_dream", "inversion"):
        app.session_state["dream"] = method
        app.run()
        assert not app.exception and english_in(shown(app), names) == [], method
