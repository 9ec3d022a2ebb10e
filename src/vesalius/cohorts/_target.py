"""Choosing the target to learn, where a cohort has several."""

from __future__ import annotations

import re

from vesalius.cohorts._joined import names_in
from vesalius.cohorts._layout import ONE_EXPERT, UNUSED
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.words import counted, listed, quoted


def select_target(cohort: Cohort, name: str | None = None) -> TargetInfo:
    """Return the target of that name, or the only one; what single experts say does not count beside others.

    Raises UnknownName for a name that does not exist, DataError where there is no target, where there
    are several and no name, and where several are named that cannot be one.
    """
    unused = [note for note in cohort.notes if note.startswith(UNUSED)]
    if name is not None and cohort.targets:
        if name not in cohort.targets:
            if several := names_in(name, cohort.targets):
                raise DataError(
                    f"'{name}' cannot be learned together: only columns of numbers can",
                    found=listed([f"'{part}' ({cohort.targets[part].kind})" for part in several]),
                    hint=f"--column value={name} where each holds numbers, or one of them as the --target",
                )
            raise UnknownName("target", name, cohort.targets)
        return cohort.targets[name]
    if not cohort.targets and cohort.layout == "table":
        raise DataError(
            f"nothing to learn in {cohort.root}",
            found="no column whose name or cells look like labels and that holds at least two different values",
            hint="--target NAME, or --column label=NAME, label=A,B,C for several at once, value=NAME for a number, "
            "grade=NAME for grades",
        )
    if not cohort.targets:
        raise DataError(
            f"nothing to learn in {cohort.root}",
            found="; ".join(
                [
                    f"{counted(len(cohort.cases), 'image')} without classes, masks or a table of labels",
                    *unused,
                ]
            ),
            hint="class folders, masks beside the images, or a table; see `vesalius layouts`",
        )
    alone = [t for t in cohort.targets.values() if not kinds.of(t.kind).beside]
    alone = [t for t in alone if not re.fullmatch(ONE_EXPERT, t.name, re.I)] or alone
    if len(alone) == 1:
        return alone[0]
    if len(cohort.targets) > 1:
        found = ", ".join(f"{quoted(t.name)} ({t.kind})" for t in cohort.targets.values())
        raise DataError(
            f"{cohort.root} has {len(cohort.targets)} targets, and none was chosen",
            found=found,
            hint=" or ".join(f"--target {n}" for n in list(cohort.targets)[:4]),
        )
    return next(iter(cohort.targets.values()))
