/** All that the page says, by language. A place in braces is filled in. */

const ENGLISH = {
  // picking, drawing and loading
  pick: "Pick",
  draw: "Draw",
  load: "Load",
  inputs: "Where the image comes from",
  grid: "Test images, ten of each class",
  example: "{name}, number {number}",
  exampleAnswers: "{name}, number {number}; residual network: {residual}, plain network: {plain}",
  legend: "A bar under an image: answered wrongly, on the left by the residual network, on the right by the plain one.",
  drawing: "Your drawing: 28 by 28 pixels. Arrow keys move the brush, the space bar paints.",
  drawingHelp: "Change the image, or clear it and draw your own: a filled shape, light on black, as large as the frame.",
  brush: "Brush",
  white: "white",
  gray: "gray",
  black: "black",
  mirror: "draw both halves at once",
  clear: "Clear",
  brushAt: "row {row}, column {column}: {shade}",
  loadHelp: "A picture of one piece of clothing on a plain background works best. It is made gray, negated if its background is light, and scaled to 28×28 pixels, as the images of Fashion-MNIST were. It stays on your machine.",
  chooseFile: "Choose a picture, or drop one here",
  negate: "Negate",
  loaded: "This is what the networks see:",
  loadedTransparent: "The picture is transparent in places; they count as white paper. This is what the networks see:",
  fileTooLarge: "The file has {given} MB, but at most {most} MB are read here. Save it in a smaller size, then try again.",
  tooManyPixels: "The picture has {given} million pixels, but at most {most} million are read here. Make it smaller, then try again.",
  notAnImage: "“{name}” cannot be read as a picture. Choose a PNG, JPEG, WebP or GIF file.",
  empty: "The picture has one color all over, so there is nothing to see. Choose one in which the clothing stands out from the background.",
  emptyTransparent: "The picture is transparent or white all over, so there is nothing to see. Choose one in which the clothing is darker than white paper.",
  yourPicture: "your picture",
  yourDrawing: "your drawing",

  // answers
  residual: "residual",
  plain: "plain",
  network_residual: "Residual network",
  network_plain: "Plain network",
  answer: "{name}, {percent}",
  answers: "The ten classes: choose one to see what speaks for it",
  classRow: "{name}: residual network {residual}, plain network {plain}",
  trueClass: "true class",
  trueShort: "true",
  mapOf: "{network}: what speaks for “{name}”, over the image. {where}",
  mapEmpty: "Nothing speaks for it.",
  mapWhere: "Strongest in row {row} and column {column} of {size} by {size} places.",
  score: "score {score}\n= mean of map {mean} + bias {bias}",
  looking: "What speaks for “{name}”",
  lookingLegend: "Orange speaks for it, blue against.",
  wholeLegend: "A line in a bar: the probability with all branches.",
  ready: "{image}. Residual network: {residual}. Plain network: {plain}.",

  // overview
  overview: "The two networks",
  first: "first convolution",
  block: "stage {stage}, block {block}",
  openMaps: "{network}, {place}: look at the {count} feature maps, {size} by {size}",
  branchOf: "{network}, {place}: branch",
  withBranch: "branch in",
  withoutBranch: "branch out",
  noWayAround: "no way around",
  noWayAroundWhy: "This block changes the shape and has no shortcut, so nothing can take its place.",
  right: "{right} of {all} right",
  rightOf: "{right} of {all} right; {whole} with all branches",
  counting: "counting …",
  allBack: "Put all branches back",

  // feature maps and numbers
  trail: "Where you are",
  partInner: "after its first convolution",
  partOutput: "what it returns",
  parts: "Feature maps",
  mapsAre: "{count} maps of {size}×{size} numbers. The lighter, the larger.",
  mapsAreLast: "{count} maps of {size}×{size} numbers. Under each map, what it adds to the score for “{name}”: its mean times a weight. They add up to {sum}; with the bias, {bias}, the score is {score}.",
  innerOut: "The branch is out, so its first convolution is not computed.",
  map: "map {number}",
  mapButton: "map {number}, mean {mean}, largest {largest}",
  mapButtonGives: "map {number}, mean {mean}, adds {gives} to the score",
  mapCells: "Map {number}, {size} by {size} numbers. Arrow keys choose one.",
  numberAt: "row {row}, column {column}: {value}",
  made: "How {value} was made",
  fromMap: "map {number}",
  fromImage: "image",
  moreMaps: "{count} more maps",
  showAll: "Show all {count}",
  showFew: "Show the largest",
  bias: "bias",
  sum: "sum",
  sumBranch: "g(x)",
  shortcutX: "x, by the shortcut",
  shortcutConv: "c(x), the shortcut’s 1×1 convolution of {count} numbers",
  onlyX: "The branch is out, so g(x) is not added. What is left:",
  relu: "ReLU: negative becomes 0",
  windowLabel: "window on {from}, row by row: {window}; weights: {weights}; sum of the products: {sum}",
  padding: "padding",
  rounded: "All numbers are rounded. The weights include the batch normalization, which, once training is over, only multiplies and adds.",

  // the receptive field
  part_stem: "stem",
  part_stage1: "stage 1",
  part_stage2: "stage 2",
  part_stage3: "stage 3",
  part_stage4: "stage 4",
  fieldParts: "after the",
  fieldSizes: "image",
  fieldCells: "Numbers of a map after {part}, {count} by {count}. Arrow keys choose one.",
  fieldMap: "A map after {part}: {count}×{count} numbers. Move over them.",
  fieldTold: "Row {row}, column {column}: a receptive field of {size}×{size} pixels, of which {rows}×{columns} lie in the image. The rest is padding.",
  fieldToldInside: "Row {row}, column {column}: a receptive field of {size}×{size} pixels, all of them in the image.",

  // the page as a whole
  failed: "The network could not be loaded ({reason}). Load the page again; if that does not help, your copy of the pages is not complete.",
};

const LANGUAGES = { en: ENGLISH };

/**
 * A sentence in the language of the page.
 * @param {string} key
 * @param {Record<string, string | number>} values
 */
export function say(key, values = {}) {
  const language = globalThis.document?.documentElement.lang.split("-")[0];
  const sentence = LANGUAGES[language]?.[key] ?? ENGLISH[key];
  return sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** A number with two decimals and a true minus. @param {number} value */
export function decimal(value) {
  return value.toFixed(2).replace("-", "−").replace(/^−(0\.00)$/, "$1");
}

/** The same with a sign. @param {number} value */
export function signed(value) {
  const text = decimal(value);
  return text.startsWith("−") ? text : `+${text}`;
}

/** @param {number} share between 0 and 1 */
export function percent(share) {
  const shown = Math.round(100 * share);
  return shown === 0 && share > 0 ? "< 1%" : `${shown}%`;
}
