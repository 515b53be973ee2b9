"""The page without a browser: its answers to photos and to the cameras of several visitors, and its server."""

import base64
import http.client
import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models import EMOTIONS, Stream
from models.inference.grey_levels import PhotoError
from models.page import answers as module
from models.page.answers import Answers
from models.page.server import LARGEST_MB, PageServer


class Fixed:
    """Says one emotion for every face."""

    classes_ = np.arange(7)

    def __init__(self, emotion="Fear"):
        self.emotion = emotion

    def predict_proba(self, X):
        proba = np.full((len(X), 7), 0.05)
        proba[:, EMOTIONS.index(self.emotion)] = 0.7
        return proba


def picture(*lefts, emotion="Happy", form="PNG"):
    """Return the file of a picture of drawn faces, 160 pixels wide, at these places."""
    image = Image.new("L", (600, 200), 110)
    face = Image.fromarray(draw_face(emotion, np.random.default_rng(0), clean=True)).resize((160, 160))
    for left in lefts:
        image.paste(face, (left, 20))
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    """A hundredth of a second passes from frame to frame, so that a slow machine loses nobody."""
    seconds = itertools.count(0, 0.01)
    monkeypatch.setattr("models.inference.stream.time", SimpleNamespace(monotonic=lambda: next(seconds)))


@pytest.fixture
def model():
    return Fixed()


@pytest.fixture
def answers(model):
    return Answers(Stream(model))


def numbers(answer):
    return [face["number"] for face in answer["faces"]]


def test_each_face_has_a_box_and_the_probabilities_of_every_model():
    answer = Answers(Stream([Fixed(), Fixed("Sad")])).photo(picture(20, 400))
    assert (answer["width"], answer["height"]) == (600, 200)
    assert numbers(answer) == [1, 2]
    lefts = sorted(face["box"][0] for face in answer["faces"])
    assert lefts == pytest.approx([25, 405], abs=30)
    for face in answer["faces"]:
        assert (face["emotion"], face["probability"]) == ("Fear", pytest.approx(0.7))
        assert list(face["models"]) == ["Fixed-1", "Fixed-2"]
        assert [max(values, key=values.get) for values in face["models"].values()] == ["Fear", "Sad"]
        assert [list(values) for values in face["models"].values()] == [list(EMOTIONS)] * 2
    assert len({face["colour"] for face in answer["faces"]}) == 2


def test_no_face_is_no_emotion_and_the_whole_picture_may_be_one(answers):
    assert answers.photo(picture())["faces"] == []
    (face,) = answers.photo(picture(), whole=True)["faces"]
    assert (face["box"], face["emotion"]) == (None, "Fear")
    assert len(answers.photo(picture(20, 400))["faces"]) == 2


def test_a_picture_that_a_browser_cannot_show_comes_back_as_one_that_it_can(answers):
    content = picture(20, form="TIFF")
    assert "picture" not in answers.photo(content)
    kind, _, data = answers.photo(content, draw=True)["picture"].partition(";base64,")
    assert kind == "data:image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (600, 200)


def test_junk_is_an_error_and_no_visitor(answers):
    for ask in (answers.photo, lambda content: answers.frame(content, "a")):
        with pytest.raises(PhotoError, match="not an image"):
            ask(b"junk")
    assert numbers(answers.frame(picture(20), "a")) == [1]


def test_visitors_know_nothing_of_one_another(answers, model):
    assert numbers(answers.frame(picture(20), "a")) == [1]
    assert numbers(answers.frame(picture(400), "a")) == [2]
    assert numbers(answers.frame(picture(400), "b")) == [1]
    assert sorted(numbers(answers.frame(picture(20, 400), "a"))) == [1, 2]
    assert numbers(answers.photo(picture(400))) == [1]
    # What one sees now is averaged with what they saw before, and with nobody else's.
    model.emotion = "Sad"
    smooth = [answers.frame(picture(400), visitor, smoothing=1e6)["faces"][0] for visitor in ("b", "b", "c")]
    model.emotion = "Happy"
    later = [answers.frame(picture(400), visitor, smoothing=1e6)["faces"][0] for visitor in ("b", "c", "d")]
    assert [face["emotion"] for face in smooth + later] == ["Sad"] * 5 + ["Happy"]
    assert answers.frame(picture(400), "b")["faces"][0]["emotion"] == "Happy", "without averaging, what is seen now"


