"""Two languages: every sentence of the pages has its Chinese, no sentence is left out, and the pages show it."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from camviz import METHODS
from camviz.evaluation.perturbation_curve import Curve
from camviz.evaluation.registry import METRICS
from camviz.render import COLOR_MAPS
from camviz.ui.evaluate import conclusions
from camviz.ui.inputs import gallery_input
from camviz.ui.session import language

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "camviz" / "ui").rglob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
CHINESE = re.compile("[\u4e00-\u9fff]")

SHOWN_FIRST = {  # calls of st and its containers whose first argument is read by people
    *("title", "header", "subheader", "caption", "markdown", "button", "selectbox", "slider", "toggle", "radio"),
    *("checkbox", "segmented_control", "pills", "text_input", "number_input", "file_uploader", "camera_input"),
    *("error", "warning", "info", "success", "download_button", "link_button", "expander", "popover", "tabs", "metric"),
    *("spinner", "status", "write", "multiselect", "select_slider", "toast"),
}
SHOWN_BY_NAME = {"alt", "help", "label", "placeholder", "text"}
SHOWN_BY_OURS = {
    ("tasks", "run"): (3,),
    ("settings", "note"): (0,),
    ("settings", "refuse"): (1,),
    ("bar", "progress"): (1,),
}
NOT_SHOWN = {"report", "export", "file"}  # whose methods are called alike
BOTH = "Language / 语言"  # must be found in either language

# Said of texts that are put together of parts: the parts stand in the code, the whole does not.
COMPOSED = re.compile(
    r"area \{area\} for \{name\}, \{others\}|(top|bottom) (left|right): \{label\}|\{label\}, (top|bottom) (left|right)"
    r"|\{metric\} [↓↑]|(Random-CAM|Edge detector|, | and |Center Gaussian)+"
    r"|in (deletion|insertion) it does no better than \{names\}.*"
)


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield path, node


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_sentence_has_its_chinese():
    missing = {
        f"{path.name}:{call.lineno} {call.args[0].value!r}"
        for path, call in calls("tr")
        if isinstance(call.args[0], ast.Constant) and call.args[0].value not in language.chinese()
    }
    assert not missing


def test_english_and_chinese_take_the_same_values():
    assert [english for english, chinese in language.chinese().items() if places(english) != places(chinese)] == []


def test_every_sentence_gets_the_values_that_it_names():
    for path, call in calls("tr"):
        if isinstance(call.args[0], ast.Constant) and all(keyword.arg for keyword in call.keywords):
            given = {keyword.arg for keyword in call.keywords}
            named = places(call.args[0].value)
            assert given == named or not given, f"{path.name}:{call.lineno}: {given} for {named}"


def test_no_sentence_is_left_untranslated():
    found = [f"{path.name}:{node.lineno} {text!r}" for path, tree in TREES.items() for node, text in unwrapped(tree)]
    assert found == []


def unwrapped(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        name = node.func.attr
        shown = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN_BY_NAME]
        if owner == "browser":
            shown += node.args
        elif name in SHOWN_FIRST and owner not in NOT_SHOWN:
            shown += node.args[:1]
        shown += [node.args[place] for place in SHOWN_BY_OURS.get((owner, name), ()) if len(node.args) > place]
        for argument in shown:
            yield from ((node, text) for text in literals(argument) if is_language(text) and text != BOTH)


def literals(node: ast.AST) -> Iterator[str]:
    """The text of an expression that no call has translated."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp | ast.BinOp | ast.BoolOp | ast.List | ast.Tuple):
        for part in ast.iter_child_nodes(node):
            yield from literals(part)


