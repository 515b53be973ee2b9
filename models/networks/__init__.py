"""Keras networks as recognizers: training, augmentation, checkpoints, LiteRT."""
