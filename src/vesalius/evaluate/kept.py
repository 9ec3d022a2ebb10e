"""Kept: how promises turned out on the cases of an evaluation, and what became of answers that are withheld.

A share is given with its exact binomial interval (Clopper & Pearson 1934). It is called below the promised one where so
few or fewer would be covered in less than 25 of 1000 draws of calibration and evaluation cases, if the promise is kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.answers.contract import Kept
from vesalius.core.case import Case
from vesalius.core.groups import parse
from vesalius.core.promise import PROMISE, WITHHOLD, Promise
from vesalius.core.scorecard import Banner
from vesalius.core.subgroups import NOT_KNOWN, SMALLEST
from vesalius.core.words import counted, listed
from vesalius.evaluate import conformal
from vesalius.evaluate.suppression import withheld as withheld_groups

RARE = 0.025  # of draws in which a kept promise looks as bad, below which it is said to be broken
RESAMPLES = 1000
BROKEN = "promise not kept"
MOST_SIZES = 12


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the promise of one answer, whether it was withheld, and whether it is wrong, if known."""

    case: Case
    promise: Promise | None
    kept: Kept | None
    withheld: bool = False
    wrong: bool | None = None


def section(
    outcomes: Sequence[Outcome],
    fixed: Mapping[str, Any],
    *,
    patients: Sequence[str],
    smallest: int = SMALLEST,
) -> dict[str, Any]:
    """Return what a scorecard keeps of promises, as JSON takes it; empty where nothing was promised.

    `fixed` is the calibration of the bundle's last stage, and `patients` names each case's patient.
    Groups of fewer than `smallest` patients have no figures and no name, nor have those that would give them away.
    """
    told = [(o, p) for o, p in zip(outcomes, patients, strict=True) if o.promise and o.kept]
    record = fixed.get(PROMISE)
    if not told or not record:
        return {}
    first = told[0][0]
    mean = bool(first.kept and first.kept.mean)
    found: dict[str, Any] = {
        "coverage": record["coverage"],
        "mean": mean,
        "says": first.promise.says if first.promise else "",
        "on": {k: v for k, v in record["on"].items() if k in ("cases", "when", "source")},
        "overall": _shares(told, record["coverage"], record["pooled"]["n"], mean=mean),
        "sizes": _sizes([o.kept.size for o, _ in told if o.kept and o.kept.size is not None]),
    }
    if record.get("by"):
        grouping = parse(record["by"])
        groups = [grouping.of(o.case) for o, _ in told]
        keys = [(NOT_KNOWN if g is None else g,) for g in groups]
        hidden = {key[0] for key in withheld_groups({("",): keys}, [p for _, p in told], smallest)[("",)]}
        found["by"] = grouping.column
        if hidden:
            found["groups_withheld"], found["smallest"] = len(hidden), smallest
        found["groups"] = {
            name: {
                "own": name in record["groups"],
                "shares": _shares(
                    [one for one, g in zip(told, groups, strict=True) if g == name],
                    record["coverage"],
                    record["groups"].get(name, {"n": {}})["n"],
                    mean=mean,
                ),
            }
            for name in sorted({g for g in groups if g is not None} - hidden)
        }
    return found


def withheld(outcomes: Sequence[Outcome], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many answers were withheld, and how many of the others and of these are wrong; {} without a rule."""
    rule = fixed.get(WITHHOLD)
    if not rule or not outcomes:
        return {}
    gone = sum(o.withheld for o in outcomes)
    found: dict[str, Any] = {
        "rule": dict(rule),
        "withheld": asdict(conformal.share_of(gone, len(outcomes))),
    }
    for name, which in (("answered", False), ("held_back", True)):
        judged = [o.wrong for o in outcomes if o.withheld is which and o.wrong is not None]
        found[f"wrong_of_{name}"] = asdict(conformal.share_of(sum(judged), len(judged)))
    return found


def banners(section: Mapping[str, Any]) -> tuple[Banner, ...]:
    """Return the banner of a promise that is broken on these cases by more than chance; none where it is kept."""
    broken = [
        _named("", name, one, section) for name, one in section.get("overall", {}).items() if one["below"]
    ]
    for group, about in section.get("groups", {}).items():
        lead = f"{section['by']} '{group}'"
        broken += [_named(lead, name, one, section) for name, one in about["shares"].items() if one["below"]]
    if not broken:
        return ()
    what = "misses more than" if section["mean"] else "holds less than"
    share = 1 - section["coverage"] if section["mean"] else section["coverage"]
    text = f"What this model promises {what} the promised {100 * share:g} % here, by more than chance: "
    text += f"{listed(broken, 6)}."
    return (Banner(BROKEN, f"{text} These cases are not like those that it was calibrated on."),)


def _named(lead: str, name: str, one: Mapping[str, Any], section: Mapping[str, Any]) -> str:
    where = ": ".join(part for part in (lead, name) if part)
    value = f"{100 * one['value']:.1f} %" + (
        f" missed of {counted(one['n'], 'case')}" if section["mean"] else f" of {one['n']}"
    )
    return f"{where} {value}" if where else value


def _shares(
    told: Sequence[tuple[Outcome, str]], coverage: float, calibrated: Mapping[str, int], *, mean: bool
) -> dict[str, dict[str, Any]]:
    """Return by name which share of the promises was kept, or which mean share was missed, each with its interval."""
    held: dict[str, list[tuple[float, str]]] = {}
    for one, patient in told:
        for name, value in one.kept.held.items() if one.kept else ():
            held.setdefault(name, []).append((value, patient))
    found = {}
    for name, pairs in held.items():
        values, who = np.array([v for v, _ in pairs]), [p for _, p in pairs]
        if mean:
            found[name] = _mean(values, who, 1 - coverage)
            continue
        hits, n, m = int(values.sum()), len(values), calibrated.get(name)
        below = m is not None and conformal.chance_of(hits, n, coverage=coverage, calibrated=m) < RARE
        found[name] = {**asdict(conformal.share_of(hits, n)), "below": below}
    return found


def _mean(values: Any, patients: Sequence[str], most: float) -> dict[str, Any]:
    """Return a mean share with its bootstrap interval over patients, and whether it is surely above `most`."""
    n = len(values)
    low = high = None
    if len(set(patients)) > 1:
        drawn = metrics.resample(patients, np.random.default_rng(0), RESAMPLES)
        low, high = (float(x) for x in np.percentile([values[i].mean() for i in drawn], [2.5, 97.5]))
    return {
        "value": float(values.mean()),
        "low": low,
        "high": high,
        "n": n,
        "below": low is not None and low > most,
    }


def _sizes(sizes: Sequence[float]) -> dict[str, Any]:
    """Return mean and median size of what was promised, how many have no bound, and how many have which size."""
    bounded = [s for s in sizes if math.isfinite(s)]
    found: dict[str, Any] = {
        "mean": float(np.mean(bounded)) if bounded else None,
        "median": float(np.median(bounded)) if bounded else None,
        "unbounded": len(sizes) - len(bounded),
        "n": len(sizes),
    }
    if all(float(s).is_integer() for s in bounded) and len(set(bounded)) <= MOST_SIZES:
        found["counts"] = {f"{s:g}": n for s, n in sorted(Counter(bounded).items())}
    return found
