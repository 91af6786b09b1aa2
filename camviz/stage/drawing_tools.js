// The buttons and fields of drawing: tools on the image, and shape, size, fill, undo and redo below it.
const TOOLS = ['look', 'hide', 'keep', 'paste', 'window'];
const SHAPES = ['brush', 'eraser', 'rectangle', 'segment'];
const SMALLEST = 2, LARGEST = 28; // cells of a brush, a side
const ICONS = { // paths in a square of 16
  brush: '<circle cx="8" cy="8" r="5" fill="currentColor"/>',
  eraser: '<circle cx="8" cy="8" r="5"/><path d="M4.5 11.5l7-7"/>',
  rectangle: '<rect x="3" y="4" width="10" height="8"/>',
  segment: '<path d="M3 5l4-2 3 2 3 1-1 4-2 3-4-1-3-2z"/>',
  undo: '<path d="M6 3L3 6l3 3M3 6h6a4 4 0 0 1 0 8H6"/>',
  redo: '<path d="M10 3l3 3-3 3M13 6H7a4 4 0 0 0 0 8h3"/>',
};

const element = (kind, className, properties = {}) => Object.assign(document.createElement(kind), { className }, properties);

// Fill the bars of a brush with its buttons and fields, in the words of its data.
function buildTools(brush) {
  const { words, fills, images } = brush.data;
  const button = (name, act, pressed) => {
    const one = element('button', '', { type: 'button', textContent: words[name] || '', onclick: act });
    one.dataset.name = name;
    if (ICONS[name]) {
      one.innerHTML = `<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true">${ICONS[name]}</svg>`;
      one.title = words[name]; one.setAttribute('aria-label', words[name]);
    }
    if (pressed !== undefined) one.setAttribute('aria-pressed', pressed);
    return one;
  };
  const select = (name, options) => {
    const one = element('select', 'colors', { title: words[name], onchange: () => brush.replaceFill() });
    one.setAttribute('aria-label', words[name]);
    one.replaceChildren(...Object.entries(options).map(([key, label]) => new Option(label, key)));
    return one;
  };
  const tools = brush.data.tools || TOOLS;
  brush.modes.setAttribute('aria-label', words.edit);
  brush.modes.hidden = tools.length < 2;
  brush.modes.replaceChildren(...tools.map(name => button(name, () => brush.choose(name), false)));
  brush.shapes = element('div', 'views');
  brush.shapes.setAttribute('role', 'group'); brush.shapes.setAttribute('aria-label', words.shape);
  brush.shapes.append(...(brush.marks ? SHAPES.slice(0, 3) : SHAPES).map(name => button(name, () => brush.chooseShape(name), false)));
  brush.fill = select('fill', fills); brush.paste = select('image', images);
  const size = element('label', 'strength'); size.append(element('span', '', { textContent: words.size }));
  brush.slider = element('input', '', { type: 'range', min: SMALLEST, max: LARGEST, value: brush.size, oninput: () => brush.resize(Number(brush.slider.value)) });
  size.append(brush.slider);
  brush.back = button('undo', () => brush.undo(brush.past, brush.future)); brush.again = button('redo', () => brush.undo(brush.future, brush.past));
  brush.clear = button('reset', () => brush.reset());
  const actions = element('div', 'views'); actions.append(brush.back, brush.again, brush.clear);
  brush.first = button('guess_first', () => brush.toggleGuess(), false);
  brush.first.className = 'alone';
  brush.bar.replaceChildren(brush.shapes, size, brush.fill, brush.paste, actions, brush.first);
  const guesses = ['stays', 'falls', 'other'].map(name => button(name, () => brush.takeGuess(name)));
  brush.question.replaceChildren(element('span', '', { textContent: words.question }), ...guesses);
}
