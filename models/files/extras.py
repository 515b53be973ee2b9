"""Other packages: the extra of this project that installs each, and the modules that they name for this one."""

from __future__ import annotations

from functools import cache
from importlib import metadata

# What predicting with LiteRT files does not need.
EXTRAS = {
    **dict.fromkeys(("filelock", "jinja2", "keras", "psutil", "seaborn", "skimage", "statsmodels"), "train"),
    **dict.fromkeys(("tensorflow", "xgboost"), "train"),
    "matplotlib": "plot",
    **dict.fromkeys(("onnx", "onnxruntime", "tf2onnx"), "onnx"),
    "av": "video",
    "cv2": "camera",
    "pyarrow": "parquet",
}


def pip_install(*modules: str) -> str:
    """Return the command that installs modules, by this project's extras where they belong to one.

    >>> pip_install("keras", "xgboost", "rembg")
    "pip install 'fer-benchmark[train]' rembg"
    """
    names = dict.fromkeys(f"'fer-benchmark[{EXTRAS[name]}]'" if name in EXTRAS else name for name in modules)
    return f"pip install {' '.join(names)}"


@cache
def entry_points(group: str, path: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return name, module and package of every entry point of a group, by package.

    Parameters
    ----------
    group : str
    path : tuple of str
        Today's ``sys.path``: to search it takes 30 ms, so it is searched once.
    """
    points = [(point.dist.name, point.name, point.module) for point in metadata.entry_points(group=group) if point.dist]
    return [(name, module, package) for package, name, module in sorted(points)]
