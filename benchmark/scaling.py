"""How time and memory of a fit grow with the faces: ``python -m benchmark.scaling``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from joblib.externals.loky import get_reusable_executor
from tqdm.auto import tqdm

from benchmark.arguments import UsageError, select
from benchmark.data import DataError, load_dataset
from benchmark.experiment import run_recognizer
from benchmark.protocol import PROTOCOLS, Setting
from benchmark.schedule import SCALING, growth
from models.checkpoint import forget_trainings
from models.files import explain
from models.registry import find, recognizers

PARTS = (8, 4, 2, 1)
EPOCHS = 2
INDEX = ["recognizer", "faces"]


def measure(name: str, n_faces: int, path: str | None) -> dict[str, float]:
    """Fit a recognizer on a stratified part of the Training split; return what `benchmark.experiment` measures.

    Networks train for `EPOCHS` epochs.

    Parameters
    ----------
    name : str
    n_faces : int
        Training faces; the validation split is cut to the same share.
    path : str or None
        The data, as of `benchmark.data.load_dataset`.

    Returns
    -------
    dict of str to float
        ``faces``, ``fit_seconds`` and ``peak_memory_mb`` of this process and its children.
    """
    data = load_dataset(path, n_faces)
    recognizer = find(name).make(random_state=0)
    if "epochs" in recognizer.get_params():
        recognizer.set_params(epochs=EPOCHS)
    cost = run_recognizer(recognizer, data, Setting(PROTOCOLS["kaggle"])).cost
    forget_trainings()
    get_reusable_executor().shutdown()  # else this process waits for joblib's idle ones, five minutes, before it ends
    return {"faces": len(data["Training"]), **{what: cost[what] for what in ("fit_seconds", "peak_memory_mb")}}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.scaling",
        description="Fit recognizers on parts of the training faces, each in a process of its own; networks for "
        f"{EPOCHS} epochs.",
    )
    option = parser.add_argument
    option("--only", nargs="+", default=["*"], metavar="GLOB", help="recognizers by name (default: all)")
    option("--data", metavar="PATH", help="FER2013 (default: $FER2013, else synthetic faces)")
    option("--results", type=Path, default=Path("results"), metavar="DIR", help="(default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        chosen = select(recognizers(), args.only)
        entries = [entry for entry in chosen if not (entry.members or entry.skip() or entry.family == "floor")]
        if not entries:
            raise UsageError(f"--only {' '.join(args.only)}: no recognizer whose fit grows with the faces")
        data = load_dataset(args.data)
        path = args.results / data.name / SCALING
        path.parent.mkdir(parents=True, exist_ok=True)
        measured = _read(path).to_dict("index")
        jobs = [(entry.name, len(data["Training"]) // part) for entry in entries for part in PARTS]
        for name, n_faces in tqdm(jobs, unit="fit", disable=None):
            # A process of its own, so that no fit inherits the memory of another.
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                try:
                    costs = alone.submit(measure, name, n_faces, args.data).result()
                except BrokenProcessPool as error:
                    raise UsageError(
                        f"{name} on {n_faces} faces: its process was killed, as where memory is short: leave it out of "
                        "--only; what was measured is kept"
                    ) from error
            measured[name, costs.pop("faces")] = costs
            index = pd.MultiIndex.from_tuples(measured, names=INDEX)
            table = pd.DataFrame(list(measured.values()), index=index).sort_index()
            table.to_csv(path, float_format="%.2f")
    except (UsageError, DataError, OSError) as error:
        print(f"error: {explain(error, args.results)}", file=sys.stderr)
        return 2
    from benchmark.figures import ScalingDisplay, save_figure

    save_figure(ScalingDisplay(table, f"Cost of a fit by training faces, {data.name}"), path.with_suffix(".png"))
    print(f"{table.to_string(float_format='%.1f')}\n\n{summary(path).to_string()}\n\n{path}")
    return 0


def summary(path: Path) -> pd.DataFrame:
    """Return, by recognizer, seconds and MB on most faces, and how both grow from half of them."""
    rows, grows = {}, growth(path)
    for name, costs in _read(path).groupby(level="recognizer"):
        if len(costs) < 2:  # interrupted
            continue
        half, whole = costs.iloc[-2], costs.iloc[-1]
        rows[name] = {
            "fit_seconds": whole["fit_seconds"],
            "times_half": whole["fit_seconds"] / half["fit_seconds"],
            "quadratic_share": grows[name].quadratic_share(costs.index[-1][1]),
            "peak_memory_mb": round(whole["peak_memory_mb"]),
            "memory_times_half": whole["peak_memory_mb"] / half["peak_memory_mb"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer").round(3)


def _read(path: Path) -> pd.DataFrame:
    """Return what was measured before."""
    return pd.read_csv(path, index_col=INDEX) if path.exists() else pd.DataFrame()


if __name__ == "__main__":
    sys.exit(main())
