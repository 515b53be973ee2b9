"""What is done to faces before and in a fit, and what a command takes to start: how long each lasts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import feature
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from benchmark.data import DataError, Dataset, Split, read_csv
from benchmark.data.synthetic import synthetic_dataset
from benchmark.store import Record
from features import HogDescriptor, LbpDescriptor
from features.rows import as_images
from models.hog_svm import hog_svm
from models.labels import EMOTIONS
from models.patch_codebook import PatchCodebook
from models.rbf_svm import RbfSVM

SVM_FACES = 20_000
CODED_FACES = 1000
REPEATS = 3
Row = dict[str, Any]


def seconds(call: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the median time that a call takes."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return median(found)


def steps(data: Dataset, source: Path | None, records: Iterable[Record]) -> Iterator[Row]:
    """Measure what is done to faces before and in a fit, on all cores.

    Yields
    ------
    dict
        ``step``, ``what``, the number of ``faces``, ``seconds``, and for what replaces something slower ``times``, how
        many times faster it is, and ``difference``, the largest one of its values, or that of the accuracy.
    """
    if source is not None:
        n_faces = sum(len(data[usage]) for usage in data)
        yield {"step": "read", "what": source.name, "faces": n_faces, "seconds": seconds(partial(read_csv, source))}
    train, select = data["Training"], data["PublicTest"]
    yield from _descriptors(train)
    yield from _machines(train.sample(SVM_FACES), select)
    yield from recorded(records)


def recorded(records: Iterable[Record]) -> Iterator[Row]:
    """Take from the records how long fits on all faces took; of a network, its faces count in every epoch."""
    for record in records:
        if record["ensemble"]:  # nothing of it is fitted but its weights
            continue
        # A model that another protocol trained is stored without the curves of that training.
        epochs = len(record["history"].get("loss", ())) or record["params"].get("epochs", 1)
        faces, fitted = record["n_faces"]["fit"], record["cost"]["fit_seconds"]
        what = f"{record['recognizer']}, {epochs} epochs" if epochs > 1 else record["recognizer"]
        yield {"step": "fit (recorded)", "what": what, "faces": faces * epochs, "seconds": fitted}


def _descriptors(train: Split) -> Iterator[Row]:
    X, images = train.X, as_images(train.X)
    for name, ours, plain in (("HOG", HogDescriptor(), _plain_hog), ("LBP", LbpDescriptor(), _plain_lbp)):
        expected: list[NDArray] = []
        slow = seconds(partial(_loop, plain, images, expected), 1)
        fast = seconds(partial(ours.transform, X))
        yield {"step": "describe", "what": f"{name}, a loop over scikit-image's", "faces": len(X), "seconds": slow}
        row = {"step": "describe", "what": name, "faces": len(X), "seconds": fast, "times": slow / fast}
        yield row | {"difference": float(np.abs(ours.transform(X) - np.array(expected)).max())}
    book = PatchCodebook()
    row = {"step": "describe", "what": "patch codebook, learnt", "faces": len(X)}
    yield row | {"seconds": seconds(partial(book.fit, X), 1)}
    some = X[:CODED_FACES]
    row = {"step": "describe", "what": "patch codebook, applied", "faces": len(some)}
    yield row | {"seconds": seconds(partial(book.transform, some))}


def _loop(describe: Callable[[NDArray], NDArray], images: NDArray, found: list[NDArray]) -> None:
    found += [describe(image) for image in images]


def _plain_hog(image: NDArray) -> NDArray:
    return feature.hog(image, 9, (6, 6), (2, 2), "L2-Hys")


def _plain_lbp(image: NDArray, grid: int = 6, n_codes: int = 59) -> NDArray:
    codes = feature.local_binary_pattern(image, 8, 1, "nri_uniform")
    cells = [cell for band in np.split(codes, grid) for cell in np.split(band, grid, axis=1)]
    return np.concatenate([np.histogram(cell, n_codes, (0, n_codes))[0] / cell.size for cell in cells])


def _machines(train: Split, select: Split) -> Iterator[Row]:
    """Fit the support vector machine of `hog_svm`, and scikit-learn's, on the same vectors."""
    recipe = hog_svm()
    hog = HogDescriptor(recipe.orientations, recipe.pixels_per_cell)
    vectors = hog.transform(train.X)
    pca = PCA(min(recipe.n_components, len(train) - 1), svd_solver="covariance_eigh").fit(vectors)
    X, weight = pca.transform(vectors), np.ones(len(train))
    X_select = pca.transform(hog.transform(select.X))
    ours, plain = RbfSVM(recipe.C), SVC(C=recipe.C, gamma=1 / (X.shape[1] * X.var()), cache_size=2000)
    fast, slow = seconds(partial(ours.fit, X, train.y, weight), 1), seconds(partial(plain.fit, X, train.y), 1)
    accuracies = [
        (decided == select.y).mean() for decided in (_votes(ours.decision_function(X_select)), plain.predict(X_select))
    ]
    yield {"step": "fit", "what": "RBF SVM, scikit-learn's SVC", "faces": len(train), "seconds": slow}
    row = {"step": "fit", "what": "RBF SVM", "faces": len(train), "seconds": fast}
    yield row | {"times": slow / fast, "difference": abs(accuracies[0] - accuracies[1])}


def _votes(pairs: NDArray) -> NDArray:
    """Return the emotion that wins most of its pairs, as libsvm decides."""
    first, second = np.triu_indices(len(EMOTIONS), 1)
    won = np.where(pairs > 0, first, second)
    return np.stack([(won == emotion).sum(axis=1) for emotion in range(len(EMOTIONS))], axis=1).argmax(axis=1)


def starts(root: Path) -> Iterator[Row]:
    """Measure how long commands take that do next to nothing."""
    commands = {
        "import models": ["-c", "import models"],
        "import benchmark.run": ["-c", "import benchmark.run"],
        "import TensorFlow and Keras": ["-c", "from models.keras_recognizer import import_keras; import_keras()"],
    }
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "face.png"
        Image.fromarray(synthetic_dataset(70)["Training"].X[0].reshape(48, 48)).save(photo)
        predict = ["-m", "models.predict", "--whole", str(photo), "--results", str(root)]
        commands |= {"models.predict face.png": predict, "models.predict --exact face.png": [*predict, "--exact"]}
        for what, arguments in commands.items():
            yield {"step": "start", "what": what, "seconds": seconds(partial(_run, arguments))}


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"{' '.join(arguments)}: {done.stderr.strip()}")
