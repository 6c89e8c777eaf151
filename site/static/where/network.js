/**
 * The two networks of the page: what an image becomes on its way to ten scores.
 *
 * It reads as the course does: a residual block returns relu(g(x) + x). Batch normalizations are
 * not here, since they only multiply and add once a network is trained: `make site-model` has
 * multiplied them into the weights and biases.
 */

/**
 * Square feature maps, one after the other.
 * @typedef {{channels: number, size: number, values: Float32Array}} Maps
 */

/**
 * @typedef {object} Convolution
 * @property {number} channels of the output
 * @property {number} inputs channels of the input
 * @property {number} kernel its width and height
 * @property {number} stride
 * @property {number} padding
 * @property {Float32Array} weight (channels, inputs, kernel, kernel)
 * @property {Float32Array} bias
 */

/**
 * @typedef {object} Block
 * @property {string} name such as "stage1.block2"
 * @property {Convolution} conv1
 * @property {Convolution} conv2
 * @property {"none" | "identity" | Convolution} shortcut "none" in a plain block
 */

/**
 * @typedef {object} Network
 * @property {string} family "residual" or "plain"
 * @property {number} size of an image, in pixels
 * @property {number} mean of the pixels of the training images, between 0 and 1
 * @property {number} deviation their standard deviation
 * @property {Convolution} first
 * @property {Block[]} blocks
 * @property {{weight: Float32Array, bias: Float32Array}} dense
 */

/**
 * What a block computed. Without its branch, `inner` and `branch` are null.
 * @typedef {object} BlockTrace
 * @property {Maps} x what the block is given
 * @property {Maps | null} inner after the first convolution and its ReLU
 * @property {Maps | null} branch after the second convolution: g(x)
 * @property {Maps | null} shortcut what is added to g(x); null in a whole plain block
 * @property {Maps} output
 */

/**
 * Everything that one image became.
 * @typedef {object} Trace
 * @property {Maps} image normalized
 * @property {Maps} first
 * @property {BlockTrace[]} blocks
 * @property {Float32Array} means of the last maps
 * @property {Float32Array} scores before softmax
 */

/**
 * Read float16 numbers, as `make site-model` stores them.
 * @param {ArrayBuffer} buffer
 * @returns {Float32Array}
 */
export function decodeHalf(buffer) {
  return Float32Array.from(new Uint16Array(buffer), (bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
}

/**
 * Put a network together from its description, a JSON file, and its numbers.
 * @param {any} description in which each weight and bias is a place among the numbers
 * @param {Float32Array} numbers
 * @returns {Network}
 */
export function assemble(description, numbers) {
  const take = (place, count) => numbers.subarray(place, place + count);
  const convolution = ({ shape, weight, bias, stride, padding }) => {
    const [channels, inputs, kernel] = shape;
    return {
      channels, inputs, kernel, stride, padding,
      weight: take(weight, channels * inputs * kernel * kernel),
      bias: take(bias, channels),
    };
  };
  const { dense } = description;
  return {
    ...description,
    first: convolution(description.first),
    blocks: description.blocks.map(({ name, conv1, conv2, shortcut }) => ({
      name,
      conv1: convolution(conv1),
      conv2: convolution(conv2),
      shortcut: typeof shortcut === "string" ? shortcut : convolution(shortcut),
    })),
    dense: {
      weight: take(dense.weight, dense.shape[0] * dense.shape[1]),
      bias: take(dense.bias, dense.shape[0]),
    },
  };
}

/**
 * Run an image through a network.
 * @param {Network} network
 * @param {Uint8Array} pixels 0 (black) to 255, row by row
 * @param {Set<string>} without the names of the blocks whose branch is taken out
 * @returns {Trace}
 */
export function run(network, pixels, without = new Set()) {
  const { size, mean, deviation } = network;
  const values = Float32Array.from(pixels, (pixel) => (pixel / 255 - mean) / deviation);
  const image = { channels: 1, size, values };
  const first = relu(convolve(image, network.first));
  const blocks = [];
  let x = first;
  for (const block of network.blocks) {
    blocks.push(runBlock(block, x, without.has(block.name)));
    x = blocks[blocks.length - 1].output;
  }
  const means = averages(x);
  return { image, first, blocks, means, scores: weigh(means, network.dense) };
}

/**
 * @param {Block} block
 * @param {Maps} x
 * @param {boolean} isOut
 * @returns {BlockTrace}
 */
function runBlock(block, x, isOut) {
  const isPlain = block.shortcut === "none";
  const shortcut = typeof block.shortcut === "string" ? x : convolve(x, block.shortcut);
  if (isOut) return { x, inner: null, branch: null, shortcut, output: relu(shortcut) };
  const inner = relu(convolve(x, block.conv1));
  const branch = convolve(inner, block.conv2);
  if (isPlain) return { x, inner, branch, shortcut: null, output: relu(branch) };
  return { x, inner, branch, shortcut, output: relu(add(branch, shortcut)) };
}

/**
 * Whether the layers after a block can compute without its branch. A plain block that changes the
 * shape has no shortcut that would.
 * @param {Block} block
 */
export function hasWayAround({ conv1, shortcut }) {
  return shortcut !== "none" || (conv1.stride === 1 && conv1.inputs === conv1.channels);
}

/**
 * @param {Maps} maps
 * @param {Convolution} convolution
 * @returns {Maps}
 */
export function convolve(maps, { channels, inputs, kernel, stride, padding, weight, bias }) {
  const framed = frame(maps, padding);
  const width = maps.size + 2 * padding;
  const size = Math.floor((width - kernel) / stride) + 1;
  const values = new Float32Array(channels * size * size);
  const addUp = kernel === 3 && stride === 1 ? addThreeByThree : addAny;
  for (let o = 0; o < channels; o++) {
    const map = values.subarray(o * size * size, (o + 1) * size * size);
    map.fill(bias[o]);
    for (let c = 0; c < inputs; c++) {
      const place = (o * inputs + c) * kernel * kernel;
      addUp(map, size, framed, c * width * width, width, weight, place, kernel, stride);
    }
  }
  return { channels, size, values };
}

/** Surround each map with zeros. */
function frame({ channels, size, values }, padding) {
  if (padding === 0) return values;
  const width = size + 2 * padding;
  const framed = new Float32Array(channels * width * width);
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row < size; row++) {
      const from = (c * size + row) * size;
      framed.set(values.subarray(from, from + size), (c * width + row + padding) * width + padding);
    }
  }
  return framed;
}

