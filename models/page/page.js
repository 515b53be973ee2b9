import { drawAnswer, drawPicture, wipe } from "./draw.js";

/* A picture goes to the program behind this page and comes back as boxes and bars. Of a camera, the next frame is taken
   when the last one is answered: frames in between are never sent, so none waits. */

const LARGEST_FRAME = 640; // pixels of the longer side of a camera's frame
const REFUSALS = {
  NotAllowedError: "The browser may not use the camera. Allow it in the address bar, then start the camera again.",
  NotFoundError: "There is no camera. Connect one, then start it again.",
  NotReadableError: "The camera is in use. Close the program that uses it, then start it again.",
};

const byId = (id) => document.getElementById(id);
const [stage, picture, video] = ["stage", "picture", "video"].map(byId);
let turn = 0; // what belongs to an earlier turn is dropped
let photo = null;

function say(text, isError = false) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text; // it is read out when it changes
  status.classList.toggle("is-error", isError);
}

async function ask(path, body) {
  let reply, answer;
  try {
    reply = await fetch(path, { method: "POST", body });
    answer = await reply.json();
  } catch {
    throw new Error("The program behind this page does not answer. Start it again with python -m models.demo.");
  }
  if (!reply.ok) throw new Error(`The picture cannot be used: ${answer.error}.`);
  return answer;
}

/* What the page is doing: nothing, a photo, the camera */

function begin(mode) {
  turn += 1;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  if (mode !== "photo") photo = null;
  wipe();
  stage.classList.toggle("is-empty", mode === "empty");
  stage.classList.toggle("is-waiting", mode !== "empty");
  picture.hidden = true;
  byId("empty").hidden = mode !== "empty";
  byId("clear").hidden = mode !== "photo";
  byId("whole-choice").hidden = mode === "camera";
  byId("smoothing-choice").hidden = mode !== "camera";
  byId("camera").textContent = mode === "camera" ? "Stop the camera" : "Start the camera";
  byId("rate").textContent = "";
  say("");
  return turn;
}

function fail(mine, error) {
  if (mine !== turn) return;
  begin("empty");
  say(REFUSALS[error.name] ?? error.message, true);
}

function display(source, answer, noun, nouns) {
  drawPicture(source, answer.width, answer.height);
  drawAnswer(answer, noun);
  stage.classList.remove("is-waiting");
  picture.hidden = false;
  const count = answer.faces.length;
  const advice = photo ? " If the picture is one face and nothing else, tick the box below." : "";
  say(count === 0 ? `No face found.${advice}` : count === 1 ? `1 ${noun.toLowerCase()}.` : `${count} ${nouns}.`);
}

async function showPhoto(file) {
  const mine = begin("photo");
  photo = file;
  try {
    const limit = Number(document.body.dataset.megabytes);
    if (file.size > limit * 1e6) throw new Error(`The picture is larger than ${limit} MB. Scale it down.`);
    say("Looking for faces …");
    let source = await createImageBitmap(file).catch(() => null); // null: a form that this browser does not show
    const answer = await ask(`photo?whole=${byId("whole").checked}&draw=${!source}`, file);
    if (!source) {
      source = new Image();
      source.src = answer.picture;
      await source.decode();
    }
    if (mine !== turn) return;
    display(source, answer, "Face", "faces");
  } catch (error) {
    fail(mine, error);
  }
}

function takeFrame(canvas) {
  const scale = Math.min(1, LARGEST_FRAME / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const context = canvas.getContext("2d");
  context.setTransform(-1, 0, 0, 1, canvas.width, 0); // as in a mirror
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

async function openCamera(mine) {
  if (!navigator.mediaDevices) {
    throw new Error("A browser gives a camera only to pages of its own machine, or over https. Open this page on the machine that serves it.");
  }
  const wanted = { width: { ideal: LARGEST_FRAME }, height: { ideal: 480 }, facingMode: "user" };
  const camera = await navigator.mediaDevices.getUserMedia({ video: wanted });
  if (mine !== turn) return camera.getTracks().forEach((track) => track.stop());
  camera.getVideoTracks()[0].onended = () => fail(mine, new Error("The camera stopped. Connect it, then start it again."));
  video.srcObject = camera;
  await video.play();
}

async function runCamera() {
  const mine = begin("camera");
  say("Waiting for the camera …");
  const visitor = crypto.getRandomValues(new Uint32Array(4)).join("-"); // a new one each time, so nobody is known before
  const nextFrame = () =>
    new Promise((done) => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(done) : requestAnimationFrame(done)));
  const taken = document.createElement("canvas");
  const times = [];
  try {
    await openCamera(mine);
    while (mine === turn) {
      await nextFrame();
      if (mine !== turn) return;
      const frame = await takeFrame(taken);
      const answer = await ask(`frame?visitor=${visitor}&smoothing=${byId("smoothing").value}`, frame);
      if (mine !== turn) return;
      display(taken, answer, "Person", "people");
      times.push(performance.now());
      while (times.at(-1) - times[0] > 2000) times.shift();
      const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : 0;
      byId("rate").textContent = `${rate.toFixed(rate < 5 ? 1 : 0)} frames a second`;
    }
  } catch (error) {
    fail(mine, error);
  }
}

/* What visitors do */

function showFirst(items) {
  const files = [...items].map((item) => (item.kind === "file" ? item.getAsFile() : null)).filter(Boolean);
  if (files.length) showPhoto(files[0]);
  return files.length > 0;
}

byId("choose").onclick = byId("empty").onclick = () => byId("file").click();
byId("file").onchange = ({ target }) => {
  if (target.files.length) showPhoto(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
};
byId("example").onclick = async (event) => {
  event.stopPropagation(); // it lies on what is clicked to choose a photo
  showPhoto(await (await fetch("example.jpg")).blob());
};
byId("camera").onclick = () => (byId("smoothing-choice").hidden ? runCamera() : begin("empty"));
byId("clear").onclick = () => begin("empty");
byId("whole").onchange = () => photo && showPhoto(photo);
byId("smoothing").oninput = ({ target }) => {
  byId("seconds").textContent = Number(target.value) ? `${Number(target.value).toFixed(1)} seconds` : "off";
};
document.onpaste = ({ clipboardData }) => showFirst(clipboardData.items);
document.ondragover = (event) => {
  event.preventDefault();
  stage.classList.add("is-over");
};
document.ondragleave = ({ relatedTarget }) => relatedTarget || stage.classList.remove("is-over");
document.ondrop = (event) => {
  event.preventDefault();
  stage.classList.remove("is-over");
  if (!showFirst(event.dataTransfer.items)) say("That was no file. Save the picture first, then drop the file.", true);
};
begin("empty");
byId("smoothing").dispatchEvent(new Event("input"));
