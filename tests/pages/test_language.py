"""Message catalogs: fields agree, missing translations warn; how sentences are found and translated."""

import ast
import re
import string
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import camviz
from camviz import METHODS, errors, registry, report
from camviz.evaluation.perturbation_curve import Curve
from camviz.messages import Message, join
from camviz.models import class_names
from camviz.ui.evaluate import conclusions
from camviz.ui.session import language
from tests import translations

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "camviz" / "ui").rglob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
TRANSLATED = sorted(path.parent.name for path in language.LOCALES.glob("*/LC_MESSAGES"))

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


class TranslationWarning(UserWarning):
    """A translation is missing or unused: work for a translator, no fault of the code."""


# ---------------------------------------------------------------------------------------------------- the catalogs


@pytest.fixture(scope="module")
def templates() -> dict[str, str]:
    """Every sentence of the code, with its place."""
    return dict(translations.sentences())


def test_every_language_has_a_catalog():
    assert sorted(set(language.LANGUAGES) - {"en"}) == TRANSLATED


@pytest.mark.parametrize("code", TRANSLATED)
def test_missing_and_unused_translations_warn(code: str, templates: dict[str, str]):
    assert len(templates) > 900
    known = language.catalog(code)
    for text in templates.keys() - known.keys():
        warnings.warn(f"{code}: no translation of {text!r} ({templates[text]})", TranslationWarning, stacklevel=1)
    for text in known.keys() - templates.keys():
        warnings.warn(f"{code}: nothing says {text!r} (make translations)", TranslationWarning, stacklevel=1)


def fields(template: str) -> set[tuple[str, str]]:
    """Return the fields of a template, each with its format."""
    parsed = [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None]
    return {(name, spec) for name, spec in parsed if not spec.startswith(" ")}  # "{index: name}" is text


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_keep_the_fields_of_the_original(code: str):
    known = language.catalog(code).items()
    assert [
        english
        for english, translated in known
        if "{" in english + translated and fields(english) != fields(translated)
    ] == []


def test_template_file_can_be_read():
    """`make translations` writes the .pot; a sentence added since gives a warning above, not an error."""
    with (language.LOCALES / "camviz.pot").open("rb") as file:
        entries = read_po(file)
    assert len(entries) > 900 and entries["Grad-CAM"] is not None


def test_new_method_needs_no_translation(monkeypatch: pytest.MonkeyPatch):
    """Its sentences are found for the translator, and shown in English until then."""
    monkeypatch.setattr(translations, "METHODS", dict(METHODS))

    def brand_new(net, x, score):
        """Show something that nobody has translated."""

    method = registry.Method(
        key="brand_new", title=Message("Brand new"), paper="https://a.org", function=brand_new, knobs={}, family="cam"
    )
    translations.METHODS["brand_new"] = method
    found = dict(translations.sentences())
    assert {"Brand new", "Show something that nobody has translated."} <= found.keys()
    error = errors.CamvizError(
        "{method} takes many passes for each image: answer its questions one by one", method=method.title
    )
    assert "Brand new" in language.translated(error.message, "zh")
    with pytest.warns(TranslationWarning, match="Brand new"):
        test_missing_and_unused_translations_warn("zh", found)


# ------------------------------------------------------------------------------------------------------ in the code


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in translations.SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield path, node


@pytest.mark.parametrize("name", ["tr", "Message", "CamvizError", "DownloadError", "add_note"])
def test_every_message_gets_the_values_that_it_names(name: str):
    for path, call in calls(name):
        if isinstance(call.args[0], ast.Constant) and call.keywords and all(one.arg for one in call.keywords):
            given, named = {one.arg for one in call.keywords}, {name for name, _ in fields(call.args[0].value)}
            assert given == named, f"{path.name}:{call.lineno}: {given} for {named}"


def test_no_message_is_an_f_string():
    """An f-string would reach the catalog with its values filled in."""
    composed = [
        f"{path.name}:{call.lineno}"
        for name in translations.CALLS
        for path, call in calls(name)
        if call.args and isinstance(call.args[0], ast.JoinedStr)
    ]
    assert composed == []


