/** Numbers as colors: pictures, feature maps, and what speaks for a class and against it. */

/** @typedef {import("./network.js").Maps} Maps */

// Those of the figures in the notebooks.
const FOR = [213, 94, 0];
const AGAINST = [0, 114, 178];

/** The largest number, whatever its sign. @param {ArrayLike<number>} values */
export function reach(values) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest;
}

/** A number that only one in a hundred exceeds: drawn white, it leaves the others visible. */
export function bright(values) {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.floor(0.99 * (sorted.length - 1))] || sorted[sorted.length - 1];
}

/**
 * Draw a map in grays: zero is black, and `white` is white.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size of the map
 * @param {ArrayLike<number>} values
 * @param {number} white
 */
export function drawGrays(canvas, size, values, white) {
  paint(canvas, size, (data, i) => {
    data[4 * i] = data[4 * i + 1] = data[4 * i + 2] = white ? (255 * values[i]) / white : 0;
    data[4 * i + 3] = 255;
  });
}

/**
 * Draw a map in orange where it is positive and blue where it is negative, transparent near zero.
 * @param {HTMLCanvasElement} canvas
 * @param {Maps} maps a single map
 * @param {number} strongest the number with the full color
 */
export function drawSigns(canvas, { size, values }, strongest) {
  paint(canvas, size, (data, i) => {
    const color = values[i] > 0 ? FOR : AGAINST;
    data.set(color, 4 * i);
    data[4 * i + 3] = strongest ? 215 * Math.min(1, Math.abs(values[i]) / strongest) : 0;
  });
}

/** The background of a number in a table: orange or blue, the stronger the further from zero. */
export function signColor(value, strongest) {
  const share = strongest ? Math.min(1, Math.abs(value) / strongest) : 0;
  return `rgb(${(value > 0 ? FOR : AGAINST).join(" ")} / ${(0.5 * share).toFixed(2)})`;
}

function paint(canvas, size, color) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(size, size);
  for (let i = 0; i < size * size; i++) color(picture.data, i);
  context.putImageData(picture, 0, 0);
}
