"""Write constraints.txt: the installed version of everything that the project and its extras need, and no more."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# What was tested, exactly. Made by `make pin` from what .venv and .venv-extras hold; do not edit by hand.
# torch stays pinned: a range, or none, takes a CUDA build of several gigabytes where an index offers one.
"""


def wanted() -> list[tuple[str, frozenset[str]]]:
    """The project's own requirements with all its extras, as (name, extras)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    found = [Requirement(line) for line in lines]
    return [(r.name, frozenset(r.extras)) for r in found if not r.name.startswith("vesalius")]


def closure() -> dict[str, str]:
    """Version by canonical name, of the requirements and all that they require here."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = wanted()
    while queue:
        item = queue.pop()
        if item in seen:
            continue
        seen.add(item)
        name, extras = item
        distribution = metadata.distribution(name)
        versions[canonicalize_name(name)] = Version(distribution.version).public
        for line in distribution.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in (*extras, "")):
                queue.append((need.name, frozenset(need.extras)))
    return versions


def main() -> int:
    """Write the file; name what is not installed."""
    try:
        versions = closure()
    except metadata.PackageNotFoundError as error:
        sys.stderr.write(f"'{error.name}' is required but not installed; try: make install\n")
        return 2
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    (ROOT / "constraints.txt").write_text(HEAD + "".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
