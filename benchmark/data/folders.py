"""The image-folder copy of FER2013: `train/<emotion>/*.jpg` and `test/<emotion>/*.jpg`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.dataset import OFFICIAL_COUNTS, USAGES, DataError, Dataset, Split, cut_validation
from benchmark.data.fer2013 import named
from features.rows import IMAGE_SIDE
from models.labels import EMOTIONS, emotion_of

_FOLDERS = {
    **dict.fromkeys(("train", "training"), USAGES.index("Training")),
    **dict.fromkeys(("valid", "val", "validation", "publictest"), USAGES.index("PublicTest")),
    **dict.fromkeys(("test", "testing", "privatetest"), USAGES.index("PrivateTest")),
}
_TABLES = (".csv", ".gz", ".xz", ".zip", ".tgz", ".tar")
_GREY_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
_LAYOUT = "expected train/<emotion>/ and test/<emotion>/ with images, e.g. train/happy/Training_1.jpg"
_VALIDATION_FACES = sum(OFFICIAL_COUNTS["PublicTest"])
_TRAINING_FACES = sum(OFFICIAL_COUNTS["Training"])


def image_root(path: Path) -> Path:
    """Return the folder that holds ``train`` and ``test``: `path` or a folder directly in it.

    Raises
    ------
    DataError
        If there is none.
    """
    for folder in [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]:
        if any(entry.is_dir() and entry.name.lower() in _FOLDERS for entry in folder.iterdir()):
            return folder
    tables = sorted(entry for entry in path.iterdir() if entry.name.lower().endswith(_TABLES))
    fix = f"give the path of the file, {tables[0]}" if tables else f"{_LAYOUT}, or give the path of fer2013.csv"
    raise DataError(f"{path}: a folder without train and test folders: {fix}")


def read_folder(root: Path) -> Dataset:
    """Read FER2013 from folders of 48x48 images.

    The split of a face is that of its file's name, which starts with ``Training_``, ``PublicTest_`` or
    ``PrivateTest_`` as in the original copy; otherwise that of its folder: ``train`` is Training, ``valid``, ``val`` or
    ``validation`` PublicTest, ``test`` PrivateTest. Where only one part is held out, under whichever name, it is
    PrivateTest, and a stratified PublicTest is cut from Training, in the proportion that it has in FER2013.

    Parameters
    ----------
    root : Path
        The folder that holds ``train`` and ``test``, see `image_root`.

    Returns
    -------
    Dataset
        Rows in the order of the files' paths. Named as by `benchmark.data.fer2013.named`, except that one whose
        PublicTest was cut from the official Training is ``fer2013-folders``.

    Raises
    ------
    DataError
        If the folder is laid out otherwise, or an image cannot be read or is not 48x48.
    """
    faces = _list_faces(root)
    with ThreadPoolExecutor() as pool:
        X = np.stack(list(pool.map(_read_image, [path for path, _, _ in faces])))
    usage, y = np.array([(usage, label) for _, usage, label in faces], dtype=np.int64).T
    splits = {name: Split(X[usage == code], y[usage == code]) for code, name in enumerate(USAGES)}
    held_out = [splits[name] for name in USAGES[1:] if len(splits[name])]
    if len(splits["Training"]) and len(held_out) == 1:
        return _with_cut_validation(splits["Training"], held_out[0], root)
    return named(splits, str(root))


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


def _list_faces(root: Path) -> list[tuple[Path, int, int]]:
    """Return path, position in `USAGES` and label of every image, in the order of the paths."""
    faces = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and path.name.lower() in _FOLDERS):
        for emotion in sorted(path for path in folder.iterdir() if path.is_dir()):
            label = emotion_of(emotion.name)
            if label is None:
                raise DataError(f"{emotion}: no emotion of FER2013: rename the folder to one of {', '.join(EMOTIONS)}")
            names = sorted(path for path in emotion.iterdir() if path.is_file() and not _is_litter(path))
            faces += [(path, _usage_of(path), label) for path in names]
    if not faces:
        raise DataError(f"{root}: no images: {_LAYOUT}")
    return faces


def _usage_of(path: Path) -> int:
    prefix = path.name.partition("_")[0]
    return USAGES.index(prefix) if prefix in USAGES else _FOLDERS[path.parent.parent.name.lower()]


def _is_litter(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in {"thumbs.db", "desktop.ini"}


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
