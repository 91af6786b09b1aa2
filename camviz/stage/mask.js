// The mask of a drawing: CELLS x CELLS cells as bits, the cells of a box, and the tint over the image.
const CELLS = 56; // of the mask, a side
const FELL = [214, 40, 40], ROSE = [40, 90, 214], MARKED = [255, 176, 0], REPLACED = [20, 20, 40]; // colors

const bitsOf = mask => {
  const bytes = new Uint8Array(CELLS * CELLS / 8);
  mask.forEach((on, place) => { if (on) bytes[place >> 3] |= 128 >> (place & 7); });
  return btoa(String.fromCharCode(...bytes));
};
const maskOf = bits => {
  const bytes = decoded(bits);
  return Uint8Array.from({ length: CELLS * CELLS }, (_, place) => bytes[place >> 3] >> (7 - (place & 7)) & 1);
};

// The cells of a box or, for a brush, of the circle in it, by their centers.
function cellsOf([left, top, right, bottom], round = false) {
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

// Tint the cells that are replaced, by their opacity inside and at the border. The rim of the image is a border of a
// marked region, but not of a replaced one.
function maskPixels(mask, { keep = false, color, inner, border, rim = false }) {
  const pixels = new ImageData(CELLS, CELLS), last = CELLS - 1, inside = place => Boolean(mask[place]) !== keep;
  for (let row = 0, place = 0; row < CELLS; row++) for (let column = 0; column < CELLS; column++, place++) {
    if (!inside(place)) continue;
    const around = [column > 0 && place - 1, column < last && place + 1, row > 0 && place - CELLS, row < last && place + CELLS];
    const edge = around.some(other => other === false ? rim : !inside(other));
    pixels.data.set([...color, edge ? border : inner], 4 * place);
  }
  return pixels;
}

// Tint the cells that windows were tried on, by the mean change over the windows that covered each.
function changePixels(windows) {
  const pixels = new ImageData(CELLS, CELLS), sum = new Float32Array(CELLS * CELLS), count = new Uint16Array(CELLS * CELLS);
  for (const { window, change } of windows)
    if (change !== null) for (const place of cellsOf(window)) { sum[place] += change; count[place]++; }
  const mean = sum.map((value, place) => count[place] ? value / count[place] : 0), top = Math.max(1e-9, ...mean.map(Math.abs));
  mean.forEach((value, place) => {
    if (count[place]) pixels.data.set([...(value < 0 ? FELL : ROSE), 30 + 190 * Math.abs(value) / top], 4 * place);
  });
  return pixels;
}
