"""Where a verb writes as it goes from case to case: rows that are on disk at once, and a mark until all is done."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.disk import append, new_folder, output_errors, write_text, write_with
from vesalius.core.errors import OutputError

MARK = "unfinished.json"
TABLES = {
    "predict": "answers.csv",
    "explain": "explanations.csv",
    "calibrate": "calibrating.csv",
    "suggest": "measured.csv",
}


class Ledger:
    """A CSV that grows by whole rows, each forced to disk before `add` returns; none is kept in memory.

    It is called `NAME.partial.csv` until `close`. A row with new columns widens the whole table.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f"{path.stem}.partial{path.suffix}")
        self.names: list[str] = []

    def cases(self) -> list[str]:
        """Return the cases whose rows are on disk, in order; what a crash cut short is dropped from the file."""
        if self.path.is_file() and not self.partial.is_file():
            self.path.replace(self.partial)
        if not self.partial.is_file():
            return []
        _drop_half_a_row(self.partial)
        with self.partial.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            found = [row["case"] for row in reader]
            self.names = list(reader.fieldnames or ())
        return found

    def texts(self, column: str) -> Iterator[tuple[str, str]]:
        """Yield each case whose row is on disk with its cell in a column, in order."""
        yield from ((row["case"], row[column]) for row in self.rows())

    def rows(self) -> list[dict[str, str]]:
        """Return the rows that are on disk, in order, as text; none where there is no table yet."""
        held = self.partial if self.partial.is_file() else self.path
        if not held.is_file():
            return []
        with held.open(encoding="utf-8", newline="") as file:
            return [dict(row) for row in csv.DictReader(file)]

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, whole or not at all. Raises OutputError."""
        self.extend([row])

    def extend(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows in one write. Raises OutputError."""
        new = list(dict.fromkeys(name for row in rows for name in row if name not in self.names))
        if new:
            self._widen([*self.names, *new])
        data = "".join(_text(self.names, row) for row in rows).encode()
        with output_errors(self.path):
            place = os.open(self.partial, os.O_WRONLY | os.O_APPEND)
            try:
                append(place, data)
            finally:
                os.close(place)

    def keep(self, cases: Iterable[str]) -> None:
        """Drop the rows of all other cases."""
        kept = set(cases)
        self.cases()  # and what a crash cut short
        rows = [row for row in self.rows() if row["case"] in kept]
        if self.names:
            head = dict(zip(self.names, self.names, strict=True))
            write_text(self.partial, "".join(_text(self.names, row) for row in (head, *rows)))

    def close(self) -> None:
        """Give the file its name, now that nothing is to follow."""
        if self.names:
            with output_errors(self.path):
                self.partial.replace(self.path)

    def restart(self) -> None:
        """Forget every row."""
        self.partial.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.names = []

    def _widen(self, names: list[str]) -> None:
        def write(temporary: Path) -> None:
            with temporary.open("w", encoding="utf-8", newline="") as new:
                new.write(_text(names, dict(zip(names, names, strict=True))))
                if not self.names:
                    return
                with self.partial.open(encoding="utf-8", newline="") as old:
                    new.writelines(_text(names, row) for row in csv.DictReader(old))

        write_with(self.partial, write)
        self.names = names


class Sheet:
    """A predict's folder while it is filled: the tables of what was and was not answered, and the mark.

    The mark holds what the answers depend on, so that they are only ever continued in the same way. Another verb that
    goes through cases names itself in `verb`, and its table is called after that.
    """

    def __init__(self, folder: Path, verb: str = "predict") -> None:
        self.folder = folder
        self.answers, self.failed = Ledger(folder / TABLES[verb]), Ledger(folder / "failed.csv")
        self._listings: dict[str, Ledger] = {}

    def enlist(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a case's rows to the table of that name, which holds what an answer lists, before the answer's own row.

        Raises OutputError.
        """
        self._listings.setdefault(name, Ledger(self.folder / name)).extend(rows)

    @classmethod
    def new(cls, out: Path, about: Mapping[str, Any], verb: str = "predict") -> Sheet:
        """Return a new folder. Raises OutputError where something lies there, and says if that can be gone on with."""
        if (out / MARK).is_file():
            raise OutputError(
                f"{out} holds an interrupted {verb}; nothing is overwritten",
                hint="--resume to go on with it, or another -o",
            )
        sheet = cls(new_folder(out, default=Path(TABLES[verb]).stem), verb)
        write_text(sheet.folder / MARK, json.dumps(about, indent=1) + "\n")
        return sheet

    @classmethod
    def again(cls, out: Path, about: Mapping[str, Any], verb: str = "predict") -> Sheet:
        """Return a folder to go on in; what could not be answered is tried again.

        Raises OutputError for other answers.
        """
        assert_alike(marked(out, verb), about, out)
        sheet = cls(out, verb)
        sheet.failed.restart()
        known = {sheet.answers.partial, sheet.failed.partial}
        for partial in sorted(
            set(out.glob("*.partial.csv")) - known
        ):  # what answers list, each before its own row
            listing = Ledger(partial.with_name(f"{partial.name.removesuffix('.partial.csv')}.csv"))
            listing.keep(sheet.answers.cases())
            sheet._listings[listing.path.name] = listing
        return sheet

    def discard(self) -> None:
        """Leave nothing of a predict that answered no case."""
        self.answers.restart()
        self.failed.restart()
        for listing in self._listings.values():
            listing.restart()
        with output_errors(self.folder):
            (self.folder / MARK).unlink()
            if not any(p for p in self.folder.iterdir() if not p.name.startswith(".")):
                shutil.rmtree(self.folder)

    def close(self) -> None:
        """All is done: the tables get their names, and the mark goes."""
        self.answers.close()
        self.failed.close()
        for listing in self._listings.values():
            listing.close()
        with output_errors(self.folder):
            (self.folder / MARK).unlink()


def assert_alike(before: Mapping[str, Any], about: Mapping[str, Any], out: Path) -> None:
    """Raise OutputError where answers would be made otherwise than those that a folder was begun with."""
    for name, was in before.items():
        if about.get(name) != was:
            raise OutputError(
                f"the predict in {out} was begun with {name} {was!s:.80} and cannot go on with another {name}",
                found=f"{name} {about.get(name)!s:.80}",
                hint=f"--resume without another {name}, or another -o",
            )


def marked(out: Path, verb: str = "predict") -> dict[str, Any]:
    """Return what an interrupted predict, or another verb, was told. Raises OutputError where there is none."""
    try:
        found: dict[str, Any] = json.loads((out / MARK).read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError) as error:
        raise OutputError(f"{out} holds no interrupted {verb}", hint=f"{verb} without --resume") from error


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as the text of a table; a column that a row lacks is empty there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _text(names, dict(zip(names, names, strict=True))) + "".join(_text(names, row) for row in rows)


def _text(names: list[str], row: Mapping[str, Any]) -> str:
    out = io.StringIO()
    csv.DictWriter(out, names, restval="", lineterminator="\n").writerow(row)
    return out.getvalue()


def _drop_half_a_row(path: Path) -> None:
    """Cut the file behind its last whole row; a line break between quotes ends none."""
    whole = seen = quotes = 0
    with path.open("rb") as file:
        for line in file:
            seen += len(line)
            quotes += line.count(b'"')
            if line.endswith(b"\n") and quotes % 2 == 0:
                whole = seen
    if whole < seen:
        os.truncate(path, whole)
