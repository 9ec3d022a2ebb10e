"""A report after TID 2000, read back: its sections with their sentences, its findings as data, and its marks.

Sentences of a section that begin with what lies between them and the one before are put together as they were written;
those of other makers, which do not, are lines. A heading that the standard codes is called by its usual name
(`findings`).
Source: PS3.16 TID 2000 and 2002.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from vesalius.core.answers.text import Evidence
from vesalius.core.finding import Finding
from vesalius.core.sentences import sentences
from vesalius.dicom import elements
from vesalius.dicom.values import finding_codes as codes
from vesalius.dicom.values.report_codes import (
    BORNE_OUT,
    HEADINGS,
    LANGUAGE,
    NOT_BORNE_OUT,
    PERSON_NAME,
    UNHEADED,
)
from vesalius.dicom.values.terms import Term
from vesalius.dicom.write.titles import REMARKS

_TEMPLATE = "2000"
_MOST_ITEMS = 100_000


@dataclass(frozen=True)
class Report:
    """What a report says: sections, what their sentences stand on, findings, remarks of the writer, its language.

    `replaces` are the UIDs of the reports that it stands in the place of. `author` is who the report names as the
    person that observed it, "" where none is; `verified` whether somebody answers for it.
    """

    sections: dict[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    language: str = ""
    author: str = ""
    verified: bool = False
    replaces: tuple[str, ...] = ()


def is_report(head: Any) -> bool:
    """Return whether a document says that it is made after TID 2000."""
    used = (head.get("ContentTemplateSequence") or [None])[0]
    return used is not None and elements.text(used, "TemplateIdentifier") == _TEMPLATE


def report(head: Any) -> Report:
    """Return what a document after TID 2000 says."""
    read: dict[str, _Section] = {}
    remarks: tuple[str, ...] = ()
    for item in _below(head, "CONTAINER"):
        name = _section_name(item)
        if name == REMARKS:
            remarks = tuple(line for one in _below(item, "TEXT") for line in _value(one).splitlines())
            continue
        read.setdefault(name, _Section(name)).read(item)
    read = {name: section for name, section in read.items() if section.count}
    texts = {name: "".join(section.pieces).strip() for name, section in read.items()}
    known = [section.known[k] for section in read.values() for k in sorted(section.known)]
    before = dict(zip(texts, _counted(texts), strict=True))
    findings = tuple(replace(f, sentence=before[e.section] + e.sentence) for e in known for f in e.findings)
    return Report(
        texts,
        tuple(known),
        findings,
        remarks,
        _language(head),
        _author(head),
        elements.text(head, "VerificationFlag") == "VERIFIED",
        tuple(_replaced(head)),
    )


class _Section:
    """A section as it comes: its text, how many sentences that has, and what is known of them."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.pieces: list[str] = []
        self.known: dict[int, Evidence] = {}

    def read(self, item: Any) -> None:
        """Take in a container's items, in order: what is no sentence is about the last one."""
        for one in _below(item, "TEXT", "CODE"):
            concept = _concept(one)
            status = codes.status_of(concept)
            if concept[:2] == NOT_BORNE_OUT[:2]:
                self._know(supported=False, why=_value(one))
            elif one.get("ValueType") == "TEXT":
                self._say(_value(one))
                if any(_concept(below)[:2] == BORNE_OUT[:2] for below in _below(one, "CODE")):
                    self._know(supported=True)
            elif status is not None:
                if not self.count:  # of another maker: codes alone
                    self._say(f"{concept[2]}: {_term(one, 'ConceptCodeSequence')[2]}")
                found = replace(_finding(one), status=status)
                self._know(findings=(*self._last().findings, found))
            else:
                self._say(f"{concept[2]}: {_term(one, 'ConceptCodeSequence')[2]}")

    def _say(self, text: str) -> None:
        said = sentences(text)
        if not said:
            return
        last = self.pieces[-1] if self.pieces else ""
        begun = text[: len(text) - len(text.lstrip())]
        own = not last or "\n" in begun or (bool(begun) and last[-1] in ".!?")
        self.pieces.append(text if own else f"\n{text}")
        self.count += len(said)

    def _last(self) -> Evidence:
        place = max(0, self.count - 1)
        return self.known.get(place, Evidence(self.name, place))

    def _know(self, **what: Any) -> None:
        found = replace(self._last(), **what)
        self.known[found.sentence] = found


