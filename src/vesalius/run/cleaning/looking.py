"""Proposals of what was found by looking at the data: what cannot be used, the same twice, what leaks into the test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vesalius import cohorts
from vesalius.core.case import Split
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.words import counted
from vesalius.reliability.duplicates import Duplicate
from vesalius.reliability.finding import Finding
from vesalius.reliability.inspect import Inspection
from vesalius.reliability.reports import REPORT
from vesalius.run.cleaning.proposals import Proposal

OWN = ("set_aside", "duplicates", "leaks")  # looks whose findings are proposed one by one
_STAYS = ("test", "train", "val")  # of a patient in several splits, whose cases stay
MANY = 0.2  # of the cases: a finding about more of them is no fault of single cases


def held_out(cohort: Cohort) -> tuple[str, ...]:
    """Return the cases that the data declare to be tested on: those of test, or of val where there is no test."""
    declared = {c.split for c in cohort.cases}
    held = "test" if "test" in declared else "val" if {"train", "val"} <= declared else None
    return tuple(c.id for c in cohort.cases if held is not None and c.split == held)


def as_dealt(cohort: Cohort, dealt: Assignment, first: Iterable[Proposal]) -> dict[str, Split]:
    """Return the splits of all cases as a fit dealt those that it was given: its test, and what is learned from.

    Cases that it was not given, as `first` proposes that they go, are learned from where they are of those that it
    was dealt from, but for those whose patient, or whose copy, is tested on: they have no split.
    """
    tested, learned = set(dealt.test), {c for fold in dealt.folds for c in fold}
    dealt_from = {c.split for c in cohort.cases if c.id in tested or c.id in learned}
    patients = {c.patient for c in cohort.cases if c.id in tested} - {None}
    copies = {p.case for p in first if p.same_as in tested}
    splits: dict[str, Split] = {}
    for case in cohort.cases:
        if case.id in tested or case.split == "test":
            splits[case.id] = "test"
        elif case.id in learned:
            splits[case.id] = "train"
        elif case.patient not in patients and case.id not in copies:
            told: Split | None = "train" if case.split in dealt_from else case.split
            if told is not None:
                splits[case.id] = told
    return splits


def proposals_of(inspection: Inspection, cohort: Cohort, held: Iterable[str]) -> tuple[Proposal, ...]:
    """Return what should be changed by what an inspection found; `cohort` is as it was read, before it was decoded.

    What is certain is accepted: cases that cannot be used, and copies of others. What a person must look at is not.
    Nothing is proposed for a case that is `held`, to be tested on.
    """
    tested = set(held)
    made = [
        *_patients(cohort),
        *_unusable(inspection, cohort),
        *([] if "leaks" in inspection.silenced else _leaks(inspection, tested)),
        *([] if "duplicates" in inspection.silenced else _twins(inspection.duplicates, tested)),
        *_findings(inspection.findings, len(cohort.cases)),
    ]
    patients = {c.id: c.patient or "" for c in cohort.cases}
    found: dict[tuple[str, str], Proposal] = {}
    gone: set[str] = set()
    for one in made:
        if one.case in tested or one.case not in patients or one.case in gone:
            continue
        if one.accept:
            gone.add(one.case)
        found.setdefault((one.case, one.kind), replace(one, patient=patients[one.case]))
    return tuple(found.values())


def without_lone_copies(made: Sequence[Proposal]) -> list[Proposal]:
    """Return the proposals with each case dropped, too, that was to be merged into one that is dropped."""
    gone = {p.case: p for p in made if p.accept and p.action == "drop"}
    return [
        replace(p, action="drop", reason=f"{p.reason}, which is dropped itself as a {gone[p.same_as].kind}")
        if p.accept and p.action == "merge" and p.same_as in gone
        else p
        for p in made
    ]


def untouched(inspection: Inspection, held: Iterable[str]) -> str:
    """Return a sentence that says how many findings are of test cases, which are left as they are."""
    tested = set(held)
    told = {c for f in inspection.findings if f.severity != "note" for c in f.cases if c in tested}
    if not told:
        return ""
    many = counted(len(told), "case that is tested on is", "cases that are tested on are")
    return f"{many} named by findings, too; they stay as they are, as a score on a mended test split would be a lie"


def _patients(cohort: Cohort) -> list[Proposal]:
    """Return the cases of patients that stand in several splits, but for those of the split that is tested on."""
    made = []
    for patient, cases in cohorts.leaking_patients(cohort.cases).items():
        order = (
            _STAYS if any(c.split == "test" for c in cohort.cases) else _STAYS[::-1]
        )  # val is tested on, then
        stays = next(s for s in order if any(c.split == s for c in cases))
        other = next(c.id for c in cases if c.split == stays)
        made += [
            Proposal(
                True,
                c.id,
                "leak",
                "drop",
                f"patient '{patient}' is in {stays}, too, as {other}",
                same_as=other,
            )
            for c in cases
            if c.split != stays
        ]
    return made


def _unusable(inspection: Inspection, cohort: Cohort) -> list[Proposal]:
    there = {c.id for c in cohort.cases}
    there -= {c.id for cases in cohorts.leaking_patients(cohort.cases).values() for c in cases}
    return [
        Proposal(True, item.case, "cannot be used", "drop", item.reason)
        for item in inspection.cohort.set_aside
        if item.case in there
    ]


def _leaks(inspection: Inspection, tested: set[str]) -> list[Proposal]:
    made = []
    for leak in inspection.leaks:
        others = [c for c in leak.cases if c in tested]
        if not others or leak.kind == "patient":
            continue  # between train and val, which one fold holds together
        for case in leak.cases:
            if case in tested:
                continue
            sure = leak.similarity >= 1 and leak.what != REPORT
            near = "" if sure else f"nearly ({leak.similarity:.3f}) "
            reason = f"{near}the same {leak.what} is tested on, as {others[0]}"
            made.append(
                Proposal(sure, case, "leak" if sure else "near leak", "drop", reason, same_as=others[0])
            )
    return made


def _twins(twins: Sequence[Duplicate], tested: set[str]) -> list[Proposal]:
    made = []
    for twin in twins:
        first, *rest = twin.cases
        if any(c in tested for c in twin.cases):
            continue  # a leak, or nothing that may be changed
        sure = twin.exact and twin.what != REPORT  # which two people may have in common
        if twin.contradicts:
            said = "; ".join(f"{name}: {' and '.join(values)}" for name, values in twin.contradicts.items())
            like = "" if twin.exact else f" nearly ({twin.similarity:.3f})"
            for case in twin.cases:
                other = next(c for c in twin.cases if c != case)
                reason = f"{other} is{like} the same {twin.what} under another label ({said}); one of them is wrong"
                made.append(Proposal(sure, case, "contradiction", "drop", reason, same_as=other))
            continue
        kind = "duplicate" if twin.exact else "near duplicate"
        like = "" if twin.exact else f"nearly ({twin.similarity:.3f}) "
        made += [
            Proposal(sure, case, kind, "merge", f"{like}the same {twin.what} as {first}", same_as=first,
                     evidence=twin.similarity)
            for case in rest
        ]  # fmt: skip
    return made


def _findings(findings: Sequence[Finding], cases: int) -> list[Proposal]:
    """Return what else was found of single cases; whether it is a fault, a person must say."""
    made = []
    for finding in findings:
        if finding.severity == "note" or finding.look in OWN or not finding.cases:
            continue
        if len(finding.cases) > max(3, MANY * cases):
            continue
        text = finding.text + (f" ({finding.hint})" if finding.hint else "")
        made += [
            Proposal(False, case, finding.kind, "drop", text, evidence=1 / (k + 2))  # the worst stand first
            for k, case in enumerate(finding.cases)
        ]
    return made
