/** Elements of the page, and moving among several of them with the arrow keys. */

/**
 * Make an element. Properties that begin with "on" are listeners; true sets an attribute, false,
 * null and undefined leave it out.
 * @param {string} tag
 * @param {Record<string, any>} properties
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * Let the arrow keys move the focus among buttons of which one is chosen, as in a group of radio
 * buttons: the group is one stop of the tab key.
 * @param {HTMLElement} group
 * @param {HTMLElement[]} items
 * @param {(place: number) => void} onChoose
 * @param {() => number} columns how many stand in a row, now
 */
export function chooseWithArrows(group, items, onChoose, columns = () => 1) {
  group.addEventListener("keydown", (event) => {
    const from = items.indexOf(/** @type {HTMLElement} */ (event.target));
    const step = arrowStep(event.key, columns());
    if (from < 0 || step === null) return;
    event.preventDefault();
    const to = Math.min(items.length - 1, Math.max(0, from + step));
    onChoose(to);
    items[to].focus();
  });
  items.forEach((item, place) => item.addEventListener("click", () => onChoose(place)));
}

function arrowStep(key, columns) {
  const steps = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
    Home: -Infinity, End: Infinity,
  };
  return steps[key] ?? null;
}

/** Mark one of several radio buttons as the chosen one. */
export function markChosen(items, chosen) {
  items.forEach((item, place) => {
    item.setAttribute("aria-checked", String(place === chosen));
    item.tabIndex = place === chosen ? 0 : -1;
  });
}

/** How many children of a grid stand in a row, as it is laid out now. */
export function columnsOf(grid) {
  return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}

/**
 * Change the page so that what has the same view-transition-name before and after moves smoothly.
 * @param {() => void} change
 */
export function smoothly(change) {
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (isCalm || !document.startViewTransition) return change();
  document.startViewTransition(change);
}
