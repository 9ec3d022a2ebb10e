"""How one patient is advised about: the answer under each arm, who is like this one, and what argues against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vesalius.answers import contract
from vesalius.benefit import given
from vesalius.benefit.words import ASSIGNED, against_of, benefit_of, further_of, verdict_of
from vesalius.core.answers import Answer
from vesalius.core.arms import UnderArms
from vesalius.core.bundle import Bundle, State
from vesalius.core.case import Case
from vesalius.core.errors import DataError, FormatError
from vesalius.core.index import Index
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.treatment import RANDOMISED
from vesalius.core.words import counted, listed
from vesalius.explain.nearest import Nearest, nearest
from vesalius.infer.predictor import Predictor
from vesalius.run.advice.contributions import contributions
from vesalius.run.advice.result import Advice, Evidence, Further, Like, points
from vesalius.run.neighbours import beside

FEW = 10  # events of an arm for each thing that the model knows of a patient
FEWEST = 20  # patients of a group by whom a like benefit is judged
HINT = "vesalius fit DATA --column arm=NAME, of a cohort whose patients had either treatment"


def advised(predictor: Predictor, case: Case) -> Advice:
    """Return what is expected of a case under each arm that the bundle knows.

    Which arm the case had plays no part. Raises DataError where the bundle knows of one arm alone, an arm was given to
    too few training cases, patients like this one had only one of them, or the answer is withheld.
    """
    state = predictor.stages[-1].stage.state
    about = given.treatment(state)
    if about is None:
        raise DataError(
            "the bundle knows of one treatment alone, so that nothing tells what another would change",
            hint=HINT,
        )
    if given.UNSUPPORTED in state.values:
        raise DataError(
            f"nothing tells what a treatment would change: {state.values[given.UNSUPPORTED]}", hint=HINT
        )
    support = given.support(state)
    if support is not None:
        support.assert_supported(given.known(case, state))
    asked = replace(case, covariates={k: v for k, v in case.covariates.items() if k != about.column})
    answer = predictor(asked)
    if answer.withheld is not None:
        raise DataError(f"case {case.id}: the answer is withheld", found=answer.withheld)
    told = contract.of(answer).under_arms(answer)
    if told is None:
        raise DataError(
            f"case {case.id}: the answer tells of no benefit",
            found=f"a curve that ends before day {about.horizon_days:g}",
            hint="--set task.options.horizon=DAYS when the model is fitted",
        )
    factors, whole = contributions(predictor, asked, given.usual(state))
    card = _card(predictor.bundle)
    evidence = tuple(_evidence(benefit_of(card), told)) if card is not None else ()
    group, arms = given.like(case, state)
    return Advice(
        case=case.id,
        bundle=predictor.bundle.hash,
        by=answer.by or predictor.bundle.path.name,
        told=told,
        like=Like(group, arms, _nearest(predictor, asked)),
        contributions=factors,
        whole=whole,
        evidence=evidence,
        against=tuple(_against(told, answer.outside, state, case, card)),
        further=tuple(_further(answer, card)),
    )


def _further(answer: Answer, card: Scorecard | None) -> Iterator[Further]:
    """Yield what is expected of each further event that the answer tells a benefit of."""
    for name, part in answer.parts.items():
        told = contract.of(part).under_arms(part)
        if told is not None:
            found = further_of(card).get(name, {}) if card is not None else {}
            yield Further(told, tuple(_evidence(found, told)) if card is not None else ())


def _card(bundle: Bundle) -> Scorecard | None:
    try:
        return load_scorecard(bundle.path / "scorecard.json")
    except FormatError:
        return None


def _evidence(found: Mapping[str, Any], told: UnderArms) -> Iterator[Evidence]:
    """Yield what the scorecard's patients say of each arm, with those to whom a like benefit was foretold."""
    for gain in told.gains:
        arm = told.treatment.named(gain.arm)
        one = next((o for o in against_of(found) if o["treated"] == arm), None)
        if one is None:
            why = found.get("refused") or "the scorecard says nothing of benefit"
            yield Evidence(gain.arm, f"Nothing was shown of whom to give {arm}: {why}.", {})
            continue
        figures: dict[str, Any] = {
            k: one[k] for k in ("effect", "naive", "days", "evalue", "left_out") if k in one
        }
        figures |= {"judged_days": found["judged_days"], "n": found["n"]}
        yield Evidence(gain.arm, verdict_of(one), figures, _fifth(one, gain.survival[0]))


