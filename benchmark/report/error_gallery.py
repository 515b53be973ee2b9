"""Thumbnails of confident errors; they are faces of the data, so only for a page that is not published."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import firsts
from benchmark.data import DataError, Dataset
from benchmark.runs.external_store import open_store
from features.rows import as_images
from models.labels import EMOTIONS


def confident_errors(findings: Findings, data: Dataset, n: int = 12) -> list[dict[str, Any]]:
    """Return the reported faces that each recognizer got wrong with the highest probability.

    Parameters
    ----------
    findings : Findings
    data : Dataset
        The data that the records were made from.
    n : int
        Faces a recognizer.

    Returns
    -------
    list of dict
        Of each recognizer but the floor ``recognizer`` and ``faces``: ``image`` (data URL of a PNG), ``true``,
        ``predicted``, ``probability``, the most probable first.

    Raises
    ------
    DataError
        If the records were made from other data.
    """
    if data.fingerprint != findings.done[0]["data_fingerprint"]:
        raise DataError(
            f"{findings.root}: the records were made from other data (fingerprint "
            f"{findings.done[0]['data_fingerprint']}, not {data.fingerprint}): give those with --data"
        )
    images = as_images(data[findings.done[0]["protocol"]["report"]].X)
    shown: list[dict[str, Any]] = []
    for record in firsts(findings.done).values():
        if record["family"] == "floor":
            continue
        probabilities = open_store(findings.root).probabilities(record)
        predicted, highest = probabilities.test.argmax(axis=1), probabilities.test.max(axis=1)
        wrong = np.flatnonzero(predicted != probabilities.y_test)
        faces = [
            {
                "image": _data_url(images[row]),
                "true": EMOTIONS[probabilities.y_test[row]],
                "predicted": EMOTIONS[predicted[row]],
                "probability": float(highest[row]),
            }
            for row in wrong[np.argsort(-highest[wrong], kind="stable")][:n]
        ]
        shown.append({"recognizer": record["recognizer"], "faces": faces})
    return shown


def _data_url(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
