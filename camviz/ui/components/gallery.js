export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.gallery');
  box.setAttribute('aria-label', data.label);
  box.replaceChildren(...data.items.map(item => {
    const button = document.createElement('button');
    const picture = document.createElement('img');
    picture.src = item.src; picture.alt = item.label; button.title = item.label;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    button.append(picture);
    return button;
  }));
}
