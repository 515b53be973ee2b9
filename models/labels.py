"""The seven emotions of FER2013 in the order of its labels, and the folder names that mean each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

EMOTIONS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")

Labels = Mapping[str, int]

# No rule of spelling: "angel", "tearful" and "neural" are one letter away from other emotions than they mean.
_NAMES = (
    {"angry", "anger", "angery", "mad", "rage", "furious"},
    {"disgust", "disgusted", "digust", "disgusts", "disguist", "disguisted"},
    {"fear", "fearful", "fearfull", "afraid", "scared", "frightened"},
    {"happy", "happiness", "happyness", "happines", "hapiness", "hapy", "joy", "joyful", "smile", "smiling"},
    {"sad", "sadness", "sadnes", "unhappy", "sorrow"},
    {"surprise", "surprised", "suprise", "suprised", "surprize", "surprized", "surpise", "surpised"},
    {"neutral", "neutrality", "nuetral", "netural", "neutrel"},
)
_FILLERS = {"face", "faces", "image", "images", "photo", "photos", "pic", "pics", "picture", "pictures"}
_FILLERS |= {"emotion", "emotions", "expression", "expressions"}


def emotion_of(name: str, labels: Labels | None = None) -> int | None:
    """Return the label of the emotion that a folder's name stands for, or None.

    Parameters
    ----------
    name : str
        An emotion as people write it, in any case of letters. Numbers, punctuation and words such as "faces" around it
        are no part of it: ``0_angry``, ``Joy (2)``. A number alone stands for nothing: data sets differ in their order.
    labels : mapping of str to int, optional
        What other names stand for, by their `folder_key`.
    """
    if labels and (label := labels.get(folder_key(name))) is not None:
        return label
    words = [word for word in re.split(r"[\W\d_]+", folder_key(name)) if word and word not in _FILLERS]
    return next((label for label, names in enumerate(_NAMES) if len(words) == 1 and words[0] in names), None)


def emotion_of_path(folders: Sequence[str], labels: Labels | None = None) -> int | None:
    """Return the label of the innermost folder that names an emotion, or None where none does."""
    labels_upwards = (emotion_of(name, labels) for name in reversed(folders))
    return next((label for label in labels_upwards if label is not None), None)


def folder_key(name: str) -> str:
    """Return a folder's name without what systems change in it; 1, 01 and 001 are the same number."""
    text = unicodedata.normalize("NFKC", name).strip().casefold()
    return str(int(text)) if text.isdecimal() else text
