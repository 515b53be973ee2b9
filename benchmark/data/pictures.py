"""Reading the pictures of a data set, whatever its layout: one place that labels them and brings them to 48x48."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from benchmark.data.dataset import DataError
from benchmark.data.readers.sample import Layout, Sample
from features.rows import IMAGE_SIDE
from models.inference.crop import Detector, find_faces
from models.inference.grey_levels import PhotoError
from models.inference.inputs import read_files, read_pictures
from models.inference.read_image import resize_to_face
from models.labels import EMOTIONS, Labels, emotion_of, emotion_of_path, folder_key

_EXAMPLE = "--labels 1=surprise 2=fear 3=disgust 4=happy 5=sad 6=angry 7=neutral"
NUMBERED = f"a number names no emotion: rename the folder, or give labels, e.g. benchmark.run {_EXAMPLE}"
EXPECTED = "one folder for each emotion, e.g. happy/1.jpg or train/happy/1.jpg, or a layout of benchmark/README.md"
_CHUNK = 1024  # pictures in memory, where they are no files
_SHOWN = 5
_TABLES = (".csv", ".gz", ".xz", ".zip", ".tgz", ".tar")


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of a data set, read.

    Attributes
    ----------
    X : ndarray of shape (n_faces, 2304), dtype uint8
    y : ndarray of shape (n_faces,), dtype int64
    usages, subjects : list of str
        Of each face, as in `benchmark.data.readers.sample.Sample`.
    left_out : dict of str to int
        Pictures that show none of the seven emotions, by what they show; they are in no score.
    unreadable : dict of str to str
        Pictures that could not be read, and why.
    no_face : int
        Pictures in which no face was found.
    resized : int
        Faces that had another size than 48x48.
    """

    X: NDArray[np.uint8]
    y: NDArray[np.int64]
    usages: Sequence[str]
    subjects: Sequence[str]
    left_out: Mapping[str, int]
    unreadable: Mapping[str, str]
    no_face: int
    resized: int

    @property
    def notes(self) -> list[str]:
        """What a reader of the scores must know: what was changed, and what is not in them."""
        notes = []
        if self.resized:
            notes.append(f"brought to {IMAGE_SIDE}x{IMAGE_SIDE} by area, from other sizes: {self.resized}")
        if self.no_face:
            notes.append(f"photos in which no face was found, left out: {self.no_face}")
        if self.left_out:
            shown = _some([f"{name} ({count})" for name, count in self.left_out.items()])
            notes.append(f"left out, since they are none of the seven emotions: {shown}")
        if self.unreadable:
            names = _some([Path(name).name for name in self.unreadable])
            notes.append(f"files that could not be read: {len(self.unreadable)} ({names})")
        return notes


def parse_labels(items: Sequence[str]) -> Labels:
    """Return ``NAME=EMOTION`` items, such as ``1=surprise``, as labels by the name of a folder or by a number.

    Raises
    ------
    DataError
        If an item has another form, an emotion is none of the seven, or a name comes twice.
    """
    labels: dict[str, int] = {}
    for item in items:
        name, equals, emotion = item.rpartition("=")
        label = emotion_of(emotion)
        if not (equals and folder_key(name)):
            raise DataError(f"--labels {item}: write it as NAME=EMOTION, e.g. {_EXAMPLE}")
        if label is None:
            raise DataError(f"--labels {item}: {emotion!r} is no emotion of FER2013: use one of {', '.join(EMOTIONS)}")
        if folder_key(name) in labels:
            raise DataError(f"--labels {item}: {name} comes twice: give it one emotion")
        labels[folder_key(name)] = label
    return labels


def label_options(labels: Labels | None) -> list[str]:
    """Return the option that `parse_labels` reads as these labels; nothing for none."""
    return ["--labels", *(f"{name}={EMOTIONS[label].lower()}" for name, label in labels.items())] if labels else []


def digest_samples(path: Path, layout: Layout, labels: Labels | None) -> str:
    """Return a digest of all that the pictures of a data set follow from."""
    digest = hashlib.sha256()
    for sample, label in _labelled(path, layout, labels):
        about = (label, sample.usage, sample.subject, sample.box, sample.expression if label is None else "")
        digest.update(repr(about).encode())
        if label is not None:
            digest.update(hashlib.sha256(_content(sample)).digest())
    return digest.hexdigest()


