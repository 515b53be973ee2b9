"use strict";
const numbers = JSON.parse(document.getElementById("numbers").textContent);
const board = document.getElementById("board");
const compared = document.getElementById("compared");

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function row(cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

// A table with its headings and caption; rows are put into the body that is returned.
function table(place, caption, headings, kind = "") {
  const made = element("table", "", { class: kind, "aria-label": caption });
  made.append(document.createElement("thead"), document.createElement("tbody"));
  made.tHead.append(row(headings.map((heading) => element("th", heading, { scope: "col" }))));
  const scroll = element("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  scroll.append(made);
  place.append(scroll, element("p", caption, { class: "caption" }));
  return made.tBodies[0];
}

function sortBy(heading) {
  const headings = [...board.tHead.rows[0].cells];
  const column = headings.indexOf(heading);
  const before = heading.getAttribute("aria-sort");
  const first = heading.dataset.better === "high" ? "descending" : "ascending";
  const order = before === first ? (first === "ascending" ? "descending" : "ascending") : first;
  headings.forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const key = (line) => line.cells[column].dataset.value;
  const compare = (one, other) => {
    const [a, b] = [key(one), key(other)];
    const [x, y] = [Number(a), Number(b)];
    if (a === "nan" || b === "nan") return (a === "nan") - (b === "nan");
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y);
  };
  board.tBodies[0].append(...[...board.tBodies[0].rows].sort(compare));
}

function ticked() {
  return [...board.querySelectorAll("input:checked")].map((box) => box.value);
}

function chosen() {
  return document.querySelector("input[name=emotion]:checked").value;
}

function showEmotion() {
  for (const cell of board.querySelectorAll("[data-emotion]")) cell.hidden = cell.dataset.emotion !== chosen();
}

function recallCell([estimate, low, high]) {
  const cell = element("td", estimate === null ? "" : estimate.toFixed(3), { class: "number bar" });
  if (low !== null) cell.append(element("small", `${low.toFixed(3)}–${high.toFixed(3)}`));
  cell.style.backgroundImage = "linear-gradient(var(--bar), var(--bar))";
  cell.style.backgroundSize = `${100 * estimate}% 100%`;
  return cell;
}

function shares(counts) {
  return counts.map((line) => {
    const all = Math.max(1, line.reduce((sum, count) => sum + count, 0));
    return line.map((count) => (100 * count) / all);
  });
}

function showDifference(first, second) {
  const p = numbers.mcnemar[first][second];
  const test = p === null ? "none, since they share no seed" : p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
  const caption =
    `Confusion matrix of ${first} minus that of ${second}, in points of the true emotion. ` +
    `Their accuracies by ${compared.dataset.test}, uncorrected: ${test}.`;
  const body = table(compared, caption, ["true \\ predicted", ...numbers.emotions], "pair");
  const [one, other] = [shares(numbers.confusion[first]), shares(numbers.confusion[second])];
  numbers.emotions.forEach((emotion, truth) => {
    const cells = numbers.emotions.map((_, predicted) => {
      if (numbers.recall[first][truth][0] === null) return element("td");  // no face has the emotion
      const points = one[truth][predicted] - other[truth][predicted];
      const rounded = Math.round(points);
      const cell = element("td", rounded > 0 ? `+${rounded}` : String(rounded === 0 ? 0 : rounded).replace("-", "−"));
      const strength = Math.min(0.75, Math.abs(points) / 25);
      cell.style.backgroundColor = `rgba(var(--${points > 0 ? "more" : "less"}), ${strength})`;
      return cell;
    });
    const line = row([element("th", emotion, { scope: "row" }), ...cells]);
    if (emotion === chosen()) line.className = "chosen";
    body.append(line);
  });
}

function showComparison() {
  const names = ticked();
  compared.replaceChildren();
  if (!names.length) {
    compared.append(element("p", "Nothing is ticked."));
    return;
  }
  const body = table(compared, "Recall of every emotion, with 95% intervals", ["emotion", ...names]);
  numbers.emotions.forEach((emotion, place) => {
    const cells = names.map((name) => recallCell(numbers.recall[name][place]));
    const line = row([element("th", emotion, { scope: "row" }), ...cells]);
    if (emotion === chosen()) line.className = "chosen";
    body.append(line);
  });
  if (names.length === 2) showDifference(...names);
}

for (const button of board.tHead.querySelectorAll("button")) {
  button.addEventListener("click", () => { sortBy(button.closest("th")); showComparison(); });
}
board.addEventListener("change", showComparison);
document.getElementById("emotions").addEventListener("change", () => { showEmotion(); showComparison(); });
showEmotion();
showComparison();
