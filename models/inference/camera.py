"""Frames of a camera, and a window that shows them."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.files.extras import pip_install
from models.files.streams import silenced_stderr
from models.inference.grey_levels import PhotoError

TITLE = "fer-benchmark: q closes"


def read_camera(number: int) -> Generator[NDArray[np.uint8], None, None]:
    """Yield the frames of a camera, shape (height, width, 3), dtype uint8, RGB, always the newest one.

    Parameters
    ----------
    number : int
        0 for the first camera of the machine.

    Raises
    ------
    PhotoError
        If there is no such camera, it is in use, or it stops.
    """
    cv2 = _opencv()
    with silenced_stderr():  # OpenCV prints what it tried
        camera = cv2.VideoCapture(number)
    try:
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        seen = False
        while True:
            is_read, frame = camera.read()
            if not is_read:
                fix = "was it unplugged?" if seen else "connect it, close what uses it, or give another number"
                raise PhotoError(f"gives {'no more' if seen else 'no'} pictures: {fix}")
            seen = True
            yield np.ascontiguousarray(frame[:, :, ::-1])
    finally:
        camera.release()


class Window:
    """A window on the screen; where there is no screen, or OpenCV has no windows, nothing happens."""

    def __init__(self) -> None:
        self._cv2 = _opencv()
        # Without a screen Qt, which draws the windows, would end the process.
        has_screen = sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
        self.is_open = bool(has_screen)

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show an RGB picture, and return whether its user wants to see more."""
        if not self.is_open:
            return True
        try:
            self._cv2.imshow(TITLE, np.ascontiguousarray(image[:, :, ::-1]))
            pressed = self._cv2.waitKey(1) & 0xFF
            return pressed != ord("q") and self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) > 0
        except self._cv2.error:
            self.is_open = False
            return True

    def close(self) -> None:
        """Close it."""
        if self.is_open:
            self._cv2.destroyAllWindows()


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise PhotoError(f"a camera needs OpenCV: {pip_install('cv2')}") from None
    return cv2
