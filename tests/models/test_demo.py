"""The page in a real browser, whose camera shows drawn faces: what it says, and that it stores and sends nothing."""

import errno
import io
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models.artifacts.save_load import save
from models.demo import main
from models.registry import recognizers

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
ROOT = Path(__file__).parents[2]
# From the moment that the page is served on, each file that is opened for writing is told. Time for who is who passes
# at a twentieth, so that a slow machine loses nobody.
SERVE = """
import os, sys, time, types, models.demo, models.inference.stream, models.page.server

models.inference.stream.time = types.SimpleNamespace(monotonic=lambda: time.monotonic() / 20)

def tell(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0] != os.devnull:
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            print("wrote", *arguments, file=sys.stderr, flush=True)

serve = models.page.server.PageServer.serve_forever
models.page.server.PageServer.serve_forever = lambda server: (sys.addaudithook(tell), serve(server))
sys.exit(models.demo.main())
"""
# Before the page's own script: each answer takes a fifth of a second longer, and requests are counted.
SLOW = """
const real = window.fetch;
window.counts = { sent: 0, open: 0, most: 0 };
window.fetch = async (...request) => {
  counts.sent += 1;
  counts.most = Math.max(counts.most, ++counts.open);
  await new Promise((done) => setTimeout(done, 200));
  try { return await real(...request); } finally { counts.open -= 1; }
};
"""
REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'))"
MINUTE = 60_000


@pytest.fixture(scope="module")
def photo():
    picture = Image.new("RGB", (300, 200), "teal")
    face = Image.fromarray(draw_face("Happy", np.random.default_rng(0), clean=True))
    picture.paste(face.resize((160, 160), Image.Resampling.BICUBIC), (70, 20))
    return png(picture)


def png(image, form="PNG"):
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def test_a_missing_model_is_an_error(tmp_path, capsys):
    assert main(["--model", str(tmp_path / "none.h5")]) == 2
    assert "none.h5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "Address already in use: give another --host or --port"),
        (PermissionError(errno.EACCES, "Permission denied", "x\ny.h5"), r"x\ny.h5: Permission denied: change its perm"),
        (ModuleNotFoundError("no", name="keras"), "needs keras: pip install 'fer-benchmark[train]'"),
    ],
)
def test_what_the_system_refuses_is_said_with_its_advice(monkeypatch, capsys, error, words):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("models.demo.Stream", fail)
    assert main([]) == 2
    assert words in capsys.readouterr().err