def read_pictures_of(
    path: Path, layout: Layout, labels: Labels | None = None, detector: Detector | None = None
) -> Pictures:
    """Read the pictures of a data set as grey faces.

    Parameters
    ----------
    path : Path
    layout : Layout
        From `benchmark.data.readers.find_layout`.
    labels : mapping of str to int, optional
        Labels by other names than those of emotions, from `parse_labels`.
    detector : Detector, optional
        Finds the largest face of each picture, which is cropped. Otherwise the whole picture is the face, or its box in
        the list of the data set.

    Raises
    ------
    DataError
        If no picture has an emotion, or none can be read. A picture that cannot is counted.
    """
    rows, known, left_out = [], [], Counter[str]()
    unreadable: dict[str, str] = {}
    no_face = resized = 0
    progress = tqdm(_labelled(path, layout, labels), unit="photo", disable=None)
    for sample, label, face in _read_all(progress, detector):
        if label is None:
            left_out[sample.expression] += 1
        elif isinstance(face, str):
            unreadable[sample.name] = face
        elif face is None:
            no_face += 1
        else:
            rows.append(face.row)
            resized += face.resized
            known.append((label, sample.usage, sample.subject))
    if not rows:
        if unreadable or no_face:
            reasons = "".join(f"; {name}: {reason}" for name, reason in islice(unreadable.items(), _SHOWN))
            advice = "; if the photos are faces already, add --cropped, or leave --find-faces out" if detector else ""
            raise DataError(f"{path}: no face in {len(unreadable) + no_face} photos{advice}{reasons}")
        raise DataError(_nothing_labelled(path, left_out))
    y, usages, subjects = zip(*known, strict=True)
    X = np.stack(rows).astype(np.uint8)
    found = dict(sorted(left_out.items()))
    return Pictures(X, np.array(y, np.int64), usages, subjects, found, unreadable, no_face, resized)


@dataclass(frozen=True, eq=False)
class _Face:
    row: NDArray[np.uint8]
    resized: bool


def _labelled(path: Path, layout: Layout, labels: Labels | None) -> Iterator[tuple[Sample, int | None]]:
    for sample in layout.samples(path):
        yield sample, emotion_of_path(sample.expression.split("/"), labels)


def _read_all(
    samples: Iterable[tuple[Sample, int | None]], detector: Detector | None
) -> Iterator[tuple[Sample, int | None, _Face | str | None]]:
    """Yield each sample with its label and its face; None where none was found, or why it cannot be read."""

    def read(item: tuple[Sample, int | None]) -> tuple[Sample, int | None, _Face | str | None]:
        sample, label = item
        return sample._replace(picture=b""), label, None if label is None else _read(sample, detector)

    if detector:  # which takes one picture at a time
        yield from map(read, samples)
        return
    waiting = iter(samples)
    with ThreadPoolExecutor() as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            yield from pool.map(read, chunk)


def _read(sample: Sample, detector: Detector | None) -> _Face | str | None:
    source = sample.picture
    (photo,) = read_files([str(source)]) if isinstance(source, Path) else read_pictures([(sample.name, source)])
    if photo.image is None:
        return photo.error
    try:
        if detector:
            row = _largest_face(photo.image, detector)
            return None if row is None else _Face(row, False)
        image = _cut_out(photo.image, sample.box)
        return _Face(resize_to_face(image).ravel(), image.shape != (IMAGE_SIDE, IMAGE_SIDE))
    except PhotoError as error:
        return str(error)


def _cut_out(image: NDArray[np.uint8], box: tuple[int, int, int, int] | None) -> NDArray[np.uint8]:
    left, top, width, height = box or (0, 0, image.shape[1], image.shape[0])
    part = image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    if not part.size:
        raise PhotoError(f"the box {box} lies outside the picture: correct the list")
    return part


def _largest_face(photo: NDArray[np.uint8], detector: Detector) -> NDArray[np.uint8] | None:
    faces, crops = find_faces(photo, detector)
    sizes = [face.width * face.height for face in faces]
    return crops[int(np.argmax(sizes)), 0].ravel() if sizes else None


def _content(sample: Sample) -> bytes:
    if not isinstance(sample.picture, Path):
        return bytes(sample.picture)
    try:
        return sample.picture.read_bytes()
    except OSError as error:  # which reading counts
        return f"{sample.picture} {error.errno}".encode()


def _nothing_labelled(path: Path, left_out: Mapping[str, int]) -> str:
    numbered = [name for name in left_out if folder_key(name.rpartition("/")[2]).isdecimal()]
    if numbered:
        return f"{path}/{min(numbered)}: {NUMBERED}"
    tables = sorted(file for file in path.iterdir() if file.name.lower().endswith(_TABLES)) if path.is_dir() else []
    fix = f"the path of the file, {tables[0]}" if tables else f"{EXPECTED}, or the path of fer2013.csv"
    shown = f" ({_some([f'{count} in {name}' for name, count in left_out.items()])})" if left_out else ""
    return f"{path}: no photos in a folder named after an emotion{shown}: give {fix}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
