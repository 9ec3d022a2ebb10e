"""What a report shows of benefit: what arms change on average, whether the model tells who gains, and balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers.drawing import gains, policies
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.panels import Cell, Table, figure, percent
from vesalius.benefit.balance import LARGE, Balance
from vesalius.benefit.estimate import Estimate
from vesalius.benefit.quintiles import BenefitCalibration
from vesalius.benefit.ranked import Ranked
from vesalius.benefit.weighting import WAYS
from vesalius.benefit.words import (
    ASSIGNED,
    NO_REASON,
    POINTS,
    against_of,
    benefit_of,
    further_of,
    signed,
    verdict_of,
)
from vesalius.core.horizons import named
from vesalius.core.scorecard import Scorecard
from vesalius.core.treatment import arm_named
from vesalius.core.words import counted, listed


def panels(card: Scorecard) -> list[Figure | Table]:
    """Return the tables and the drawings of each further arm against the first; none where there is one arm."""
    first, further = benefit_of(card), further_of(card)
    if not first:
        return []
    made = _panels(first, str(first.get("event") or "") if further else "")
    for event, found in further.items():
        made += _panels(found, event, balanced=False)
    return made


def _panels(found: Mapping[str, Any], event: str, *, balanced: bool = True) -> list[Figure | Table]:
    """Return what is shown of one event, which is named where there are several; balance is that of its first."""
    of = f"{event[:1].upper()}{event[1:]}: " if event else ""
    if "refused" in found:
        row, why = (Cell("not told"), Cell(str(found["refused"]))), ASSIGNED[found["assignment"]]
        return [Table(f"{of}What a treatment changes", ("", "why"), [row], why, wide=True)]
    made: list[Figure | Table] = []
    for one in against_of(found):
        own = [_effects(found, one), *_ranked(found, one), *(_balance(one) if balanced else [])]
        made += [replace(panel, title=f"{of}{panel.title}") for panel in own]
    return made


def _effects(found: Mapping[str, Any], one: Mapping[str, Any]) -> Table:
    when = named(float(found["judged_days"]))
    control, treated = one["control"], one["treated"]
    rows = [
        (Cell(f"survival at {when}, doubly robust"), *_points(one["effect"])),
        (Cell(f"survival at {when}, arms as they are"), *_points(one["naive"])),
        (Cell(f"survival at {when}, patients of whom either was likely"), *_points(one["overlap"])),
        (Cell(f"days without the event until {when}, doubly robust"), *_days(one["days"])),
        (Cell(f"days without the event until {when}, arms as they are"), *_days(one["days_naive"])),
        (
            Cell(f"foretold by the model, mean of {counted(int(found['n']), 'patient')}"),
            Cell(_point(one["foretold"]["mean"]), one["foretold"]["mean"]),
            Cell(f"above 0 for {percent(one['foretold']['above_0'])}"),
        ),
    ]
    if one["evalue"] is not None:
        rows.append(
            (
                Cell("E-value of the first figure"),
                Cell(figure(one["evalue"], 2), one["evalue"]),
                Cell("as a risk ratio, how strong a hidden cause must be to explain it away"),
            )
        )
    given = "; ".join(
        f"{arm_named(found['column'], arm)}: {g['events']} of {g['n']} with the event"
        for arm, g in found["given"].items()
    )
    out = "" if not one["left_out"] else f" Left out, as an arm was too unlikely: {one['left_out']}."
    text = f"{ASSIGNED[found['assignment']]} {given}.{out}"
    title = f"What {treated} changes beside {control}, on average"
    return Table(title, ("figure", f"{treated} less {control}", "95 %"), rows, text, wide=True)


def _ranked(found: Mapping[str, Any], one: Mapping[str, Any]) -> list[Figure | Table]:
    when, control, treated = named(float(found["judged_days"])), one["control"], one["treated"]
    if "ranked" not in one:
        row = (Cell("not told"), Cell(str(one["unranked"])))
        return [Table(f"Whom {treated} helps", ("", "why"), [row], verdict_of(one))]
    policy, ranked, fifths = one["policy"], one["ranked"], one["calibration"]
    rows = [(Cell(f"all are given {arm}"), *_share(policy["all_given"][arm])) for arm in (control, treated)]
    rows.append((Cell("given where the model foretells a gain"), *_share(policy["value"])))
    for arm in (control, treated):
        rows.append((Cell(f"what that gains over all {arm}"), *_points(policy["gain"][arm])))
    rows += [
        (Cell("AUTOC: those put first beside all"), *_points(ranked["autoc"])),
        (Cell("Qini"), *_points(ranked["qini"])),
    ]
    if fifths["slope"] is not None:
        rows.append((Cell("slope of found on foretold: 1 is right"), *_plain(fifths["slope"])))
    if one["pairs"] is not None:
        rows.append((Cell("C-for-benefit: the order of matched pairs"), *_plain(one["pairs"])))
    said = f"{verdict_of(one)} From patients who took no part in training. {NO_REASON}"
    heads = ("figure", f"survival at {when}", "95 %")
    treats = policy["share"][treated]
    bars = [(f"all {arm}", *_ends(policy["all_given"][arm])) for arm in (control, treated)]
    bars.append(("by the model", *_ends(policy["value"])))
    return [
        Table(f"Whom {treated} helps", heads, rows, said, wide=True),
        Figure(
            f"What rules are worth: {treated}",
            policies.values(bars, f"survival at {when}"),
            f"What patients would have on average; the model gives {treated} to {percent(treats)}. Bars are 95 %, and "
            "differences are in the table.",
        ),
        Figure(
            f"Who gains from {treated}",
            gains.ranking(_ranked_of(ranked), "share"),
            "A line above 0 means that those whom the model puts first gain more than all; the band is 95 %.",
        ),
        Figure(
            f"Benefit of {treated}, foretold and found",
            gains.predicted_and_found(_fifths_of(fifths), "share"),
            "By fifths of what was foretold; on the diagonal it is right. Bars are 95 %.",
        ),
    ]


def _balance(one: Mapping[str, Any]) -> list[Figure | Table]:
    told = one["balance"]
    if not told["names"]:
        return []
    control, treated = one["control"], one["treated"]
    before, after = told["difference"]["none"], told["difference"]["overlap"]
    order = np.argsort(-np.abs(np.array(before, np.float64)), kind="stable")
    rows = [
        (
            Cell(told["names"][k]),
            Cell(figure(before[k], 2), before[k], tone="warn" if abs(before[k]) > LARGE else ""),
            Cell(figure(after[k], 2), after[k], tone="warn" if abs(after[k]) > LARGE else ""),
        )
        for k in order
    ]
    sizes = " and ".join(f"{n:.0f}" for n in told["effective"]["overlap"])
    left = told["unbalanced"]["overlap"]
    said = f"Still beyond {LARGE} after weighting: {listed(left)}." if left else f"All within {LARGE}."
    text = f"In standard deviations. {said} The weighted arms are worth {sizes} patients."
    return [
        Table(
            f"Balance of {treated} and {control}",
            ("known before", "as they are", "overlap weights"),
            rows,
            text,
        ),
        Figure(f"Love plot: {treated}", gains.love(_balance_of(one)), f"Beyond {LARGE} arms differ."),
    ]


def _balance_of(one: Mapping[str, Any]) -> Balance:
    told = one["balance"]
    return Balance(
        tuple(told["names"]),
        one["control"],
        one["treated"],
        {way: np.array(told["difference"][way], np.float64) for way in WAYS},
        {},
        {way: (told["effective"][way][0], told["effective"][way][1]) for way in WAYS},
    )


def _ranked_of(told: Mapping[str, Any]) -> Ranked:
    return Ranked(
        Estimate(**told["autoc"]),
        Estimate(**told["qini"]),
        *(np.array(told[name], np.float64) for name in ("shares", "gain", "low", "high")),
    )


def _fifths_of(told: Mapping[str, Any]) -> BenefitCalibration:
    return BenefitCalibration(tuple(told["predicted"]), tuple(Estimate(**e) for e in told["found"]), None)


def _point(value: float) -> str:
    return f"{signed(100 * value)} {POINTS}"


def _points(e: Mapping[str, float]) -> tuple[Cell, Cell]:
    return Cell(_point(e["value"]), e["value"]), Cell(
        f"{signed(100 * e['low'])} to {signed(100 * e['high'])}"
    )


def _days(e: Mapping[str, float]) -> tuple[Cell, Cell]:
    return Cell(f"{signed(e['value'])} days", e["value"]), Cell(f"{signed(e['low'])} to {signed(e['high'])}")


def _share(e: Mapping[str, float]) -> tuple[Cell, Cell]:
    return Cell(percent(e["value"]), e["value"]), Cell(f"{percent(e['low'])} to {percent(e['high'])}")


def _plain(e: Mapping[str, float]) -> tuple[Cell, Cell]:
    return Cell(figure(e["value"], 2), e["value"]), Cell(f"{figure(e['low'], 2)} to {figure(e['high'], 2)}")


def _ends(e: Mapping[str, float]) -> tuple[float, float, float]:
    return e["value"], e["low"], e["high"]
