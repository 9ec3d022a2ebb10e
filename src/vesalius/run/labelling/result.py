"""What reading reports gave: what each says of each finding, by whom it was read, and what of it is a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vesalius.core.finding import Status
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.texts.reading import Reading

Unsure = Literal["unknown", "present", "absent"]


@dataclass(frozen=True, slots=True)
class Read:
    """One report as it was read: of each finding that it names the status that the report as a whole gives it.

    `readings` are the sentences that this rests on, none where a bundle read it. `actionable` are the findings of which
    somebody has to be told. `p` are a bundle's probabilities. `why` says why nothing was read, "" where something was.
    """

    statuses: Mapping[str, Status]
    readings: tuple[Reading, ...] = ()
    actionable: tuple[str, ...] = ()
    p: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeller:
    """Who read: `document` says it in full, as provenance. `names` are all findings that could be named."""

    by: str
    names: tuple[str, ...]
    codes: Mapping[str, str]
    document: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Labelled(Shown):
    """Labels that were read out of reports and written.

    `path` is the table of the new cohort: a row a case, a column of 1 and 0 for each of `findings`, empty where
    nothing is known. `said` is the table of what was read, sentence by sentence. `reports` is how many were read,
    `unread` holds the other cases with the reason of each. `actionable` are the cases of which somebody has to be
    told. `document` is what labels.json holds.
    """

    path: Path
    said: Path
    findings: tuple[str, ...]
    cases: int
    reports: int
    unread: Mapping[str, str]
    actionable: tuple[str, ...]
    notes: tuple[str, ...]
    document: Mapping[str, Any]

    def _words(self) -> Iterable[str]:
        yield counted(self.reports, "report")
        yield counted(len(self.findings), "finding")
        yield f"{len(self.actionable)} actionable" if self.actionable else ""


def label_of(status: Status | None, *, uncertain: Unsure, unmentioned: Unsure) -> int | None:
    """Return 1, 0 or None for what a report says of a finding; None as a status is that it says nothing of it.

    What was there once (`past`) is not there now.
    """
    told = {None: unmentioned, "uncertain": uncertain, "present": "present"}.get(status, "absent")
    return {"present": 1, "absent": 0, "unknown": None}[told]
