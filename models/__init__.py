"""Recognizers of facial expressions: the registry that finds them, saved models, prediction.

>>> import models
>>> models.predict_images("photo.jpg")  # a DataFrame, a row a face  # doctest: +SKIP
>>> recognizer = models.load("results/fer2013/kaggle/models/cnn.h5")  # doctest: +SKIP
>>> recognizer.predict_proba(rows)  # uint8, shape (n_faces, 2304)  # doctest: +SKIP
"""

from models.artifacts.save_load import ArtifactError, load
from models.inference.pipeline import predict_images
from models.labels import EMOTIONS

__all__ = ["EMOTIONS", "ArtifactError", "load", "predict_images"]
