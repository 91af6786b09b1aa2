function create() {
  const button = newElement('button');
  button.append(newElement('img'));
  return button;
}
export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.gallery');
  box.setAttribute('aria-label', data.label);
  updateChildren(box, data.items, create, (button, item) => {
    const [picture] = button.children;
    setAttribute(picture, 'src', item.src);
    picture.alt = button.title = item.label;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
  });
  const chosen = box.querySelector('[aria-pressed=true]');
  if (chosen && (chosen.offsetLeft < box.scrollLeft || chosen.offsetLeft + 52 > box.scrollLeft + box.clientWidth)) {
    box.scrollLeft = chosen.offsetLeft - 60;
  }
}
