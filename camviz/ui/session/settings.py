"""Settings, kept in the session and in the URL, so that a link restores a view."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from . import streamlit_internals
from .language import tr
from .markdown import escaped

Parse = Callable[[str], Any]

# In st.session_state: the settings under their own names, and internal values under these.
_ASKED, _SHOWN, _PAGE, _NOTES, _USED, _KEYS = "_asked", "_shown", "_page", "_notes", "_used", "_keys"
_RUNNING, _FOLLOWED, _WHO, _ENDED = "_running", "_followed", "_who", "_ended"
_DEFAULTS = "_defaults"  # the defaults of the settings that nobody has chosen
MOST = 100  # parts of a list setting
NOTED = 5  # unknown parts that are reported


@contextmanager
def run(page: str) -> Iterator[None]:
    """Run app.py once: read the settings from the URL before, write them into the URL after.

    Settings at their default are left out. The URL is read if no widget has changed, as after a link or the Back
    button: then settings that it leaves out return to their default. The URL that comes with a change of a widget may
    be any earlier one, because the browser learns of a new URL only after the run. A page that is opened by the
    navigation comes without settings in its URL, a page that Back leads to comes with them.
    """
    streamlit_internals.restore_main_module()
    state = st.session_state
    link = st.query_params.to_dict()
    moved = state.get(_PAGE, page) != page
    # A run that ends in st.rerun() is repeated with the URL that it had.
    changed = streamlit_internals.widget_has_changed() or state.pop(_ENDED, None) == link
    back = streamlit_internals.is_history_navigation()
    changed = changed and not back
    popped = back or (not moved and not changed and link != state.get(_SHOWN, {}))
    state[_ASKED] = dict(link) if popped else {}
    keys = _keys(page)
    if popped and _SHOWN in state:
        for key in keys - link.keys():
            state.pop(key, None)
    state[_WHO] = "link"
    if followed := state.pop(_FOLLOWED, None):
        state[_WHO], state[_ASKED] = followed
    state[_PAGE], state[_NOTES], state[_USED] = page, [], {}
    state[_RUNNING] = True
    interrupted = False
    try:
        yield
    except streamlit_internals.Rerun:  # the next run writes the URL: this one may not have read all settings
        interrupted = True
        if changed:
            state[_ENDED] = link
        raise
    finally:
        if not interrupted:
            _write_link(link, changed)
        state[_RUNNING] = False


def _write_link(link: dict[str, str], changed: bool) -> None:
    """Write the settings into the URL. The URL that came with a change is older if a newer one is still on its way."""
    state = st.session_state
    if state[_USED] != link or (changed and state[_USED] != state.get(_SHOWN, link)):
        st.query_params.from_dict(state[_USED])
    state[_SHOWN] = dict(state[_USED])


def _keys(page: str) -> set[str]:
    """Return the settings that a page has read so far."""
    keys: set[str] = st.session_state.setdefault(_KEYS, {}).setdefault(page, set())
    return keys


def is_running() -> bool:
    """Return whether app.py is running, rather than a page's file alone."""
    return bool(st.session_state.get(_RUNNING))


def follow(who: str, settings: dict[str, str]) -> None:
    """Apply settings in the next run as if a link contained them; for callbacks. `who` names the source: "recipe"."""
    st.session_state[_FOLLOWED] = who, settings


def asked(key: str) -> str | None:
    """Return the value that the URL requests for a setting, if it is new and not applied yet."""
    found: str | None = st.session_state[_ASKED].get(key)
    return found


def replace_former(keys: Mapping[str, str], values: Mapping[tuple[str, str], str]) -> None:
    """Replace former names in what the URL requests: keys, and the values of a key."""
    asked = st.session_state[_ASKED]
    st.session_state[_ASKED] = {keys.get(key, key): values.get((key, value), value) for key, value in asked.items()}


def refuse(key: str, sentence: str) -> None:
    """Ignore the URL's value of this setting, and show why."""
    st.session_state[_ASKED].pop(key, None)
    note(sentence)