def test_no_visible_text_is_untranslated():
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
    """Yield the untranslated literals of an expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp | ast.BinOp | ast.BoolOp | ast.List | ast.Tuple):
        for part in ast.iter_child_nodes(node):
            yield from literals(part)


def is_language(text: str) -> bool:
    """Return whether a text contains words besides icons, code, links and names of formats."""
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
def test_untranslated_texts_are_found(code, found):
    assert [text for _, text in unwrapped(ast.parse(code))] == found


# ------------------------------------------------------------------------------------------------------- translation


def error_of(call) -> errors.CamvizError:
    with pytest.raises(camviz.CamvizError) as raised:
        call()
    return raised.value


def test_english_needs_no_catalog(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(language, "catalog", lambda code: pytest.fail("English was looked up"))
    assert language.tr("{count} before you", count=3) == "3 before you"
    assert language.tr_message("Deletion") == "Deletion"
    page = report.to_html("a", [], *("", *language.translator()))
    assert '<html lang="en">' in page and "Made with camviz" in page


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("Deletion", "删除"),
        ("nobody has said this", "nobody has said this"),
        (Message("{count} nobody has said", count=3), "3 nobody has said"),
        (
            errors.unknown(Message("layer"), "layer9", ["layer4"], "resnet50").message,
            "resnet50中没有层“layer9”，也许应为“layer4”",
        ),
        (
            errors.unknown(Message("setting"), "x", [], Message("the settings of {owner}", owner="grad_cam")).message,
            "grad_cam 的设置中没有设置“x”",
        ),
        (join(["a", Message("{count} numbers", count=2)]), "a、2 个数"),
        (Message("{share} of the heatmap is there", share="12%"), "热力图的 12% 落在该处"),
    ],
)
def test_values_of_messages_are_translated(text: str, translated: str):
    assert language.translated(text, "zh") == translated


def test_errors_of_the_package_are_translated(lite0):
    translated = [
        language.translated(error_of(call).message, "zh")
        for call in (
            lambda: lite0.layer("layer9"),
            lambda: lite0.class_index("expresso"),
            lambda: camviz.load_model("resnet"),
            lambda: class_names.read_class_names(b"{}", Message("the class names in {file}", file="a.json")),
            lambda: METHODS["grad_cam"].settings({"counterfactual": 3}),
            lambda: METHODS["occlusion"].settings({"size": 100_000}),
            lambda: METHODS["rise"].settings({"measure": "luck"}),
            lambda: camviz.scores.from_data({"contrast": 3}),
        )
    ]
    assert [text for text in translated if re.search(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}", text)] == []
    assert translated[0] == "efficientnet_lite0中没有层“layer9”"
    assert translated[3] == "a.json 中的类别名称：一个也没有"
    assert translated[5].startswith("occlusion 的 size 必须在")


LOW, HIGH = Curve((0.0, 1.0), (0.9, 0.1)), Curve((0.0, 1.0), (0.9, 0.9))


def test_conclusions_are_translated():
    names = [METHODS["random_cam"].title, METHODS["edge_detector"].title]
    both = conclusions.against((HIGH, LOW), dict.fromkeys(names, (LOW, HIGH)))
    assert language.translated(both, "zh") == (
        "在此图像上，它在删除检验中不优于随机 CAM和边缘检测器，在插入检验中不优于随机 CAM和边缘检测器。"
        "对照方法不含关于决策的信息，因此不要把此热力图的细节解读为理由。"
    )
    assert language.translated(conclusions.classes(0.1, "cup, r = 0.10"), "zh").endswith("cup, r = 0.10。")


def test_error_text_is_an_escaped_sentence(monkeypatch: pytest.MonkeyPatch):
    error = errors.CamvizError("there is no weights file {name}", name="a*b.pth")
    assert language.error_text(error) == r"There is no weights file a\*b.pth."
    assert language.error_text(error.message, "one.png") == r"one.png: there is no weights file a\*b.pth."
    monkeypatch.setattr(language, "current", lambda: "zh")
    assert language.error_text(error) == r"没有权重文件 a\*b.pth。"
    assert language.error_text(error, "one.png") == r"one.png：没有权重文件 a\*b.pth。"
