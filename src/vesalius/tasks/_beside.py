"""Covariates beside an image: which are planned, what is learned of them, and what a task says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.words import listed
from vesalius.plan import tables
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.prepare import covariates
from vesalius.tasks.contract import Task


class Beside(Task):
    """A task whose model is given covariates beside the image, which its state holds under `covariates`."""

    def covariates(self, state: State) -> tuple[str, ...]:
        """Return those that no training case lacked; others may be missing, as they were in training."""
        return covariates.needed(state.values.get("covariates", {}))

    def features(self, state: State) -> tuple[str, ...]:
        """Return the covariate that each number of the encoded ones stands for."""
        return covariates.features(state.values.get("covariates", {}))

    def outside(self, case: Case, state: State) -> tuple[str, ...]:
        """Return which covariates lie outside of what was learned from."""
        return covariates.outside(case, state.values.get("covariates", {}))


def encoded(case: Case, state: State) -> Array | None:
    """Return a case's covariates as numbers; None where none enters. Raises DataError, naming the case."""
    about = state.values["covariates"]
    return covariates.encode(case, about) if about else None


def learned(summary: Statistics, target: TargetInfo, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what is learned of the planned covariates. Raises DataError where the target is one of them."""
    names, categories = planned(plan)
    for info in target.parts or (target,):
        if info.name in names:
            raise DataError(f"'{info.name}' is the target and cannot be a covariate, too")
    return covariates.learn(summary.part("covariates", Statistics), names, categories)


def planned(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the covariates that enter, and those that are categories."""
    options = plan.task.options
    return _listed(options.get("covariates")), _listed(options.get("categories"))


def _listed(text: Any) -> tuple[str, ...]:
    """Return the names in an option, parted by commas."""
    return tuple(dict.fromkeys(n for part in str(text or "").split(",") if (n := part.strip())))


def nothing_to_see(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return what is missing where some cases have no image, time course or text, or none has these or covariates.

    A report is such a text where cases have nothing else.
    """
    told = any(c.images or c.courses or c.texts for c in cases)
    bare = [c.id for c in cases if not (c.images or c.courses or c.texts or (c.report and not told))]
    if bare and (len(bare) < len(cases) or not any(c.covariates for c in cases)):
        also = "" if len(bare) < len(cases) else ", or columns to learn from where there are none"
        return (f"an image for each case{also} ({listed(bare, 3)})",)
    return ()


def plan_covariates(draft: Draft, prints: Fingerprint, *, apart: Sequence[str] = ()) -> None:
    """Plan which covariates enter, those that a person named, and which of them are categories.

    Those `apart` enter otherwise.
    """
    named = [name for name, about in prints.covariates.items() if about.named and name not in apart]
    why = "as named" if named else "none was named"
    if prints.imageless and not named:
        named, why = tables.columns(prints)
    others = [name for name in prints.covariates if name not in named and name not in apart]
    if others:
        why += (
            f"; not used: {listed(others, 8)} (--column covariate=NAME, or --set task.options.covariates=A,B)"
        )
    draft.set("task.options.covariates", ",".join(named), why)
    sorts = [name for name, about in prints.covariates.items() if about.category and name not in apart]
    sorts = [name for name in sorts if name in named] if prints.imageless else sorts
    why = "words, or few whole numbers, which may be codes" if sorts else "no covariate is words or codes"
    draft.set("task.options.categories", ",".join(sorts), why)
