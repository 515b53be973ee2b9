"""Label FER2013's faces by the votes of FER+: majorities, shares of votes, and which faces have no label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import DataError, Dataset, Split
from benchmark.data.ferplus import CHOICES, FerPlus, Votes
from models.labels import EMOTIONS

REASONS = {"contempt": "contempt", "unknown": "unknown", "NF": "not a face"}


def majority_choice(votes: Votes) -> NDArray[np.int64]:
    """Return what most annotators chose, by the rule of FER+'s authors.

    Choices with a single vote are dropped as slips; more than half of the other votes must agree, so a tie is no
    majority. The rule is that of the code published with the paper, ``_process_data`` in ``src/ferplus.py`` of
    https://github.com/microsoft/FERPlus, and leaves the 3,153 PrivateTest faces (16 of them contempt) that are
    usual in the literature.

    Parameters
    ----------
    votes : ndarray of shape (n_faces, 10)

    Returns
    -------
    ndarray of shape (n_faces,), dtype int64
        Positions in `CHOICES`, the first seven being the labels; -1 without a majority.
    """
    firm = np.where(votes > 1, votes, 0)
    return np.where(2 * firm.max(axis=1) > firm.sum(axis=1), firm.argmax(axis=1), -1)


def vote_shares(votes: Votes) -> NDArray[np.float32]:
    """Return the share of each of the seven emotions in the votes for them, single votes left out as slips.

    The code published with the paper also drops single votes before it makes distributions. It then keeps only the
    choices that lead until they have three quarters of the votes; here all others count too.

    Parameters
    ----------
    votes : ndarray of shape (n_faces, 10)
        Each row with two votes or more for one of the seven emotions.

    Returns
    -------
    ndarray of shape (n_faces, 7), dtype float32
        Rows sum to 1.
    """
    emotions = votes[:, : len(EMOTIONS)]
    counted = np.where(emotions > 1, emotions, 0)
    return (counted / counted.sum(axis=1, keepdims=True)).astype(np.float32)


def relabelled(data: Dataset, ferplus: FerPlus) -> Dataset:
    """Return the faces whose `majority_choice` is one of the seven emotions, with it as label and shares of votes.

    Parameters
    ----------
    data : Dataset
        FER2013, complete.
    ferplus : FerPlus

    Returns
    -------
    Dataset
        Its note counts the faces that are left out, by reason.

    Raises
    ------
    DataError
        If the rows of the votes are not those of the faces, or no face of a split is left.
    """
    splits, left_out, agreement = {}, [], []
    for usage, faces in data.splits.items():
        answers = ferplus.of(data, usage)
        chosen = majority_choice(answers)
        kept = (chosen >= 0) & (chosen < len(EMOTIONS))
        if not kept.any():
            raise DataError(f"{ferplus.source}: no face of {usage} has one of the seven emotions for a majority")
        splits[usage] = Split(faces.X[kept], chosen[kept], vote_shares(answers[kept]))
        counts = {"without a majority": (chosen < 0).sum()}
        counts |= {reason: (chosen == CHOICES.index(name)).sum() for name, reason in REASONS.items()}
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        left_out.append(f"{(~kept).sum():,} of {len(faces):,} {usage} faces ({reasons})")
        agreement.append(f"{(faces.y[kept] == chosen[kept]).mean():.3f} in {usage}")
    note = (
        "Labels: the majority of FER+'s ten annotators; networks are fitted on the shares of their votes. Left out: "
        f"{'; '.join(left_out)}. Share of the other faces that have the same label in FER2013: {', '.join(agreement)}."
    )
    return replace(data, splits=splits, note=" ".join(filter(None, [data.note, note])))
