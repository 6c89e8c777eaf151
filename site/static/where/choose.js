/** Choose an image: pick one of the test images, draw, or load a picture. */

import { drawGrays } from "./colors.js";
import { chooseWithArrows, columnsOf, element, markChosen } from "./dom.js";
import { drawingPad } from "./draw.js";
import { negated, PictureError, read } from "./picture.js";
import { say } from "./words.js";

/**
 * An image for the networks. Its label is null where nobody knows it.
 * @typedef {{pixels: Uint8Array, label: number | null, name: string, place?: number}} Chosen
 */

/**
 * @param {Chosen[]} examples
 * @param {(chosen: Chosen) => void} onChoose
 */
export function chooser(examples, onChoose) {
  const picking = gallery(examples, onChoose);
  const drawing = drawingPad((pixels) => {
    onChoose({ pixels, label: null, name: say("yourDrawing") });
  });
  const loading = loader((pixels) => onChoose({ pixels, label: null, name: say("yourPicture") }));
  const panels = { pick: picking.element, draw: drawing.element, load: loading };
  return {
    element: tabs(panels, (name) => name === "draw" && drawing.begin()),
    /** @param {Chosen} chosen */
    show(chosen) {
      picking.mark(chosen.place ?? -1);
      drawing.follow(chosen.pixels);
    },
    showAnswers: picking.showAnswers,
  };
}

/** Panels of which one is shown. */
function tabs(panels, onOpen) {
  const names = Object.keys(panels);
  const buttons = names.map((name) => {
    const id = `where-tab-${name}`;
    panels[name].id = `where-panel-${name}`;
    panels[name].setAttribute("role", "tabpanel");
    panels[name].setAttribute("aria-labelledby", id);
    const properties = { id, role: "tab", type: "button", "aria-controls": panels[name].id };
    return element("button", properties, say(name));
  });
  const open = (place) => {
    names.forEach((name, i) => {
      panels[name].hidden = i !== place;
      buttons[i].setAttribute("aria-selected", String(i === place));
      buttons[i].tabIndex = i === place ? 0 : -1;
    });
    onOpen(names[place]);
  };
  const list = element("div", { class: "tabs", role: "tablist", "aria-label": say("inputs") }, ...buttons);
  chooseWithArrows(list, buttons, open);
  open(0);
  return element("div", { class: "chooser" }, list, ...Object.values(panels));
}

/** The test images, as a grid of radio buttons. */
function gallery(examples, onChoose) {
  const buttons = examples.map(({ pixels, name, place }) => {
    const canvas = element("canvas", { "aria-hidden": "true" });
    drawGrays(canvas, Math.sqrt(pixels.length), pixels, 255);
    const label = say("example", { name, number: place + 1 });
    return element("button", { type: "button", role: "radio", "aria-label": label, title: name }, canvas);
  });
  const grid = element(
    "div", { class: "gallery", role: "radiogroup", "aria-label": say("grid") }, ...buttons,
  );
  chooseWithArrows(grid, buttons, (place) => onChoose(examples[place]), () => columnsOf(grid));
  return {
    element: element("div", {}, grid, element("p", { class: "hint" }, say("legend"))),
    mark(place) {
      markChosen(buttons, place);
      if (place < 0) buttons[0].tabIndex = 0;
    },
    /** Mark what a network answers wrongly; `answers` are names, of the first images at least. */
    showAnswers(family, answers) {
      buttons.slice(0, answers.length).forEach((button, place) => {
        const isWrong = answers[place] !== examples[place].name;
        button.classList.toggle(`wrong-${family}`, isWrong);
        button.dataset[family] = answers[place];
        const { residual = "…", plain = "…" } = button.dataset;
        const { name } = examples[place];
        const values = { name, number: place + 1, residual, plain };
        button.setAttribute("aria-label", say("exampleAnswers", values));
      });
    },
  };
}

/** A picture from a file. */
function loader(onPixels) {
  const input = element("input", { type: "file", accept: "image/*", id: "where-file" });
  const label = element("label", { for: "where-file" }, say("chooseFile"));
  const problem = element("p", { class: "problem", role: "alert" });
  const note = element("p", { role: "status" });
  const preview = element("canvas", { "aria-hidden": "true" });
  let pixels = null;
  const show = () => {
    drawGrays(preview, Math.sqrt(pixels.length), pixels, 255);
    onPixels(pixels);
  };
  const negate = () => {
    pixels = negated(pixels);
    show();
  };
  const button = element("button", { type: "button", class: "quiet", onclick: negate }, say("negate"));
  const result = element("div", { class: "loaded", hidden: true }, note, preview, button);
  const load = async (file) => {
    if (!file) return;
    problem.textContent = "";
    try {
      const picture = await read(file);
      pixels = picture.pixels;
      note.textContent = say(picture.isTransparent ? "loadedTransparent" : "loaded");
      result.hidden = false;
      show();
    } catch (error) {
      if (!(error instanceof PictureError)) throw error;
      problem.textContent = error.message;
    }
  };
  input.addEventListener("change", () => load(input.files[0]));
  const target = element("div", { class: "drop" }, label, input);
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    load(event.dataTransfer.files[0]);
  });
  const help = element("p", { class: "hint" }, say("loadHelp"));
  return element("div", {}, target, problem, result, help);
}
