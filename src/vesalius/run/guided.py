"""Strokes for cases that are predicted: read from a JSON or CSV file, and put onto the cases that they are about."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.case import Case, Prompt
from vesalius.core.errors import DataError
from vesalius.core.guidance import Guidance, Stroke
from vesalius.core.words import listed
from vesalius.infer.given import Asked
from vesalius.run.wanted import Wanted

Strokes = Mapping[str, tuple[Prompt, ...]]  # by case id
Given = Path | str | Mapping[str, Guidance]
COLUMNS = ("case", "kind", "z", "y", "x")
MAY = ("stroke", "adds", "label")
OBJECTS = "objects"
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": True}
_MOST_BYTES = 64 << 20


def strokes_of(given: Given) -> Strokes:
    """Return the strokes of each case, of a JSON or CSV file or as they are given.

    JSON holds, by case id, a list of strokes (`{"kind": "point", "places": [[z, y, x]], "adds": true}`), or
    `{"objects": {"liver": [...], "spleen": [...]}}` where labels are meant. CSV has a row a place: case, kind, z, y, x,
    and where they are needed `stroke`, a number that joins rows to one stroke, `adds`, and `label`. Raises DataError.
    """
    if isinstance(given, Mapping):
        return {str(case): one.prompts() for case, one in given.items()}
    path = Path(given)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: too large for a file of strokes", found=f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a file of strokes", found=str(error)) from error
    try:
        return _of_rows(text) if path.suffix.lower() == ".csv" else _of_json(text)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", found=error.found, hint=error.hint) from error


def told(strokes: Strokes) -> dict[str, Any]:
    """Return strokes as JSON takes them, for what remembers how a folder was filled."""
    return {
        case: [[p.kind, [list(q) for q in p.points], p.label, p.inside] for p in several]
        for case, several in strokes.items()
    }


def parse_told(data: Mapping[str, Any]) -> Strokes:
    """Return strokes of what `told` made."""
    return {
        case: tuple(
            Prompt(kind, tuple(tuple(q) for q in places), label, inside)
            for kind, places, label, inside in rows
        )
        for case, rows in data.items()
    }


def guided(wanted: Wanted, strokes: Strokes) -> Wanted:
    """Return what is wanted with strokes on its cases. Raises DataError for cases that are not there."""
    if not isinstance(wanted.cases, tuple):
        return replace(wanted, cases=_each(wanted.cases, strokes))
    known = {case.id for case in wanted.cases} | {one.case for one in wanted.set_aside}
    if lost := [case for case in strokes if case not in known]:
        raise DataError(
            "strokes about cases that are not there",
            found=listed(lost, 4),
            hint=f"the ids of cases: {listed(sorted(known), 4)}",
        )
    return replace(wanted, cases=tuple(_with(case, strokes) for case in wanted.cases))


def _each(things: Iterator[Asked], strokes: Strokes) -> Iterator[Asked]:
    for one in things:
        yield replace(one, case=_with(one.case, strokes)) if isinstance(one.case, Case) else one


def _with(case: Case, strokes: Strokes) -> Case:
    return replace(case, prompts=strokes[case.id]) if case.id in strokes else case


def _of_json(text: str) -> Strokes:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DataError("is no JSON", found=str(error), hint="a file of strokes, .json or .csv") from error
    if not isinstance(data, Mapping):
        raise DataError("strokes are given by case id", found=type(data).__name__)
    made: dict[str, tuple[Prompt, ...]] = {}
    for case, found in data.items():
        several = found.get(OBJECTS) if isinstance(found, Mapping) and OBJECTS in found else {None: found}
        if not isinstance(several, Mapping):
            raise DataError(f"case {case}: '{OBJECTS}' has the strokes of each label by its name")
        try:
            made[str(case)] = tuple(
                p
                for label, strokes in several.items()
                for p in Guidance.of(strokes).prompts(None if label is None else str(label))
            )
        except DataError as error:
            raise DataError(f"case {case}: {error.what}", found=error.found, hint=error.hint) from error
    return made


def _of_rows(text: str) -> Strokes:
    reader = csv.DictReader(text.splitlines())
    there = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = there
    if lacking := [name for name in COLUMNS if name not in there]:
        raise DataError(
            "a table of strokes lacks columns",
            found=f"no {', '.join(lacking)}",
            hint=", ".join(COLUMNS + MAY),
        )
    if unknown := [name for name in there if name not in COLUMNS + MAY]:
        raise DataError("unknown columns", found=", ".join(unknown), hint=", ".join(COLUMNS + MAY))
    joined: dict[tuple[str, str], list[dict[str, str]]] = {}
    for number, row in enumerate(reader, start=2):
        if None in row.values() or None in row:
            raise DataError(f"line {number} has another number of cells than the first")
        joined.setdefault((row["case"], row.get("stroke") or f"line {number}"), []).append(row)
    made: dict[str, list[Prompt]] = {}
    for (case, _), rows in joined.items():
        made.setdefault(case, []).append(_one(case, rows))
    return {case: tuple(several) for case, several in made.items()}


def _one(case: str, rows: Sequence[Mapping[str, str]]) -> Prompt:
    """Return the stroke that some rows are. Raises DataError where they contradict each other."""
    for name in ("kind", "adds", "label"):
        if len({row.get(name, "") for row in rows}) > 1:
            raise DataError(f"case {case}: the rows of one stroke differ in '{name}'")
    word = rows[0].get("adds", "").strip().lower()
    if word not in _WORDS:
        raise DataError(f"case {case}: 'adds' is true or false", found=repr(word))
    try:
        places = tuple((float(r["z"]), float(r["y"]), float(r["x"])) for r in rows)
    except ValueError as error:
        raise DataError(f"case {case}: a place is no number", found=str(error)) from error
    try:
        stroke = Stroke(rows[0]["kind"].strip(), places, _WORDS[word])  # type: ignore[arg-type]
    except DataError as error:
        raise DataError(f"case {case}: {error.what}", found=error.found, hint=error.hint) from error
    return Guidance((stroke,)).prompts(rows[0].get("label", "").strip() or None)[0]
