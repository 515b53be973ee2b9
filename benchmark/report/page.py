"""Render the findings as one self-contained HTML page; most of its text is in template.html."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from benchmark.analysis.class_weight_ablation import ablation_summary
from benchmark.analysis.corrupted import marked, note
from benchmark.analysis.ferplus import LABELS_ROW
from benchmark.analysis.findings import Findings
from benchmark.analysis.leaks import VERDICTS
from benchmark.analysis.per_class import WEAK_CLASSES
from benchmark.analysis.published import beside_tools, published
from benchmark.analysis.summaries import seeds_summary, weights_summary
from benchmark.data.protocol import FERPLUS, labels_of
from benchmark.figures import Display, to_svg
from benchmark.report.reproduction import commands, shown, unsaid
from benchmark.runs.record_store import Record
from models.labels import EMOTIONS

REPORT = "report.html"
# Columns of the page's leaderboard: key, title, decimals, and whether a higher value is better.
PAGE_COLUMNS = (
    ("valid_macro_f1", "validation macro-F1", 3, True),
    ("test_accuracy", "accuracy", 3, True),
    ("test_macro_f1", "macro-F1", 3, True),
    ("without_exact_copies", "without exact copies", 3, True),
    ("without_near_copies", "without near copies", 3, True),
    ("ferplus_accuracy", "against FER+", 3, True),
    ("test_log_loss", "log loss", 3, False),
    ("fit_seconds", "fit, s", 0, False),
    ("ms_per_face", "ms per face", 2, False),
    ("artifact_mb", "MB", 1, False),
)
LARGEST_TABLE = 120


def render(findings: Findings, figures: Mapping[str, Display], faces: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the page.

    Parameters
    ----------
    findings : Findings
        With at least one finished record.
    figures : mapping of str to Display
        By path stem, from `benchmark.figures.catalogue.displays`.
    faces : sequence of mapping
        Thumbnails of errors from `benchmark.report.error_gallery.confident_errors`; do not publish such a page.

    Returns
    -------
    str
        HTML, the same for the same records.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmark.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["score"] = _cell
    first = findings.done[0]
    return environment.get_template("template.html").render(
        findings=findings,
        first=first,
        protocol=first["protocol"],
        emotions=EMOTIONS,
        weak=WEAK_CLASSES,
        columns=[column for column in PAGE_COLUMNS if column[0] in findings.board],
        rows=_rows(findings),
        unfinished=[record for record in findings.records if record["status"] != "ok"],
        figures=[_figure(stem, display) for stem, display in figures.items() if stem.startswith("figures/")],
        tables=_tables(findings),
        anchors=_table(published()),
        labels_of_ferplus=labels_of(first) == FERPLUS,
        tools=_table(beside_tools(findings)),
        faces_by_split=_table(pd.DataFrame(findings.data.get("counts", {})).T.rename_axis("split").reset_index()),
        robustness_note=note(findings.tables["robustness"]) if "robustness" in findings.tables else "",
        labels=_labels(findings),
        environments=_environments(findings.done),
        commands=commands(findings),
        unsaid=unsaid(findings),
        verdicts=VERDICTS,
        folder=shlex.quote(shown(findings.root)),
        compared=_compared(findings),
        test="McNemar's test" + (" (of several seeds: a bootstrap)" if findings.several_seeds else ""),
        faces=faces,
        style=_text("report.css"),
        script=_text("report.js"),
    )


def _text(name: str) -> str:
    return (resources.files("benchmark.report") / name).read_text("utf-8")


def _rows(findings: Findings) -> list[dict[str, Any]]:
    """Return the leaderboard, a row a finished recognizer, with the numbers of every emotion."""
    intervals = findings.tables["intervals"]
    rows = []
    for _, line in findings.board.dropna(subset="rank").iterrows():
        name = line["recognizer"]
        own = [record for record in findings.done if record["recognizer"] == name]
        emotions = {}
        for emotion in EMOTIONS:
            recall = intervals.loc[(name, f"recall_{emotion}")]
            runs = [record["test"]["per_emotion"][emotion] for record in own]
            emotions[emotion] = {
                "recall": recall["estimate"],
                "interval": _interval(recall["low"], recall["high"]),
                "precision": _mean(scores["precision"] for scores in runs),
                "f1": _mean(scores["f1"] for scores in runs),
            }
        cells = []
        for key, _, decimals, _ in [column for column in PAGE_COLUMNS if column[0] in findings.board]:
            low, high = line.get(f"{key}_low"), line.get(f"{key}_high")
            drop = line.get(key.replace("without", "drop"))
            small = _interval(low, high) if low is not None else f"{-drop:+.3f}" if key.startswith("without") else ""
            text = "" if pd.isna(line[key]) else f"{line[key]:.{decimals}f}"
            cells.append({"value": line[key] if text else "", "text": text, "small": small if text else ""})
        rows.append({**line.to_dict(), "emotions": emotions, "cells": cells, "params": own[0]["params"]})
    return rows


def _mean(scores: Iterable[float | None]) -> float:
    """Return the mean, NaN for an emotion without faces."""
    return float(np.mean(np.array(list(scores), dtype=float)))


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.3f}–{high:.3f}"


def _figure(stem: str, display: Display) -> dict[str, Any]:
    caption = " ".join((inspect.getdoc(type(display)) or "").split("\n\n")[0].split())
    table = None if len(display.table) > LARGEST_TABLE else _table(display.table.reset_index())
    return {
        "id": stem.replace("/", "-"),
        "stem": stem,
        "title": display.title,
        "caption": caption,
        "svg": to_svg(display),
        "width": round(display.size[0] * 96),
        "table": table,
    }


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    """Return headings and cells as text; numbers with three decimals where they have any."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    rows = [[_cell(value) for value in line] for line in frame.itertuples(index=False)]
    return {"head": [str(name).replace("_", " ") for name in frame.columns], "rows": rows, "numeric": numeric}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)


