"""Strange cases: how many of those scored raised the alarm, beside the share that is promised of ordinary ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.core.operating import clopper_pearson
from vesalius.core.scorecard import Banner
from vesalius.core.words import counted
from vesalius.infer.alarm import Alarm, percent

STRANGE = "unlike the training cases"


def strange(raised: int, cases: int, alarm: Alarm) -> dict[str, Any]:
    """Return what a scorecard says of alarms: how many of how many, the exact 95 % interval, and the promised share."""
    low, high = clopper_pearson(raised, cases)
    return {
        "detector": alarm.detector,
        "raised": raised,
        "cases": cases,
        "low": low,
        "high": high,
        "promised": alarm.rate,
        "held_out": alarm.held_out,
    }


def in_words(found: Mapping[str, Any]) -> str:
    """Return it as a sentence; empty where the bundle has no alarm."""
    if not found:
        return ""
    share = f"{percent(found['raised'] / found['cases'])}, interval {percent(found['low'])} to {percent(found['high'])}"
    verb = "is" if found["raised"] == 1 else "are"
    return (
        f"{found['raised']} of {counted(found['cases'], 'case')} ({share}) {verb} unlike the training cases by "
        f"{found['detector']}, where {percent(found['promised'])} of ordinary ones are to be expected."
    )


def of_strange(found: Mapping[str, Any]) -> tuple[Banner, ...]:
    """Return the banner of data of which more is strange than chance explains; else none."""
    if not found or found["low"] <= found["promised"]:
        return ()
    text = f"{in_words(found)} The figures are of data that the model did not learn from alike."
    return (Banner(STRANGE, text),)
