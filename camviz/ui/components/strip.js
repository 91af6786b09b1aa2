const LEFT = 20, HIGH = 68, TOP = 4, NAMES = 62;
function made(kind, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.strip'), description = parentElement.querySelector('.description');
  const LONG = Math.max(700, box.clientWidth) - 2 * LEFT - 50; // one unit is one pixel, so that the drawing stays low
  const svg = made('svg', { role: 'none', viewBox: `0 0 ${LONG + 2 * LEFT + 50} ${TOP + HIGH + NAMES}` });
  const middle = TOP + HIGH / 2;
  svg.append(made('line', { class: 'axis', x1: LEFT, x2: LEFT + LONG, y1: middle, y2: middle }));
  const chosen = data.steps.find(step => step.chosen);
  const describe = step => { description.textContent = step ? step.label : ''; };
  let labeled = -100;
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
    if (at - labeled >= 15 || step.chosen) {
      const y = TOP + HIGH + 14;
      group.append(made('text', { x: at, y, transform: `rotate(40 ${at} ${y})` }, step.name));
      labeled = at;
    }
    group.append(made('title', {}, step.label));
    group.onmouseenter = group.onfocus = () => describe(step);
    group.onmouseleave = group.onblur = () => describe(chosen);
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
  describe(chosen);
}
