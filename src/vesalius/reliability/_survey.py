"""The one pass over all pixels that everything in this room shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vesalius import cohorts
from vesalius.cohorts import Decoded
from vesalius.core.cohort import Cohort
from vesalius.core.progress import Progress
from vesalius.reliability._records import CaseRecord, days_between, record_of

THUMBS = 2000  # cases of which a thumbnail is kept


@dataclass(frozen=True)
class Survey:
    """The checked cohort, and what was measured of each of its cases, faulty ones included."""

    cohort: Cohort
    facts: tuple[CaseRecord, ...]

    @property
    def good(self) -> tuple[CaseRecord, ...]:
        """Return the records of the cases that can be used."""
        return tuple(f for f in self.facts if f.fault is None)


def survey(
    cohort: Cohort,
    *,
    target: str | None = None,
    progress: Progress | None = None,
    max_set_aside: float = 0.10,
    workers: int = 1,
    strict: bool = True,
    measure: Callable[[Decoded], Mapping[str, Any]] | None = None,
) -> Survey:
    """`cohorts.check`, measuring as it goes: each case is decoded once, and its pixels are let go.

    `measure` returns what is kept of a decoded case beside its record.

    Raises what `cohorts.check` raises; nothing with `strict=False`.
    """
    facts: list[CaseRecord] = []
    every = max(1, -(-len(cohort.cases) // THUMBS))

    def observe(decoded: Decoded) -> None:
        record = record_of(decoded, keep_thumb=len(facts) % every == 0, infos=cohort.targets)
        facts.append(record if measure is None else replace(record, looked=measure(decoded)))

    checked = cohorts.check(
        cohort,
        target=target,
        progress=progress,
        max_set_aside=max_set_aside,
        workers=workers,
        observe=observe,
        strict=strict,
    )
    before, after = {c.id: c for c in cohort.cases}, {c.id: c for c in checked.cases}
    late = {s.case: s for s in checked.set_aside}  # by what other cases hold, once all were decoded

    def known(f: CaseRecord) -> CaseRecord:
        if f.case not in after:
            found = late.get(f.case)
            return (
                f
                if found is None or f.fault is not None
                else replace(f, fault=found.reason, fatal=found.fatal)
            )
        return replace(
            f,
            voxels=cohorts.recounted(f.voxels, before[f.case], after[f.case]),
            brought=replace(f.brought, days=days_between(after[f.case])),
        )

    return Survey(checked, tuple(map(known, facts)))
