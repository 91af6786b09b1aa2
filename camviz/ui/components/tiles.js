function create(row) {
  if (row.gap) return newElement('div', 'gap');
  const button = newElement('button');
  button.append(newElement('img'), newElement('span'));
  return button;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.tiles');
  box.setAttribute('aria-label', data.label);
  box.style.setProperty('--tile', `${data.width}px`);
  const gaps = Array.from({ length: data.gaps }, (_, number) => ({ id: `gap ${number}`, gap: true }));
  updateChildren(box, [...data.items, ...gaps], create, (button, item) => {
    if (item.gap) return;
    const [picture, caption] = button.children;
    setAttribute(picture, 'src', item.src);
    picture.alt = item.label;
    caption.textContent = item.caption;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
  });
}
