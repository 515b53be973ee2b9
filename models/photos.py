"""Reading pictures of every kind as upright grey images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from features.rows import IMAGE_SIDE

MEGAPIXELS = 50


class PhotoError(ValueError):
    """A picture cannot be used; the message says why and the fix, without the file's name."""


def read_photo(source: str | Path | BinaryIO | bytes | NDArray) -> NDArray[np.uint8]:
    """Read a picture as grey levels.

    It is turned upright by its EXIF entry. What is transparent becomes white; levels of 16 bits and floating point keep
    their shades, as do those of 32 bits up to 65535; of an animation the first frame counts.

    Parameters
    ----------
    source : path, binary file, bytes or array
        Anything that Pillow reads, of at most 50 megapixels; or an array of shape (height, width) or (height, width,
        3 or 4), grey, RGB or RGBA, uint8, uint16, or floating point from 0 to 1 or 0 to 255.

    Returns
    -------
    ndarray of shape (height, width), dtype uint8
        Luma of ITU-R 601, 0-255.

    Raises
    ------
    PhotoError
        If it is no picture, damaged, too large, or an array of another form.
    OSError
        If the file cannot be opened.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(file) as image:
            if image.width * image.height > MEGAPIXELS * 1e6:
                raise PhotoError(
                    f"{image.width}x{image.height} pixels: scale it down to at most {MEGAPIXELS} megapixels"
                )
            return np.asarray(_grey(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError:
        raise PhotoError("not an image that Pillow reads: save it as JPEG or PNG") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"too many pixels: scale it down to at most {MEGAPIXELS} megapixels") from None
    except PhotoError:
        raise
    except Exception as error:  # a damaged file raises nearly anything in Pillow's readers
        if isinstance(error, OSError) and error.errno is not None:  # the system's: no such file, no permission
            raise
        raise PhotoError(f"damaged ({error}): save it anew") from None


def squeeze(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the whole picture at 48x48, antialiased; a picture of that size as it is."""
    size = (IMAGE_SIDE, IMAGE_SIDE)
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if "A" in image.getbands() or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    try:
        return image if image.mode == "L" else image.convert("RGB").convert("L")
    except ValueError as error:
        raise PhotoError(f"colour mode {image.mode} ({error}): save it as RGB or grey") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return levels of more than 8 bits as 8 bits: Pillow itself would cut off what is brighter than 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    largest = values.max(initial=0)
    if image.mode.startswith("I;16"):
        top = 65535
    elif image.mode == "F":
        top = 1 if largest <= 1 else 255
    else:
        top = 255 if largest <= 255 else 65535
    return Image.fromarray(np.rint(np.clip(values * (255 / top), 0, 255)).astype(np.uint8))


def _from_array(array: NDArray) -> NDArray[np.uint8]:
    channels = array.shape[2:] if array.ndim in (2, 3) else None
    if channels not in ((), (3,), (4,)) or not array.size or array.dtype.kind not in "uif":
        raise PhotoError(
            f"an array of shape {array.shape} and dtype {array.dtype}: give (height, width) grey or "
            "(height, width, 3) RGB, uint8"
        )
    if array.dtype != np.uint8:
        top = 65535 if array.dtype == np.uint16 else 1 if array.dtype.kind == "f" and array.max() <= 1 else 255
        array = np.rint(np.clip(np.nan_to_num(array) * (255 / top), 0, 255)).astype(np.uint8)
    return np.asarray(_grey(Image.fromarray(array)))
