// An image at each step of a slider: one of a column of images, or composed of two images and the step at which each
// pixel changes.
const SVG = 'http://www.w3.org/2000/svg';
const LONGEST = 640; // pixels of the longer side, about

function loaded(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error('an image of a perturbation could not be loaded'));
    image.src = source;
  });
}

function pixels(image, width, height) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
}

function drawn(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

class Perturbation {
  constructor(root) {
    for (const name of ['shown', 'readout', 'step', 'rows', 'overlays', 'legend', 'curve', 'places']) this[name] = root.querySelector('.' + name);
    this.svg = this.curve.querySelector('svg');
    this.slider = this.step;
    this.toggle = this.overlays.querySelector('input');
    this.root = root;
    this.slider.oninput = this.toggle.onchange = () => this.draw();
    this.slider.onchange = () => {
      if (!this.data.told) return;
      clearTimeout(this.timer); // a key that is held down is told once
      this.timer = setTimeout(() => this.tell(this.sent = Number(this.slider.value)), 300);
    };
  }

  async show(data, tell) {
    this.data = data; this.tell = tell;
    const { words, lines } = data;
    this.shown.setAttribute('aria-label', words.alt);
    this.slider.setAttribute('aria-label', words.slider);
    this.rows.setAttribute('aria-label', words.rows || '');
    this.overlays.lastElementChild.textContent = words.overlays || '';
    this.overlays.hidden = !data.overlays; this.rows.hidden = !data.rows; this.legend.hidden = this.places.hidden = !data.told;
    this.root.classList.toggle('several', Boolean(data.told));
    if (data.key === this.key) {
      if (data.told && data.first !== this.sent) this.slider.value = this.sent = data.first; // not the echo of the slider itself
      this.draw();
      return;
    }
    this.key = data.key;
    this.ready = false;
    const last = lines[0].heights.length - 1;
    const place = (height, step) => `${100 * step / last},${100 - 100 * height}`;
    this.svg.replaceChildren(...lines.flatMap((line, number) => {
      const points = line.heights.map(place), stroke = drawn('polyline', { points: points.join(' '), stroke: line.color, 'stroke-dasharray': line.dash });
      return number ? [stroke] : [drawn('polygon', { points: ['0,100', ...points, '100,100'].join(' '), fill: line.color }), stroke];
    }));
    for (const { mark, color, dash } of lines) if (mark !== null) {
      const x = 100 * mark / last;
      this.svg.append(drawn('polyline', { class: 'mark', points: `${x},0 ${x},100`, stroke: color, 'stroke-dasharray': dash }));
    }
    for (const point of this.points || []) point.remove();
    this.points = lines.map(line => {
      const point = newElement('span', 'point');
      point.style.background = line.color;
      setAttribute(point, 'aria-hidden', true);
      this.curve.append(point);
      return point;
    });
    this.texts = lines.map(line => {
      const item = newElement('li'), swatch = drawn('svg', { 'aria-hidden': 'true' });
      swatch.append(drawn('line', { x1: 0, x2: 34, y1: 5, y2: 5, stroke: line.color, 'stroke-width': 2, 'stroke-dasharray': line.dash }));
      item.append(swatch, newElement('span'));
      return item;
    });
    this.legend.replaceChildren(...this.texts);
    this.places.replaceChildren(...lines[0].heights.map((_, step) => { const mark = newElement('span'); mark.textContent = step; return mark; }));
    this.slider.max = last;
    this.slider.value = this.sent = data.first;
    this.root.style.setProperty('--ratio', data.width / data.height);
    this.root.hidden = false; // not before: its parts would move
    this.draw();
    await (data.levels ? this.load(data) : this.compose(data));
    if (data.key !== this.key) return; // another one has come while the images were loaded
    this.ready = true;
    this.draw();
  }

  async load(data) {
    const [levels, overlaid] = await Promise.all([loaded(data.levels), data.overlays ? loaded(data.overlays) : null]);
    if (data.key !== this.key) return;
    this.levels = levels; this.overlaid = overlaid;
    this.shown.width = data.width; this.shown.height = data.height;
  }

  async compose(data) {
    const [start, end] = await Promise.all([loaded(data.start), loaded(data.end)]);
    if (data.key !== this.key) return;
    this.levels = null;
    const scale = Math.max(1, Math.round(LONGEST / Math.max(data.width, data.height)));
    const width = this.shown.width = data.width * scale, height = this.shown.height = data.height * scale;
    const small = Uint8Array.from(atob(data.steps), letter => letter.charCodeAt(0));
    this.steps = new Uint8Array(width * height);
    for (let row = 0, place = 0; row < height; row++) {
      const line = Math.floor(row / scale) * data.width;
      for (let column = 0; column < width; column++, place++) this.steps[place] = small[line + Math.floor(column / scale)];
    }
    this.start = pixels(start, width, height); this.end = pixels(end, width, height);
    this.result = new ImageData(width, height); this.colors = new Uint32Array(this.result.data.buffer);
  }

  draw() {
    const { data } = this, step = Number(this.slider.value);
    this.readout.textContent = data.words.readouts[step];
    this.slider.setAttribute('aria-valuetext', data.words.readouts[step]);
    data.lines.forEach((line, number) => {
      this.points[number].style.left = 100 * step / this.slider.max + '%';
      this.points[number].style.top = 100 - 100 * line.heights[step] + '%';
      this.texts[number].lastElementChild.textContent = `${line.name}: ${line.texts[step]}`;
    });
    if (data.rows) this.rows.replaceChildren(...data.rows[step].map(([name, value, share, explained]) => {
      const row = newElement('li', explained ? 'explained' : ''), fill = newElement('span', 'fill'), label = newElement('span'), number = newElement('span');
      fill.style.width = 100 * share + '%'; label.textContent = name; number.textContent = value;
      row.append(fill, label, number);
      return row;
    }));
    if (!this.ready) return;
    const context = this.shown.getContext('2d');
    if (this.levels) {
      const { width, height } = data, column = this.overlaid && this.toggle.checked ? this.overlaid : this.levels;
      context.drawImage(column, 0, step * height, width, height, 0, 0, width, height);
    } else {
      const { steps, start, end, colors } = this;
      for (let place = 0; place < steps.length; place++) colors[place] = steps[place] <= step ? end[place] : start[place];
      context.putImageData(this.result, 0, 0);
    }
    this.shown.dataset.step = step;
  }
}

export default function({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.perturbation');
  root.perturbation = root.perturbation || new Perturbation(root);
  root.perturbation.show(data, step => setTriggerValue('step', step));
}
