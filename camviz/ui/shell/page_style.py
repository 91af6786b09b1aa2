"""Page style and accessibility beyond Streamlit's: contrast, narrow screens, language, scrolling."""

import gc

import streamlit as st

from ..components import component, read
from ..session import language, settings
from ..session.language import tr

_STYLE, _page_fixes = read("page.css"), component("page_fixes")


_PRESENTED = """<style>
:is([data-testid=stSidebar], [data-testid=stHeader], [data-testid=stExpandSidebarButton]),
:is(.st-key-title_line, .st-key-actions, .st-key-image_strip, .st-key-experiment_row),
:is(.st-key-tabs, .st-key-grid_controls) {
  display: none !important;
}
[data-testid=stLayoutWrapper]:has(> .st-key-title_line, > .st-key-actions, > .st-key-tabs),
[data-testid=stLayoutWrapper]:has(> .st-key-image_strip, > .st-key-experiment_row),
[data-testid=stLayoutWrapper]:has(> [data-testid=stExpander]) {
  display: none; /* with the gaps around them */
}
[data-testid=stMainBlockContainer] {
  padding: 1rem clamp(0.75rem, 3vw, 2rem) 4rem !important; max-width: none; --stage-surroundings: 130px;
}
.st-key-answer p { font-size: 1.5rem; }
.st-key-present_stop { position: fixed; right: 1rem; bottom: 1rem; z-index: 100; width: auto; }
</style>"""


def is_presented() -> bool:
    """Return whether the page is presented without its controls; if so, hide them."""
    presented = settings.switch("present")
    if presented:
        st.html(_PRESENTED)
    return presented


def leave_button() -> None:
    """Draw the button that ends the presentation."""
    st.button(
        tr("Leave presentation"), key="present_stop", shortcut="Esc", on_click=settings.choose, args=("present", False)
    )


def apply_page_style() -> None:
    """Set the style and the language of the page, at the start of every run."""
    st.html(f"<style>{_STYLE}</style>")
    _page_fixes(key="page_fixes", data={"language": language.html_language(), "words": _streamlit_texts()})


def _streamlit_texts() -> dict[str, str]:
    """Return texts of Streamlit's widgets and their translations."""
    return {
        "Upload": tr("Upload"),
        "per file": tr("per file"),
        "Skip to main content": tr("Skip to main content"),
        "Take Photo": tr("Take Photo"),
        "Clear photo": tr("Clear photo"),
        "No results": tr("No results"),
    }


@st.cache_resource(show_spinner=False)
def freeze_garbage() -> None:
    """Exclude the objects of the first page from later garbage collections, once.

    Streamlit collects garbage after every run of a page. With torch loaded this takes 0.2 s, during which no page
    responds.
    """
    gc.collect()
    gc.freeze()
