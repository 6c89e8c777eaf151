/** What the two networks answer: ten probabilities each, and where they look for a class. */

import { drawGrays, drawSigns, reach } from "./colors.js";
import { chooseWithArrows, element, markChosen } from "./dom.js";
import { argmax, classActivation, softmax } from "./network.js";
import { decimal, percent, say } from "./words.js";

const FAMILIES = ["residual", "plain"];

/**
 * @param {string[]} classes
 * @param {(label: number) => void} onChoose
 */
export function answers(classes, onChoose) {
  const views = FAMILIES.map((family) => activationView(family));
  const rows = classes.map((name) => classRow(name));
  const buttons = rows.map((row) => row.element);
  const heads = FAMILIES.map((family) => element("span", {}, say(family)));
  const group = element("div", { class: "classes", role: "radiogroup", "aria-label": say("answers") },
    ...buttons);
  chooseWithArrows(group, buttons, onChoose);
  const title = element("h2", {});
  const legend = element("span", { class: "hint" }, say("lookingLegend"));
  const marked = element("p", { class: "hint" }, say("wholeLegend"));
  const head = element("div", { class: "classes-head", "aria-hidden": "true" }, element("span"), ...heads);
  return {
    element: element(
      "div", { class: "answers" },
      element("div", { class: "answers-title" }, title, legend),
      element("div", { class: "activations" }, ...views.map((view) => view.element)),
      head, group, marked,
    ),
    /**
     * @param {Record<string, import("./network.js").Network>} networks
     * @param {Record<string, import("./network.js").Trace>} traces
     * @param {import("./choose.js").Chosen} image
     * @param {number} label the class whose maps are shown
     * @param {Record<string, Float32Array | null>} wholes the scores of each network with all its
     *   branches, where some are out
     */
    show(networks, traces, image, label, wholes) {
      title.textContent = say("looking", { name: classes[label] });
      FAMILIES.forEach((family, i) => {
        views[i].show(networks[family], traces[family], image, label, classes);
      });
      const shares = FAMILIES.map((family) => softmax(traces[family].scores));
      const before = FAMILIES.map((family) => wholes[family] && softmax(wholes[family]));
      rows.forEach((row, k) => {
        row.show(shares.map((share) => share[k]), before.map((share) => share?.[k]), image.label === k);
      });
      marked.hidden = before.every((share) => share === null);
      markChosen(buttons, label);
    },
  };
}

/** The image under its class activation map. */
function activationView(family) {
  const image = element("canvas", { "aria-hidden": "true" });
  const map = element("canvas", { class: "blended", "aria-hidden": "true" });
  const picture = element("div", { class: "stack", role: "img" }, image, map);
  const answer = element("strong", {});
  const sum = element("span", { class: "hint" });
  const name = element("span", { class: "family" }, say(`network_${family}`));
  const caption = element("figcaption", {}, name, answer, sum);
  return {
    element: element("figure", { class: family }, picture, caption),
    show(network, trace, { pixels }, label, classes) {
      drawGrays(image, network.size, pixels, 255);
      const maps = classes.map((_, k) => classActivation(network, trace, k));
      // One scale for all classes, so that their maps can be compared.
      drawSigns(map, maps[label], Math.max(...maps.map(({ values }) => reach(values))));
      const best = argmax(trace.scores);
      const share = percent(softmax(trace.scores)[best]);
      answer.textContent = say("answer", { name: classes[best], percent: share });
      const { values } = maps[label];
      const mean = values.reduce((total, value) => total + value, 0) / values.length;
      const bias = network.dense.bias[label];
      const score = decimal(trace.scores[label]);
      sum.textContent = say("score", { mean: decimal(mean), bias: decimal(bias), score });
      const told = { network: say(`network_${family}`), name: classes[label] };
      picture.setAttribute("aria-label", say("mapOf", { ...told, where: where(maps[label]) }));
    },
  };
}

/** Where a map is largest, in words. */
function where({ size, values }) {
  const place = argmax(values);
  if (values[place] <= 0) return say("mapEmpty");
  return say("mapWhere", { row: Math.floor(place / size) + 1, column: (place % size) + 1, size });
}

/** A class, with a bar for each network. */
function classRow(name) {
  const bars = FAMILIES.map((family) => element("span", { class: `bar ${family}` }));
  const isTrue = element("span", { class: "true-class" });
  const button = element(
    "button", { type: "button", role: "radio" },
    element("span", { class: "class-name" }, name, isTrue), ...bars,
  );
  return {
    element: button,
    show(shares, before, isLabel) {
      const texts = shares.map(percent);
      bars.forEach((bar, i) => {
        bar.style.setProperty("--share", shares[i].toFixed(4));
        bar.style.setProperty("--before", (before[i] ?? 0).toFixed(4));
        bar.classList.toggle("changed", before[i] > 0.01);
        bar.textContent = texts[i];
      });
      isTrue.textContent = isLabel ? ` ${say("trueShort")}` : "";
      const values = { name: isLabel ? `${name}, ${say("trueClass")}` : name };
      const label = say("classRow", { ...values, residual: texts[0], plain: texts[1] });
      button.setAttribute("aria-label", label);
    },
  };
}
