export default function({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(name);
  const section = find('section'), slider = find('input'), rows = data.slides;
  for (const name of ['before', 'next']) find('.' + name).setAttribute('aria-label', data[name]);
  find('label span').textContent = data.opacity_label;
  find('.leave').textContent = data.leave;
  const at = section.at = section.at || { row: 0, column: 0 };
  const show = () => {
    at.row = Math.min(at.row, rows.length - 1);
    at.column = Math.min(at.column, rows[at.row].length - 1);
    const slide = rows[at.row][at.column];
    for (const kind of ['base', 'heat']) {
      find('.' + kind).hidden = !slide[kind];
      find('.' + kind).src = slide[kind] || '';
    }
    find('.base').alt = slide.title;
    find('h1').textContent = slide.title;
    find('p').textContent = slide.sentence;
    find('.place').textContent = (at.row * rows[0].length + at.column + 1) + ' / ' + rows.length * rows[0].length;
    find('.heat').style.opacity = slider.value / 100;
  };
  const go = (down, right) => {
    const count = rows.length * rows[0].length;
    const place = (at.row * rows[0].length + at.column + right + down * rows[0].length + count) % count;
    at.row = Math.floor(place / rows[0].length);
    at.column = place % rows[0].length;
    show();
  };
  if (!section.dataset.started) { section.dataset.started = 'yes'; slider.value = Math.round(100 * data.opacity); }
  slider.oninput = show;
  find('.before').onclick = () => go(0, -1);
  find('.next').onclick = () => go(0, 1);
  find('.leave').onclick = () => setTriggerValue('left', true);
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const press = event => {
    if (event.composedPath()[0].type === 'range' && event.key !== 'Escape') return;
    if (event.key === 'Escape') setTriggerValue('left', true);
    else if (steps[event.key]) { event.preventDefault(); go(...steps[event.key]); }
  };
  document.addEventListener('keydown', press);
  show();
  return () => document.removeEventListener('keydown', press);
}
