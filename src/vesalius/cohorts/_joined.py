"""Several targets that are named together, `a,b`, as one target, where a kind of target is made of such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vesalius.cohorts.targets import contract as kinds
from vesalius.core import registry
from vesalius.core.cohort import Cohort


def names_in(text: str | None, known: Mapping[str, object]) -> list[str]:
    """Return the names that a text parted by commas holds, where all are known; none where it is a name itself."""
    if text is None or text in known:
        return []
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    return names if len(names) > 1 and all(name in known for name in names) else []


def with_joined(cohort: Cohort, target: str | None) -> Cohort:
    """Return the cohort with one more target that is made of several, where `target` names these, parted by commas.

    It is as it was where the text is the name of a target, where a name is not known, or where no kind of target is
    made of such; whoever chooses the target says what is wrong then.
    """
    names = names_in(target, cohort.targets)
    parts = [cohort.targets[name] for name in names]
    kind = _joining({part.kind for part in parts})
    if kind is None:
        return cohort
    info = kind.describe_joined(parts)
    cases = []
    for case in cohort.cases:
        value = kind.joined({name: case.targets[name] for name in names if name in case.targets})
        cases.append(case if value is None else replace(case, targets={**case.targets, info.name: value}))
    return replace(cohort, cases=tuple(cases), targets={**cohort.targets, info.name: info})


def _joining(of: set[str]) -> kinds.TargetKind | None:
    """Return the kind of target that is made of several of one kind; None where there is none."""
    for stem in registry.stems(kinds.ROOM) if len(of) == 1 else ():
        if registry.literals(kinds.ROOM, stem).get("JOINS") in of:
            return kinds.of(stem)
    return None
