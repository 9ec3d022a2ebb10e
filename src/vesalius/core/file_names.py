"""File names for cases: what no file system refuses, and no two alike."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable

LONGEST_NAME = 200  # bytes, before suffixes
BAD_NAME = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))


def file_names(case_ids: Iterable[str]) -> dict[str, str]:
    """Return each case's id as a file name: separators and the like become underscores, and no two are alike."""
    return dict(FileNames(case_ids))


class FileNames(dict[str, str]):
    """File names by case id as `file_names` gives them; further ones are made when they are first asked for."""

    def __init__(self, case_ids: Iterable[str] = ()) -> None:
        super().__init__()
        self._taken: set[str] = set()
        for case_id in case_ids:
            self.__missing__(case_id)

    def __missing__(self, case_id: str) -> str:
        base = _short(case_id.translate(BAD_NAME).strip(". ") or "case")
        some = (f"{base}-{k}" if k > 1 else base for k in itertools.count(1))
        self[case_id] = next(n for n in some if n.casefold() not in self._taken)
        self._taken.add(self[case_id].casefold())
        return self[case_id]


def _short(name: str) -> str:
    """Return a name with room for suffixes in what file systems take, 255 bytes; what is cut off leaves its hash."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    kept = name.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
