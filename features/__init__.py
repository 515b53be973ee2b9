"""Stateless image descriptors: flat rows of 48x48 grey faces in, vectors out."""

from features.hog import HogDescriptor
from features.lbp import LbpDescriptor

__all__ = ["HogDescriptor", "LbpDescriptor"]
