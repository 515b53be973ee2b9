"""Reading pictures of every kind as upright grey images."""

from __future__ import annotations

import io
import os
import re
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from features.rows import IMAGE_SIDE
from models.inference.file_types import find_plugin, is_raw
from models.inference.grey_levels import PhotoError, eight_bits

MEGAPIXELS = 50
ACCEPTED_TYPES = (
    "a path, a Pillow image, bytes, an open binary file, an array or tensor of shape (height, width) or "
    "(height, width, 1, 3 or 4)"
)
# The entry of the orientation, 1 to 8, in either byte order.
_ORIENTATION = re.compile(rb"\x12\x01\x03\0\x01\0\0\0([\1-\x08])\0|\x01\x12\0\x03\0\0\0\x01\0([\1-\x08])")
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_photo(source: Any) -> NDArray[np.uint8]:
    """Read a picture as grey levels.

    It is turned upright by its EXIF entry. What is transparent becomes white; of an animation the first frame counts.

    Parameters
    ----------
    source : path, Pillow image, bytes, open binary file, array or tensor
        Anything that Pillow reads, of at most 50 megapixels; or an array of shape (height, width), (height, width, 1),
        (height, width, 3) or (height, width, 4): grey, RGB or RGBA.

    Returns
    -------
    ndarray of shape (height, width), dtype uint8
        Luma of ITU-R 601, 0-255.

    Raises
    ------
    PhotoError
        If it is not a picture, damaged, too large, or an array of the wrong shape or range.
    OSError
        If the file cannot be opened.
    TypeError
        If `source` is something else.

    Notes
    -----
    The range of the levels is found as `models.inference.grey_levels.eight_bits` says.
    """
    picture = as_picture(source)
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    try:
        if isinstance(picture, Image.Image):
            return _from_image(picture)
        with _open(picture) as image:
            return _from_image(image)
    except UnidentifiedImageError:
        raise PhotoError("not an image that Pillow reads: save it as JPEG or PNG") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"too many pixels: scale it down to at most {MEGAPIXELS} megapixels") from None
    except MemoryError:
        raise PhotoError("does not fit into memory: scale it down") from None
    except PhotoError:
        raise
    except Exception as error:  # a damaged file raises nearly anything in Pillow's readers
        if isinstance(error, OSError) and error.errno is not None:  # the system's: no such file, no permission
            raise
        raise PhotoError(f"damaged ({error}): save it again") from None


