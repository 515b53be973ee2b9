import numpy as np
import pandas as pd
import pytest

from benchmark.data import DataError
from benchmark.external.declaration import read_declaration
from benchmark.external.predictions import Predictions, face_digests, write_digests
from models.labels import EMOTIONS

ALONE = dict.fromkeys(("model", "classes", "size", "channels", "range"))


@pytest.fixture
def predicted(coded):
    """Return data and a table with a right row for each face of the last two splits."""
    data = coded()
    X, y = (np.concatenate([getattr(data[usage], name) for usage in ("PublicTest", "PrivateTest")]) for name in "Xy")
    table = pd.DataFrame(np.eye(7)[y], columns=[name.lower() for name in EMOTIONS])
    table.insert(0, "digest", face_digests(X))
    return data, table


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_rows_are_known_by_the_pixels(declare, tmp_path, predicted, suffix):
    data, table = predicted
    shuffled = table.sample(frac=1, random_state=0)[[*reversed(table.columns)]]
    if suffix == ".csv":
        shuffled.to_csv(tmp_path / "p.csv", index=False)
    else:
        columns = {name: shuffled[name].to_numpy() for name in table.columns[1:]}
        np.savez(tmp_path / "p.npz", digest=np.array(shuffled["digest"].tolist()), **columns)
    found = Predictions(read_declaration(declare(predictions=f"p{suffix}", **ALONE)), data)
    for usage in ("PublicTest", "PrivateTest"):
        assert (found.predict_proba(data[usage].X).argmax(axis=1) == data[usage].y).all()
    assert found.predict_proba(data["Training"].X) is None


def test_the_order_of_the_rows_counts_only_if_it_is_declared(declare, tmp_path, predicted):
    data, table = predicted
    table.drop(columns="digest").to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=r"no column 'digest': .*--digests FILE .* rows = \[splits\]"):
        Predictions(read_declaration(declare(predictions="p.csv", **ALONE)), data)
    right = declare(predictions="p.csv", rows=["PublicTest", "PrivateTest"], **ALONE)
    found = Predictions(read_declaration(right), data)
    assert (found.predict_proba(data["PrivateTest"].X).argmax(axis=1) == data["PrivateTest"].y).all()
    with pytest.raises(DataError, match=r"has 280 rows, and rows = \['PublicTest'\] says 140"):
        Predictions(read_declaration(declare(predictions="p.csv", rows=["PublicTest"], **ALONE)), data)
    for rows in (["Public"], ["PublicTest", "PublicTest"], [["PublicTest"]]):
        with pytest.raises(DataError, match="rows names"):
            read_declaration(declare(predictions="p.csv", rows=rows, **ALONE))


def repeated(table):
    return pd.concat([table, table.iloc[:2]])


def unknown(table):
    return table.assign(digest=["f" * 16, *table["digest"][1:]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (repeated, "2 digests stand twice, e.g. "),
        (unknown, f"1 digests are of no face of the data, e.g. {'f' * 16}: python -m benchmark.score --digests"),
        (lambda table: table.drop(columns="fear"), "name each of Angry, .* once"),
        (lambda table: table.assign(contempt=0.0), "class 'contempt' is no emotion"),
        (lambda table: table.assign(fear=0.5), 'rows sum to 1 only within .*: output = "scores"'),
        (lambda table: table.assign(fear=np.nan), "NaN or infinite outputs for 280 of 280 faces"),
        (lambda table: table.assign(fear="a"), "the outputs are no numbers"),
        (lambda table: table.iloc[:0], "has no rows"),
    ],
)
def test_wrong_tables_are_errors(declare, tmp_path, predicted, change, message):
    data, table = predicted
    change(table).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=message):
        Predictions(read_declaration(declare(predictions="p.csv", **ALONE)), data)


@pytest.mark.parametrize("name", ["p.csv", "p.npz"])
def test_files_that_cannot_be_read_are_errors(declare, tmp_path, coded, name):
    declared = read_declaration(declare(predictions=name, **ALONE))
    with pytest.raises(DataError, match="no such file"):
        Predictions(declared, coded())
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read"):
        Predictions(declared, coded())
    with pytest.raises(DataError, match=r"neither \.csv nor \.npz"):
        Predictions(read_declaration(declare(predictions="p.txt", **ALONE)), coded())


def test_the_list_of_digests_has_each_face_once(tmp_path, coded):
    data = coded()
    data["PrivateTest"].X[0] = data["Training"].X[0]
    write_digests(tmp_path / "d.csv", data)
    table = pd.read_csv(tmp_path / "d.csv", dtype=str)
    assert len(table) == 559 == table["digest"].nunique()
    assert table["split"][0] == "Training PrivateTest"
