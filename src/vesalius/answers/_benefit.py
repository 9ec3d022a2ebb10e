"""What a scorecard keeps of the benefit that curves of several arms foretell: by patients who took no part alone.

Of each case its rows hold, as JSON in the column `treated`, which arm it had, what was known of it before, and its
predicted survival under each arm on some days. The doubly robust figures are those of the room `benefit`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vesalius.benefit import evalue, tabulate
from vesalius.benefit.average import effect, naive, outcome
from vesalius.benefit.balance import Balance, balance
from vesalius.benefit.learners.contract import Learned
from vesalius.benefit.measure import Measure, assert_followed
from vesalius.benefit.robust import Scored, doubly_robust
from vesalius.benefit.trial import Trial, trial
from vesalius.benefit.worth import Worth, worth
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.horizons import years_until
from vesalius.core.image import Array
from vesalius.core.known import word
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Scorecard
from vesalius.core.treatment import Treatment, treatment_of
from vesalius.metrics import Rows
from vesalius.metrics import curve as judge

TREATED = "treated"  # the column, and what a scorecard keeps of a case
TREATMENT, ARMS = "treatment", "arms"  # among what holds for all rows
FURTHER = "further_treatments"  # of further events, by name
FORETOLD = "foretold hazard"  # what the model foretells under the first arm, as a column of the propensity
SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Foretold(Learned):
    """What the bundle foretold of these very patients, `table` `(N, A)`."""

    table: Array

    def outcomes(self, x: Array) -> Array:
        """Return what was foretold, of the patients in their order."""
        return self.table


# --- rows


def known_of(answer: Curve, case: Case) -> str:
    """Return what is kept of a case as JSON; empty where its answer does not say how arms came about."""
    about = answer.treatment
    if about is None:
        return ""
    arm = case.covariates.get(about.column)
    further = {name: _said(part) for name, part in _further(answer).items()}
    return json.dumps(
        finite(
            {
                "arm": None if arm is None else word(arm),
                "known": {name: case.covariates.get(name) for name in about.known},
                "said": _said(answer),
                **({"further": further} if further else {}),
            }
        )
    )


def _further(answer: Curve) -> dict[str, Curve]:
    """Return the curves of further events that say how arms came about."""
    return {n: p for n, p in answer.parts.items() if isinstance(p, Curve) and p.treatment is not None}


def _said(answer: Curve) -> dict[str, dict[str, float]]:
    """Return the survival under each arm at the times that are told up to the curve's end."""
    if answer.treatment is None:
        return {}
    end = float(answer.times_days[-1]) if len(answer.times_days) else 0.0
    days = [d for d in _days(answer.treatment) if d <= end]
    return {a: {f"{d:.17g}": answer.at(d, a) for d in days} for a in answer.survival}


def _days(about: Treatment) -> list[float]:
    return sorted({*years_until(about.horizon_days), about.horizon_days})


def with_treated(rows: Rows, answers: Sequence[Curve], kept: Sequence[str]) -> Rows:
    """Return rows with what is kept of each case's treatment; as they are where no answer says how arms came about."""
    first = next((a for a in answers if a.treatment is not None), None)
    if first is None or first.treatment is None or not all(kept):
        return rows
    info: dict[str, Any] = {TREATMENT: first.treatment.json(), ARMS: list(first.survival)}
    further = {n: part.treatment.json() for n, part in _further(first).items() if part.treatment is not None}
    info |= {FURTHER: further} if further else {}
    return replace(
        rows, columns={**rows.columns, TREATED: np.array(kept, dtype=object)}, info={**rows.info, **info}
    )


def case_of(rows: Rows, index: int) -> dict[str, Any]:
    """Return what a scorecard keeps of a case's treatment; nothing where rows hold none."""
    return {TREATED: json.loads(rows[TREATED][index])} if TREATED in rows.columns else {}


def about_of(rows: Rows) -> dict[str, Any]:
    """Return what a scorecard keeps of how arms came about; nothing where rows hold none."""
    return {k: rows.info[k] for k in (TREATMENT, ARMS, FURTHER) if k in rows.info}


def again(card: Scorecard, rows: Rows) -> Rows:
    """Return rows with the treatments that a scorecard's cases hold."""
    if TREATMENT not in card.curves or any(TREATED not in case for case in card.cases):
        return rows
    told = np.array([json.dumps(finite(case[TREATED])) for case in card.cases], dtype=object)
    info = {k: card.curves[k] for k in (TREATMENT, ARMS, FURTHER) if k in card.curves}
    return replace(rows, columns={**rows.columns, TREATED: told}, info={**rows.info, **info})


# --- figures


def kept(rows: Rows) -> dict[str, Any]:
    """Return the figures of each further arm against the first, as JSON takes them; nothing of rows without arms.

    Those of further events stand under `benefit_of` by their names. Where too few patients tell, `refused` says why
    there are none.
    """
    if TREATED not in rows.columns:
        return {}
    first, *others = judge.events(rows)
    found: dict[str, Any] = {"benefit": _of_event(rows, first, rows.info[TREATMENT])}
    told = rows.info.get(FURTHER, {})
    further = {event: _of_event(rows, event, told[event]) for event in others if event in told}
    return dict(finite(found | ({"benefit_of": further} if further else {})))


