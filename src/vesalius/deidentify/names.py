"""Names of files: what kind of file one is, what its copy is called, and which of them are done."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from vesalius.core.disk import output_errors
from vesalius.core.errors import OutputError
from vesalius.deidentify.key import Key

SUFFIXES = {
    "nifti": (".nii", ".nii.gz"),
    "sidecar": (".json", ".bval", ".bvec", ".bvals", ".bvecs"),
    "picture": (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp", ".webp"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "report": (".txt", ".rep", ".rpt"),
}
_OTHER = """
    md csv tsv xlsx xml html pdf zip tar gz 7z npz npy nrrd nhdr mha mhd raw hdr img mgz py log doc docx parquet
    yml yaml
"""


def kind_of(path: Path) -> str | None:
    """A key of SUFFIXES, by name; a name that says nothing is taken for DICOM; None for other kinds."""
    name = path.name.lower()
    for kind, suffixes in SUFFIXES.items():
        if name.endswith(suffixes):
            return kind
    return None if name.rpartition(".")[2] in _OTHER.split() else "dicom"


def suffix_of(path: Path) -> str:
    """Return the suffix, of the list above, in small letters: all that is kept of a name."""
    name = path.name.lower()
    return max((s for known in SUFFIXES.values() for s in known if name.endswith(s)), key=len, default="")


def place(relative: PurePosixPath, key: Key) -> PurePosixPath:
    """Return the copy's path: a pseudonym for each folder and for the stem, so that a side-car stays beside its
    image.
    """
    suffix = suffix_of(Path(relative.name))
    stem = relative.name[: len(relative.name) - len(suffix)]
    folders = [
        key.pseudonym("folder", "/".join(relative.parts[: n + 1])) for n in range(len(relative.parts) - 1)
    ]
    return PurePosixPath(*folders, key.pseudonym("stem", f"{relative.parent}/{stem}") + suffix)


def alias(relative: PurePosixPath, key: Key) -> str:
    """Return what the report calls a file that was set aside."""
    return f"file-{key.pseudonym('alias', str(relative), digits=10)}"


@dataclass(frozen=True)
class Entry:
    """One input file and what became of it."""

    source: str
    stamp: tuple[int, int]  # bytes and nanoseconds of its last change
    kind: str
    out: str | None = None
    reason: str | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


class Journal:
    """The list of original names, beside the key and as secret as it; what was done can be taken up from it."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path, self.head = path, head
        self.entries: dict[str, Entry] = {}

    def begin(self, *, resume: bool) -> None:
        """Start anew, or read what an interrupted run of the same settings has done. Raises OutputError."""
        if resume and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").split("\n")
            if not lines[0] or json.loads(lines[0]) != self.head:
                hint = "the same input, profile, options and key, or another output folder"
                raise OutputError("the run to resume was started with other arguments", hint=hint)
            for line in lines[1:-1]:  # what follows the last line's end was being written
                entry = _entry(json.loads(line))
                self.entries[entry.source] = entry
            self._write("".join(line + "\n" for line in lines[:-1]), "w")
            return
        self._write(json.dumps(self.head) + "\n", "w")

    def add(self, entry: Entry) -> None:
        """Record that one more file is done."""
        self.entries[entry.source] = entry
        row = {
            "source": entry.source,
            "stamp": entry.stamp,
            "kind": entry.kind,
            "out": entry.out,
            "reason": entry.reason,
            "counts": [[*what, n] for what, n in entry.counts.items()],
            "notes": entry.notes,
        }
        self._write(json.dumps(row) + "\n", "a")

    def done(self, source: str, stamp: tuple[int, int], out: Path) -> bool:
        """Return whether a file was finished before, has not changed since, and its copy is there."""
        entry = self.entries.get(source)
        if entry is None or entry.out is None or entry.stamp != stamp:
            return False
        return (out / entry.out).is_file()

    def _write(self, text: str, mode: str) -> None:
        with output_errors(self.path):
            flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "a" else os.O_TRUNC)
            with os.fdopen(os.open(self.path, flags, 0o600), mode, encoding="utf-8") as file:
                file.write(text)


def _entry(row: dict[str, Any]) -> Entry:
    counts = Counter({(str(a), str(b)): int(n) for a, b, n in row["counts"]})
    first, second = row["stamp"]
    return Entry(
        row["source"], (first, second), row["kind"], row["out"], row["reason"], counts, tuple(row["notes"])
    )
