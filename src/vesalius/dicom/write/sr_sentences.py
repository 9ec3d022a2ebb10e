"""The sentences of a section as content items (PS3.16 TID 2002), each followed by what it stands on.

A sentence is a TEXT; behind it stand the findings that it states as CODEs, each with its side, its place and what has
changed as modifiers, and its size and number as NUMs; and, where the rest of the model does not bear it out, a TEXT
that says so and why. A sentence is inferred from the plane where the model looked hardest, and from the picture of
that, where that was written beside the report. What lies between two sentences begins the second, so that a section is
read back letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from vesalius.core.answers.text import Evidence, Text
from vesalius.core.finding import Finding
from vesalius.core.sentences import sentences
from vesalius.dicom.values import finding_codes as codes
from vesalius.dicom.values import terms
from vesalius.dicom.values.report_codes import BORNE_OUT, ILLUSTRATION, LOOKED, NOT_BORNE_OUT, YES
from vesalius.dicom.write.looked import Looked
from vesalius.dicom.write.sr_parts import unit_of
from vesalius.dicom.write.study import ResultStudy


class Seen:
    """What sentences can be inferred from: the source's planes and, where it was written, the capture of the maps."""

    def __init__(self, study: ResultStudy, looked: tuple[Looked, ...], capture: Dataset | None) -> None:
        self.study, self.capture = study, capture
        self.of = {one.part: (k, one) for k, one in enumerate(looked, start=1)}

    def items(self, part: str) -> list[Any]:
        """Return references to where the model looked; none where nothing is known of it."""
        if part not in self.of:
            return []
        frame, one = self.of[part]
        image = one.map.image
        planes = self.study.planes(image)
        heads, depth = self.study.heads, image.shape[0]
        made = []
        if len(heads) in (1, depth):  # or nothing says which object a plane is
            head, number = self.study.source_of(one.z, planes)
            if depth == 1 or len(heads) > 1 or number is not None:
                made.append(_image(ILLUSTRATION, head, number))
        if self.capture is not None:
            made.append(_image(LOOKED, self.capture, frame))
        return made


def items(answer: Text, section: str, said: Code, seen: Seen) -> Iterator[Any]:
    """Yield the content items of a section's sentences, in order; `said` is the concept of a sentence there."""
    text = answer.sections[section].strip()
    known: Mapping[int, Evidence] = {e.sentence: e for e in answer.evidence if e.section == section}
    at = 0
    for place, sentence in enumerate(sentences(text)):
        start = text.index(sentence, at)
        lead, at = text[at:start], start + len(sentence)
        yield from _sentence(lead + sentence, known.get(place), said, seen)


def _sentence(text: str, known: Evidence | None, said: Code, seen: Seen) -> Iterator[Any]:
    item = sr.TextContentItem(name=said, value=text, relationship_type="CONTAINS")
    below: list[Any] = []
    if known is not None:
        if known.supported:
            below.append(
                sr.CodeContentItem(
                    name=Code(*BORNE_OUT), value=Code(*YES), relationship_type="HAS CONCEPT MOD"
                )
            )
        below += seen.items(known.part)
    _add(item, below)
    yield item
    if known is None:
        return
    if known.supported is False:
        yield sr.TextContentItem(
            name=Code(*NOT_BORNE_OUT),
            value=known.why.strip() or "no reason is given",
            relationship_type="CONTAINS",
        )
    for finding in known.findings:
        yield _finding(finding)


def _finding(finding: Finding) -> Any:
    name, value = Code(*codes.STATUS[finding.status]), Code(*codes.term_of(finding))
    item = sr.CodeContentItem(name=name, value=value, relationship_type="CONTAINS")
    modifiers: list[tuple[terms.Term, terms.Term]] = []
    if finding.side is not None:
        modifiers.append((codes.LATERALITY, codes.SIDES[finding.side]))
    if finding.place:
        modifiers.append((codes.SITE, codes.site_of(finding.place)))
    if finding.change is not None:
        modifiers.append((codes.CHANGE, codes.CHANGES[finding.change]))
    below: list[Any] = [
        sr.CodeContentItem(name=Code(*what), value=Code(*term), relationship_type="HAS CONCEPT MOD")
        for what, term in modifiers
    ]
    numbers = ((codes.DIAMETER, finding.size_mm, "mm"), (codes.COUNT, finding.count, None))
    below += [
        sr.NumContentItem(
            name=Code(*what), value=float(f"{x:.9g}"), unit=unit_of(unit), relationship_type="INFERRED FROM"
        )
        for what, x, unit in numbers
        if x is not None
    ]
    _add(item, below)
    return item


def _add(item: Any, below: list[Any]) -> None:
    if below:
        item.ContentSequence = sr.ContentSequence(below)


def _image(purpose: terms.Term, head: Dataset, frame: int | None) -> Any:
    return sr.ImageContentItem(
        name=Code(*purpose),
        referenced_sop_class_uid=head.SOPClassUID,
        referenced_sop_instance_uid=head.SOPInstanceUID,
        referenced_frame_numbers=frame,
        relationship_type="INFERRED FROM",
    )
