"""Small components that run in the browser; nothing that a user can write reaches their HTML."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from .language import t

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
    button.title = data.told;
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
  <div class="stack"><img class="base" alt=""><img class="heat" alt=""></div>
  <label><span></span><input type="range" min="0" max="100" step="1"><output></output></label>
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
  find('label span').textContent = data.opacity_label;
  const show = () => { heat.style.opacity = slider.value / 100; number.textContent = slider.value + ' %'; };
  slider.value = Math.round(100 * data.opacity);
  slider.oninput = show;
  slider.onchange = () => setStateValue('opacity', slider.value / 100);
  show();
}
""",
)

_strip = st.components.v2.component(
    "camviz_strip",
    html='<div class="strip" role="group"></div><div class="told" aria-live="polite"></div>',
    css="""
.strip { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 720px; font-family: var(--st-font); }
svg text { fill: var(--st-text-color); font-size: 12px; }
.bar { fill: var(--st-primary-color); fill-opacity: 0.35; stroke: var(--st-primary-color); }
.end .bar { fill: var(--st-text-color); fill-opacity: 0.2; stroke: var(--st-text-color); }
.axis { stroke: var(--st-text-color); stroke-opacity: 0.35; }
.room { fill: transparent; }
g[role=button] { cursor: pointer; outline: none; }
g[role=button]:hover .bar, g[role=button]:focus-visible .bar { fill-opacity: 0.75; stroke-width: 3; }
g[aria-pressed=true] .bar { fill-opacity: 1; }
g[aria-pressed=true] text { font-weight: 700; }
.told { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.9rem; min-height: 1.5em; }
""",
    js="""
const LONG = 1000, LEFT = 20, HIGH = 170, TOP = 12;
function made(kind, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.strip'), told = parentElement.querySelector('.told');
  const svg = made('svg', { role: 'none', viewBox: `0 0 ${LONG + 2 * LEFT + 50} ${HIGH + 86}` });
  const middle = TOP + HIGH / 2;
  svg.append(made('line', { class: 'axis', x1: LEFT, x2: LEFT + LONG, y1: middle, y2: middle }));
  const chosen = data.steps.find(step => step.chosen);
  const tell = step => { told.textContent = step ? step.label : ''; };
  let labelled = -100;
  data.steps.forEach((step, number) => {
    const long = Math.max(3, step.length * LONG), high = Math.max(3, step.height * HIGH), x = LEFT + step.left * LONG;
    const button = step.layer ? { role: 'button', tabindex: 0, 'aria-pressed': step.chosen } : { role: 'img' };
    const group = made('g', { ...button, class: step.layer ? 'layer' : 'end', 'aria-label': step.label });
    const before = data.steps[number - 1], after = data.steps[number + 1];
    const from = before ? Math.max((LEFT + before.left * LONG + before.length * LONG + x) / 2, x - 12) : x - 12;
    const to = after ? Math.min((x + long + LEFT + after.left * LONG) / 2, x + long + 12) : x + long + 12;
    group.append(made('rect', { class: 'room', x: from, y: TOP, width: Math.max(1, to - from), height: HIGH }));
    group.append(made('rect', { class: 'bar', x, y: middle - high / 2, width: long, height: high, rx: 1 }));
    const at = x + long / 2;
    if (at - labelled >= 15 || step.chosen) {
      const y = TOP + HIGH + 14;
      group.append(made('text', { x: at, y, transform: `rotate(40 ${at} ${y})` }, step.name));
      labelled = at;
    }
    group.append(made('title', {}, step.label));
    group.onmouseenter = group.onfocus = () => tell(step);
    group.onmouseleave = group.onblur = () => tell(chosen);
    if (step.layer) {
      const pick = () => setTriggerValue('picked', step.name);
      group.onclick = pick;
      group.onkeydown = event => {
        if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); pick(); }
      };
    }
    svg.append(group);
  });
  box.setAttribute('aria-label', data.label);
  box.replaceChildren(svg);
  tell(chosen);
}
""",
)

