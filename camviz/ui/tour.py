"""A tour of four steps through the first page: each a card beside what it speaks of, in the flow, so it covers nothing.

It goes on in the browser, without the server, so that it stops nothing that is being computed.
"""

import streamlit as st

from .language import t

STEPS = 4
_TARGETS = ("gallery", "bars", "method", "proof-start")  # keys of what the steps speak of, as the CSS has them
_ASKED = "_tour"  # in st.session_state: what asks for the tour: "" (nothing), "first", or "again" with a number

_card = st.components.v2.component(
    "camviz_tour",
    html="""
<section role="region">
  <p><strong></strong> <span id="text"></span></p>
  <div><button class="next" aria-describedby="text"></button><button class="skip"></button></div>
</section>
""",
    css="""
section { font-family: var(--st-font); color: var(--st-text-color); padding: 0.7rem 1rem; border-radius: 8px;
  border: 1px solid var(--st-border-color); border-left: 4px solid var(--st-primary-color);
  background: var(--st-secondary-background-color); }
p { margin: 0 0 0.6rem; line-height: 1.45; }
div { display: flex; gap: 0.6rem; }
button { font: inherit; color: inherit; background: none; cursor: pointer; padding: 0.2rem 0.9rem;
  border: 1px solid var(--st-text-color); border-radius: 8px; }
button:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
.skip { border-color: transparent; text-decoration: underline; }
""",
    js="""
// One tour for all cards of the window. A style in the head shows the present card and marks what it speaks of.
const tour = window.camvizTour ??= { asked: '', step: 0, cards: new Map() };
const SEEN = 'camviz.tour';
function seen() {
  try { return localStorage.getItem(SEEN) !== null; } catch { return false; }
}
function show() {
  let style = document.getElementById('camviz-tour');
  if (!style) {
    style = document.createElement('style');
    style.id = 'camviz-tour';
    document.head.append(style);
  }
  const card = tour.cards.get(tour.step);
  style.textContent = card
    ? `.st-key-tour_${tour.step} { display: block !important; }
       .st-key-${card.target} { outline: 3px solid ${card.colour}; outline-offset: 4px; border-radius: 4px; }`
    : '';
}
function go(step) {
  tour.step = step;
  if (!step) try { localStorage.setItem(SEEN, 'yes'); } catch { }
  show();
  if (step && tour.cards.has(step)) tour.cards.get(step).next.focus();
}
export default function({ data, parentElement }) {
  const find = name => parentElement.querySelector(name);
  const section = find('section'), next = find('.next');
  section.setAttribute('aria-label', data.name);
  find('strong').textContent = data.title;
  find('span').textContent = data.text;
  next.textContent = data.next;
  find('.skip').textContent = data.skip;
  find('.skip').hidden = !data.skip;
  next.onclick = () => go(data.skip ? data.step + 1 : 0);
  find('.skip').onclick = () => go(0);
  section.onkeydown = event => { if (event.key === 'Escape') { event.stopPropagation(); go(0); } };
  if (data.asked && data.asked !== tour.asked) {
    tour.asked = data.asked;
    tour.step = data.asked === 'first' && seen() ? 0 : 1;
  }
  const colour = getComputedStyle(section).borderLeftColor;
  tour.cards.set(data.step, { next, colour, target: data.target });
  show();
  return () => { tour.cards.delete(data.step); show(); };
}
""",
)


def offer(page: str) -> None:
    """Offer the tour to who comes to the first page by a link that sets nothing; and a button that asks for it."""
    state = st.session_state
    if _ASKED not in state:
        state[_ASKED] = "first" if page == "" and not st.query_params.to_dict() else ""
    with st.sidebar:
        asked = st.button(
            t("Tour"),
            key="tour",
            icon=":material/tour:",
            type="tertiary",
            help=t("Four steps through the first page, at most a minute."),
            on_click=_again,
        )
    if asked and page != "":
        st.switch_page("pages/explain.py")


def _again() -> None:
    number = int(st.session_state[_ASKED].partition(" ")[2] or 0) + 1
    st.session_state[_ASKED] = f"again {number}"


def step(number: int) -> None:
    """The place of a step's card, 1 to 4: hidden until the tour comes to it. Nothing where no tour was asked for."""
    if not st.session_state[_ASKED]:
        return
    title, text = _words()[number - 1]
    last = number == STEPS
    data = {
        "step": number,
        "asked": st.session_state[_ASKED],
        "target": _TARGETS[number - 1],
        "name": t("Tour, step {number} of {steps}", number=number, steps=STEPS),
        "title": f"{number}/{STEPS} {title}.",
        "text": text,
        "next": t("Done") if last else t("Next"),
        "skip": "" if last else t("Skip the tour"),
    }
    _card(key=f"tour_{number}", data=data)


def _words() -> tuple[tuple[str, str], ...]:
    return (
        (
            t("Pick a picture"),
            t("The bar at the left, on a phone behind », has samples and takes pictures of your own."),
        ),
        (
            t("Read the answer"),
            t("These are the classes that the network finds most probable. A click on one explains that one."),
        ),
        (
            t("Pick a method"),
            t("Each method asks in its own way what in the picture spoke for the class. The map below is its answer."),
        ),
        (
            t("Ask whether to believe it"),
            t(
                "A map convinces whoever sees it, right or wrong. Put this one to the test by the button above; "
                "there are more tests on the page Evaluate."
            ),
        ),
    )
