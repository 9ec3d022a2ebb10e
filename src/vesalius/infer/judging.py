"""Judging an answer by its bundle's calibration: what is promised of it, and whether it is withheld."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vesalius.answers.contract import of
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.promise import PROMISE, WITHHOLD, limits_of
from vesalius.core.words import listed

SEVERAL, ERROR = "several", "error"  # the rules by which answers are withheld


def doubt_of(calibration: Mapping[str, Any]) -> tuple[str, int | None] | None:
    """Return the way of doubting, and how many samples, that what is promised stands on; None where on none."""
    found = calibration.get(PROMISE, {}).get("on", {}).get("doubt")
    return None if found is None else (str(found[0]), None if found[1] is None else int(found[1]))


def judged_by(answer: Answer, calibration: Mapping[str, Any], case: Case) -> Answer:
    """Return the answer with what its bundle's calibration promises of it, withheld where a rule says so."""
    if calibration.get(PROMISE):
        answer = of(answer).promised(answer, limits_of(calibration[PROMISE], case))
    rule = calibration.get(WITHHOLD)
    reason = None if not rule else withheld(answer, rule)
    return answer if reason is None else replace(answer, withheld=reason)


def withheld(answer: Answer, rule: Mapping[str, Any]) -> str | None:
    """Return why a rule withholds an answer; None where it does not.

    The rule `several` withholds what is not one label alone by its promise; the rule `error` what is less sure than
    `at`, so that at most the share `most` of the others is wrong.
    """
    if rule["rule"] == "several":
        held = None if answer.promise is None else answer.promise.labels
        if held is None or len(held) == 1:
            return None
        return (
            f"the answer is not one label alone: {listed(held)} at {answer.promise.share}"
            if answer.promise
            else None
        )
    sure, at = of(answer).sure(answer), float(rule["at"])
    if sure is None or sure >= at:
        return None
    most, bound = (f"{100 * float(rule[name]):g} %" for name in ("most", "confidence"))
    return (
        f"not sure enough: {sure:.3f}, where {at:.3f} keeps the error at {most} or less ({bound} confidence)"
    )
