"""Choosing a method and its settings: the picker, the menu by family, and widgets derived from signatures."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.question import Question
from ...registry import FAMILIES, METHODS, Entry, Knob, Method
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import error_text, tr, tr_message


def method_picker() -> Method:
    """A picker of all methods, with what the chosen one does."""
    key = settings.setting("method", "grad_cam", METHODS)
    keys = [method.key for methods in by_family().values() for method in methods]
    st.selectbox(
        tr("Method"),
        keys,
        format_func=lambda key: tr_message(METHODS[key].title),
        key="method",
        persist_state="session",
        help=tr(
            "One way to ask what in the picture mattered. They differ in what they measure, in detail and in time."
        ),
    )
    found = METHODS[key]
    family = tr_message(FAMILIES[found.family]).capitalize()
    cost = tr("many passes") if found.many_passes else tr("one or two passes")
    told = tr("{told} *{family}; {cost}.*", told=tr_message(found.tooltip), family=family, cost=cost)
    st.caption(f"{told} [{tr('Paper')}]({found.paper})")
    return found


def ask(experiment: Experiment, menu: bool = False) -> tuple[Question | None, Any]:
    """Draw the picker and the settings of the chosen method; return the question, and the place of the menu between.

    Draw an error box and return None if this model lacks what the method needs.
    """
    method = method_picker()
    place = st.empty() if menu else None
    settings = knobs(method)
    try:
        return experiment.question(method, settings), place
    except CamvizError as error:
        st.error(error_text(error))
        return None, place


def by_family() -> dict[str, list[Method]]:
    """All methods by the title of their family, in the order of the pickers."""
    ordered = sorted(METHODS.values(), key=lambda method: method.title)
    return {title: [method for method in ordered if method.family == family] for family, title in FAMILIES.items()}


def method_menu(find_refusals: Callable[[], Mapping[str, str]]) -> None:
    """All methods by family, with what they show and cost; those that cannot be used here are disabled, with why.

    Found out and drawn when somebody opens it.
    """
    menu = st.popover(tr("All methods by family"), key="menu", on_change="rerun")
    if not menu.open:
        return
    refusals = find_refusals()
    with menu:
        st.caption(tr(":material/bolt: one or two passes · :material/hourglass_top: many passes"))
        for title, methods in by_family().items():
            st.markdown(f"**{tr_message(title).capitalize()}**")
            row = st.container(horizontal=True)
            for method in methods:
                reason = refusals.get(method.key)
                row.button(
                    tr_message(method.title),
                    key=f"menu.{method.key}",
                    icon=":material/hourglass_top:" if method.many_passes else ":material/bolt:",
                    help=tr("Not here: {reason}.", reason=tr_message(reason)) if reason else tr_message(method.tooltip),
                    disabled=reason is not None,
                    on_click=choose_method,
                    args=(method.key,),
                )


def choose_method(key: str) -> None:
    """Make a method the present one, and close the menu."""
    st.session_state["method"], st.session_state["menu"] = key, False


def knobs(method: Entry) -> dict[str, Any]:
    """The method's settings as widgets, derived from its signature."""
    if not method.knobs:
        return {}
    with st.expander(tr("Settings of {method}", method=tr_message(method.title))):
        return {name: _knob(f"{method.key}.{name}", knob) for name, knob in method.knobs.items()}


def _knob(key: str, knob: Knob) -> Any:
    label, told = tr_message(knob.name.replace("_", " ").capitalize()), tr_message(knob.help)
    if knob.choices:
        settings.setting(key, knob.default, knob.choices)
        st.segmented_control(
            label, knob.choices, format_func=tr_message, key=key, help=told, required=True, persist_state="session"
        )
    elif knob.type is bool:
        settings.setting(key, knob.default, (False, True), settings.truth, lambda value: str(int(value)))
        st.toggle(label, key=key, help=told, persist_state="session")
    else:
        span = settings.Span(
            knob.range.low if knob.range else -1e9, knob.range.high if knob.range else 1e9, knob.optional
        )
        settings.setting(key, knob.default, span, knob.type)
        low, high = knob.type(span.low), knob.type(span.high)
        if knob.optional:
            st.number_input(
                label, low, high, value=None, key=key, help=told, placeholder=tr("none"), persist_state="session"
            )
        else:
            step = knob.type(knob.range.step) if knob.range and knob.range.step else None
            st.slider(label, low, high, step=step, key=key, help=told, persist_state="session")
    return st.session_state[key]
