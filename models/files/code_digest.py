"""Digest of the code that a result depends on, so that an edit makes what it computed stale."""

from __future__ import annotations

import ast
import hashlib
import secrets
from pathlib import Path
from typing import Any

from models.files.code_reader import PACKAGES, CodeReader, Stamp, stamp

ROOT = Path(__file__).resolve().parents[2]
# By a module and its file: the files that its digest was read from, and the digest.
_known: dict[tuple[str, Path | None], tuple[dict[Path, Stamp], str]] = {}


def code_digest(module: str) -> str:
    """Return 16 hexadecimal digits over the code of `module` and over what it uses of other modules.

    What functions and classes compute counts, and nothing else: no comment, docstring, annotation, error message or
    layout, no search space, no name of a module; so a better explanation or a move costs no training. Of another
    module those definitions count that are reached by name, and what it does when it is imported. Of installed
    libraries nothing counts; a record has their versions.

    Parameters
    ----------
    module : str
        Dotted name, e.g. ``models.recognizers.hog_svm``, of this project or of the user's own code.

    Returns
    -------
    str
        Of a module without a source file another one at every call: its results are never fresh.
    """
    reader = CodeReader(module)
    key = module, reader.path(module)
    files, digest = _known.get(key, ({}, ""))
    if not files or any(stamp(path) != before for path, before in files.items()):
        code = sorted({_dump(node) for _, node in reader.used()})
        if not code:
            return secrets.token_hex(8)
        digest = hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]
        _known[key] = reader.files, digest
    return digest


def reached(module: str) -> set[str]:
    """Return the names of the modules in which there is code that `module` uses."""
    return {used.name for used, _ in CodeReader(module).used()}


def project_digest() -> str:
    """Return 16 hexadecimal digits over all Python files of this project as they are now."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    texts = [f"{path.relative_to(ROOT).as_posix()}\n{path.read_text('utf-8')}\n" for path in paths]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _dump(node: Any) -> str:
    """Return a tree as text, the same by every version of Python: what is empty is left out."""
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__} {node.value!r}"
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []) and name != "ctx")
        return f"{type(node).__name__}({', '.join(f'{name}={_dump(value)}' for name, value in fields)})"
    return f"[{', '.join(map(_dump, node))}]" if isinstance(node, list) else repr(node)
