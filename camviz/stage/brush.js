// Draw on the image to hide, keep or replace a part. The server answers during a stroke: one request at a time, the next
// one with the newest state of the mask. A finished stroke is saved.
const CELLS = 56; // per side of the mask
const SHAPES = ['brush', 'eraser', 'rectangle', 'segment'];
const ICONS = { // paths in a square of 16
  brush: '<circle cx="8" cy="8" r="5" fill="currentColor"/>',
  eraser: '<circle cx="8" cy="8" r="5"/><path d="M4.5 11.5l7-7"/>',
  rectangle: '<rect x="3" y="4" width="10" height="8"/>',
  segment: '<path d="M3 5l4-2 3 2 3 1-1 4-2 3-4-1-3-2z"/>',
  undo: '<path d="M6 3L3 6l3 3M3 6h6a4 4 0 0 1 0 8H6"/>',
  redo: '<path d="M10 3l3 3-3 3M13 6H7a4 4 0 0 0 0 8h3"/>',
};
const TOOLS = ['look', 'hide', 'keep', 'paste', 'window'];
const UNDO = 100; // states of the mask that are kept
const MOST_TRIED = 200; // windows, as in camviz/edits/windows.py
const SAVED_AFTER = 400; // milliseconds without another window, after which windows are saved

const bitsOf = mask => {
  const bytes = new Uint8Array(CELLS * CELLS / 8);
  mask.forEach((on, place) => { if (on) bytes[place >> 3] |= 128 >> (place & 7); });
  return btoa(String.fromCharCode(...bytes));
};
const maskOf = bits => {
  const bytes = decoded(bits);
  return Uint8Array.from({ length: CELLS * CELLS }, (_, place) => bytes[place >> 3] >> (7 - (place & 7)) & 1);
};
const element = (kind, className, properties = {}) => Object.assign(document.createElement(kind), { className }, properties);

class Brush {
  constructor(stage) {
    this.stage = stage; this.tool = 'look'; this.shape = 'brush'; this.size = 8; this.number = 0; this.seen = '';
    this.mask = new Uint8Array(CELLS * CELLS); this.past = []; this.future = [];
    this.tried = []; this.triedFill = ''; this.seenTried = ''; // windows with the change by each, null while unknown
    this.guess = ''; this.asking = false;
    const world = stage.world, screen = stage.screen;
    this.canvas = element('canvas', 'mask', { width: CELLS, height: CELLS }); this.canvas.setAttribute('aria-hidden', 'true');
    this.outline = element('div', 'brush', { hidden: true });
    world.append(this.canvas, this.outline);
    this.modes = element('div', 'modes'); this.modes.setAttribute('role', 'group'); screen.after(this.modes);
    this.bar = element('div', 'tools drawing-tools');
    this.question = element('div', 'question', { hidden: true });
    screen.after(this.question);
    stage.root.querySelector('.tools').after(this.bar);
  }

  update(data) {
    if (!this.data) this.tool = data.first_tool || 'look';
    this.data = data;
    const { words } = data;
    if (this.words !== JSON.stringify(words)) { this.words = JSON.stringify(words); this.build(); }
    const given = data.cells ? [data.tool, data.tool === 'paste' ? data.paste : data.fill, data.cells].join() : '';
    if (data.number >= this.number && given !== this.seen) { // an edit that was not drawn here: of a link, Back, another image
      this.mask = data.cells ? maskOf(data.cells) : new Uint8Array(CELLS * CELLS);
      this.past = []; this.future = [];
      if (data.cells) { this.tool = this.marks ? this.tool : data.tool; this.fill.value = data.fill; this.paste.value = data.paste; }
      this.guess = data.guess;
    }
    const tried = data.tried ? JSON.stringify(data.tried.windows) + data.tried.fill : '';
    if (data.number >= this.number && tried !== this.seenTried) {
      this.tried = data.tried ? data.tried.windows.map(window => ({ window, change: null })) : [];
      if (data.tried) { this.triedFill = data.tried.fill; if (!data.cells) { this.tool = 'window'; this.fill.value = this.triedFill; } }
      this.seenTried = tried;
    }
    if (data.number >= this.number) { this.seen = given; this.number = data.number; }
    if (this.address !== data.address) {
      this.address = data.address; this.segments = null;
      for (const one of this.tried) one.change = null;
    }
    this.show(); this.loadTried();
  }

