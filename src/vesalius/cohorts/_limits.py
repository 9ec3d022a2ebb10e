"""The limit on how many cases may be set aside before reading fails."""

from __future__ import annotations

from vesalius.cohorts._build import some
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, GeometryError, LeakError


def enforce_limit(cohort: Cohort, max_set_aside: float) -> None:
    """Raise DataError when nothing usable is left, or more than the share `max_set_aside` was set aside.

    Raise LeakError or GeometryError, whatever the share, where a case that was set aside would corrupt a result. What
    was set aside before these cases were chosen from a larger cohort has been counted there.
    """
    if max_set_aside >= 1.0:
        return
    aside = cohort.set_aside[cohort.aside_before :]
    total = len(cohort.cases) + len({s.case for s in aside})
    if not cohort.cases or total - len(cohort.cases) > max_set_aside * total:
        enforce_fatal(cohort)  # which no higher limit mends
    if not cohort.cases:
        first = f"'{aside[0].case}': {aside[0].reason}" if aside else "nothing"
        raise DataError(f"nothing usable is left in {cohort.root}", found=first, hint="look with `inspect`")
    share = (total - len(cohort.cases)) / total
    if share > max_set_aside:
        raise DataError(
            f"{total - len(cohort.cases)} of {total} cases are set aside, more than {max_set_aside:.0%}",
            found=f"'{aside[0].case}': {aside[0].reason}",
            hint="look with `inspect`, or a higher --max-set-aside",
        )


def enforce_fatal(cohort: Cohort) -> None:
    """Raise an error for a fault that would corrupt a result: LeakError for patients, GeometryError for masks."""
    fatal = [s for s in cohort.set_aside if s.fatal]
    if not fatal:
        return
    leaks = [s for s in fatal if "split" in s.reason]
    kind = LeakError if leaks else GeometryError
    shown = leaks or fatal
    raise kind(
        f"{cohort.root}: {shown[0].reason}",
        found=f"case{'s' if len(shown) > 1 else ''} {some([s.case for s in shown])}",
        hint="mend the data, or take these cases out",
    )
