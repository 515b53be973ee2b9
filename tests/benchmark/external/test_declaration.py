import pytest

from benchmark.data import DataError
from benchmark.external.declaration import class_matrix, read_declaration

EIGHT = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]


def test_a_right_declaration_is_read(declare):
    declared = read_declaration(declare())
    assert (declared.name, declared.form) == ("theirs", "images")
    assert read_declaration(declare(input="rows", size=None, channels=None, range=None)).form == "rows"


def test_eight_classes_become_seven(declare):
    declared = read_declaration(declare(classes=EIGHT, others={"contempt": "disgust"}))
    matrix = class_matrix(declared, EIGHT)
    assert matrix.sum(axis=0).tolist() == [1, 2, 1, 1, 1, 1, 1]
    assert matrix[0].argmax() == 6
    dropped = read_declaration(declare(classes=EIGHT, others={"contempt": "drop"}))
    assert class_matrix(dropped, EIGHT)[7].sum() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clases": []}, "unknown key 'clases': did you mean 'classes'"),
        ({"zebra": 1}, "unknown key 'zebra': delete it"),
        ({"licence": None}, "missing: licence: add licence = text"),
        ({"size": "48"}, "size is '48': write a whole number"),
        ({"size": True}, "size is True: write a whole number"),
        ({"source": " "}, "source is empty"),
        ({"name": "../up"}, "name is '../up': use letters"),
        ({"output": "softmax"}, "output is 'softmax': write one of probabilities, logits, scores, labels"),
        ({"views": 0}, "views is below 1"),
        ({"input": "pixels"}, "input is 'pixels': write"),
        ({"size": 0}, "size is 0"),
        ({"channels": 4}, "channels is 4: write 1 for grey images or 3"),
        ({"layout": "CHW"}, "layout is 'CHW'"),
        ({"range": None}, "say once how grey levels are scaled"),
        ({"mean": [0.5], "std": [0.5]}, "say once how grey levels are scaled"),
        ({"range": [1, 0]}, r"range is \[1, 0\]"),
        ({"range": None, "mean": [0.5], "std": [0]}, "no 0 for std"),
        ({"range": None, "mean": [0.5, 0.5], "std": [1]}, "mean is"),
        ({"range": ["a", "b"]}, "write 2 numbers in a list"),
        ({"classes": EIGHT}, "class 'contempt' is no emotion: say others"),
        ({"classes": EIGHT, "others": {"contempt": "boredom"}}, "class 'contempt' is no emotion"),
        ({"classes": EIGHT, "others": {"contempt": "drop"}, "output": "labels"}, "not for labels"),
        ({"classes": EIGHT[:6]}, "name each of Angry, .* once"),
        ({"classes": [*EIGHT[:6], "neutral"]}, "name each of Angry, .* once"),
        ({"classes": EIGHT[:7], "others": {"contempt": "drop"}}, "others names contempt, which is no class"),
        ({"classes": [0, 1, 2, 3, 4, 5, 6]}, "class 0 is no emotion"),
    ],
)
def test_a_wrong_declaration_is_an_error_that_says_the_fix(declare, changes, message):
    path = declare(**changes) if "name" not in changes else declare()
    if "name" in changes:
        path.write_text(path.read_text().replace('"theirs"', f'"{changes["name"]}"'))
    with pytest.raises(DataError, match=message):
        read_declaration(path)


def test_a_file_that_is_no_toml_is_explained(tmp_path):
    with pytest.raises(DataError, match="no such file: give the path"):
        read_declaration(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = \xff")
    with pytest.raises(DataError, match="cannot be read as TOML"):
        read_declaration(tmp_path / "bad.toml")
