"""Standard error is silent where it should be, whatever object stands in its place."""

import os
import sys

import pytest

from models.files.streams import silenced_stderr


class WithoutFlush:
    """What a program with a window of its own may put in the place of standard error."""

    def write(self, text):
        pass


@pytest.mark.parametrize("stream", ["usual", None, WithoutFlush()])
def test_standard_error_is_silent_only_inside(capfd, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", sys.stderr if stream == "usual" else stream)
    with silenced_stderr():
        os.write(2, b"greeting")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
