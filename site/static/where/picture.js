/**
 * A picture of the reader's own, made like those of Fashion-MNIST: light on black, 28 pixels wide.
 *
 * Its authors describe the steps (https://arxiv.org/abs/1708.07747, section 2): trim the picture,
 * scale its longer side to 28 pixels, put it in the middle, negate it, and keep the grays.
 */

import { say } from "./words.js";

const SIZE = 28;
const LARGEST_FILE = 20e6; // bytes
const MOST_PIXELS = 50e6;
const WORKED_ON = 560; // pixels, the longer side: the browser's own scaling comes first
const BACKGROUND = 25; // the gray, of 255, up to which a place counts as empty

/** A picture that cannot be used; the message is a sentence for the reader. */
export class PictureError extends Error {}

/**
 * Read a picture from a file. Nothing is sent anywhere.
 * @param {File} file
 * @returns {Promise<{pixels: Uint8Array, isTransparent: boolean}>}
 */
export async function read(file) {
  if (file.size > LARGEST_FILE) {
    const megabytes = (bytes) => Math.round(bytes / 1e6);
    const sizes = { given: megabytes(file.size), most: megabytes(LARGEST_FILE) };
    throw new PictureError(say("fileTooLarge", sizes));
  }
  const address = URL.createObjectURL(file);
  try {
    return fromRgba(...(await decoded(address, file.name)));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** @returns {Promise<[Uint8ClampedArray, number, number]>} colors, width, height */
async function decoded(address, name) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    throw new PictureError(say("notAnImage", { name }));
  }
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth || !naturalHeight) throw new PictureError(say("notAnImage", { name }));
  if (naturalWidth * naturalHeight > MOST_PIXELS) {
    const given = Math.round((naturalWidth * naturalHeight) / 1e6);
    throw new PictureError(say("tooManyPixels", { given, most: MOST_PIXELS / 1e6 }));
  }
  const scale = Math.min(1, WORKED_ON / Math.max(naturalWidth, naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(naturalHeight * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return [data, canvas.width, canvas.height];
}

/**
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @returns {{pixels: Uint8Array, isTransparent: boolean}}
 */
export function fromRgba(rgba, width, height) {
  const { gray, isTransparent } = grays(rgba);
  const lit = onBlack(gray, width, height);
  const part = trimmed(lit, width, height);
  if (!part) throw new PictureError(say(isTransparent ? "emptyTransparent" : "empty"));
  const scale = SIZE / Math.max(part.width, part.height);
  const across = Math.max(1, Math.round(part.width * scale));
  const down = Math.max(1, Math.round(part.height * scale));
  const small = scaled(part.values, part.width, part.height, across, down);
  const pixels = new Uint8Array(SIZE * SIZE);
  const left = (SIZE - across) >> 1;
  const top = (SIZE - down) >> 1;
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      pixels[(top + row) * SIZE + left + column] = Math.round(small[row * across + column]);
    }
  }
  return { pixels, isTransparent };
}

/** Negate a picture. @param {Uint8Array} pixels */
export function negated(pixels) {
  return pixels.map((pixel) => 255 - pixel);
}

/** Gray levels; what is transparent shows white paper. */
function grays(rgba) {
  const gray = new Float32Array(rgba.length / 4);
  let isTransparent = false;
  for (let i = 0; i < gray.length; i++) {
    const level = 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
    const alpha = rgba[4 * i + 3];
    gray[i] = 255 + ((level - 255) * alpha) / 255;
    isTransparent ||= alpha < 255;
  }
  return { gray, isTransparent };
}

/** Negate a picture with a light edge, and make the edge, the background, black. */
function onBlack(gray, width, height) {
  const edge = [];
  for (let i = 0; i < width; i++) edge.push(gray[i], gray[(height - 1) * width + i]);
  for (let i = 0; i < height; i++) edge.push(gray[i * width], gray[(i + 1) * width - 1]);
  const background = edge.sort((one, other) => one - other)[edge.length >> 1];
  const isLight = background > 127;
  const range = isLight ? background : 255 - background;
  return gray.map((level) => {
    const lit = isLight ? background - level : level - background;
    return Math.max(0, (255 * lit) / range);
  });
}

/** Cut off the empty margins; null if nothing is left. */
function trimmed(values, width, height) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  values.forEach((value, i) => {
    if (value <= BACKGROUND) return;
    const column = i % width;
    const row = (i - column) / width;
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  });
  if (right < 0) return null;
  const across = right - left + 1;
  const down = bottom - top + 1;
  const part = new Float32Array(across * down);
  for (let row = 0; row < down; row++) {
    const from = (top + row) * width + left;
    part.set(values.subarray(from, from + across), row * across);
  }
  return { values: part, width: across, height: down };
}

/** Scale a picture: each new pixel is the mean of the area that it covers. */
function scaled(values, width, height, across, down) {
  const rows = scaledRows(values, width, height, across);
  return transposed(scaledRows(transposed(rows, across, height), height, across, down), down, across);
}

function scaledRows(values, width, height, across) {
  const result = new Float32Array(across * height);
  const step = width / across;
  for (let column = 0; column < across; column++) {
    const [from, to] = [column * step, (column + 1) * step];
    for (let i = Math.floor(from); i < Math.min(width, Math.ceil(to)); i++) {
      const share = (Math.min(i + 1, to) - Math.max(i, from)) / step;
      for (let row = 0; row < height; row++) {
        result[row * across + column] += share * values[row * width + i];
      }
    }
  }
  return result;
}

function transposed(values, width, height) {
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    result[(i % width) * height + Math.floor(i / width)] = values[i];
  }
  return result;
}
