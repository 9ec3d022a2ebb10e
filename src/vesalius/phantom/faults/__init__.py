"""Faults planted into a cohort of phantoms after it is drawn, so that what finds them can be held against the truth."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from vesalius.core import registry
from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.core.words import counted
from vesalius.phantom.contract import Row
from vesalius.phantom.faults.contract import ENDINGS, Planted, Site

__all__ = ["Planted", "asked", "plant", "site_of"]

KIND = "phantom.faults"
README = "README.md"


def asked(given: Mapping[str, float] | str | None) -> dict[str, float]:
    """Return the share of each fault by its name, in the order in which they are planted.

    Text is read as the command line gives it: `wrong_labels=0.2,duplicates=0.05`. Raises UnknownName for a fault that
    does not exist, DataError for a share that does not lie above 0 and up to 1.
    """
    items = given.items() if isinstance(given, Mapping) else _pairs(given or "")
    found: dict[str, float] = {}
    for name, value in items:
        if name not in registry.names(KIND):
            raise UnknownName(registry.singular(KIND), name, registry.names(KIND))
        if name in found:
            raise DataError(f"the fault {name} is given twice", hint="one share of each")
        try:
            share = float(value)
        except (TypeError, ValueError):
            share = -1.0
        if isinstance(value, bool) or not 0 < share <= 1:
            raise DataError(
                f"the share of {name} lies above 0 and is at most 1", found=repr(value), hint=f"{name}=0.1"
            )
        found[name] = share
    return dict(sorted(found.items(), key=lambda kv: (registry.literals(KIND, kv[0])["ORDER"], kv[0])))


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for item in (x for x in text.split(",") if x.strip()):
        name, sign, value = item.partition("=")
        if not sign:
            raise DataError(
                "a planted fault is given as NAME=SHARE", found=repr(item), hint="wrong_labels=0.2"
            )
        pairs.append((name.strip(), value.strip()))
    return pairs


def site_of(root: Path, first: Case, rows: list[Row], truths: list[Row]) -> Site:
    """Return a written cohort as faults see it; `first` is its first case, which tells columns apart."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    kinds = {n: t for n, t in first.targets.items() if n in columns}
    return Site(
        root,
        rows,
        truths,
        images=tuple(n for n in first.images if n in columns),
        masks=tuple(n for n, t in kinds.items() if isinstance(t, Image)),
        classes=next((n for n, t in kinds.items() if isinstance(t, str)), None),
    )


def plant(site: Site, shares: Mapping[str, float], seed: int) -> list[Planted]:
    """Plant faults into a written cohort and return what was planted, in the order of `asked`.

    Raises DataError for a cohort that lacks what a fault needs.
    """
    planted: list[Planted] = []
    for name, share in shares.items():
        _check(site, name)
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))
        planted += _file(name).plant(site, share, random)
    return planted


def mended(site: Site, planted: Sequence[Planted], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the cohort's text files as they hold after what was planted; its README says that something was."""
    found = dict(texts)
    if planted and README in found:
        counts = Counter(p.kind for p in planted)
        said = ", ".join(f"`{name}` in {counted(n, 'case')}" for name, n in counts.items())
        found[README] += (
            f"\n**Faults were planted**: {said}. `faults` in `truth.json` says in which, and how.\n"
            "What else is there of a case is what holds without them.\n"
        )
    for name in dict.fromkeys(p.kind for p in planted):
        mend = getattr(_file(name), "texts", None)
        found = found if mend is None else dict(mend(site, [p for p in planted if p.kind == name], found))
    return found


def _file(name: str) -> ModuleType:
    return registry.lookup(KIND, name)


def _check(site: Site, name: str) -> None:
    """Raise DataError for a cohort that lacks what a fault needs."""
    files = [path for row in site.rows for path in site.files(row, (*site.images, *site.masks))]
    plain = bool(site.images) and all(path.name.endswith(ENDINGS) for path in files)
    there = {
        "classes": site.classes is not None and len({r[site.classes] for r in site.rows if r[site.classes]}) > 1,
        "masks": bool(site.masks) and plain,
        "pixels": plain,
        "spacing": plain and all(path.name.endswith(".nii.gz") for path in files),
    }  # fmt: skip
    words = {
        "classes": "a class for each case, and at least two of them",
        "masks": "a mask for each case, in files of NIfTI or PNG",
        "pixels": "images in files of NIfTI or PNG",
        "spacing": "images in files of NIfTI, which tell their spacing",
    }
    for need in registry.literals(KIND, name).get("NEEDS", ()):
        if not there[need]:
            raise DataError(
                f"the fault {name} needs {words[need]}",
                found=f"columns {', '.join(site.rows[0])}",
                hint="another kind of phantom, or another format",
            )
