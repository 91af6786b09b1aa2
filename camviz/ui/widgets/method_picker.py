"""The method picker, the menu by family, and widgets for a method's settings."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.question import Question
from ...registry import FAMILIES, METHODS, Entry, Knob, Method
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import error_text, sources, tr, tr_message

FAVORITES = ("grad_cam", "layer_cam", "guided_backprop", "occlusion")  # buttons beside the menu


def method_picker(find_refusals: Callable[[], Mapping[str, str]] | None = None) -> Method:
    """Draw the favorites, the menu of all methods and a description of the chosen one; return that method.

    `find_refusals` returns the methods that cannot be used here, with the reason; it is called when the menu is opened.
    """
    method = METHODS[settings.setting("method", "grad_cam", METHODS)]
    with st.container(key="methods", horizontal=True, vertical_alignment="center", gap="small"):
        st.session_state["favorite"] = method.key if method.key in FAVORITES else None
        st.segmented_control(
            tr("Method"),
            FAVORITES,
            format_func=lambda key: tr_message(METHODS[key].title),
            key="favorite",
            on_change=_choose_favorite,
            label_visibility="collapsed",
        )
        _menu(method, find_refusals)
    family = tr_message(FAMILIES[method.family]).capitalize()
    cost = tr("many passes") if method.many_passes else tr("one or two passes")
    description = tr("{tooltip} *{family}; {cost}.*", tooltip=tr_message(method.tooltip), family=family, cost=cost)
    links = sources(method)
    st.caption(f"**{tr_message(method.title)}.** {description} {links}")
    return method


def ask(experiment: Experiment, find_refusals: Callable[[], Mapping[str, str]] | None = None) -> Question | None:
    """Draw the picker and the settings of the chosen method; return the question.

    Draw an error box and return None if this model lacks what the method needs.
    """
    method = method_picker(find_refusals)
    given = knobs(method)
    try:
        return experiment.question(method, given)
    except CamvizError as error:
        st.error(error_text(error))
        return None


def by_family() -> dict[str, list[Method]]:
    """Return all methods by the title of their family, in the order of the pickers."""
    ordered = sorted(METHODS.values(), key=lambda method: method.title)
    return {title: [method for method in ordered if method.family == family] for family, title in FAMILIES.items()}


def _menu(method: Method, find_refusals: Callable[[], Mapping[str, str]] | None) -> None:
    """Draw a list of all methods that can be searched and, when the menu is open, buttons by family."""
    menu = st.popover(tr("All methods"), key="menu", on_change="rerun")
    with menu:
        st.selectbox(
            tr("Method"),
            [one.key for methods in by_family().values() for one in methods],
            format_func=lambda key: tr_message(METHODS[key].title),
            key="method",
            persist_state="session",
            help=tr("How the heatmap is computed. Methods differ in what they measure, in detail and in speed."),
        )
        if not menu.open:
            return
        refusals = find_refusals() if find_refusals else {}
        st.caption(tr(":material/bolt: one or two passes · :material/hourglass_top: many passes"))
        for title, methods in by_family().items():
            st.markdown(f"**{tr_message(title).capitalize()}**")
            row = st.container(horizontal=True)
            for one in methods:
                reason = refusals.get(one.key)
                row.button(
                    tr_message(one.title),
                    key=f"menu.{one.key}",
                    icon=":material/hourglass_top:" if one.many_passes else ":material/bolt:",
                    type="primary" if one is method else "secondary",
                    help=tr("Not available: {reason}.", reason=tr_message(reason))
                    if reason
                    else tr_message(one.tooltip),
                    disabled=reason is not None,
                    on_click=choose_method,
                    args=(one.key,),
                )


def _choose_favorite() -> None:
    if key := st.session_state["favorite"]:
        choose_method(key)


def choose_method(key: str) -> None:
    """Select a method and close the menu."""
    st.session_state["method"], st.session_state["menu"] = key, False


def knobs(method: Entry) -> dict[str, Any]:
    """Draw the method's settings as widgets and return their values."""
    if not method.knobs:
        return {}
    with st.expander(tr("Settings of {method}", method=tr_message(method.title))):
        return {name: _knob(f"{method.key}.{name}", knob) for name, knob in method.knobs.items()}


def _knob(key: str, knob: Knob) -> Any:
    label, tooltip = tr_message(knob.name.replace("_", " ").capitalize()), tr_message(knob.help)
    if knob.choices:
        settings.setting(key, knob.default, knob.choices)
        st.segmented_control(
            label, knob.choices, format_func=tr_message, key=key, help=tooltip, required=True, persist_state="session"
        )
    elif knob.type is bool:
        settings.setting(key, knob.default, (False, True), settings.truth, lambda value: str(int(value)))
        st.toggle(label, key=key, help=tooltip, persist_state="session")
    else:
        span = settings.Span(
            knob.range.low if knob.range else -1e9, knob.range.high if knob.range else 1e9, knob.optional
        )
        settings.setting(key, knob.default, span, knob.type)
        low, high = knob.type(span.low), knob.type(span.high)
        if knob.optional:
            st.number_input(
                label, low, high, value=None, key=key, help=tooltip, placeholder=tr("none"), persist_state="session"
            )
        else:
            step = knob.type(knob.range.step) if knob.range and knob.range.step else None
            st.slider(label, low, high, step=step, key=key, help=tooltip, persist_state="session")
    return st.session_state[key]
