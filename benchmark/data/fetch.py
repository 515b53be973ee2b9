"""Download a public copy of FER2013 with kagglehub."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.dataset import DataError

# The image-folder copy; its licence (Database Contents License) allows the download without a competition's rules.
HANDLE = "msambare/fer2013"
COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"


def fetch(destination: Path | None = None) -> Path:
    """Download the image-folder copy of FER2013 with kagglehub.

    Parameters
    ----------
    destination : Path, optional
        Folder for the copy. Default: kagglehub's own cache.

    Returns
    -------
    Path
        The folder, for `benchmark.data.load_dataset`.

    Raises
    ------
    DataError
        If kagglehub is missing or the download fails, e.g. without a network.
    """
    try:
        import kagglehub
    except ImportError as error:
        raise DataError("fetch needs kagglehub: pip install 'fer-benchmark[fetch]'") from error
    options = {} if destination is None else {"output_dir": str(destination)}
    try:
        return Path(kagglehub.dataset_download(HANDLE, **options)).resolve()
    except Exception as error:  # kagglehub lets through the errors of requests, of urllib3 and its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{HANDLE} cannot be downloaded ({reason}): check the network, or download fer2013.tar.gz or "
            f"icml_face_data.csv in a browser from https://www.kaggle.com/c/{COMPETITION}/data and use --data PATH"
        ) from error
