function made() {
  const button = document.createElement('button');
  button.append(...['fill', 'name', 'value'].map(kind => {
    const span = document.createElement('span');
    span.className = kind;
    return span;
  }));
  return button;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.bars');
  const kept = new Map([...box.children].map(button => [button.dataset.id, button])); // so that focus stays
  box.setAttribute('aria-label', data.label);
  const ids = new Set(data.rows.map(row => String(row.id)));
  for (const [id, button] of kept) if (!ids.has(id)) button.remove();
  data.rows.forEach((row, place) => {
    const button = kept.get(String(row.id)) ?? made();
    const [fill, name, value] = button.children;
    fill.style.width = (100 * row.share) + '%';
    name.textContent = (row.chosen ? '\u25b8 ' : '') + row.label;
    value.textContent = row.value;
    button.dataset.id = row.id;
    button.title = data.tooltip;
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
    if (box.children[place] !== button) box.insertBefore(button, box.children[place] ?? null);
  });
}
