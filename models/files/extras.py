"""Packages that predicting with LiteRT files does not need, and the extra of this project that installs each."""

from __future__ import annotations

EXTRAS = {
    **dict.fromkeys(("filelock", "jinja2", "keras", "psutil", "seaborn", "skimage", "statsmodels"), "train"),
    **dict.fromkeys(("tensorflow", "xgboost"), "train"),
    "matplotlib": "plot",
    **dict.fromkeys(("onnx", "onnxruntime", "tf2onnx"), "onnx"),
    "gradio": "demo",
    "av": "video",
}


def pip_install(*modules: str) -> str:
    """Return the command that installs modules, by this project's extras where they belong to one.

    >>> pip_install("keras", "xgboost", "rembg")
    "pip install 'fer-benchmark[train]' rembg"
    """
    names = dict.fromkeys(f"'fer-benchmark[{EXTRAS[name]}]'" if name in EXTRAS else name for name in modules)
    return f"pip install {' '.join(names)}"
