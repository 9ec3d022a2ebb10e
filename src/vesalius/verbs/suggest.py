"""suggest: which cases of an unlabelled pool to label next, by what a bundle says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import assert_apart, held, write_text
from vesalius.core.errors import DataError, Interrupted
from vesalius.core.file_names import file_names
from vesalius.core.image import Array
from vesalius.core.index import Entry
from vesalius.core.progress import Progress, watched
from vesalius.core.seeds import seed_of
from vesalius.core.shown import Shown, cut, some
from vesalius.core.words import counted
from vesalius.run import strategies
from vesalius.run.cells import image_cells
from vesalius.run.finished import Run, bundle_of
from vesalius.run.ledger import Sheet, as_csv
from vesalius.run.pool import Measuring, Seen, asked_of, pool_of
from vesalius.run.strategies.contract import Strategy
from vesalius.run.suggesting import Looked, as_the_run, grouped, labelled_vectors, parted, suited
from vesalius.run.tabular import read_for

TABLE, RESULT, PAGE = "suggestions.csv", "suggestions.json", "suggestions.html"
AUTO = "auto"
WHY = {
    "foreground": "the answers have places: of volumes and pictures with much background nothing beats it reliably",
    "both": "the answers say how unsure they are, and the model has features",
    "coreset": "the answers do not say how unsure they are, and the model has features",
    "random": "the answers do not say how unsure they are, and the model has no features",
}


@dataclass(frozen=True)
class Suggestion:
    """One case to label: its rank from 1, whose it is, and what the bundle says of it (see `run/pool.py`).

    `entry` names the file that its picture is made of.
    """

    rank: int
    case: str
    patient: str | None
    unsure: Mapping[str, float | None]
    found: float | None
    plane: int | None
    entry: Entry

    def row(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "rank": self.rank,
            "case": self.case,
            "patient": self.patient,
            "unsure": dict(self.unsure),
            "found": self.found,
            "plane": self.plane,
            "image": None if self.entry.image is None else str(self.entry.image),
        }


@dataclass(frozen=True, eq=False)
class Suggested(Shown):
    """What `suggest` chose, the first to label first, and what it left out.

    `strategy` is how, `why` why so where nobody named one. `pool` counts the cases that it chose from, `labelled` those
    that are known to be labelled and that it chose away from. `already` are cases of the pool that are labelled,
    `apart` those that the bundle does not stand for, with the guard's reason, or cannot answer. `short` says in words
    why there are fewer than were asked for. `path` is the folder that it wrote.
    """

    strategy: str
    why: str
    seed: int
    bundle: str
    data_hash: str
    pool: int
    labelled: int
    cases: tuple[Suggestion, ...]
    already: tuple[str, ...] = ()
    apart: tuple[SetAside, ...] = ()
    short: str = ""
    path: Path | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each case to label, in their order."""
        return [one.row() for one in self.cases]

    def json(self) -> dict[str, Any]:
        """Return all of it but where it lies, as JSON takes it."""
        return {
            "strategy": self.strategy,
            "why": self.why,
            "seed": self.seed,
            "bundle": self.bundle,
            "data_hash": self.data_hash,
            "pool": self.pool,
            "labelled": self.labelled,
            "suggested": self.rows(),
            "already": list(self.already),
            "apart": [{"case": one.case, "reason": one.reason} for one in self.apart],
            "short": self.short,
        }

    def _words(self) -> Iterable[str]:
        yield f"{counted(len(self.cases), 'case')} of {self.pool} to label, by {self.strategy}"
        yield some((cut(one.case) for one in self.cases), len(self.cases))


