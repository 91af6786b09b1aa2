// Buttons are kept by the id of their image, so that the keyboard's focus stays where it was.
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.gallery');
  box.setAttribute('aria-label', data.label);
  const before = new Map([...box.children].map(button => [button.dataset.id, button]));
  data.items.forEach((item, place) => {
    const button = before.get(item.id) ?? document.createElement('button');
    before.delete(item.id);
    if (!button.firstChild) button.append(document.createElement('img'));
    const image = button.firstChild;
    button.dataset.id = item.id;
    if (image.getAttribute('src') !== item.src) image.src = item.src;
    image.alt = button.title = item.label;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    if (box.children[place] !== button) box.insertBefore(button, box.children[place] ?? null);
  });
  for (const button of before.values()) button.remove();
  const chosen = box.querySelector('[aria-pressed=true]');
  if (chosen && (chosen.offsetLeft < box.scrollLeft || chosen.offsetLeft + 52 > box.scrollLeft + box.clientWidth)) {
    box.scrollLeft = chosen.offsetLeft - 60;
  }
}
