// The numbers of a heatmap: decoded, resized, and the contour that encloses half of its mass.
const SMOOTHING = 0.03, ROUGH = 0.25; // of the contour of a map of single pixels, as in camviz/render.py
const BINS = 1024; // by which the height of the contour is found

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

// The height above which half of the map's mass lies. Only the values near it are sorted.
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

// A map of single pixels, averaged over a neighborhood so that its contour can be read; other maps as they are.
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

// The contour of a map at a height, by marching squares, enlarged by a factor.
function contourPath(map, width, height, half, factor) {
  const path = new Path2D(), places = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const inner = new Uint8Array(map.length); // whether a place is inside
  for (let place = 0; place < map.length; place++) inner[place] = Math.abs(map[place]) >= half;
  for (let row = 0; row + 1 < height; row++) for (let column = 0; column + 1 < width; column++) {
    const first = row * width + column, below = first + width;
    const count = inner[first] + inner[first + 1] + inner[below + 1] + inner[below];
    if (count === 0 || count === 4) continue;
    const around = [first, first + 1, below + 1, below];
    const corners = around.map(place => Math.abs(map[place]) - half), inside = around.map(place => inner[place]);
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
  return path;
}