def suggest(
    bundle: Run | Bundle | Path | str,
    pool: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    count: int = 50,
    strategy: str = AUTO,
    labelled: Path | str | Cohort | None = None,
    seed: int = 0,
    same_patient: bool = False,
    also_outside: bool = False,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Suggested:
    """Return which cases of a pool to label next, so that a model gains most of each label.

    Each case is answered once. Cases of the pool that have the bundle's target already, or that it learned from, count
    as labelled: they are not suggested, and strategies that look at features keep away from them. Of a patient, and of
    images that are nearly the same, one is taken. The same pool and seed have the same answer.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        pool: A cohort without labels, or its path as for `read`.
        out: A new folder: `suggestions.csv`, a table that the other verbs read as a cohort, `.json`, and a page with
            pictures, `.html`. What is measured of the pool is kept there as it goes.
        count: How many cases, at most.
        strategy: One of `vesalius strategies`; `auto` is one that suits the answers.
        labelled: A cohort of what is labelled already; by default the training cases of the bundle's run.
        seed: Decides what is drawn.
        same_patient: Take several cases of one patient, too.
        also_outside: Choose also from cases that the bundle's guard calls unlike what it learned from.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Take images of another modality or unit than the bundle learned from, too.
        resume: Go on in `out` where it was interrupted, with the same bundle and pool.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The cases, the first to label first, with what the bundle says of each; and what was left out, and why.

    Raises:
        DataError: Every case of the pool is labelled, or none can be answered; or the strategy needs what the answers
            do not say.
        UnknownName: There is no such strategy.
        OutputError: `out` holds something, or another measurement than the one to go on with.
        Interrupted: Ctrl-C; what is measured is kept, and `resume` goes on.
    """
    shown, opened = watched(progress), bundle_of(bundle)
    chosen = None if strategy == AUTO else strategies.get(strategy)
    if count < 1:
        raise DataError("at least one case is suggested", found=str(count), hint="--count 50")
    if resume and out is None:
        raise DataError("only what lies in a folder can be gone on with", found="no folder", hint="-o OUT")
    if out is not None and isinstance(pool, str | Path):
        assert_apart(Path(pool), Path(out))
    looked = Looked()
    cohort = cohorts.check(
        read_for(opened, pool, layout=layout, columns=columns),
        progress=shown,
        max_set_aside=1.0,
        observe=looked,
        strict=False,
    )
    middle = as_the_run(opened, labelled)
    vectors = asked_of(opened, device=device, accept_mismatch=accept_mismatch, middle=middle)
    free, done = parted(opened, cohort, looked)
    if not cohort.cases:
        why = cohort.set_aside[0].reason if cohort.set_aside else "no case"
        raise DataError("no case of the pool can be read", found=why)
    if not free:
        raise DataError(
            "every case of the pool is labelled already",
            found=counted(len(cohort.cases), "case"),
            hint="a pool of other cases; `vesalius clean` looks for wrong labels among these",
        )
    sheet = None if out is None else _sheet(Path(out), opened, cohort, middle, resume=resume)
    try:
        with nullcontext() if sheet is None else held(sheet.folder):
            measuring = Measuring(vectors, None if sheet is None else sheet.answers)
            seen, failed = measuring(free, progress=shown)
            known = labelled_vectors(vectors, opened, done, labelled, layout, columns, shown, looked=looked)
            found = _chosen(
                opened,
                cohort,
                seen,
                known,
                looked=looked,
                strategy=chosen,
                count=count,
                seed=seed,
                same_patient=same_patient,
                also_outside=also_outside,
                centred=not vectors.reads,
            )
            aside = [*cohort.set_aside, *(SetAside(case, why) for case, why in failed), *found.apart]
            found = replace(found, already=tuple(c.id for c in done), apart=tuple(aside))
            if sheet is not None:
                found = replace(found, path=sheet.folder)
                _written(found, cohort, sheet.folder)
                sheet.close()
    except KeyboardInterrupt as error:
        if sheet is None:
            raise
        hint = f"vesalius suggest … -o {out} --resume"
        raise Interrupted("interrupted; what is measured is kept", hint=hint) from error
    except DataError:
        if sheet is not None and not sheet.answers.cases():
            sheet.discard()
        raise
    return found


def _chosen(
    bundle: Bundle,
    cohort: Cohort,
    seen: Sequence[Seen],
    known: Array | None,
    *,
    looked: Looked,
    strategy: Strategy | None,
    count: int,
    seed: int,
    same_patient: bool,
    also_outside: bool,
    centred: bool,
) -> Suggested:
    kept = [one for one in seen if also_outside or not one.outside]
    apart = [SetAside(one.case, "; ".join(one.outside)) for one in seen if one.outside and not also_outside]
    if not kept:
        why = apart[0].reason if apart else "no case could be answered"
        raise DataError(
            "no case of the pool can be suggested", found=why, hint="--also-outside, or other cases"
        )
    cases = {c.id: c for c in cohort.cases}
    listed = [cases[one.case] for one in kept]
    groups = grouped(listed, looked, same_patient=same_patient)
    made = pool_of(kept, groups, known, by=0 if strategy is None else strategy.by, centred=centred)
    how = strategy or strategies.get(suited(made))
    places = how(made, count, np.random.default_rng(seed_of(seed, "suggest", how.name)))
    marks = looked.marks.pixels()
    chosen = tuple(
        _suggestion(rank, kept[k], listed[k], tuple(sorted(marks.get(listed[k].id, ()))))
        for rank, k in enumerate(places, start=1)
    )
    return Suggested(
        strategy=how.name,
        why="" if strategy is not None else WHY.get(how.name, ""),
        seed=seed,
        bundle=bundle.hash,
        data_hash=cohort.hash,
        pool=len(kept),
        labelled=0 if known is None else len(known),
        cases=chosen,
        apart=tuple(apart),
        short=_short(len(chosen), count, len(kept), len(set(groups))),
    )


def _short(got: int, count: int, pool: int, groups: int) -> str:
    if got >= count:
        return ""
    if groups < pool:
        return (
            f"{counted(got, 'case')} and not {count}: one of each patient, and of images that are nearly the same, of "
            f"{pool}; --same-patient takes more"
        )
    return f"{counted(got, 'case')} and not {count}: the pool has no more"


def _suggestion(rank: int, seen: Seen, case: Case, marks: tuple[str, ...]) -> Suggestion:
    image = case.image if case.images else None
    ref = replace(image, paths=tuple(p.absolute() for p in image.paths)) if isinstance(image, Ref) else None
    entry = Entry(case.id, "", ref, marks, case.patient)
    return Suggestion(rank, case.id, case.patient, seen.unsure, seen.found, seen.plane, entry)


def _sheet(out: Path, bundle: Bundle, cohort: Cohort, middle: bool, *, resume: bool) -> Sheet:
    tiles = "middle" if middle else "all"  # features of which are kept, and not to be mixed
    about = {"bundle": bundle.hash, "data": cohort.hash, "tiles": tiles}
    return Sheet.again(out, about, "suggest") if resume else Sheet.new(out, about, "suggest")


def _written(found: Suggested, cohort: Cohort, folder: Path) -> None:
    """Write the table that other verbs read as a cohort, the same as JSON, and the page. Raises OutputError."""
    cases = {c.id: c for c in cohort.cases}
    names = file_names([one.case for one in found.cases])
    rows = []
    for one in found.cases:
        images = image_cells(folder, cases[one.case], names[one.case])
        patient = {"patient": one.patient} if any(c.patient for c in found.cases) else {}
        rows.append({"case": one.case, **images, **patient, "rank": one.rank})
    write_text(folder / TABLE, as_csv(rows))
    write_text(folder / RESULT, json.dumps(found.json(), indent=1) + "\n")
    (folder / PAGE).unlink(missing_ok=True)
    found.show(folder / PAGE)
