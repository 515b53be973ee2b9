"""Export a model to a format that other programs read: ``python -m models.export cnn_deep --onnx cnn_deep.onnx``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from models.artifacts.lookup import DEFAULT_RESULTS
from models.artifacts.onnx_file import INPUT_TYPES, ExportError, write_onnx
from models.artifacts.save_load import ArtifactError, load
from models.files.atomic import explain
from models.files.extras import pip_install
from models.files.streams import one_line, prepare_streams
from models.inference.pipeline import print_notes

PACKAGES = ("onnx", "tf2onnx", "onnxruntime", "tensorflow")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if the model cannot be loaded, exported or written."""
    prepare_streams()
    args = build_parser().parse_args(argv)
    path = Path(os.path.expanduser(args.onnx))
    try:
        _check_packages()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recognizer = load(args.model, args.results)
        print_notes(caught, {args.model: recognizer})
        difference = write_onnx(recognizer, path, args.input)
    except (ArtifactError, ExportError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {one_line(explain(error, path, 'give another --onnx FILE'))}", file=sys.stderr)
        return 2
    size = path.stat().st_size / 1e6
    print(f"{one_line(str(path))}: {size:.1f} MB, probabilities within {difference:.1g} of the model's")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description="Write a model as an ONNX file.")
    option = parser.add_argument
    option("model", metavar="MODEL", help="a network or a vote of networks: a name in --results, or a path")
    option("--onnx", required=True, metavar="FILE", help="the file to write")
    option("--results", default=DEFAULT_RESULTS, metavar="DIR", help="where names are looked up (default: %(default)s)")
    option("--input", choices=INPUT_TYPES, default="uint8", help="type of the grey levels (default: %(default)s)")
    return parser


def _check_packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(f"needs {', '.join(missing)}: {pip_install(*missing)}")


if __name__ == "__main__":
    sys.exit(main())
