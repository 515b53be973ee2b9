"""Data sets in the layouts that their authors publish, with small pictures in the place of theirs."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmark.data import DataError
from benchmark.data.pictures import parse_labels, read_pictures_of
from benchmark.data.readers import find_layout

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def draw(path, level, size=(60, 80)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(path, name, **options):
    layout = find_layout(path)
    assert layout.name == name
    return read_pictures_of(path, layout, **options)


def levels(pictures):
    """Return the grey level of each picture with its label, split and subject."""
    assert (pictures.X[:, :1] == pictures.X).all()
    return sorted(zip(pictures.X[:, 0].tolist(), pictures.y.tolist(), pictures.usages, pictures.subjects, strict=True))


RAF_DB = {1: SURPRISE, 2: FEAR, 3: DISGUST, 4: HAPPY, 5: SAD, 6: ANGRY, 7: NEUTRAL}


def test_raf_db_as_its_authors_publish_it(tmp_path):
    rows = []
    for number, label in RAF_DB.items():
        part = "test" if number == 7 else "train"
        rows.append(f"{part}_{number:05}.jpg {number}")
        draw(tmp_path / "basic" / "Image" / "aligned" / f"{part}_{number:05}_aligned.jpg", 10 * label, (100, 100))
        draw(tmp_path / "basic" / "Image" / "original" / f"{part}_{number:05}.jpg", 255)
    rows += ["train_00008.jpg 9", "train_00009.jpg 1", "no row"]
    draw(tmp_path / "basic" / "Image" / "original" / "train_00008.jpg", 255)
    write(tmp_path / "basic" / "EmoLabel" / "list_patition_label.txt", "\r\n".join(rows))
    pictures = read(tmp_path, "raf-db")
    usages = {label: "PrivateTest" if label == NEUTRAL else "Training" for label in range(7)}
    assert levels(pictures) == [(10 * label, label, usages[label], "") for label in range(7)]
    assert pictures.left_out == {"9": 1}
    assert [name.rpartition("/")[2] for name in pictures.unreadable] == ["train_00009.jpg"]
    assert pictures.resized == 7


def test_raf_db_as_kaggle_has_it(tmp_path):
    for part, number in (("train", 4), ("test", 6)):
        draw(tmp_path / "DATASET" / part / str(number) / f"{part}_0000{number}_aligned.jpg", number)
        write(tmp_path / f"{part}_labels.csv", f"image,label\n{part}_0000{number}_aligned.jpg,{number}\n")
    expected = [(4, HAPPY, "Training", ""), (6, ANGRY, "PrivateTest", "")]
    assert levels(read(tmp_path, "raf-db")) == expected
    for part in ("train", "test"):
        (tmp_path / f"{part}_labels.csv").unlink()
    with pytest.raises(DataError, match=r"/6: a number names no emotion"):
        read(tmp_path, "custom")
    assert levels(read(tmp_path, "custom", labels=parse_labels(["4=happy", "6=angry"]))) == expected


AFFECTNET = [NEUTRAL, HAPPY, SAD, SURPRISE, FEAR, DISGUST, ANGRY]


@pytest.mark.parametrize("header", [True, False])
def test_affectnet_tables_with_boxes_and_classes_that_are_no_emotion(header, tmp_path):
    names = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
    for file, sets in (("training.csv", range(6)), ("validation.csv", range(6, 11))):
        rows = []
        for number in sets:
            path = tmp_path / "Manually_Annotated_Images" / "7" / f"{number}.JPG"
            draw(path, 255)
            face = Image.new("L", (60, 80), 255)
            face.paste(number, (10, 20, 40, 50))
            face.save(path, quality=100)
            rows.append(f"7/{number}.jpg,12,22,26,26,1.0;2.0,{number},0.1,-0.2\n")
        write(tmp_path / file, (names if header or file[0] == "t" else "") + "".join(rows))
    pictures = read(tmp_path, "affectnet")
    assert pictures.y.tolist() == AFFECTNET
    assert pictures.usages == ("Training",) * 6 + ("PublicTest",)
    assert pictures.left_out == {"contempt": 1, "no face": 1, "none": 1, "uncertain": 1}
    assert pictures.X.max() < 20, "only the face"


def test_affectnet_folders(tmp_path):
    for folder, numbers in (("train_set", range(8)), ("val_set", range(6, 10))):
        (tmp_path / folder / "annotations").mkdir(parents=True)
        for number in numbers:
            draw(tmp_path / folder / "images" / f"{number}.jpg", 10 * number)
            if number < 9:
                np.save(tmp_path / folder / "annotations" / f"{number}_exp.npy", np.array(str(number)))
    pictures = read(tmp_path, "affectnet")
    expected = [(10 * number, AFFECTNET[number], "Training", "") for number in range(7)]
    assert levels(pictures) == sorted([*expected, (60, ANGRY, "PublicTest", "")])
    assert pictures.left_out == {"contempt": 2, "no annotation": 1, "none": 1}


def test_ck_plus_takes_the_first_and_the_last_frame_of_labelled_sequences(tmp_path):
    labels = {("S005", "001"): 3, ("S010", "002"): 7, ("S010", "003"): 2}
    for (subject, sequence), number in [*labels.items(), (("S011", "001"), 0)]:
        for frame in (1, 2, 3):
            name = f"{subject}_{sequence}_{frame:08}"
            draw(tmp_path / "cohn-kanade-images" / subject / sequence / f"{name}.png", 30 * number + frame)
        if number:
            write(tmp_path / "Emotion" / subject / sequence / f"{name}_emotion.txt", f"   {number}.0000000e+00\n")
    (tmp_path / "Emotion" / "S011" / "001").mkdir(parents=True)
    pictures = read(tmp_path, "ck-plus")
    neutral = [(61, NEUTRAL, "", "S010"), (91, NEUTRAL, "", "S005"), (211, NEUTRAL, "", "S010")]
    assert levels(pictures) == sorted([*neutral, (93, DISGUST, "", "S005"), (213, SURPRISE, "", "S010")])
    assert pictures.left_out == {"contempt": 1}


def test_ckextended_is_a_table_with_contempt(tmp_path):
    usages = ("Training", "PublicTest", "PrivateTest")
    rows = [f"{n},{' '.join([str(n)] * 2304)},{usages[n % 3]}" for n in range(8)]
    write(tmp_path / "ckextended.csv", "emotion,pixels,Usage\n" + "\n".join(rows))
    for path in (tmp_path, tmp_path / "ckextended.csv"):
        pictures = read(path, "ckextended")
        assert levels(pictures) == [(n, n, usages[n % 3], "") for n in range(7)]
        assert (pictures.left_out, pictures.resized) == ({"contempt": 1}, 0)
    write(tmp_path / "ckextended.csv", "emotion,pixels,Usage\n1,2 3,Training\n")
    with pytest.raises(DataError, match=r"ckextended\.csv, row 2"):
        read(tmp_path, "ckextended")


def test_jaffe_and_kdef_say_subject_and_expression_in_names_of_any_case(tmp_path):
    codes = {"AN": ANGRY, "DI": DISGUST, "FE": FEAR, "HA": HAPPY, "SA": SAD, "SU": SURPRISE, "NE": NEUTRAL}
    for code, label in codes.items():
        draw(tmp_path / "jaffe" / f"KA.{code}1.{label}.tiff", label, (256, 256))
        kdef = "AF" if code == "FE" else code
        draw(tmp_path / "KDEF" / "BM07" / f"BM07{kdef}S.JPG", 10 * label, (56, 76))
        draw(tmp_path / "KDEF" / "BM07" / f"bm07{kdef}hl.jpg", 255)
    draw(tmp_path / "jaffe" / "portrait.png", 255)
    jaffe, kdef = read(tmp_path / "jaffe", "jaffe"), read(tmp_path / "KDEF", "kdef")
    assert levels(jaffe) == [(label, label, "", "KA") for label in range(7)]
    assert jaffe.left_out == {"names of another form than in JAFFE": 1}
    assert levels(kdef) == [(10 * label, label, "", "M07") for label in range(7)]
    assert kdef.left_out == {"half or full profile": 7}


def test_folders_of_emotions_have_subjects_where_names_say_them(tmp_path):
    draw(tmp_path / "CK+48" / "anger" / "S010_004_00000017.png", 1)
    draw(tmp_path / "CK+48" / "happy" / "somebody.png", 2)
    pictures = read(tmp_path, "custom")
    assert levels(pictures) == [(1, ANGRY, "", "S010"), (2, HAPPY, "", "")]


def test_pictures_of_every_kind_become_grey_faces(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    small = np.asarray(Image.fromarray(grey).resize((48, 48), Image.Resampling.BOX))
    folder = tmp_path / "happy"
    folder.mkdir()
    image = Image.fromarray(grey)
    alpha = image.convert("RGBA")
    alpha.putalpha(Image.new("L", image.size, 255))
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    for name, kind in {"L": image, "RGB": image.convert("RGB"), "RGBA": alpha, "16": sixteen}.items():
        kind.save(folder / f"{name}.png")
    pictures = read(tmp_path, "custom")
    assert len(pictures.X) == pictures.resized == 4
    assert np.abs(pictures.X.astype(int) - small.ravel()).max() <= 1
    assert "brought to 48x48 by area, from other sizes: 4" in pictures.notes


def parquet(path, images, labels, names=None):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"image": images, "label": labels})
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def png(level):
    stream = io.BytesIO()
    Image.new("RGB", (50, 70), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def test_parquet_as_hugging_face_lays_it_out(tmp_path):
    names = ["anger", "contempt", "happy"]
    images = [{"bytes": png(level), "path": f"KA.AN1.{level}.png"} for level in range(3)]
    parquet(tmp_path / "data" / "train-00000-of-00002.parquet", images, [0, 1, 2], names)
    broken = [{"bytes": b"junk", "path": None}, {"bytes": png(3), "path": None}]
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", broken, [0, 2], names)
    pictures = read(tmp_path, "parquet")
    expected = [(0, ANGRY, "Training", "KA"), (2, HAPPY, "Training", "KA"), (3, HAPPY, "PrivateTest", "")]
    assert levels(pictures) == expected
    assert pictures.left_out == {"contempt": 1}
    assert [name.rpartition("/")[2] for name in pictures.unreadable] == ["test-00000-of-00001.parquet, row 0"]


def test_parquet_with_numbers_or_names_as_labels(tmp_path):
    parquet(tmp_path / "a.parquet", [png(1), png(2)], [4, 6])
    with pytest.raises(DataError, match="a number names no emotion"):
        read(tmp_path / "a.parquet", "parquet")
    pictures = read(tmp_path / "a.parquet", "parquet", labels=parse_labels(["4=sad"]))
    assert (levels(pictures), pictures.left_out) == ([(1, SAD, "", "")], {"6": 1})
    parquet(tmp_path / "b.parquet", [png(1)], ["Sadness"])
    assert levels(read(tmp_path / "b.parquet", "parquet")) == [(1, SAD, "", "")]


def test_parquet_that_cannot_be_read_says_the_fix(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"a\.parquet: no readable Parquet file"):
        read(path, "parquet")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"img": [png(1)], "label": [1]}), path)
    with pytest.raises(DataError, match="no column image among img, label: rename"):
        read(path, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'fer-benchmark\[parquet\]'"):
        read(path, "parquet")
