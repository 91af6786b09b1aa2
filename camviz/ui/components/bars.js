// Buttons are kept by the index of their class, so that the keyboard's focus stays where it was.
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.bars');
  box.setAttribute('aria-label', data.label);
  const before = new Map([...box.children].map(button => [button.dataset.id, button]));
  data.rows.forEach((row, place) => {
    const button = before.get(String(row.id)) ?? document.createElement('button');
    before.delete(String(row.id));
    if (!button.firstChild) {
      for (const kind of ['fill', 'name', 'value']) {
        const span = document.createElement('span');
        span.className = kind;
        button.append(span);
      }
    }
    const [fill, name, value] = button.children;
    button.dataset.id = row.id;
    fill.style.width = (100 * row.share) + '%';
    name.textContent = (row.chosen ? '\u25b8 ' : '') + row.label;
    value.textContent = row.value;
    button.dataset.id = row.id;
    button.title = data.tooltip;
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
    if (box.children[place] !== button) box.insertBefore(button, box.children[place] ?? null);
  });
  for (const button of before.values()) button.remove();
}
