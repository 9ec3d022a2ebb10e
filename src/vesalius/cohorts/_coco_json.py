"""COCO's JSON: pictures, categories and annotations of one file, held together by ids of any kind."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.cohorts._box_numbers import number
from vesalius.cohorts.targets.contract import Outlined
from vesalius.core.errors import DataError, FormatError
from vesalius.core.words import counted, listed

LARGEST = 2 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the file lists it: `said` is the width and height that it gives, `more` whatever else it says."""

    key: str
    name: str
    said: tuple[float, float] | None
    more: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Document:
    """One file: its pictures by id, the names of its categories by id, and its annotations by the picture's id.

    `annotated`: it has a list of annotations at all. `strangers` are the annotations of pictures that it does not list,
    `twice` the ids that several pictures have.
    """

    path: Path
    pictures: Mapping[str, Picture]
    categories: Mapping[str, str]
    annotations: Mapping[str, Sequence[Mapping[str, Any]]]
    annotated: bool
    strangers: int = 0
    twice: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())


def looks_like(path: Path) -> bool:
    """Return whether a file is JSON of pictures with annotations or categories, without parsing it."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            begins = text[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
            return begins and text.find(b'"images"') >= 0 and _has_lists(text)
    except (OSError, ValueError):
        return False


def _has_lists(text: mmap.mmap) -> bool:
    named = text.find(b'"file_name"') >= 0 or text.find(b'"images":[]') >= 0
    return named and (text.find(b'"annotations"') >= 0 or text.find(b'"categories"') >= 0)


def load(path: Path, *, outlines: bool = False) -> Document:
    """Return what a file says; the outlines of its things only where they are asked for, as they are most of it.

    Raises FormatError for damaged JSON and for a file above 2 GiB; DataError where ids contradict each other or
    annotations have categories that the file does not list.
    """
    data = _parsed(path, outlines)
    pictures, twice, notes = _pictures(data, path)
    categories = _categories(data, path, notes)
    found: dict[str, list[Mapping[str, Any]]] = {}
    strangers, unknown = 0, dict[str, None]()
    rows = data.get("annotations")
    for row in _dicts(rows, "annotations", path):
        key = as_key(row.get("image_id"))
        if key not in pictures and key not in twice:
            strangers += 1
            continue
        if categories and as_key(row.get("category_id")) not in categories:
            unknown[as_key(row.get("category_id"))] = None
        found.setdefault(key, []).append(row)
    if unknown:
        raise DataError(
            f"{path.name} has annotations of {counted(len(unknown), 'category', 'categories')} that it does not list",
            found=f"{listed(unknown, 5)}; it lists {listed(categories, 8)}",
            hint="ids may be counted from 0 in one place and from 1 in the other: mend the file",
        )
    if strangers and not found:
        raise DataError(
            f"no annotation of {path.name} is of a picture that it lists",
            found=f"image_id {as_key(next(iter(rows or [{}])).get('image_id'))}, ids {listed(pictures, 3)}",
            hint="image_id is the id of a picture in 'images'",
        )
    if not categories:
        names = {as_key(r.get("category_id")) for held in found.values() for r in held}
        categories = {name: name for name in sorted(names)}
        if names:
            notes.append(f"{path.name} names no categories: labels are called by their numbers")
    return Document(path, pictures, categories, found, isinstance(rows, list), strangers, twice, tuple(notes))


def _parsed(path: Path, outlines: bool) -> Mapping[str, Any]:
    """Return a file's object. Raises FormatError."""

    def kept(row: dict[str, Any]) -> dict[str, Any]:
        if row.get("bbox") and "image_id" in row and not outlines:
            row.pop("segmentation", None)
        return row

    try:
        if path.stat().st_size > LARGEST:
            raise FormatError(
                f"{path}: too large", found=f"{path.stat().st_size:,} bytes", hint="a file a split"
            )
        data = json.loads(path.read_bytes().decode("utf-8-sig"), object_hook=kept)
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise FormatError(f"{path}: damaged JSON", found=str(error)[:120] or type(error).__name__) from error
    if not isinstance(data, dict):
        raise FormatError(f"{path} does not hold a JSON object", found=type(data).__name__)
    return data


