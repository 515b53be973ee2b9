"""Listing the files in a folder: one rule for photos and for data sets."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_LITTER = frozenset(
    {
        *("__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "lost+found"),
        *("@eadir", "#recycle", "$recycle.bin", "system volume information", "network trash folder", "temporary items"),
        *("@recycle", "@recently-snapshot", "#snapshot", "@synoresource", "recycler", "ehthumbs_vista.db"),
        "picasa.ini",
    }
)
# Beside a picture, of cameras and editors, and of downloads that were not finished.
_SIDECARS = (".aae", ".xmp", ".thm", ".pp3", ".crdownload", ".part", ".partial", ".download")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, sorted by path, without litter such as ``.DS_Store``.

    Symbolic links are followed; one that leads back to a folder it lies in is not entered. A broken link and a
    folder that cannot be listed are yielded too, so that the reader reports them.

    Parameters
    ----------
    folder : Path
        Its own name is not judged: a hidden folder that is asked for is read.
    """
    yield from _below(folder, ())


def is_litter(name: str) -> bool:
    """Return whether systems, archives and notebooks leave files or folders of this name, e.g. ``.DS_Store``."""
    return name.startswith((".", "~$")) or name.lower() in _LITTER or name.lower().endswith(_SIDECARS)


def _below(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    try:
        about = folder.stat()
        names = sorted(os.listdir(folder))
    except OSError:
        yield folder
        return
    here = (about.st_dev, about.st_ino)
    if here in above:
        return
    for path in (folder / name for name in names if not is_litter(name)):
        try:
            mode = path.stat().st_mode
        except OSError:  # a broken link, or no permission
            yield path
            continue
        if stat.S_ISDIR(mode):
            yield from _below(path, (*above, here))
        elif stat.S_ISREG(mode):
            yield path
