"""The language of the page: sentences are English where they are used, and a gettext catalog translates them."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial

import streamlit as st
from babel.messages.pofile import read_po

from ... import documentation
from ...errors import CamvizError, message_of
from ...evaluation.registry import Metric
from ...messages import Message, Value
from ...models.class_names import ImageNetName
from ...registry import Entry
from .class_names import LOCALES, common_name
from .markdown import escaped
from .streamlit_internals import is_page_run

LANGUAGES = {"en": "English", "zh": "简体中文"}
EDGE = "\ue000"  # a character of no meaning on both sides of a class name, until the spaces around it are settled
# A Chinese sentence has spaces around a name in Latin letters, and none around one in Chinese.
NEEDLESS = re.compile(f"(?<=[\u3400-\u9fff]) (?={EDGE}[\u3400-\u9fff])|(?<=[\u3400-\u9fff]{EDGE}) (?=[\u3400-\u9fff])")


def of_the_browser() -> str:
    """Return the language that this person's browser prefers, a key of LANGUAGES."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def current() -> str:
    """Return the language of this run, a key of LANGUAGES: the chosen one, else the link's, else the browser's.

    English where no page is drawn: in a script, in a test, in another thread.
    """
    if not is_page_run():
        return "en"
    found = st.session_state.get("lang") or st.query_params.get("lang")
    return str(found) if found in LANGUAGES else of_the_browser()


def tr(template: str, /, **values: Value) -> str:
    """Return a sentence of the interface in the person's language, with its {values} filled in.

    >>> tr("{count} of {total} images", count=3, total=4)
    '3 of 4 images'
    """
    return translated(Message(template, **values), current())


def tr_message(text: str) -> str:
    """Return a text of the package (an error, a caption, a tooltip, a class) in the person's language."""
    return translated(text, current())


def tr_class(label: str) -> str:
    """Return the name of a class for a list: its common name, and ImageNet's unless that is a part of it.

    >>> tr_class(ImageNetName("Madagascar cat")), tr_class("Madagascar cat"), tr_class(ImageNetName("tabby"))
    ('ring-tailed lemur (ImageNet: Madagascar cat)', 'Madagascar cat', 'tabby cat')
    """
    return tr_classes((label,))[0]


def tr_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Return what `tr_class` returns for each of these: quick for the thousand classes of a list."""
    return tuple(map(class_namer(), labels))


def class_namer() -> Callable[[str], str]:
    """Return `tr_class` in this run's language, for use after the run."""
    language = current()

    def name(label: str) -> str:
        common = translated(label, language)
        if not isinstance(label, ImageNetName) or label.lower() in common.lower():
            return common
        return translated(Message("{name} (ImageNet: {original})", name=common, original=str(label)), language)

    return name


def in_html() -> str:
    """Return the language of this run as HTML's lang attribute writes it."""
    return {"zh": "zh-Hans"}.get(current(), current())


def translator() -> tuple[str, Callable[[str], str]]:
    """Return this run's language, as HTML writes it, and `tr_message` in it: for a file that is made after the run."""
    return in_html(), partial(translated, language=current())


def error_text(error: str | Exception, about: str = "") -> str:
    """Return what an error says as a sentence of the page, safe in markdown; `about` names what it is about.

    Where the documentation is here, a link to its explanation of the error's code follows.

    >>> error_text(ValueError("there is no layer 'x'"))
    "There is no layer 'x'."
    >>> error_text(ValueError("it is empty"), "one.png")
    'one.png: it is empty.'
    """
    text = escaped(tr_message(message_of(error) if isinstance(error, Exception) else error))
    help = _code_link(error)
    if about:
        return tr("{about}: {text}.", about=escaped(about), text=text) + help
    return (f"{text[:1].upper()}{text[1:]}." if current() == "en" else tr("{text}.", text=text)) + help


def sources(record: Entry) -> str:
    """Return links in markdown: the paper of a method or a metric and, where the documentation is here, its page."""
    page = documentation.metric_page if isinstance(record, Metric) else documentation.method_page
    found = documentation.link(page(record.key))
    return f"[{tr('Paper')}]({record.paper})" + (f" · [{tr('Documentation')}]({found})" if found else "")


def _code_link(error: str | Exception) -> str:
    link = documentation.link(documentation.error_section(error.code)) if isinstance(error, CamvizError) else None
    return f" [{error.code}]({link})" if isinstance(error, CamvizError) and link else ""


def translated(text: str, language: str) -> str:
    """Return `text` in a language, its values included; in English what the catalog lacks.

    A class of ImageNet gets its common name.
    """
    if isinstance(text, ImageNetName):
        return common_name(text, language)
    known: Mapping[str, str] = {} if language == "en" else catalog(language)
    if not isinstance(text, Message):
        return known.get(text, text)
    template = known.get(text.template, text.template)
    if not text.values:
        return template
    values = {name: _value(value, language) for name, value in text.values.items()}
    return NEEDLESS.sub("", template.format(**values)).replace(EDGE, "")


def _value(value: Value, language: str) -> Value:
    if isinstance(value, ImageNetName):
        return f"{EDGE}{common_name(value, language)}{EDGE}"
    return translated(value, language) if isinstance(value, Message) else value


@cache
def catalog(language: str) -> Mapping[str, str]:
    """Return the translations of a language by their English template."""
    with (LOCALES / language / "LC_MESSAGES" / "camviz.po").open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file, language) if entry.id and entry.string}
