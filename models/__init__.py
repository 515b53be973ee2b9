"""Recognizers of facial expressions: the registry that finds them, saved models, prediction.

>>> import models
>>> models.EMOTIONS
('Angry', 'Disgust', 'Fear', 'Happy', 'Sad', 'Surprise', 'Neutral')
>>> recognizer = models.load("results/fer2013/kaggle/models/majority.joblib")
>>> table = models.predict_images("results/example.png", model=recognizer, whole=True)  # one row per face
>>> table["emotion"].tolist()
['Happy']
"""

from models.artifacts.save_load import ArtifactError, load
from models.inference.pipeline import predict_images
from models.inference.stream import Stream
from models.labels import EMOTIONS

__all__ = ["EMOTIONS", "ArtifactError", "Stream", "load", "predict_images"]
