"""The packages of the wheel. Its default model is a package of data, ``models.default``, made of files in results/."""

import json
from pathlib import Path

from setuptools import find_packages, setup

RESULTS = Path("results/fer2013/kaggle")
QUICK = ".int8.tflite"


def default_model() -> list[str]:
    """Return the files of the first recognizer of the ranking that needs LiteRT files alone: ``models`` loads it.

    None where there is no such one: the package is installed all the same, and prediction asks for a model.
    """
    for row in _read(RESULTS / "best.json").get("ranking", []):
        stem = Path(row["artifact"]).stem
        members = list(_card(stem).get("members", {}).values())
        networks = members or [stem]
        if all(QUICK in _card(name).get("copies", {}) for name in networks):
            files = {f"{name}{suffix}" for name in networks for suffix in (".json", QUICK)}
            vote = {f"{stem}{suffix}" for suffix in (".json", ".skops")} if members else set()
            return ["best.json", *(f"models/{file}" for file in sorted(files | vote))]
    return []


def _card(name: str) -> dict:
    """Return the card of a model; a source distribution has that of the default model alone."""
    return _read(RESULTS / "models" / f"{name}.json")


def _read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


DEFAULT = {"models.default": files} if (files := default_model()) else {}

setup(
    packages=[*find_packages(include=["benchmark*", "features*", "models*"]), *DEFAULT],
    package_dir=dict.fromkeys(DEFAULT, str(RESULTS)),
    package_data={
        "benchmark.analysis": ["*.csv"],
        "benchmark.external": ["tools/*.toml"],
        "benchmark.report": ["*.html", "*.css", "*.js"],
        "models.inference": ["blazeface.*"],
        "models.page": ["*.html", "*.css", "*.js", "*.jpg"],
        **DEFAULT,
    },
)
