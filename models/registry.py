"""The registry: every recognizer is a file in `models/recognizers`, or a module that an installed package names.

A package names its modules by entry points of the group ``fer_benchmark.recognizers``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.machinery import ModuleSpec
from typing import Any, TypeVar

from models.files.extras import entry_points, pip_install
from models.networks.keras_import import gpu_is_seen

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included, that a search of parameters may try.

    Whole numbers where both ends are; `log` spreads the trials evenly over their logarithms.
    """

    low: float
    high: float
    log: bool = False


Space = Mapping[str, Range | tuple[Any, ...]]


@dataclass(frozen=True)
class Entry:
    """A recognizer that the registry found.

    Attributes
    ----------
    name : str
        Name of the factory, and of its file in `models/recognizers`.
    family : str
        ``neural``, ``classical``, ``ensemble`` or ``floor``.
    factory : callable or None
        Makes the unfitted recognizer; None where the import failed.
    members : tuple of str
        The recognizers whose probabilities an ensemble combines: a name for the run of the ensemble's own seed, a name
        with a seed, ``cnn_deep-seed1``, for the same run always. `recognizers` adds the seed of those that use none.
    uses_seed : bool
        Whether another seed gives another result. If not, one run with seed 0 stands for every seed.
    requires : tuple of str
        Modules that must be importable.
    tier : str
        ``cpu``, or ``gpu`` where training makes sense on a GPU only.
    space : mapping of str to Range or tuple
        What a search may try for each parameter: a range, or one of several values.
    error : str
        Why the file could not be imported; empty if it could.
    trusted_types : tuple of str
        Dotted names of the types that its safe file may hold beside those that every safe file may.
    package : str
        The installed package that it comes from; empty for those of this project.
    """

    name: str
    family: str = ""
    factory: Callable[..., Any] | None = None
    members: tuple[str, ...] = ()
    uses_seed: bool = True
    requires: tuple[str, ...] = ()
    tier: str = "cpu"
    space: Space = field(default_factory=dict)
    error: str = ""
    trusted_types: tuple[str, ...] = ()
    package: str = ""

    @property
    def summary(self) -> str:
        """First line of the factory's docstring."""
        return (inspect.getdoc(self.factory) or "").split("\n")[0] if self.factory else self.error

    @property
    def module(self) -> str:
        """Dotted name of the file."""
        return self.factory.__module__ if self.factory else f"{FOLDER}.{self.name}"

    def member_stems(self, seed: int) -> list[str]:
        """Return the members of an ensemble with a seed, each as its run is called."""
        return [run_stem(*run_of(member, seed)) for member in self.members]

    def skip_reason(self) -> str:
        """Return why the recognizer cannot run here, or an empty string."""
        if self.error and self.package:
            return f"{self.package} cannot be imported ({self.error}): update it, or pip uninstall {self.package}"
        missing = self._missing()
        if missing:
            return f"needs {', '.join(missing)}: {pip_install(*missing)}"
        if self.lacks_gpu():
            return f"needs a GPU to train in reasonable time, and Keras sees none: --only {self.name} runs it anyway"
        return ""

    def lacks_gpu(self) -> bool:
        """Return whether all that it lacks here is a GPU."""
        return self.tier == "gpu" and not self._missing() and not gpu_is_seen()

    def _missing(self) -> list[str]:
        return [name for name in self.requires if importlib.util.find_spec(name) is None]

    def make(self, **params: Any) -> Any:
        """Return the unfitted recognizer with the given parameters."""
        if self.factory is None:
            raise ImportError(f"{self.name} cannot be imported: {self.error}")
        return self.factory(**params)


def run_stem(name: str, seed: int) -> str:
    """Return how a run is called in file names and as a member: ``cnn_deep``, with another seed ``cnn_deep-seed1``."""
    return f"{name}{SEED}{seed}" if seed else name


def run_of(stem: str, seed: int = 0) -> tuple[str, int]:
    """Return the recognizer and the seed of a run by what `run_stem` calls it; `seed` is that of a mere name."""
    name, _, own = stem.partition(SEED)
    return name, int(own or seed)


class RegistryError(ValueError):
    """The name of a recognizer is taken or wrong; the message names the files and says the fix."""


FOLDER = "models.recognizers"
GROUP = "fer_benchmark.recognizers"
SEED = "-seed"
# Every entry, and the loading of the file that it came from: a file that is loaded anew may register its name again.
_registered: dict[str, tuple[Entry, ModuleSpec | None]] = {}


