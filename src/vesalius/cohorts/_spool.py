"""Somebody's dataset, item by item, written into a folder that reads as a cohort; one item is in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.cohorts._build import as_split
from vesalius.cohorts._spooled import HEAD, LINES, VERSION
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import registry
from vesalius.core.case import Target
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image, Triple
from vesalius.core.progress import Progress
from vesalius.core.words import listed

Told = Callable[[int, Any], Any]  # of an item's place and the item


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """How items are read. `image` and `target` are keys of items that are mappings, or places in those that are tuples.

    `kind` is a kind of target, by default the one that the first item suggests. `classes` names classes, or a mask's
    values, by their number. `patient`, `name` and `split` are told of each item's place and the item.
    """

    image: str | int = 0
    target: str | int | None = 1
    kind: str | None = None
    classes: Sequence[str] = ()
    axes: str | None = None
    spacing_mm: Triple | None = None
    affine: Array | None = None
    patient: Told | None = None
    name: Told | None = None
    split: Told | None = None


@dataclass(eq=False)
class _Seen:
    """What the items had so far: which kind of target, which names, which ids."""

    kind: str | None = None
    names: dict[str, None] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)


def spool(
    parts: Mapping[str, Any], out: Path, *, reading: Reading, target: str | None, progress: Progress
) -> None:
    """Write the items of one dataset, or of several by split ("" for none), into the new folder `out`.

    `target` is what the target is called. Raises DataError for an item that cannot be read, for one that is another
    when it is read again, and for targets of different kinds.
    """
    seen, count = _Seen(kind=reading.kind), 0
    (out / "items").mkdir()
    many = [len(d) for d in parts.values() if hasattr(d, "__len__")]
    progress.start("items", sum(many) if len(many) == len(parts) else None)
    try:
        with (out / LINES).open("w", encoding="utf-8") as lines:
            for split, dataset in parts.items():
                for k, item in _items(dataset, reading):
                    line = _written(item, k, count, split, out, reading, seen, target)
                    lines.write(json.dumps(line) + "\n")
                    count += 1
                    progress.advance("items")
    finally:
        progress.finish("items")
    if not count:
        raise DataError("the dataset is empty")
    targets = {} if seen.kind is None or target is None else {target: _info(seen, reading)}
    placed = reading.spacing_mm is not None or reading.affine is not None
    head = {"version": VERSION, "cases": count, "placed": placed, "targets": targets}
    write_text(out / HEAD, json.dumps(head, indent=1) + "\n")


def _items(dataset: Any, reading: Reading) -> Iterator[tuple[int, Any]]:
    """Yield each item with its place. Raises DataError where an item differs when it is read again."""
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        yield from enumerate(dataset)
        return
    n = len(dataset)
    for k in sorted({0, n // 2, n - 1} & set(range(n))):
        first, again = (_image(dataset[k], reading, k).array for _ in range(2))
        if first.shape != again.shape or not np.array_equal(first, again, equal_nan=first.dtype.kind == "f"):
            raise DataError(
                f"item {k} of the dataset is another when it is read again",
                found="random changes, which would be learned as if they were data",
                hint="the dataset without its random transforms: training changes images anew at each step",
            )
    for k in range(n):
        yield k, dataset[k]


def _part(item: Any, key: str | int, what: str, k: int) -> Any:
    """Return a part of an item. Raises DataError, naming what is there."""
    if isinstance(item, Mapping):
        if key in item:
            return item[key]
        if len(item) == 2 and isinstance(key, int):
            return list(item.values())[key]
        raise DataError(
            f"item {k} does not say which of its parts is the {what}",
            found=listed(map(str, item)),
            hint=f'{what}="NAME" of one of them',
        )
    if isinstance(item, Sequence) and not isinstance(item, str) and isinstance(key, int) and key < len(item):
        return item[key]
    if key == 0 and not isinstance(item, Sequence):
        return item
    raise DataError(f"item {k} has no {what}", found=type(item).__name__, hint=f"a tuple (image, {what})")


def _image(item: Any, reading: Reading, k: int) -> Image:
    pixels = _part(item, reading.image, "image", k)
    try:
        found = formats.image_of(
            pixels, axes=reading.axes, affine=reading.affine, spacing_mm=reading.spacing_mm
        )
    except DataError as error:
        raise type(error)(f"item {k}: {error.what}", found=error.found, hint=error.hint) from error
    return found


def _written(
    item: Any, k: int, number: int, split: str, out: Path, reading: Reading, seen: _Seen, target: str | None
) -> dict[str, Any]:
    """Write an item's files; returns its line."""
    image = _image(item, reading, k)
    case = str(reading.name(k, item)) if reading.name else f"{split}-{k:06d}" if split else f"{k:06d}"
    if case in seen.ids:
        raise DataError(f"two items are called '{case}'", hint="a `name` that tells them apart")
    seen.ids.add(case)
    patient = None if reading.patient is None else reading.patient(k, item)
    where = f"items/{number:06d}.npz"
    formats.write(image, out / where)
    targets: dict[str, Any] = {}
    if reading.target is not None and target is not None:
        value = _value(_part(item, reading.target, "target", k), image, reading, seen, k)
        if isinstance(value, Image):
            mask = f"items/{number:06d}-mask.npz"
            formats.write(value, out / mask)
            targets[target] = {"file": mask}
        elif value is not None:
            seen.names.update(dict.fromkeys(kinds.of(str(seen.kind)).names_in(value)))
            targets[target] = kinds.of(str(seen.kind)).as_json(value)
    said = reading.split(k, item) if reading.split else split or None
    declared = None if said is None else as_split(str(said))
    if said is not None and declared is None:
        raise DataError(
            f"item {k}: split '{said}' is not known", hint="train, val or test, or None where nobody says"
        )
    return {
        "case": case,
        "image": where,
        "patient": None if patient is None else str(patient),
        "split": declared,
        "targets": targets,
    }


