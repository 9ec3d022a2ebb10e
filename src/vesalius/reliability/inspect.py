"""Inspecting a cohort: one pass, then everything that was found, the worst first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from vesalius.cohorts.targets import contract as kinds
from vesalius.core import palette
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.core.progress import Progress
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted
from vesalius.dicom.values.colours import chosen
from vesalius.reliability import duplicates, geometry, leakage, looks
from vesalius.reliability._records import CaseRecord
from vesalius.reliability._survey import Survey, survey
from vesalius.reliability._thumbs import Small
from vesalius.reliability.duplicates import Duplicate
from vesalius.reliability.finding import ORDER, Finding
from vesalius.reliability.geometry import Misfit
from vesalius.reliability.leakage import Leak
from vesalius.reliability.looks.contract import Seen, TextReader
from vesalius.reliability.summary import Summary, summary_of


@dataclass(frozen=True, eq=False, slots=True)
class Thumb:
    """A small picture of a case, what is said of it, and the colours of its labels by their values."""

    case: str
    label: str
    small: Small
    colours: Mapping[int, str] = field(default_factory=dict)

    @property
    def picture(self) -> Array:
        """RGB `(H, W, 3)` of uint8, its labels drawn over it."""
        return self.small.drawn(self.colours)


@dataclass(frozen=True, eq=False)
class Inspection(Shown):
    """What is in a cohort and what is wrong with it; `silenced` counts by look the findings that are not told."""

    cohort: Cohort
    summary: Summary
    findings: tuple[Finding, ...]
    duplicates: tuple[Duplicate, ...]
    leaks: tuple[Leak, ...]
    misfits: tuple[Misfit, ...]
    thumbs: tuple[Thumb, ...]
    silenced: Mapping[str, int] = field(default_factory=dict)

    def _words(self) -> Iterable[str]:
        yield repr(cut(self.cohort.root.name))
        yield counted(self.summary.cases, "case")
        for severity in ORDER:
            count = sum(f.severity == severity for f in self.findings)
            yield counted(count, severity) if count else ""


def inspect(
    cohort: Cohort,
    *,
    target: str | None = None,
    others: Sequence[Cohort] = (),
    silence: Sequence[str] = (),
    read_text: TextReader | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> Inspection:
    """Decode every case once and say what is there and what is wrong. Raises nothing for faulty data.

    Read the cohort with `max_set_aside=1.0`, so that a bad one can be looked at too. `target` is the one that is to
    be learned, where there are several. `others` are cohorts that should share no patient and no picture with it.
    `silence` names looks whose findings are counted and not told. `read_text` finds text in a grey plane.

    Raises UnknownName for a look that does not exist.
    """
    quiet = looks.known(silence)
    beside = {one.root: survey(one, progress=progress, workers=workers, strict=False) for one in others}
    measure = looks.measuring(len(cohort.cases), read_text)
    found = survey(cohort, progress=progress, workers=workers, strict=False, measure=measure)
    return inspection_of(found, target=target, others=beside, silence=quiet)


def inspection_of(
    found: Survey,
    *,
    target: str | None = None,
    others: Mapping[Path, Survey] | None = None,
    silence: Sequence[str] = (),
) -> Inspection:
    """Return the inspection of a pass that was made already."""
    twins = duplicates.find(found.good)
    leaks = leakage.find(found.good, twins)
    seen = Seen(found, summary_of(found), twins, leaks, geometry.find(found.facts), target, others or {})
    every = looks.run(seen)
    colours = label_colours(found.cohort)
    thumbs = tuple(Thumb(f.case, _caption(f), f.thumb, colours) for f in found.facts if f.thumb is not None)
    told = tuple(f for f in every if f.look not in silence)
    silenced = Counter(f.look for f in every if f.look in silence)
    return Inspection(found.cohort, seen.summary, told, twins, leaks, seen.misfits, thumbs, dict(silenced))


def label_colours(cohort: Cohort) -> dict[int, str]:
    """Return the colour of each label value that is drawn: of the first target that is a mask, or else of boxes."""
    every = cohort.targets.values()
    drawn = next((t for t in every if kinds.of(t.kind).drawn), None)
    drawn = drawn or next((t for t in every if kinds.of(t.kind).spelled), None)
    if drawn is None:
        return {}
    return {x.value: palette.colour_of(x, k) for k, x in enumerate(chosen(drawn.labels))}


def to_json(inspection: Inspection) -> str:
    """Return the inspection without pictures, as JSON."""
    cohort = inspection.cohort
    data = {
        "root": str(cohort.root),
        "layout": cohort.layout,
        "hash": cohort.hash,
        "summary": asdict(inspection.summary),
        "findings": [asdict(f) for f in inspection.findings],
        "silenced": dict(inspection.silenced),
        "duplicates": [asdict(d) for d in inspection.duplicates],
        "leaks": [asdict(x) for x in inspection.leaks],
        "misfits": [asdict(m) for m in inspection.misfits],
        "set_aside": [asdict(s) for s in cohort.set_aside],
        "notes": list(cohort.notes),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _caption(fact: CaseRecord) -> str:
    words = list(fact.labels.values())
    if fact.split:
        words.append(fact.split)
    return " · ".join(words)
