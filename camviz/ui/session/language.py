"""The language of the page: every sentence is written in English where it is used; its Chinese stands in a table."""

import re
import tomllib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from .markdown import escaped
from .streamlit_internals import is_page_run

LANGUAGES = {"en": "English", "zh": "简体中文"}
LONGEST = 2000
_SHORT = re.compile(r"(\{\w+\}|\W)*[A-Za-z]{1,3}(\{\w+\}|\W)*|\{\w+\}: \{\w+\}\.?")
_JOINTS = {": ": "：", "; ": "；"}  # of texts that are put together
TABLES = sorted((Path(__file__).parents[1] / "chinese").glob("*.toml"))


def of_the_browser() -> str:
    """The language that this person's browser prefers, a key of LANGUAGES."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def current() -> str:
    """The language of this run, a key of LANGUAGES; before it is settled, what the link asks for, else the browser's.

    English where no page is drawn: in a script, in a test, in another thread.
    """
    if not is_page_run():
        return "en"
    found = st.session_state.get("lang") or st.query_params.get("lang")
    return str(found) if found in LANGUAGES else of_the_browser()


def tr(sentence: str, **values: Any) -> str:
    """A sentence of a page in the person's language, with its {values} filled in.

    >>> t("{count} of {total} pictures", count=3, total=4)
    '3 of 4 pictures'
    """
    if current() == "zh":
        sentence = chinese().get(sentence, sentence)
    return sentence.format(**values) if values else sentence


def tr_message(text: str) -> str:
    """A text that the package composed (an error, a reading, a tooltip) in the person's language."""
    return _in_chinese(text) if current() == "zh" else text


def in_html() -> str:
    """The language of this run as HTML's lang attribute writes it."""
    return {"zh": "zh-Hans"}.get(current(), current())


def translator() -> tuple[str, Callable[[str], str]]:
    """This run's language, as HTML writes it, and `said` in it: for a file that is made after the run."""
    return in_html(), _in_chinese if current() == "zh" else str


def error_text(error: object, about: str = "") -> str:
    """What an error says, as a sentence of the page, safe in markdown; `about` names what it is about.

    >>> sentence(ValueError("there is no layer 'x'"))
    "There is no layer 'x'."
    >>> sentence(ValueError("it is empty"), "one.png")
    'one.png: it is empty.'
    """
    text, about = escaped(tr_message(str(error))), escaped(about)
    if current() == "zh":
        return f"{about}：{text}。" if about else f"{text}。"
    return f"{about}: {text}." if about else f"{text[:1].upper()}{text[1:]}."


def tr_parts(figure: Any) -> Any:
    """A plotly figure with its titles, names and annotations in the person's language; in English as it is."""
    if current() == "zh":
        for trace in figure.data:
            trace.name = trace.name and tr_message(trace.name)
        for axis in (*figure.select_xaxes(), *figure.select_yaxes(), figure.layout):
            axis.title.text = axis.title.text and tr_message(axis.title.text)
        for note in figure.layout.annotations:
            note.text = tr_message(note.text)
    return figure


@cache
def chinese() -> dict[str, str]:
    """English to Chinese, from every table in the folder; a sentence that stands in two of them is an error."""
    found: dict[str, str] = {}
    for table in TABLES:
        for english, translated in tomllib.loads(table.read_text(encoding="utf-8")).items():
            if english in found:
                raise ValueError(f"{table.name} translates a second time: {english!r}")
            found[english] = translated
    return found


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The sentences with {values}, each behind the pattern that a composed text is held against; the longest first.

    Those with no more than a word like "of" in them are left out: they would be found in any sentence.
    """
    templates = [english for english in chinese() if re.search(r"\{\w+\}", english) and not _SHORT.fullmatch(english)]
    templates.sort(key=lambda english: len(re.sub(r"\{\w+\}", "", english)), reverse=True)
    return [(_pattern(english), english) for english in templates]


def _pattern(english: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", english)
    written: list[str] = []
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            written.append(re.escape(piece))
        else:
            written.append(f"(?P={piece})" if piece in pieces[1:place:2] else f"(?P<{piece}>.+?)")
    return re.compile("".join(written), re.DOTALL)


@lru_cache(4096)
def _in_chinese(text: str) -> str:
    if len(text) > LONGEST:  # nothing that the package says; what a stranger named a file, say
        return text
    english, values = entry(text)
    if english in chinese():
        said_of = {name: _value(name, value) for name, value in values.items()}
        return chinese()[english].format(**said_of) if values else chinese()[english]
    for joint, mark in _JOINTS.items():
        first, found, second = text.partition(joint)
        if found:
            return f"{_in_chinese(first)}{mark}{_in_chinese(second)}"
    return text


def _value(name: str, value: str) -> str:
    return "；".join(map(_in_chinese, value.split("; "))) if name == "reasons" else _in_chinese(value)


def entry(text: str) -> tuple[str, dict[str, str]]:
    """The sentence of the tables that a text is an instance of, and its values; the text itself where there is none."""
    for known in (text, text[:1].swapcase() + text[1:]):
        if known in chinese():
            return known, {}
    for pattern, english in _patterns():
        if found := pattern.fullmatch(text):
            return english, found.groupdict()
    return text, {}
