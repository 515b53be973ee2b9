"""A search over a recognizer's parameters: ``python -m benchmark.tune hog_svm --trials 20``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from benchmark.data import DataError, load_dataset
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.fit import fit
from benchmark.runs.interruption import INTERRUPTED, TERMINATED, Terminated, interruptible
from benchmark.runs.metrics import evaluate
from benchmark.runs.options import UsageError, count, parse_overrides
from benchmark.runs.study import Study
from models.files.atomic import explain, write_whole
from models.inference.pipeline import emotion_probabilities
from models.networks.checkpoint import delete_finished_checkpoints
from models.registry import Entry, Range, find_recognizer, recognizers

SCORES = ("valid_macro_f1", "valid_accuracy", "fit_seconds")
SHOWN = 5


def search(study: Study, n_trials: int, earlier: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Try parameters of a recognizer, chosen by a tree-structured Parzen estimator from how those before did.

    The first trial is the recognizer as it is. Only the splits on which the protocol fits and selects are looked at.
    A trial depends on the seed, on its number and on those before it alone, so that an interrupted search goes on as
    if it had not been.

    Parameters
    ----------
    study : Study
        Of one run: its recognizer, with a search space, its seed, data and setting.
    n_trials : int
        In all, with the earlier ones.
    earlier : DataFrame
        What was yielded before.

    Yields
    ------
    DataFrame
        A row each trial so far, index ``trial``: the parameters, `SCORES`, ``error``, empty where there was none, and
        ``digest``, of all that the search depends on.

    References
    ----------
    J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, "Algorithms for hyper-parameter optimization", NeurIPS 2011.
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    https://doi.org/10.1145/3292500.3330701
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    (run,) = study.runs
    fixed = study.fixed(run.entry.name)
    space = {name: _distribution(values) for name, values in run.entry.space.items() if name not in fixed}
    rows = earlier.to_dict("index")
    for number in range(n_trials):
        if number in rows:
            continue
        # A sampler's own seed would make a trial depend on how many were drawn since the start of this process.
        sampler = optuna.samplers.TPESampler(seed=run.seed * 100_003 + number)
        trials = optuna.create_study(direction="maximize", sampler=sampler)
        for row in rows.values():
            if not row["error"]:
                params = {name: row[name] for name in space}
                trials.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=row[SCORES[0]]))
        made = study.make(run)
        chosen = trials.ask(space).params if number else {name: made.get_params()[name] for name in space}
        rows[number] = {**chosen, **_tried(study, made.set_params(**chosen)), "digest": study.digest(run)}
        yield pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")


def _tried(study: Study, recognizer: Any) -> dict[str, Any]:
    """Fit on the one split, score on the other."""
    select = study.data[study.setting.protocol.select]
    try:
        seconds = fit(recognizer, study.data, study.setting)
        scores = evaluate(select.y, emotion_probabilities(recognizer, select.X))
    except Exception as error:  # whatever a recognizer raises is its row in the table
        return {**dict.fromkeys(SCORES), "error": f"{type(error).__name__}: {error}".splitlines()[0]}
    found = (scores["macro_f1"], scores["accuracy"], seconds)
    return {**dict(zip(SCORES, found, strict=True)), "error": ""}


def _distribution(values: Range | tuple[Any, ...]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def recipe(entry: Entry, row: Mapping[str, Any]) -> str:
    """Return the line that makes the recognizer of a trial, to be pasted into its factory."""
    made = entry.make()
    made.set_params(**{name: _plain(row[name], values) for name, values in entry.space.items() if name in row})
    default = type(made)().get_params()
    given = [f"{name}={value!r}" for name, value in made.get_params().items() if value != default[name]]
    return f"return {type(made).__name__}({', '.join([*given, 'random_state=random_state'])})"


def _plain(value: Any, values: Range | tuple[Any, ...]) -> Any:
    """Return a value as one writes it: of a range four digits, or a whole number."""
    if not isinstance(values, Range):
        return next(each for each in values if each == value)
    return float(f"{value:.4g}") if isinstance(values.low, float) else int(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 2 for usage or data, 130 interrupted, 143 terminated."""
    args = _parser().parse_args(argv)
    try:
        with interruptible():
            return _main(args)
    except (UsageError, DataError, OSError) as error:
        print(f"error: {explain(error, args.results)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("interrupted: finished trials are kept, the same command goes on from them", file=sys.stderr)
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.tune",
        description="Search the parameters of a recognizer for the highest macro-F1 on the split that selects.",
    )
    option = parser.add_argument
    option("recognizer", help="by name: python -m benchmark.run --list")
    option("--trials", type=count(1), required=True, metavar="N", help="in all; those that are stored are not repeated")
    option("--data", metavar="PATH", help="FER2013 (default: $FER2013, else synthetic faces)")
    option("--protocol", choices=PROTOCOLS, default="kaggle", help="which split selects (default: %(default)s)")
    option("--seed", type=count(0), default=0, metavar="N", help="(default: 0)")
    option("--limit", type=count(1), metavar="N", help="a stratified part of N training faces")
    option("--set", nargs="+", default=[], metavar="PARAM=VALUE", help="what stays, e.g. epochs=10")
    option("--results", type=Path, default=Path("results"), metavar="DIR", help="(default: %(default)s)")
    return parser


