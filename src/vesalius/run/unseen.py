"""Which cases of a cohort a bundle is scored on: none that it was trained on, unless they are asked for by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vesalius.cohorts import Overlap
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.banners import LEARNED
from vesalius.reliability.marks import Marks
from vesalius.run.past import Past

UNCHECKED = "whether what made these predictions was trained on some of these cases could not be checked"


@dataclass(frozen=True)
class Choice:
    """The cases to score, what their split is called, and what must be said of training cases among them."""

    cases: tuple[Case, ...]
    split: str
    overlap: str = ""
    left_out: int = 0
    banner: str = ""

    def told(self, card: Scorecard) -> Scorecard:
        """Return the scorecard of these cases with what must be said."""
        first = (Banner(LEARNED, self.banner),) if self.banner else ()
        return replace(card, overlap=self.overlap, left_out=self.left_out, banners=(*first, *card.banners))


def declared(cohort: Cohort, target: str | None, split: str | None) -> Choice:
    """Return the cases with a target that the data declares as such; by default its test cases, or all.

    Without a target every case counts. Raises DataError for none.
    """
    having = [c for c in cohort.cases if target is None or target in c.targets]
    if split is None:
        held = [c for c in having if c.split == "test"]
        chosen, name = (held, "test") if held else (having, "all")
    else:
        chosen, name = [c for c in having if c.split == split or split == "all"], split
    if not chosen:
        found = ", ".join(sorted({c.split or "no split" for c in having})) or "no case with the target"
        raise DataError(f"no case to score in split '{name}'", found=found, hint="--split all")
    return Choice(tuple(chosen), name)


def unseen(cohort: Cohort, target: str | None, split: str | None, past: Past, marks: Marks) -> Choice:
    """Return the declared cases without those that the bundle was trained on, as far as that can be known.

    `split="train"` asks for training cases, and a banner says so. Where the data declares no split, `train` and
    `test` are what they were in the bundle's own run. Raises DataError where none is left.
    """
    overlap, unchecked = past.overlap(cohort, marks), past.unchecked(cohort, marks)
    if overlap is None:
        choice = declared(cohort, target, split)
        return replace(choice, overlap=unchecked, banner=_same_data(choice) if past.same(cohort) else "")
    choice = declared(cohort if split is None else _as_in_its_run(cohort, overlap), target, split)
    if split == "train":
        return _asked_for(choice, overlap, unchecked)
    left = tuple(c for c in choice.cases if c.id not in overlap.trained)
    out = [c.id for c in choice.cases if c.id in overlap.trained]
    if not left:
        raise DataError(
            f"{overlap.of} was trained on every case of split '{choice.split}'",
            found=f"{counted(len(out), 'case')}{overlap.alone(out)}",
            hint=f"other data, or --split train, which calls them training cases{overlap.others(out)}",
        )
    own = choice.split == "all" and out and all(c.id in overlap.tested for c in left)
    said = f"{overlap.of} was trained on none of these cases"
    if not cohort.patients_known and not past.same(cohort):
        said += (
            ", as far as their pixels tell: resized or lossy copies are known by their patient alone, and no "
        )
        said += "patients are named"
    if out:
        said = f"{len(out)} of {counted(len(choice.cases), 'case')} left out, as {overlap.of} was trained on them"
        said += overlap.alone(out) + overlap.others(out)
    return Choice(left, "test" if own else choice.split, _joined(said, unchecked), len(out))


def trained_on(cohort: Cohort, past: Past, marks: Marks) -> tuple[Case, ...]:
    """Return the cases that a bundle was trained on, as far as that is known; none where nothing is."""
    overlap = past.overlap(cohort, marks)
    return () if overlap is None else tuple(c for c in cohort.cases if c.id in overlap.trained)


def of_another_tool(cohort: Cohort, target: str | None, split: str | None) -> Choice:
    """Return the declared cases, for predictions of which nobody knows what made them."""
    return replace(declared(cohort, target, split), overlap=UNCHECKED)


def _as_in_its_run(cohort: Cohort, overlap: Overlap) -> Cohort:
    """Return the cohort with the splits of the bundle's own run, where it declares none itself."""
    if any(c.split is not None for c in cohort.cases):
        return cohort

    def placed(case: Case) -> Case:
        if case.id in overlap.trained:
            return replace(case, split="train")
        return replace(case, split="test") if case.id in overlap.tested else case

    return replace(cohort, cases=tuple(placed(c) for c in cohort.cases))


def _asked_for(choice: Choice, overlap: Overlap, unchecked: str) -> Choice:
    n = sum(c.id in overlap.trained for c in choice.cases)
    said = f"{overlap.of} was trained on {n} of {counted(len(choice.cases), 'case')}"
    banner = f"These are training cases: {said}. The figures say how well it remembers, not how good it is."
    return replace(choice, overlap=_joined(said, unchecked), banner=banner if n else "")


def of_run(card: Scorecard, overlap: str, leaking: int) -> Scorecard:
    """Return the scorecard of a run that began from other weights, with what is known of what these were trained on."""
    n = counted(card.n_cases, "test case")
    text = f"The weights that this run began from were trained on {leaking} of {n}: the figures are too good."
    return Choice((), card.split, overlap, 0, text if leaking else "").told(card)


def _same_data(choice: Choice) -> str:
    kept = (
        " Only if its run kept the declared test cases from training are they honest."
        if choice.split == "test"
        else ""
    )
    return (
        "The bundle was trained on these very data, and on which of the cases is not known here, so that the figures "
        f"may be those of training cases.{kept} Name the run's folder instead of the bundle alone, where there is one."
    )


def _joined(*said: str) -> str:
    return "; ".join(filter(None, said))
