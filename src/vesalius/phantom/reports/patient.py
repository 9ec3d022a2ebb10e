"""DictatedPatient: one or two studies of a synthetic patient with their reports, and where what they say is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vesalius.core.case import Box, Case, Split, Visit
from vesalius.core.finding import Finding
from vesalius.core.image import Array, Image
from vesalius.phantom.reports.content import Content, Written
from vesalius.phantom.reports.words import WORDS


@dataclass(frozen=True, eq=False, kw_only=True)
class Exam:
    """One study: its image, what is truly in it, the report, and where what it says is seen.

    `structures` `(Z, Y, X)` is a label map by the patient's `structure_labels`. `places` has a row a thing that is
    seen: the place of its finding in the content, and its box; `marks` `(Z, Y, X)` uint8 has k + 1 where row k is, as
    far as no later one lies over it. `facts` are further plain JSON values.
    """

    id: str
    days: int
    image: Image
    structures: Array
    places: tuple[tuple[int, Box], ...]
    marks: Array
    content: Content
    written: Written
    covariates: Mapping[str, float | str | None]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def present(self) -> tuple[str, ...]:
        """Return the names of what is there, each once, in the order of the sort's words."""
        there = {f.name for f in self.content.findings}
        return tuple(name for name in WORDS[self.content.sort] if name in there)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what is there, what went, and every other name as absent, with the sentence that says it."""
        return truths_of(self.content, self.written)


@dataclass(frozen=True, eq=False, kw_only=True)
class DictatedPatient:
    """A patient whose studies have reports: the last one, and where there is one an earlier one before it."""

    patient: str
    exams: tuple[Exam, ...]
    structure_labels: Mapping[str, int]
    split: Split | None = None
    visits: bool = False

    @property
    def last(self) -> Exam:
        """Return the study that the case is."""
        return self.exams[-1]

    def as_case(self) -> Case:
        """Return the last study with its boxes, its findings and its report, and the earlier one."""
        days = self.last.days
        earlier = tuple(Visit(self._case(one), float(days - one.days)) for one in self.exams[:-1])
        return self._case(self.last, earlier)

    def truth(self) -> dict[str, Any]:
        """Return all that is known, as plain JSON values; boxes are `(z, y, x)` in voxels, the high end excluded."""
        return (
            {"patient": self.patient, "split": self.split}
            | _truth(self.last)
            | {"earlier": [_truth(one) for one in self.exams[:-1]]}
        )

    def _case(self, exam: Exam, earlier: tuple[Visit, ...] = ()) -> Case:
        structures = replace(exam.image, array=exam.structures[None], unit=None, modality=None)
        return Case(
            exam.id,
            {"image": exam.image},
            patient=self.patient,
            targets={
                "boxes": tuple(box for _, box in exam.places),
                "labels": exam.present,
                "structures": structures,
            },
            covariates=exam.covariates,
            report=exam.written.text,
            split=self.split,
            earlier=earlier,
            findings=exam.findings,
        )


def _truth(exam: Exam) -> dict[str, Any]:
    return {
        "id": exam.id,
        "days": exam.days,
        "labels": list(exam.present),
        "covariates": dict(exam.covariates),
        "findings": [_plain(f) for f in exam.findings],
        "degrees": list(exam.content.degrees),
        "said": [_plain(f) for f in exam.written.said],
        "places": [
            {"finding": k, "label": b.label, "box_zyx": [list(b.low), list(b.high)]} for k, b in exam.places
        ],
        "style": exam.written.style,
        "wrong_sides": list(exam.written.planted),
        "report": dict(exam.written.sections),
        **exam.facts,
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in asdict(finding).items() if value not in (None, "")}


def truths_of(content: Content, written: Written) -> tuple[Finding, ...]:
    """Return what is there, what went, and every other name as absent, with the sentence that says it."""
    spoken = {f.name: f.sentence for f in reversed(written.said) if f.status == "absent"}
    there = [replace(f, sentence=written.sentence_of.get(k)) for k, f in enumerate(content.findings)]
    gone = {
        f.name: replace(f, size_mm=None, count=None, place="", status="absent", change="gone")
        for f in content.gone
    }
    names = {f.name for f in there}
    absent = [
        replace(gone.get(name, Finding(name, "absent")), sentence=spoken.get(name))
        for name in WORDS[content.sort]
        if name not in names
    ]
    return (*there, *absent)