  build() {
    const { words, fills, images } = this.data;
    this.modes.setAttribute('aria-label', words.edit);
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
    const tools = this.data.tools || TOOLS;
    this.modes.hidden = tools.length < 2;
    this.modes.replaceChildren(...tools.map(name => button(name, () => this.choose(name), false)));
    this.shapes = element('div', 'views'); this.shapes.setAttribute('role', 'group'); this.shapes.setAttribute('aria-label', words.shape);
    this.shapes.append(...(this.marks ? SHAPES.slice(0, 3) : SHAPES).map(name => button(name, () => { this.shape = name; if (name === 'segment') this.loadSegments(); this.show(); }, false)));
    const select = (name, options) => {
      const one = element('select', 'colors');
      one.setAttribute('aria-label', words[name]); one.title = words[name];
      one.replaceChildren(...Object.entries(options).map(([key, label]) => new Option(label, key)));
      one.onchange = () => { if (this.tool === 'window') { this.tried = []; this.show(); this.saveTried(); } else { this.ask(); this.save(); } };
      return one;
    };
    this.fill = select('fill', fills); this.paste = select('image', images);
    const label = element('label', 'strength'); label.append(element('span', '', { textContent: words.size }));
    this.slider = element('input', '', { type: 'range', min: 2, max: 28, value: this.size, oninput: () => { this.size = Number(this.slider.value); this.frame(); } });
    label.append(this.slider);
    this.back = button('undo', () => this.undo(this.past, this.future)); this.again = button('redo', () => this.undo(this.future, this.past));
    this.clear = button('reset', () => this.reset());
    const actions = element('div', 'views'); actions.append(this.back, this.again, this.clear);
    this.first = button('guess_first', () => { this.asking = !this.asking; this.stage.remember('guess_first', this.asking); this.show(); }, false);
    this.asking = this.data.guess_first;
    this.bar.replaceChildren(this.shapes, label, this.fill, this.paste, actions, this.first);
    this.first.className = 'alone';
    this.question.replaceChildren(element('span', '', { textContent: words.question }), ...['stays', 'falls', 'other'].map(name => button(name, () => {
      this.guess = name; this.question.hidden = true; this.ask(); this.save(); this.stage.screen.focus();
    })));
  }

  get draws() { return this.tool !== 'look'; }
  get marks() { return this.data.tool === 'mark'; } // whether a region is marked for a guess, without changing the image

  choose(name) {
    const before = this.tool;
    this.tool = name;
    if (name === 'window' && this.tried.length) this.fill.value = this.triedFill;
    if ((name === 'window') !== (before === 'window')) this.stage.showAnswer(null);
    this.show(); this.loadTried();
    if (name !== 'look' && name !== 'window' && before !== name && this.mask.some(Boolean)) { this.ask(); this.save(); }
  }

  show() {
    const { root } = this.stage;
    root.classList.toggle('draws', this.draws); root.classList.toggle('edits', true);
    root.classList.toggle('occludes', this.tool === 'window'); // its map replaces the heatmap, whose contour stays
    for (const one of this.modes.children) one.setAttribute('aria-pressed', one.dataset.name === this.tool);
    for (const one of this.shapes.children) one.setAttribute('aria-pressed', one.dataset.name === this.shape);
    this.first.setAttribute('aria-pressed', this.asking);
    this.shapes.hidden = this.tool === 'window';
    this.first.hidden = this.tool === 'window' || this.marks;
    this.fill.hidden = this.tool === 'paste' || this.marks; this.paste.hidden = this.tool !== 'paste';
    const windows = this.tool === 'window';
    this.back.disabled = !(windows ? this.tried : this.past).length; this.again.disabled = windows || !this.future.length;
    this.clear.disabled = !this.mask.some(Boolean) && !this.tried.length;
    this.stage.screen.title = this.draws ? this.data.words.keys : this.stage.data.words.keys;
    this.draw();
  }