def _finding(item: Any) -> Finding:
    term = _term(item, "ConceptCodeSequence")
    found = Finding(term[2], code=codes.code_of(term))
    for below in _below(item, "CODE", "NUM"):
        concept = _concept(below)[:2]
        if below.get("ValueType") == "CODE":
            value = _term(below, "ConceptCodeSequence")
            if concept == codes.LATERALITY[:2]:
                found = replace(found, side=codes.side_of(value))
            elif concept == codes.SITE[:2]:
                found = replace(found, place=value[2])
            elif concept == codes.CHANGE[:2]:
                found = replace(found, change=codes.change_of(value))
            continue
        number = _number(below)
        if number is not None and concept == codes.DIAMETER[:2]:
            found = replace(found, size_mm=number)
        elif number is not None and concept == codes.COUNT[:2] and number == int(number):
            found = replace(found, count=int(number))
    return found


def _number(item: Any) -> float | None:
    measured = (item.get("MeasuredValueSequence") or [None])[0]
    if measured is None:
        return None
    unit = _term(measured, "MeasurementUnitsCodeSequence")[0]
    value = elements.number(measured, "NumericValue")
    scale = {"mm": 1.0, "cm": 10.0, "1": 1.0}.get(unit)
    return None if value is None or scale is None else value * scale


def _section_name(item: Any) -> str:
    concept = _concept(item)
    if concept[:2] == UNHEADED[:2]:
        return ""
    known = next((name for name, term in HEADINGS.items() if term[:2] == concept[:2]), None)
    return known or concept[2] or "unnamed"


def _counted(texts: dict[str, str]) -> Iterator[int]:
    """Yield how many sentences stand before each section."""
    count = 0
    for text in texts.values():
        yield count
        count += len(sentences(text))


def _language(head: Any) -> str:
    said = next(
        (_term(i, "ConceptCodeSequence")[0] for i in _below(head, "CODE") if _concept(i)[:2] == LANGUAGE[:2]),
        "",
    )
    return "" if said == "und" else said


def _author(head: Any) -> str:
    for item in _below(head, "PNAME"):
        if _concept(item)[:2] == PERSON_NAME[:2]:
            return elements.text(item, "PersonName") or ""
    return ""


def _replaced(head: Any) -> Iterator[str]:
    for study in list(head.get("PredecessorDocumentsSequence") or ())[:_MOST_ITEMS]:
        for series in list(study.get("ReferencedSeriesSequence") or ())[:_MOST_ITEMS]:
            for one in list(series.get("ReferencedSOPSequence") or ())[:_MOST_ITEMS]:
                yield elements.text(one, "ReferencedSOPInstanceUID") or ""


def _below(item: Any, *kinds: str) -> list[Any]:
    return [i for i in list(item.get("ContentSequence") or ())[:_MOST_ITEMS] if i.get("ValueType") in kinds]


def _concept(item: Any) -> Term:
    return _term(item, "ConceptNameCodeSequence")


def _term(item: Any, sequence: str) -> Term:
    code = (item.get(sequence) or [None])[0]
    if code is None:
        return "", "", ""
    value, scheme = (
        elements.text(code, "CodeValue") or "",
        elements.text(code, "CodingSchemeDesignator") or "",
    )
    return value, scheme, elements.text(code, "CodeMeaning") or ""


def _value(item: Any) -> str:
    return elements.text(item, "TextValue") or ""
