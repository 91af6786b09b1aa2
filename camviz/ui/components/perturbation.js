// The image at each step of deletion or insertion, composed from two images and the step at which each pixel changes.
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

class Perturbation {
  constructor(root) {
    for (const name of ['shown', 'readout', 'point']) this[name] = root.querySelector('.' + name);
    this.slider = root.querySelector('input');
    this.area = root.querySelector('polygon'); this.line = root.querySelector('polyline');
    this.root = root;
    this.slider.oninput = () => this.draw();
  }

  async show(data) {
    const { words, values } = data;
    this.words = words;
    this.shown.setAttribute('aria-label', words.alt);
    this.slider.setAttribute('aria-label', words.slider);
    if (data.key === this.key) { this.draw(); return; }
    this.key = data.key;
    this.steps = null;
    this.heights = values.map(value => Math.max(0, value) / Math.max(1, ...values));
    const points = this.heights.map((height, step) => `${100 * step / (values.length - 1)},${100 - 100 * height}`);
    this.line.setAttribute('points', points.join(' '));
    this.area.setAttribute('points', ['0,100', ...points, '100,100'].join(' '));
    this.slider.max = values.length - 1;
    this.slider.value = data.first;
    this.root.style.setProperty('--ratio', data.width / data.height);
    this.draw();
    const [start, end] = await Promise.all([loaded(data.start), loaded(data.end)]);
    if (data.key !== this.key) return; // another one has come while the images were loaded
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
    this.draw();
  }

  draw() {
    const step = Number(this.slider.value);
    this.readout.textContent = this.words.readouts[step];
    this.slider.setAttribute('aria-valuetext', this.words.readouts[step]);
    this.point.style.left = 100 * step / this.slider.max + '%';
    this.point.style.top = 100 - 100 * this.heights[step] + '%';
    if (!this.steps) return;
    const { steps, start, end, colors } = this;
    for (let place = 0; place < steps.length; place++) colors[place] = steps[place] <= step ? end[place] : start[place];
    this.shown.getContext('2d').putImageData(this.result, 0, 0);
    this.shown.dataset.step = step;
  }
}

export default function({ data, parentElement }) {
  const root = parentElement.querySelector('.perturbation');
  root.perturbation = root.perturbation || new Perturbation(root);
  root.perturbation.show(data);
}
