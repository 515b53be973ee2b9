"""All figures of a results folder, each with its table; report/template.html places them on the page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark import figures
from benchmark.analysis.corrupted import by_strength
from benchmark.analysis.findings import Findings
from benchmark.analysis.uncertainty import METRICS
from models.labels import EMOTIONS


def displays(findings: Findings) -> dict[str, figures.Display]:
    """Return every figure by the stem of its path below the results folder, e.g. ``confusion/cnn``."""
    title = f"{findings.title}, {findings.done[0]['protocol']['report']}"
    counts = {record["recognizer"]: _confusion(findings, record["recognizer"]) for record in findings.done}
    drawn: dict[str, figures.Display] = {
        f"confusion/{name}": figures.ConfusionDisplay(table, f"{name} ({title})") for name, table in counts.items()
    }
    together = pd.concat(counts, names=["recognizer"])
    drawn["figures/confusion"] = figures.ConfusionGridDisplay(together, f"Confusion matrices ({title})")
    drawn["figures/recall"] = figures.RecallDisplay(_recall(findings), f"Recall of every emotion ({title})")
    if not findings.tables["precision_recall"].empty:
        curves = findings.tables["precision_recall"]
        drawn["figures/precision_recall"] = figures.PrecisionRecallDisplay(curves, f"Weak classes ({title})")
    board = findings.board.dropna(subset="rank").set_index("recognizer")
    # The floor predicts one emotion for all in no time: beside it, differences between the others could not be seen.
    shown = list(board.index[board["family"] != "floor"]) or list(board.index)
    board = board.loc[shown]
    bins = findings.tables["reliability"]
    bins = bins[bins.index.isin(shown, level="recognizer")]
    drawn["figures/reliability"] = figures.ReliabilityDisplay(bins, f"Confidence against accuracy ({title})")
    drawn["figures/cost"] = figures.CostDisplay(_cost(board), f"Accuracy against time ({title})")
    if "robustness" in findings.tables:
        accuracies = by_strength(findings.tables["robustness"])
        drawn["figures/robustness"] = figures.RobustnessDisplay(accuracies, f"Accuracy on corrupted faces ({title})")
    for record in findings.done:
        if record["history"]:
            epochs = pd.DataFrame(record["history"])
            epochs.index = pd.RangeIndex(1, len(epochs) + 1, name="epoch")
            # A model with early stopping (patience) has the weights of the best epoch, another those of the last.
            used = epochs["val_accuracy"].idxmax() if "patience" in record["params"] else epochs.index[-1]
            seed = f", seed {record['seed']}" if findings.several_seeds else ""
            display = figures.TrainingDisplay(epochs, f"{record['recognizer']}{seed} ({findings.title})", int(used))
            drawn[f"figures/training_{record['recognizer']}_seed{record['seed']}"] = display
    return drawn


def _confusion(findings: Findings, name: str) -> pd.DataFrame:
    """Return the test counts of a recognizer, summed over its seeds."""
    counts = sum(np.array(record["test"]["confusion"]) for record in findings.done if record["recognizer"] == name)
    return pd.DataFrame(counts, index=pd.Index(EMOTIONS, name="true"), columns=EMOTIONS)


def _recall(findings: Findings) -> pd.DataFrame:
    names = {metric: metric.removeprefix("recall_") for metric in METRICS if metric.startswith("recall_")}
    table = findings.tables["intervals"]
    table = table[table.index.get_level_values("metric").isin(names)]
    return table.rename(index=names, level="metric").rename_axis(index={"metric": "emotion"})


def _cost(board: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy, time and size, and ``front``: whether no faster recognizer is as accurate."""
    columns = {"ms_per_face": "ms_per_face", "artifact_mb": "artifact_mb", "test_accuracy": "accuracy"}
    columns |= {f"test_accuracy_{bound}": bound for bound in ("low", "high")}
    table = board[list(columns)].rename(columns=columns).dropna()  # predictions alone have no time
    by_time = table.sort_values("ms_per_face")["accuracy"]
    return table.assign(front=by_time > by_time.cummax().shift(fill_value=-np.inf))
