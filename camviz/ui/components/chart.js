// Lines as SVG, bars and matrices as tables: values under the pointer and by arrow keys, and a table of all of them.
const SVG = 'http://www.w3.org/2000/svg';
const HIGH = 300, LEFT = 52, RIGHT = 20, TOP = 10, BOTTOM = 44; // pixels of the plot and of its margins

const limited = (value, low, high) => Math.min(high, Math.max(low, value));
const percent = value => `${Math.round(1000 * value) / 10}%`;
const plain = value => {
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
};

function make(name, text, attributes = {}) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function drawn(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Round numbers from low to high, about `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(times => times * power).find(size => size >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return found;
}

class Chart {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector('.plot'); this.legend = root.querySelector('.legend');
    this.scroll = root.querySelector('.scroll'); this.details = root.querySelector('details');
    this.readout = make('output', '', { class: 'readout', 'aria-live': 'polite' });
    this.summary = root.querySelector('summary'); this.values = root.querySelector('.values');
    this.details.ontoggle = () => this.fill();
    this.plot.onpointermove = event => this.point(this.nearest(event.clientX - this.plot.getBoundingClientRect().left));
    this.plot.onpointerdown = this.plot.onpointermove;
    this.plot.onpointerleave = event => { if (event.pointerType === 'mouse') this.point(null); };
    this.plot.onblur = () => this.point(null);
    this.plot.onkeydown = event => {
      const last = this.places.length - 1, at = this.at === null ? -1 : this.at;
      const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (event.key === 'Escape') this.point(null);
      else if (next === undefined) return;
      else this.point(limited(next, 0, last));
      event.preventDefault();
    };
    new ResizeObserver(() => { if (this.data?.kind === 'lines' && this.plot.clientWidth !== this.wide) this.lines(); }).observe(this.plot);
  }

  update(data) {
    this.data = data; this.at = null;
    const lines = data.kind === 'lines';
    this.plot.hidden = this.details.hidden = !lines; this.scroll.hidden = lines;
    this.legend.className = lines ? 'legend' : 'legend below';
    this.legend.replaceChildren();
    if (lines) this.lines();
    else {
      const table = data.kind === 'bars' ? this.bars() : this.matrix();
      table.setAttribute('aria-label', data.alt);
      this.scroll.replaceChildren(table);
      if (data.kind === 'matrix') { this.scroll.tabIndex = 0; this.scroll.setAttribute('role', 'region'); this.scroll.setAttribute('aria-label', data.alt); }
    }
  }

  lines() {
    const { data } = this, wide = this.wide = this.plot.clientWidth;
    if (!wide) return;
    const xs = data.lines.flatMap(line => line.x), ys = data.lines.flatMap(line => line.y);
    this.places = [...new Set(xs)].sort((a, b) => a - b);
    const share = data.unit === 'share', format = this.format = share ? percent : plain;
    const [first, last] = share ? [0, 1] : [this.places[0], this.places.at(-1)];
    const given = [...ys, ...(data.level ? [data.level.value] : []), ...[data.low, data.high].filter(one => one !== null)];
    let [low, high] = [Math.min(...given), Math.max(...given)];
    if (low === high) [low, high] = [low - 1, high + 1];
    const room = (high - low) * 0.03;
    this.x = x => LEFT + (wide - LEFT - RIGHT) * (x - first) / ((last - first) || 1);
    const y = this.y = value => HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * (value - low + room) / (high - low + 2 * room);
    const svg = drawn('svg', { 'aria-hidden': 'true' });
    for (const tick of ticks(low, high, 5)) {
      svg.append(drawn('line', { class: Math.abs(tick) < 1e-12 ? 'zero' : 'grid', x1: LEFT, x2: wide - RIGHT, y1: y(tick), y2: y(tick) }));
      svg.append(drawn('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, plain(tick)));
    }
    for (const tick of ticks(first, last, wide < 420 ? 4 : 5))
      svg.append(drawn('text', { x: this.x(tick), y: HIGH - BOTTOM + 16, 'text-anchor': 'middle' }, format(tick)));
    svg.append(drawn('text', { x: (LEFT + wide - RIGHT) / 2, y: HIGH - 6, 'text-anchor': 'middle' }, data.across));
    const middle = (HIGH - BOTTOM + TOP) / 2;
    svg.append(drawn('text', { x: 12, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 12 ${middle})` }, data.up));
    if (data.level) svg.append(drawn('line', { class: 'level', x1: LEFT, x2: wide - RIGHT, y1: y(data.level.value), y2: y(data.level.value) }));
    data.lines.forEach((line, number) => {
      const points = line.x.map((x, place) => `${this.x(x).toFixed(1)},${y(line.y[place]).toFixed(1)}`).join(' ');
      svg.prepend(drawn('polyline', { class: number ? 'line' : 'line first', points, stroke: line.color, 'stroke-dasharray': line.dash }));
      if (!number && line.x.length <= 60)
        line.x.forEach((x, place) => svg.append(drawn('circle', { cx: this.x(x), cy: y(line.y[place]), r: 3, fill: line.color })));
    });
    this.marks = drawn('g', {});
    svg.append(this.marks);
    this.plot.replaceChildren(svg, this.readout);
    this.plot.setAttribute('aria-label', `${data.alt}. ${data.words.keys}`);
    this.summary.textContent = data.words.table;
    const named = [...data.lines, ...(data.level ? [{ name: data.level.name, color: 'currentColor', dash: '2 4' }] : [])];
    this.legend.replaceChildren(...(named.length > 1 ? named : []).map(line => {
      const item = make('li'), sample = drawn('svg', { 'aria-hidden': 'true' });
      sample.append(drawn('line', { class: 'line', x1: 0, x2: 34, y1: 5, y2: 5, stroke: line.color, 'stroke-dasharray': line.dash }));
      item.append(sample, make('span', line.name));
      return item;
    }));
    this.point(null);
    this.fill();
  }

  nearest(left) {
    let best = 0;
    this.places.forEach((x, place) => { if (Math.abs(this.x(x) - left) < Math.abs(this.x(this.places[best]) - left)) best = place; });
    return best;
  }

  // Show what the lines say at one place, or nothing.
  point(at) {
    this.at = at;
    this.readout.hidden = at === null;
    this.marks.replaceChildren();
    if (at === null) return;
    const x = this.places[at], left = this.x(x), there = this.data.lines.map(line => [line, line.y[line.x.indexOf(x)]]).filter(([, y]) => y !== undefined);
    this.marks.append(drawn('line', { class: 'guide', x1: left, x2: left, y1: TOP, y2: HIGH - BOTTOM }));
    for (const [line, y] of there) this.marks.append(drawn('circle', { cx: left, cy: this.y(y), r: 4.5, fill: line.color, stroke: 'currentColor' }));
    const alone = this.data.lines.length === 1;
    this.readout.textContent = alone ? `${this.format(x)}: ${plain(there[0][1])}`
      : [`${this.data.across}: ${this.format(x)}`, ...there.map(([line, y]) => `${line.name}: ${plain(y)}`)].join('\n');
    const room = this.wide - this.readout.offsetWidth;
    this.readout.style.left = `${limited(left + (left > this.wide / 2 ? -12 - this.readout.offsetWidth : 12), 0, Math.max(0, room))}px`;
  }

  // The table of all values, once it is opened.
  fill() {
    if (!this.details.open || this.data.kind !== 'lines') return;
    const { lines, across, alt } = this.data, table = make('table', undefined, { 'aria-label': alt }), head = make('thead'), body = make('tbody');
    head.append(make('tr'));
    head.firstChild.append(...[across, ...(lines.length > 1 ? lines.map(line => line.name) : [this.data.up])].map(name => make('th', name, { scope: 'col' })));
    body.append(...this.places.map(x => {
      const row = make('tr');
      row.append(make('th', this.format(x), { scope: 'row' }), ...lines.map(line => {
        const value = line.y[line.x.indexOf(x)];
        return make('td', value === undefined ? '' : plain(value));
      }));
      return row;
    }));
    table.append(head, body);
    this.values.replaceChildren(table);
    this.values.tabIndex = 0; this.values.setAttribute('role', 'region'); this.values.setAttribute('aria-label', this.data.words.table);
  }

  bars() {
    const { rows } = this.data, table = make('table', undefined, { class: 'bars' }), body = make('tbody');
    const low = Math.min(0, ...rows.map(row => row.value)), high = Math.max(0, ...rows.map(row => row.value)), span = (high - low) || 1;
    body.append(...rows.map(({ name, value }) => {
      const row = make('tr'), place = make('td', undefined, { class: 'bar', 'aria-hidden': 'true' }), bar = make('i');
      bar.style.left = `${100 * (Math.min(0, value) - low) / span}%`;
      bar.style.width = `${100 * Math.abs(value) / span}%`;
      bar.style.background = value < 0 ? '#0b84a5' : '#d55e00';
      place.append(bar);
      row.append(make('th', name, { scope: 'row', title: name }), place, make('td', plain(value)));
      return row;
    }));
    table.append(body);
    return table;
  }

  matrix() {
    const { cells, rows, columns, legend } = this.data, table = make('table', undefined, { class: 'matrix' });
    if (columns.length) {
      const head = make('thead'), row = make('tr');
      row.append(make('td'), ...columns.map(name => make('th', name, { scope: 'col' })));
      head.append(row); table.append(head);
    }
    const body = make('tbody');
    body.append(...cells.map((line, number) => {
      const row = make('tr');
      if (rows.length) row.append(make('th', rows[number], { scope: 'row', title: rows[number] }));
      row.append(...line.map(([text, color, tooltip]) => {
        const cell = make('td', text, { title: tooltip });
        cell.style.background = color;
        return cell;
      }));
      return row;
    }));
    table.append(body);
    this.legend.replaceChildren(...legend.map(([color, sentence]) => {
      const item = make('li'), swatch = make('span', undefined, { class: 'swatch' });
      swatch.style.background = color;
      item.append(swatch, make('span', sentence));
      return item;
    }));
    return table;
  }
}

const charts = new WeakMap();

export default function({ data, parentElement }) {
  const root = parentElement.querySelector('.chart');
  if (!charts.has(root)) charts.set(root, new Chart(root));
  charts.get(root).update(data);
}
