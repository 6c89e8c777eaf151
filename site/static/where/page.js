/** "Where does it look?": two networks of the course run in the reader's browser. */

import { answers } from "./answers.js";
import { chooser } from "./choose.js";
import { element } from "./dom.js";
import { explorer } from "./explore.js";
import { argmax, assemble, decodeHalf, run } from "./network.js";
import { say } from "./words.js";

const FAMILIES = ["residual", "plain"];

/** The file of this name beside this one. */
async function fetched(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

async function loadNetwork(family) {
  const [description, numbers] = await Promise.all([
    fetched(`${family}.json`).then((answer) => answer.json()),
    fetched(`${family}.bin`).then((answer) => answer.arrayBuffer()),
  ]);
  return assemble(description, decodeHalf(numbers));
}

async function loadImages() {
  const [{ classes, labels, answers: known }, pixels] = await Promise.all([
    fetched("images.json").then((answer) => answer.json()),
    fetched("images.bin").then((answer) => answer.arrayBuffer()),
  ]);
  const area = pixels.byteLength / labels.length;
  const examples = labels.map((label, place) => ({
    pixels: new Uint8Array(pixels, place * area, area), label, name: classes[label], place,
  }));
  return { classes, examples, known };
}

function stylesheet() {
  const href = new URL("where.css", import.meta.url).href;
  return new Promise((resolve, reject) => {
    document.head.append(element("link", { rel: "stylesheet", href, onload: resolve, onerror: reject }));
  });
}

/** Call a function with the newest argument, once for each picture that the screen shows. */
function soon(does) {
  let newest = null;
  return (argument) => {
    if (newest === null) {
      requestAnimationFrame(() => {
        const [given] = newest;
        newest = null;
        does(given);
      });
    }
    newest = [argument];
  };
}

/** Let the browser draw and listen before the next piece of a long calculation. */
const breath = () => new Promise((resolve) => setTimeout(resolve));

async function start(root) {
  const [residual, plain, { classes, examples, known }] = await Promise.all([
    loadNetwork("residual"), loadNetwork("plain"), loadImages(), stylesheet(),
  ]);
  const networks = { residual, plain };
  const state = {
    /** @type {import("./choose.js").Chosen} */
    image: examples[0],
    label: 0,
    without: { residual: new Set(), plain: new Set() },
    traces: {},
    wholes: {},
  };
  const counts = {}; // the number of the count that is the newest for each network

  const told = element("p", { class: "hidden-but-read", role: "status" });
  const choose = chooser(examples, soon(chooseImage));
  const answer = answers(classes, (label) => {
    state.label = label;
    show();
  });
  const explore = explorer(networks, classes, { toggle, restore });
  root.replaceChildren(
    element("div", { class: "top" }, choose.element, answer.element), explore.element, told,
  );

  function compute() {
    for (const family of FAMILIES) {
      const [network, without] = [networks[family], state.without[family]];
      state.traces[family] = run(network, state.image.pixels, without);
      state.wholes[family] = without.size ? run(network, state.image.pixels).scores : null;
    }
  }

  function show() {
    answer.show(networks, state.traces, state.image, state.label, state.wholes);
    explore.show(state.traces, state.without, state.label);
  }

  function chooseImage(image) {
    state.image = image;
    compute();
    state.label = argmax(state.traces.residual.scores);
    choose.show(image);
    show();
    const [one, other] = FAMILIES.map((family) => classes[argmax(state.traces[family].scores)]);
    told.textContent = say("ready", { image: image.name, residual: one, plain: other });
  }

  function toggle({ family, block }) {
    const { name } = networks[family].blocks[block];
    const names = state.without[family];
    if (!names.delete(name)) names.add(name);
    compute();
    show();
    count(family);
  }

  function restore() {
    for (const family of FAMILIES) {
      if (state.without[family].size === 0) continue;
      state.without[family].clear();
      count(family);
    }
    compute();
    show();
  }

  /** Ask a network about all images, and say how many it answers rightly. */
  async function count(family) {
    const mine = (counts[family] = (counts[family] ?? 0) + 1);
    const without = new Set(state.without[family]);
    if (without.size === 0) return showCount(family, known[family]);
    explore.showTally(family, say("counting"));
    const given = [];
    for (const { pixels } of examples) {
      given.push(argmax(run(networks[family], pixels, without).scores));
      await breath();
      if (mine !== counts[family]) return; // the reader has changed the network since
      if (given.length % 10 === 0) choose.showAnswers(family, given.map((label) => classes[label]));
    }
    showCount(family, given);
  }

  /** `given` holds the number of a class for each image; `known` is what all branches answer. */
  function showCount(family, given) {
    const rights = (labels) => labels.filter((label, place) => label === examples[place].label).length;
    const values = { right: rights(given), all: examples.length, whole: rights(known[family]) };
    choose.showAnswers(family, given.map((label) => classes[label]));
    explore.showTally(family, say(given === known[family] ? "right" : "rightOf", values));
  }

  chooseImage(examples[0]);
  FAMILIES.forEach(count);
  root.dataset.ready = "true";
}

const root = document.getElementById("where");
start(root).catch((error) => {
  root.replaceChildren(element("p", { class: "problem", role: "alert" }, say("failed", { reason: error.message })));
  throw error;
});