def test_a_place_that_cannot_be_served_on_is_said_at_once(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments in (["--port", str(taken.getsockname()[1])], ["--host", "192.0.2.1"], ["--host", "no host"]):
            assert main(arguments) == 2
            assert "give another --host or --port" in capsys.readouterr().err


@pytest.fixture(scope="module")
def address(faces, tmp_path_factory):
    """The page with a small model, from a process of its own, which must reach no other machine and write no file."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "tmp").mkdir()
    split = faces["Training"].sample(50)
    model = recognizers()["majority"].make().fit(split.X, split.y, validation=(split.X, split.y))
    save(model, folder, "majority", {"recognizer": "majority"})
    own = {"PYTHONPATH": f"{ROOT / 'tests' / 'offline'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "--model", str(folder / "majority.joblib")],
            env={**os.environ, **own, "TMPDIR": str(folder / "tmp")},
            cwd=folder / "tmp",
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    found, end = None, time.monotonic() + 120
    while not found and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
        found = re.search(r"http://127\.0\.0\.1:\d+", (folder / "log").read_text())
    if not found:
        pytest.fail((folder / "log").read_text())
    yield found.group()
    process.terminate()
    process.wait()
    log = (folder / "log").read_text()
    assert "asked for" not in log, "the process asked for a foreign host"
    assert "wrote" not in log and not list((folder / "tmp").iterdir()), "the process wrote a file"


@pytest.fixture
def open_page(browser, address):
    """Open the page; fail at the end if anything was asked of elsewhere or went wrong."""
    asked, problems, contexts = [], [], []

    def opened(size="wide", script=""):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, permissions=["camera"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        page.add_init_script(script)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        page.locator("#choose").wait_for()
        return page

    yield opened
    assert {url for url in asked if not url.startswith((address, "data:"))} == set()
    assert problems == []
    for context in contexts:
        context.close()


def said(page, words):
    """Wait until the page says so."""
    page.locator("#status").get_by_text(words).wait_for()


def upload(page, content, name="face.png"):
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": content})


def labels(page):
    """Return the numbers on the boxes."""
    return sorted(text.split()[0] for text in page.locator(".box span").all_inner_texts())


def fits(page, size):
    return page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_photo_is_answered_beside_it(open_page, photo, size):
    page = open_page(size)
    assert fits(page, size)
    upload(page, photo)
    said(page, "1 face.")
    assert page.locator(".box").inner_text().startswith("1 Happy 0.")
    assert page.locator(".face .row").count() == 7
    assert page.locator(".face .is-first").inner_text().startswith("Happy")
    assert page.evaluate("[...picture.getContext('2d').getImageData(2, 2, 1, 1).data]") == [0, 128, 128, 255]
    assert fits(page, size)
    box, shown = (page.locator(name).bounding_box() for name in (".box", "#picture"))
    assert box["width"] / shown["width"] == pytest.approx(140 / 300, abs=0.15)
    page.get_by_label("The picture is one face").check()
    page.locator(".box").wait_for(state="detached")
    said(page, "1 face.")
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Drop a photo here").wait_for()
    assert page.locator(".face").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_photo_may_be_pasted_or_dropped_and_there_is_an_example(open_page, photo, event):
    page = open_page()
    page.get_by_role("button", name="Try the example").click()
    said(page, "1 face.")
    page.evaluate(
        """([event, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "face.png", { type: "image/png" }));
            const Event = event === "paste" ? ClipboardEvent : DragEvent;
            const name = event === "paste" ? "clipboardData" : "dataTransfer";
            document.body.dispatchEvent(new Event(event, { [name]: data, bubbles: true }));
        }""",
        [event, list(photo)],
    )
    page.wait_for_function(
        "() => document.getElementById('picture').height * 3 === document.getElementById('picture').width * 2"
    )
    said(page, "1 face.")


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_camera_is_answered_frame_by_frame(open_page, size):
    page = open_page(size, SLOW)
    page.get_by_role("button", name="Start the camera").click()
    said(page, "2 people.")
    assert labels(page) == ["1", "2"]
    assert page.locator(".face h2").all_inner_texts() == ["Person 1", "Person 2"]
    before = page.evaluate("picture.toDataURL()")
    page.wait_for_function("before => document.getElementById('picture').toDataURL() !== before", arg=before)
    page.locator("#rate").get_by_text(re.compile(r"^\d+(\.\d)? frames a second$")).wait_for()
    page.wait_for_function("() => counts.sent >= 12")
    assert labels(page) == ["1", "2"]
    assert fits(page, size)
    counts, shown = page.evaluate("[counts, video.getVideoPlaybackQuality().totalVideoFrames]")
    assert counts["most"] == 1 and shown > counts["sent"], "frames in between are dropped: none waits"
    page.get_by_role("button", name="Stop the camera").click()
    page.get_by_text("Drop a photo here").wait_for()
    assert page.evaluate("video.srcObject") is None


@pytest.mark.slow
def test_people_are_new_after_a_reload_and_in_another_window(open_page):
    page, other = open_page(), open_page()
    for each in (page, other, page):
        if each is page:
            page.reload()
        each.get_by_role("button", name="Start the camera").click()
        said(each, "2 people.")
        assert labels(each) == ["1", "2"]


@pytest.mark.slow
def test_averaging_is_on_and_can_be_changed_and_turned_off(open_page):
    page = open_page()
    with page.expect_request("**/frame?*smoothing=0.5"):
        page.get_by_role("button", name="Start the camera").click()
    said(page, "2 people.")
    for seconds, words in (("1.5", "1.5 seconds"), ("0", "off")):
        with page.expect_request(f"**/frame?*smoothing={seconds}"):
            page.get_by_label("Average over").fill(seconds)
        assert page.locator("#seconds").inner_text() == words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (REFUSED.format(name="NotAllowedError"), "The browser may not use the camera. Allow it"),
        (REFUSED.format(name="NotFoundError"), "There is no camera. Connect one"),
        (REFUSED.format(name="NotReadableError"), "The camera is in use. Close the program"),
        ("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })", "only to pages of its own machine"),
        ("window.fetch = () => Promise.reject(new TypeError())", "The program behind this page does not answer"),
    ],
)
def test_a_camera_that_cannot_be_used_is_said(open_page, script, words):
    page = open_page(script=script)
    page.get_by_role("button", name="Start the camera").click()
    said(page, words)
    assert page.get_by_role("button", name="Start the camera").is_visible()


@pytest.mark.slow
def test_junk_and_bombs_get_a_message_and_the_page_lives_on(open_page, photo, tmp_path):
    page = open_page()
    (tmp_path / "large.png").write_bytes(b"x" * 21_000_000)
    page.set_input_files("#file", tmp_path / "large.png")
    said(page, "larger than 20 MB")
    for name, content, words in (
        ("junk.png", b"junk", "not an image that Pillow reads"),
        ("cut.png", photo[:500], "damaged"),
        ("bomb.png", png(Image.new("1", (8000, 8000))), "8000x8000 pixels"),
        ("empty.png", png(Image.new("L", (300, 300))), "No face found. If the picture is one face"),
        ("face.tif", png(Image.open(io.BytesIO(photo)), "TIFF"), "1 face."),
        ("face.png", photo, "1 face."),
    ):
        upload(page, content, name)
        said(page, words)
