export default function({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector('.tiles');
  box.setAttribute('aria-label', data.label);
  box.style.setProperty('--tile', `${data.width}px`);
  box.replaceChildren(...data.items.map(item => {
    const button = document.createElement('button');
    const picture = document.createElement('img');
    const caption = document.createElement('span');
    picture.src = item.src; picture.alt = item.label; caption.textContent = item.caption;
    button.setAttribute('aria-pressed', item.id === data.chosen);
    button.onclick = () => setTriggerValue('picked', item.id);
    button.append(picture, caption);
    return button;
  }));
}
