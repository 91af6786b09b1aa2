"""What Streamlit's own look leaves to do for every reader: contrast, narrow screens, the page's language, scrolling."""

import streamlit as st

from . import language

_STYLE = """
/* Captions: Streamlit's 60 % of the text's colour are too pale to read, links and code in them above all. */
[data-testid=stCaptionContainer] { opacity: 1; }
[data-testid=stCaptionContainer] :is(p, li) { color: color-mix(in srgb, currentColor 80%, transparent); }
.katex-display { overflow-y: hidden; }
.st-key-reader, [class*=st-key-tour_] { display: none; }
/* White on the light blue of the dark theme cannot be read. */
:is([data-testid=stBaseButton-primary] p, [data-tag], [data-tag] :is(span, button)) {
  color: light-dark(#ffffff, #0e1117);
}
@media (max-width: 640px) {
  [data-testid=stMainBlockContainer] { padding-top: 4rem; }
  .katex-display { font-size: 0.82em; }
}
"""
_reader = st.components.v2.component(
    "camviz_reader",
    html="<span></span>",
    js="""
// What scrolls sideways must be reachable without a mouse.
const SCROLLING = 'pre, .katex-display';
export default function({ data }) {
  document.documentElement.lang = data.language;
  let asked = 0;
  const look = () => {
    for (const box of document.querySelectorAll(SCROLLING)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute('tabindex');
    }
  };
  const reach = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(look); };
  const seen = new MutationObserver(reach);
  const main = document.querySelector('[data-testid=stMain]') || document.body;
  seen.observe(main, { childList: true, subtree: true });
  window.addEventListener('resize', reach);
  reach();
  return () => { seen.disconnect(); window.removeEventListener('resize', reach); };
}
""",
)


def settle() -> None:
    """Set the page's look, and tell screen readers its language; at the start of every run."""
    st.html(f"<style>{_STYLE}</style>")
    _reader(key="reader", data={"language": language.in_html()})
