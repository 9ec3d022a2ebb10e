"""Classes missing, rare or alone, masks or boxes all empty, no target, patients too few or without a name."""

from __future__ import annotations

from vesalius.cohorts import select_target
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.words import counted, listed
from vesalius.reliability._survey import Survey
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen
from vesalius.reliability.summary import TargetSummary

ORDER = 50


def find(seen: Seen) -> list[Finding]:
    """Return what is to be said of the labels of each target; of those that have one class alone, one note."""
    findings = []
    found, summary, asked, cohort = seen.survey, seen.summary, seen.target, seen.cohort
    single = [t for t in summary.targets if _named(t) and sum(x.cases > 0 for x in t.labels) == 1]
    constant = [t.name for t in single if len(cohort.targets) > 1 and t.name != asked]
    if constant:
        text = f"one class only, nothing to learn: {listed(constant, 5)}"
        findings.append(Finding("note", "targets", (), text))
    for target in summary.targets:
        if target.name not in constant:
            findings += _of_target(found, target) + _of_all_alike(cohort, target)
    if len(cohort.targets) > 1:
        try:
            select_target(cohort)
        except DataError as error:
            findings.append(Finding("note", "targets", (), error.what, error.hint or ""))
    if summary.targets and summary.patients < 3 and not any(summary.splits.get(x) for x in ("test", "val")):
        text = (
            f"{counted(summary.patients, 'patient is', 'patients are')} too few for a test set and two folds"
        )
        findings.append(Finding("warning", "patients", (), text, "more patients, or a declared split"))
    if not summary.patients_known and cohort.cases:
        without, of = summary.without_patient, len(found.good)
        text = "no patient ids: each case counts as a patient"
        if without < of:
            text = f"{without} of {of} cases have no patient id: each of these counts as a patient of its own"
        findings.append(
            Finding("note", "patients", (), text, "name them: --column patient=NAME or patient=re:PATTERN")
        )
    if summary.without_target and cohort.targets:
        bare = tuple(c.id for c in cohort.cases if not c.targets)
        text = f"{len(bare)} without a target, kept for prediction"
        findings.append(Finding("note", "orphans", bare, text))
    return findings


def _of_target(found: Survey, target: TargetSummary) -> list[Finding]:
    """Return what is to be said of the labels of one target."""
    findings = []
    counts = {x.name: x.cases for x in target.labels}
    missing = [n for n, k in counts.items() if k == 0]
    few = [n for n, k in counts.items() if 0 < k < 5]
    if missing:
        text = f"{target.name}: no case has {listed(missing, 6)}"
        findings.append(Finding("note", "labels", (), text))
    if few:
        text = f"{target.name}: fewer than 5 cases have {listed(few, 6)}"
        findings.append(Finding("warning", "labels", (), text, "more cases, or merge classes"))
    held = [k for k in counts.values() if k]
    if _named(target) and len(held) == 1:
        text = f"{target.name}: one class only, '{next(n for n, k in counts.items() if k)}'"
        findings.append(Finding("error", "labels", (), text, "at least two classes"))
    elif _named(target) and held and max(held) > 10 * min(held):
        text = f"{target.name}: the largest class has {max(held) / min(held):.0f} times the cases of the smallest"
        findings.append(Finding("note", "labels", (), text, "accuracy alone would mislead"))
    if kinds.of(target.kind).drawn:
        empty = tuple(
            f.case
            for f in found.good
            if target.name in f.voxels and not any(v for v in f.voxels[target.name])
        )
        if empty:
            text = f"{target.name}: {counted(len(empty), 'mask is', 'masks are')} empty"
            findings.append(Finding("note", "labels", empty, text))
    return findings


def _of_all_alike(cohort: Cohort, target: TargetSummary) -> list[Finding]:
    """Return that a target tells nothing apart, such as boxes of which no case has one."""
    if _named(target):
        return []
    held = [case.targets[target.name] for case in cohort.cases if target.name in case.targets]
    alike = kinds.of(target.kind).nothing_to_learn(cohort.targets[target.name], held) if held else None
    if alike is None:
        return []
    return [Finding("error", "labels", (), f"{target.name}: nothing to learn: {alike[0]}", alike[1])]


def _named(target: TargetSummary) -> bool:
    """Return whether the target's values are names of labels."""
    return kinds.of(target.kind).named
