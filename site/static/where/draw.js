/** A pad to draw on, with the pointer or with the keyboard. */

import { drawGrays } from "./colors.js";
import { element } from "./dom.js";
import { say } from "./words.js";

const SIZE = 28;
const SHADES = { white: 255, gray: 140, black: 0 };
const RADIUS = 1.2; // of the brush, in pixels

/** @param {(pixels: Uint8Array) => void} onDraw */
export function drawingPad(onDraw) {
  let pixels = new Uint8Array(SIZE * SIZE);
  let shade = SHADES.white;
  let last = null; // where the pointer was, while it draws
  const brush = { row: 14, column: 14 };

  const canvas = element("canvas", { "aria-hidden": "true" });
  const cursor = element("span", { class: "cells-chosen", "aria-hidden": "true" });
  const pad = element(
    "div",
    { class: "cells pad", role: "application", tabindex: 0, "aria-label": say("drawing") },
    canvas, cursor,
  );
  const told = element("p", { class: "hidden-but-read", role: "status" });
  const mirror = element("input", { type: "checkbox" });

  const redraw = () => drawGrays(canvas, SIZE, pixels, 255);
  const draw = (from, to) => {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.row - from.row, to.column - from.column)));
    for (let step = 0; step <= steps; step++) {
      const mix = (one, other) => one + ((other - one) * step) / steps;
      dab(mix(from.row, to.row), mix(from.column, to.column));
    }
    redraw();
    onDraw(pixels.slice());
  };
  const dab = (row, column) => {
    touch(pixels, row, column, shade);
    if (mirror.checked) touch(pixels, row, SIZE - column, shade);
  };

  const at = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const row = ((event.clientY - top) / height) * SIZE;
    return { row, column: ((event.clientX - left) / width) * SIZE };
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = at(event);
    draw(last, last);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    const here = at(event);
    draw(last, here);
    last = here;
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => (last = null));

  const showBrush = () => {
    const share = 100 / SIZE;
    cursor.style.inset = `${brush.row * share}% auto auto ${brush.column * share}%`;
    cursor.style.width = cursor.style.height = `${share}%`;
    const value = pixels[brush.row * SIZE + brush.column];
    const values = { row: brush.row + 1, column: brush.column + 1, shade: value };
    told.textContent = say("brushAt", values);
  };
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  pad.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      const center = { row: brush.row + 0.5, column: brush.column + 0.5 };
      draw(center, center);
    } else if (moves[event.key]) {
      const [down, right] = moves[event.key];
      const inside = (place) => Math.max(0, Math.min(SIZE - 1, place));
      Object.assign(brush, { row: inside(brush.row + down), column: inside(brush.column + right) });
    } else return;
    event.preventDefault();
    showBrush();
  });

  const clear = () => {
    pixels = new Uint8Array(SIZE * SIZE);
    redraw();
    onDraw(pixels.slice());
  };
  const tools = element(
    "div", { class: "tools" },
    shadeButtons((chosen) => (shade = chosen)),
    element("label", {}, mirror, ` ${say("mirror")}`),
    element("button", { type: "button", class: "quiet", onclick: clear }, say("clear")),
  );
  const help = element("p", { class: "hint" }, say("drawingHelp"));
  return {
    element: element("div", {}, pad, told, tools, help),
    /** Take over the image that is shown, to change it. */
    follow(shown) {
      if (last) return;
      pixels = shown.slice();
      redraw();
    },
    begin: showBrush,
  };
}

/** Mix the shade into the pixels around a point; (0, 0) is the upper left corner. */
function touch(pixels, row, column, shade) {
  for (let i = Math.floor(row - RADIUS - 1); i <= row + RADIUS + 1; i++) {
    for (let j = Math.floor(column - RADIUS - 1); j <= column + RADIUS + 1; j++) {
      if (i < 0 || j < 0 || i >= SIZE || j >= SIZE) continue;
      const distance = Math.hypot(i + 0.5 - row, j + 0.5 - column);
      const cover = Math.max(0, Math.min(1, RADIUS + 0.5 - distance));
      const old = pixels[i * SIZE + j];
      pixels[i * SIZE + j] = Math.round(old + cover * (shade - old));
    }
  }
}

function shadeButtons(onChoose) {
  const choices = Object.entries(SHADES).map(([name, shade], place) => {
    const radio = element("input", {
      type: "radio", name: "where-shade", checked: place === 0, onchange: () => onChoose(shade),
    });
    return element("label", {}, radio, ` ${say(name)}`);
  });
  const legend = element("legend", {}, say("brush"));
  return element("fieldset", { class: "shades" }, legend, ...choices);
}