def _value(value: Any, image: Image, reading: Reading, seen: _Seen, k: int) -> Target | None:
    """Return an item's target as a value of the dataset's kind, which the first item decides. Raises DataError."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = {name: _plain(v) for name, v in value.items()}
    elif not isinstance(value, str):
        value = value if _names(value) else formats.as_array(value)
        value = value.reshape(()) if isinstance(value, np.ndarray) and value.shape == (1,) else value
    for kind in _unasked() if seen.kind is None else (seen.kind,):
        found = kinds.of(kind).given(value, classes=reading.classes, image=image)
        if found is not None:
            seen.kind = kind
            return found
    shown = value if isinstance(value, str) else f"shape {np.shape(value)} of {getattr(value, 'dtype', '')}"
    raise DataError(
        f"item {k}: this is no target" + (f" of kind {seen.kind}, as others are" if seen.kind else ""),
        found=str(shown)[:80],
        hint='kind="class", "number", "multilabel", "mask", "boxes" …',
    )


def _plain(value: Any) -> Any:
    """Return a part of a mapping as an array, where it is one of numbers; names and all else as they are."""
    try:
        return value if value is None or isinstance(value, str) or _names(value) else formats.as_array(value)
    except (DataError, ValueError, TypeError):
        return value


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def _unasked() -> Iterable[str]:
    """Return the kinds of target that a value may be of without being told, in their order."""
    texts = {stem: registry.literals(kinds.ROOM, stem) for stem in registry.stems(kinds.ROOM)}
    asked = [stem for stem, text in texts.items() if text.get("ROLES") or text.get("HOW")]
    return sorted(asked, key=lambda stem: int(texts[stem].get("ORDER", 100)))


def _info(seen: _Seen, reading: Reading) -> dict[str, Any]:
    """Return what is written of the target: its kind and its labels, those that occur, in the order of `classes`."""
    kind = str(seen.kind)
    if kinds.of(kind).drawn:
        labels = [(value, name) for value, name in enumerate(reading.classes) if value]
        return {"kind": kind, "labels": labels, "reason": "drawn on the items' images"}
    order = {name: place for place, name in enumerate(reading.classes)}
    names = sorted(seen.names, key=lambda n: (order.get(n, len(order)), _as_number(n), n))
    first = 1 if kinds.of(kind).spelled else 0  # labels of things are drawn, and 0 is where there are none
    return {"kind": kind, "labels": list(enumerate(names, start=first)), "reason": "as the items have it"}


def _as_number(name: str) -> float:
    return float(name) if name.isdecimal() else float("inf")
