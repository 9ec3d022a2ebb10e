"""What a named path can mean below a folder: the rule by which folders of the one and of the other must agree."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path

from vesalius.cohorts import _files

_LONGEST = 255  # bytes of a name that file systems take
_DRIVE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=/|$)|[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Named:
    """A path as it was written: its parts, and what is known of where it began.

    `above` says that it began somewhere above the table's folder (an absolute path, a drive, `..`). `sure` says
    that it lies below that folder by the whole of its path, so that no other place can be meant.
    """

    path: Path
    parts: tuple[str, ...]
    above: bool = False
    sure: bool = False

    @classmethod
    def of(cls, text: str, roots: tuple[Path, ...]) -> Named | None:
        """Return the path in a cell; None for what no file system would take. `roots` spells the table's folder."""
        if not text.isprintable():
            return None
        plain = text.strip().replace("\\", "/")
        rest = _DRIVE.sub("", plain, count=1) if _DRIVE.match(plain) else plain
        parts = [p for p in posixpath.normpath(rest).split("/") if p not in ("", ".")]
        if any(len(p.encode()) > _LONGEST for p in parts) or len(plain) > 16 * _LONGEST:
            return None
        kept = tuple(p for p in parts if p not in ("..", "~"))
        path = Path(plain)
        if path.is_absolute():
            whole = Path(posixpath.normpath(plain))
            for folder in roots:
                if whole.is_relative_to(folder):
                    below = whole.relative_to(folder).parts
                    return cls(path, below, sure=True) if below else None
        above = rest != plain or rest.startswith("/") or len(kept) < len(parts)
        return cls(path, kept, above=above) if kept else None


@dataclass
class Tails:
    """Places below a folder, found by as much of their path as is named, in any letter case.

    A place fits where its path from the folder down and the named path agree, from their ends, on every folder until
    one of both is used up: `images/1/x.png` fits `1/x.png` as well as `/old/images/1/x.png`, and `2/x.png` fits
    neither. Folders that are named beyond the place's own path are then those above the table's folder, which may be
    called otherwise now; so none of them may be a folder that lies in it, and of a relative path at least one
    folder must agree.
    """

    root: Path
    tops: frozenset[str] = frozenset()
    _by_tail: dict[tuple[str, ...], list[Path]] = field(default_factory=dict)
    _whole: dict[tuple[str, ...], list[Path]] = field(default_factory=dict)

    @classmethod
    def below(cls, root: Path) -> Tails:
        """Return an empty one for what lies below `root`."""
        return cls(root, frozenset(p.name.casefold() for p in _files.subfolders(root)))

    def add(self, place: Path, name: str | None = None) -> None:
        """Add a place below the folder; `name` takes its last part's place."""
        if not place.is_relative_to(self.root):
            return
        parts = tuple(p.casefold() for p in place.relative_to(self.root).parts)
        if name is not None:
            parts = (*parts[:-1], name.casefold())
        self._whole.setdefault(parts, []).append(place)
        for k in range(1, len(parts) + 1):
            self._by_tail.setdefault(parts[-k:], []).append(place)

    def fitting(self, named: Named) -> list[Path]:
        """Return the places that fit best; several where it cannot be told which is meant."""
        parts = tuple(p.casefold() for p in named.parts)
        if named.sure:
            return self._exact(self._whole.get(parts, []), named)
        if found := self._by_tail.get(parts):
            return self._exact(self._inside(found, named), named)
        for k in range(len(parts) - 1, 0, -1):
            found = self._whole.get(parts[-k:])
            if found and self._is_above(parts[:-k], named, agreed=k - 1):
                return self._exact(found, named)
        return []

    def called(self, named: Named) -> list[Path]:
        """Return every place with the last name of a path, in whatever folder."""
        return self._by_tail.get((named.parts[-1].casefold(),), [])

    def _inside(self, found: list[Path], named: Named) -> list[Path]:
        """Return those in the very folder that is named, where there is such a folder beside the table."""
        folder = self.root / named.path.parent
        if len(named.parts) == 1 or named.above or not folder.is_dir():
            return found
        return [p for p in found if p.parent == folder]

    def _is_above(self, rest: tuple[str, ...], named: Named, *, agreed: int) -> bool:
        """Return whether the folders that are named beyond a place's own path can be those above the table's folder."""
        if self.tops.intersection(rest):
            return False
        return bool(agreed) or named.above or rest[-1] == self.root.absolute().name.casefold()

    def _exact(self, found: list[Path], named: Named) -> list[Path]:
        """Return the one that is written in the same letter case, where several differ in nothing else."""
        if len(found) < 2:
            return found
        own = {p: p.relative_to(self.root).parts for p in found}
        sizes = {p: min(len(parts), len(named.parts)) for p, parts in own.items()}
        same = [p for p in found if own[p][-sizes[p] :] == named.parts[-sizes[p] :]]
        return same if len(same) == 1 else found
