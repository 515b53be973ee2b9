"""Probabilities of recognizers with a column for each of the seven emotions, for one recognizer or several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.labels import EMOTIONS, emotion_of


def predict_by_model(recognizers: Mapping[str, Any], rows: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities of several recognizers for the same rows.

    A model predicts once, also if it is a member of several ensembles.

    Parameters
    ----------
    recognizers : mapping of str to recognizer
        By name.
    rows : ndarray of shape (n_faces, 2304), dtype uint8

    Returns
    -------
    dict of str to ndarray of shape (n_faces, 7), dtype float32
        In the order of `recognizers`.
    """
    done: list[tuple[Any, NDArray[np.float32]]] = []

    def predicted(recognizer: Any) -> NDArray[np.float32]:
        for other, proba in done:
            if _same_model(recognizer, other):
                return proba
        members = getattr(recognizer, "members_", {})
        if members:
            proba = recognizer.combine({stem: predicted(member) for stem, member in members.items()})
        else:
            proba = emotion_probabilities(recognizer, rows)
        done.append((recognizer, proba))
        return proba

    return {name: predicted(recognizer) for name, recognizer in recognizers.items()}


def _same_model(one: Any, other: Any) -> bool:
    cards = [getattr(recognizer, "card_", {}) for recognizer in (one, other)]
    return one is other or ("sha256" in cards[0] and cards[0]["sha256"] == cards[1].get("sha256"))


def emotion_probabilities(recognizer: Any, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return probabilities with a column for each of the seven emotions, also those that training lacked.

    Raises
    ------
    ValueError
        If the recognizer has other classes than emotions.
    """
    proba = np.zeros((len(rows), len(EMOTIONS)), np.float32)
    proba[:, _emotion_codes(recognizer.classes_)] = recognizer.predict_proba(rows)
    return proba


def _emotion_codes(classes: Iterable[Any]) -> list[int]:
    given = np.asarray(classes, dtype=object).ravel().tolist()
    codes = [_emotion_code(label) for label in given]
    if None in codes or len(set(codes)) < len(codes):
        raise ValueError(
            f"the recognizer's classes are {given}: fit it on emotions, each by one label: "
            f"whole numbers from 0 to {len(EMOTIONS) - 1}, or names: {', '.join(EMOTIONS)}"
        )
    return [code for code in codes if code is not None]


def _emotion_code(label: Any) -> int | None:
    if isinstance(label, str):
        return emotion_of(label)
    whole = isinstance(label, Real) and not isinstance(label, bool)
    return next((code for code in range(len(EMOTIONS)) if whole and code == label), None)
