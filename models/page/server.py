"""The server of the page: a few files, and answers to pictures, which are held in memory alone."""

from __future__ import annotations

import errno
import html
import json
import os
import socket
import sys
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

from models.inference.grey_levels import PhotoError
from models.inference.read_image import MEGAPIXELS
from models.page.answers import Answers

FOLDER = Path(__file__).parent
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"/{name}": (name, "text/javascript; charset=utf-8") for name in ("page.js", "draw.js")},
    "/example.jpg": ("example.jpg", "image/jpeg"),
}
LARGEST_MB = 20
LONGEST_SMOOTHING = 10.0
# The browser keeps nothing, and the page can ask no other host.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FIRST_PORT, LAST_PORT = 7860, 7959


class PageServer(ThreadingTCPServer):
    """The page at one address.

    Visitors connect from the beginning on, and wait until there are `answers`.

    Parameters
    ----------
    host : str
    port : int or None
        None takes the first free one from 7860 on.

    Raises
    ------
    OSError
        If it cannot be served there.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere two programs could share a port
    answers: Answers

    def __init__(self, host: str, port: int | None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for number in [port] if port else range(FIRST_PORT, LAST_PORT + 1):
            try:
                super().__init__((host, number), _Handler)
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or number in (port, LAST_PORT):
                    raise

    @property
    def url(self) -> str:
        """Where this machine finds the page."""
        host, port = self.server_address[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host))
        return f"http://{f'[{host}]' if ':' in host else host}:{port!s}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, unless the visitor has just left."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = -1  # a reply in one piece

    def do_GET(self) -> None:
        name, kind = FILES.get(urlsplit(self.path).path, ("", ""))
        if not name:
            self._reply_error(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        content = (FOLDER / name).read_bytes()
        if name == "index.html":
            models = html.escape(", ".join(self.server.answers.models))
            values = {"models": models, "megabytes": LARGEST_MB, "megapixels": MEGAPIXELS}
            content = Template(content.decode()).substitute(values).encode()
        self._reply(HTTPStatus.OK, content, kind)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_MB * 1_000_000:
            self.close_connection = True  # what was sent is not read
            self._reply_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"larger than {LARGEST_MB} MB: scale it down")
            return
        content = self.rfile.read(int(length))
        try:
            answer = self._answer(content)
        except PhotoError as error:
            self._reply_error(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # a model's
            traceback.print_exc()
            said = f"{type(error).__name__}: {error}: see the terminal of the page"
            self._reply_error(HTTPStatus.INTERNAL_SERVER_ERROR, said)
        else:
            self._reply(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _answer(self, content: bytes) -> dict[str, Any]:
        asked = urlsplit(self.path)
        options = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/photo":
            return self.server.answers.photo(content, options.get("whole") == "true", options.get("draw") == "true")
        if asked.path == "/frame" and "visitor" in options:
            return self.server.answers.frame(content, options["visitor"], _smoothing(options.get("smoothing", "0")))
        raise PhotoError(f"there is nothing at {asked.path}: give /photo, or /frame?visitor=...")

    def _reply_error(self, status: HTTPStatus, error: str) -> None:
        self._reply(status, json.dumps({"error": error}).encode(), "application/json")

    def _reply(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing of what is asked."""


def _smoothing(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_SMOOTHING:
        raise PhotoError(f"smoothing={text}: give seconds from 0 to {LONGEST_SMOOTHING:g}")
    return seconds
