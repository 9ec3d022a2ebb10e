"""Cleaning: what is changed of a cohort, case by case, and the folder that holds it; the data stay as they are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.cohorts._build import SPLIT_NOTE
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Split, Target
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, FormatError, UnknownName
from vesalius.core.words import counted

CLEANED, CHANGES, CLEANED_TABLE = "cleaned.json", "changes.csv", "cohort.csv"
VERSION = 1
ACTIONS = ("drop", "merge", "relabel")


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed of one case, and why.

    `drop` leaves it out; `merge` leaves it out because `same_as` is the same picture and stays; `relabel` gives its
    `target` another value: `was` and `becomes` are the values as `cell_of` writes them.
    """

    case: str
    action: str
    reason: str
    target: str = ""
    was: str = ""
    becomes: str = ""
    same_as: str = ""


@dataclass(frozen=True)
class Source:
    """The data that were cleaned, how they are read, and how their cases are split.

    `held` are the cases that are tested on: none of them is ever changed. `splits` are those of all cases that have
    one.
    """

    data: Path
    layout: str | None = None
    target: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)


def cell_of(info: TargetInfo, value: Target | None) -> str:
    """Return a target in a cell of a table: the name of a class as it is, anything else as JSON."""
    if value is None:
        return ""
    plain = kinds.of(info.kind).as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def value_of(info: TargetInfo, cell: str) -> Target:
    """Return the target that a cell holds. Raises DataError where it holds none of this kind, UnknownName."""
    kind = kinds.of(info.kind)
    if not kind.named:
        raise DataError(
            f"a target of kind {info.kind} cannot be relabelled in a table", hint="drop the case, or leave it"
        )
    try:
        value = kind.of_json(json.loads(cell)) if kind.several else cell
    except (ValueError, TypeError) as error:
        raise DataError(
            f"'{info.name}' takes a list of labels", found=repr(cell), hint='as JSON: ["a", "b"]'
        ) from error
    for name in kind.names_in(value):
        if name not in {x.name for x in info.labels}:
            raise UnknownName(f"label of '{info.name}'", name, [x.name for x in info.labels])
    return value


def changed(cohort: Cohort, changes: Sequence[Change], source: Source) -> Cohort:
    """Return the cohort as the changes have it, with the splits of its source.

    Raises DataError for a change of a case that is tested on, of one that is not there, or of a value that the data do
    not have any more; UnknownName for a label that there is none of.
    """
    held, by_case = set(source.held), {c.id: c for c in cohort.cases}
    one: dict[str, Change] = {}
    for change in changes:
        _assert_possible(change, held, by_case, cohort)
        if change.case in one:
            raise DataError(
                f"case '{change.case}' is changed twice",
                found=f"{one[change.case].action} and {change.action}",
                hint="accept one of the two",
            )
        one[change.case] = change
    for change in one.values():
        if change.action == "merge" and _gone(one.get(change.same_as)):
            raise DataError(
                f"'{change.case}' is merged into '{change.same_as}', which is dropped itself",
                hint="drop both, or keep one of them",
            )
    kept = []
    for case in cohort.cases:
        change_of = one.get(case.id)
        if _gone(change_of):
            continue
        targets = case.targets
        if change_of is not None:
            info = cohort.targets[change_of.target]
            targets = {**targets, info.name: value_of(info, change_of.becomes)}
        # a declared split that a split file took away has to stay away
        split = source.splits.get(case.id) if source.splits else case.split
        kept.append(replace(case, targets=targets, split=split))
    return replace(cohort, cases=tuple(kept), notes=(*cohort.notes, *_notes(one.values(), source)))


def save_cleaned(folder: Path, source: Source, cohort: Cohort, changes: Sequence[Change]) -> Cohort:
    """Write the head, the changes and the new table into a folder, and return the cohort that it holds.

    Raises what `changed` raises, and then writes nothing.
    """
    made = changed(cohort, changes, source)
    head = {
        "version": VERSION,
        "data": str(source.data.resolve()),
        "cases": [c.id for c in cohort.cases],
        "layout": source.layout,
        "target": source.target,
        "columns": dict(source.columns),
        "labels": dict(source.labels),
        "held": list(source.held),
        "splits": dict(source.splits),
    }
    write_text(folder / CHANGES, _as_table([asdict(c) for c in changes], list(Change.__dataclass_fields__)))
    write_text(folder / CLEANED_TABLE, _as_table(_rows(made)))
    write_text(folder / CLEANED, json.dumps(head, indent=1, ensure_ascii=False) + "\n")
    return made


