"""Words about benefit: how arms came about, and whether patients who took no part show that a model tells who gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.core.scorecard import Scorecard
from vesalius.core.treatment import OBSERVED, RANDOMISED, UNKNOWN, arm_named

ASSIGNED = {
    RANDOMISED: "Chance decided on the arms, as was told.",
    OBSERVED: (
        "Chance did not decide on the arms. Figures are doubly robust, with a propensity from what the model sees of "
        "each patient and what it foretells; what decided on the treatment beside that is not heeded."
    ),
    UNKNOWN: (
        "Nobody said whether chance decided on the arms (`task.options.assignment`), so they are taken as observed: "
        "what decided on the treatment and is not known here is not heeded."
    ),
}
NO_REASON = (
    "Who is at risk is another question than who gains: a C-index says nothing about whom to treat, and none stands "
    "here."
)
POINTS = "percentage points"


def benefit_of(card: Scorecard) -> Mapping[str, Any]:
    """Return what a scorecard keeps of benefit; empty where it has none."""
    found: Mapping[str, Any] = card.clinical.get("benefit") or {}
    return found


def further_of(card: Scorecard) -> Mapping[str, Mapping[str, Any]]:
    """Return what a scorecard keeps of the benefit in further events, by their names."""
    found: Mapping[str, Mapping[str, Any]] = card.clinical.get("benefit_of") or {}
    return found


def against_of(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of each further arm against the first, arms by the names that they have in sentences."""

    def named(arm: str) -> str:
        return arm_named(str(found.get("column", "arm")), arm)

    made = []
    for one in found.get("against", ()):
        new = {**one, "control": named(one["control"]), "treated": named(one["treated"])}
        if "policy" in one:
            new["policy"] = {
                **one["policy"],
                **{
                    k: {named(a): v for a, v in one["policy"][k].items()}
                    for k in ("all_given", "gain", "share")
                },
            }
        made.append(new)
    return made


def verdict_of(one: Mapping[str, Any]) -> str:
    """Return in a sentence whether these patients show that the model tells who gains from an arm."""
    if "ranked" not in one:
        return f"Nothing was shown of whom to give {one['treated']}: {one['unranked']}."
    low, high = (100 * one["ranked"]["autoc"][end] for end in ("low", "high"))
    bounds = f"{signed(low)} to {signed(high)} {POINTS}"
    if low > 0:
        return (
            f"Those whom the model puts first gain more from {one['treated']} than all do (AUTOC {bounds})."
        )
    if high < 0:
        return (
            f"Those whom the model puts first gain less from {one['treated']} than all do (AUTOC {bounds})."
        )
    return f"Nothing was shown of whom to give {one['treated']}: AUTOC lies between {bounds}, which holds 0."


def signed(value: float) -> str:
    """Return a number with its sign and one decimal."""
    return f"{value:+.1f}".replace("-", "−")
