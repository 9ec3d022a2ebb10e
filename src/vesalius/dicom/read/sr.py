"""DICOM structured reports (SR): their texts in sections, their numbers with units, their codes; as a Text with parts.

A measurement in a group with a tracking identifier is named with it (`lesion 1: Volume`). What only modifies another
item, or says who observed, is left out. Source: PS3.3 C.17.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core import file_io
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.finding import Finding
from vesalius.core.header import Header
from vesalius.core.image import Source
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.read.sr_text import Report, is_report, report
from vesalius.dicom.write.titles import MAKER

_DEEPEST = 32
_MOST_ITEMS = 100_000
_TRACKING = "Tracking Identifier"
_ASIDE = ("unknown: ", "promised at ", "of the promise: ")  # remarks that are not about the image
_CONTEXT = (
    "HAS OBS CONTEXT",
    "HAS CONCEPT MOD",
)  # who observed, in what language, by what method: no findings


@dataclass(frozen=True)
class Content:
    """What a report says: `texts`, `numbers` (value and unit) and `codes` (meanings), each by its concept's name.

    Of a report after TID 2000 the texts are its sections, and its codes and numbers are those of its `findings`.
    `placed` are its texts in their order, each with the name of the container that it is in and its own. `uid` is the
    document's own, `replaces` those of the documents that it stands in the place of; `draft` is whether this software
    wrote it and no person is said to have read it.
    """

    title: str
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, tuple[float, str | None]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    placed: list[tuple[str, str, str]] = field(default_factory=list)
    uid: str = ""
    replaces: frozenset[str] = frozenset()
    draft: bool = False


def read(ref: Ref) -> Text:
    """Return a Text whose sections are the report's texts and codes, and whose parts are its numbers.

    Of a report after TID 2000 it has the sections, what their sentences stand on, and what it differs in from what its
    model learned from; where the model looked is left to the images that it refers to. Raises FormatError.
    """
    with raw.reading(ref):
        file = _parsed(file_io.one_file(ref))
        found = _content(file)
        head = file.head
        source = Source(
            study_uid=elements.text(head, "StudyInstanceUID"),
            series_uid=elements.text(head, "SeriesInstanceUID"),
            sop_uids=tuple(u for u in [elements.text(head, "SOPInstanceUID")] if u),
        )
        if is_report(head):
            return _text(report(head), source)
        parts = {name: Value(x=x, unit=unit, source=source) for name, (x, unit) in found.numbers.items()}
        return Text(sections={**found.texts, **found.codes}, parts=parts, source=source)


def _text(found: Report, source: Source) -> Text:
    told = tuple(r for r in found.remarks if not r.startswith(_ASIDE))
    return Text(
        sections=found.sections,
        evidence=found.evidence,
        language=found.language,
        outside=told or None,
        source=source,
    )


def header(ref: Ref) -> Header:
    """Return a report has no pixels: raises FormatError."""
    raise FormatError(f"{ref}: a structured report, which has no pixels", hint="formats.read_answer")


def content(path: Path) -> Content:
    """Return what a report says. Raises FormatError."""
    with raw.reading(path):
        return _content(_parsed(path))


def _parsed(path: Path) -> raw.File:
    file = raw.parse(path)
    if "ContentSequence" not in file.head and "ValueType" not in file.head:
        raise FormatError(f"{path}: not a DICOM structured report")
    return file


def _content(file: raw.File) -> Content:
    if is_report(file.head):
        said = report(file.head)
        ours = elements.text(file.head, "Manufacturer") == MAKER
        return Content(
            _name(file.head) or "report",
            said.sections,
            findings=said.findings,
            placed=[(name, name, text) for name, text in said.sections.items()],
            uid=elements.text(file.head, "SOPInstanceUID") or "",
            replaces=frozenset(said.replaces),
            draft=ours and not said.author and not said.verified,
        )
    found = Content(_name(file.head) or "report")
    for item, group, container in _items(file.head):
        name = _name(item) or "finding"
        if name == _TRACKING or item.get("RelationshipType") in _CONTEXT:
            continue
        if group:
            name = f"{group}: {name}"
        kind = item.get("ValueType")
        if kind == "TEXT":
            text = elements.text(item, "TextValue")
            _more(found.texts, name, text)
            if text:
                found.placed.append((container, name, text))
        elif kind == "CODE":
            code = (item.get("ConceptCodeSequence") or [None])[0]
            _more(found.codes, name, elements.text(code, "CodeMeaning") if code is not None else None)
        elif kind == "NUM":
            measured = (item.get("MeasuredValueSequence") or [None])[0]
            value = elements.number(measured, "NumericValue") if measured is not None else None
            if measured is not None and value is not None and math.isfinite(value):
                units = (measured.get("MeasurementUnitsCodeSequence") or [None])[0]
                unit = elements.text(units, "CodeValue") if units is not None else None
                found.numbers.setdefault(_free(name, found.numbers), (value, unit))
    return found


def _more(texts: dict[str, str], name: str, text: str | None) -> None:
    if text:
        texts[name] = f"{texts[name]}\n{text}" if name in texts else text


def _free(name: str, taken: dict[str, Any]) -> str:
    if name not in taken:
        return name
    return next(n for k in range(2, _MOST_ITEMS) if (n := f"{name} {k}") not in taken)


def _name(item: Any) -> str | None:
    code = (item.get("ConceptNameCodeSequence") or [None])[0]
    return elements.text(code, "CodeMeaning") if code is not None else None


def _items(head: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield every content item with the tracking identifier of the group that it is in, and the container's name.

    Raises FormatError for odd trees.
    """
    waiting: list[tuple[Any, str, int]] = [(head, "", 0)]
    count = 0
    while waiting:
        parent, group, depth = waiting.pop()
        children = list(parent.get("ContentSequence") or ())
        count += len(children)
        if depth > _DEEPEST or count > _MOST_ITEMS:
            raise FormatError("a report nested too deep, or of too many items", found=f"{count} items")
        for child in children:
            if child.get("ValueType") == "TEXT" and _name(child) == _TRACKING:
                group = elements.text(child, "TextValue") or group
        for child in children:
            yield child, group, _name(parent) or ""
        waiting += [(child, group, depth + 1) for child in reversed(children)]
