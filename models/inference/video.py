"""Videos: their frames, upright and with their times, and a copy of a video with something drawn on its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inference.grey_levels import PhotoError
from models.inference.read_image import MEGAPIXELS

# Takes a frame of shape (height, width, 3), dtype uint8, RGB, and its number, and returns the frame to write.
Draw = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
# Frames in a second, where a video does not say it.
USUAL_RATE = 25


@dataclass(frozen=True)
class Span:
    """Which frames of a video.

    Attributes
    ----------
    every : float
        Seconds between two frames; 0 for every frame.
    start, end : float
        Seconds of the first frame and after the last one.

    Raises
    ------
    ValueError
        If one is below 0, or the end is not after the start.
    """

    every: float = 1.0
    start: float = 0.0
    end: float = float("inf")

    def __post_init__(self) -> None:
        if not (self.every >= 0 and 0 <= self.start < self.end):
            raise ValueError(
                f"every={self.every:g}, start={self.start:g}, end={self.end:g}: give seconds of 0 or more, "
                "and an end after the start"
            )


EACH_SECOND = Span()


def read_frames(file: str, span: Span) -> Iterator[tuple[NDArray[np.uint8], int, float, float]]:
    """Yield grey frames of shape (height, width), their number and seconds in the video, and the part that is read.

    Raises
    ------
    PhotoError
        If there is no video in the file, or it is damaged; after the frames that can be read.
    """
    due = span.start
    with _opened(file) as (container, stream):
        end = min(span.end, float(container.duration or 0) / 1e6 or span.end)
        for number, frame in enumerate(container.decode(stream)):
            seconds = _seconds(frame, number, stream)
            if seconds >= span.end:
                break
            if seconds + 1e-6 >= due:
                due = seconds - seconds % span.every + span.every if span.every else seconds
                yield _upright(frame, "gray"), number, seconds, min(1.0, seconds / end)


def draw_video(file: str, target: Path, draw: Draw, span: Span = EACH_SECOND) -> None:
    """Write a copy of a video, H.264, with its sound as it is.

    Parameters
    ----------
    file : str
    target : Path
        ``.mp4``, ``.mkv`` or another container of H.264; it is complete before it takes its name.
    draw : Draw
    span : Span
        Its start and end; every frame in between is written.

    Raises
    ------
    PhotoError
        As of `read_frames`, or if the sound or the picture does not go into the container. What could be read of a
        damaged video is written.
    """
    partial = _partial(target)
    try:
        with _copy_opened(partial) as copy, _opened(file) as (container, stream):
            sound = next(iter(container.streams.audio), None)
            if sound and sound.codec_context and sound.codec_context.name not in copy.supported_codecs:
                raise PhotoError(f"its sound, {sound.codec_context.name}, does not go into {target.suffix}: take .mkv")
            drawn = _DrawnFrames(copy, stream, draw, span)
            heard = copy.add_stream_from_template(sound) if sound else None
            with closing(drawn):
                for packet in container.demux([each for each in (stream, sound) if each]):
                    if packet.stream is stream:
                        drawn.write(packet)
                    elif packet.pts is not None:
                        _copy_sound(packet, heard, copy, span)
    finally:
        if partial.is_file():  # from its first frame on
            partial.replace(target)


def can_hold_video(target: Path) -> bool:
    """Return whether `draw_video` can write into a file of this name."""
    try:
        with _copy_opened(_partial(target)):
            return True
    except PhotoError:
        return False


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.stem}.partial{target.suffix}")


class _DrawnFrames:
    def __init__(self, copy: Any, stream: Any, draw: Draw, span: Span) -> None:
        self.copy, self.stream, self.draw, self.span = copy, stream, draw, span
        self.drawn = copy.add_stream("libx264", rate=stream.average_rate or USUAL_RATE, options={"crf": "20"})
        self.drawn.codec_context.time_base = stream.time_base
        self.read, self.last = 0, -1

    def write(self, packet: Any) -> None:
        import av

        for frame in packet.decode():
            number, self.read = self.read, self.read + 1
            seconds = _seconds(frame, number, self.stream)
            if not self.span.start <= seconds < self.span.end:
                continue
            image = self.draw(_upright(frame, "rgb24"), number)
            image = image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2]  # H.264 halves the colours of a frame
            if self.last < 0:
                self.drawn.height, self.drawn.width = image.shape[:2]
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            shown.time_base = self.stream.time_base
            self.last = shown.pts = max(self.last + 1, round((seconds - self.span.start) / shown.time_base))
            self.copy.mux(self.drawn.encode(shown))

    def close(self) -> None:
        if self.last >= 0:
            self.copy.mux(self.drawn.encode(None))


def _copy_sound(packet: Any, heard: Any, copy: Any, span: Span) -> None:
    if span.start <= packet.pts * packet.time_base < span.end:
        shift = round(span.start / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, heard
        copy.mux(packet)


@contextmanager
def _copy_opened(path: Path) -> Iterator[Any]:
    av = _pyav()
    try:
        copy = av.open(str(path), "w")
    except ValueError:
        copy = None
    if copy is None or "h264" not in copy.supported_codecs:
        raise PhotoError(f"{path.suffix or 'no suffix'} holds no H.264: take .mp4 or .mkv")
    with copy:
        yield copy


@contextmanager
def _opened(file: str) -> Iterator[tuple[Any, Any]]:
    av = _pyav()
    try:
        with av.open(file, metadata_errors="replace") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise PhotoError("has no pictures that can be read: give a video or an image")
            if stream.width * stream.height > MEGAPIXELS * 1e6:
                raise PhotoError(f"{stream.width}x{stream.height} pixels: scale it to at most {MEGAPIXELS} megapixels")
            yield container, stream
    except av.FFmpegError as error:
        if isinstance(error, OSError) and not Path(file).exists():
            raise
        raise PhotoError(f"damaged, or not a video ({error.strerror}): save it again") from None


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise PhotoError("a video needs PyAV: pip install 'fer-benchmark[video]'") from None
    return av


def _seconds(frame: Any, number: int, stream: Any) -> float:
    return float(frame.time if frame.time is not None else number / float(stream.average_rate or USUAL_RATE))


def _upright(frame: Any, form: str) -> NDArray[np.uint8]:
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format=form), quarters))
