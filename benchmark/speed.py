"""What everything costs: ``python -m benchmark.speed results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from benchmark.data import DataError, Dataset
from benchmark.experiment import cross_fitted
from benchmark.latency import measure
from benchmark.steps import Row, seconds, starts, steps
from benchmark.store import Probabilities, Record, Store
from benchmark.stored import models_and_data
from benchmark.study import environment
from models import ArtifactError, load
from models.artifact_formats import EIGHT_BITS, FLOAT32, parts
from models.files import explain, write_json
from models.keras_recognizer import import_keras
from models.prediction import all_emotions

FOLDER = "speed"
STEPS, MODELS, MACHINE = "steps.csv", "models.csv", "machine.json"
# What a record calls the protocol's splits, and how their probabilities and scores are called.
SPLITS = {"select": "valid", "report": "test"}
FORMS = {"32 bits": FLOAT32, "8 bits": EIGHT_BITS}
Found = dict[str, NDArray[np.float32]]


def predictions(
    root: Path,
    records: Mapping[str, Record],
    recognizers: Mapping[str, Any],
    data: Dataset,
    foreign: Mapping[str, Path],
) -> Iterator[Row]:
    """Measure predictions on one core, each model in a process of its own, and what its faster forms get right.

    Yields
    ------
    dict
        ``recognizer``, ``form``, what `benchmark.latency` measures, ``per_second`` in batches of 64, and, where it was
        computed, the accuracy on the split that selects and on the one that is reported and the largest ``difference``
        of a probability from the record's.
    """
    store, quick = Store(root), _Quick(root, data)
    for name, recognizer in recognizers.items():
        record, artifact = records[name], root / "models" / records[name]["artifact"]
        stored = store.probabilities(record)
        own = {f"{each}_accuracy": record[each]["accuracy"] for each in SPLITS.values()}
        yield {"recognizer": name, "form": "", **_timed(artifact), **own}
        for form, suffix in FORMS.items():
            copy = _copy(artifact, suffix)
            if artifact.suffix == ".h5" and copy.exists():
                found = quick.of_copy(record, suffix)
                yield {"recognizer": name, "form": form, **_timed(copy), **_compared(found, stored)}
        members = [store.read(member, record["seed"]) or {} for member in getattr(recognizer, "members_", ())]
        networks = [each["artifact"] for each in members if each["artifact"].endswith(".h5")]
        if networks and all(_copy(root / "models" / each, EIGHT_BITS).exists() for each in networks):
            voted = quick.combined(recognizer, members)
            yield {"recognizer": name, "form": "8 bits", **_timed(artifact, "--quick"), **_compared(voted, stored)}
    for name, path in foreign.items():
        yield {"recognizer": name, "form": "not ours", **_timed(path, "--foreign")}


class _Quick:
    """Probabilities of networks' copies, and of ensembles with the copies in eight bits among their members."""

    def __init__(self, root: Path, data: Dataset) -> None:
        self.root = root
        self.data = data
        self._known: dict[tuple[str, str], Found] = {}

    def of_copy(self, record: Record, suffix: str) -> Found:
        key = record["artifact"], suffix
        if key not in self._known:
            model = load(_copy(self.root / "models" / record["artifact"], suffix))
            self._known[key] = {
                each: all_emotions(model, self.data[record["protocol"][role]].X) for role, each in SPLITS.items()
            }
        return self._known[key]

    def combined(self, ensemble: Any, members: Sequence[Record]) -> Found:
        """Combine as `run_ensemble` does: validation faces are cross-fitted, by what the members themselves say."""
        exact = {record["recognizer"]: vars(Store(self.root).probabilities(record)) for record in members}
        quick = exact | {
            record["recognizer"]: self.of_copy(record, EIGHT_BITS)
            for record in members
            if record["artifact"].endswith(".h5")
        }
        known, valid, test = (
            {name: found[split] for name, found in each.items()}
            for each, split in ((exact, "valid"), (quick, "valid"), (quick, "test"))
        )
        y_valid = next(iter(exact.values()))["y_valid"]
        return {"valid": cross_fitted(ensemble, known, y_valid, valid), "test": ensemble.combine(test)}


