"""Work that waits for a click: it tells its time, shows its progress, can be cancelled, and its result is kept."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from ..errors import CamvizError

Report = Callable[[float, str], Any]

_BEGUN = "_begun"  # in st.session_state: the key of what was clicked
KEPT = 50  # results that a visitor's session keeps


def on_click(label: str, seconds: float, key: Hashable, work: Callable[[Report], Any]) -> Any:
    """The result of `work(report)`, once the button has been clicked; None before.

    `key` identifies the result, which is kept in the session. `report(share, text)` moves the progress bar, and is
    where Cancel, or any other change on the page, ends the work.
    """
    kept: OrderedDict[Hashable, Any] = st.session_state.setdefault("results", OrderedDict())
    if key in kept:
        return kept[key]
    place, bar = st.empty(), st.empty()
    place.button(f"{label} (about {max(1, seconds):.0f} s)", key=f"job.{label}", on_click=_begin, args=(key,))
    if st.session_state.get(_BEGUN) != key:
        return None
    del st.session_state[_BEGUN]
    place.button("Cancel", key=f"cancel.{label}", shortcut="Esc", help="Changing any setting also stops it.")
    try:
        kept[key] = work(bar.progress)
    except CamvizError as error:
        bar.error(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        place.empty()
        return None
    while len(kept) > KEPT:
        kept.popitem(last=False)
    bar.empty()
    place.empty()
    return kept[key]


def _begin(key: Hashable) -> None:
    st.session_state[_BEGUN] = key
