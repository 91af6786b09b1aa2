// Draw on the image which part is hidden, kept or replaced. The answers come from the server while one draws: one request
// at a time, the newest state of the mask next. A finished stroke is saved.
const UNDO = 100; // states of the mask that are kept

class Brush {
  constructor(stage) {
    this.stage = stage; this.tool = 'look'; this.shape = 'brush'; this.size = 8; this.number = 0; this.seen = '';
    this.mask = new Uint8Array(CELLS * CELLS); this.past = []; this.future = [];
    this.tried = new TriedWindows(this);
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
    if (this.words !== JSON.stringify(words)) { this.words = JSON.stringify(words); this.asking = data.guess_first; buildTools(this); }
    const given = data.cells ? [data.tool, data.tool === 'paste' ? data.paste : data.fill, data.cells].join() : '';
    if (data.number >= this.number && given !== this.seen) { // another one than was drawn here: a link, Back, another image
      this.mask = data.cells ? maskOf(data.cells) : new Uint8Array(CELLS * CELLS);
      this.past = []; this.future = [];
      if (data.cells) { this.tool = this.marks ? this.tool : data.tool; this.fill.value = data.fill; this.paste.value = data.paste; }
      this.guess = data.guess;
    }
    if (data.number >= this.number && this.tried.take(data.tried) && data.tried && !data.cells) {
      this.tool = 'window'; this.fill.value = this.tried.fill;
    }
    if (data.number >= this.number) { this.seen = given; this.number = data.number; }
    if (this.address !== data.address) {
      this.address = data.address; this.segments = null;
      this.tried.forgetChanges();
    }
    this.show(); this.loadTried();
  }

  get draws() { return this.tool !== 'look'; }
  get marks() { return this.data.tool === 'mark'; } // a region is marked for a guess, and the image is not changed

  choose(name) {
    const before = this.tool;
    this.tool = name;
    if (name === 'window' && this.tried.length) this.fill.value = this.tried.fill;
    if ((name === 'window') !== (before === 'window')) this.stage.showAnswer(null);
    this.show(); this.loadTried();
    if (name !== 'look' && name !== 'window' && before !== name && this.mask.some(Boolean)) { this.ask(); this.save(); }
  }

  chooseShape(name) {
    this.shape = name;
    if (name === 'segment') this.loadSegments();
    this.show();
  }

  resize(size) { this.size = size; this.frame(); }

  // Ask again with the fill or the image that was chosen; windows that were tried with another fill are dropped.
  replaceFill() {
    if (this.tool === 'window') { this.tried.list = []; this.show(); this.tried.save(); } else { this.ask(); this.save(); }
  }

  toggleGuess() { this.asking = !this.asking; this.stage.remember('guess_first', this.asking); this.show(); }

  takeGuess(name) {
    this.guess = name; this.question.hidden = true;
    this.ask(); this.save(); this.stage.screen.focus();
  }

