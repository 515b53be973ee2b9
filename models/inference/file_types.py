"""Pillow plug-ins (HEIC, AVIF, JPEG XL), and which suffixes are pictures, raw files and videos."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageFile

VIDEOS = frozenset({
    ".264", ".265", ".360", ".3g2", ".3gp", ".3gpp", ".amv", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv",
    ".h264", ".h265", ".hevc", ".insv", ".lrv", ".m1v", ".m2p", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mod", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb",
    ".tod", ".tp", ".trp", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
})  # fmt: skip
# What cameras write beside or instead of JPEG. Of many, Pillow reads a preview as small as a stamp.
RAW = frozenset({
    ".3fr", ".arq", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc",
    ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".ori", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2",
    ".srf", ".srw", ".x3f",
})  # fmt: skip
# Other names of JPEG, which Pillow does not register.
JPEG = frozenset({
    ".insp", ".jfi", ".jif", ".jps", ".pjp", ".pjpeg",
})  # fmt: skip


@dataclass(frozen=True)
class Plugin:
    """A package that teaches Pillow a format.

    Attributes
    ----------
    form : str
        Name of the format.
    module, package : str
        What is imported, and what is installed.
    suffixes : frozenset of str
    beginning : re.Pattern
        What the first bytes of such a file match.
    """

    form: str
    module: str
    package: str
    suffixes: frozenset[str]
    beginning: re.Pattern[bytes]

    def register(self) -> None:
        """Make Pillow read the format; ImportError if the package is not installed."""
        module = importlib.import_module(self.module)
        getattr(module, "register_heif_opener", lambda: None)()  # the other packages do so when they are imported


PLUGINS = (
    Plugin(
        "HEIC",
        "pillow_heif",
        "pillow-heif",
        frozenset({".heic", ".heics", ".heif", ".heifs", ".hif", ".avci"}),
        re.compile(rb"(?s).{4}ftyp(hei|hev|mif|msf)"),
    ),
    Plugin(
        "AVIF",
        "pillow_avif",
        "pillow-avif-plugin",
        frozenset({".avif", ".avifs"}),
        re.compile(rb"(?s).{4}ftypavi"),
    ),
    Plugin(
        "JPEG XL",
        "pillow_jxl",
        "pillow-jxl-plugin",
        frozenset({".jxl"}),
        re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "),
    ),
)


@cache
def media_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of the files in a folder that are pictures or videos.

    Pictures that cannot be read here are among them, so that they are reported; what is no picture is not.
    """
    Image.init()
    readable = {form for form, (factory, _) in Image.OPEN.items() if not _is_stub(factory)}
    known = {suffix for suffix, form in Image.registered_extensions().items() if form in readable - {"EPS", "MPEG"}}
    return VIDEOS | RAW | JPEG | known.union(*(plugin.suffixes for plugin in PLUGINS))


def find_plugin(name: str, beginning: bytes) -> Plugin | None:
    """Return the plug-in for a picture that Pillow does not know, by its first bytes, else by its name."""
    suffix = Path(name).suffix.lower()
    by_content = (plugin for plugin in PLUGINS if plugin.beginning.match(beginning))
    return next(by_content, next((plugin for plugin in PLUGINS if suffix in plugin.suffixes), None))


def is_video(file: str) -> bool:
    """Return whether a file is a video, by its name."""
    return Path(file).suffix.lower() in VIDEOS


def is_raw(name: str, beginning: bytes = b"") -> bool:
    """Return whether a file is a camera's raw file, by its name or its first bytes."""
    return Path(name).suffix.lower() in RAW or beginning[4:11] == b"ftypcrx"


def _is_stub(factory: object) -> bool:
    """Return whether Pillow only recognizes files of this kind, e.g. HDF5, and cannot read them."""
    return isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
