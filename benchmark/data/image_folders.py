"""Reader of the image-folder copy of FER2013: `train/<emotion>/*.jpg` and `test/<emotion>/*.jpg`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.dataset import OFFICIAL_COUNTS, USAGES, DataError, Dataset, Split, cut_validation
from benchmark.data.fer2013 import named
from features.rows import IMAGE_SIDE
from models.inference.folders import files_below, is_litter
from models.labels import EMOTIONS, Labels, emotion_of, emotion_of_path, folder_key

_SPLITS = {
    **dict.fromkeys(("train", "training"), USAGES.index("Training")),
    **dict.fromkeys(("valid", "val", "validation", "publictest"), USAGES.index("PublicTest")),
    **dict.fromkeys(("test", "testing", "privatetest"), USAGES.index("PrivateTest")),
}
_TABLES = (".csv", ".gz", ".xz", ".zip", ".tgz", ".tar")
_GREY_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
_LAYOUT = "expected train/<emotion>/ and test/<emotion>/ with images, e.g. train/happy/Training_1.jpg"
_LABELS = "--labels 1=surprise 2=fear 3=disgust 4=happy 5=sad 6=angry 7=neutral"
NUMBERED = f"a number names no emotion: rename the folder, or give labels, e.g. benchmark.run {_LABELS}"
_VALIDATION_FACES = sum(OFFICIAL_COUNTS["PublicTest"])
_TRAINING_FACES = sum(OFFICIAL_COUNTS["Training"])


def parse_labels(items: Sequence[str]) -> Labels:
    """Return ``FOLDER=EMOTION`` items, such as ``1=surprise``, as labels by folder.

    Raises
    ------
    DataError
        If an item has another form, an emotion is none of the seven, or a folder comes twice.
    """
    labels: dict[str, int] = {}
    for item in items:
        folder, equals, emotion = item.rpartition("=")
        label = emotion_of(emotion)
        if not (equals and folder_key(folder)):
            raise DataError(f"--labels {item}: write it as FOLDER=EMOTION, e.g. {_LABELS}")
        if label is None:
            raise DataError(f"--labels {item}: {emotion!r} is no emotion of FER2013: use one of {', '.join(EMOTIONS)}")
        if folder_key(folder) in labels:
            raise DataError(f"--labels {item}: the folder {folder} comes twice: give it one emotion")
        labels[folder_key(folder)] = label
    return labels


class LabelledImage(NamedTuple):
    """The path of an image, the position of its split in `USAGES`, and its label."""

    path: Path
    usage: int
    label: int


def list_faces(folder: Path, labels: Labels | None = None) -> list[LabelledImage]:
    """List the images of a folder with ``train`` and ``test`` in it, or in a folder directly in it.

    The innermost folder with an emotion's name labels an image. Its split is that of its file's name, which starts with
    ``Training_``, ``PublicTest_`` or ``PrivateTest_`` as in the original copy; otherwise that of the outermost folder:
    ``train`` is Training, ``valid``, ``val`` or ``validation`` PublicTest, ``test`` PrivateTest.

    Parameters
    ----------
    folder : Path
        Links are followed; files left by systems, archives and notebooks are ignored, see `models.inference.folders`.
    labels : mapping of str to int, optional
        Labels by name of folder, as for `models.labels.emotion_of`.

    Returns
    -------
    list of LabelledImage
        In the order of the paths, at least one.

    Raises
    ------
    DataError
        If the folder is laid out otherwise.
    """
    root = _image_root(folder)
    faces = []
    for split in _folders(root):
        if split.name.lower() in _SPLITS:
            for path in (path for emotion in _folders(split) for path in files_below(emotion)):
                label = emotion_of_path(path.relative_to(split).parts[:-1], labels)
                if label is None:
                    raise DataError(_unlabelled(path))
                faces.append(LabelledImage(path, _usage_of(path, split), label))
    if not faces:
        raise DataError(f"{root}: no images: {_LAYOUT}")
    return faces


def read_faces(faces: Sequence[LabelledImage], folder: Path) -> Dataset:
    """Read 48x48 images.

    Where only one part is held out, under whichever name, it is PrivateTest, and a stratified PublicTest is cut from
    Training, in the proportion that it has in FER2013.

    Parameters
    ----------
    faces : sequence of LabelledImage
        From `list_faces`.
    folder : Path
        Where they are from, for messages.

    Returns
    -------
    Dataset
        Rows in the order of `faces`. Named as by `benchmark.data.fer2013.named`, except that one whose PublicTest was
        cut from the official Training is ``fer2013-folders``.

    Raises
    ------
    DataError
        If an image cannot be read or is not 48x48, or a split has no face.
    """
    with ThreadPoolExecutor() as pool:
        X = np.stack(list(pool.map(_read_image, [face.path for face in faces])))
    usage, y = (np.array(codes, dtype=np.int64) for codes in list(zip(*faces, strict=True))[1:])
    splits = {name: Split(X[usage == code], y[usage == code]) for code, name in enumerate(USAGES)}
    held_out = [splits[name] for name in USAGES[1:] if len(splits[name])]
    if len(splits["Training"]) and len(held_out) == 1:
        return _with_cut_validation(splits["Training"], held_out[0], folder)
    return named(splits, str(folder))


def _image_root(path: Path) -> Path:
    """Return the folder that holds ``train`` and ``test``: `path` or a folder directly in it."""
    for folder in [path, *_folders(path)]:
        if any(entry.name.lower() in _SPLITS for entry in _folders(folder)):
            return folder
    tables = sorted(file for file in path.iterdir() if file.name.lower().endswith(_TABLES) and not is_litter(file.name))
    fix = f"give the path of the file, {tables[0]}" if tables else f"{_LAYOUT}, or give the path of fer2013.csv"
    raise DataError(f"{path}: a folder without train and test folders: {fix}")


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not is_litter(entry.name))


def _unlabelled(path: Path) -> str:
    if path.is_dir():
        return f"{path}: cannot be listed: give yourself permission to read the folder"
    if folder_key(path.parent.name).isdecimal():
        return f"{path.parent}: {NUMBERED}"
    fix = f"rename the folder to one of {', '.join(EMOTIONS)}, or say what it shows: --labels FOLDER=EMOTION"
    return f"{path.parent}: no emotion of FER2013: {fix}"


def _with_cut_validation(train: Split, test: Split, root: Path) -> Dataset:
    try:
        training, validation = cut_validation(train.X, train.y, _VALIDATION_FACES / _TRAINING_FACES)
    except ValueError as error:
        raise DataError(
            f"{root}: no PublicTest can be cut from the {len(train)} Training faces ({error}): "
            "add faces, or a folder validation/<emotion>/"
        ) from error
    dataset = named({"Training": training, "PublicTest": validation, "PrivateTest": test}, str(root))
    official = tuple(train.counts) == OFFICIAL_COUNTS["Training"]
    note = f"PublicTest: {len(validation)} faces cut from Training, stratified; PrivateTest: all {len(test)} held out."
    return Dataset("fer2013-folders" if official else dataset.name, dataset.splits, f"{note} {dataset.note}")


def _usage_of(path: Path, split: Path) -> int:
    prefix = path.name.partition("_")[0]
    return USAGES.index(prefix) if prefix in USAGES else _SPLITS[split.name.lower()]


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            if image.size != (IMAGE_SIDE, IMAGE_SIDE) or image.mode not in _GREY_MODES:
                raise DataError(
                    f"{path}: an image of {image.width}x{image.height}, mode {image.mode}: "
                    f"use the {IMAGE_SIDE}x{IMAGE_SIDE} 8-bit images of the FER2013 copy"
                )
            return np.asarray(image.convert("L"), dtype=np.uint8).ravel()
    except (OSError, SyntaxError) as error:  # Pillow's errors for a damaged image
        raise DataError(f"{path}: no readable image: download it again or delete it") from error
