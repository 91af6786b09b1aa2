export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.tiles');
  const kept = new Map([...box.children].map(button => [button.dataset.id, button])); // so that focus stays
  box.setAttribute('aria-label', data.label);
  const ids = new Set(data.items.map(item => String(item.id)));
  for (const [id, button] of kept) if (!ids.has(id)) button.remove();
  data.items.forEach((item, place) => {
    let button = kept.get(String(item.id));
    if (!button) {
      button = document.createElement('button');
      button.append(document.createElement('img'), document.createElement('span'));
      button.dataset.id = item.id;
    }
    const [picture, caption] = button.children;
    if (picture.src !== item.src) picture.src = item.src;
    picture.alt = item.label; caption.textContent = item.caption;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    if (box.children[place] !== button) box.insertBefore(button, box.children[place] ?? null);
  });
}
