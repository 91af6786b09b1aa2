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
    name.textContent = (row.chosen ? '\u25b8 ' : '') + row.label;
    value.textContent = row.value;
    button.title = data.tooltip;
    button.setAttribute('aria-pressed', row.chosen);
    button.onclick = () => setTriggerValue('picked', row.id);
    button.append(fill, name, value);
    return button;
  }));
}
