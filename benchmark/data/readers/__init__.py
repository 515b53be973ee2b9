"""Readers of data sets of pictures: one file for each layout. They list pictures, and read no pixels of files."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.readers import affectnet, ck_plus, emotion_folders, file_names, parquet, raf_db
from benchmark.data.readers.sample import Layout

# The most particular first.
LAYOUTS = (
    *(raf_db.LAYOUT, affectnet.TABLES, affectnet.FOLDERS, ck_plus.SEQUENCES, ck_plus.TABLE, parquet.LAYOUT),
    *(file_names.JAFFE, file_names.KDEF, emotion_folders.LAYOUT),
)


def find_layout(path: Path) -> Layout | None:
    """Return the layout of the data set at a path; None for a file that only FER2013's reader may know."""
    return next((layout for layout in LAYOUTS if layout.is_here(path)), None)
