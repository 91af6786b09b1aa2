// An image and its heatmap, colored, swiped, zoomed and read in the browser without the server. A stage without a map
// shows only the image; one without an image shows only the tools of its group.
const SIDE = 320; // pixels of the longer side of the colored map
const GAMMA = 1.3, FIRST = 0.35; // exponent of the opacity, and the place of the first color, as in camviz/render.py
const SMOOTHING = 0.03, ROUGH = 0.25; // of the contour of a map of single pixels, as in camviz/render.py
const BINS = 1024; // of the histogram by which the level of the contour is found
const VIEWS = ['image', 'overlay', 'contour', 'spotlight', 'heatmap'];
const colorTables = new Map(); // by name, decoded
const groups = new Map(); // stages that share pointer and zoom, by the name of their group

function decoded(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}
const limited = (value, low, high) => Math.min(high, Math.max(low, value));

function values(data) {
  const bytes = decoded(data.values);
  const whole = data.bits === 16 ? new Int16Array(bytes.buffer) : new Int8Array(bytes.buffer);
  return Float32Array.from(whole, value => value / (data.bits === 16 ? 32767 : 127));
}

// Resize a map bilinearly without aligned corners, as the server does.
function resized(map, rows, columns, height, width) {
  const axis = (count, length) => {
    const before = new Int32Array(length), after = new Int32Array(length), share = new Float64Array(length);
    for (let place = 0; place < length; place++) {
      const at = limited((place + 0.5) * count / length - 0.5, 0, count - 1);
      before[place] = Math.floor(at); after[place] = Math.min(count - 1, before[place] + 1); share[place] = at - before[place];
    }
    return [before, after, share];
  };
  const [top, bottom, down] = axis(rows, height), [left, other, right] = axis(columns, width);
  const result = new Float32Array(height * width);
  for (let row = 0, place = 0; row < height; row++) {
    const first = top[row] * columns, second = bottom[row] * columns, y = down[row];
    for (let column = 0; column < width; column++, place++) {
      const one = left[column], two = other[column], x = right[column];
      const upper = map[first + one] * (1 - x) + map[first + two] * x;
      const lower = map[second + one] * (1 - x) + map[second + two] * x;
      result[place] = upper * (1 - y) + lower * y;
    }
  }
  return result;
}

// Return the value above which half of the map's mass lies. Only the values near it are sorted.
function halfOfTheMass(map) {
  let top = 0, total = 0, mass = 0, bin = BINS;
  for (let place = 0; place < map.length; place++) { const size = Math.abs(map[place]); total += size; if (size > top) top = size; }
  if (!top) return Infinity;
  const binOf = value => Math.floor(BINS * Math.abs(value) / top), masses = new Float64Array(BINS + 1);
  for (let place = 0; place < map.length; place++) masses[binOf(map[place])] += Math.abs(map[place]);
  while (bin > 0 && mass + masses[bin] < total / 2) mass += masses[bin--];
  const near = map.filter(value => binOf(value) === bin).map(Math.abs).sort();
  let place = near.length;
  while (place > 1 && (mass += near[place - 1]) < total / 2) place--;
  return near[place - 1];
}

// Return a map of single pixels averaged over a neighborhood, so that its contour is simple; other maps unchanged.
function smoothed(map, width, height) {
  let steps = 0, sum = 0;
  for (let place = 0; place < map.length; place++) {
    sum += Math.abs(map[place]);
    if (place % width) steps += Math.abs(map[place] - map[place - 1]);
  }
  if (steps <= ROUGH * sum) return map;
  const reach = Math.round(SMOOTHING * Math.max(width, height));
  const averaged = (from, count, lines, step, jump) => {
    const result = new Float32Array(from.length);
    for (let line = 0; line < lines; line++) for (let place = 0; place < count; place++) {
      const first = Math.max(0, place - reach), last = Math.min(count - 1, place + reach);
      let total = 0;
      for (let at = first; at <= last; at++) total += from[line * jump + at * step];
      result[line * jump + place * step] = total / (last - first + 1);
    }
    return result;
  };
  return averaged(averaged(map.map(Math.abs), width, height, 1, width), height, width, width, 1);
}

