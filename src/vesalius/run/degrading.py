"""Degrading: the levels of a degradation as cells of a grid, each a scorecard of the same cases made worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Scorecard, load_scorecard, save_scorecard
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted
from vesalius.evaluate.answered import score_cases
from vesalius.infer.predictor import Predictor
from vesalius.infer.restored import restored
from vesalius.prepare import degradations
from vesalius.prepare.case import load
from vesalius.run.grid import CELLS, Cell, Filled, Work

CLEAN, RESTORED, CARD = "clean", "restored", "scorecard.json"


@dataclass(frozen=True, slots=True)
class Level:
    """A degradation at an amount; `name` is empty where images stay as they are."""

    name: str = ""
    amount: float = 0.0

    @property
    def words(self) -> str:
        """What it is called, also as the folder of its cell."""
        return f"{self.name}-{self.amount:g}" if self.name else CLEAN


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """On which cases of which data a bundle is scored, and how. `restorer` restores images before they are answered."""

    bundle: Bundle
    cases: Sequence[Case]
    split: str
    data_hash: str
    patients_known: bool
    target: str | None
    seed: int
    device: str | None = None
    accept_mismatch: bool = False
    restorer: Predictor | None = None
    told: Callable[[Scorecard], Scorecard] = field(default=lambda card: card)


def cells(job: Scored, levels: Sequence[Level]) -> tuple[Cell, ...]:
    """Return all pieces of work: images as they are first, then each level, as it is and restored."""
    found = []
    for level in (Level(), *levels):
        for again in (False, True) if job.restorer is not None else (False,):
            name = named(level, restored=again)
            needs = () if name == CLEAN else (CLEAN,)
            found.append(Cell(name, _scoring(job, level, restore=again), {"seed": job.seed}, needs=needs))
    return tuple(found)


def named(level: Level, *, restored: bool = False) -> str:
    """Return what the cell of a level is called."""
    return f"{level.words}-{RESTORED}" if restored else level.words


def card(folder: Path, filled: Filled, level: Level, *, restored: bool = False) -> Scorecard | None:
    """Return the scorecard of a level; None where it failed, or where nothing restores."""
    name = named(level, restored=restored)
    return load_scorecard(folder / CELLS / name / CARD) if name in filled.results else None


def worse(case: Case, level: Level, *, seed: int) -> Case:
    """Return a case whose images are made worse, each with noise of its own that follows from its case and name.

    Raises DataError for an image that cannot be.
    """
    if not level.name:
        return case
    if not case.images:
        raise DataError(f"case {case.id} has no image that could be made worse")
    made = {
        name: degradations.degraded(
            load(item), level.name, level.amount, seed=seed_of(seed, level.name, case.id, name)
        )
        for name, item in case.images.items()
    }
    return replace(case, images={**case.images, **made})


def _scoring(job: Scored, level: Level, *, restore: bool) -> Work:
    def work(place: Path, needed: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        wanted = set(needed[CLEAN]["cases"]) if CLEAN in needed else None
        cases = [c for c in job.cases if wanted is None or c.id in wanted]
        wrong: list[DataError] = []

        def change(case: Case) -> Case:
            try:
                case = worse(case, level, seed=job.seed)
                return restored(job.restorer, case) if restore and job.restorer is not None else case
            except DataError as error:
                wrong.append(error)
                raise

        try:
            _, found = score_cases(
                job.bundle,
                cases,
                split=job.split,
                data_hash=job.data_hash,
                patients_known=job.patients_known,
                progress=Silent(),
                device=job.device,
                target=job.target,
                accept_mismatch=job.accept_mismatch,
                change=change,
            )
        except DataError as error:
            raise (wrong[0] if wrong else error) from error
        scored = [str(case["case"]) for case in found.cases]
        if wanted is not None and set(scored) != wanted:
            raise DataError(
                f"only {len(scored)} of {counted(len(wanted), 'case')} can be answered so",
                found=str(wrong[0]) if wrong else "others are refused",
            )
        save_scorecard(job.told(found), place / CARD)
        return {"cases": scored}

    return work