def is_language(text: str) -> bool:
    """Whether there are words in it: no icons, code, links, nor the names of formats."""
    bare = re.sub(r":material/\w+:|`[^`]*`|\]\([^)]*\)|&\w+;|<[^>]*>|\$[^$]*\$", " ", text)
    return re.search(r"[A-Za-z]*[a-z]{2}", bare) is not None


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('st.caption("Some words")', ["Some words"]),
        ('box.button(f"Go on with {name}", key="go")', ["Go on with {}"]),
        ('st.image(jpeg, alt="A map" if one else tr("Maps"))', ["A map"]),
        ('tasks.run("name", key, 1.0, "Draw it", work)', ["Draw it"]),
        ('st.caption(tr("Some words"))', []),
        ('st.caption(f"**{one}** (PNG) [{tr(two)}](https://a.org/some) `code`", help=tr("x"))', []),
    ],
)
def test_what_the_search_for_untranslated_sentences_finds(code, found):
    assert [text for _, text in unwrapped(ast.parse(code))] == found


def test_no_sentence_of_the_pages_is_translated_for_nothing():
    code: set[str] = set()
    for path in [*SOURCES, *sorted((ROOT / "camviz").rglob("*.py"))]:
        for node in ast.walk(TREES.get(path) or ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant | ast.JoinedStr):
                code |= {re.sub(r"\{\w*\}", "{}", text) for text in literals(node)}
    code |= {text.capitalize() for text in ("rows", "columns")}
    table = tomllib.loads((ROOT / "camviz" / "ui" / "chinese" / "pages.toml").read_text(encoding="utf-8"))
    unused = [text for text in table if re.sub(r"\{\w*\}", "{}", text) not in code and not COMPOSED.fullmatch(text)]
    assert unused == []


