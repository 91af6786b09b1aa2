// One tour for all cards of the window. A style in the head shows the current card and outlines its target.
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
       .st-key-${card.target} { outline: 3px solid ${card.color}; outline-offset: 4px; border-radius: 4px; }`
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
    // On a phone the card would cover the answer, so there it comes only when it is asked for.
    tour.step = data.asked === 'first' && (seen() || innerWidth <= 640) ? 0 : 1;
  }
  const color = getComputedStyle(section).borderLeftColor;
  tour.cards.set(data.step, { next, color, target: data.target });
  show();
  return () => { tour.cards.delete(data.step); show(); };
}
