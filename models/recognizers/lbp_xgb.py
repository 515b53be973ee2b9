"""LBP histograms and gradient-boosted trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.lbp import LbpDescriptor
from models.base import BaseRecognizer
from models.registry import Range, recognizer


class LbpXGB(BaseRecognizer):
    """Uniform LBP histograms over a grid of cells, XGBoost with early stopping on the validation split.

    Parameters
    ----------
    grid : int
        Cells along each side of the face.
    n_estimators : int
        Rounds at most; each adds a tree a class, or one tree for two classes.
    learning_rate, max_depth, subsample, colsample_bytree : float or int
        As in `xgboost.XGBClassifier`.
    patience : int
        Rounds without a lower validation log loss after which boosting stops; the best round is kept.
    random_state : int
        Seed of the sampling of rows and columns.

    Notes
    -----
    The defaults were set by hand, without a recorded search.

    References
    ----------
    T. Chen and C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
    https://doi.org/10.1145/2939672.2939785
    """

    def __init__(
        self,
        grid: int = 6,
        n_estimators: int = 600,
        learning_rate: float = 0.1,
        max_depth: int = 6,
        subsample: float = 0.8,
        colsample_bytree: float = 0.25,
        patience: int = 30,
        random_state: int = 0,
    ) -> None:
        self.grid = grid
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.patience = patience
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        from xgboost import XGBClassifier

        self.descriptor_ = LbpDescriptor(grid=self.grid).fit(X)
        self.booster_ = XGBClassifier(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            subsample=self.subsample,
            colsample_bytree=self.colsample_bytree,
            early_stopping_rounds=self.patience,
            eval_metric="mlogloss" if len(self.classes_) > 2 else "logloss",
            tree_method="hist",
            random_state=self.random_state,
        )
        valid = (self.descriptor_.transform(X_valid), y_valid)
        self.booster_.fit(
            self.descriptor_.transform(X), y, sample_weight=sample_weight, eval_set=[valid], verbose=False
        )

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return self.booster_.predict_proba(self.descriptor_.transform(X))


@recognizer(
    family="classical",
    requires=("xgboost",),
    space={
        "grid": (5, 6, 7, 8),
        "learning_rate": Range(0.05, 0.3, log=True),
        "max_depth": Range(3, 8),
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.05, 1.0, log=True),
    },
)
def lbp_xgb(random_state: int = 0) -> LbpXGB:
    """Uniform LBP histograms and gradient-boosted trees."""
    return LbpXGB(random_state=random_state)