_tiles = st.components.v2.component(
    "camviz_tiles",
    html='<div class="tiles" role="group"></div>',
    css=_CSS
    + """
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 8px;
  font-family: var(--st-font); color: var(--st-text-color); font-size: 0.8rem; }
.tiles button { border-radius: 6px; overflow: hidden; border: 2px solid transparent; text-align: left;
  align-self: start; }
.tiles button:hover, .tiles button[aria-pressed=true] { border-color: var(--st-primary-color); }
.tiles button[aria-pressed=true] { font-weight: 700; }
.tiles img { width: 100%; display: block; }
.tiles span { display: block; padding: 2px 4px; line-height: 1.3; white-space: pre-line; overflow-wrap: anywhere; }
""",
    js="""
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.tiles');
  box.setAttribute('aria-label', data.label);
  box.replaceChildren(...data.items.map(item => {
    const button = document.createElement('button');
    const picture = document.createElement('img');
    const caption = document.createElement('span');
    picture.src = item.src; picture.alt = item.label; caption.textContent = item.caption;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    button.append(picture, caption);
    return button;
  }));
}
""",
)

_slides = st.components.v2.component(
    "camviz_slides",
    html="""
<section>
  <div class="stack"><img class="base" alt=""><img class="heat" alt=""></div>
  <div class="words" aria-live="polite"><h1></h1><p></p></div>
  <nav>
    <button class="before">&#8592;</button>
    <span class="place"></span>
    <button class="next">&#8594;</button>
    <label><span></span><input type="range" min="0" max="100" step="1"></label>
    <button class="leave"></button>
  </nav>
</section>
""",
    css=_CSS
    + """
section { font-family: var(--st-font); color: var(--st-text-color); display: grid; gap: 1rem; justify-items: center;
  grid-template-columns: minmax(0, 1fr); }
.stack { position: relative; line-height: 0; width: min(100%, 62vh); aspect-ratio: 1; }
.stack img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; border-radius: 10px; }
.words { text-align: center; max-width: 50rem; }
h1 { font-size: clamp(1.4rem, 3.4vh, 2.4rem); margin: 0 0 0.3em; }
p { font-size: clamp(1.1rem, 2.6vh, 1.7rem); line-height: 1.35; margin: 0; }
nav { display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: center; justify-content: center; }
nav button { font-size: 1.2rem; padding: 0.2em 0.8em; border: 1px solid var(--st-border-color); border-radius: 8px; }
nav label { display: flex; gap: 0.6rem; align-items: center; }
input { accent-color: var(--st-primary-color); }
""",
    js="""
export default function({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(name);
  const section = find('section'), slider = find('input'), rows = data.slides;
  for (const name of ['before', 'next']) find('.' + name).setAttribute('aria-label', data[name]);
  find('label span').textContent = data.opacity_label;
  find('.leave').textContent = data.leave;
  const at = section.at = section.at || { row: 0, column: 0 };
  const show = () => {
    at.row = Math.min(at.row, rows.length - 1);
    at.column = Math.min(at.column, rows[at.row].length - 1);
    const slide = rows[at.row][at.column];
    for (const kind of ['base', 'heat']) {
      find('.' + kind).hidden = !slide[kind];
      find('.' + kind).src = slide[kind] || '';
    }
    find('.base').alt = slide.title;
    find('h1').textContent = slide.title;
    find('p').textContent = slide.sentence;
    find('.place').textContent = (at.row * rows[0].length + at.column + 1) + ' / ' + rows.length * rows[0].length;
    find('.heat').style.opacity = slider.value / 100;
  };
  const go = (down, right) => {
    const count = rows.length * rows[0].length;
    const place = (at.row * rows[0].length + at.column + right + down * rows[0].length + count) % count;
    at.row = Math.floor(place / rows[0].length);
    at.column = place % rows[0].length;
    show();
  };
  if (!section.dataset.started) { section.dataset.started = 'yes'; slider.value = Math.round(100 * data.opacity); }
  slider.oninput = show;
  find('.before').onclick = () => go(0, -1);
  find('.next').onclick = () => go(0, 1);
  find('.leave').onclick = () => setTriggerValue('left', true);
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const press = event => {
    if (event.composedPath()[0].type === 'range' && event.key !== 'Escape') return;
    if (event.key === 'Escape') setTriggerValue('left', true);
    else if (steps[event.key]) { event.preventDefault(); go(...steps[event.key]); }
  };
  document.addEventListener('keydown', press);
  show();
  return () => document.removeEventListener('keydown', press);
}
""",
)


