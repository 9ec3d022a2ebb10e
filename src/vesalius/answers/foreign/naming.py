"""Which case a file or a row of another tool's predictions is named after, and that there is one answer to a case."""

from __future__ import annotations

import filecmp
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.file_names import file_names

_LATER = (".dcm", ".npz", ".npy")  # beside a mask of the same name: its objects, or its probabilities


def mask_files(path: Path) -> dict[str, list[Path]]:
    """Files that can be masks, by their names without suffix: of all folders, and of what lies in one the masks."""
    suffixes = formats.known_suffixes()
    found: dict[str, dict[Path, list[Path]]] = {}
    for p in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if p.is_file() and p.name.lower().endswith(suffixes) and not p.name.endswith(".overlay.png"):
            found.setdefault(formats.stem(p), {}).setdefault(p.parent, []).append(p)
    return {
        name: [p for held in folders.values() for p in _masks_of(held)] for name, folders in found.items()
    }


def _masks_of(files: list[Path]) -> list[Path]:
    """Of the files of one name in one folder those that are masks of their own; a SEG or SR beside one is not."""
    own = [p for p in files if not p.name.lower().endswith(_LATER)]
    return own or files[:1]


def mirrored(case: Case, files: Mapping[str, Sequence[Path]], root: Path) -> list[Path]:
    """Return the files that lie below `root` in the same folders as a case's image lies in its own: `day1/P03`."""
    image = case.image
    if not isinstance(image, Ref):
        return []
    found = []
    for path in files.get(formats.stem(image.paths[0]), ()):
        own = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
        if own and image.paths[0].parent.parts[-len(own) :] == own:
            found.append(path)
    return found


def only_answer(files: Sequence[Path], case: str) -> Path:
    """Return the one file that answers a case; copies of one answer are one. Raises DataError for two answers."""
    first, *others = files
    for other in others:
        if not _same(first, other):
            raise DataError(
                f"case {case} is answered twice, differently",
                found=f"{first} and {other}",
                hint="the folder of one model's answers",
            )
    return first


def _same(one: Path, other: Path) -> bool:
    if filecmp.cmp(one, other, shallow=False):
        return True
    try:
        pair = [formats.read_mask(Ref((p,))) for p in (one, other)]
    except VesaliusError:
        return False
    return np.array_equal(pair[0].array, pair[1].array)


class Names:
    """The cases that rows of a table name: by id, by the name of an answer's file, or by an image's path."""

    def __init__(self, cases: Iterable[Case]) -> None:
        listed = list(cases)
        ids = {c.id: c.id for c in listed}
        tails = Counter(c.id.rsplit("/", 1)[-1] for c in listed)
        short = {t: c.id for c in listed if tails[t := c.id.rsplit("/", 1)[-1]] == 1}
        self._known = short | {name: case for case, name in file_names(ids).items()} | ids
        self._folders = {c.id: _folder(c) for c in listed}

    def __call__(self, text: str) -> str | None:
        """Return the case's id, or None. Folders that are named must not be those of another case's image."""
        name = text.strip().replace("\\", "/")
        whole = re.sub(r"^(\d+)\.0+$", r"\1", name)  # a number, as spreadsheets write it
        joined = name.strip("/").replace("/", "_")
        for way in (text, name, joined, formats.stem(joined), whole):
            if way in self._known:
                return self._known[way]
        case = self._known.get(formats.stem(name)) or self._known.get(formats.stem(Path(name).name))
        folder = Path(name).parent.name.casefold()
        if case is None or not folder or folder == self._folders[case]:
            return case
        return None if folder in self._folders.values() else case


def _folder(case: Case) -> str:
    image = case.image
    return image.paths[0].parent.name.casefold() if isinstance(image, Ref) else ""
