"""The page to try models on: what it says, and in a real browser that it keeps and sends nothing."""

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
from models import EMOTIONS
from models.artifacts.save_load import save
from models.demo import main, predict_upload
from models.inference.crop import Face
from models.registry import recognizers

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
# Cleaned every second, so that no test waits two minutes.
SERVE = "import sys, models.demo; models.demo.CLEANING = (1, 5); sys.exit(models.demo.main())"
OFFLINE = Path(__file__).parents[1] / "offline"


class TwoFaces:
    scale, shift = 1.0, 0.0

    def detect(self, photo):
        return [Face(10, 10, 48, 48, 0.9), Face(80, 20, 48, 48, 0.8)]


class NoFaces:
    def detect(self, photo):
        return []


class AtTheEdge:
    scale, shift = 1.0, 0.0

    def detect(self, photo):
        return [Face(-100, 1000, 400, 400, 0.9)]


class Fixed:
    """Says Fear for every face."""

    classes_ = np.arange(7)

    def predict_proba(self, X):
        return np.tile([0.05, 0.05, 0.6, 0.1, 0.05, 0.05, 0.1], (len(X), 1))


@pytest.fixture
def photo():
    picture = np.full((200, 300), 110, np.uint8)
    face = Image.fromarray(draw_face("Happy", np.random.default_rng(0), clean=True))
    picture[20:180, 70:230] = np.asarray(face.resize((160, 160), Image.Resampling.BICUBIC))
    return picture


@pytest.fixture
def path(photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return str(path)


def test_every_face_has_a_box_and_the_probabilities_of_every_model(path):
    summary, (shown, boxes), probabilities = predict_upload(path, {"one": Fixed(), "two": Fixed()}, TwoFaces())
    assert summary == "2 faces."
    assert shown.size == (300, 200)
    assert boxes == [((10, 10, 58, 58), "Face 1"), ((80, 20, 128, 68), "Face 2")]
    assert [list(each) for each in probabilities] == [["one", "two"]] * 2
    for each in probabilities:
        assert list(each["two"]) == list(EMOTIONS) and max(each["two"], key=each["two"].get) == "Fear"
    assert not Path(path).exists(), "the photo is deleted"


def test_boxes_lie_in_the_reduced_photo(tmp_path):
    path = tmp_path / "large.png"
    Image.new("L", (2400, 1200), 90).save(path)
    _, (shown, boxes), _ = predict_upload(str(path), {"one": Fixed()}, AtTheEdge())
    assert shown.size == (1200, 600)
    assert boxes == [((0, 500, 150, 700), "Face 1")]


def test_no_face_is_said_and_no_emotion_made_up(path):
    summary, (_, boxes), probabilities = predict_upload(path, {"one": Fixed()}, NoFaces())
    assert (summary, boxes, probabilities) == ("No face found.", [], [])


def test_the_whole_photo_is_taken_where_that_is_asked_for(path):
    summary, (_, boxes), probabilities = predict_upload(path, {"one": Fixed()}, None)
    assert (summary, boxes, len(probabilities)) == ("1 face.", [], 1)


def test_a_missing_model_is_an_error(tmp_path, capsys):
    assert main(["--model", str(tmp_path / "none.h5")]) == 2
    assert "none.h5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "Address already in use: give another --host or --port"),
        (OSError("Cannot find empty port"), "Cannot find empty port"),
        (PermissionError(errno.EACCES, "Permission denied", "x\ny.h5"), r"x\ny.h5: Permission denied: change its perm"),
    ],
)
def test_what_the_system_refuses_is_said_with_its_advice(monkeypatch, capsys, error, words):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("models.demo.load_models", fail)
    assert main([]) == 2
    assert words in capsys.readouterr().err


