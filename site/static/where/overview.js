/** The two networks side by side: their blocks, a switch for each branch, a map of each output. */

import { oneMap, strongest } from "./arithmetic.js";
import { drawGrays, reach } from "./colors.js";
import { element } from "./dom.js";
import { hasWayAround } from "./network.js";
import { say } from "./words.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Trace} Trace */

/**
 * A place in a network: the number of a block, or -1 for the first convolution.
 * @typedef {{family: string, block: number}} Place
 */

/** What a place of a network returns. @param {Trace} trace @param {number} block */
export function outputOf(trace, block) {
  return block < 0 ? trace.first : trace.blocks[block].output;
}

/** The name of a place, for the reader. @param {Network} network @param {number} block */
export function nameOf(network, block) {
  if (block < 0) return say("first");
  const [stage, number] = network.blocks[block].name.match(/\d+/g);
  return say("block", { stage, block: number });
}

/**
 * @param {Record<string, Network>} networks
 * @param {{open: (place: Place) => void, toggle: (place: Place) => void, restore: () => void}} does
 */
export function overview(networks, does) {
  const lanes = Object.values(networks).map((network, i) => lane(network, i, does));
  const restore = element(
    "button", { type: "button", class: "quiet", onclick: does.restore }, say("allBack"),
  );
  return {
    element: element(
      "div", { class: "overview" },
      element("div", { class: "lanes" }, ...lanes.flatMap((one) => one.elements)),
      restore,
    ),
    /**
     * @param {Record<string, Trace>} traces
     * @param {Record<string, Set<string>>} without
     * @param {Place} moved the place whose map moves to or from the other levels
     */
    show(traces, without, moved) {
      for (const { family, show } of lanes) {
        show(traces[family], without[family], family === moved.family ? moved.block : null);
      }
      restore.hidden = Object.values(without).every((names) => names.size === 0);
    },
    /** @param {string} family @param {string} text how many images are answered rightly */
    showTally(family, text) {
      lanes.find((one) => one.family === family).tally.textContent = text;
    },
  };
}

/** A network's steps. They are placed in the grid of both networks. */
function lane(network, number, does) {
  const { family } = network;
  const tally = element("span", { class: "tally", role: "status" });
  const head = element(
    "div", { class: "lane-head" }, element("strong", {}, say(`network_${family}`)), tally,
  );
  const steps = [-1, ...network.blocks.keys()].map((block) => stepOf(network, block, does));
  const elements = [head, ...steps.map((one) => one.element)];
  elements.forEach((each, step) => {
    each.classList.add(`lane-${family}`);
    each.style.setProperty("--lane", String(number + 1));
    each.style.setProperty("--step", String(step + 1));
  });
  return {
    family, tally, elements,
    show: (trace, without, moved) => steps.forEach((one) => one.show(trace, without, moved)),
  };
}

/** A block: its drawing, its strongest map, its switch. */
function stepOf(network, block, does) {
  const place = { family: network.family, block };
  const canvas = element("canvas", { "aria-hidden": "true" });
  const name = nameOf(network, block);
  const title = element("span", { class: "step-name" }, name);
  const open = element(
    "button", { type: "button", class: "step-map", onclick: () => does.open(place) }, canvas, title,
  );
  const found = network.blocks[block];
  const control = found ? branchSwitch(network, block, () => does.toggle(place)) : null;
  const below = control?.element ?? element("span", { class: "no-way" });
  const made = element("div", { class: "step" }, found ? diagram(found) : start(), open, below);
  return {
    element: made,
    show(trace, without, moved) {
      canvas.classList.toggle("moved", block === moved);
      const maps = outputOf(trace, block);
      const map = oneMap(maps, strongest(maps));
      drawGrays(canvas, map.size, map.values, reach(map.values));
      const values = { network: say(`network_${network.family}`), place: name };
      const label = say("openMaps", { ...values, count: maps.channels, size: maps.size });
      open.setAttribute("aria-label", label);
      if (!found) return;
      const isOut = without.has(found.name);
      made.classList.toggle("out", isOut);
      control.show(isOut);
    },
  };
}

/**
 * A switch that takes a block's branch out.
 * @param {Network} network
 * @param {number} block
 * @param {() => void} toggle
 */
export function branchSwitch(network, block, toggle) {
  const isPossible = hasWayAround(network.blocks[block]);
  if (!isPossible) {
    const why = element("span", { class: "no-way", title: say("noWayAroundWhy") }, say("noWayAround"));
    return { element: why, show() {} };
  }
  const values = { network: say(`network_${network.family}`), place: nameOf(network, block) };
  const input = element("input", {
    type: "checkbox", role: "switch", "aria-label": say("branchOf", values), onchange: toggle,
  });
  const text = element("span", { "aria-hidden": "true" });
  return {
    element: element("label", { class: "switch" }, input, text),
    show(isOut) {
      input.checked = !isOut;
      text.textContent = say(isOut ? "withoutBranch" : "withBranch");
    },
  };
}

/** A drawing of the first convolution. */
function start() {
  return drawn('<path class="line" d="M30 30H96"/>' + layer(18));
}

/** A drawing of a block: the branch below, its shortcut above, the sum where they meet. */
function diagram({ shortcut }) {
  const isPlain = shortcut === "none";
  const arc = isPlain ? "" : '<path class="shortcut" d="M8 30V8H76V23"/>';
  const one = typeof shortcut === "string" ? "" :
    '<rect class="layer" x="28" y="1" width="28" height="14" rx="3"/><text x="42" y="11">1×1</text>';
  const plus = isPlain ? "" : '<circle cx="76" cy="30" r="6"/><path d="M73 30h6M76 27v6"/>';
  const line = `<path class="line" d="M0 30H8M${isPlain ? 70 : 82} 30H96"/>`;
  const branch = `<g class="branch"><path d="M8 30H70"/>${layer(18)}${layer(44)}</g>`;
  const around = isPlain ? '<path class="around" d="M8 30V46H76V30"/>' : "";
  return drawn(line + arc + branch + around + one + plus);
}

/** A convolution in a drawing. */
function layer(left) {
  const box = `<rect class="layer" x="${left}" y="18" width="22" height="24" rx="3"/>`;
  return `${box}<text x="${left + 11}" y="33">3×3</text>`;
}

function drawn(shapes) {
  const made = element("div", { class: "diagram", "aria-hidden": "true" });
  made.innerHTML = `<svg viewBox="0 0 96 48">${shapes}</svg>`;
  return made;
}