  show() {
    const { root } = this.stage;
    root.classList.toggle('draws', this.draws); root.classList.toggle('edits', true);
    root.classList.toggle('occludes', this.tool === 'window'); // its map stands alone, within the heatmap's contour
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

  // Tint the cells that are replaced or marked, or those that windows were tried on.
  draw() {
    let pixels = new ImageData(CELLS, CELLS);
    if (this.tool === 'window') pixels = changePixels(this.tried.list);
    else if (this.marks) pixels = maskPixels(this.mask, { color: MARKED, inner: this.draws ? 90 : 0, border: 255, rim: true });
    else if (this.draws) { // a finished stroke is in the image
      const keep = this.tool === 'keep' && this.mask.some(Boolean);
      pixels = maskPixels(this.mask, { keep, color: REPLACED, inner: this.before ? 120 : 40, border: 150 });
    }
    this.canvas.getContext('2d').putImageData(pixels, 0, 0);
    this.frame();
  }

  // Show where a brush, a rectangle or a window would act.
  frame() {
    this.outline.hidden = !this.draws || !this.at;
    if (this.outline.hidden) return;
    const [left, top, right, bottom] = this.box || this.around(this.at);
    this.outline.classList.toggle('round', this.tool !== 'window' && this.shape !== 'rectangle' && !this.keyboard);
    Object.assign(this.outline.style, { left: 100 * left / CELLS + '%', top: 100 * top / CELLS + '%', width: 100 * (right - left) / CELLS + '%', height: 100 * (bottom - top) / CELLS + '%' });
  }

  around([x, y]) { const half = this.size / 2; return [x - half, y - half, x + half, y + half]; }

  set(cells, on) { for (const place of cells) this.mask[place] = on ? 1 : 0; }

  // Pointers: each returns whether it has acted.
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
      this.set(cellsOf(this.box), true);
    } else {
      const steps = Math.max(1, Math.ceil(Math.hypot(this.at[0] - from[0], this.at[1] - from[1]) / Math.max(1, this.size / 4)));
      for (let step = 1; step <= steps; step++) {
        const point = [0, 1].map(axis => from[axis] + (this.at[axis] - from[axis]) * step / steps);
        this.set(cellsOf(this.around(point), true), this.shape !== 'eraser');
      }
    }
    this.draw(); this.ask();
  }

  up() {
    if (this.pressed) this.tried.save();
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
    if (this.tool === 'window') { // the last window is removed, without redo
      if (from === this.past && this.tried.length) this.tried.removeLast();
      return;
    }
    if (!from.length) return;
    to.push(this.mask.slice()); this.mask = from.pop();
    this.show(); this.ask(); this.save();
  }

  reset() {
    const before = this.mask.slice();
    this.tried.list = []; this.guess = ''; this.mask.fill(0);
    if (before.some(Boolean)) this.keep(before); else this.show();
    this.tried.save();
    if (this.tool === 'window') this.ask([]);
  }

  async loadSegments() {
    if (this.segments) return;
    const found = await this.request({ part: 'segments' });
    if (found) this.segments = new Uint16Array(decoded(found.segments).buffer);
  }

  async takeSegment() {
    const [x, y] = this.at.map(part => limited(Math.floor(part), 0, CELLS - 1));
    await this.loadSegments();
    if (!this.segments) return;
    const before = this.mask.slice(); // after the wait, in which one may have drawn
    const number = this.segments[y * CELLS + x], on = !this.mask[y * CELLS + x];
    this.set([...this.segments.keys()].filter(place => this.segments[place] === number), on);
    this.keep(before);
  }

  // Occlusion by hand: a window follows the pointer; what it changes stays where it was dragged.
  tryWindow() {
    this.frame();
    const [left, top, right, bottom] = this.around(this.at).map((side, number) => limited(number < 2 ? Math.ceil(side - 0.5) : Math.floor(side + 0.5), 0, CELLS));
    if (left < right && top < bottom) this.ask([left, top, right, bottom], this.pressed || this.keyboard);
  }

  loadTried() { if (this.tool === 'window') this.tried.load(this.data.tried); }

  // Save a change under the next number, by which it is told from those of a link.
  remember(name, value) { this.stage.remember(name, { ...value, number: ++this.number }); }

  ask(window = null, stays = false) {
    if (!this.data.address) return;
    if (this.asking && !this.guess && this.tool !== 'window' && this.mask.some(Boolean)) {
      if (!this.before) { this.question.hidden = false; this.question.querySelector('button').focus(); }
      return;
    }
    const mask = window ? new Uint8Array(CELLS * CELLS) : this.mask;
    if (window) for (const place of cellsOf(window)) mask[place] = 1;
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
      if (window && stays && window.length) this.tried.add(window, found.change, request.fill);
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
    this.seen = seen;
    this.remember('edit', { tool, fill: this.fill.value, paste: this.paste.value, cells, guess: this.guess });
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
      if (steps && event.shiftKey) { this.size = limited(this.size + 2 * (steps[0] - steps[1]), SMALLEST, LARGEST); this.slider.value = this.size; }
      else if (steps) this.at = this.at.map((part, axis) => limited(part + 2 * steps[axis], 0, CELLS));
      this.frame();
      if (this.tool === 'window') this.tryWindow();
      else if (!steps) { const before = this.mask.slice(); this.set(cellsOf(this.around(this.at)), event.key === ' ' || event.key === 'Enter'); this.keep(before); }
      else this.stage.readout.textContent = this.data.words.place.replace('{row}', Math.round(this.at[1])).replace('{column}', Math.round(this.at[0])).replace('{size}', this.size);
    } else return false;
    return true;
  }
}
