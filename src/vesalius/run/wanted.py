"""What is to be answered: the cases of a cohort, or things that come one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError, MismatchError, UnknownName, VesaliusError
from vesalius.core.words import counted
from vesalius.infer.given import Asked, asked
from vesalius.run.tabular import read_for

Known = Mapping[str, float | str]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is to be answered: cases that are known, or that come one at a time; and what was set aside before.

    `where` says where they are from.
    """

    cases: tuple[Case, ...] | Iterator[Asked]
    where: str
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int | None:
        """How many cases there are; None where nobody knows yet."""
        return len(self.cases) if isinstance(self.cases, tuple) else None


def of_cohort(cohort: Cohort, known: Known) -> Wanted:
    """Return a cohort's cases, with what is known of each. Raises DataError where there is none, faulty or not."""
    if not cohort.cases and not cohort.set_aside:
        raise DataError(f"no images in {cohort.root}")
    cases = tuple(_with_covariates(case, known) for case in cohort.cases)
    return Wanted(cases, str(cohort.root), cohort.set_aside, cohort.notes)


def of_things(things: Iterator[Asked], known: Known) -> Wanted:
    """Return things that come one at a time, with what is known of each."""
    told = (
        replace(one, case=_with_covariates(one.case, known)) if isinstance(one.case, Case) else one
        for one in things
    )
    return Wanted(told, "what was given")


def wanted_of(
    source: Any,
    bundle: Bundle,
    *,
    several: bool = False,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
    covariates: Known | None = None,
    accept_mismatch: bool = False,
) -> Wanted:
    """Return what is wanted of a source: a path's or a cohort's cases; else one thing in memory, or `several`.

    Raises DataError where there is none.
    """

    def read(path: Path | str | Cohort) -> Cohort:
        return read_for(bundle, path, layout=layout, columns=columns)

    if isinstance(source, str | Path | Cohort):
        return of_cohort(read(source), covariates or {})
    things = source if several else (source,)
    return of_things(asked(things, bundle, read=read, accept_mismatch=accept_mismatch), covariates or {})


def only(wanted: Wanted) -> Case | Asked:
    """Return the one case that is wanted. Raises DataError where it is not one."""
    found: list[Case | Asked] = [*wanted.cases]
    if len(found) == 1:
        return found[0]
    raise DataError(
        f"{wanted.where} holds {counted(len(found), 'case')} that can be answered, not one",
        found="; ".join(s.reason for s in wanted.set_aside[:1]) or None,
        hint="predict(bundle, vs.read(source)) for a cohort, or predict(bundle, source, out)",
    )


def the_one(wanted: Wanted, name: str | None) -> Case | Asked:
    """Return the one case that is wanted, or that of an id. Raises DataError, UnknownName, or what is wrong with it."""
    if name is None:
        one = only(wanted)
        if isinstance(one, Asked) and isinstance(one.case, VesaliusError):
            raise one.case
        return one
    known = {each.id: one for one in wanted.cases if isinstance(each := _case(one), Case)}
    if name not in known:
        raise UnknownName("case", name, list(known))
    return known[name]


def _case(one: Case | Asked) -> Any:
    return one.case if isinstance(one, Asked) else one


def reason_of(error: VesaliusError, case: str) -> str:
    """Return an error's words where the case is named already."""
    return str(error).removeprefix(f"case {case}: ")


def all_alike(error: VesaliusError, count: int) -> VesaliusError:
    """Return the error of a single case, or of the last of several that were all refused."""
    if count == 1:
        return error
    return MismatchError(
        f"none of {count} cases can be answered; the last: {error.what}", found=error.found, hint=error.hint
    )


def _with_covariates(case: Case, known: Known) -> Case:
    """Return a case with what is known of it beside what a table says."""
    return replace(case, covariates={**case.covariates, **known}) if known else case
