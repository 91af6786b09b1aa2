function create() {
  const button = newElement('button');
  button.append(newElement('span', 'fill'), newElement('span', 'before'), newElement('span', 'name'), newElement('span', 'value'));
  return button;
}
const listening = new WeakMap(); // the rows that a drawing on the stage changes, by the box of the bars
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.bars');
  box.setAttribute('aria-label', data.label);
  const show = rows => updateChildren(box, rows, create, (button, row) => {
    const [fill, before, name, value] = button.children;
    fill.style.width = (100 * row.share) + '%';
    before.hidden = row.before === undefined;
    before.style.left = (100 * row.before) + '%';
    name.textContent = (row.chosen ? '\u25b8 ' : '') + row.label;
    value.textContent = row.value + (row.change ? ` (${row.change})` : '');
    button.dataset.id = row.id;
    button.title = data.tooltip;
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
  });
  show(data.rows);
  document.removeEventListener('camviz-answer', listening.get(box));
  const told = ({ detail }) => { if (detail.address === data.listens) show(detail.rows || data.rows); };
  listening.set(box, told);
  document.addEventListener('camviz-answer', told);
  return () => document.removeEventListener('camviz-answer', told);
}
