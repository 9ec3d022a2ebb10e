"""Proposals: what should be changed of single cases, each with its reason, as a table that a person edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vesalius.cohorts import ACTIONS, Change
from vesalius.core.delimited import read_rows, with_header
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, UnknownName, closest_path
from vesalius.run.ledger import as_csv

FILE = "proposals.csv"
YES, NO = ("yes", "y", "true", "1", "x"), ("no", "n", "false", "0", "")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What should be changed of one case, and why; nothing is, unless `accept` says so.

    `kind` is what was found; `action`, `target`, `was`, `becomes` and `same_as` are those of a Change. `evidence` ranks
    proposals of one kind: the margin of probabilities of a label error, from 0 to 1, what `mask_errors` says of a
    region, 1 of what is certain. `place` is where in the image it lies, `z,y,x` of a box's low and high corner.
    """

    accept: bool
    case: str
    kind: str
    action: str
    reason: str
    target: str = ""
    was: str = ""
    becomes: str = ""
    same_as: str = ""
    evidence: float = 1.0
    place: str = ""
    patient: str = ""

    def change(self) -> Change:
        """Return what is changed where it is accepted."""
        told = self.action == "relabel"
        return Change(
            case=self.case,
            action=self.action,
            reason=f"{self.kind}: {self.reason}",
            target=self.target if told else "",
            was=self.was if told else "",
            becomes=self.becomes if told else "",
            same_as=self.same_as if self.action == "merge" else "",
        )

    def row(self) -> dict[str, Any]:
        """Return it as a row of the table, the words that a person edits first."""
        first = ("accept", "case", "patient", "kind", "action", "target", "was", "becomes", "reason")
        names = [*first, *(f.name for f in fields(self) if f.name not in first)]
        told = {name: getattr(self, name) for name in names}
        return {**told, "accept": "yes" if self.accept else "no", "evidence": f"{self.evidence:.4g}"}


def changes_of(proposals: Sequence[Proposal]) -> tuple[Change, ...]:
    """Return the changes of those that are accepted; a case that is dropped for several reasons is dropped once.

    Raises DataError for a case that is both dropped and relabelled.
    """
    found: dict[str, Change] = {}
    for one in proposals:
        if not one.accept:
            continue
        change = one.change()
        before = found.get(one.case)
        if before is None:
            found[one.case] = change
        elif "relabel" in (before.action, change.action):
            raise DataError(
                f"two proposals about case '{one.case}' cannot both be accepted",
                found=f"{before.action} and {change.action}",
                hint=f"'no' in one of the two rows of {FILE}",
            )
        else:
            reason = f"{before.reason}; {change.reason}"
            found[one.case] = Change(one.case, before.action, reason, same_as=before.same_as)
    return tuple(found.values())


def save(proposals: Sequence[Proposal], folder: Path) -> None:
    """Write the table, whole or not at all; without proposals it has its head alone. Raises OutputError."""
    rows = [one.row() for one in proposals]
    empty = ",".join(Proposal(False, "", "", "", "").row()) + "\n"
    write_text(folder / FILE, as_csv(rows) if rows else empty)


def load(folder: Path) -> tuple[Proposal, ...]:
    """Return the proposals of a folder, as a person left them.

    A spreadsheet may have changed separators and encoding. Raises DataError for a table that lacks a column, and for a
    row that says neither yes nor no, or an action that is none.
    """
    path = folder / FILE
    if not path.is_file():
        raise DataError(
            f"no {FILE} in {folder}", hint=closest_path(path, "the folder of `vesalius clean DATA -o`")
        )
    rows, separator = read_rows(path)
    if len(rows) < 2:
        return ()
    table = with_header(rows, separator, path)
    missing = [n for n in ("accept", "case", "action") if n not in table]
    if missing:
        raise DataError(
            f"{path} lacks the column '{missing[0]}'", hint="the table as `vesalius clean` wrote it"
        )
    count = len(table["case"])
    cells = {f.name: table.get(f.name, [None] * count) for f in fields(Proposal)}
    return tuple(
        _read({name: (column[k] or "").strip() for name, column in cells.items()}, f"{path}, row {k + 2}")
        for k in range(count)
    )


def _read(row: dict[str, str], where: str) -> Proposal:
    word = row["accept"].casefold()
    if word not in (*YES, *NO):
        raise DataError(f"{where}: accept must be yes or no", found=f"'{row['accept']}'")
    if row["action"] not in ACTIONS:
        raise UnknownName(f"action in {where}", row["action"], ACTIONS)
    try:
        evidence = float(row["evidence"].replace(",", ".") or 0)
    except ValueError as error:
        raise DataError(f"{where}: evidence must be a number", found=f"'{row['evidence']}'") from error
    text = {name: value for name, value in row.items() if name not in ("accept", "evidence")}
    return Proposal(accept=word in YES, evidence=evidence, **text)
