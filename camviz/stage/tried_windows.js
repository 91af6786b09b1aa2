// Occlusion by hand: the windows that were tried, each with the change that it brought, null while unknown.
const MOST_TRIED = 200; // windows, as in camviz/edits/windows.py
const SAVED_AFTER = 400; // milliseconds without another window

const textOf = (windows, fill) => windows.length ? JSON.stringify(windows) + fill : '';

class TriedWindows {
  constructor(brush) { this.brush = brush; this.list = []; this.fill = ''; this.saved = ''; }

  get length() { return this.list.length; }
  get windows() { return this.list.map(one => one.window); }

  // Take the windows of a link; return whether they differ from those that were tried here.
  take(given) {
    const text = given ? textOf(given.windows, given.fill) : '';
    if (text === this.saved) return false;
    this.list = given ? given.windows.map(window => ({ window, change: null })) : [];
    if (given) this.fill = given.fill;
    this.saved = text;
    return true;
  }

  add(window, change, fill) {
    if (fill !== this.fill) this.list = [];
    this.fill = fill;
    this.list = [...this.list.filter(one => String(one.window) !== String(window)), { window, change }].slice(-MOST_TRIED);
    this.brush.show(); this.save();
  }

  removeLast() { this.list.pop(); this.brush.show(); this.save(); }

  // Forget the changes: another class or image was chosen.
  forgetChanges() { for (const one of this.list) one.change = null; }

  // Ask for the changes of windows that came from a link, or were tried before another class or image was chosen.
  async load(given) {
    if (this.loading || !given || this.list.every(one => one.change !== null)) return;
    if (JSON.stringify(this.windows) !== JSON.stringify(given.windows)) return; // they are still being saved
    this.loading = true;
    const { address } = this.brush, asked = this.list, found = await this.brush.request({ part: 'tried', windows: given.text });
    this.loading = false;
    if (address !== this.brush.address) this.brush.loadTried();
    else if (found) { asked.forEach((one, number) => { one.change = found.changes[number]; }); this.brush.show(); }
  }

  save() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      if (this.brush.pressed) { this.save(); return; }
      const { windows } = this, text = textOf(windows, this.fill);
      if (text === this.saved) return;
      this.saved = text;
      this.brush.remember('tried', { windows, fill: this.fill });
    }, SAVED_AFTER);
  }
}
