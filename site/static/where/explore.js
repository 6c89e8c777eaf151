/** From the two networks to the feature maps of a block, to one number, and back. */

import { oneMap, strongest } from "./arithmetic.js";
import { chooseWithArrows, element, markChosen, smoothly } from "./dom.js";
import { mapsView } from "./maps.js";
import { argmax } from "./network.js";
import { numberView } from "./number.js";
import { branchSwitch, nameOf, outputOf, overview } from "./overview.js";
import { say } from "./words.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Trace} Trace */
/** @typedef {import("./overview.js").Place} Place */

/**
 * Where the reader is: in the overview, at the maps of a place, or at one number.
 * @typedef {object} View
 * @property {"overview" | "maps" | "number"} level
 * @property {Place} place
 * @property {"inner" | "output"} part of a block: after its first convolution, or what it returns
 * @property {{channel: number, row: number, column: number}} at
 */

const PARTS = /** @type {const} */ (["output", "inner"]);

/**
 * @param {Record<string, Network>} networks
 * @param {string[]} classes
 * @param {{toggle: (place: Place) => void, restore: () => void}} does
 */
export function explorer(networks, classes, does) {
  /** @type {View} */
  let view = {
    level: "overview", place: { family: "residual", block: 0 }, part: "output",
    at: { channel: 0, row: 0, column: 0 },
  };
  let control = null; // the switch of the place where the reader is
  let now = null; // { traces, without, label }: what the networks computed last

  const whole = overview(networks, { ...does, open: (place) => open({ level: "maps", place, part: "output" }) });
  const maps = mapsView((channel) => {
    const { size, values } = oneMap(mapsOf(), channel);
    const place = argmax(values);
    const at = { channel, row: Math.floor(place / size), column: place % size };
    open({ level: "number", at });
  });
  const number = numberView((row, column) => {
    view.at = { ...view.at, row, column };
    draw();
  });
  const trail = element("nav", { class: "trail", "aria-label": say("trail") });
  const controls = element("div", { class: "controls" });
  const hint = element("p", { hidden: true }, say("innerOut"));
  const panel = element("div", { class: "panel" });
  const root = element("section", { class: "explorer" }, trail, controls, hint, panel);

  /** Go to another level or place; the map that both show moves there. */
  function open(change) {
    smoothly(() => {
      view = { ...view, ...change };
      if (change.place) view.at = { ...view.at, channel: strongest(mapsOf()) };
      controls.replaceChildren(...controlsFor(view));
      draw();
      focusOn(view.level);
    });
  }

  function focusOn(level) {
    if (level === "number") return number.focus();
    const target = trail.querySelector("[aria-current]");
    target.focus({ preventScroll: true });
  }

  function isOut() {
    const block = networks[view.place.family].blocks[view.place.block];
    return block !== undefined && now.without[view.place.family].has(block.name);
  }

  /** The maps of the place where the reader is. */
  function mapsOf() {
    const { family, block } = view.place;
    const trace = now.traces[family];
    const inner = view.part === "inner" && block >= 0 ? trace.blocks[block].inner : null;
    return inner ?? outputOf(trace, block);
  }

  function recipeOf() {
    const { family, block } = view.place;
    const [network, trace] = [networks[family], now.traces[family]];
    const base = { isBranch: false, isOut: false, shortcut: null, shortcutInputs: null };
    if (block < 0) {
      return { ...base, maps: trace.first, convolution: network.first, input: trace.image };
    }
    const { conv1, conv2, shortcut } = network.blocks[block];
    const { x, inner, output, shortcut: added } = trace.blocks[block];
    if (view.part === "inner" && inner) {
      return { ...base, maps: inner, convolution: conv1, input: x };
    }
    const shortcutInputs = typeof shortcut === "string" ? null : shortcut.inputs;
    const sum = { convolution: conv2, input: inner, isBranch: true, isOut: isOut() };
    return { ...sum, maps: output, shortcut: added, shortcutInputs };
  }

  /** What the last maps add to the score of the chosen class; null elsewhere. */
  function readingOf() {
    const { family, block } = view.place;
    const [network, trace] = [networks[family], now.traces[family]];
    if (block !== network.blocks.length - 1 || view.part === "inner") return null;
    const { weight, bias } = network.dense;
    const { label } = now;
    const width = trace.means.length;
    return {
      weights: weight.subarray(label * width, (label + 1) * width),
      bias: bias[label],
      score: trace.scores[label],
      name: classes[label],
    };
  }

  function controlsFor({ level, place }) {
    control = null;
    if (level === "overview" || place.block < 0) return [];
    control = branchSwitch(networks[place.family], place.block, () => does.toggle(place));
    return [partButtons(), control.element];
  }

  function partButtons() {
    const names = { output: say("partOutput"), inner: say("partInner") };
    const buttons = PARTS.map((part) => {
      return element("button", { type: "button", role: "radio" }, names[part]);
    });
    const properties = { class: "parts", role: "radiogroup", "aria-label": say("parts") };
    const group = element("div", properties, ...buttons);
    chooseWithArrows(group, buttons, (chosen) => {
      view.part = PARTS[chosen];
      markChosen(buttons, chosen);
      draw();
    });
    markChosen(buttons, PARTS.indexOf(view.part));
    return group;
  }

  function draw() {
    control?.show(isOut());
    hint.hidden = !(view.level !== "overview" && view.part === "inner" && isOut());
    trail.replaceChildren(...steps());
    if (view.level === "overview") {
      whole.show(now.traces, now.without, view.place);
      put(whole.element);
    } else if (view.level === "maps") {
      maps.show(mapsOf(), readingOf(), view.at.channel);
      put(maps.element);
    } else {
      number.show(recipeOf(), view.at);
      put(number.element);
    }
  }

  /** Show a level; one that is shown already stays, with the focus in it. */
  function put(level) {
    if (panel.firstChild !== level) panel.replaceChildren(level);
  }

  /** The way from the overview to where the reader is. */
  function steps() {
    const { place, level } = view;
    const network = networks[place.family];
    const name = `${say(`network_${place.family}`)}, ${nameOf(network, place.block)}`;
    const all = [
      { level: "overview", text: say("overview") },
      { level: "maps", text: name },
      { level: "number", text: say("map", { number: view.at.channel + 1 }) },
    ];
    const here = all.findIndex((step) => step.level === level);
    return all.slice(0, here + 1).map((step, i) => {
      if (i === here) {
        return element("span", { "aria-current": "location", tabindex: -1 }, step.text);
      }
      return element("button", { type: "button", onclick: () => open({ level: step.level }) }, step.text);
    });
  }

  root.addEventListener("keydown", (event) => {
    const back = { maps: "overview", number: "maps" }[view.level];
    if (event.key !== "Escape" || !back) return;
    event.preventDefault();
    open({ level: back });
  });

  return {
    element: root,
    showTally: whole.showTally,
    /**
     * @param {Record<string, Trace>} traces
     * @param {Record<string, Set<string>>} without
     * @param {number} label the chosen class
     */
    show(traces, without, label) {
      now = { traces, without, label };
      const { size } = mapsOf();
      view.at.row = Math.min(view.at.row, size - 1);
      view.at.column = Math.min(view.at.column, size - 1);
      draw();
    },
  };
}
