"""Which targets of a cohort are what experts say: those that are named, else those called `expert NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts import Experts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.words import listed


def experts_of(
    data: Path | str | Cohort,
    experts: Mapping[str, str] | None,
    *,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Experts:
    """Return the cohort with what each expert says. Raises DataError where nothing says who the experts are."""
    told: dict[str, Any] = {"columns": columns, "layout": layout, "labels": labels}
    if experts:
        return cohorts.open_experts(data, experts, **told)
    cohort = cohorts.open_cohort(data, max_set_aside=1.0, **told)
    found = {m[1]: name for name in cohort.targets if (m := re.fullmatch(cohorts.ONE_EXPERT, name, re.I))}
    if len(found) < 2:
        raise DataError(
            "nothing says which columns or folders are the experts'",
            found=f"targets {listed(cohort.targets)}" if cohort.targets else "no targets",
            hint="--expert A=COLUMN --expert B=COLUMN, or folders of masks",
        )
    return cohorts.open_experts(cohort, found)
