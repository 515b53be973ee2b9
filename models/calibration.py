"""Temperature scaling: fit one temperature per recognizer on validation faces, and apply it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

TINY = np.finfo(np.float32).tiny
LOG_TEMPERATURES = (-2.0, 2.0)


def apply_temperature(proba: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """Return probabilities of shape (n_faces, n_classes) raised to 1 / temperature, rows summing to 1.

    Above 1 a temperature makes probabilities milder, below 1 sharper; which class is most probable stays.
    """
    return proba if temperature == 1 else softmax(_log(proba) / temperature, axis=1)


def best_temperature(proba: NDArray[np.floating], y: NDArray[np.intp]) -> float:
    """Return the temperature, from 0.14 to 7.4, with the least log loss.

    Parameters
    ----------
    proba : ndarray of shape (n_faces, n_classes)
        Of validation faces.
    y : ndarray of shape (n_faces,)
        Their classes, as positions of the columns.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    https://arxiv.org/abs/1706.04599
    """
    logs, rows = _log(proba), np.arange(len(y))

    def log_loss(log_temperature: float) -> float:
        return -float(log_softmax(logs / np.exp(log_temperature), axis=1)[rows, y].mean())

    return float(np.exp(minimize_scalar(log_loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def _log(proba: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(np.maximum(proba.astype(float), TINY))
