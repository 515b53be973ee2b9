"""A search over a recognizer's parameters: ``python -m benchmark.tune hog_svm --trials 20``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from benchmark.data import DataError
from benchmark.data.options import add_data_options, load_data
from benchmark.data.protocol import FERPLUS, PROTOCOLS, Setting
from benchmark.runs.fit import fit
from benchmark.runs.interruption import INTERRUPTED, TERMINATED, Terminated, interruptible
from benchmark.runs.metrics import evaluate
from benchmark.runs.options import UsageError, count, parse_overrides
from benchmark.runs.study import Study
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.inference.probabilities import emotion_probabilities
from models.networks.checkpoint import delete_finished_checkpoints
from models.registry import Entry, Range, find_recognizer, recognizers

if TYPE_CHECKING:
    import optuna

SCORE = "valid_macro_f1"
SHOWN = 5


def open_trials(path: Path, digest: str) -> optuna.Study:
    """Open the trials that a file of Optuna has; those of other code, data or settings are another study there.

    Raises
    ------
    UsageError
        If the file is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage, journal

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Its default lock is a symbolic link, for which Windows asks an administrator.
        file = journal.JournalFileBackend(str(path), journal.JournalFileOpenLock(str(path)))
        storage = JournalStorage(file)
        others = set(optuna.get_all_study_names(storage)) - {digest}
        trials = optuna.create_study(storage=storage, study_name=digest, direction="maximize", load_if_exists=True)
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path}: damaged: move it away, and the search begins anew") from error
    if others and not trials.trials:
        print(f"note: {path} was searched with other code, data or settings: begun anew", file=sys.stderr)
    return trials


def search(study: Study, n_trials: int, trials: optuna.Study) -> Iterator[int]:
    """Try parameters of a recognizer, chosen by a tree-structured Parzen estimator from how those before did.

    The first trial is the recognizer as it is. Only the splits on which the protocol fits and selects are looked at.
    A trial depends on the seed, on its number and on those before it alone, and is stored when it is finished. So an
    interrupted search goes on as if it had not been.

    Parameters
    ----------
    study : Study
        Of one run: its recognizer, with a search space, its seed, data and setting.
    n_trials : int
        In all, with the earlier ones.
    trials : optuna.Study
        Where they are stored: a trial has the ``valid_macro_f1`` as its value, if it did not fail, and as
        attributes ``valid_accuracy`` and ``fit_seconds``, or its ``error``.

    Yields
    ------
    int
        How many trials there are.

    References
    ----------
    J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, "Algorithms for hyper-parameter optimization", NeurIPS 2011.
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    https://doi.org/10.1145/3292500.3330701
    """
    import optuna

    (run,) = study.runs
    fixed = study.fixed(run.entry.name)
    space = {name: _distribution(values) for name, values in run.entry.space.items() if name not in fixed}
    for number in range(len(trials.trials), n_trials):
        # A sampler's own seed would make a trial depend on how many were drawn since the start of this process.
        sampler = optuna.samplers.TPESampler(seed=run.seed * 100_003 + number)
        drawn = optuna.create_study(direction="maximize", sampler=sampler)
        drawn.add_trials(trials.get_trials(states=[optuna.trial.TrialState.COMPLETE]))
        recognizer = study.make(run)
        recipe = {name: recognizer.get_params()[name] for name in space}
        params = drawn.ask(space).params if number else recipe
        result = _try(study, recognizer.set_params(**params))
        trials.add_trial(optuna.trial.create_trial(params=params, distributions=space, **result))
        yield number + 1


def _try(study: Study, recognizer: Any) -> dict[str, Any]:
    """Fit on the one split, score on the other; return what Optuna stores of it."""
    from optuna.trial import TrialState

    select = study.data[study.setting.protocol.select]
    try:
        seconds = fit(recognizer, study.data, study.setting)
        scores = evaluate(select.y, emotion_probabilities(recognizer, select.X))
    except Exception as error:  # whatever a recognizer raises is its row in the table
        return {"state": TrialState.FAIL, "user_attrs": {"error": f"{type(error).__name__}: {error}".splitlines()[0]}}
    attributes = {"valid_accuracy": scores["accuracy"], "fit_seconds": seconds}
    return {"value": scores["macro_f1"], "user_attrs": attributes}