def _main(args: argparse.Namespace) -> int:
    known = recognizers()
    try:
        entry = find_recognizer(args.recognizer, known)
    except KeyError as error:
        raise UsageError(error.args[0]) from error
    if entry.error or entry.skip_reason() or not entry.space:
        searched = ", ".join(name for name, each in known.items() if each.space)
        raise UsageError(
            f"{entry.name}: {entry.error or entry.skip_reason() or f'nothing to search; these have: {searched}'}"
        )
    fixed = parse_overrides([f"{entry.name}.{item}" for item in args.set], known)
    data = load_dataset(args.data, limit=args.limit)
    setting = Setting(PROTOCOLS[args.protocol], limit=args.limit, overrides=fixed)
    study = Study([entry], [args.seed], data, setting, args.results / data.name / setting.folder)
    path = args.results / data.name / "tuning" / f"{setting.folder}-{entry.name}-seed{args.seed}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = _read(path, study.digest(study.runs[0]))
    try:
        found = search(study, args.trials, table)
        for tried in tqdm(found, initial=len(table), total=args.trials, unit="trial", disable=None):
            write_whole(path, tried.to_csv().encode())
            delete_finished_checkpoints()
            table = tried
    except ModuleNotFoundError as error:
        raise UsageError(f"the search needs {error.name}: pip install -e '.[tune]'") from error
    _print(entry, table, path)
    if data.note:
        print(f"note: {data.note}", file=sys.stderr)
    return 0


def _read(path: Path, digest: str) -> pd.DataFrame:
    """Return the stored trials, but none that another code, data or setting made."""
    if not path.exists():
        return pd.DataFrame()
    text = {"digest": str, "error": str}  # a digest may look like a number
    table = pd.read_csv(path, index_col="trial", float_precision="round_trip", dtype=text).fillna({"error": ""})
    fresh = table[table["digest"] == digest]
    if len(fresh) < len(table):
        print(f"note: {path} was searched with other code, data or settings: begun anew", file=sys.stderr)
    return fresh


def _print(entry: Entry, table: pd.DataFrame, path: Path) -> None:
    done = table[table["error"] == ""].sort_values(SCORES[0], ascending=False)
    failed = len(table) - len(done)
    if not len(done):
        raise UsageError(f"every trial failed: {table['error'].iloc[-1]}")
    shown = done.head(SHOWN)
    if 0 in done.index and 0 not in shown.index:
        shown = pd.concat([shown, done.loc[[0]]])
    print(shown.drop(columns=["error", "digest"]).to_string(float_format="%.4g"))
    print(f"\nTrial 0 is {entry.name} as it is. Of trial {done.index[0]}, for {entry.module}:\n")
    print(f"    {recipe(entry, done.iloc[0])}\n\n{path}: {len(table)} trials{f', {failed} failed' if failed else ''}")


if __name__ == "__main__":
    sys.exit(main())