  // Color the cells that are replaced, or the cells under tried windows by the mean change of the answer.
  draw() {
    const pixels = new ImageData(CELLS, CELLS);
    if (this.tool === 'window') {
      const sum = new Float32Array(CELLS * CELLS), count = new Uint16Array(CELLS * CELLS);
      for (const { window, change } of this.tried) if (change !== null) for (const place of this.cellsOf(window)) { sum[place] += change; count[place]++; }
      const mean = sum.map((value, place) => count[place] ? value / count[place] : 0), top = Math.max(1e-9, ...mean.map(Math.abs));
      mean.forEach((value, place) => {
        if (!count[place]) return;
        pixels.data.set([...(value < 0 ? [214, 40, 40] : [40, 90, 214]), 30 + 190 * Math.abs(value) / top], 4 * place);
      });
    } else if (this.draws || this.marks) {
      const keep = this.tool === 'keep' && this.mask.some(Boolean), inside = place => Boolean(this.mask[place]) !== keep;
      for (let place = 0; place < CELLS * CELLS; place++) {
        if (!inside(place)) continue;
        const column = place % CELLS, edge = [column && place - 1, column < CELLS - 1 && place + 1, place - CELLS, place + CELLS];
        const rim = this.marks && (!column || column === CELLS - 1 || place < CELLS || place >= CELLS * (CELLS - 1));
        const border = rim || edge.some(other => other > 0 && other < CELLS * CELLS && !inside(other));
        if (this.marks) pixels.data.set([255, 176, 0, border ? 255 : this.draws ? 90 : 0], 4 * place);
        else pixels.data.set([20, 20, 40, border ? 150 : this.before ? 120 : 40], 4 * place); // a finished stroke is in the image
      }
    }
    this.canvas.getContext('2d').putImageData(pixels, 0, 0);
    this.frame();
  }

  // Show the area in which a brush, a rectangle or a window would act.
  frame() {
    this.outline.hidden = !this.draws || !this.at;
    if (this.outline.hidden) return;
    const [left, top, right, bottom] = this.box || this.around(this.at);
    this.outline.classList.toggle('round', this.tool !== 'window' && this.shape !== 'rectangle' && !this.keyboard);
    Object.assign(this.outline.style, { left: 100 * left / CELLS + '%', top: 100 * top / CELLS + '%', width: 100 * (right - left) / CELLS + '%', height: 100 * (bottom - top) / CELLS + '%' });
  }

  around([x, y]) { const half = this.size / 2; return [x - half, y - half, x + half, y + half]; }

  // The cells of a box or, for a brush, of the circle in it, by their centers.
  cellsOf([left, top, right, bottom], round = false) {
    const found = [];
    for (let row = Math.max(0, Math.floor(top)); row < Math.min(CELLS, Math.ceil(bottom)); row++)
      for (let column = Math.max(0, Math.floor(left)); column < Math.min(CELLS, Math.ceil(right)); column++) {
        const x = column + 0.5, y = row + 0.5;
        if (x < left || x > right || y < top || y > bottom) continue;
        if (round && Math.hypot(x - (left + right) / 2, y - (top + bottom) / 2) > (right - left) / 2) continue;
        found.push(row * CELLS + column);
      }
    return found;
  }

  set(cells, on) { for (const place of cells) this.mask[place] = on ? 1 : 0; }

  // Handlers of pointers: each returns whether it has handled the event.
  down(event, place, several) {
    if (!this.draws) return false;
    if (several) { this.cancel(); return false; }
    this.at = place.map(part => part * CELLS); this.keyboard = false;
    if (this.tool === 'window') { this.pressed = true; this.tryWindow(); return true; }
    this.before = this.mask.slice(); this.start = this.at;
    if (this.shape === 'segment') { this.takeSegment(); this.before = null; return true; }
    this.stage.root.classList.add('drawing');
    this.stroke(this.at);
    return true;
  }

  move(event, place) {
    if (!this.draws) return false;
    const from = this.at; this.at = place.map(part => part * CELLS);
    if (this.tool === 'window') { this.tryWindow(); return true; }
    if (this.before) this.stroke(from || this.at); else this.frame();
    return true;
  }