def setting(
    key: str,
    default: Any,
    options: Container[Any],
    parse: Parse = str,
    write: Callable[[Any], str] = str,
) -> Any:
    """Return a setting: from the URL, else the session, else the default; always one of `options`.

    Call it before the widget of that key, which then shows the value. An unknown value in the URL is replaced by
    the default, with a note. A setting that nobody has chosen follows its default from page to page.
    """
    state = st.session_state
    _keys(state.get(_PAGE, "")).add(key)
    asked = state[_ASKED].pop(key, None)
    defaults = state.setdefault(_DEFAULTS, {})
    chosen = key in state and not (key in defaults and state[key] == defaults[key])
    if asked is not None:
        try:
            state[key] = parse(asked)
        except ValueError:
            state[key] = None
        chosen = True
    value = state[key] if chosen else default
    if value not in options:
        if asked is not None:
            note(
                tr(
                    "Unknown {key} '{asked}' in the {who}: using the default.",
                    who=tr(state[_WHO]),
                    key=key,
                    asked=escaped(asked[:60]),
                )
            )
        value, chosen = default, False
    state[key] = value
    if chosen:
        defaults.pop(key, None)
    else:
        defaults[key] = default
    if value != default:
        state[_USED][key] = write(value)
    return value


def is_chosen(key: str) -> bool:
    """Return whether a visitor or a link has set this setting, even to its default."""
    return key not in st.session_state.get(_DEFAULTS, {})


def choose(key: str, value: Any) -> None:
    """Set a setting as if the visitor had used its widget; for callbacks."""
    st.session_state[key] = value
    st.session_state.get(_DEFAULTS, {}).pop(key, None)


def show(key: str, value: str) -> None:
    """Set a setting to the value that the page shows at its end, also in the link; "", its default, is left out."""
    choose(key, value)
    st.session_state[_ASKED].pop(key, None)
    _keys(st.session_state.get(_PAGE, "")).add(key)
    if value:
        st.session_state[_USED][key] = value
    else:
        st.session_state[_USED].pop(key, None)


def used() -> dict[str, str]:
    """Return the settings of the current view that are not at their default, as a link writes them."""
    return dict(st.session_state[_USED])


def keep_link() -> None:
    """Keep the URL of this run as it is."""
    st.session_state[_USED] = st.query_params.to_dict()


def switch(key: str) -> bool:
    """Return a setting that is on or off, off by default."""
    return bool(setting(key, False, (False, True), truth, lambda _: "1"))


def truth(text: str) -> bool:
    """Parse on and off as a link writes them: 1 and 0."""
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def many(key: str, default: Sequence[str], options: Sequence[str], most: int = MOST) -> list[str]:
    """Return a setting that is a list, without duplicates, at most `most` long; comma-separated in the URL.

    Unknown parts are left out, with a note.
    """
    state = st.session_state
    _keys(state.get(_PAGE, "")).add(key)
    asked = state[_ASKED].pop(key, None)
    if asked is not None:
        state[key] = list(dict.fromkeys(asked.split(",")))
        known = set(options)
        for part in [part for part in state[key] if part not in known][:NOTED]:
            note(
                tr(
                    "Unknown {key} '{asked}' in the {who}: left out.",
                    who=tr(state[_WHO]),
                    key=key,
                    asked=escaped(part[:60]),
                )
            )
    value = [part for part in dict.fromkeys(state.get(key, default)) if part in options][:most]
    state[key] = value
    if value != list(default):
        state[_USED][key] = ",".join(value)
    return value


class Span:
    """All numbers from `low` to `high`, as the options of a setting."""

    def __init__(self, low: float, high: float, optional: bool = False) -> None:
        self.low, self.high, self.optional = low, high, optional

    def __contains__(self, value: Any) -> bool:
        if value is None:
            return self.optional
        return isinstance(value, int | float) and self.low <= value <= self.high


def note(sentence: str) -> None:
    """Show a message about the link or the image once, above the page."""
    if sentence not in st.session_state[_NOTES]:
        st.session_state[_NOTES].append(sentence)


def notes() -> list[str]:
    """Return the messages of this run."""
    return list(st.session_state.get(_NOTES, []))


def link() -> str:
    """Return the address of the current view; call it after all settings are drawn."""
    used = st.session_state[_USED]
    return f"{st.context.url or ''}{'?' if used else ''}{urlencode(used)}"