def test_a_visitor_who_has_left_is_forgotten(answers, monkeypatch):
    assert numbers(answers.frame(picture(20), "a")) == [1]
    assert numbers(answers.frame(picture(400), "a")) == [2]
    monkeypatch.setattr(module, "FORGOTTEN", 0.0)
    assert numbers(answers.frame(picture(400), "a")) == [1]
    answers.frame(picture(20), "b")
    assert list(answers._visitors) == ["b"]


@pytest.fixture
def server(answers):
    with PageServer("127.0.0.1", None) as server:
        server.answers = answers
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, method, path, body=None, headers=()):
    connection = http.client.HTTPConnection(*server.server_address, timeout=60)
    connection.request(method, path, body, dict(headers))
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply, json.loads(content) if reply.getheader("Content-Type") == "application/json" else content


def test_the_page_and_its_files_are_served_and_nothing_else(server):
    reply, content = ask(server, "GET", "/")
    assert reply.status == 200 and b"<b>Fixed</b>" in content and b"$" not in content
    assert reply.getheader("Cache-Control") == "no-store"
    assert "default-src 'self'" in reply.getheader("Content-Security-Policy")
    assert all(ask(server, "GET", f"/{name}")[0].status == 200 for name in ("page.js", "draw.js", "page.css"))
    assert Image.open(io.BytesIO(ask(server, "GET", "/example.jpg")[1])).format == "JPEG"
    for path in ("/nothing", "/server.py", "/../demo.py", "//etc/passwd"):
        assert ask(server, "GET", path)[0].status == 404


def test_names_of_models_are_text(server):
    server.answers = Answers(Stream([type("<b>&", (Fixed,), {})()]))
    assert b"<b>&lt;b&gt;&amp;</b>" in ask(server, "GET", "/")[1]


def test_the_example_is_one_face(server):
    answer = ask(server, "POST", "/photo", ask(server, "GET", "/example.jpg")[1])[1]
    assert len(answer["faces"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("/photo", b"junk", (), 400, "not an image"),
        ("/frame", b"", (), 400, "/frame?visitor="),
        ("/nothing", b"", (), 400, "there is nothing at /nothing"),
        ("/frame?visitor=a&smoothing=-1", b"", (), 400, "give seconds from 0 to 10"),
        ("/frame?visitor=a&smoothing=nan", b"", (), 400, "give seconds"),
        ("/frame?visitor=a&smoothing=x", b"", (), 400, "give seconds"),
        ("/photo", None, [("Content-Length", str(LARGEST_MB * 1_000_000 + 1))], 413, "larger than 20 MB"),
        ("/photo", iter([b"a"]), [("Transfer-Encoding", "chunked")], 413, "larger than 20 MB"),
    ],
)
def test_what_cannot_be_answered_is_said(server, path, body, headers, status, words):
    reply, answer = ask(server, "POST", path, body, headers)
    assert reply.status == status
    assert words in answer["error"]
    assert ask(server, "POST", "/photo", picture(20))[1]["faces"], "it goes on"


def test_a_model_that_fails_is_said_and_printed(server, model, capfd):
    model.predict_proba = lambda X: 1 / 0
    reply, answer = ask(server, "POST", "/photo", picture(20))
    assert reply.status == 500 and "ZeroDivisionError" in answer["error"]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_many_visitors_at_once(server, model):
    running, most = [], []

    def predict(X):
        running.append(1)
        most.append(len(running))
        proba = Fixed.predict_proba(model, X)
        running.pop()
        return proba

    model.predict_proba = predict

    def visit(name):
        frames = [picture(20), picture(20, 400)] * 3
        return [numbers(ask(server, "POST", f"/frame?visitor={name}", frame)[1]) for frame in frames]

    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(visit, "abcd"):
            assert seen[0] == [1] and all(sorted(each) in ([1], [1, 2]) for each in seen)
    assert max(most) == 1, "one picture at a time"
