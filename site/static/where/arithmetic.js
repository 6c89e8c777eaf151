/** How one number of a feature map came about: the windows, the weights, the sum. */

/** @typedef {import("./network.js").Maps} Maps */
/** @typedef {import("./network.js").Convolution} Convolution */

/**
 * What one input map gave. `inputs` are the numbers in the window, null where there is padding.
 * @typedef {{channel: number, inputs: (number | null)[], weights: number[], sum: number}} Term
 */

/**
 * @typedef {object} Sum
 * @property {Term[]} terms one for each input map, the largest first, whatever its sign
 * @property {number} bias
 * @property {number} total of all of these
 * @property {number} top the row of the window in the input; -1 begins in the padding
 * @property {number} left its column
 */

/**
 * The sum that made one number of what a convolution returns.
 * @param {Maps} maps the convolution's input
 * @param {Convolution} convolution
 * @param {{channel: number, row: number, column: number}} place of the number
 * @returns {Sum}
 */
export function sumAt(maps, convolution, { channel, row, column }) {
  const { inputs, kernel, stride, padding, weight, bias } = convolution;
  const top = row * stride - padding;
  const left = column * stride - padding;
  const taps = kernel * kernel;
  const terms = Array.from({ length: inputs }, (_, from) => {
    const window = Array.from({ length: taps }, (_, tap) => {
      return numberAt(maps, from, top + Math.floor(tap / kernel), left + (tap % kernel));
    });
    const start = (channel * inputs + from) * taps;
    const weights = Array.from(weight.subarray(start, start + taps));
    const sum = window.reduce((total, value, tap) => total + (value ?? 0) * weights[tap], 0);
    return { channel: from, inputs: window, weights, sum };
  });
  const total = terms.reduce((subtotal, term) => subtotal + term.sum, bias[channel]);
  terms.sort((one, other) => Math.abs(other.sum) - Math.abs(one.sum));
  return { terms, bias: bias[channel], total, top, left };
}

/**
 * A number of a feature map, or null beyond its edge.
 * @param {Maps} maps
 */
export function numberAt({ size, values }, channel, row, column) {
  const isInside = row >= 0 && row < size && column >= 0 && column < size;
  return isInside ? values[(channel * size + row) * size + column] : null;
}

/**
 * One of several maps.
 * @param {Maps} maps
 * @returns {Maps}
 */
export function oneMap({ size, values }, channel) {
  const area = size * size;
  return { channels: 1, size, values: values.subarray(channel * area, (channel + 1) * area) };
}

/** The channel with the largest mean. @param {Maps} maps */
export function strongest(maps) {
  let best = 0;
  let largest = -Infinity;
  for (let c = 0; c < maps.channels; c++) {
    const sum = oneMap(maps, c).values.reduce((total, value) => total + value, 0);
    if (sum > largest) [best, largest] = [c, sum];
  }
  return best;
}