  stroke(from) {
    if (this.shape === 'rectangle') {
      this.mask.set(this.before);
      const [x, y] = this.start, [right, bottom] = this.at;
      this.box = [Math.min(x, right), Math.min(y, bottom), Math.max(x, right), Math.max(y, bottom)];
      this.set(this.cellsOf(this.box), true);
    } else {
      const steps = Math.max(1, Math.ceil(Math.hypot(this.at[0] - from[0], this.at[1] - from[1]) / Math.max(1, this.size / 4)));
      for (let step = 1; step <= steps; step++) {
        const point = [0, 1].map(axis => from[axis] + (this.at[axis] - from[axis]) * step / steps);
        this.set(this.cellsOf(this.around(point), true), this.shape !== 'eraser');
      }
    }
    this.draw(); this.ask();
  }

  up() {
    if (this.pressed) this.saveTried();
    this.pressed = false; this.box = null;
    if (!this.before) return;
    const before = this.before; this.before = null;
    this.stage.root.classList.remove('drawing');
    this.keep(before);
  }

  cancel() {
    if (!this.before) return;
    this.mask.set(this.before); this.before = this.box = null;
    this.stage.root.classList.remove('drawing'); this.draw(); this.ask();
  }

  left() { if (!this.before) { this.at = null; this.frame(); if (this.tool === 'window' && !this.pressed) this.ask([]); } }

  keep(before) {
    if (before.every((on, place) => on === this.mask[place])) { this.show(); return; }
    this.past = [...this.past, before].slice(-UNDO); this.future = [];
    this.show(); this.ask(); this.save();
  }

  undo(from, to) {
    if (this.tool === 'window') { // removes the last window, without redo
      if (from === this.past && this.tried.length) { this.tried.pop(); this.show(); this.saveTried(); }
      return;
    }
    if (!from.length) return;
    to.push(this.mask.slice()); this.mask = from.pop();
    this.show(); this.ask(); this.save();
  }

  reset() {
    const before = this.mask.slice();
    this.tried = []; this.guess = ''; this.mask.fill(0);
    if (before.some(Boolean)) this.keep(before); else this.show();
    this.saveTried();
    if (this.tool === 'window') this.ask([]);
  }

  async loadSegments() {
    if (this.segments) return;
    const found = await this.request({ part: 'segments' });
    if (found) this.segments = new Uint16Array(decoded(found.segments).buffer);
  }

  async takeSegment() {
    const [x, y] = this.at.map(part => limited(Math.floor(part), 0, CELLS - 1)), before = this.mask.slice();
    await this.loadSegments();
    if (!this.segments) return;
    const number = this.segments[y * CELLS + x], on = !this.mask[y * CELLS + x];
    this.set([...this.segments.keys()].filter(place => this.segments[place] === number), on);
    this.keep(before);
  }

  // Occlusion by hand: a window follows the pointer, and its change is kept where it is dragged.
  tryWindow() {
    this.frame();
    const [left, top, right, bottom] = this.around(this.at).map((side, number) => limited(number < 2 ? Math.ceil(side - 0.5) : Math.floor(side + 0.5), 0, CELLS));
    if (left < right && top < bottom) this.ask([left, top, right, bottom], this.pressed || this.keyboard);
  }

  keepWindow(window, change, fill) {
    if (fill !== this.triedFill) this.tried = [];
    this.triedFill = fill;
    this.tried = [...this.tried.filter(one => String(one.window) !== String(window)), { window, change }].slice(-MOST_TRIED);
    this.show(); this.saveTried();
  }

  // Request the changes by windows of a link, or by windows that were tried with another class.
  async loadTried() {
    const { tried } = this.data;
    if (this.tool !== 'window' || this.loading || !tried || this.tried.every(one => one.change !== null)) return;
    if (JSON.stringify(this.tried.map(one => one.window)) !== JSON.stringify(tried.windows)) return; // they are still being saved
    this.loading = true;
    const address = this.address, asked = this.tried, found = await this.request({ part: 'tried', windows: tried.text });
    this.loading = false;
    if (found && address === this.address) { asked.forEach((one, number) => { one.change = found.changes[number]; }); this.show(); }
    else if (address !== this.address) this.loadTried();
  }

