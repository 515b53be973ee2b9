"""The harness: datasets, protocols, runs, records, leaderboard and figures."""

from importlib.util import find_spec

from models.files.extras import pip_install

_NEEDED = ("filelock", "jinja2", "matplotlib", "psutil", "seaborn", "skimage", "statsmodels")
_MISSING = [name for name in _NEEDED if find_spec(name) is None]
if _MISSING:
    # By this name Python prints the message of a command alone, without its traceback.
    raise ModuleNotFoundError(f"benchmark needs {', '.join(_MISSING)}: {pip_install('seaborn')}", name=__name__)
