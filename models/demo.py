"""A web page to try models with photos or a camera: ``python -m models.demo``."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from models.artifacts.save_load import DEFAULT_RESULTS, ArtifactError
from models.files.atomic import explain
from models.files.extras import pip_install
from models.files.streams import one_line, prepare_streams
from models.inference.pipeline import print_notes
from models.inference.stream import Stream
from models.page.answers import Answers
from models.page.server import PageServer


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; return 0, or 2 if a model, a package or the address cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m models.demo", description="Serve a web page to try models with photos or a camera."
    )
    option = parser.add_argument
    option(
        "--model",
        nargs="+",
        default=["best"],
        metavar="PATH",
        help="names in --results, or model files, side by side (default: the best quick one)",
    )
    option("--results", default=DEFAULT_RESULTS, help="where names are looked up (default: %(default)s)")
    option(
        "--host",
        default="127.0.0.1",
        help="address to serve on (default: %(default)s, which only this machine can reach)",
    )
    option("--port", type=int, choices=range(1, 65536), metavar="N", help="(default: the first free one from 7860 on)")
    prepare_streams()
    args = parser.parse_args(argv)
    try:
        with PageServer(args.host, args.port) as server:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                stream = Stream(args.model, results=args.results)
            print_notes(caught, stream.recognizers)
            server.answers = Answers(stream)
            print(f"The page is at {server.url} until Ctrl-C.", flush=True)
            server.serve_forever()
    except KeyboardInterrupt:
        return 0
    except ModuleNotFoundError as error:
        print(f"error: needs {error.name}: {pip_install(error.name or '')}", file=sys.stderr)
    except ArtifactError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
    except OSError as error:
        about_file, about_address = explain(error, Path(args.results)), f"{error}: give another --host or --port"
        print(f"error: {one_line(about_file if error.filename else about_address)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
