"""What of an answer's statements is sure enough to be told, and what speaks against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.core.stated import Statement


def held(statements: Sequence[Statement], sure: float) -> list[Statement]:
    """Return statements of which those are doubted that a calibrated probability of the same finding does not bear out.

    A sentence of a report has no probability of its own, and is no surer than the finding that the model called for it.
    """
    return [
        s if s.doubted or s.number is not None else replace(s, doubted=_against(s, statements, sure))
        for s in statements
    ]


def _against(one: Statement, statements: Sequence[Statement], sure: float) -> str:
    """Return what speaks against a statement among those of its finding that have a probability; "" where nothing."""
    finding = one.finding
    others = [
        s
        for s in statements
        if s is not one
        and s.p is not None
        and same_name(s.finding.name, finding.name)
        and (one.p is None or s.finding.side == finding.side)
        and (s.finding.side == finding.side or {s.finding.side, finding.side} & {None, "both"})
    ]
    agree = [not unsure(s, sure) and s.finding.status == finding.status for s in others]
    some = one.p is None and finding.status == "present" and finding.side != "both"
    if all(agree) or (some and any(agree)):
        return ""
    other = others[agree.index(False)]
    return unsure(other, sure) or f"it is also said to be {other.finding.status}: {why_of(other)}"


def same_name(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def certain(own: Sequence[Statement], sure: float) -> list[Statement]:
    """Return the statements that may be told as they are."""
    return [s for s in own if not unsure(s, sure)]


def doubt_of(here: Sequence[Statement], sure: float) -> str:
    """Return why nothing can be told from statements, "" where something can: one sure presence is enough."""
    if any(s.finding.status == "present" and not unsure(s, sure) for s in here):
        return ""
    return next((why for s in here if (why := unsure(s, sure))), "")


def unsure(one: Statement, sure: float) -> str:
    """Return why a statement must not be told as it is."""
    if one.doubted:
        return one.doubted
    if one.finding.status in ("uncertain", "past"):
        return f"it is said to be {one.finding.status}"
    if one.p is not None and 1 - sure < one.p < sure:
        return f"{one.because or f'probability {one.p:.3f}'}, and below {sure:g} or above {1 - sure:g} nothing is told"
    if one.p is not None and (one.p >= sure) != (one.finding.status == "present"):
        return f"{one.because}: it is called otherwise than its probability says"
    return ""


def why_of(one: Statement) -> str:
    return one.because or str(one.finding)