def _tables(findings: Findings) -> dict[str, dict[str, Any]]:
    """Return the tables of the page by name; those that were not made are left out."""
    shown: dict[str, pd.DataFrame] = {
        name: findings.tables[name].reset_index()
        for name in ("recall_at_precision", "average_precision", "calibration", "confusions", "copies", "ferplus")
        if name in findings.tables and not findings.tables[name].empty
    }
    if "ensemble_weights" in findings.tables:
        shown["ensemble_weights"] = weights_summary(findings.tables["ensemble_weights"])
    for name, bounds in {"drop": {"low": "drop_low", "high": "drop_high"}, "external": {}}.items():
        if name in findings.tables:
            shown[name] = _joined(findings.tables[name].rename(columns=bounds).reset_index())
    if "robustness" in findings.tables:
        shown["robustness"] = marked(findings.tables["robustness"])
    if "class_weights" in findings.tables:
        shown["class_weights"] = ablation_summary(findings.tables["class_weights"])
    if "confusions" in shown:
        shown["confusions"] = shown["confusions"].drop(columns="emotion")
    if "copies" in shown:
        copies = _joined(shown["copies"])
        shown["copies"] = copies.assign(accuracy_change=-copies.pop("accuracy_drop"))
    if findings.several_seeds:
        shown["seeds"] = seeds_summary(findings.tables["seeds"])
    return {name: _table(frame) for name, frame in shown.items()}


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with estimate, ``_low`` and ``_high`` joined in one cell."""
    joined = frame.copy()
    for name in [name for name in frame if f"{name}_low" in frame]:
        bounds = frame[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
        joined[name] = [
            _cell(value) if pd.isna(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in bounds
        ]
        joined = joined.drop(columns=[f"{name}_low", f"{name}_high"])
    return joined


def _labels(findings: Findings) -> dict[str, float]:
    """Return the share of FER2013's labels that agree with FER+; empty if FER+ was not given."""
    if "agreement_Fear" not in findings.tables.get("ferplus", ()):
        return {}
    row = findings.tables["ferplus"].loc[LABELS_ROW]
    agreement = {emotion: row[f"agreement_{emotion}"] for emotion in EMOTIONS}
    return {"with_majority": row["accuracy"], "faces": int(row["n_faces"]), **agreement}


def _environments(done: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the environments of the runs, each with the names of its recognizers."""
    environments: list[dict[str, Any]] = []
    for record in done:
        same = [entry for entry in environments if entry["environment"] == record["environment"]]
        if same:
            same[0]["names"].append(record["recognizer"])
        else:
            environments.append({"environment": record["environment"], "names": [record["recognizer"]]})
    return environments


def _compared(findings: Findings) -> dict[str, Any]:
    """Return the numbers that the page's script compares."""
    scores = findings.tables["intervals"]
    names = list(findings.tables["mcnemar"].index)
    confusion = {name: np.zeros((len(EMOTIONS), len(EMOTIONS)), dtype=int) for name in names}
    for record in findings.done:
        confusion[record["recognizer"]] += np.array(record["test"]["confusion"])
    return {
        "emotions": list(EMOTIONS),
        "recall": {
            name: [
                [None if np.isnan(value) else round(value, 6) for value in scores.loc[(name, f"recall_{emotion}")]]
                for emotion in EMOTIONS
            ]
            for name in names
        },
        "confusion": {name: counts.tolist() for name, counts in confusion.items()},
        "mcnemar": {
            one: {other: None if np.isnan(p) else float(f"{p:.4g}") for other, p in line.items()}
            for one, line in findings.tables["mcnemar"].to_dict("index").items()
        },
    }
