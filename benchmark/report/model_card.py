"""The model card of a results folder: what to know before using its fitted models."""

from __future__ import annotations

import pandas as pd

from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import to_markdown
from models.labels import EMOTIONS

CARD = """# Models: {title}

These models guess which of seven emotions a face shows: {emotions}. The JSON file beside a model holds its parameters,
its SHA-256 and the versions of its libraries. `models.load` reads it and checks the model file.

## What they were trained on

Data: {dataset}{note}. The models were fitted on {fit} ({n_fit:,} faces) with class weights `{weights}`. {select}
({n_select:,} faces) chose epochs, temperatures, ensemble weights and the order of the tables. {report} ({n_report:,}
faces) gives the scores below and chose nothing.

## Scores

On {report}, {meant}

{scores}
## Weak emotions

The recall of an emotion is the share of its faces that a model recognizes. The best model on {select}, `{best}`,
recognizes {weakest} least often.

{recalls}
## Intended use

Research and teaching: compare methods, or start from a baseline. Your own photographs, if a wrong answer harms nobody.

## Not intended

Decisions about people, such as hiring, school, insurance or police work. Watching people who did not agree. Claims
about what somebody feels: an expression is not an emotion, and a model repeats what annotators would say.

## Limits

Labels of expressions are noisy. Skin tones, ages and cultures are rarely represented evenly. Faces in profile, turned,
covered or small are misread more often. Measure a model on your own photographs: `python -m benchmark.evaluate DIR`.

Licence: MIT.
"""
OF_ONE_SEED = "with 95% bootstrap intervals over its faces. They do not cover the chance of another training."
OF_SEVERAL_SEEDS = (
    "means over seeds, with 95% bootstrap intervals over faces and seeds. The files are the first seed's."
)


def model_card(findings: Findings) -> str:
    """Return the model card of a results folder as Markdown, made from its finished records.

    Parameters
    ----------
    findings : Findings
        With at least one finished record.
    """
    record, intervals = findings.done[0], findings.tables["intervals"]
    protocol, faces, best = record["protocol"], record["n_faces"], record["recognizer"]
    names = list(dict.fromkeys(record["recognizer"] for record in findings.done))
    files = {done["recognizer"]: f"`{done['artifact']}`" for done in reversed(findings.done)}
    text = intervals.apply(_interval, axis=1)
    table = text.unstack("metric").loc[names].rename(columns=lambda name: name.removeprefix("recall_")).reset_index()
    table.insert(1, "file", table["recognizer"].map(files))
    lowest = intervals.loc[best, "estimate"].filter(like="recall_").nsmallest(2).index
    return CARD.format(
        title=findings.title,
        emotions=", ".join(EMOTIONS),
        dataset=record["dataset"],
        note=f" (**{record['note']}**)" if record["note"] else "",
        **{split: protocol[split] for split in ("fit", "select", "report")},
        **{f"n_{split}": faces[split] for split in ("fit", "select", "report")},
        weights=record["class_weight"],
        meant=OF_SEVERAL_SEEDS if findings.several_seeds else OF_ONE_SEED,
        scores=to_markdown(table, ["recognizer", "file", "accuracy", "macro_f1"]),
        best=best,
        weakest=" and ".join(f"{name.removeprefix('recall_')} ({text[best, name]})" for name in lowest),
        recalls=to_markdown(table, ["recognizer", *EMOTIONS]),
    )


def _interval(row: pd.Series) -> str:
    return "" if row.isna().any() else f"{row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
