"""Folders with the names of emotions, below ``train`` and ``test`` or not: copies of FER2013, your own pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.data.dataset import USAGES
from benchmark.data.readers.file_names import subject_of
from benchmark.data.readers.sample import Layout, Sample, usage_of
from models.inference.file_types import is_video
from models.inference.inputs import find_files


def _samples(path: Path) -> Iterator[Sample]:
    """Yield all pictures; a name with ``Training_`` before it, as in FER2013, says the split before its folder."""
    for file in map(Path, find_files([path])):
        place = file.relative_to(path).parts
        folders = place if file.is_dir() else place[:-1]  # a folder among the files cannot be listed
        prefix = file.name.partition("_")[0]
        usage = prefix if prefix in USAGES else usage_of(folders)
        # The frames of a video are no independent faces.
        expression = "videos" if is_video(str(file)) else "/".join(folders) or "."
        yield Sample(file, str(file), expression, usage, subject_of(file.stem))


LAYOUT = Layout("custom", Path.is_dir, _samples)
