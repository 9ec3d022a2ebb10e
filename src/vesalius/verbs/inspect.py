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

    Faulty data are what it looks for: nothing stops it but the lack of any image, or a target that is not there.

    Args:
        data: A path as for `read`, or a cohort.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        target: The target to look at, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        split: A CSV with the columns `case,split`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        html: Where to write a page with a contact sheet.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The summary, and the findings, the worst first.

    Raises:
        DataError: There is no image.
        UnknownName: There is no such target.
        OutputError: `html` exists already.
        Interrupted: Ctrl-C; nothing is left behind.
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