def as_picture(source: Any) -> str | BinaryIO | Image.Image | NDArray:
    """Return one picture as a path, a binary file, a Pillow image or an array; TypeError if it is no picture."""
    if isinstance(source, (str, os.PathLike)):
        return os.path.expanduser(str(os.fsdecode(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, Image.Image):
        return source
    if hasattr(source, "read") and not isinstance(source, io.TextIOBase):
        return source
    if hasattr(source, "__array__") and not hasattr(source, "columns"):  # a table has columns
        try:
            array = np.asarray(source)
        except Exception as error:  # of a tensor on another device or with gradients, whatever its library raises
            raise TypeError(
                f"{type(source).__name__} cannot be read as an array ({error}): convert it first"
            ) from error
        if array.dtype.kind == "S":
            array = np.array([os.fsdecode(path) for path in array.ravel()]).reshape(array.shape)
        if array.ndim or array.dtype.kind in "OUT":  # no single number
            return array
    raise TypeError(f"{type(source).__name__} is not a picture: give {ACCEPTED_TYPES}")


def resize_to_face(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the whole picture at 48x48, each pixel the mean of its area; a picture of that size as it is.

    One with a side below 48 pixels is interpolated linearly.
    """
    by_area = min(photo.shape) >= IMAGE_SIDE
    resampling = Image.Resampling.BOX if by_area else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(photo).resize((IMAGE_SIDE, IMAGE_SIDE), resampling))


def _open(file: str | BinaryIO) -> Image.Image:
    """Open a picture, by a plug-in of Pillow where it takes one."""
    name = file if isinstance(file, str) else str(getattr(file, "name", ""))
    if not isinstance(file, str) and not (hasattr(file, "seekable") and file.seekable()):
        file = io.BytesIO(file.read())
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        beginning = _beginning(file)
        if is_raw(name, beginning):
            raise _raw() from None
        plugin = find_plugin(name, beginning)
        if plugin is None:
            raise
        try:
            plugin.register()
        except ImportError:
            raise PhotoError(f"a {plugin.form} picture: pip install {plugin.package}, or save it as JPEG") from None
        return Image.open(file)
    if image.format == "TIFF" and is_raw(name):
        image.close()
        raise _raw()
    return image


def _beginning(file: str | BinaryIO) -> bytes:
    if isinstance(file, str):
        with open(file, "rb") as opened:
            return opened.read(32)
    file.seek(0)
    return file.read(32)


def _raw() -> PhotoError:
    return PhotoError("a camera's raw file: export it as JPEG with the camera's or another program")


def _from_image(image: Image.Image) -> NDArray[np.uint8]:
    if image.width * image.height > MEGAPIXELS * 1e6:
        raise PhotoError(f"{image.width}x{image.height} pixels: scale it down to at most {MEGAPIXELS} megapixels")
    is_stub = isinstance(image, ImageFile.StubImageFile)  # its size is made up, or 0x0 since Pillow 13
    if not is_stub and not image.width * image.height:
        raise PhotoError(f"{image.width}x{image.height} pixels: the picture is empty, give another one")
    tags = getattr(image, "tag_v2", {})
    if tags.get(254, 0) == 1:  # the first image of a raw file is a preview
        raise _raw()
    try:
        image.load()
    except OSError as error:
        if image.format in ("EPS", "MPEG") or is_stub:
            raise PhotoError(
                f"{image.format}, which Pillow recognizes but cannot read: save it as JPEG or PNG"
            ) from error
        raise
    turn = UPRIGHT.get(_orientation(image))  # after loading: TIFF and HEIC are upright then
    return _grey(image if turn is None else image.transpose(turn))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation. It is read alone: other entries of the block may be malformed."""
    entry = _ORIENTATION.search(_first_directory(image.info.get("exif") or b""))
    if entry:
        return ord(entry[1] or entry[2])
    try:
        return int(image.getexif().get(0x0112, 1))  # XMP too
    except Exception:  # the block is nothing that Pillow reads
        return 1


def _first_directory(block: bytes) -> bytes:
    """Return the entries about the picture itself, not those about its thumbnail; all where there is no header."""
    block = re.sub(rb"^(Exif\0\0)+", b"", block)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
    except struct.error:
        return block
    return block[start + 2 : start + 2 + 12 * entries]


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        levels = np.asarray(image)
        if getattr(image, "tag_v2", {}).get(258) == (16,) and image.mode == "I":
            levels = levels.astype(np.int16)  # what the file holds
        return eight_bits(levels)
    if "A" in image.getbands() or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    try:
        return np.asarray(image if image.mode == "L" else image.convert("RGB").convert("L"))
    except ValueError as error:
        raise PhotoError(f"colour mode {image.mode} ({error}): save it as RGB or grey") from None


def _from_array(array: NDArray) -> NDArray[np.uint8]:
    if array.dtype.kind == "V" and array.dtype.names is None:  # bfloat16
        array = array.astype(np.float32)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2:] if array.ndim in (2, 3) else None
    if channels not in ((), (3,), (4,)) or not array.size or array.dtype.kind not in "buif":
        raise PhotoError(
            f"an array of shape {array.shape} and dtype {array.dtype}: give (height, width) grey or "
            "(height, width, 3) RGB, several as (n, height, width, 1 or 3), channels last, uint8"
        )
    colours = eight_bits(array[:, :, :3] if channels else array)
    if channels == (4,):  # whose range may be another
        colours = np.dstack([colours, eight_bits(array[:, :, 3])])
    return _grey(Image.fromarray(colours))
