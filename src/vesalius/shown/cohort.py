"""How a cohort is shown: some of its cases as pictures, and counts of patients, labels and splits."""

from __future__ import annotations

from collections import Counter
from functools import partial

from vesalius.answers.drawing.lines import Line
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, said
from vesalius.core.cohort import Cohort, Label
from vesalius.shown._looks import address, of_case, within_patience
from vesalius.shown._markup import sheet, warned
from vesalius.shown.contract import View, facts

PICTURES = 6
ASIDE = 5  # of those that were set aside, how many are named


class CohortView(View[Cohort]):
    """A cohort."""

    def name(self, thing: Cohort) -> str:
        """Return the name of the folder or file that it was read from."""
        return thing.root.name

    def before(self, thing: Cohort) -> str:
        """Return the questions that must be answered before anything is learned."""
        return "".join(warned("labels", f"{q.what}: {q.found}; {q.hint}") for q in thing.questions)

    def lines(self, thing: Cohort) -> list[Line]:
        """Return counts: cases, patients, the labels of each target, splits."""
        patients = len({c.patient for c in thing.cases})
        splits = Counter(c.split for c in thing.cases if c.split is not None)
        found = facts(
            ("layout", thing.layout),
            ("cases", len(thing.cases)),
            ("patients", patients if thing.patients_known else "not known: each case counts as one"),
            ("split", ", ".join(f"{name} {n}" for name, n in splits.items())),
            ("hash", thing.hash[:16]),
        )
        for info in thing.targets.values():
            held = [c.targets[info.name] for c in thing.cases if info.name in c.targets]
            found.append(Line(info.name, f"{info.kind}: {len(held)} of {len(thing.cases)} cases have it"))
            kind = kinds.of(info.kind)
            counts = kind.tally(held) if kind.named else Counter[str]()
            most = max(counts.values(), default=0)
            found += [
                Line(f"\u2003{x.name}", str(counts[x.name]), share=counts[x.name] / most if most else None)
                for x in info.labels
                if kind.named
            ]
        return found

    def after(self, thing: Cohort) -> str:
        """Return what was set aside, and the pictures."""
        aside = "".join(warned("set aside", f"{s.case}: {s.reason}") for s in thing.set_aside[:ASIDE])
        if len(thing.set_aside) > ASIDE:
            aside += warned("set aside", f"{len(thing.set_aside) - ASIDE} more: cohort.set_aside")
        return aside + sheet(within_patience(partial(_captioned, thing, case) for case in _spread(thing)))


def _spread(cohort: Cohort) -> list[Case]:
    """Return some cases, evenly spread over the cohort."""
    count = min(PICTURES, len(cohort.cases))
    return [cohort.cases[k * len(cohort.cases) // count] for k in range(count)]


def _captioned(cohort: Cohort, case: Case) -> tuple[str, str] | None:
    made = _picture(cohort, case)
    words = [said(v) for name, v in case.targets.items() if kinds.of(cohort.targets[name].kind).named]
    return None if made is None else (address(made), " · ".join([case.id, *words]))


def _picture(cohort: Cohort, case: Case) -> bytes | None:
    drawn: dict[str, tuple[Label, ...]] = {
        t.name: t.labels for t in cohort.targets.values() if kinds.of(t.kind).drawn
    }
    return of_case(case, drawn)


VIEW = CohortView()
