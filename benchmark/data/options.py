"""The options of commands that say which data are used."""

from __future__ import annotations

import argparse

from benchmark.data import Dataset, load_dataset
from benchmark.data.pictures import parse_labels


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, ``--labels`` and ``--find-faces``."""
    option = parser.add_argument
    option("--data", metavar="PATH", help="FER2013 or another data set (default: $FER2013, else synthetic faces)")
    add_labels(parser)
    option("--find-faces", action="store_true", help="crop the largest face of every picture in the data set")


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add ``--labels``."""
    meaning = "what other names of folders, or numbers, show: e.g. 1=fear 2=sad"
    parser.add_argument("--labels", nargs="+", default=[], metavar="NAME=EMOTION", help=meaning)


def load_data(args: argparse.Namespace, limit: int | None = None, labelled_by: str = "fer2013") -> Dataset:
    """Load the data that the options say; see `benchmark.data.load_dataset`."""
    labels, votes = parse_labels(args.labels), getattr(args, "ferplus", None)
    return load_dataset(args.data, limit, labels, labelled_by, votes, args.find_faces)
