const LEFT = 20, HIGH = 54, TOP = 4, NAMES = 54;
function made(kind, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
function create() {
  const group = made('g', {});
  group.append(made('rect', { class: 'room', y: TOP, height: HIGH }), made('rect', { class: 'bar', rx: 1 }), made('text', {}), made('title', {}));
  return group;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.strip'), description = parentElement.querySelector('.description');
  const LONG = Math.max(700, box.clientWidth) - 2 * LEFT - 50; // one unit is one pixel, so that the drawing stays low
  const middle = TOP + HIGH / 2;
  if (!box.firstChild) {
    box.append(made('svg', { role: 'none' }));
    box.firstChild.append(made('line', { class: 'axis', x1: LEFT, y1: middle, y2: middle }), made('g', { role: 'none' }));
  }
  setAttribute(box.firstChild, 'viewBox', `0 0 ${LONG + 2 * LEFT + 50} ${TOP + HIGH + NAMES}`);
  setAttribute(box.querySelector('.axis'), 'x2', LEFT + LONG);
  const chosen = data.steps.find(step => step.chosen);
  const describe = step => { description.textContent = step ? step.label : ''; };
  const rows = data.steps.map((step, number) => ({ id: `${step.layer ? 'layer' : 'end'} ${step.name}`, step, number }));
  let labeled = -100;
  updateChildren(box.querySelector('svg > g'), rows, create, (group, { step, number }) => {
    const long = Math.max(3, step.length * LONG), high = Math.max(3, step.height * HIGH), x = LEFT + step.left * LONG;
    const before = data.steps[number - 1], after = data.steps[number + 1];
    const from = before ? Math.max((LEFT + before.left * LONG + before.length * LONG + x) / 2, x - 12) : x - 12;
    const to = after ? Math.min((x + long + LEFT + after.left * LONG) / 2, x + long + 12) : x + long + 12;
    const [room, bar, text, title] = group.children, at = x + long / 2, y = TOP + HIGH + 14;
    const named = at - labeled >= 15 || step.chosen;
    if (named) labeled = at;
    const sizes = [
      [room, { x: from, width: Math.max(1, to - from) }],
      [bar, { x, y: middle - high / 2, width: long, height: high }],
      [text, { x: at, y, transform: `rotate(40 ${at} ${y})` }],
      [group, { class: step.layer ? 'layer' : 'end', role: step.layer ? 'button' : 'img', 'aria-label': step.label }],
    ];
    for (const [node, attributes] of sizes) for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
    text.textContent = named ? step.name : '';
    title.textContent = step.label;
    group.onmouseenter = group.onfocus = () => describe(step);
    group.onmouseleave = group.onblur = () => describe(chosen);
    if (!step.layer) return;
    setAttribute(group, 'tabindex', 0);
    setAttribute(group, 'aria-pressed', step.chosen);
    const pick = () => setTriggerValue('picked', step.name);
    group.onclick = pick;
    group.onkeydown = event => {
      if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); pick(); }
    };
  });
  box.setAttribute('aria-label', data.label);
  describe(chosen);
}
