/** The receptive field, to be touched: which pixels reach a number of ResNet-18. For notebook 03. */

import { cells } from "./cells.js";
import { drawGrays } from "./colors.js";
import { chooseWithArrows, element, markChosen } from "./dom.js";
import { say } from "./words.js";

/** @typedef {[kernel: number, stride: number, padding: number]} Layer */

const CONVOLUTION = /** @type {Layer} */ ([3, 1, 1]);
const HALVING = /** @type {Layer} */ ([3, 2, 1]);

/**
 * The layers of ResNet-18 that widen the receptive field, along the wider path of each block.
 * @type {Record<string, Layer[]>}
 */
export const PARTS = {
  stem: [[7, 2, 3], [3, 2, 1]],
  stage1: [CONVOLUTION, CONVOLUTION, CONVOLUTION, CONVOLUTION],
  stage2: [HALVING, CONVOLUTION, CONVOLUTION, CONVOLUTION],
  stage3: [HALVING, CONVOLUTION, CONVOLUTION, CONVOLUTION],
  stage4: [HALVING, CONVOLUTION, CONVOLUTION, CONVOLUTION],
};
const SIZES = [28, 96, 224]; // of the image, in pixels
const PICTURE = 74; // which of the test images is shown: a sneaker

/**
 * The windows of all numbers of a map, along one side of the image.
 * @typedef {object} Windows
 * @property {number} count how many numbers there are
 * @property {number} size of a window, in pixels
 * @property {number} step from one window to the next, in pixels
 * @property {number} start of the first window; negative in the padding
 */

/**
 * The windows after a part of the network.
 * @param {string} part
 * @param {number} pixels the width of the image
 * @returns {Windows}
 */
export function windowsAfter(part, pixels) {
  const names = Object.keys(PARTS);
  const layers = names.slice(0, names.indexOf(part) + 1).flatMap((name) => PARTS[name]);
  const windows = { count: pixels, size: 1, step: 1, start: 0 };
  for (const [kernel, stride, padding] of layers) {
    windows.count = Math.floor((windows.count + 2 * padding - kernel) / stride) + 1;
    windows.size += (kernel - 1) * windows.step;
    windows.start -= padding * windows.step;
    windows.step *= stride;
  }
  return windows;
}

/** How many of a window's rows (or columns) lie in the image. */
function inside(start, size, pixels) {
  return Math.max(0, Math.min(start + size, pixels) - Math.max(start, 0));
}

/**
 * @param {Uint8Array} picture to draw on
 * @returns {HTMLElement}
 */
export function receptiveField(picture) {
  const state = { part: "stage1", pixels: 96, row: 0, column: 0 };
  const scene = drawing(picture);
  const told = element("p", { role: "status" });
  const map = cells((row, column) => {
    Object.assign(state, { row, column });
    show();
  }, { hover: true });
  const caption = element("p", { class: "hint", "aria-hidden": "true" });

  const parts = Object.keys(PARTS);
  const partButtons = choices("fieldParts", parts.map((part) => say(`part_${part}`)), (place) => {
    state.part = parts[place];
    resize();
  });
  const sizeButtons = choices("fieldSizes", SIZES.map((size) => `${size}×${size}`), (place) => {
    state.pixels = SIZES[place];
    resize();
  });

  /** Begin in the middle of the maps of another part, or of another image. */
  function resize() {
    const { count } = windowsAfter(state.part, state.pixels);
    map.canvas.width = map.canvas.height = count;
    map.element.style.setProperty("--count", String(count));
    map.resize(count, say("fieldCells", { part: say(`part_${state.part}`), count }));
    state.row = state.column = count >> 1;
    partButtons.mark(parts.indexOf(state.part));
    sizeButtons.mark(SIZES.indexOf(state.pixels));
    caption.textContent = say("fieldMap", { part: say(`part_${state.part}`), count });
    show();
  }

  function show() {
    const windows = windowsAfter(state.part, state.pixels);
    const top = windows.start + state.row * windows.step;
    const left = windows.start + state.column * windows.step;
    map.mark(state.row, state.column);
    scene.show(windows, top, left, state.pixels);
    const rows = inside(top, windows.size, state.pixels);
    const columns = inside(left, windows.size, state.pixels);
    const isInside = rows === windows.size && columns === windows.size;
    const at = { row: state.row + 1, column: state.column + 1, size: windows.size };
    told.textContent = say(isInside ? "fieldToldInside" : "fieldTold", { ...at, rows, columns });
  }

  resize();
  return element(
    "div", { class: "field" },
    element("div", { class: "field-choices" }, partButtons.element, sizeButtons.element),
    element(
      "div", { class: "field-panels" },
      element("div", {}, map.element, caption), element("div", {}, scene.element),
    ),
    told,
  );
}

function choices(key, names, onChoose) {
  const buttons = names.map((name) => element("button", { type: "button", role: "radio" }, name));
  const label = element("span", { "aria-hidden": "true" }, say(key));
  const properties = { class: "parts", role: "radiogroup", "aria-label": say(key) };
  const group = element("div", properties, ...buttons);
  chooseWithArrows(group, buttons, onChoose);
  return {
    element: element("div", {}, label, group),
    mark: (place) => markChosen(buttons, place),
  };
}

/**
 * The image, the padding around it, and a window. The drawing shows all windows of a part, so the
 * image shrinks where they grow.
 */
function drawing(picture) {
  const canvas = element("canvas");
  drawGrays(canvas, Math.sqrt(picture.length), picture, 255);
  const made = element("div", { class: "scene", "aria-hidden": "true" });
  const image = `<image href="${canvas.toDataURL()}" width="1" height="1"`;
  made.innerHTML = `<svg viewBox="0 0 1 1">
    <defs>
      <pattern id="field-padding" width=".03" height=".03" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <path d="M0 0V.03" class="hatch"/>
      </pattern>
      <clipPath id="field-window"><rect class="field-window"/></clipPath>
    </defs>
    <g class="field-world">
      ${image} opacity=".3"/>
      <rect class="field-window padded"/>
      <g clip-path="url(#field-window)">${image}/></g>
      <rect class="field-window frame"/>
    </g>
  </svg>`;
  const world = made.querySelector(".field-world");
  const frames = made.querySelectorAll(".field-window");
  return {
    element: made,
    /** @param {Windows} windows */
    show({ count, size, step, start }, top, left, pixels) {
      const lowest = Math.min(0, start);
      const highest = Math.max(pixels, start + (count - 1) * step + size);
      const scale = pixels / (highest - lowest);
      const offset = -lowest / pixels;
      world.style.transform = `scale(${scale}) translate(${offset}px, ${offset}px)`;
      for (const frame of frames) {
        const place = { x: left, y: top, width: size, height: size };
        for (const [name, value] of Object.entries(place)) frame.style[name] = `${value / pixels}px`;
      }
    },
  };
}

const root = globalThis.document?.getElementById("receptive-field");
if (root) {
  const area = 28 * 28;
  const address = (name) => new URL(name, import.meta.url);
  document.head.append(element("link", { rel: "stylesheet", href: address("where.css").href }));
  const answer = await fetch(address("images.bin"));
  const pixels = new Uint8Array(await answer.arrayBuffer(), PICTURE * area, area);
  root.replaceChildren(receptiveField(pixels));
  root.dataset.ready = "true";
}
