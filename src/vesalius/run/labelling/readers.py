"""Readers of reports: rules with terms, or a bundle that answers about a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.finding import Status
from vesalius.run.labelling.result import Labeller, Read
from vesalius.texts.plain import is_empty
from vesalius.texts.reading import MOST, RULES, readings, said_of, unread_in
from vesalius.texts.sections import parted
from vesalius.texts.terms import Terms

NO_REPORT, EMPTY = "it has no report", "its report is empty"
TOO_LONG = f"a sentence of its report is longer than {MOST} letters"


def ruled(terms: Terms) -> Labeller:
    """Return who reads by rules, as provenance has it."""
    return Labeller(
        by="rules",
        names=terms.names,
        codes={t.name: t.codes[0] for t in terms.terms if t.codes},
        document={
            "by": "rules",
            "rules": RULES,
            "terms": terms.name,
            "terms_version": terms.version,
            "terms_sha256": terms.digest,
        },
    )


def read_by_rules(case: Case, terms: Terms) -> Read:
    """Return what a case's report says by the rules; of sections what was asked is not read.

    A report with a sentence too long to be read to its end is not read: what is not found in it may stand there.
    """
    if why := _unread(case):
        return Read({}, why=why)
    sections = parted(case.report or "")
    if unread_in(sections):
        return Read({}, why=TOO_LONG)
    found = readings(sections, terms)
    findings = [r.finding for r in found]
    statuses: dict[str, Status] = {}
    for name in dict.fromkeys(f.name for f in findings):
        whole = said_of(findings, name)
        if whole is not None:
            statuses[name] = whole.status
    told = tuple(name for name, status in statuses.items() if status in terms.by_name[name].actionable)
    return Read(statuses, found, told)


def by_bundle(
    bundle: Bundle, labels: tuple[str, ...], *, actionable: Mapping[str, tuple[Status, ...]]
) -> Labeller:
    """Return who reads with a bundle, as provenance has it; `actionable` names what somebody has to be told of."""
    return Labeller(
        by="bundle",
        names=labels,
        codes={},
        document={
            "by": "bundle",
            "bundle": bundle.hash,
            "task": bundle.stages[-1].plan.task.name,
            "actionable": sorted(actionable),
        },
    )


def read_by_bundle(
    case: Case, answer: Callable[[], Answer], *, actionable: Mapping[str, tuple[Status, ...]]
) -> Read:
    """Return what a bundle answers about a case's report; a case that it cannot answer is not read, with the reason.

    Raises DataError for an answer that names no labels.
    """
    if why := _unread(case):
        return Read({}, why=why)
    try:
        given = answer()
    except VesaliusError as error:
        return Read({}, why=error.what)
    stated = [one for one in contract.states(given) if one.label and one.p is not None]
    if not stated:
        raise DataError(
            "labels come from a bundle that says how likely each of them is",
            found=f"an answer of kind {type(given).__name__}",
        )
    statuses = {one.label: one.finding.status for one in stated}
    told = tuple(name for name, status in statuses.items() if status in actionable.get(name, ()))
    return Read(statuses, (), told, {one.label: one.p for one in stated if one.p is not None})


def _unread(case: Case) -> str:
    if case.report is None:
        return NO_REPORT
    return EMPTY if is_empty(case.report) else ""