  saveTried() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      if (this.pressed) { this.saveTried(); return; }
      const windows = this.tried.map(one => one.window), seen = windows.length ? JSON.stringify(windows) + this.triedFill : '';
      if (seen === this.seenTried) return;
      this.seenTried = seen; this.number++;
      this.stage.remember('tried', { windows, fill: this.triedFill, number: this.number });
    }, SAVED_AFTER);
  }

  ask(window = null, stays = false) {
    if (!this.data.address) return;
    if (this.asking && !this.guess && this.tool !== 'window' && this.mask.some(Boolean)) {
      if (!this.before) { this.question.hidden = false; this.question.querySelector('button').focus(); }
      return;
    }
    const mask = window ? new Uint8Array(CELLS * CELLS) : this.mask;
    if (window) for (const place of this.cellsOf(window)) mask[place] = 1;
    const tool = window ? 'hide' : this.tool === 'look' || this.tool === 'window' ? 'hide' : this.tool;
    this.wanted = { request: { part: 'answer', tool, fill: this.fill.value, paste: this.paste.value, cells: bitsOf(mask) }, window, stays };
    if (!this.busy) this.answers();
  }

  async answers() {
    this.busy = true;
    while (this.wanted) {
      const { request, window, stays } = this.wanted; this.wanted = null;
      const address = this.address, found = await this.request(request);
      if (!found || address !== this.address) continue;
      if (window && stays && window.length) this.keepWindow(window, found.change, request.fill);
      this.stage.showAnswer(found, address);
    }
    this.busy = false;
  }

  async request(given) {
    try {
      const response = await fetch(this.address, { method: 'POST', body: JSON.stringify(given) });
      const found = await response.json();
      if (response.ok) return found;
      this.stage.readout.textContent = found.error;
    } catch (error) {
      this.stage.readout.textContent = this.data.words.offline;
    }
    return null;
  }

  save() {
    const tool = this.tool === 'look' || this.tool === 'window' ? this.data.tool || 'hide' : this.tool;
    if (this.asking && !this.guess && this.mask.some(Boolean)) return;
    const cells = this.mask.some(Boolean) ? bitsOf(this.mask) : '';
    const seen = cells ? [tool, tool === 'paste' ? this.paste.value : this.fill.value, cells].join() : ''; // as `update` reads it
    if (seen === this.seen) return;
    this.seen = seen; this.number++;
    this.stage.remember('edit', { tool, fill: this.fill.value, paste: this.paste.value, cells, guess: this.guess, number: this.number });
  }

  // Keys: arrows move a rectangle, Shift and arrows resize it, Space adds its cells to the mask, Delete removes them.
  key(event) {
    if (!this.draws) return false;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const command = event.ctrlKey || event.metaKey, letter = event.key.toLowerCase();
    if (command && letter === 'z') this.undo(...(event.shiftKey ? [this.future, this.past] : [this.past, this.future]));
    else if (command && letter === 'y') this.undo(this.future, this.past);
    else if (event.key === 'Escape') this.choose('look');
    else if (steps || event.key === ' ' || event.key === 'Enter' || event.key === 'Delete' || event.key === 'Backspace') {
      this.keyboard = true; this.at = this.at || [CELLS / 2, CELLS / 2];
      if (steps && event.shiftKey) { this.size = limited(this.size + 2 * (steps[0] - steps[1]), 2, 28); this.slider.value = this.size; }
      else if (steps) this.at = this.at.map((part, axis) => limited(part + 2 * steps[axis], 0, CELLS));
      this.frame();
      if (this.tool === 'window') this.tryWindow();
      else if (!steps) { const before = this.mask.slice(); this.set(this.cellsOf(this.around(this.at)), event.key === ' ' || event.key === 'Enter'); this.keep(before); }
      else this.stage.readout.textContent = this.data.words.place.replace('{row}', Math.round(this.at[1])).replace('{column}', Math.round(this.at[0])).replace('{size}', this.size);
    } else return false;
    return true;
  }
}
