/** A square of numbers of which one is chosen: with the pointer, or with the arrow keys. */

import { element } from "./dom.js";

/**
 * @typedef {object} Cells
 * @property {HTMLElement} element
 * @property {HTMLCanvasElement} canvas to draw the numbers on, one pixel for each
 * @property {(size: number, name: string) => void} resize how many rows there are, and their name
 * @property {(row: number, column: number) => void} mark which number is the chosen one
 */

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * @param {(row: number, column: number) => void} onChoose
 * @param {{hover?: boolean}} options whether the pointer chooses without a click
 * @returns {Cells}
 */
export function cells(onChoose, { hover = false } = {}) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const chosen = element("span", { class: "cells-chosen", "aria-hidden": "true" });
  // An application takes the arrow keys for itself; what they choose is read from a live region.
  const square = element("div", { class: "cells", role: "application", tabindex: 0 }, canvas, chosen);
  const now = { size: 1, row: 0, column: 0 };

  const choose = (row, column) => {
    const inside = (place) => Math.max(0, Math.min(now.size - 1, place));
    onChoose(inside(row), inside(column));
  };
  const chooseAt = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - top) / height) * now.size);
    choose(row, Math.floor(((event.clientX - left) / width) * now.size));
  };
  square.addEventListener("pointerdown", chooseAt);
  square.addEventListener("pointermove", (event) => {
    if (event.buttons || (hover && event.pointerType === "mouse")) chooseAt(event);
  });
  square.addEventListener("keydown", (event) => {
    const ends = { Home: [now.row, 0], End: [now.row, now.size - 1] };
    const [down, right] = MOVES[event.key] ?? [];
    if (down !== undefined) choose(now.row + down, now.column + right);
    else if (ends[event.key]) choose(...ends[event.key]);
    else return;
    event.preventDefault();
  });

  return {
    element: square,
    canvas,
    resize(size, name) {
      now.size = size;
      square.setAttribute("aria-label", name);
    },
    mark(row, column) {
      Object.assign(now, { row, column });
      const share = 100 / now.size;
      chosen.style.inset = `${row * share}% auto auto ${column * share}%`;
      chosen.style.width = chosen.style.height = `${share}%`;
    },
  };
}
