"""Files that come again: one that is twice in an upload is used once, and an upload that is here already is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vesalius.core.disk import sha256
from vesalius.serve.http.study import UploadedStudy
from vesalius.serve.http.uploads import Received

_AGAIN = "came twice, byte for byte; it is used once"
_MOST_LINES = 3


def once(files: Sequence[Received]) -> tuple[list[Received], list[tuple[str, str]]]:
    """Return the files without those that came twice, and what is said of these; their bytes are removed.

    The same file has the same name and the same bytes. Others of one name are different files, and so are equal bytes
    under two names.
    """
    kept: list[Received] = []
    again: list[str] = []
    seen: dict[tuple[str, int], list[Received]] = {}
    for item in files:
        alike = seen.setdefault((item.label, item.size), [])
        if any(_same_bytes(item.path, other.path) for other in alike):
            again.append(item.label)
            item.path.unlink()
            continue
        alike.append(item)
        kept.append(item)
    if len(again) > _MOST_LINES:
        return kept, [(f"{again[0]} and {len(again) - 1} more", f"{_AGAIN.replace('it is', 'each is')}")]
    return kept, [(label, _AGAIN) for label in again]


def find(study: UploadedStudy, others: Iterable[UploadedStudy]) -> UploadedStudy | None:
    """Return the newest of the owner's other studies that was made of the very same files; None where none was."""
    names = _names(study)
    alike = [o for o in others if o.id != study.id and o.owner == study.owner and o.made == study.made]
    for other in sorted(alike, key=lambda o: -o.created):
        if _names(other) == names and _same_files(study, other):
            return other
    return None


def _names(study: UploadedStudy) -> list[str]:
    return sorted(study.labels.values())


def _same_files(one: UploadedStudy, other: UploadedStudy) -> bool:
    by_name = {label: Path(path) for path, label in other.labels.items()}
    return all(_same_bytes(Path(path), by_name[label]) for path, label in one.labels.items())


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_size == other.stat().st_size and sha256(one) == sha256(other)
    except OSError:  # a study that goes at this moment
        return False
