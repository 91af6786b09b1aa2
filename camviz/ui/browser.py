"""Small components that run in the browser; nothing that a user can write reaches their HTML."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_CSS = """
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""

_gallery = st.components.v2.component(
    "camviz_gallery",
    html='<div class="gallery" role="group"></div>',
    css=_CSS
    + """
.gallery { display: grid; grid-template-columns: repeat(4, 1fr); gap: 6px; }
.gallery button { aspect-ratio: 1; border-radius: 6px; overflow: hidden; border: 2px solid transparent; }
.gallery button[aria-pressed=true] { border-color: var(--st-primary-color); }
.gallery img { width: 100%; height: 100%; object-fit: cover; display: block; }
""",
    js="""
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.gallery');
  box.setAttribute('aria-label', data.label);
  box.replaceChildren(...data.items.map(item => {
    const button = document.createElement('button');
    const picture = document.createElement('img');
    picture.src = item.src; picture.alt = item.label; button.title = item.label;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    button.append(picture);
    return button;
  }));
}
""",
)

_bars = st.components.v2.component(
    "camviz_bars",
    html='<div class="bars" role="group"></div>',
    css=_CSS
    + """
.bars { display: grid; gap: 6px; font-family: var(--st-font); color: var(--st-text-color); font-size: 0.9rem; }
.bars button { position: relative; display: flex; justify-content: space-between; gap: 1em; text-align: left;
  padding: 5px 10px; border-radius: 6px; background: var(--st-secondary-background-color); overflow: hidden;
  border: 1px solid transparent; }
.bars button:hover, .bars button[aria-pressed=true] { border-color: var(--st-primary-color); }
.bars button[aria-pressed=true] { font-weight: 600; }
.bars .fill { position: absolute; inset: 0 auto 0 0; background: var(--st-primary-color); opacity: 0.22; }
.bars span { position: relative; }
.bars .fill { position: absolute; }
""",
    js="""
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.bars');
  box.setAttribute('aria-label', data.label);
  box.replaceChildren(...data.rows.map(row => {
    const button = document.createElement('button');
    const [fill, name, value] = ['fill', 'name', 'value'].map(kind => {
      const span = document.createElement('span');
      span.className = kind;
      return span;
    });
    fill.style.width = (100 * row.share) + '%';
    name.textContent = (row.chosen ? '\\u25b8 ' : '') + row.label;
    value.textContent = row.value;
    button.title = 'Explain this class';
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
    button.append(fill, name, value);
    return button;
  }));
}
""",
)

_overlay = st.components.v2.component(
    "camviz_overlay",
    html="""
<figure>
  <div class="stack"><img class="base"><img class="heat" alt=""></div>
  <label><span>Opacity</span><input type="range" min="0" max="100" step="1"><output></output></label>
</figure>
""",
    css=_CSS
    + """
figure { margin: 0; font-family: var(--st-font); color: var(--st-text-color); font-size: 0.9rem; }
.stack { position: relative; line-height: 0; }
.stack img { width: 100%; border-radius: 8px; }
.stack .heat { position: absolute; inset: 0; height: 100%; }
label { display: flex; align-items: center; gap: 0.8em; margin-top: 8px; }
input { flex: 1; accent-color: var(--st-primary-color); }
output { width: 3.2em; text-align: right; }
""",
    js="""
export default function({ data, parentElement, setStateValue }) {
  const find = name => parentElement.querySelector(name);
  const [base, heat, slider, number] = ['.base', '.heat', 'input', 'output'].map(find);
  base.src = data.base; base.alt = data.alt; heat.src = data.heat;
  const show = () => { heat.style.opacity = slider.value / 100; number.textContent = slider.value + ' %'; };
  slider.value = Math.round(100 * data.opacity);
  slider.oninput = show;
  slider.onchange = () => setStateValue('opacity', slider.value / 100);
  show();
}
""",
)


def gallery(label: str, items: Sequence[tuple[str, str, bytes]], chosen: str, picked: Callable[[str], None]) -> None:
    """Thumbnails (id, label, JPEG) as buttons; a click calls `picked(id)`."""
    shown = [{"id": key, "label": name, "src": _source(jpeg)} for key, name, jpeg in items]
    _mount(_gallery, "gallery", {"label": label, "items": shown, "chosen": chosen}, picked)


def bars(label: str, rows: Sequence[dict[str, Any]], picked: Callable[[int], None]) -> None:
    """Rows of {id, label, value, share, chosen} as bars that are buttons; a click calls `picked(id)`."""
    _mount(_bars, "bars", {"label": label, "rows": list(rows)}, picked)


def overlay(view: bytes, heat: bytes, opacity: float, alt: str, moved: Callable[[float], None]) -> None:
    """A JPEG over another with a slider for its opacity, which needs no server; `moved` hears where it stops."""
    data = {"base": _source(view), "heat": _source(heat), "opacity": opacity, "alt": alt}

    def change() -> None:
        value = st.session_state["overlay"].get("opacity")
        if value is not None:
            moved(float(value))

    _overlay(key="overlay", data=data, on_opacity_change=change)


def _mount(component: Any, key: str, data: dict[str, Any], picked: Callable[[Any], None]) -> None:
    def change() -> None:
        value = st.session_state[key].get("picked")
        if value is not None:
            picked(value)

    component(key=key, data=data, on_picked_change=change)


def _source(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
