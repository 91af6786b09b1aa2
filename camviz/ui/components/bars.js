function create() {
  const button = newElement('button');
  button.append(newElement('span', 'fill'), newElement('span', 'name'), newElement('span', 'value'));
  return button;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.bars');
  box.setAttribute('aria-label', data.label);
  updateChildren(box, data.rows, create, (button, row) => {
    const [fill, name, value] = button.children;
    fill.style.width = (100 * row.share) + '%';
    name.textContent = (row.chosen ? '\u25b8 ' : '') + row.label;
    value.textContent = row.value;
    button.dataset.id = row.id;
    button.title = data.tooltip;
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
  });
}
