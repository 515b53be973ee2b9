/* Pictures, boxes and bars. */

const LARGEST = 1280; // pixels of the longer side of a picture on the page
const SMALLEST = 480;
const [picture, boxes, faces] = ["picture", "boxes", "faces"].map((id) => document.getElementById(id));
const cards = new Map(); // by number, so that bars move and selected text stays

export function wipe() {
  boxes.replaceChildren();
  drawCards([]);
}

export function drawAnswer(answer, noun) {
  drawBoxes(answer);
  drawCards(answer.faces, noun);
}

export function drawPicture(source, width, height) {
  const shown = Math.max(SMALLEST, Math.min(LARGEST, Math.max(width, height))) / Math.max(width, height);
  picture.width = Math.round(width * shown);
  picture.height = Math.round(height * shown);
  picture.getContext("2d").drawImage(source, 0, 0, picture.width, picture.height);
}

function drawBoxes({ width, height, faces: found }) {
  boxes.replaceChildren();
  for (const face of found.filter((each) => each.box)) {
    const [left, top, wide, high] = face.box;
    const box = make("div", "box", boxes);
    box.classList.toggle("is-high", top < 0.1 * height);
    box.classList.toggle("is-right", left + wide / 2 > 0.6 * width);
    const place = { left: left / width, top: top / height, width: wide / width, height: high / height };
    for (const [name, part] of Object.entries(place)) box.style[name] = `${100 * part}%`;
    paint(box, face.colour);
    make("span", "", box).textContent = `${face.number} ${face.emotion} ${face.probability.toFixed(2)}`;
  }
}

function paint(element, colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  element.style.setProperty("--colour", colour);
  element.style.setProperty("--on-colour", 0.299 * red + 0.587 * green + 0.114 * blue > 125 ? "#000" : "#fff");
}

function drawCards(found, noun) {
  for (const [number, card] of cards) {
    if (!found.some((face) => face.number === number)) card.element.remove(), cards.delete(number);
  }
  for (const face of found) {
    if (!cards.has(face.number)) cards.set(face.number, makeCard(face));
    const card = cards.get(face.number);
    card.title.textContent = `${noun} ${face.number}${face.doubt && `: ${face.doubt}`}`;
    for (const [model, values] of Object.entries(face.models)) {
      const { answer, rows } = card.models[model];
      const largest = Math.max(...Object.values(values));
      for (const [emotion, value] of Object.entries(values)) {
        const row = rows[emotion];
        if (value === largest) answer.textContent = `${emotion} ${value.toFixed(2)}`;
        row.element.classList.toggle("is-first", value === largest);
        row.bar.style.width = `${100 * value}%`;
        row.value.textContent = value.toFixed(2);
      }
    }
  }
  faces.append(...[...cards].sort(([one], [other]) => one - other).map(([, card]) => card.element));
}

function makeCard(face) {
  const element = make("article", "face", faces);
  const card = { element, title: make("h2", "", element), models: {} };
  paint(element, face.colour);
  const models = make("div", "models", element);
  for (const [model, values] of Object.entries(face.models)) {
    const column = make("div", "", models);
    const title = make("h3", "", column);
    make("span", "", title).textContent = model;
    card.models[model] = { answer: make("b", "", title), rows: {} };
    for (const emotion of Object.keys(values)) {
      const row = make("div", "row", column);
      make("span", "", row).textContent = emotion;
      const bar = make("b", "", make("i", "", row));
      card.models[model].rows[emotion] = { element: row, bar, value: make("span", "", row) };
    }
  }
  return card;
}

function make(tag, name, parent) {
  const element = parent.appendChild(document.createElement(tag));
  element.className = name;
  return element;
}
