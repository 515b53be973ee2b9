"""Recognizers of facial expressions: the registry that finds them, saved models, prediction.

>>> import models
>>> models.EMOTIONS
('Angry', 'Disgust', 'Fear', 'Happy', 'Sad', 'Surprise', 'Neutral')
>>> recognizer = models.load("results/fer2013/kaggle/models/majority.joblib")
>>> table = models.predict_images("results/example.png", model=recognizer, whole=True)  # one row per face
>>> table["emotion"].tolist()
['Happy']
"""

from models.artifacts import ArtifactError, load
from models.labels import EMOTIONS
from models.prediction import predict_images

__all__ = ["EMOTIONS", "ArtifactError", "load", "predict_images"]
