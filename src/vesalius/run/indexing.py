"""Reading a cohort for an index: which cases there are, what is kept of each, and its vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vesalius import cohorts
from vesalius.cohorts import Decoded
from vesalius.core.case import Case, Ref, said
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry
from vesalius.core.progress import Progress
from vesalius.prepare.seen import modality_of
from vesalius.reliability.marks import Marks
from vesalius.reliability.reports import text_hash
from vesalius.run.tabular import read_for
from vesalius.run.vectors import Vectors

Of = Literal["images", "reports"]


@dataclass(frozen=True, eq=False)
class Reader:
    """A checked cohort whose cases are to be indexed; `target` is the name of the target that is kept, or empty."""

    vectors: Vectors
    cohort: Cohort
    of: Of
    target: str
    marks: Mapping[str, frozenset[str]]
    modalities: Mapping[str, str]

    def vector(self, case: Case) -> Array:
        """Return the vector `(F,)` of a case's images, or of its report. Raises DataError where it has none."""
        if self.of == "images":
            return self.vectors.of_case(case)
        if not case.report or not case.report.strip():
            raise DataError(f"case {case.id} has no report")
        found: Array = self.vectors.of_texts([case.report])[0]
        return found

    def entry(self, case: Case) -> Entry:
        """Return what an index keeps of a case."""
        image = case.image if case.images else None
        value = case.targets.get(self.target) if self.target else None
        marks = self.marks.get(case.id, frozenset())
        if self.of == "reports" and case.report:
            marks = marks | {text_hash(case.report)}
        return Entry(
            case.id,
            "" if value is None else said(value),
            replace(image, paths=tuple(p.absolute() for p in image.paths))
            if isinstance(image, Ref)
            else None,
            tuple(sorted(marks)),
            case.patient,
            {name: v for name, v in case.covariates.items() if v is not None and _is_known(v)},
            self.modalities.get(case.id),
        )


class _Seen:
    """An observer for `cohorts.check` that keeps what an index needs of the pixels: marks, and the modality."""

    def __init__(self) -> None:
        self.marks = Marks()
        self.modalities: dict[str, str] = {}

    def __call__(self, decoded: Decoded) -> None:
        self.marks(decoded)
        if decoded.fault is None and decoded.reference is not None:
            found = modality_of(decoded.reference, decoded.case.declared)
            if found is not None:
                self.modalities[decoded.case.id] = found


def read_cases(
    vectors: Vectors,
    data: Path | str | Cohort,
    of: Of,
    *,
    target: str | None,
    columns: Mapping[str, str] | None,
    layout: str | None,
    progress: Progress,
) -> Reader:
    """Read and check a cohort. Raises DataError for what cannot be read, and for a target that is not there."""
    seen = _Seen()
    cohort = cohorts.check(
        read_for(vectors.bundle, data, layout=layout, columns=columns),
        progress=progress,
        max_set_aside=1.0,
        observe=seen,
        strict=False,
    )
    return Reader(vectors, cohort, of, _named(cohort, target), seen.marks.pixels(), seen.modalities)


def _named(cohort: Cohort, target: str | None) -> str:
    """Return the target that is named beside a case: the one that is asked for, or the only one."""
    if target is not None and target not in cohort.targets:
        raise DataError(f"there is no target '{target}'", found=", ".join(cohort.targets) or "no target")
    return target or (next(iter(cohort.targets)) if len(cohort.targets) == 1 else "")


def _is_known(value: float | str) -> bool:
    return bool(value.strip()) if isinstance(value, str) else math.isfinite(value)