def _copy(artifact: Path, suffix: str) -> Path:
    return artifact.with_name(parts(artifact)[0] + suffix)


def _compared(found: Found, stored: Probabilities) -> Row:
    accuracies = {
        f"{each}_accuracy": float((found[each].argmax(axis=1) == getattr(stored, f"y_{each}")).mean())
        for each in SPLITS.values()
    }
    return {**accuracies, "difference": float(np.abs(found["test"] - stored.test).max())}


def _timed(path: Path, *options: str) -> Row:
    found = measure(path, *options)
    return {**found, "per_second": 1000 / found["batch_ms"]}


def machine() -> Row:
    """Return the facts of this machine: what runs on it, and what its cores and its memory do at most."""
    ops, side, block = import_keras().ops, 2048, np.ones(2**25)
    target = np.empty_like(block)
    facts: Row = environment()
    for kind in ("float32", "bfloat16"):
        square = ops.ones((side, side), kind)
        product = partial(lambda square: float(ops.matmul(square, square)[0, 0]), square)
        facts[f"gflops_{kind}"] = round(2 * side**3 / seconds(product, 9) / 1e9)
    return facts | {
        "memory_gb_per_second": round(2 * block.nbytes / seconds(partial(np.copyto, target, block), 9) / 1e9)
    }


def summaries(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a folder in which `main` left them, by file, as text with three digits."""
    tables = {}
    for file in (STEPS, MODELS):
        if (folder / file).exists():
            table = pd.read_csv(folder / file, keep_default_na=False)
            tables[file] = table.map(_three_digits)
    return tables


def _three_digits(value: Any) -> str:
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:#.3g}".rstrip(".")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.speed",
        description="Measure what everything costs here, with the models of a results folder: let nothing else run.",
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    option("--data", metavar="PATH", help="the data that its records are of (default: $FER2013, else synthetic faces)")
    option("--models", nargs="+", metavar="GLOB", help="which of its models (default: all that are there)")
    option(
        "--beside", nargs="+", default=[], metavar="NAME=FILE", help="networks of others to time: .tflite, .h5 or .hdf5"
    )
    args = parser.parse_args(argv)
    try:
        foreign = {name: Path(file) for name, _, file in (item.partition("=") for item in args.beside)}
        for name, path in foreign.items():
            if not path.is_file():
                raise DataError(f"--beside {name}={path}: no such file: write it as NAME=FILE")
        records, recognizers, data = models_and_data(args.root, args.data, args.models)
        folder = args.root.parent / FOLDER
        folder.mkdir(exist_ok=True)
        write_json(folder / MACHINE, machine())
        source = Path(args.data or os.environ.get("FER2013", ""))
        done = [*starts(args.root), *_shown(steps(data, source if source.is_file() else None, records.values()))]
        table = pd.DataFrame(done)
        table["per_second"] = table["faces"] / table["seconds"]
        table.to_csv(folder / STEPS, index=False, float_format="%.7g")
        models = pd.DataFrame(_shown(predictions(args.root, records, recognizers, data, foreign)))
        models.to_csv(folder / MODELS, index=False, float_format="%.6g")
    except (ArtifactError, DataError, OSError) as error:
        print(f"error: {explain(error, args.root)}", file=sys.stderr)
        return 2
    from benchmark.figures import SpeedDisplay, save_figure

    floors = [name for name, record in records.items() if record["family"] == "floor"]
    models = models[~models["recognizer"].isin(floors)]
    save_figure(SpeedDisplay(models, f"Faces a second on one core, {data.name}"), folder / "models.png")
    print(f"{table.to_string(index=False)}\n\n{models.to_string(index=False)}\n\n{folder}")
    return 0


def _shown(rows: Iterator[Row]) -> Iterator[Row]:
    """Pass the rows on, with a bar that names the last one."""
    with tqdm(unit="row", disable=None, leave=False) as bar:
        for row in rows:
            bar.set_description(" ".join(str(value) for value in list(row.values())[:2]))
            bar.update()
            yield row


if __name__ == "__main__":
    sys.exit(main())
