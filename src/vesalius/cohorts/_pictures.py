"""Pictures below a folder, found by the names that files of annotations give them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._tails import Named, Tails
from vesalius.core.errors import DataError
from vesalius.core.words import listed


@dataclass
class Pictures:
    """Every image below a folder, by its path, its name and its name without a suffix."""

    root: Path
    paths: tuple[Path, ...]
    _names: Tails
    _stems: Tails
    _roots: tuple[Path, ...] = field(default=())
    _known: frozenset[Path] = frozenset()

    @classmethod
    def below(cls, root: Path, files: Iterable[Path] | None = None) -> Pictures:
        """Look below `root`, or take the files that are given."""
        paths = _files.images(_files.walk(root) if files is None else files)
        roots = (root, root.absolute(), root.resolve())
        found = cls(root, paths, Tails.below(root), Tails.below(root), roots, frozenset(paths))
        for path in paths:
            found._names.add(path)
            found._stems.add(path, formats.stem(path))
        return found

    def find(self, text: str, *, near: Path | None = None, word: str | None = None) -> Path | None:
        """Return the picture that a name or a path means; None where there is none. Raises DataError where several do.

        A path of another machine fits as far as it agrees with what lies here. Of several that fit, one in the folder
        `near` or below it is meant, then one below a folder that has `word` in it.
        """
        named = Named.of(text, self._roots)
        if named is None:
            return None
        for folder in (near, self.root):
            if folder is not None and (path := Path(os.path.normpath(folder / named.path))) in self._known:
                return path
        fitting = self._fitting(named)
        if (
            not fitting and named.above
        ):  # a path of another machine, of which the last name may be all that agrees
            fitting = self._fitting(Named(Path(named.parts[-1]), named.parts[-1:]))
        if len(fitting) > 1 and near is not None:
            fitting = [p for p in fitting if p.is_relative_to(near)] or fitting
        if len(fitting) > 1 and word:
            fitting = [p for p in fitting if self._below(p, word)] or fitting
        if len(fitting) > 1:
            found = listed([p.relative_to(self.root).as_posix() for p in fitting], 3)
            raise DataError(f"several pictures could be '{text}'", found=found, hint="names that differ")
        return fitting[0] if fitting else None

    def _fitting(self, named: Named) -> list[Path]:
        """Return the pictures of a path: of its name, of its name as one without a suffix, or with another suffix."""
        *folders, last = named.parts
        short = replace(
            named, path=named.path.with_name(formats.stem(last)), parts=(*folders, formats.stem(last))
        )
        return self._names.fitting(named) or self._stems.fitting(named) or self._stems.fitting(short)

    def _below(self, path: Path, word: str) -> bool:
        return any(word in part.casefold() for part in path.relative_to(self.root).parts[:-1])
