// The search: Pagefind finds, this shows. The theme opens the dialog, and closes it at Escape.

// Each Chinese character is a word of the index, between hair spaces: see search_index.py.
const GAP = "\u200a";
const CHINESE = /(?<=[\u4e00-\u9fff])(?=\S)|(?<=\S)(?=[\u4e00-\u9fff])/g;
const SHOWN = 8; // pages; each with up to three of its sections
const dialog = document.getElementById("pst-search-dialog");
const form = dialog.querySelector("form.bd-search");
const input = form.querySelector("input");
const status = dialog.querySelector(".search-status");
const results = dialog.querySelector(".search-results");
const hint = status.textContent;
let engine; // a promise of Pagefind, from the first search on

async function pagefind() {
  engine ??= import(new URL(form.dataset.engine, document.baseURI));
  return engine;
}

function link(found) {
  const anchor = document.createElement("a");
  anchor.href = found.url;
  anchor.textContent = (found.title ?? found.meta.title).replaceAll(GAP, "");
  return anchor;
}

function excerpt(found) {
  const text = document.createElement("p");
  text.innerHTML = found.excerpt.replaceAll(GAP, ""); // escaped by Pagefind, which marks the words
  return text;
}

function entry(page) {
  const item = document.createElement("li");
  const isPart = (section) => section.url !== page.url && section.title !== page.meta.title;
  const sections = page.sub_results.filter(isPart).slice(0, 3);
  item.append(link(page));
  if (sections.length === 0) item.append(excerpt(page));
  const list = document.createElement("ul");
  for (const section of sections) {
    const part = document.createElement("li");
    part.append(link(section), excerpt(section));
    list.append(part);
  }
  if (sections.length > 0) item.append(list);
  return item;
}

function show(sentence, pages = []) {
  status.textContent = sentence;
  results.replaceChildren(...pages.map(entry));
}

// In quotes, the characters of one word are looked for as they follow one another.
function query(words) {
  const apart = words.replace(CHINESE, GAP);
  return apart === words || /\s/.test(words) ? apart : `"${apart}"`;
}

async function search() {
  const words = input.value.trim();
  if (!words) return show(hint);
  let found;
  try {
    found = await (await pagefind()).debouncedSearch(query(words));
  } catch {
    engine = undefined;
    return show(status.dataset.noServer);
  }
  if (!found) return; // another key was pressed meanwhile
  const pages = await Promise.all(found.results.slice(0, SHOWN).map((page) => page.data()));
  if (input.value.trim() !== words) return;
  const { none, one, several } = status.dataset;
  const sentence = found.results.length === 0 ? none : found.results.length === 1 ? one : several;
  show(sentence.replace("{count}", found.results.length).replace("{words}", words), pages);
}

function move(step) {
  const places = [input, ...results.querySelectorAll("a")];
  const next = places[places.indexOf(document.activeElement) + step];
  next?.focus();
}

input.addEventListener("input", search);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  results.querySelector("a")?.click();
});
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    move(step);
  }
});
// A result on the same page leaves the page where it is: the dialog must not cover it.
results.addEventListener("click", () => dialog.close());
