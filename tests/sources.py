"""The modules of the package, by dotted name."""

from pathlib import Path

import isolation_spec

__all__ = ["FACE", "SOURCES"]

FACE = "isolation_spec"
_ROOT = Path(isolation_spec.__path__[0])


def _name(path: Path) -> str:
    parts = (FACE, *path.relative_to(_ROOT).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


# `rglob` does not follow the link that `strategies` is in a checkout.
SOURCES = {
    _name(path): path
    for folder in (_ROOT, _ROOT / "strategies")
    for path in sorted(folder.rglob("*.py"))
}