def test_a_place_that_cannot_be_served_on_is_said_at_once(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments in (["--port", str(taken.getsockname()[1])], ["--host", "192.0.2.1"], ["--host", "no host"]):
            assert main(arguments) == 2
            assert "give another --host or --port" in capsys.readouterr().err


@pytest.fixture(scope="module")
def served(faces, tmp_path_factory):
    """The address of a page with a small model, served by a process of its own, and the folder for its files."""
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'fer-benchmark[demo]'")
    folder = tmp_path_factory.mktemp("demo")
    (folder / "tmp").mkdir()
    split = faces["Training"].sample(50)
    save(
        recognizers()["majority"].make().fit(split.X, split.y, validation=(split.X, split.y)),
        folder,
        "majority",
        {"recognizer": "majority"},
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "--model", str(folder / "majority.joblib")],
            env={**os.environ, "PYTHONPATH": f"{OFFLINE}{os.pathsep}.", "TMPDIR": str(folder / "tmp")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = None
    for _ in range(600):
        address = re.search(r"http://127\.0\.0\.1:\d+", (folder / "log").read_text())
        if address or process.poll() is not None:
            break
        time.sleep(0.1)
    if not address:
        pytest.fail((folder / "log").read_text())
    yield address.group(), folder
    process.terminate()
    process.wait()
    assert "asked for" not in (folder / "log").read_text(), "the process asked for a foreign host"


@pytest.fixture
def open_page(browser, served):
    """Open the page; fail at the end if anything was asked of elsewhere."""
    asked, contexts = [], []

    def opened(size="wide"):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, permissions=["camera"])
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served[0])
        page.wait_for_selector("input[type=file]", state="attached")
        return page

    yield opened
    assert {url for url in asked if not url.startswith((served[0], "data:", "blob:"))} == set()
    for context in contexts:
        context.close()


def kept(served, pattern="*"):
    """Return the pictures that are left on disk."""
    return [path for path in (served[1] / "tmp").rglob(pattern) if path.is_file() and path.stat().st_size]


def assert_nothing_is_kept(served, name):
    """Check that the photo is gone at once, and soon what the page shows of it."""
    assert not kept(served, name)
    end = time.monotonic() + 20
    while kept(served) and time.monotonic() < end:
        time.sleep(0.1)
    assert not kept(served)


def said(page, words):
    """Wait until the page says so."""
    page.wait_for_function(
        "words => [...document.querySelectorAll('textarea')].some(each => each.value.includes(words))", arg=words
    )


def upload(page, name, content):
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_an_uploaded_face_is_answered_and_nothing_is_kept(open_page, served, photo, size):
    page = open_page(size)
    upload(page, "face.png", png(Image.fromarray(photo)))
    said(page, "1 face.")
    page.get_by_text("Face 1: majority").wait_for()
    assert page.get_by_test_id("label-output-value").inner_text() == "Happy"
    page.wait_for_function("[...document.images].filter(each => each.naturalWidth == 300).length == 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert_nothing_is_kept(served, "face.png")


@pytest.mark.slow
def test_the_webcam_is_answered_and_nothing_is_kept(open_page, served):
    page = open_page()
    page.get_by_text("Click to Access Webcam").click()
    # Before its first frame the camera has no picture to take.
    page.wait_for_function(
        "document.querySelector('video')?.readyState >= 2 && document.querySelector('video').videoWidth"
    )
    page.get_by_label("capture photo").click()
    said(page, "No face found")
    assert_nothing_is_kept(served, "*.png")


@pytest.mark.slow
def test_junk_and_bombs_get_a_message_and_the_page_lives_on(open_page, photo):
    page = open_page()
    for name, content, words in (
        ("junk.png", b"junk", "not an image that Pillow reads"),
        ("cut.png", png(Image.fromarray(photo))[:2000], "damaged"),
        ("bomb.png", png(Image.new("1", (8000, 8000))), "8000x8000 pixels"),
        ("empty.png", png(Image.new("L", (300, 300))), "No face found"),
    ):
        upload(page, name, content)
        said(page, words)
    upload(page, "face.png", png(Image.fromarray(photo)))
    said(page, "1 face.")


def test_uploads_are_limited_by_page_and_server(open_page, served, tmp_path):
    import httpx

    page = open_page()
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 21_000_000)
    page.locator("input[type=file]").first.set_input_files(large)
    page.wait_for_function("document.body.innerText.includes('maximum allowed size')")
    answer = httpx.post(f"{served[0]}/gradio_api/upload", files={"files": large.read_bytes()}, timeout=60)
    assert answer.status_code == 413