/**
 * Add what one input map gives to one output map, for a 3×3 kernel with stride 1. Each number is
 * read once for three neighbors, which makes it three times as fast as `addAny`.
 */
function addThreeByThree(map, size, from, start, width, weight, place) {
  const [a, b, c] = [weight[place], weight[place + 1], weight[place + 2]];
  const [d, e, f] = [weight[place + 3], weight[place + 4], weight[place + 5]];
  const [g, h, i] = [weight[place + 6], weight[place + 7], weight[place + 8]];
  for (let row = 0; row < size; row++) {
    let top = start + row * width;
    let middle = top + width;
    let bottom = middle + width;
    let [top0, top1] = [from[top], from[top + 1]];
    let [middle0, middle1] = [from[middle], from[middle + 1]];
    let [bottom0, bottom1] = [from[bottom], from[bottom + 1]];
    for (let to = row * size; to < (row + 1) * size; to++, top++, middle++, bottom++) {
      const top2 = from[top + 2];
      const middle2 = from[middle + 2];
      const bottom2 = from[bottom + 2];
      map[to] +=
        a * top0 + b * top1 + c * top2 +
        d * middle0 + e * middle1 + f * middle2 +
        g * bottom0 + h * bottom1 + i * bottom2;
      top0 = top1; top1 = top2;
      middle0 = middle1; middle1 = middle2;
      bottom0 = bottom1; bottom1 = bottom2;
    }
  }
}

/** The same for any kernel and stride. */
function addAny(map, size, from, start, width, weight, place, kernel, stride) {
  for (let p = 0; p < kernel; p++) {
    for (let q = 0; q < kernel; q++) {
      const factor = weight[place + p * kernel + q];
      for (let row = 0; row < size; row++) {
        const line = start + (row * stride + p) * width + q;
        for (let column = 0; column < size; column++) {
          map[row * size + column] += factor * from[line + column * stride];
        }
      }
    }
  }
}

/** @param {Maps} maps @returns {Maps} */
function relu(maps) {
  return { ...maps, values: maps.values.map((value) => (value > 0 ? value : 0)) };
}

/** @param {Maps} left @param {Maps} right @returns {Maps} */
function add(left, right) {
  return { ...left, values: left.values.map((value, i) => value + right.values[i]) };
}

/** Global average pooling. @param {Maps} maps */
function averages({ channels, size, values }) {
  const means = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const map = values.subarray(c * size * size, (c + 1) * size * size);
    means[c] = map.reduce((sum, value) => sum + value, 0) / (size * size);
  }
  return means;
}

/** The dense layer. */
function weigh(means, { weight, bias }) {
  return bias.map((start, k) => {
    return means.reduce((sum, mean, c) => sum + mean * weight[k * means.length + c], start);
  });
}

/** @param {Float32Array} scores @returns {Float32Array} probabilities */
export function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The place of the largest number. */
export function argmax(numbers) {
  return numbers.reduce((best, number, place) => (number > numbers[best] ? place : best), 0);
}

/**
 * How much each place of the last maps speaks for a class: the maps, each times its weight, added
 * up. The mean of the result, plus the bias, is the score of the class.
 * @param {Network} network
 * @param {Trace} trace
 * @param {number} label
 * @returns {Maps} a single map
 */
export function classActivation(network, trace, label) {
  const { channels, size, values } = trace.blocks[trace.blocks.length - 1].output;
  const sum = new Float32Array(size * size);
  for (let c = 0; c < channels; c++) {
    const weight = network.dense.weight[label * channels + c];
    for (let i = 0; i < sum.length; i++) sum[i] += weight * values[c * sum.length + i];
  }
  return { channels: 1, size, values: sum };
}
