"""Score recognizers on corrupted faces: ``python -m benchmark.robustness results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from benchmark.analysis.corrupted import NOTHING
from benchmark.analysis.side_tables import write_robustness
from benchmark.analysis.stored_models import models_and_data
from benchmark.data import DataError, Split
from benchmark.data.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from benchmark.data.options import add_data_options
from benchmark.derive import derive
from benchmark.runs.options import count
from benchmark.runs.record_store import Store
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.inference.probabilities import predict_by_model


def robustness(recognizers: Mapping[str, Any], faces: Split) -> pd.DataFrame:
    """Return the accuracy of recognizers on faces as they are and on corrupted ones.

    Parameters
    ----------
    recognizers : mapping of str to recognizer
        Fitted, by name.
    faces : Split

    Returns
    -------
    DataFrame
        Index recognizer; columns ``faces``, their number, ``amounts``, those of the corruptions, ``none``, then
        ``<corruption>_<strength>`` for all of `benchmark.data.corruptions.CORRUPTIONS` at strengths 1 to 3.
    """
    amounts = "; ".join(f"{kind} {values}" for kind, (_, values) in CORRUPTIONS.items())
    table = pd.DataFrame({"faces": len(faces), "amounts": amounts}, index=pd.Index(recognizers, name="recognizer"))
    cells = [(NOTHING, 0), *((kind, strength) for kind in CORRUPTIONS for strength in STRENGTHS)]
    for kind, strength in tqdm(cells, unit="corruption", disable=None):
        X = corrupt(faces.X, kind, strength) if strength else faces.X
        predicted = predict_by_model(recognizers, X)
        column = f"{kind}_{strength}" if strength else kind
        table[column] = {name: (proba.argmax(axis=1) == faces.y).mean() for name, proba in predicted.items()}
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.robustness",
        description="Score the models of a results folder on corrupted test faces, and update its pages.",
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    add_data_options(parser)
    option("--ferplus", metavar="CSV", help="fer2013new.csv of FER+, for records on its labels")
    option(
        "--faces", type=count(1), default=1000, metavar="N", help="a stratified part of the test faces (default: 1000)"
    )
    args = parser.parse_args(argv)
    try:
        records, recognizers, data = models_and_data(args.root, args)
        first, *_ = records.values()
        faces = data[first["protocol"]["report"]].sample(args.faces)
        write_robustness(Store(args.root), list(records.values()), robustness(recognizers, faces))
        derive(args.root)
    except (DataError, OSError) as error:
        print(f"error: {explain(error, args.root)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