@dataclass(frozen=True)
class Slide:
    """One picture of a presentation: its title, one sentence, the picture and its map as JPEGs, or None."""

    title: str
    sentence: str
    base: bytes | None
    heat: bytes | None


def slides(rows: Sequence[Sequence[Slide]], opacity: float, left: Callable[[], None]) -> None:
    """Slides by row and column, one at a time; keys, buttons and opacity need no server. Esc calls `left()`."""
    shown = [
        [
            {
                "title": slide.title,
                "sentence": slide.sentence,
                "base": _source(slide.base) if slide.base else "",
                "heat": _source(slide.heat) if slide.heat else "",
            }
            for slide in row
        ]
        for row in rows
    ]
    words = {"before": t("Before"), "next": t("Next"), "leave": t("Leave"), "opacity_label": t("Opacity")}
    _slides(key="slides", data={"slides": shown, "opacity": opacity, **words}, on_left_change=left)


def gallery(label: str, items: Sequence[tuple[str, str, bytes]], chosen: str, picked: Callable[[str], None]) -> None:
    """Thumbnails (id, label, JPEG) as buttons; a click calls `picked(id)`."""
    shown = [{"id": key, "label": name, "src": _source(jpeg)} for key, name, jpeg in items]
    _mount(_gallery, "gallery", {"label": label, "items": shown, "chosen": chosen}, picked)


def bars(label: str, rows: Sequence[dict[str, Any]], picked: Callable[[int], None]) -> None:
    """Rows of {id, label, value, share, chosen} as bars that are buttons; a click calls `picked(id)`."""
    _mount(_bars, "bars", {"label": label, "rows": list(rows), "told": t("Explain this class")}, picked)


def overlay(view: bytes, heat: bytes, opacity: float, alt: str, moved: Callable[[float], None]) -> None:
    """A JPEG over another with a slider for its opacity, which needs no server; `moved` hears where it stops."""
    data = {"base": _source(view), "heat": _source(heat), "opacity": opacity, "alt": alt}
    data["opacity_label"] = t("Opacity")

    def change() -> None:
        value = st.session_state["overlay"].get("opacity")
        if isinstance(value, int | float):
            moved(float(value))

    _overlay(key="overlay", data=data, on_opacity_change=change)


def strip(label: str, steps: Sequence[dict[str, Any]], picked: Callable[[str], None]) -> None:
    """A network drawn to scale: steps of {name, label, left, length, height, layer, chosen}, sizes in parts of 1.

    A click on a layer calls `picked(name)`.
    """
    _mount(_strip, "strip", {"label": label, "steps": list(steps)}, picked)


def tiles(label: str, items: Sequence[tuple[int, str, str, bytes]], chosen: int, picked: Callable[[int], None]) -> None:
    """A grid of pictures (id, alt text, caption, JPEG) that are buttons; a click calls `picked(id)`."""
    shown = [{"id": key, "label": alt, "caption": text, "src": _source(jpeg)} for key, alt, text, jpeg in items]
    _mount(_tiles, "tiles", {"label": label, "items": shown, "chosen": chosen}, picked)


def _mount(component: Any, key: str, data: dict[str, Any], picked: Callable[[Any], None]) -> None:
    drawn = [one.get("id", one.get("name")) for kind in ("items", "rows", "steps") for one in data.get(kind, ())]

    def change() -> None:
        value = st.session_state[key].get("picked")
        if value in drawn:  # whoever writes to the server without a browser may send anything
            picked(value)

    component(key=key, data=data, on_picked_change=change)


def _source(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
