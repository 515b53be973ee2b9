"""What models cost to load and to predict: ``python -m benchmark.speed results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from benchmark.analysis.stored_models import choose
from benchmark.data import DataError
from benchmark.runs.fit import environment
from benchmark.runs.frame_rate import VIDEO_SPEED, frame_rates
from benchmark.runs.latency import SPEED, measure
from benchmark.runs.record_store import Record, Store
from models import ArtifactError
from models.artifacts.formats import EIGHT_BITS, FLOAT32, split_suffix
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.registry import run_of

EXACT, QUICK = "exact", "8 bits"
LITERT_SUFFIXES = {"32 bits": FLOAT32, QUICK: EIGHT_BITS}


def formats(root: Path, record: Record) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the formats of the model of a finished run that its results folder holds.

    Yields
    ------
    format : str
        ``exact``, the model of the leaderboard; of a network ``32 bits`` and ``8 bits``, its LiteRT files; of an
        ensemble of networks ``8 bits``, with the LiteRT files of its members.
    path : Path
    options : list of str
        For `benchmark.runs.latency.measure`.
    """
    folder = root / "models"
    members = [Store(root).read(*run_of(stem)) for stem in record.get("members", {})]
    networks = [member["artifact"] for member in members if member and member["artifact"].endswith(".h5")]
    yield EXACT, folder / record["artifact"], []
    for file_format, suffix in LITERT_SUFFIXES.items():
        copy = _copy(folder, record["artifact"], suffix)
        if record["artifact"].endswith(".h5") and copy.exists():
            yield file_format, copy, []
    if networks and all(_copy(folder, artifact, EIGHT_BITS).exists() for artifact in networks):
        yield QUICK, folder / record["artifact"], ["--quick"]


def _copy(folder: Path, artifact: str, suffix: str) -> Path:
    return folder / (split_suffix(Path(artifact))[0] + suffix)


def speed(root: Path, records: Mapping[str, Record]) -> pd.DataFrame:
    """Measure the models of a results folder one after the other; print a note about each that cannot be loaded.

    Parameters
    ----------
    root : Path
    records : mapping of str to dict
        Finished runs in it, by recognizer.

    Returns
    -------
    DataFrame
        A row for each format of a model: ``recognizer``, ``format`` and what `benchmark.runs.latency.main` prints.

    Raises
    ------
    DataError
        If none can be loaded.
    """
    jobs = [(name, *job) for name, record in records.items() for job in formats(root, record)]
    rows = []
    for name, file_format, path, options in tqdm(jobs, unit="model", disable=None, leave=False):
        try:
            rows.append({"recognizer": name, "format": file_format, **measure(path, *options)})
        except ArtifactError as error:
            print(f"note: without {name}, {file_format}: {error}", file=sys.stderr)
    if not rows:
        raise DataError(f"{root}/models: no model of a finished run: python -m benchmark.run --rerun makes them")
    return pd.DataFrame(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if there is no model or the table cannot be written."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.speed",
        description="Time the models of a results folder on one core, each in a process of its own. Run nothing else "
        f"meanwhile. The table goes to {SPEED} beside the folder.",
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    option("--models", nargs="+", metavar="GLOB", help="which of its models (default: all)")
    option(
        "--video",
        action="store_true",
        help=f"time videos from file to rows instead, beside the tools that are installed; the table is {VIDEO_SPEED}",
    )
    args = parser.parse_args(argv)
    path = args.root.parent / (VIDEO_SPEED if args.video else SPEED)
    try:
        table = frame_rates(args.root) if args.video else speed(args.root, choose(args.root, args.models))
        table["processor"] = environment()["processor"]
        table.to_csv(path, index=False, float_format="%.6g")
    except (ArtifactError, DataError, OSError) as error:
        print(f"error: {explain(error, args.root)}", file=sys.stderr)
        return 2
    print(f"{table.to_string(index=False, float_format='%.3g')}\n\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
