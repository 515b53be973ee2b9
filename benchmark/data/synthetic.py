"""Synthetic dataset in FER2013's layout, drawn from facial action units, to try everything without FER2013.

An expression is a vector of action unit (AU) intensities of the Facial Action Coding System [1]_, prototypes after its
emotion tables [2]_; identity, pose and light vary around it. The faces stand in for FER2013 in tests and
demonstrations only: scores on them say nothing about scores on photographs.

References
----------
.. [1] P. Ekman, W. V. Friesen, "Facial Action Coding System", Consulting Psychologists Press, 1978.
.. [2] W. V. Friesen, P. Ekman, "EMFACS-7: Emotional Facial Action Coding System", University of California, 1983.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import USAGES, Dataset, Split
from benchmark.data.portrait import portrait
from features.rows import N_PIXELS
from models.labels import EMOTIONS

MIN_FACES = 70
PARTS = (4, 1, 1)  # sizes of the splits: with FER2013's, 8 to 1 to 1, the test part could not tell scores apart
SHARES = (14, 6, 14, 23, 16, 11, 16)  # of the emotions, percent: FER2013's, with enough of Disgust to be scored

# With these, 1,000 faces are learnt in minutes: a network needs many small steps, and hardly any augmentation.
MILD: dict[str, Any] = {"batch_size": 20, "shift": 1.0, "warmup_epochs": 1.0} | dict.fromkeys(
    ("rotation", "zoom", "gamma", "blur_noise_prob", "erase_prob", "label_smoothing", "weight_power"), 0.0
)
BUDGET: dict[str, dict[str, Any]] = {
    "cnn": {"batch_size": 20, "learning_rate": 7e-4, "ema_epochs": 1.0, "epochs": 12, "patience": 12},
    "cnn_aug": {**MILD, "learning_rate": 1e-3, "epochs": 10},
    "cnn_deep": {**MILD, "batch_size": 25, "learning_rate": 2e-3, "epochs": 4},
    "cnn_large": {**MILD, "batch_size": 25, "learning_rate": 2e-3, "epochs": 4},
    "lbp_xgb": {"n_estimators": 100},
    "patch_svm": {"n_words": 80},
}

# Action units of each way to show an emotion: 1 inner brow up, 2 outer brow up, 4 brows down and together, 5 upper lid
# up, 6 cheeks up, 7 lids tight, 9 nose wrinkled, 10 upper lip up, 12 lip corners up, 15 lip corners down, 17 chin up,
# 20 lips stretched, 23 and 24 lips tight and pressed, 25 lips parted, 26 jaw dropped, 27 mouth stretched, 43 lids down.
ACTION_UNITS: dict[str, tuple[dict[int, float], ...]] = {
    "Angry": ({4: 1, 5: 0.4, 7: 0.8, 17: 0.3, 23: 0.8, 24: 0.8}, {4: 1, 5: 0.5, 7: 0.7, 10: 0.4, 23: 0.5, 25: 1}),
    "Disgust": ({4: 0.6, 7: 0.6, 9: 1, 10: 0.9, 15: 0.5, 17: 0.3}, {4: 0.5, 7: 0.6, 9: 1, 10: 1, 25: 0.5}),
    "Fear": ({1: 1, 2: 0.5, 4: 0.7, 5: 1, 20: 0.9, 25: 0.6, 26: 0.3}, {1: 1, 2: 0.7, 4: 0.5, 5: 1, 20: 0.8, 26: 0.8}),
    "Happy": ({6: 0.8, 12: 1}, {6: 0.9, 12: 1, 25: 0.9}, {6: 1, 12: 1, 25: 0.7, 26: 0.5}),
    "Sad": ({1: 1, 4: 0.5, 15: 1, 17: 0.6, 43: 0.4}, {1: 0.8, 4: 0.7, 15: 0.8, 17: 1, 43: 0.6}),
    "Surprise": ({1: 1, 2: 1, 5: 0.8, 26: 1}, {1: 1, 2: 1, 5: 1, 27: 1}),
    "Neutral": ({},),
}

# What a face with a wrong label, or with a blended expression, shows in place of its emotion.
CONFUSABLE = {
    "Angry": ("Disgust", "Sad", "Neutral", "Fear"),
    "Disgust": ("Angry", "Angry", "Sad"),
    "Fear": ("Surprise", "Surprise", "Sad", "Angry"),
    "Happy": ("Neutral", "Surprise"),
    "Sad": ("Neutral", "Neutral", "Fear", "Angry"),
    "Surprise": ("Fear", "Fear", "Happy"),
    "Neutral": ("Sad", "Sad", "Angry", "Happy"),
}
LABEL_NOISE = 0.06

N_ACTION_UNITS = 44


def synthetic_dataset(n_faces: int = 1500, seed: int = 0) -> Dataset:
    """Draw a dataset with FER2013's splits and nearly its class shares.

    Parameters
    ----------
    n_faces : int
        Faces of the three splits together, at least 70.
    seed : int
        Each face has a seed of its own under it, so that it is the same however many are drawn.

    Returns
    -------
    Dataset
        About 6% of the labels of every split are wrong, as in FER2013.
    """
    if n_faces < MIN_FACES:
        raise ValueError(f"expected n_faces of at least {MIN_FACES}, got {n_faces}")
    sizes = _shares(PARTS, n_faces)
    splits = {}
    for part, (usage, size) in enumerate(zip(USAGES, sizes, strict=True)):
        counts = _shares(SHARES, size)
        y = np.repeat(np.arange(len(EMOTIONS)), counts)
        X = np.empty((len(y), N_PIXELS), dtype=np.uint8)
        for row, (label, number) in enumerate((label, i) for label, count in enumerate(counts) for i in range(count)):
            rng = np.random.default_rng(np.random.SeedSequence([seed, part, label, number]))
            X[row] = draw_face(_shown(EMOTIONS[label], rng), rng).ravel()
        order = np.random.default_rng(np.random.SeedSequence([seed, part])).permutation(len(y))
        splits[usage] = Split(X[order], y[order].astype(np.int64))
    return Dataset("synthetic", splits, "synthetic faces drawn by code, not FER2013")


def draw_face(emotion: str, rng: np.random.Generator, clean: bool = False) -> NDArray[np.uint8]:
    """Draw one face of a random person.

    Parameters
    ----------
    emotion : str
        One of `models.labels.EMOTIONS`.
    rng : numpy.random.Generator
        Decides the person, the strength of the expression, the pose and the light.
    clean : bool
        Draw a strong, pure expression, nearly frontal and in even light.

    Returns
    -------
    ndarray of shape (48, 48), dtype uint8
    """
    if emotion not in ACTION_UNITS:
        raise ValueError(f"unknown emotion {emotion!r}, expected one of {', '.join(EMOTIONS)}")
    return portrait(_expression(emotion, rng, clean), rng, clean)


def _shares(weights: Sequence[int], n: int) -> list[int]:
    """Return `n` parted in the ratio of `weights`, by largest remainder with at least 1 each."""
    exact = np.array(weights) * n / sum(weights)
    counts = np.maximum(1, np.floor(exact).astype(int))
    rest = n - counts.sum()
    counts[np.argsort(counts - exact, kind="stable")[: max(rest, 0)]] += 1
    counts[counts.argmax()] += min(rest, 0)
    return counts.tolist()


def _shown(label: str, rng: np.random.Generator) -> str:
    """Return the emotion that a face with this label shows: mostly the same."""
    return str(rng.choice(CONFUSABLE[label])) if rng.random() < LABEL_NOISE else label


def _prototype(emotion: str, rng: np.random.Generator) -> NDArray[np.float64]:
    au = np.zeros(N_ACTION_UNITS)
    ways = ACTION_UNITS[emotion]
    for unit, intensity in ways[rng.integers(len(ways))].items():
        au[unit] = intensity
    return au


def _expression(emotion: str, rng: np.random.Generator, clean: bool) -> list[float]:
    """Return the intensity of each action unit, by its number."""
    au = _prototype(emotion, rng) * (rng.uniform(0.85, 1) if clean else rng.uniform(0.6, 1))
    if clean:
        return au.tolist()
    if rng.random() < 0.25:
        au += rng.uniform(0.1, 0.4) * (_prototype(str(rng.choice(CONFUSABLE[emotion])), rng) - au)
    au *= rng.uniform(0.7, 1.2, N_ACTION_UNITS)
    stray = rng.random(N_ACTION_UNITS) < 0.1
    au[stray] += rng.uniform(0, 0.3, stray.sum())
    return np.clip(au, 0, 1.1).tolist()
