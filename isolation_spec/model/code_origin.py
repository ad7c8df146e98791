"""Whose code is this: the engine under verification, a library, or this package.

The only module that knows. Packages are compared by their exact names, so an engine may
be called `asyncio_agents`; files are compared by their exact paths.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = [
    "EngineCode",
    "in_packages",
    "is_library",
    "is_ours",
    "is_suite_module",
    "own_path",
]

_OURS = "isolation_spec"
_SHIPPED = ("isolation_spec.engines.reference", "isolation_spec.engines.faults")
"""The packages of ours that are under verification."""
_DRIVER = ("isolation_spec.engines.reference.adapter",)
"""The adapter of the shipped engine drives it, and is no part of it."""
_FOLDER = Path(__file__).parent.parent
_LIBRARY = Path(sysconfig.get_paths()["stdlib"])
_INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages, which lie inside that of the standard library."""


def in_packages(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of these packages, or lies in one."""
    return any(module == one or module.startswith(f"{one}.") for one in packages)


def is_suite_module(module: str) -> bool:
    """Whether a module is of this package, and not of an engine that it ships."""
    return in_packages(module, (_OURS,)) and not in_packages(
        module, (f"{_OURS}.engines",)
    )


class EngineCode:
    """The packages of the engine under verification; all other code is a library's.

    They are the packages that the adapter declares. By default they are the top-level
    packages of the adapter's classes and of every context that was opened so far.

    Arguments:
        modules: the modules of the adapter's classes.
        declared: the packages that the adapter declares.
    """

    def __init__(self, modules: Iterable[str], declared: tuple[str, ...] = ()) -> None:
        self._is_declared = bool(declared)
        self._packages = dict.fromkeys(declared)
        self._known: dict[str, bool] = {}
        for module in modules:
            self._add(module)

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of the packages, in the order in which they became known."""
        return tuple(self._packages)

    def add_context(self, context: Any) -> None:
        """Counts the package of a context, or of each member of a tuple, as engine."""
        for part in context if isinstance(context, tuple) else (context,):
            self._add(type(part).__module__)

    def has_module(self, module: str) -> bool:
        """Whether a module belongs to the engine."""
        known = self._known.get(module)
        if known is None:
            inside = in_packages(module, self._packages)
            known = inside and not in_packages(module, _DRIVER)
            self._known[module] = known
        return known

    def _add(self, module: str) -> None:
        top = module.partition(".")[0]
        if self._is_declared or top in sys.stdlib_module_names:
            return
        names: tuple[str, ...] = (top,)
        if top == _OURS:
            names = tuple(one for one in _SHIPPED if in_packages(module, (one,)))
        if not self._packages.keys() >= {*names}:
            self._packages.update(dict.fromkeys(names))
            self._known.clear()


# Files, where a stack gives no modules


def own_path(file: str) -> str:
    """The path of a file inside this package, as `execution/run.py`; else ""."""
    path = Path(file)
    return path.relative_to(_FOLDER).as_posix() if _FOLDER in path.parents else ""


def is_ours(file: str) -> bool:
    """Whether a file is of this package, and not of an engine that it ships."""
    inside = own_path(file)
    return bool(inside) and not inside.startswith("engines/")


def is_library(file: str) -> bool:
    """Whether a file is of the standard library, or code without a file."""
    path = Path(file)
    if file.startswith("<"):
        return True
    inside = path.relative_to(_LIBRARY).parts if _LIBRARY in path.parents else ()
    return bool(inside) and inside[0] not in _INSTALLED
