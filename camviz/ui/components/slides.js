// A presentation: one image with its overlay and a sentence at a time.
export default function({ data, parentElement, setTriggerValue }) {
  const find = name => parentElement.querySelector(name);
  const section = find('section'), slider = find('input'), slides = data.slides;
  for (const name of ['before', 'next']) find('.' + name).setAttribute('aria-label', data[name]);
  find('label span').textContent = data.strength_label;
  find('.leave').textContent = data.leave;
  section.at = Math.min(section.at || 0, slides.length - 1);
  const show = () => {
    const slide = slides[section.at];
    for (const kind of ['base', 'heat']) {
      find('.' + kind).hidden = !slide[kind];
      if (slide[kind] && find('.' + kind).getAttribute('src') !== slide[kind]) find('.' + kind).src = slide[kind];
    }
    find('.base').alt = slide.title;
    find('h1').textContent = slide.title;
    find('p').textContent = slide.sentence;
    find('.place').textContent = (section.at + 1) + ' / ' + slides.length;
    find('label').style.visibility = slide.heat ? 'visible' : 'hidden';
    find('.heat').style.opacity = slider.value / 100;
  };
  const across = step => { section.at = (section.at + step + slides.length) % slides.length; show(); };
  // To the same column of the next row that has slides, or to the column before it.
  const down = step => {
    const rows = [...new Set(slides.map(slide => slide.row))], { row, column } = slides[section.at];
    const next = rows[(rows.indexOf(row) + step + rows.length) % rows.length];
    const line = slides.filter(slide => slide.row === next);
    section.at = slides.indexOf(line.filter(slide => slide.column <= column).pop() || line[0]);
    show();
  };
  if (!section.dataset.started) { section.dataset.started = 'yes'; slider.value = Math.round(100 * data.strength); }
  slider.oninput = show;
  find('.before').onclick = () => across(-1);
  find('.next').onclick = () => across(1);
  find('.leave').onclick = () => setTriggerValue('left', true);
  const steps = { ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowUp: [down, -1], ArrowDown: [down, 1] };
  const press = event => {
    if (event.composedPath()[0].type === 'range' && event.key !== 'Escape') return;
    if (event.key === 'Escape') setTriggerValue('left', true);
    else if (steps[event.key]) { event.preventDefault(); const [go, step] = steps[event.key]; go(step); }
  };
  document.addEventListener('keydown', press);
  show();
  return () => document.removeEventListener('keydown', press);
}
