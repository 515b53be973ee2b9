"""Base class of the recognizers: checks of rows and labels, calibration, and the classifier interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from features.rows import N_PIXELS, check_rows
from models.calibration import apply_temperature, best_temperature
from models.checks import check_faces, check_soft_labels, check_weight

VALIDATION_SHARE = 0.1


class BaseRecognizer(ClassifierMixin, BaseEstimator):
    """Base of the recognizers: a scikit-learn classifier on flat rows of 48x48 grey faces.

    A subclass implements ``_fit`` and ``_predict_proba`` on checked arrays, with labels as codes 0..n_classes-1. Its
    probabilities are calibrated here: by the temperature with the least log loss on validation faces. One whose
    ``_fit`` ignores the validation faces has the class attribute ``uses_validation = False``: it is fitted once for
    protocols that differ in the validation split, and calibrated for each. One that learns from soft labels has
    ``uses_soft_labels = True``: its ``_fit`` takes the share of each class instead of codes, shape (n_faces,
    n_classes), dtype float32: one-hot rows for validation, and for training without soft labels.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; the order of the columns of `predict_proba`.
    temperature_ : float
        Of the calibration: above 1 where the uncalibrated probabilities were overconfident.
    """

    suffix = ".joblib"
    uses_soft_labels = False
    random_state: int
    temperature_ = 1.0

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        soft_labels: ArrayLike | None = None,
    ) -> BaseRecognizer:
        """Fit on the training split.

        Parameters
        ----------
        X : array-like of shape (n_faces, 2304), dtype uint8
            Grey levels 0-255.
        y : array-like of shape (n_faces,)
            Labels.
        sample_weight : array-like of shape (n_faces,), optional
            Weight of each face, 1 by default; none negative, and some above 0 in every class.
        validation : tuple (X, y), optional
            Faces for early stopping and for calibration, never fitted on. Without it a stratified tenth of the
            training faces is set aside.
        soft_labels : array-like of shape (n_faces, n_classes), optional
            Share of each class for each training face, columns in the order of `classes_`, rows that sum to 1. Networks
            learn them instead of `y`, which still says the classes; other recognizers ignore them.

        Raises
        ------
        ValueError
            If rows, labels, weights or soft labels have the wrong form, or validation faces carry a label that training
            lacks.
        """
        rows, labels = check_faces(X, y)
        weight = check_weight(sample_weight, len(rows))
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only ({self.classes_}): a classifier needs faces of at least two")
        if not np.bincount(codes, weight).all():
            raise ValueError("sample_weight is 0 for all faces of a class: leave these faces out, or give them weight")
        one_hot = np.eye(len(self.classes_), dtype=np.float32)
        shares = one_hot[codes] if soft_labels is None else check_soft_labels(soft_labels, len(rows), len(one_hot))
        if validation is None:
            rows, valid_rows, codes, valid_codes, weight, _, shares, _ = self._set_aside(rows, codes, weight, shares)
        else:
            valid_rows, valid_codes = self._check_validation(validation)
        self.n_features_in_ = N_PIXELS
        y_fit, y_valid = (shares, one_hot[valid_codes]) if self.uses_soft_labels else (codes, valid_codes)
        self._fit(rows, y_fit, weight, valid_rows, y_valid)
        self._calibrate(valid_rows, valid_codes)
        return self

    def calibrate(self, X: ArrayLike, y: ArrayLike) -> BaseRecognizer:
        """Calibrate a fitted recognizer anew, on other validation faces.

        Parameters
        ----------
        X : array-like of shape (n_faces, 2304), dtype uint8
        y : array-like of shape (n_faces,)
            Labels, each among `classes_`.
        """
        check_is_fitted(self, "classes_")
        self._calibrate(*self._check_validation((X, y)))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class.

        Parameters
        ----------
        X : array-like of shape (n_faces, 2304), dtype uint8

        Returns
        -------
        ndarray of shape (n_faces, n_classes), dtype float32
            Columns in the order of `classes_`; rows sum to 1.
        """
        check_is_fitted(self, "classes_")
        rows = check_rows(X)
        if not len(rows):
            return np.zeros((0, len(self.classes_)), np.float32)
        return np.asarray(apply_temperature(self._predict_proba(rows), self.temperature_), dtype=np.float32)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of every face, shape (n_faces,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _calibrate(self, X: NDArray[np.uint8], y: NDArray[np.intp]) -> None:
        self.temperature_ = 1.0
        self.temperature_ = best_temperature(self.predict_proba(X), y)

    def _set_aside(self, rows: NDArray[np.uint8], codes: NDArray, *others: NDArray) -> list[NDArray]:
        """Return of each array the part of training and that of validation."""
        try:
            return train_test_split(
                rows, codes, *others, test_size=VALIDATION_SHARE, stratify=codes, random_state=self.random_state
            )
        except ValueError:
            raise ValueError(
                f"{len(rows)} faces are too few: no tenth with all {len(self.classes_)} classes can be set aside for "
                "validation: give validation=(X, y), or more faces"
            ) from None

    def _check_validation(self, validation: Any) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise ValueError("validation is not a pair: give (X, y), rows and labels of the validation faces")
        try:
            rows, labels = check_faces(*validation)
        except ValueError as error:
            raise ValueError(f"validation: {error}") from None
        known = np.isin(labels, self.classes_)
        if not known.all():
            raise ValueError(f"validation labels {np.unique(labels[~known])} are not among the training labels")
        return rows, np.searchsorted(self.classes_, labels)

    def _fit(
        self,
        X: NDArray[np.uint8],
        y: NDArray,
        sample_weight: NDArray[np.float64],
        X_valid: NDArray[np.uint8],
        y_valid: NDArray,
    ) -> None:
        raise NotImplementedError

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        raise NotImplementedError