def _fifth(one: Mapping[str, Any], gain: float) -> tuple[int, int, float, Mapping[str, float]] | None:
    """Return the group to whose mean prediction a benefit is nearest; None where it is small."""
    groups = one.get("calibration", {}).get("predicted") or []
    if not groups:
        return None
    place = min(range(len(groups)), key=lambda k: abs(groups[k] - gain))
    found = one["calibration"]["found"][place]
    return None if found["n"] < FEWEST else (place + 1, len(groups), float(groups[place]), found)


def _nearest(predictor: Predictor, case: Case) -> str:
    """Return what became of the nearest training cases, where an index lies beside the bundle; no ids."""
    index = beside(predictor.bundle)
    if not isinstance(index, Index) or not case.images:
        return ""
    found = nearest(index, predictor.asked(case))
    if not isinstance(found, Nearest):
        return ""
    targets = Counter(e.target or "not known" for e in found.entries)
    said = listed([f"{word} ({n})" if n > 1 else word for word, n in targets.items()], 8)
    return f"Of {counted(found.of, 'training case')} the {len(found.entries)} that look most alike: {said}."


def _against(
    told: UnderArms, outside: tuple[str, ...] | None, state: State, case: Case, card: Scorecard | None
) -> Iterator[str]:
    """Yield what argues against believing a benefit, a sentence each."""
    about = told.treatment
    if about.assignment != RANDOMISED:
        yield ASSIGNED[about.assignment]
    for text in outside or ():
        yield f"The patient lies outside of what was learned from: {text}."
    lacking = [n for n in about.known if case.covariates.get(n) is None]
    if lacking:
        yield f"Not known of this patient, and taken as usual: {listed(lacking)}."
    for arm, (n, events) in given.totals(state).items():
        if events < FEW * max(1, len(about.known)):
            yield f"Few events under {about.named(arm)}: {events} among {counted(n, 'training case')}."
    for gain in told.gains:
        _, low, high = gain.survival
        if low is None or high is None:
            arm = about.named(gain.arm)
            yield f"The bundle has one member, so that nothing says how uncertain the effect of {arm} is."
        elif low <= 0 <= high:
            yield (
                f"The members do not agree whether {about.named(gain.arm)} helps: "
                f"{points(low)} to {points(high)} percentage points."
            )
    if told.gains and told.gains[0].survival[1] is not None:
        yield "Bounds say how far the bundle's members lie apart; what all of them have wrong is not in them."
    if case.images:
        yield "Support was looked at in what is known beside the image: whether images like this one had both is not."
    yield from _of_card(card)


def _of_card(card: Scorecard | None) -> Iterator[str]:
    """Yield what a scorecard has to say against its model."""
    if card is None:
        yield "The bundle was never scored: nothing is known of how right it is."
        return
    for one in against_of(benefit_of(card)):
        slope = (one.get("calibration") or {}).get("slope")
        if slope is not None and not slope["low"] <= 1 <= slope["high"]:
            yield (
                f"Benefit of {one['treated']} is foretold too far apart or too near: a unit of it was found as "
                f"{slope['value']:.2f} ({slope['low']:.2f} to {slope['high']:.2f})."
            )
        if one.get("evalue") is not None and benefit_of(card)["assignment"] != RANDOMISED:
            yield (
                f"A hidden cause of strength {one['evalue']:.1f} (E-value) would explain the average effect of "
                f"{one['treated']} away."
            )
    error = card.metrics.get("calibration")
    if error is not None and error.value is not None:
        yield f"Chances were off by {100 * error.value:.1f} percentage points on average in {counted(error.n, 'case')}."
    for banner in card.banners:
        yield banner.text