# ----------------------------------------------------------------------------------------------- how it is looked up


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese browser; and Chinese where no page is drawn, as AppTest asks for the labels of options after a run."""
    settled = language.current
    monkeypatch.setattr(language, "of_the_browser", lambda: "zh")
    monkeypatch.setattr(language, "current", lambda: settled() if get_script_run_ctx(suppress_warning=True) else "zh")


def test_sentences_in_chinese(chinese):
    assert language.tr("Why this answer?") == "为什么是这个答案？"
    assert language.tr("{count} before you", count=3) == "前面还有 3 人"
    assert language.tr("No such sentence: {x}", x=1) == "No such sentence: 1"
    assert language.error_text(ValueError("no such error")) == "no such error。"


def test_a_composed_text_is_found_by_its_pattern_and_its_parts_too(chinese):
    text = (
        "On this picture in deletion it does no better than Random-CAM and Edge detector. Controls know nothing of the "
        "network's reasons, so do not take the details of this map for them."
    )
    assert language.tr_message(text).startswith("在这幅图像上，它在删除中并不比随机 CAM 和边缘检测器好。")
    assert language.tr_message("Nobody has put this of all things into a table") == (
        "Nobody has put this of all things into a table"
    )


def test_names_of_classes_stay_as_they_are(chinese, lite0):
    assert [language.tr_message(name) for name in lite0.categories] == list(lite0.categories)


def test_english_needs_no_table(monkeypatch):
    monkeypatch.setattr(language, "chinese", lambda: pytest.fail("English was looked up"))
    assert language.tr("{count} before you", count=3) == "3 before you"
    assert language.tr_message("Deletion") == "Deletion"


# --------------------------------------------------------------------------------------------------- what pages show

LOW, HIGH = Curve((0.0, 1.0), (0.9, 0.1)), Curve((0.0, 1.0), (0.9, 0.9))
TEXTS = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info")
WIDGETS = ("button", "selectbox", "multiselect", "slider", "toggle", "number_input", "expander", "segmented_control")
LATIN = {
    *(method.title for method in METHODS.values()),
    *COLOR_MAPS,
    *("ReLU", "sigmoid", "bootstrap", "Score-CAM", "CamViz", "Language", "English", "EfficientNet-Lite", "Esc"),
    *("Python", "TorchScript", "BatchNormAct2d", "Conv2d", "Zeiler & Fergus"),
}


def shown(app: AppTest) -> Iterator[str]:
    for kind in TEXTS:
        yield from (element.value for element in getattr(app, kind))
    for kind in WIDGETS:
        for element in getattr(app, kind):
            yield element.label
            yield from (text for text in (getattr(element, "help", ""), getattr(element, "placeholder", "")) if text)
    for tab in app.tabs:
        yield tab.label
    for box in app.get("imgs"):
        yield from (image.alt for image in box.proto.imgs)
    for chart in app.get("plotly_chart"):
        yield chart.proto.alt
        yield from (json.loads(f'"{text}"') for text in re.findall('"(?:text|name)":"([^"]*)"', chart.proto.spec))
    for table in app.dataframe:
        yield from map(str, table.value.columns)


def english_in(text: str, names: set[str]) -> str:
    """What is left of a text in words of English, without code, links and names."""
    bare = re.sub(r":material/\w+:|`[^`]*`|\]\([^)]*\)", " ", text)
    for name in sorted(names | LATIN, key=len, reverse=True):
        bare = bare.replace(name, " ")
    return text if is_language(bare) else ""


PAGES = {
    "explain": {},
    "compare": {"rows": "classes", "rows.classes": "967", "columns.methods": "grad_cam,edge_detector"},
    "evaluate": {"steps": "4"},
    "gallery": {},
}


@pytest.mark.parametrize("page", PAGES)
def test_pages_in_chinese(page: str, start: Callable[..., AppTest], chinese, lite0, monkeypatch):
    two = gallery_input._samples()[:2]
    monkeypatch.setattr(gallery_input, "gallery_images", lambda: two)
    app = start("" if page == "explain" else f"pages/{page}.py", **PAGES[page])
    app = app.run() if page == "explain" else app
    assert [box.value for box in app.exception] == []
    names = {lite0.name, *lite0.categories, *(layer.name for layer in lite0.layers)}
    names |= {path.name for path in (ROOT / "assets" / "samples").glob("*.jpg")}
    texts = list(shown(app))
    assert len(texts) > 20
    assert [english for text in texts if (english := english_in(text, names))] == []
    assert sum(CHINESE.search(text) is not None for text in texts) > 0.6 * len(texts)


@pytest.mark.parametrize(
    "text",
    [
        *(
            conclusions.forgetting([1.0, *values])
            for values in ([0.9, 0.9], [0.95, 0.1], [0.7, 0.6], [0.6, 0.3], [0, 0])
        ),
        *(conclusions.classes(value, "cup, r = 0.10") for value in (0.95, 0.7, 0.1)),
        *(conclusions.pointing(share) for share in (0.2, 0.5, 0.9)),
        conclusions.curves("espresso", LOW, HIGH),
        conclusions.against((LOW, HIGH), {"Edge detector": (HIGH, LOW)}),
        conclusions.against((HIGH, HIGH), {"Edge detector": (LOW, LOW), "Center Gaussian": (LOW, LOW)}),
        conclusions.against((LOW, LOW), {"Edge detector": (HIGH, HIGH)}),
        conclusions.against((HIGH, LOW), {"Random-CAM": (LOW, HIGH), "Edge detector": (LOW, HIGH)}),
        *("12% forgotten", "down to blocks.4", "as trained", "Grad-CAM with 12% of the layers forgotten"),
        *(
            "Map of cup by Grad-CAM",
            "cup, top left",
            "12% of the map lies there",
            "bottom right: cup",
            "Deletion, 95%",
        ),
        *("Edge detector (control)", "Edge detector: 0.123", "Mean of |r|: 0.12.", "probability of espresso"),
        "Grad-CAM for cup over the mosaic, whose top left picture it is",
        "Deletion: area 0.210 for Grad-CAM, area 0.330 for Edge detector, area 0.400 for Center Gaussian",
        *(metric.limitation for metric in METRICS.values()),
    ],
)
def test_what_a_test_says_is_said_in_chinese(text, chinese):
    assert CHINESE.search(language.tr_message(text))
    assert english_in(language.tr_message(text), {"espresso", "cup", "blocks.4", "reading='slope'"}) == ""
