"""Another tool's boxes as answers: a table with a row a box, or COCO's JSON of results."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.answers.contract import ForeignAnswers
from vesalius.answers.foreign.naming import Names
from vesalius.answers.foreign.tables import CASE_COLUMNS, table_at
from vesalius.cohorts import read_cells
from vesalius.core.answers.boxes import COUNTS, Boxes, counts_of
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import listed

SCORES = ("p", "score", "probability", "confidence", "conf")
LABELS = ("label", "class", "category", "name")
CORNERS = ("z0", "y0", "x0", "z1", "y1", "x1")
CALLED = "called"  # whether a box is called, in a table of ours
OURS = "boxes.csv"  # in a folder of our answers
FLAT = {"z0": "0", "z1": "1"}
YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")  # in the column of what is called

Found = dict[str, list[tuple[Box, float]]]


def box_answers(path: Path, cases: Sequence[Case], target: TargetInfo) -> ForeignAnswers:
    """Return the boxes at `path` by case. A case that the file does not name has none, where it names any other.

    But in a table of ours, with the column `called`, it was not answered; which boxes are called stands there.
    A table has a row a box: `case`, `label`, corners `z0,y0,x0,z1,y1,x1` in pixels of the image from 0 on, high
    excluded, of pictures without z, and its probability as `p` or `score`; a row without corners says that its case has
    none. COCO's results are a list of `image_id`, `category_id`, `bbox` (x, y, width, height) and `score`. What its
    numbers name stands in `images` and `categories`: beside the list in one object, as `annotations`, or in a file
    beside it, of the folder that is named then. Without them an id is a name, for a number alone says nothing: some
    count from 0, and some from 1. Raises DataError.
    """
    lists = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.suffix.lower() == ".json" else []
    thresholds: dict[str, float] | None = None
    if lists:
        found = _of_json(lists, path, cases, target)
    else:
        found, thresholds = _of_table(path, cases, target)
    if not found:
        raise DataError(f"no box of {path} is of a case that is scored", hint=f"names such as {cases[0].id}")
    ours = thresholds is not None  # a table with a row for each case that was answered, be it an empty one
    answered = [case for case in cases if case.id in found or not ours]
    return ForeignAnswers(
        {case.id: _answer(case.id, found.get(case.id, []), target, thresholds) for case in answered}
    )


def _answer(
    case: str,
    found: Sequence[tuple[Box, float]],
    target: TargetInfo,
    thresholds: Mapping[str, float] | None,
) -> Boxes:
    made = Boxes(
        boxes=tuple(box for box, _ in found),
        p=np.array([p for _, p in found], dtype=np.float64),
        labels=target.labels,
        case_id=case,
        thresholds=thresholds,
    )
    return replace(made, parts={COUNTS: counts_of(made)})


def _of_table(path: Path, cases: Sequence[Case], target: TargetInfo) -> tuple[Found, dict[str, float] | None]:
    table = path / OURS if (path / OURS).is_file() else table_at(path)
    cells = read_cells(table)
    lower = {name.strip().lower(): name for name in cells}
    key, label, score = (
        next((lower[c] for c in names if c in lower), None) for names in (CASE_COLUMNS, LABELS, SCORES)
    )
    lacking = [c for c in CORNERS if c not in lower and c not in FLAT]
    if ("z0" in lower) != ("z1" in lower):
        lacking += [c for c in FLAT if c not in lower]
    if key is None or score is None or lacking or (label is None and len(target.labels) > 1):
        raise DataError(
            f"{table} is no table of boxes with their probabilities",
            found=", ".join(cells),
            hint=f"the columns case, label, {', '.join(CORNERS)} (of pictures without z) and p",
        )
    case_of, found = Names(cases), Found()
    said: list[tuple[str, float, bool]] = []
    for n, values in enumerate(zip(*cells.values(), strict=True), start=2):
        row = dict(zip(cells, values, strict=True))
        case = case_of(row[key] or "")
        if case is None:
            continue
        where = f"{table}, line {n}"
        texts = [row[lower[c]] if c in lower else FLAT[c] for c in CORNERS]
        held = found.setdefault(case, [])
        if not any((t or "").strip() for c, t in zip(CORNERS, texts, strict=True) if c in lower):
            continue
        corners = [_number(text, c, where) for c, text in zip(CORNERS, texts, strict=True)]
        name = target.labels[0].name if label is None else str(row[label] or "").strip()
        box = Box(
            (corners[0], corners[1], corners[2]),
            (corners[3], corners[4], corners[5]),
            _label(name, target, where).name,
        )
        p = _probability(row[score], where)
        held.append((_sound(box, where), p))
        if CALLED in lower:
            said.append((box.label, p, _yes(row[lower[CALLED]], where)))
    return found, _thresholds(said, target, table) if CALLED in lower else None


def _thresholds(said: Sequence[tuple[str, float, bool]], target: TargetInfo, table: Path) -> dict[str, float]:
    """Return from which probability on boxes of each label are called, by which of them are.

    Raises DataError where no such probability is.
    """
    found: dict[str, float] = {}
    for label in target.labels:
        called = [p for name, p, so in said if name == label.name and so]
        left = [p for name, p, so in said if name == label.name and not so]
        found[label.name] = min(called, default=math.nextafter(1.0, 2.0))
        if max(left, default=-1.0) >= found[label.name]:
            raise DataError(
                f"{table}: boxes of '{label.name}' are called that are less sure than others that are not",
                found=f"p {found[label.name]:g} called, p {max(left):g} not",
            )
    return found


def _of_json(files: Sequence[Path], path: Path, cases: Sequence[Case], target: TargetInfo) -> Found:
    read = {file: _json(file) for file in files}
    lists = {file: rows for file, data in read.items() if (rows := _rows(data)) is not None}
    if len(lists) != 1:
        raise DataError(
            f"{path} holds {'several lists' if lists else 'no list'} of boxes with scores",
            found=listed((file.name for file in lists), 4),
            hint="one list of COCO's results",
        )
    ((file, rows),) = lists.items()
    named = [data for data in read.values() if isinstance(data, Mapping)]
    images, labels = _by_id(named, "images", "file_name", path), _by_id(named, "categories", "name", path)
    case_of, found = Names(cases), Found()
    for known in filter(None, map(case_of, images.values())):
        found.setdefault(known, [])
    lost: list[str] = []
    for n, row in enumerate(rows, start=1):
        where = f"{file}, box {n}"
        case = case_of(_named(row.get("image_id"), images, where, "image"))
        if case is None:
            lost.append(str(row.get("image_id")))
            continue
        held = row.get("bbox")
        if not isinstance(held, list) or len(held) != 4:
            raise DataError(f"{where} has no bbox of four numbers", found=str(held)[:60])
        x, y, wide, high = (_number(v, "bbox", where) for v in held)
        label = _label(_named(row.get("category_id"), labels, where, "category"), target, where)
        box = Box((0.0, y, x), (1.0, y + high, x + wide), label.name)
        found.setdefault(case, []).append((_sound(box, where), _probability(row.get("score"), where)))
    if lost and len(lost) == len(rows):
        names = listed(dict.fromkeys(lost), 4)
        raise DataError(f"no image of {path} is a case", found=names, hint=f"names such as {cases[0].id}")
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON", found=f"{type(error).__name__}: {error}") from error


def _rows(data: Any) -> list[Mapping[str, Any]] | None:
    """Return a list of boxes with scores, or the one in an object; None of what holds none, such as true boxes."""
    rows = data.get("annotations") if isinstance(data, Mapping) else data
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return None
    return rows if all("score" in row for row in rows) and (rows or not isinstance(data, Mapping)) else None


def _by_id(named: Sequence[Mapping[str, Any]], rows: str, name: str, path: Path) -> dict[str, str]:
    """Return what each id names, in all files together. Raises DataError for an id that names two things."""
    found: dict[str, str] = {}
    for one in (one for data in named for one in data.get(rows, ())):
        key, said = _key(one.get("id")), str(one.get(name, ""))
        if found.setdefault(key, said) != said:
            raise DataError(
                f"{path}: an id of `{rows}` stands for two",
                found=f"{key}: '{found[key]}' and '{said}'",
                hint="beside the boxes only the file that they were made from",
            )
    return found


def _key(given: Any) -> str:
    """Return an id as text: 7, 7.0 and "7" are one, as they are where COCO's truth is read."""
    text = str(given).strip()
    return text.removesuffix(".0") if text.removesuffix(".0").isdecimal() else text


