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
from models.artifacts import save
from models.demo import look, main, to_html
from models.faces import Face
from models.registry import recognizers

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
OFFLINE = Path(__file__).parents[1] / "offline"


class TwoFaces:
    scale, shift = 1.0, 0.0

    def detect(self, photo):
        return [Face(10, 10, 48, 48, 0.9), Face(80, 20, 48, 48, 0.8)]


class NoFaces:
    def detect(self, photo):
        return []


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


def test_every_face_has_bars_of_every_model_and_every_step_its_time(photo):
    page = to_html(look(photo, {"one": Fixed(), "<two>": Fixed()}, TwoFaces()))
    assert page.count("<rect ") == 2
    assert page.count("<table>") == 4
    assert page.count("<strong>Fear</strong>") == 4
    assert "&lt;two&gt;" in page and "<two>" not in page
    assert re.search(r"2 faces\.\s+finding faces: \d+ ms,\s+one: \d+ ms,\s+&lt;two&gt;: \d+ ms", page)
    assert page.count("data:image/png;base64,") == 2


def test_no_face_is_said_and_no_emotion_made_up(photo):
    page = to_html(look(photo, {"one": Fixed()}, NoFaces()))
    assert "No face found." in page
    assert "<table>" not in page
    assert "one:" not in page


def test_the_whole_photo_is_taken_where_that_is_asked_for(photo):
    answer = look(photo, {"one": Fixed()}, None)
    assert answer.crops.shape == (1, 2304)
    assert "<rect " not in to_html(answer)


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
            [sys.executable, "-m", "models.demo", "--model", str(folder / "majority.joblib")],
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


def kept(served):
    """Return the photos that are left on disk."""
    return [path for path in (served[1] / "tmp").rglob("*") if path.is_file() and path.stat().st_size]


def upload(page, name, content):
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_an_uploaded_face_is_answered_and_nothing_is_kept(open_page, served, photo, size):
    page = open_page(size)
    upload(page, "face.png", png(Image.fromarray(photo)))
    page.wait_for_selector(".answer table")
    assert "1 face." in page.locator(".answer .summary").inner_text()
    assert "majority: Happy" in page.locator(".answer caption").inner_text()
    assert page.locator(".answer rect").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert kept(served) == []


def test_the_webcam_is_answered_and_nothing_is_kept(open_page, served):
    page = open_page()
    page.get_by_text("Click to Access Webcam").click()
    # Before its first frame the camera has no picture to take.
    page.wait_for_function(
        "document.querySelector('video')?.readyState >= 2 && document.querySelector('video').videoWidth"
    )
    page.get_by_label("capture photo").click()
    page.wait_for_selector(".answer .photo")
    assert "No face found" in page.locator(".answer .summary").inner_text()
    assert kept(served) == []


def test_junk_and_bombs_get_a_message_and_the_page_lives_on(open_page, photo):
    page = open_page()
    for name, content, words in (
        ("junk.png", b"junk", "not an image that Pillow reads"),
        ("cut.png", png(Image.fromarray(photo))[:2000], "damaged"),
        ("bomb.png", png(Image.new("1", (8000, 8000))), "8000x8000 pixels"),
        ("empty.png", png(Image.new("L", (300, 300))), "No face found"),
    ):
        upload(page, name, content)
        page.wait_for_function("words => document.querySelector('.answer')?.innerText.includes(words)", arg=words)
    upload(page, "face.png", png(Image.fromarray(photo)))
    page.wait_for_selector(".answer table")


def test_uploads_are_limited_by_page_and_server(open_page, served, tmp_path):
    import httpx

    page = open_page()
    large = tmp_path / "large.png"
    large.write_bytes(b"x" * 21_000_000)
    page.locator("input[type=file]").first.set_input_files(large)
    page.wait_for_function("document.body.innerText.includes('maximum allowed size')")
    answer = httpx.post(f"{served[0]}/gradio_api/upload", files={"files": large.read_bytes()}, timeout=60)
    assert answer.status_code == 413