class Stage {
  constructor(root) {
    this.root = root;
    const find = name => root.querySelector(name);
    for (const name of ['screen', 'world', 'base', 'heat', 'line', 'cell', 'field', 'swipe', 'relation', 'readout', 'colors', 'full', 'views'])
      this[name] = find('.' + name);
    this.threshold = find('.threshold'); this.strength = find('.strength input'); this.number = find('.strength output');
    this.bar = find('.bar canvas');
    this.zoom = { scale: 1, x: 0, y: 0 }; this.cut = 0; this.place = null;
    this.views.replaceChildren(...VIEWS.map(name => {
      const button = document.createElement('button');
      button.type = 'button'; button.dataset.view = name;
      button.onclick = () => { this.look.view = name; this.drawAll(); this.save(); };
      return button;
    }));
    this.strength.oninput = () => { this.look.strength = this.strength.value / 100; this.drawAll(); };
    this.threshold.oninput = () => { this.look.threshold = this.threshold.value / 100; this.drawAll(); };
    this.strength.onchange = this.threshold.onchange = () => this.save();
    this.colors.onchange = () => { this.look.colors = this.colors.value; this.drawAll(); this.save(); };
    this.full.onclick = () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (this.root.requestFullscreen) this.root.requestFullscreen();
      else { this.root.classList.toggle('large'); this.swiped(); } // phones that show only videos in full screen
    };
    this.root.onfullscreenchange = () => this.swiped();
    this.listen();
  }

  update(data, save) {
    this.data = data;
    this.save = () => ([...this.others()].find(one => one.data.tools_only) || this).send();
    this.send = () => save('look', { ...this.look });
    if (!this.look || data.reset !== this.reset) { this.look = { ...data.look }; this.reset = data.reset; }
    if (this.group !== data.group) this.leave();
    this.group = data.group; this.others().add(this);
    this.root.style.setProperty('--ratio', data.width / data.height);
    this.screen.style.aspectRatio = `${data.width} / ${data.height}`;
    for (const [name, on] of [['small', data.small], ['plain', !data.rows], ['bare', data.tools_only]])
      this.root.classList.toggle(name, Boolean(on));
    if (data.image && this.base.getAttribute('src') !== data.image) this.base.src = data.image;
    this.screen.setAttribute('aria-label', data.alt);
    this.screen.title = data.words.keys;
    for (const button of this.views.children) button.textContent = data.words[button.dataset.view];
    this.views.setAttribute('aria-label', data.words.view);
    this.root.querySelector('.strength span').textContent = data.words.strength;
    this.threshold.setAttribute('aria-label', data.words.threshold);
    this.colors.setAttribute('aria-label', data.words.colors);
    this.full.title = data.words.full; this.full.setAttribute('aria-label', data.words.full);
    this.root.querySelector('.low').textContent = data.low;
    this.root.querySelector('.high').textContent = data.high;
    if (this.colors.length !== Object.keys(data.tables).length)
      this.colors.replaceChildren(...Object.entries(data.tables).map(([key, table]) => new Option(table.label, key)));
    for (const [key, table] of Object.entries(data.tables)) if (!colorTables.has(key)) colorTables.set(key, decoded(table.colors));
    if (data.rows && this.raw !== data.values) {
      this.raw = data.values; this.map = values(data);
      const longer = Math.max(data.width, data.height);
      this.width = Math.round(SIDE * data.width / longer); this.height = Math.round(SIDE * data.height / longer);
      this.shown = resized(this.map, data.rows, data.columns, this.height, this.width);
      this.smooth = smoothed(this.shown, this.width, this.height);
      this.half = halfOfTheMass(this.smooth);
    }
    this.remember = save;
    if (data.edit) { this.brush ??= new Brush(this); this.brush.update(data.edit); }
    this.draw(); this.move();
    this.root.classList.add('ready');
  }

  others() { if (!groups.has(this.group)) groups.set(this.group, new Set()); return groups.get(this.group); }
  leave() { if (this.group !== undefined) this.others().delete(this); }

  // Draw every stage of the group in the look of this one.
  drawAll() {
    for (const stage of this.others()) { stage.look = { ...this.look }; stage.draw(); }
  }

  draw() {
    const { view, strength, threshold } = this.look, { tables } = this.data;
    const table = colorTables.get(this.look.colors in tables ? this.look.colors : Object.keys(tables)[0]);
    for (const button of this.views.children) button.setAttribute('aria-pressed', button.dataset.view === view);
    this.strength.value = Math.round(strength * 100); this.number.textContent = this.strength.value + '%';
    this.threshold.value = Math.round(threshold * 100); this.colors.value = this.look.colors;
    if (!this.data.rows) { this.heat.width = this.line.width = 0; this.swiped(); return; }
    const { width, height, shown } = this, pixels = new ImageData(width, height), bytes = pixels.data;
    const signed = this.data.signed, only = view === 'heatmap', dark = view === 'spotlight';
    for (let place = 0; place < shown.length; place++) {
      const value = shown[place], size = Math.min(1, Math.abs(value)), on = size >= threshold ? size : 0;
      if (!on && !dark && !only) continue; // it stays transparent
      const unit = signed ? (value + 1) / 2 : only ? Math.max(0, value) : FIRST + (1 - FIRST) * size;
      const color = 3 * Math.round(255 * limited(unit, 0, 1)), at = 4 * place;
      if (!dark) for (let channel = 0; channel < 3; channel++) bytes[at + channel] = table[color + channel];
      bytes[at + 3] = 255 * (dark ? 0.85 * (1 - on) : only ? (size >= threshold ? 1 : 0.15) : strength * on ** GAMMA);
    }
    this.heat.width = width; this.heat.height = height;
    if (view !== 'image' && view !== 'contour') this.heat.getContext('2d').putImageData(pixels, 0, 0);
    this.outline(view === 'overlay' || view === 'contour' || view === 'heatmap');
    const context = this.bar.getContext('2d'), line = new ImageData(256, 1);
    for (let place = 0; place < 256; place++) {
      for (let channel = 0; channel < 3; channel++) line.data[4 * place + channel] = table[3 * place + channel];
      line.data[4 * place + 3] = Math.abs(signed ? 2 * place / 255 - 1 : place / 255) >= threshold ? 255 : 60;
    }
    context.putImageData(line, 0, 0);
    this.swiped();
  }

  // The contour by marching squares, with a dark edge under a light line.
  outline(wanted) {
    const factor = 3, { width, height, smooth, half } = this, canvas = this.line, context = canvas.getContext('2d');
    canvas.width = width * factor; canvas.height = height * factor;
    if (!wanted || half === Infinity) return;
    const path = new Path2D(), places = [[0, 0], [1, 0], [1, 1], [0, 1]];
    const inner = new Uint8Array(smooth.length); // whether a place is inside
    for (let place = 0; place < smooth.length; place++) inner[place] = Math.abs(smooth[place]) >= half;
    for (let row = 0; row + 1 < height; row++) for (let column = 0; column + 1 < width; column++) {
      const first = row * width + column, below = first + width;
      const count = inner[first] + inner[first + 1] + inner[below + 1] + inner[below];
      if (count === 0 || count === 4) continue;
      const around = [first, first + 1, below + 1, below];
      const corners = around.map(place => Math.abs(smooth[place]) - half), inside = around.map(place => inner[place]);
      const points = [];
      for (let side = 0; side < 4; side++) {
        const next = (side + 1) % 4;
        if (inside[side] === inside[next]) continue;
        const share = corners[side] / (corners[side] - corners[next]);
        points.push(places[side].map((value, axis) => value + share * (places[next][axis] - value)));
      }
      for (let number = 0; number + 1 < points.length; number += 2) {
        path.moveTo((column + 0.5 + points[number][0]) * factor, (row + 0.5 + points[number][1]) * factor);
        path.lineTo((column + 0.5 + points[number + 1][0]) * factor, (row + 0.5 + points[number + 1][1]) * factor);
      }
    }
    context.lineCap = 'round';
    const thick = Math.max(1, canvas.width / (2 * (this.screen.clientWidth || canvas.width))); // in small cells
    for (const [color, wide] of [['#000b', 7], ['#fff', 3]]) {
      context.strokeStyle = color; context.lineWidth = wide * thick; context.stroke(path);
    }
  }

  swiped() {
    const large = this.root.matches(':fullscreen, .large');
    this.swipe.hidden = this.look.view === 'image' || !this.data.rows || Boolean(this.data.small && !large);
    this.swipe.style.left = `clamp(16px, ${100 * this.cut}%, 100% - 16px)`;
    // The handle is positioned on the screen, and the map in the zoomed content.
    const { scale, x } = this.zoom, wide = this.screen.clientWidth || 1;
    const cut = 100 * limited((this.cut * wide - x) / (scale * wide), 0, 1);
    this.heat.style.clipPath = this.line.style.clipPath = `inset(0 0 0 ${cut}%)`;
  }

  // Show the answer to an edit, here and on the bars with the same address; null shows the answer to the untouched image.
  showAnswer(found, address = this.brush.address) {
    this.readout.textContent = found ? found.said : '';
    document.dispatchEvent(new CustomEvent('camviz-answer', { detail: { address, rows: found && found.rows } }));
  }

  move() {
    const { scale, x, y } = this.zoom;
    this.world.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.screen.classList.toggle('zoomed', scale > 1);
    this.swiped();
  }

  zoomTo(scale, left, top) {
    const before = this.zoom.scale, wide = this.screen.clientWidth, high = this.screen.clientHeight;
    scale = limited(scale, 1, 16);
    const x = limited(left - (left - this.zoom.x) * scale / before, wide * (1 - scale), 0);
    const y = limited(top - (top - this.zoom.y) * scale / before, high * (1 - scale), 0);
    this.everywhere(stage => { stage.zoom = { scale, x: x * stage.screen.clientWidth / wide, y: y * stage.screen.clientHeight / high }; stage.move(); });
  }

  panBy(right, down) {
    const { scale, x, y } = this.zoom, wide = this.screen.clientWidth, high = this.screen.clientHeight;
    const next = { scale, x: limited(x + right, wide * (1 - scale), 0), y: limited(y + down, high * (1 - scale), 0) };
    this.everywhere(stage => { stage.zoom = { ...next }; stage.move(); });
  }

  everywhere(act) { for (const stage of this.others()) if (stage.root.isConnected) act(stage); }

  // Show the value, the cell and its receptive field under a point of the image, [x, y] in [0, 1].
  point(place) {
    this.everywhere(stage => { stage.mark(place, this.data); stage.relate(place && this.data); });
  }

  // Show the correlation of this map with that of the stage under the pointer, if it is known.
  relate(source) {
    const table = [...this.others()].map(stage => stage.data.relations).find(Boolean) || {};
    const text = source && source !== this.data && (table[source.name] || {})[this.data.name];
    this.relation.hidden = !text;
    this.relation.textContent = text || '';
  }

  mark(place, source) {
    this.place = place;
    const { fields, words } = this.data, { rows, columns } = this.data.rows ? this.data : source;
    this.cell.hidden = !place; this.field.hidden = true;
    if (!place) { this.readout.textContent = ''; return; }
    const row = limited(Math.floor(place[1] * rows), 0, rows - 1), column = limited(Math.floor(place[0] * columns), 0, columns - 1);
    const frame = (box, left, top, right, bottom) => Object.assign(box.style, { left: 100 * left + '%', top: 100 * top + '%', width: 100 * (right - left) + '%', height: 100 * (bottom - top) + '%' });
    frame(this.cell, column / columns, row / rows, (column + 1) / columns, (row + 1) / rows);
    if (!this.data.rows) return;
    const value = this.map[row * columns + column];
    const filled = { value: (value * this.data.top).toPrecision(3), share: Math.round(100 * value) + '%', row: row + 1, column: column + 1 };
    if (fields) {
      const [top, bottom] = fields.rows[row], [left, right] = fields.columns[column], [height, width] = fields.size;
      filled.height = bottom - top; filled.width = right - left;
      this.field.hidden = filled.height === height && filled.width === width;
      frame(this.field, left / width, top / height, right / width, bottom / height);
    }
    const kind = this.data.small ? 'short' : this.field.hidden ? 'whole' : 'field';
    this.readout.textContent = words.readout[kind].replace(/\{(\w+)\}/g, (all, name) => filled[name] ?? all);
  }

  listen() {
    const screen = this.screen, pointers = new Map();
    const inside = event => {
      const box = screen.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top, box.width, box.height];
    };
    const part = event => {
      const [left, top, wide, high] = inside(event), { scale, x, y } = this.zoom;
      return [(left - x) / (scale * wide), (top - y) / (scale * high)];
    };
    screen.onwheel = event => {
      if (!event.ctrlKey && !event.metaKey && this.zoom.scale === 1 && event.deltaY > 0) return; // the page scrolls
      event.preventDefault();
      const [left, top] = inside(event);
      this.zoomTo(this.zoom.scale * Math.exp(-event.deltaY / 300), left, top);
    };
    screen.onpointerdown = event => {
      if (event.target.closest('.swipe')) return;
      pointers.set(event.pointerId, event);
      const drawn = this.brush?.down(event, part(event), pointers.size > 1);
      if (drawn || this.zoom.scale > 1 || pointers.size > 1) screen.setPointerCapture(event.pointerId);
      if (!drawn) this.point(part(event));
    };
    screen.onpointermove = event => {
      const before = pointers.get(event.pointerId);
      if (pointers.size < 2 && this.brush?.move(event, part(event))) return;
      if (!before) { if (event.pointerType === 'mouse') this.point(part(event)); return; }
      if (pointers.size === 2) {
        const [other] = [...pointers.values()].filter(one => one.pointerId !== event.pointerId);
        const apart = one => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        const [left, top] = inside({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
        this.zoomTo(this.zoom.scale * apart(event) / Math.max(1, apart(before)), left, top);
      } else if (this.zoom.scale > 1) this.panBy(event.clientX - before.clientX, event.clientY - before.clientY);
      else this.point(part(event));
      pointers.set(event.pointerId, event);
    };
    screen.onpointerup = screen.onpointercancel = event => {
      pointers.delete(event.pointerId);
      if (event.type === 'pointercancel') this.brush?.cancel(); else this.brush?.up();
    };
    screen.onpointerleave = event => { this.brush?.left(); if (event.pointerType === 'mouse') this.point(null); };
    screen.ondblclick = event => {
      if (this.brush?.draws) return;
      const [left, top] = inside(event); this.zoomTo(this.zoom.scale > 1 ? 1 : 3, left, top);
    };
    this.swipe.onpointerdown = event => { this.swipe.setPointerCapture(event.pointerId); event.preventDefault(); };
    this.swipe.onpointermove = event => {
      if (!this.swipe.hasPointerCapture(event.pointerId)) return;
      const [left, , wide] = inside(event);
      this.cut = limited(left / wide, 0, 1); this.swiped();
    };
    screen.onkeydown = event => {
      if (this.brush?.key(event)) { event.preventDefault(); return; }
      const { rows, columns } = this.data, steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const middle = [screen.clientWidth / 2, screen.clientHeight / 2];
      if (steps[event.key]) {
        const [x, y] = this.place || [0.5, 0.5], [right, down] = steps[event.key];
        if (event.shiftKey) this.panBy(-40 * right, -40 * down);
        else {
          const step = Math.max(1, Math.round(Math.max(rows, columns) / 28)); // a pixel map has too many cells to walk singly
          const cell = (at, count, by) => (limited(Math.floor(at * count) + by * step, 0, count - 1) + 0.5) / count;
          this.point([cell(x, columns, right), cell(y, rows, down)]);
        }
      } else if (event.key === '+' || event.key === '=') this.zoomTo(this.zoom.scale * 1.5, ...middle);
      else if (event.key === '-') this.zoomTo(this.zoom.scale / 1.5, ...middle);
      else if (event.key === '0') this.zoomTo(1, ...middle);
      else if (event.key === 'f') this.full.click();
      else if (event.key === '[' || event.key === ']') { this.cut = limited(this.cut + (event.key === ']' ? 0.05 : -0.05), 0, 1); this.swiped(); }
      else if (event.key === 'Escape' && this.place) this.point(null);
      else return;
      event.preventDefault();
    };
  }
}

const stages = new WeakMap();

// Show data in the HTML below parentElement. setStateValue('look', ...) is called when a person changes the look.
function showStage({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector('.stage');
  if (!stages.has(root)) stages.set(root, new Stage(root));
  const stage = stages.get(root);
  stage.update(data, setStateValue);
  return () => stage.leave();
}