def load_source(folder: Path) -> tuple[Source, tuple[str, ...]]:
    """Return what a folder says of its source, and the ids of the source's cases. Raises FormatError."""
    try:
        head = json.loads((folder / CLEANED).read_text(encoding="utf-8"))
        if head["version"] > VERSION:
            raise FormatError(f"{folder / CLEANED} is of version {head['version']}", hint="a newer Vesalius")
        source = Source(
            data=Path(head["data"]),
            layout=head["layout"],
            target=head["target"],
            columns=head["columns"],
            labels=head["labels"],
            held=tuple(head["held"]),
            splits=head["splits"],
        )
        return source, tuple(head["cases"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{folder / CLEANED} is damaged", found=f"{type(error).__name__}: {error}"[:120]
        ) from error


def load_changes(folder: Path) -> tuple[Change, ...]:
    """Return the changes of a folder. Raises FormatError where its table is damaged."""
    names = list(Change.__dataclass_fields__)
    try:
        with (folder / CHANGES).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return tuple(Change(**{name: row[name] or "" for name in names}) for row in rows)
    except (OSError, KeyError, ValueError) as error:
        raise FormatError(
            f"{folder / CHANGES} is damaged", found=f"{type(error).__name__}: {error}"[:120]
        ) from error


def assert_same_cases(cohort: Cohort, ids: Sequence[str], source: Source) -> None:
    """Raise DataError where the data hold other cases than when they were cleaned."""
    now = {c.id for c in cohort.cases} | {s.case for s in cohort.set_aside}
    gone, new = [i for i in ids if i not in now], len({c.id for c in cohort.cases} - set(ids))
    if gone or new:
        found = [counted(len(gone), "case is", "cases are") + " gone"] if gone else []
        found += [counted(new, "case is", "cases are") + " new"] if new else []
        raise DataError(
            f"{source.data} holds other cases than when it was cleaned",
            found=", ".join(found),
            hint="`vesalius clean` it anew",
        )


def _as_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Return rows as the text of a CSV; a column that a row lacks is empty there."""
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _gone(change: Change | None) -> bool:
    return change is not None and change.action in ("drop", "merge")


def _assert_possible(change: Change, held: set[str], by_case: Mapping[str, Case], cohort: Cohort) -> None:
    if change.action not in ACTIONS:
        raise UnknownName("action", change.action, ACTIONS)
    if change.case not in by_case:
        raise UnknownName("case", change.case, by_case)
    if change.case in held:
        raise DataError(
            f"case '{change.case}' is one that is tested on, and is not changed",
            found=f"{change.action}: {change.reason}",
            hint="a score on a mended test split says nothing of real data; mend the data themselves if they are wrong",
        )
    if change.action == "merge" and change.same_as not in by_case:
        raise UnknownName("case", change.same_as, by_case)
    if change.action != "relabel":
        return
    if not held:
        raise DataError(
            f"case '{change.case}' cannot be relabelled, as no case is set apart to be tested on",
            hint="--split, or `vesalius clean` with its fit of folds: else it might be tested on under its new label",
        )
    if change.target not in cohort.targets:
        raise UnknownName("target", change.target, cohort.targets)
    info = cohort.targets[change.target]
    now = cell_of(info, by_case[change.case].targets.get(info.name))
    if now != change.was:
        raise DataError(
            f"the '{info.name}' of case '{change.case}' is not what it was when the data were looked at",
            found=f"'{now}' instead of '{change.was}'",
            hint="`vesalius clean` the data anew",
        )
    value_of(info, change.becomes)


def _notes(changes: Any, source: Source) -> list[str]:
    counts = {action: sum(c.action == action for c in changes) for action in ACTIONS}
    words = {"drop": "dropped", "merge": "merged", "relabel": "relabelled"}
    said = [f"{n} {words[action]}" for action, n in counts.items() if n]
    found = [f"cleaned: {', '.join(said) or 'nothing changed'}; of {source.data.name}"]
    if source.splits:
        found.append(
            f"{SPLIT_NOTE}{CLEANED}, made before the cleaning; no case that is tested on was changed"
        )
    return found


def _rows(cohort: Cohort) -> list[dict[str, Any]]:
    """Return the cases as rows of a table: who, which split, where the images lie, and the targets in words."""
    rows = []
    for case in cohort.cases:
        row: dict[str, Any] = {"case": case.id, "patient": case.patient or "", "split": case.split or ""}
        row |= {name: str(ref) for name, ref in case.images.items()}
        words = kinds.words(case, cohort.targets)
        for name, info in cohort.targets.items():
            drawn = kinds.of(info.kind).drawn and name in case.targets
            row[name] = str(case.targets[name]) if drawn else words.get(name, "")
        row |= {n: "" if v is None else v for n, v in case.covariates.items() if n not in row}
        row |= {n: v for n, v in {"report": case.report, **case.texts}.items() if v and n not in row}
        rows.append(row)
    return rows
