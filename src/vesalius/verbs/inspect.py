"""inspect: what is in a cohort, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vesalius import cohorts
from vesalius.core.cohort import Cohort
from vesalius.core.errors import OutputError
from vesalius.core.progress import Progress, watched
from vesalius.plan import machine
from vesalius.reliability.html import write
from vesalius.reliability.inspect import Inspection
from vesalius.reliability.inspect import inspect as look
from vesalius.run.stopping import all_or_nothing


def inspect(
    data: Path | str | Cohort,
    *,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    html: Path | str | None = None,
    progress: Progress | bool | None = None,
) -> Inspection:
    """Decode everything once and say what is there: counts, sizes, labels, duplicates, leaks, misfits.

    `split` is a CSV `case,split` that wins over what the data declare, `labels` says what stands for what among their
    labels, both as for `read`.

    Nothing stops it but the lack of any image, or a target that is not there. With `html` a page with a contact sheet
    is written there. Raises VesaliusError's kinds; OutputError where the page exists, Interrupted after Ctrl-C.
    """
    if html is not None and Path(html).exists():
        raise OutputError(f"{html} exists; nothing is overwritten", hint="another --html")
    with all_or_nothing():
        cohort = cohorts.open_cohort(
            data,
            layout=layout,
            target=target,
            columns=columns,
            split=split,
            labels=labels,
            max_set_aside=1.0,
        )
        if target is not None:
            cohorts.select_target(cohort, target)  # a name that is not there is said, not passed over
        found = look(cohort, target=target, progress=watched(progress), workers=machine.measure().cores)
        if html is not None:
            write(found, Path(html))
        return found
