"""Matching files of different groups by name: common prefixes and suffixes of each group do not count."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from vesalius import formats

_CUT = re.compile(r"[ _\-.]")


Place = Callable[[Path], str]


def match(
    images: Sequence[Path], others: Sequence[Path], *, place: Place = lambda path: ""
) -> dict[Path, Path]:
    """For each image the one other file of the same name, after what all names of a group share is stripped.

    Whole stems are compared first, then stems without the group's common suffix, prefix, or both; the way that
    matches most wins, and only names that are unique in both groups match. `21_training` matches `21_manual1`
    where every image ends in `_training` and every mask in `_manual1`. Files of different places, as `place`
    tells them (`day1`, `train`), are never matched, whatever their names.
    """
    best: dict[Path, Path] = {}
    for strip_images in _WAYS:
        left = _unique(images, strip_images, place)
        for strip_others in _WAYS:
            right = _unique(others, strip_others, place)
            found = {path: right[key] for key, path in left.items() if key in right}
            if len(found) > len(best):
                best = found
        if len(best) == min(len(images), len(others)):
            break
    if not best:
        stems: dict[str, dict[str, Path]] = {}
        for (where, stem), path in _unique(images, _whole, place).items():
            stems.setdefault(where, {})[stem] = path
        for other in others:
            here = stems.get(place(other), {})
            origin = origin_of(formats.stem(other), set(here))
            if origin is not None:
                best[here[origin[0]]] = other
    return best


def origin_of(stem: str, stems: set[str]) -> tuple[str, str] | None:
    """Return the longest other stem that `stem` begins with, up to a separator, and the rest: `x_1stHO` → `x`,
    `1stHO`.
    """
    for cut in reversed([m.start() for m in _CUT.finditer(stem)]):
        if cut and stem[:cut] in stems and cut + 1 < len(stem):
            return stem[:cut], stem[cut + 1 :]
    return None


def _whole(stems: Sequence[str]) -> list[str]:
    return list(stems)


def _without_suffix(stems: Sequence[str]) -> list[str]:
    size = _common_suffix(stems)
    return [s[: len(s) - size] for s in stems]


def _without_prefix(stems: Sequence[str]) -> list[str]:
    size = _common_prefix(stems)
    return [s[size:] for s in stems]


def _without_both(stems: Sequence[str]) -> list[str]:
    return _without_prefix(_without_suffix(stems))


_WAYS: tuple[Callable[[Sequence[str]], list[str]], ...] = (
    _whole,
    _without_suffix,
    _without_prefix,
    _without_both,
)


def _common_prefix(stems: Sequence[str]) -> int:
    """Return length of what all stems begin with, never ending inside a word or a number."""
    if len(stems) < 2:
        return 0
    first, last = min(stems), max(stems)  # what these two share, all that sort between them share
    size = next(
        (k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    while size > 0 and not _edge(stems, size):
        size -= 1
    return size


def _common_suffix(stems: Sequence[str]) -> int:
    return _common_prefix([s[::-1] for s in stems])


def _edge(stems: Sequence[str], size: int) -> bool:
    """Return whether every stem can be cut there: at a separator, or between a letter and a digit."""
    last = stems[0][size - 1]
    if any(len(s) == size for s in stems):
        return False
    if not last.isalnum():
        return True
    return all(s[size].isdigit() != last.isdigit() or not s[size].isalnum() for s in stems)


def _unique(
    paths: Sequence[Path], way: Callable[[Sequence[str]], list[str]], place: Place
) -> dict[tuple[str, str], Path]:
    found: dict[tuple[str, str], Path] = {}
    twice: set[tuple[str, str]] = set()
    for path, name in zip(paths, way([formats.stem(p) for p in paths]), strict=True):
        key = (place(path), name)
        if key in found:
            twice.add(key)
        found[key] = path
    return {k: p for k, p in found.items() if k[1] and k not in twice}