def _dicts(rows: Any, what: str, path: Path) -> Iterator[Mapping[str, Any]]:
    if rows is None:
        return
    if not isinstance(rows, list):
        raise DataError(f"'{what}' of {path.name} is not a list", found=type(rows).__name__)
    for k, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"'{what}' of {path.name} holds something else at {k}", found=type(row).__name__)
        yield row


def as_key(value: Any) -> str:
    """Return an id as text: 7, 7.0 and "7" are one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text.removesuffix(".0") if text.removesuffix(".0").isdecimal() else text


def _pictures(data: Mapping[str, Any], path: Path) -> tuple[dict[str, Picture], frozenset[str], list[str]]:
    """Return the pictures by id, and the ids that stand for several."""
    found: dict[str, Picture] = {}
    twice: dict[str, None] = {}
    for row in _dicts(data.get("images"), "images", path):
        key = as_key(row.get("id"))
        name = row.get("file_name") or row.get("filename")
        if row.get("id") is None or not isinstance(name, str):
            raise DataError(f"a picture of {path.name} has no id or no file_name", found=str(dict(row))[:80])
        more = {k: v for k, v in row.items() if k not in ("id", "file_name", "width", "height")}
        one = Picture(key, name, _size(row), more)
        if key in found and found[key].name != name:
            twice[key] = None
        found.setdefault(key, one)
    if not found:
        raise DataError(f"{path.name} lists no picture", found="'images' is empty or absent")
    return found, frozenset(twice), []


def _size(row: Mapping[str, Any]) -> tuple[float, float] | None:
    if row.get("width") is None or row.get("height") is None:
        return None
    try:
        return number(row["width"]), number(row["height"])
    except DataError:
        return None


def _categories(data: Mapping[str, Any], path: Path, notes: list[str]) -> dict[str, str]:
    """Return the names of categories by id. Raises DataError where one id has two names."""
    found: dict[str, str] = {}
    for row in _dicts(data.get("categories"), "categories", path):
        key = as_key(row.get("id"))
        name = str(row.get("name") or key).strip()
        if row.get("id") is None:
            raise DataError(f"a category of {path.name} has no id", found=str(dict(row))[:80])
        if found.setdefault(key, name) != name:
            raise DataError(
                f"{path.name} gives category {key} two names", found=f"'{found[key]}' and '{name}'"
            )
    if len(set(found.values())) < len(found):
        notes.append(f"{path.name} has several categories of one name: they are one label")
    return found


def outlined(document: Document, row: Mapping[str, Any]) -> Outlined:
    """Return an annotation's outline. Raises DataError for one that is neither polygons nor runs."""
    label, where = document.categories[as_key(row.get("category_id"))], f"annotation {as_key(row.get('id'))}"
    crowd = is_crowd(row)
    given = row["segmentation"]
    if isinstance(given, list):
        polygons = given if all(isinstance(p, list) for p in given) else [given]
        points = tuple(tuple(number(v, what=where) for v in polygon) for polygon in polygons)
        return Outlined(label, points, crowd=crowd)
    if isinstance(given, dict) and isinstance(given.get("size"), list) and len(given["size"]) == 2:
        runs, (rows, columns) = given.get("counts"), given["size"]
        size = (int(number(rows, what=where)), int(number(columns, what=where)))
        if isinstance(runs, str):
            return Outlined(label, runs=runs, size=size, crowd=crowd)
        if isinstance(runs, list) and all(isinstance(n, int) for n in runs):
            return Outlined(label, runs=tuple(runs), size=size, crowd=crowd)
    raise DataError(f"{document.path.name}: {where} has an outline that is neither polygons nor runs")


def is_crowd(row: Mapping[str, Any]) -> bool:
    """Return whether an annotation is of many things at once, or to be ignored."""
    said = row.get("iscrowd") or row.get("ignore") or 0
    return str(said).strip().casefold() in ("1", "1.0", "true")