def _distribution(values: Range | tuple[Any, ...]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _plain(value: Any) -> Any:
    """Return a value as one writes it: a number with four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 2 for usage or data, 130 interrupted, 143 terminated."""
    prepare_streams()
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
    add_data_options(parser)
    option(
        "--protocol", choices=PROTOCOLS, default="kaggle", help="which split selects, by whose labels (default: kaggle)"
    )
    option("--ferplus", metavar="CSV", help="fer2013new.csv of FER+, for --protocol ferplus")
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
        searched = ", ".join(name for name, entry in known.items() if entry.space)
        raise UsageError(
            f"{entry.name}: {entry.error or entry.skip_reason() or f'nothing to search; these have: {searched}'}"
        )
    fixed = parse_overrides([f"{entry.name}.{item}" for item in args.set], known)
    protocol = PROTOCOLS[args.protocol]
    data = load_data(args, args.limit, protocol.labels)
    setting = Setting(protocol, limit=args.limit, overrides=fixed)
    seeded = replace(entry, uses_seed=True)  # the search draws parameters
    study = Study([seeded], [args.seed], data, setting, args.results / data.name / setting.folder)
    path = args.results / data.name / "tuning" / f"{setting.folder}-{entry.name}-seed{args.seed}.journal"
    try:
        trials = open_trials(path, study.digest(study.runs[0]))
    except ModuleNotFoundError as error:
        raise UsageError(f"the search needs {error.name}: pip install -e '.[tune]'") from error
    done = search(study, args.trials, trials)
    for _ in tqdm(done, initial=len(trials.trials), total=args.trials, unit="trial", disable=None):
        delete_finished_checkpoints()
    _print(entry, setting, trials, path, args.ferplus)
    if data.note:
        print(f"note: {data.note}", file=sys.stderr)
    return 0


def table(trials: optuna.Study) -> pd.DataFrame:
    """Return a row each trial, index ``trial``: its parameters, its scores, and its ``error``, NaN where there is none.

    Where every trial failed there is no score.
    """
    rows = [{**trial.params, SCORE: trial.value, "error": None, **trial.user_attrs} for trial in trials.trials]
    return pd.DataFrame(rows).rename_axis("trial")


def _print(entry: Entry, setting: Setting, trials: optuna.Study, path: Path, votes: str | None = None) -> None:
    rows = table(trials)
    done = rows[rows["error"].isna()].drop(columns="error").sort_values(SCORE, ascending=False)
    if not len(done):
        raise UsageError(f"every trial failed: {rows['error'].iloc[-1]}")
    shown = done.head(SHOWN)
    if 0 in done.index and 0 not in shown.index:
        shown = pd.concat([shown, done.loc[[0]]])
    print(shown.to_string(float_format="%.4g"))
    best = {name: _plain(value) for name, value in trials.best_params.items()}
    fixed = setting.overrides.get(entry.name, {})
    changes = Setting(setting.protocol, overrides={entry.name: {**fixed, **best}}).changes
    print(f"\nTrial 0 is {entry.name} as it is. Trial {trials.best_trial.number} is the best:\n")
    options = ["--protocol", setting.protocol.name] if setting.protocol.name != "kaggle" else []
    options += ["--ferplus", str(votes)] if setting.protocol.labels == FERPLUS else []
    print(f"    {shlex.join(['python', '-m', 'benchmark.run', '--only', entry.name, '--set', *changes, *options])}\n")
    failed = len(rows) - len(done)
    print(f"{path}: {len(rows)} trials{f', {failed} failed' if failed else ''}")


if __name__ == "__main__":
    sys.exit(main())
