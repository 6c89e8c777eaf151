/** One feature map, and how one of its numbers was made. */

import { numberAt, oneMap, sumAt } from "./arithmetic.js";
import { cells } from "./cells.js";
import { drawGrays, reach, signColor } from "./colors.js";
import { element } from "./dom.js";
import { decimal, say, signed } from "./words.js";

/** @typedef {import("./network.js").Maps} Maps */

const SHOWN = 4; // of the input maps, before the reader asks for all

/**
 * How the numbers of a place are made.
 * @typedef {object} Recipe
 * @property {Maps} maps which hold the number
 * @property {import("./network.js").Convolution} convolution
 * @property {Maps} input of the convolution
 * @property {boolean} isBranch whether the sum is g(x), to which a shortcut may be added
 * @property {boolean} isOut whether the branch is out, so that only the shortcut is left
 * @property {Maps | null} shortcut what is added before the ReLU
 * @property {number | null} shortcutInputs how many numbers a 1×1 shortcut weighs; null for x itself
 */

/** @param {(row: number, column: number) => void} onChoose */
export function numberView(onChoose) {
  const map = cells(onChoose);
  map.canvas.classList.add("moved");
  const values = element("div", { class: "values", "aria-hidden": "true" });
  map.element.append(values);
  const told = element("p", { role: "status" });
  const heading = element("h3", {});
  const list = element("div", { class: "terms" });
  const rounded = element("p", { class: "hint" }, say("rounded"));
  let showsAll = false;
  return {
    element: element(
      "div", { class: "number" },
      element("div", {}, map.element, told),
      element("div", { class: "made" }, heading, list, rounded),
    ),
    focus: () => map.element.focus({ preventScroll: true }),
    /** @param {Recipe} recipe @param {{channel: number, row: number, column: number}} at */
    show(recipe, at) {
      const { maps } = recipe;
      const value = numberAt(maps, at.channel, at.row, at.column);
      const shown = oneMap(maps, at.channel);
      drawGrays(map.canvas, maps.size, shown.values, reach(shown.values));
      writeValues(values, shown);
      map.resize(maps.size, say("mapCells", { number: at.channel + 1, size: maps.size }));
      map.mark(at.row, at.column);
      const where = { row: at.row + 1, column: at.column + 1, value: decimal(value) };
      told.textContent = say("numberAt", where);
      heading.textContent = say("made", { value: decimal(value) });
      const write = () => list.replaceChildren(...steps(recipe, at, value, showsAll, more));
      const more = () => {
        showsAll = !showsAll;
        write();
        list.querySelector("button").focus();
      };
      write();
    },
  };
}

/** Write the numbers of a map into its places, where there is room for them. */
function writeValues(square, { size, values }) {
  const isRoomy = size <= 7;
  const white = reach(values);
  square.style.setProperty("--across", String(size));
  square.replaceChildren(...Array.from(isRoomy ? values : [], (value) => {
    const ink = value > white / 2 ? "black" : "white";
    return element("span", { style: `color: ${ink}` }, value.toFixed(1));
  }));
}

/** The lines of the calculation, from the windows to the number. */
function steps(recipe, at, value, showsAll, onMore) {
  const { isOut, shortcut } = recipe;
  const lines = isOut ? [element("p", {}, say("onlyX"))] : sumLines(recipe, at, showsAll, onMore);
  if (shortcut) {
    const count = recipe.shortcutInputs;
    const name = count === null ? say("shortcutX") : say("shortcutConv", { count });
    const added = numberAt(shortcut, at.channel, at.row, at.column);
    lines.push(line(name, signed(added)));
    if (!isOut) lines.push(line(say("sum"), decimal(recipeSum(recipe, at) + added), "total"));
  }
  lines.push(line(say("relu"), decimal(value), "result"));
  return lines;
}

/** What the convolution of a place computes for a number. */
function recipeSum({ input, convolution }, at) {
  return sumAt(input, convolution, at).total;
}

function sumLines({ input, convolution, isBranch }, at, showsAll, onMore) {
  const sum = sumAt(input, convolution, at);
  const shown = showsAll ? sum.terms : sum.terms.slice(0, SHOWN);
  const rest = sum.terms.slice(shown.length);
  const strongest = {
    input: reach(input.values),
    weight: reach(convolution.weight),
  };
  const lines = shown.map((term) => termLine(term, sum, input, convolution, strongest));
  if (rest.length) {
    const others = rest.reduce((total, term) => total + term.sum, 0);
    lines.push(line(say("moreMaps", { count: rest.length }), signed(others)));
  }
  if (sum.terms.length > SHOWN) {
    const text = showsAll ? say("showFew") : say("showAll", { count: sum.terms.length });
    lines.push(element("button", { type: "button", class: "quiet", onclick: onMore }, text));
  }
  lines.push(line(say("bias"), signed(sum.bias)));
  lines.push(line(say(isBranch ? "sumBranch" : "sum"), decimal(sum.total), "total"));
  return lines;
}

function line(name, number, kind = "") {
  return element("p", { class: `line ${kind}` }, element("span", {}, name), element("b", {}, number));
}

/** An input map with the window on it, the numbers in the window, the weights, their products' sum. */
function termLine(term, { top, left }, input, { kernel }, strongest) {
  const from = input.channels === 1 ? say("fromImage") : say("fromMap", { number: term.channel + 1 });
  const canvas = element("canvas");
  const { size, values } = oneMap(input, term.channel);
  const darkest = Math.min(0, ...values); // the image is normalized: black is below zero
  drawGrays(canvas, size, values.map((value) => value - darkest), strongest.input - darkest);
  const frame = element("span", { class: "window" });
  const share = 100 / size;
  frame.style.inset = `${top * share}% auto auto ${left * share}%`;
  frame.style.width = frame.style.height = `${kernel * share}%`;
  const label = say("windowLabel", {
    from,
    window: term.inputs.map((value) => (value === null ? say("padding") : decimal(value))).join(" "),
    weights: term.weights.map(decimal).join(" "),
    sum: signed(term.sum),
  });
  return element(
    "div", { class: "term", role: "img", "aria-label": label },
    element("span", { class: "term-map" }, element("span", { class: "stack" }, canvas, frame), from),
    numbers(term.inputs, kernel, strongest.input),
    element("span", { class: "times" }, "×"),
    numbers(term.weights, kernel, strongest.weight),
    element("span", { class: "times" }, "="),
    element("b", {}, signed(term.sum)),
  );
}

/** A square of numbers; what is null is padding. */
function numbers(values, kernel, strongest) {
  const square = element("span", { class: "numbers" });
  square.style.setProperty("--across", String(kernel));
  square.append(...values.map((value) => {
    const isPadding = value === null;
    const cell = element("span", { class: isPadding ? "padding" : "" }, decimal(value ?? 0));
    if (!isPadding) cell.style.background = signColor(value, strongest);
    return cell;
  }));
  return square;
}