def _of_event(rows: Rows, event: str, treatment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one event."""
    about, arms = treatment_of(treatment), tuple(rows.info[ARMS])
    found: dict[str, Any] = {**about.json(), ARMS: list(arms), "n": len(rows), "event": event}
    try:
        held, said, measure = _trial(rows, event, about, arms)
        found |= {"n": len(held), "judged_days": measure.horizon_days, "given": _given(held)}
        found["against"] = list(_against(held, said, measure))
    except DataError as error:
        found["refused"] = str(error)
    return found


def _trial(rows: Rows, event: str, about: Treatment, arms: tuple[str, ...]) -> tuple[Trial, Array, Measure]:
    """Return the patients of whom all is known, what was foretold of them `(N, A)`, and at which time.

    That is the last of the times that are told up to which patients of each arm were followed. Raises DataError.
    """
    seen, at = judge.observed_of(rows, event)
    told = [json.loads(rows[TREATED][k]) for k in at]
    first = event == judge.events(rows)[0]
    curves = [t["said"] if first else t.get("further", {}).get(event, {}) for t in told]
    fine = np.array([t["arm"] in arms for t in told], bool)
    seen, told = seen.where(fine), [t for t, so in zip(told, fine, strict=True) if so]
    curves = [c for c, so in zip(curves, fine, strict=True) if so]
    if not told:
        raise DataError("of no case it is known which arm it had", hint=f"the column '{about.column}'")
    learned = tabulate.learn([t["known"] for t in told], about.known, about.categories)
    x = np.array([tabulate.encode(t["known"], learned) for t in told]).reshape(len(told), -1)
    error: DataError | None = None
    for day in reversed(_days(about)):
        said = np.array([[c.get(a, {}).get(f"{day:.17g}", np.nan) for a in arms] for c in curves], np.float64)
        if not np.isfinite(said).all():
            continue
        hazard = np.log(-np.log(np.clip(said[:, :1], 1e-6, 1 - 1e-6)))
        made = trial(
            np.column_stack([x, hazard]),
            [t["arm"] for t in told],
            seen,
            names=[*tabulate.columns(learned), FORETOLD],
            arms=arms,
            randomised=about.randomised,
        )
        try:
            assert_followed(made, Measure(day))
        except DataError as found:
            error = found
            continue
        return made, said, Measure(day)
    raise error or DataError("the curves end before every time at which a benefit is told")


def _given(held: Trial) -> dict[str, dict[str, int]]:
    """Return of each arm how many patients had it, and how many of them the event."""
    return {
        arm: {"n": int(mine.sum()), "events": int((mine & held.observed.happened).sum())}
        for arm in held.arms
        for mine in [held.given(arm)]
    }


def _against(held: Trial, said: Array, measure: Measure) -> Iterator[dict[str, Any]]:
    """Yield the figures of each further arm against the first. Raises DataError."""
    rng = np.random.default_rng(SEED)
    control = held.arms[0]
    scored = doubly_robust(held, measure, rng=rng)
    longer = Measure(measure.horizon_days, "restricted_mean")
    times = doubly_robust(held, longer, rng=rng)
    learned = Foretold(names=held.names, arms=held.arms, measure=measure, table=said)
    for k, treated in enumerate(held.arms[1:], 1):
        gain = said[:, k] - said[:, 0]
        found: dict[str, Any] = {
            "control": control,
            "treated": treated,
            "left_out": int((~scored.kept).sum()),
            "foretold": {"mean": float(gain.mean()), "above_0": float((gain > 0).mean())},
            "effect": asdict(effect(scored, control=control, treated=treated)),
            "overlap": asdict(effect(scored, control=control, treated=treated, population="overlap")),
            "naive": asdict(naive(held, measure, control=control, treated=treated)),
            "days": asdict(effect(times, control=control, treated=treated)),
            "days_naive": asdict(naive(held, longer, control=control, treated=treated)),
            "evalue": _evalue(scored, control, treated),
            "balance": _balance(balance(held, scored.propensity, control=control, treated=treated)),
        }
        try:
            made = worth(learned, held, scored, rng=rng, control=control, treated=treated)
        except DataError as error:
            yield found | {"unranked": str(error)}
        else:
            yield found | _worth(made)


def _evalue(scored: Scored, control: str, treated: str) -> float | None:
    """Return the E-value of the two chances as they are estimated; None where one is not a chance."""
    try:
        return evalue.of_survival(outcome(scored, control).value, outcome(scored, treated).value).point
    except DataError:
        return None


def _balance(found: Balance) -> dict[str, Any]:
    return {
        "names": list(found.names),
        "difference": {way: each.tolist() for way, each in found.difference.items()},
        "effective": {way: list(each) for way, each in found.effective.items()},
        "unbalanced": {way: list(found.unbalanced(way)) for way in found.difference},
    }


def _worth(found: Worth) -> dict[str, Any]:
    ranked, policy, fifths = found.ranked, found.policy, found.calibration
    return {
        "ranked": {
            "autoc": asdict(ranked.autoc),
            "qini": asdict(ranked.qini),
            **{name: getattr(ranked, name).tolist() for name in ("shares", "gain", "low", "high")},
        },
        "policy": asdict(policy),
        "calibration": {
            "predicted": list(fifths.predicted),
            "found": [asdict(e) for e in fifths.found],
            "slope": None if fifths.slope is None else asdict(fifths.slope),
        },
        "pairs": None if found.concordance is None else asdict(found.concordance),
        "tells": found.tells,
    }
