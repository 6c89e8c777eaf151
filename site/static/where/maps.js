/** All feature maps of one place of a network. */

import { oneMap } from "./arithmetic.js";
import { bright, drawGrays } from "./colors.js";
import { element } from "./dom.js";
import { decimal, say, signed } from "./words.js";

/** @typedef {import("./network.js").Maps} Maps */

/**
 * What the last maps add to the score of a class.
 * @typedef {{weights: Float32Array, bias: number, score: number, name: string}} Reading
 */

/** @param {(channel: number) => void} onOpen */
export function mapsView(onOpen) {
  const sentence = element("p", {});
  const grid = element("div", { class: "tiles" });
  return {
    element: element("div", {}, sentence, grid),
    /**
     * @param {Maps} maps
     * @param {Reading | null} reading
     * @param {number} moved the map that moves to or from the other levels
     */
    show(maps, reading, moved) {
      const gives = reading && contributions(maps, reading.weights);
      sentence.textContent = sentenceFor(maps, reading, gives);
      const white = bright(maps.values);
      const focused = [...grid.children].indexOf(document.activeElement);
      grid.replaceChildren(
        ...Array.from({ length: maps.channels }, (_, channel) => {
          const tile = tileOf(maps, channel, white, gives?.[channel], () => onOpen(channel));
          if (channel === moved) tile.firstChild.classList.add("moved");
          return tile;
        }),
      );
      if (focused >= 0) grid.children[focused]?.focus();
    },
  };
}

/** The mean of each map, times its weight. */
function contributions(maps, weights) {
  return Array.from(weights, (weight, channel) => weight * mean(maps, channel));
}

function mean(maps, channel) {
  const { values } = oneMap(maps, channel);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sentenceFor({ channels, size }, reading, gives) {
  const values = { count: channels, size };
  if (!reading) return say("mapsAre", values);
  const sum = gives.reduce((total, value) => total + value, 0);
  return say("mapsAreLast", {
    ...values,
    name: reading.name,
    sum: decimal(sum),
    bias: signed(reading.bias),
    score: decimal(reading.score),
  });
}

function tileOf(maps, channel, white, gives, onclick) {
  const { size, values } = oneMap(maps, channel);
  const canvas = element("canvas", { "aria-hidden": "true" });
  drawGrays(canvas, size, values, white);
  const told = { number: channel + 1, mean: decimal(mean(maps, channel)) };
  const isRead = gives !== undefined;
  const label = isRead
    ? say("mapButtonGives", { ...told, gives: signed(gives) })
    : say("mapButton", { ...told, largest: decimal(Math.max(...values)) });
  const note = isRead
    ? element("span", { class: gives < 0 ? "against" : "for" }, signed(gives))
    : element("span", {}, String(channel + 1));
  const properties = { type: "button", class: "tile", "aria-label": label, title: label, onclick };
  return element("button", properties, canvas, note);
}
