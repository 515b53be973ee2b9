"""The seven emotions of FER2013, in the order of the labels in its CSV file."""

from __future__ import annotations

EMOTIONS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")

_SYNONYMS = (
    {"angry", "anger"},
    {"disgust", "disgusted"},
    {"fear", "fearful", "afraid", "scared"},
    {"happy", "happiness"},
    {"sad", "sadness"},
    {"surprise", "surprised"},
    {"neutral", "neutrality"},
)


def emotion_of(name: str) -> int | None:
    """Return the label of the emotion that people call `name`, in any case of letters, or None for an unknown name."""
    word = name.strip().lower()
    return next((label for label, names in enumerate(_SYNONYMS) if word in names), None)