def recognizer(
    family: str,
    members: tuple[str, ...] = (),
    uses_seed: bool = True,
    requires: tuple[str, ...] = (),
    tier: str = "cpu",
    space: Space | None = None,
    trusted_types: tuple[str, ...] = (),
) -> Callable[[Factory], Factory]:
    """Register the decorated factory, ``models/recognizers/<name>.py:<name>`` or of another package, as a recognizer.

    Parameters
    ----------
    family : str
        ``neural``, ``classical``, ``ensemble`` or ``floor``.
    members : tuple of str
        For an ensemble, the recognizers that it combines, with a seed where it is always the same: ``cnn_deep-seed1``.
    uses_seed : bool
        False if another seed gives the same result: then one run is enough. Of an ensemble its members say it.
    requires : tuple of str
        Modules without which the recognizer is skipped, with that reason.
    tier : str
        ``gpu`` to be skipped where no GPU is seen, unless it is named.
    space : mapping of str to Range or tuple, optional
        What ``python -m benchmark.tune`` may try for each parameter.
    trusted_types : tuple of str
        In another package, the types that its safe file (skops) holds, its own class too: ``my_package.MyRecognizer``.
        Loading makes objects of them, so name only types that run no code of the file.

    Raises
    ------
    RegistryError
        If another file, or another function of the same one, has that name, or the file has another name.
    """

    def register(factory: Factory) -> Factory:
        name = factory.__name__
        loading = getattr(sys.modules.get(factory.__module__), "__spec__", None)
        _check_name(name, factory.__module__, loading)
        entry = Entry(name, family, factory, members, uses_seed, requires, tier, space or {}, "", trusted_types)
        _registered[name] = entry, loading
        return factory

    return register


def _check_name(name: str, module: str, loading: ModuleSpec | None) -> None:
    earlier, loaded = _registered.get(name, (None, None))
    if earlier and earlier.module == module and loading and loading is loaded:
        raise RegistryError(f"{_source_file(module)} has two recognizers called {name}: rename one")
    if earlier and earlier.module != module:
        files = f"{_source_file(module)} and {_source_file(earlier.module)}"
        raise RegistryError(f"{files} both have a recognizer {name}: rename one")
    package, _, stem = module.rpartition(".")
    if package == FOLDER and name != stem:
        other = importlib.util.find_spec(f"{package}.{name}")
        taken = f", and {name} is the file {other.origin}" if other else ""
        raise RegistryError(f"{_source_file(module)}: its recognizer is called {name}{taken}: name the function {stem}")


def _source_file(module: str) -> str:
    return str(getattr(sys.modules.get(module), "__file__", module))


def recognizers() -> dict[str, Entry]:
    """Return every recognizer by name, members before the ensembles that combine them.

    A module that cannot be imported is an entry with its `error`, so that it is reported and not lost. It has the name
    of its file or entry point; if a recognizer has that name, the name of its package.
    """
    entries: dict[str, Entry] = {}
    folder = importlib.import_module(FOLDER).__path__
    ours = [(module.name, f"{FOLDER}.{module.name}", "") for module in pkgutil.iter_modules(folder)]
    for source, module, package in (*ours, *entry_points(GROUP, tuple(sys.path))):
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # whatever a broken file raises is its row in the leaderboard
            name = package if source in entries else source
            entries[name] = Entry(name, error=f"{type(error).__name__}: {error}", package=package)
            continue
        made = [entry for entry, _ in _registered.values() if f"{entry.module}.".startswith(f"{module}.")]
        entries |= {entry.name: replace(entry, package=package) for entry in made}
    entries |= {name: _with_seeds(entry, entries) for name, entry in entries.items() if entry.members}
    return dict(sorted(entries.items(), key=lambda item: (bool(item[1].members), item[0])))


def _with_seeds(ensemble: Entry, known: Mapping[str, Entry]) -> Entry:
    """Return an ensemble with the seed of those members that have the same one always."""
    members = tuple(
        f"{member}{SEED}0" if member in known and not known[member].uses_seed else member for member in ensemble.members
    )
    return replace(ensemble, members=members, uses_seed=any(SEED not in member for member in members))


def find_recognizer(name: str, known: Mapping[str, Entry] | None = None) -> Entry:
    """Return the entry called `name`.

    Raises
    ------
    KeyError
        If there is none; the message names the nearest ones.
    """
    known = recognizers() if known is None else known
    if name not in known:
        near = difflib.get_close_matches(name, known, cutoff=0.4) or list(known)
        raise KeyError(f"no recognizer {name!r}; did you mean {' or '.join(near)}?")
    return known[name]
