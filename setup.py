"""The packages of the wheel. Its default model is a package of data, ``models.default``, made of files in results/."""

import json
from pathlib import Path

from setuptools import find_packages, setup

RESULTS = Path("results/fer2013/kaggle")
QUICK = ".int8.tflite"


def default_model() -> list[str]:
    """Return the files of the first recognizer of the ranking that needs LiteRT files alone: ``models`` loads it."""
    for row in json.loads((RESULTS / "best.json").read_text("utf-8"))["ranking"]:
        stem = Path(row["artifact"]).stem
        members = list(_card(stem).get("members", {}).values())
        networks = members or [stem]
        if all(QUICK in _card(name).get("copies", {}) for name in networks):
            files = {f"{name}{suffix}" for name in networks for suffix in (".json", QUICK)}
            vote = {f"{stem}{suffix}" for suffix in (".json", ".skops")} if members else set()
            return ["best.json", *(f"models/{file}" for file in sorted(files | vote))]
    raise SystemExit(f"{RESULTS}: no model that needs LiteRT files alone: python -m benchmark.run makes them")


def _card(name: str) -> dict:
    """Return the card of a model; a source distribution has that of the default model alone."""
    path = RESULTS / "models" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


setup(
    packages=[*find_packages(include=["benchmark*", "features*", "models*"]), "models.default"],
    package_dir={"models.default": str(RESULTS)},
    package_data={
        "benchmark.analysis": ["*.csv"],
        "benchmark.report": ["*.html", "*.css", "*.js"],
        "models.inference": ["blazeface.*"],
        "models.default": default_model(),
    },
)
