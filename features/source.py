"""Digest of the code that a result depends on, so that an edit makes what it computed stale."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("features", "models", "benchmark")
# These find, cache, digest or resume; what is computed does not depend on them.
PLUMBING = {"features.cache", "features.source", "models.checkpoint", "models.registry"}


def code_digest(module: str) -> str:
    """Return 16 hexadecimal digits over the code of `module` and of every project module it reaches by import.

    Comments, docstrings and blank lines do not count, so that a better explanation does not cost a training. Package
    ``__init__`` files count only where a name is imported from them.

    Parameters
    ----------
    module : str
        Dotted name of this project, e.g. ``models.hog_svm``.
    """
    digest = hashlib.sha256()
    for name, path in reached(module).items():
        digest.update(f"{name}\n{code_only(path.read_text('utf-8'))}\n".encode())
    return digest.hexdigest()[:16]


def reached(module: str) -> dict[str, Path]:
    """Return the files of `module` and of the project modules that it reaches by import, by name, sorted."""
    found: dict[str, Path] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _path(name)
        if name in found or name in PLUMBING or path is None:
            continue
        found[name] = path
        with contextlib.suppress(SyntaxError):  # that file alone cannot be imported
            pending += _imports(ast.parse(path.read_bytes()))
    return dict(sorted(found.items()))


def code_only(source: str) -> str:
    """Return the lines of Python `source` without comments, docstrings, blank lines and trailing space.

    What is no Python comes back as it is.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            for row in range(text.lineno - 1, text.end_lineno or text.lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _path(name: str) -> Path | None:
    if name.split(".", maxsplit=1)[0] not in PACKAGES:
        return None
    stem = ROOT.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in submodules if _path(name)]
            yield from modules
            if len(modules) < len(submodules):
                yield node.module
