"""Videos and streams from end to end: who is who, a timeline, an annotated copy, damaged files."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import models
from benchmark.data.synthetic import draw_face
from models.inference.inputs import Photo
from models.inference.prediction import Prediction
from models.inference.timeline import plot_timeline, seconds_by_person
from models.predict import main

av = pytest.importorskip("av")

SIZE = (320, 240)


def frame(number):
    """Two faces that move towards each other's side, one above the other."""
    picture = Image.new("L", SIZE, 110)
    for emotion, place in (("Happy", (10 + 4 * number, 10)), ("Sad", (210 - 4 * number, 130))):
        face = Image.fromarray(draw_face(emotion, np.random.default_rng(0), clean=True)).resize((100, 100))
        picture.paste(face, place)
    return picture.convert("RGB")


def write(path, times, sound=None, codec="libx264"):
    """Write a video whose frames are shown at the given times, in hundredths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=100)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        heard = container.add_stream(sound, rate=8000) if sound else None
        for number, hundredths in enumerate(times):
            shown = av.VideoFrame.from_image(frame(number))
            shown.pts, shown.time_base = hundredths, Fraction(1, 100)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
        if heard:
            for place in range(0, 80 * times[-1], 800):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 8000, place, Fraction(1, 8000)
                container.mux(heard.encode(samples))
            container.mux(heard.encode(None))
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", range(0, 160, 10), sound="aac")


@pytest.fixture(scope="module")
def model():
    return "results/fer2013/kaggle/models/majority.joblib"


def contents(path):
    with av.open(str(path)) as container:
        kinds = [stream.type for stream in container.streams]
        return kinds, [(float(shown.time), shown.to_ndarray(format="rgb24")) for shown in container.decode(video=0)]


def test_a_table_a_timeline_and_an_annotated_copy(clip, model, tmp_path, capsys):
    table, plot, copy = (tmp_path / name for name in ("out.csv", "out.png", "out.mp4"))
    outputs = ["--csv", str(table), "--plot", str(plot), "--video", str(copy)]
    assert main([clip, "--model", model, "--smoothing", "0.5", *outputs]) == 0
    rows = pd.read_csv(table)
    assert rows.columns[:4].tolist() == ["file", "frame", "time", "person"]
    assert {"emotion", "Angry", "smooth_emotion", "smooth_Angry"} <= set(rows)
    assert rows["frame"].unique().tolist() == [*range(16)]
    np.testing.assert_allclose(rows["time"], rows["frame"] / 10, atol=1e-6)
    assert rows["person"].value_counts().to_dict() == {1: 16, 2: 16}
    for _, own in rows.groupby("person"):
        assert own["top"].std() < 15, "nobody changes places with the other"
    out = capsys.readouterr().out
    assert "clip.mp4, seconds by person and emotion:" in out
    assert "1.6" in out
    with Image.open(plot) as image:
        assert image.width > 500
    kinds, frames = contents(copy)
    assert sorted(kinds) == ["audio", "video"]
    assert [time for time, _ in frames] == pytest.approx(np.arange(16) / 10)
    for number, (_, drawn) in enumerate(frames):
        assert drawn.shape == (240, 320, 3)
        assert np.abs(drawn - np.asarray(frame(number), float)).max() > 60, "something is drawn on it"


def test_a_part_of_uneven_frames(model, tmp_path):
    given = write(tmp_path / "uneven.mkv", [0, 10, 15, 60, 70, 71, 72, 120])
    copy = tmp_path / "part.mkv"
    assert main([given, "--model", model, "--start", "0.1", "--end", "0.72", "--video", str(copy)]) == 0
    _, frames = contents(copy)
    assert [time for time, _ in frames] == pytest.approx([0, 0.05, 0.5, 0.6, 0.61], abs=0.002)


@pytest.mark.parametrize("quarters", [0, 1, 3])
def test_a_turned_video_is_upright(clip, model, monkeypatch, tmp_path, quarters):
    class Turned:
        def __init__(self, shown):
            self.shown, self.time, self.rotation = shown, shown.time, 90 * quarters

        def to_ndarray(self, format):
            return np.rot90(self.shown.to_ndarray(format=format), -quarters)

    from models.inference import video

    upright = video._upright
    monkeypatch.setattr(video, "_upright", lambda shown, form: upright(Turned(shown), form))
    table = models.predict_images(clip, model=model, every=0.5)
    assert table["person"].notna().all()
    assert main([clip, "--model", model, "--video", str(tmp_path / "out.mp4")]) == 0
    assert contents(tmp_path / "out.mp4")[1][0][1].shape == (240, 320, 3)


def test_of_a_cut_video_what_can_be_read_is_drawn(model, tmp_path, capsys):
    path = tmp_path / "cut.mkv"
    write(path, range(0, 600, 5), codec="mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    main([str(path), "--model", model, "--video", str(tmp_path / "out.mp4")])
    _, frames = contents(tmp_path / "out.mp4")
    assert 10 < len(frames) < 120
    assert [file.name for file in tmp_path.iterdir() if "partial" in file.name] == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("out.webm", "ends in .mp4 or .mkv"), ("out.xyz", "ends in .mp4"), ("no/out.mp4", "there is no folder")],
)
def test_a_copy_that_cannot_be_written_is_an_error(clip, model, tmp_path, capsys, name, reason):
    assert main([clip, "--model", model, "--every", "1", "--video", str(tmp_path / name)]) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_video_is_not_its_own_copy_and_an_earlier_copy_is_replaced(clip, model, tmp_path, capsys):
    assert main([clip, "--model", model, "--video", clip]) == 2
    assert "is the video itself" in capsys.readouterr().err
    assert len(contents(clip)[1]) == 16
    earlier = tmp_path / "out.mp4"
    earlier.write_text("earlier")
    assert main([str(tmp_path / "none.mp4"), "--model", model, "--video", str(earlier)]) == 1
    assert earlier.read_text() == "earlier"
    assert main([clip, "--model", model, "--video", str(earlier)]) == 0
    assert len(contents(earlier)[1]) == 16


def test_a_copy_is_of_one_video(clip, model, tmp_path, capsys):
    assert main([clip, clip, "--model", model, "--video", str(tmp_path / "out.mp4")]) == 2
    assert "give one video to draw on, not 2 files" in capsys.readouterr().err


def test_a_stream_knows_who_was_there_before(model):
    stream = models.Stream(model=model, smoothing=0.5)
    tables = [stream(np.asarray(frame(number)), seconds=number / 10) for number in range(4)]
    assert [sorted(table["person"]) for table in tables] == [[1, 2]] * 4
    assert [table["frame"].iloc[0] for table in tables] == [0, 1, 2, 3]
    assert tables[0]["smooth_Happy"].between(0, 1).all()
    nobody = stream(np.full((60, 80), 90, np.uint8), seconds=0.5)
    assert nobody["status"].tolist() == ["no face"]
    assert sorted(stream(frame(5), seconds=9.0)["person"]) == [3, 4]


def predictions(emotions, step=0.5):
    """Return predictions of frames: for each, what each person shows, None for who is not there."""
    found = []
    for place, shown in enumerate(emotions):
        photo = Photo("clip.mp4", frame=place, seconds=place * step)
        seen = [
            Prediction(photo, person=person, probabilities={"a": np.eye(7, dtype=np.float32)[label]})
            for person, label in enumerate(shown, start=1)
            if label is not None
        ]
        found += seen or [Prediction(photo)]
    return found


def test_seconds_of_each_emotion():
    table = seconds_by_person(predictions([(3, 4), (3, None), (None, None), (5, 4)]))
    assert table.loc[1, ["Happy", "Surprise"]].tolist() == [1.0, 0.5]
    assert table.loc[2, "Sad"] == 1.0
    assert table.to_numpy().sum() == 2.5
    assert seconds_by_person(predictions([(None,)])).empty
    assert "uncertain" not in table
    unsure = [replace(each, min_probability=2.0) for each in predictions([(3,), (3,)])]
    assert seconds_by_person(unsure).loc[1, "uncertain"] == 1.0


def test_a_curve_is_broken_where_its_person_is_not_seen():
    figure = plot_timeline(predictions([(3, 4), (3, 4), (3, None), (3, None), (3, 4)]))
    one, two = figure.axes
    assert np.isnan(one.lines[3].get_ydata()).sum() == 0
    assert np.isnan(two.lines[4].get_ydata()).sum() == 1
    assert plot_timeline(predictions([(None,)])).get_suptitle() == "clip.mp4: no face"
