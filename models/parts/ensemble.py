"""Base of the ensembles: recognizers that combine the probabilities of other, fitted recognizers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from models.base import BaseRecognizer
from models.calibration import apply_temperature, best_temperature

MemberProbabilities = Mapping[str, NDArray[np.floating]]


class Ensemble(ClassifierMixin, BaseEstimator):
    """Base of the ensembles. Fitting one fits the combination, never a member.

    A subclass implements ``_combine`` and, where the combination has something to learn, ``_fit``. What comes out is
    calibrated as `models.base.BaseRecognizer` does it: an average of calibrated probabilities is too mild.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        Of the calibration.
    members_ : mapping of str to recognizer
        Fitted members, present once `attach` was called; needed to predict faces, not to combine probabilities.
    """

    suffix = ".joblib"
    temperature_ = 1.0

    def fit(self, probabilities: MemberProbabilities, y: ArrayLike, classes: ArrayLike) -> Ensemble:
        """Fit the combination on the members' probabilities of the validation faces.

        Parameters
        ----------
        probabilities : mapping of str to ndarray of shape (n_faces, n_classes)
            Each member's probabilities of the validation faces.
        y : array-like of shape (n_faces,)
            Labels of the validation faces.
        classes : array-like of shape (n_classes,)
            Labels in the order of the columns.

        Raises
        ------
        ValueError
            If there are fewer than two classes, or shapes or labels do not match.
        """
        self.classes_ = np.asarray(classes)
        if len(self.classes_) < 2:
            raise ValueError(f"classes has one class only ({self.classes_}): a classifier needs at least two")
        self.names_ = tuple(probabilities)
        labels = np.asarray(y)
        for name, proba in probabilities.items():
            if np.shape(proba) != (len(labels), len(self.classes_)):
                raise ValueError(f"member {name} has probabilities of shape {np.shape(proba)}: give a row a label")
        if not np.isin(labels, self.classes_).all():
            raise ValueError(f"y has other labels than the classes {self.classes_}: give one of these a face")
        codes = np.searchsorted(self.classes_, labels)
        self._fit(probabilities, codes)
        self.temperature_ = best_temperature(self._combine(probabilities), codes)
        return self

    def attach(self, members: Mapping[str, BaseRecognizer]) -> Ensemble:
        """Set the fitted members, by name; needed before `predict_proba`. They may know fewer classes."""
        for name in self.names_:
            if name not in members or not np.isin(members[name].classes_, self.classes_).all():
                raise ValueError(f"member {name} is missing or has other classes: attach {', '.join(self.names_)}")
        self.members_ = {name: members[name] for name in self.names_}
        return self

    def combine(self, probabilities: MemberProbabilities) -> NDArray[np.float32]:
        """Combine the members' probabilities, each of shape (n_faces, n_classes), into the ensemble's."""
        check_is_fitted(self, "classes_")
        combined = self._combine({name: probabilities[name] for name in self.names_})
        return np.asarray(apply_temperature(combined, self.temperature_), dtype=np.float32)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class for rows `X` of shape (n_faces, 2304), dtype uint8."""
        check_is_fitted(self, "members_", msg="this ensemble has no members: call attach, or load it by models.load")
        probabilities = {}
        for name, member in self.members_.items():
            proba = member.predict_proba(X)
            probabilities[name] = np.zeros((len(proba), len(self.classes_)), proba.dtype)
            probabilities[name][:, np.searchsorted(self.classes_, member.classes_)] = proba
        return self.combine(probabilities)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of every face, shape (n_faces,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def detached(self) -> Ensemble:
        """Return the combination alone, as it is saved: the members have files of their own."""
        alone = copy(self)
        alone.__dict__.pop("members_", None)
        return alone

    def _fit(self, probabilities: MemberProbabilities, y: NDArray[np.intp]) -> None:
        """Learn from members' probabilities and the positions of the true classes; by default, nothing."""

    def _combine(self, probabilities: MemberProbabilities) -> NDArray[np.floating]:
        raise NotImplementedError