def _named(given: Any, names: Mapping[str, str], where: str, what: str) -> str:
    """Return what an id names. Raises DataError for a number that nothing names, though it be written as text."""
    key = _key(given)
    if key in names:
        return names[key]
    if isinstance(given, str) and not (names and key.isdecimal()):
        return given
    plural = {"image": "images", "category": "categories"}[what]
    raise DataError(
        f"{where}: nothing says which {what} has this number",
        found=str(given),
        hint=f"COCO's `{plural}`, beside the boxes in one object or in a file of the same folder",
    )


def _label(name: str, target: TargetInfo, where: str) -> Label:
    exact = [x for x in target.labels if x.name == name]
    kept = exact or [x for x in target.labels if x.name.casefold() == name.casefold()]
    if len(kept) == 1:
        return kept[0]
    raise DataError(
        f"{where}: no such label", found=repr(name), hint=listed([x.name for x in target.labels], 8)
    )


def _sound(box: Box, where: str) -> Box:
    """Return a box. Raises DataError where its high corner does not lie beyond the low one."""
    if not all(low < high for low, high in zip(box.low, box.high, strict=True)):
        raise DataError(
            f"{where} has no extent", found=f"{box.low} to {box.high} (z, y, x)", hint="low before high"
        )
    return box


def _yes(value: Any, where: str) -> bool:
    """Return whether a cell says that a box is called, also where a spreadsheet has written it anew."""
    text = str(value or "").strip().casefold()
    if text not in YES + NO:
        raise DataError(f"{where}: '{CALLED}' is 1 or 0", found=repr(text))
    return text in YES


def _probability(value: Any, where: str) -> float:
    p = _number(value, "probability", where)
    if not 0 <= p <= 1:
        raise DataError(f"{where}: a probability lies in 0 to 1", found=f"{p:g}")
    return p


def _number(value: Any, what: str, where: str) -> float:
    try:
        found = float(str(value).strip()) if not isinstance(value, bool) else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise DataError(f"{where} has no number as its {what}", found=repr(value))
    return found
