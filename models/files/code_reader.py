"""Follow the names in a module to the code that they stand for, there and in other modules."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("benchmark", "features", "models")
# These find, cache, digest or resume; what is computed does not depend on them.
PLUMBING = {
    "models.files.arrays",
    "models.files.code_digest",
    "models.files.code_reader",
    "models.networks.checkpoint",
    "models.registry",
}
_INSTALLED = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
Used = tuple["_Module", ast.AST]
Stamp = tuple[int, int] | None
_PARSING = threading.Lock()


@dataclass(frozen=True, eq=False)
class _Module:
    """A file of Python.

    Attributes
    ----------
    name : str
    package : str
        That relative imports start from.
    code : list of ast.AST
        Top-level statements but for imports.
    bound : dict of str to list of ast.AST
        Those that bind a name.
    imported : dict of str to tuple (str, str)
        For a name the module that it comes from, and its name there; the latter is empty for a module itself.
    """

    name: str
    package: str
    code: list[ast.AST] = field(default_factory=list)
    bound: dict[str, list[ast.AST]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


class CodeReader:
    """Follows names from one module to what they stand for in others."""

    def __init__(self, module: str) -> None:
        self.start = module
        self.home = {*PACKAGES, module.partition(".")[0]}
        self.modules: dict[str, _Module | None] = {}
        self.files: dict[Path, Stamp] = {}
        self.entered: set[str] = set()

    def used(self) -> list[Used]:
        """Return every top-level statement that the first module uses, with the module that it stands in."""
        first = self.module(self.start)
        if first is None:
            return []
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        pending = [(first, node) for node in first.code if isinstance(node, kinds)] + self.enter(first)
        found: dict[int, Used] = {}
        while pending:
            module, node = pending.pop()
            if id(node) not in found:
                found[id(node)] = module, node
                pending += self.named(module, node)
        return list(found.values())

    def named(self, module: _Module, node: ast.AST) -> Iterator[Used]:
        """Yield what the names in a statement stand for."""
        for each in ast.walk(node):
            chain = _dotted(each)
            if chain:
                yield from self.resolved(module, chain)

    def resolved(self, module: _Module, chain: list[str], seen: frozenset[tuple[str, str]] = frozenset()) -> list[Used]:
        """Return the statements that bind a dotted name, which may come by way of the imports in `seen`."""
        first, *rest = chain
        found = [(module, node) for node in module.bound.get(first, ())]
        source, name = module.imported.get(first, ("", ""))
        if not source:
            return found
        other = self.module(f"{source}.{name}") if name else self.module(source)
        if other is not None:  # a module, whose own names follow
            found += self.enter(other)
            # Of `import a.b` the name is `a`: then the next name is that of a module too.
            while rest and (inner := self.module(f"{other.name}.{rest[0]}")):
                other = inner
                found += self.enter(other)
                del rest[0]
            return found + (self.resolved(other, rest) if rest else [])
        # A package imports its compiled module, which has no file to read, from itself.
        other = self.module(source) if name and (source, name) not in seen else None
        return found + (self.enter(other) + self.resolved(other, [name], seen | {(source, name)}) if other else [])

    def enter(self, module: _Module) -> list[Used]:
        """Return what a module does when it is imported, the first time that it is."""
        if module.name in self.entered:
            return []
        self.entered.add(module.name)
        bound = {id(node) for nodes in module.bound.values() for node in nodes}
        return [(module, node) for node in module.code if id(node) not in bound]

    def module(self, name: str) -> _Module | None:
        """Return a module that is no library and no plumbing, or None."""
        if name not in self.modules:
            self.modules[name] = None if name in PLUMBING else self.read(name)
        return self.modules[name]

    def read(self, name: str) -> _Module | None:
        """Read the file of a module; None of a library."""
        path = self.path(name)
        if path is None:
            return None
        self.files[path] = stamp(path)
        text = path.read_text("utf-8", errors="replace")
        module = _Module(name, name if path.name == "__init__.py" else name.rpartition(".")[0])
        try:
            tree = _parsed(text)
        except SyntaxError:  # it cannot be imported
            module.code.append(ast.Constant(text))
            return module
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module.imported.update(_names(node, module.package))
        for node in _Bare(module, self).visit(tree).body:
            module.code.append(node)
            for each in _binds(node):
                module.bound.setdefault(each, []).append(node)
        return module

    def path(self, name: str) -> Path | None:
        """Return the file of a module; None of a library, and of what has no file of Python."""
        first = name.partition(".")[0]
        # By its first name, since to look for a module imports the packages above it.
        if first not in self.home and _file(first) is None:
            return None
        return _file(name, installed=first in self.home)


class _Bare(ast.NodeTransformer):
    """Takes from code what does not count; with a module and its reader, the imports of modules that are read too."""

    def __init__(self, module: _Module | None = None, reader: CodeReader | None = None) -> None:
        self.module = module
        self.reader = reader

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        # The fields of a dataclass have a meaning by their names, even without a value.
        kept = ast.Assign([node.target], node.value) if node.value else ast.Expr(node.target)
        return self.generic_visit(kept)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        names = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
        return None if names & {"TYPE_CHECKING", "__name__"} else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [each for each in node.decorator_list if not self._registers(each)]
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        if self.module is None or self.reader is None:
            return node
        sources = {source for _, (source, _) in _names(node, self.module.package)}
        ours = any(self.reader.path(source) or source in PLUMBING for source in sources)
        return None if ours or "__future__" in sources else node

    visit_ImportFrom = visit_Import

    def _registers(self, decorator: ast.expr) -> bool:
        chain = _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
        source, name = self.module.imported.get(chain[0], ("", "")) if chain and self.module else ("", "")
        return bool({source, f"{source}.{name}"} & PLUMBING)


def stamp(path: Path) -> Stamp:
    """Return what changes when a file does, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _parsed(source: str) -> ast.Module:
    with _PARSING:  # two threads at once are a SystemError in Python 3.11
        return ast.parse(source)


def _file(name: str, installed: bool = False) -> Path | None:
    """Return the file of a module, or None; of one that is installed only where that is asked for."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        return None
    path = Path(str(spec.origin)).resolve()
    return path if installed or not any(path.is_relative_to(folder) for folder in _INSTALLED) else None


def _names(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each name that an import binds, with the module and the name there."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name.partition(".")[0]
            yield alias.asname or first, (alias.name if alias.asname else first, "")
        return
    source = node.module or ""
    if node.level:
        source = importlib.util.resolve_name("." * node.level + source, package) if package else source
    for alias in node.names:
        yield alias.asname or alias.name, (source, alias.name)


def _binds(statement: ast.AST) -> Iterator[str]:
    """Yield the names that a top-level statement binds."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (name for name, _ in _names(node, ""))


def _dotted(node: ast.AST) -> list[str]:
    """Return the parts of a dotted name, or nothing."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []
