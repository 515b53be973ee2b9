from __future__ import annotations

import subprocess
import sys

import pytest

from benchmark.data import DataError, fetch
from benchmark.data.__main__ import main


def test_describe_prints_and_draws(csv_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["describe", "--data", str(csv_path)]) == 0
    assert "70 faces" in capsys.readouterr().out
    assert len(list(tmp_path.glob("results/custom-*/class_distribution.png"))) == 1
    assert main(["describe", "--data", str(csv_path), "--figure", "here.png"]) == 0
    assert (tmp_path / "here.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("figure", ["absent.csv/x.png", "."])
def test_figure_that_cannot_be_written(figure, csv_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "absent.csv").touch()
    assert main(["describe", "--data", str(csv_path), "--figure", figure]) == 2
    assert "give another --figure PATH" in capsys.readouterr().err


def test_data_error_is_one_line(tmp_path, capsys):
    assert main(["describe", "--data", str(tmp_path / "absent.csv")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "absent.csv" in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["describe", "--unknown"]])
def test_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_fetch_prints_what_to_export(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "fetch", lambda destination: destination)
    assert main(["fetch", "--to", str(tmp_path / "a b")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a b'}\nexport FER2013='{tmp_path / 'a b'}'\n"


def test_fetch_error(monkeypatch, capsys):
    def fail(destination):
        raise DataError("no network")

    monkeypatch.setattr(fetch, "fetch", fail)
    assert main(["fetch"]) == 2
    assert capsys.readouterr().err == "error: no network\n"


def test_importing_the_data_is_light():
    code = "import sys, benchmark.data; print([m for m in ('matplotlib', 'seaborn', 'tensorflow') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
