"""Choosing among models: a recommendation from costs and figures that never goes beyond the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.answers import contract
from vesalius.core.errors import DataError
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted, listed
from vesalius.evaluate.banners import LEARNED
from vesalius.evaluate.comparison import signed
from vesalius.evaluate.decision import Against, Candidate, Decision
from vesalius.evaluate.paired import (
    SURE,
    Difference,
    apart,
    assert_comparable,
    differences,
    directed,
    together,
)
from vesalius.evaluate.report import headlines, metric_name
from vesalius.evaluate.standing import BEATEN, lead, standing
from vesalius.metrics import Rows

TRAINED_ON = ("training", "train")  # splits whose figures say how well a model remembers


def decide(candidates: Sequence[Candidate], *, resamples: int = 1000) -> Decision:
    """Return the table of some models, one at least, with a recommendation that never goes beyond the intervals."""
    every = tuple(candidates)
    usable, reasons = _usable(every)
    if not usable:
        return Decision(
            every, "", "No model here has a figure on test cases, so none is recommended.", tuple(reasons)
        )
    name = _figure_of(usable)
    if name is None:
        return Decision(
            every, "", "The models have no figure in common, so none is recommended.", tuple(reasons)
        )
    way = directed(_card(usable[0]).answer, name)
    best = (max if way == "higher" else min)(usable, key=lambda c: _value(c, name))
    rest: list[Candidate] = []
    strange: list[Candidate] = []
    for other in usable:
        why = "" if other is best else _unlike(_card(best), _card(other), (best.name, other.name))
        (strange if why else rest).append(other)
        reasons += [f"{other.name} is not compared with {best.name}: {why}"] if why else []
    if strange:
        text = (
            "The models were not measured on the same cases of the same data, so none is recommended: "
            f"`vesalius compare {' '.join(c.name for c in (best, strange[0]))} --data` scores both on the same."
        )
        return Decision(every, "", text, tuple(reasons), figure=name)
    against = _against(best, [c for c in rest if c is not best], name, resamples=resamples)
    level = [best, *(c for c in rest if any(a.name == c.name and not a.told_apart for a in against))]
    return _advised(every, best, level, against, name, reasons)


def _advised(
    every: tuple[Candidate, ...],
    best: Candidate,
    level: Sequence[Candidate],
    against: tuple[Against, ...],
    name: str,
    reasons: list[str],
) -> Decision:
    """Return the decision among the models that are not told apart from the best."""
    proven = [c for c in level if standing(_card(c), name) == BEATEN]
    shown = metric_name(_card(best), name.partition("/")[0])
    for c in level:
        if c not in proven:
            alone = standing(_card(c), name) is None
            why = "has no trivial answer beside it" if alone else "does not clearly beat the trivial answer"
            reasons.append(f"{c.name} {why} in {shown}.")
    reasons += [a.text for a in against]
    if not proven:
        text = (
            f"None is recommended: no model that may be the best clearly beats the trivial answer in {shown}."
        )
        return Decision(every, "", text, tuple(reasons), against, name)
    small = min(proven, key=lambda c: (c.cost.parameters, c.cost.size_bytes, c.name))
    fast = min((c for c in proven if c.cost.seconds), key=lambda c: _seconds(c), default=None)
    if fast is not None and fast is not small and small.cost.seconds and _seconds(fast) < _seconds(small):
        reasons.append(
            f"{fast.name} is not told apart either and answers faster: {_seconds(fast):.3g} s a case against "
            f"{_seconds(small):.3g} s."
        )
    if _card(small).banners:
        reasons.append(
            f"Read first of {small.name}: {listed(dict.fromkeys(b.kind for b in _card(small).banners))}."
        )
    sentence = _sentence(best, small, level, shown, alone=len(level) == 1 and not against)
    return Decision(every, small.name, sentence, tuple(reasons), against, name)


def _sentence(
    best: Candidate, small: Candidate, level: Sequence[Candidate], shown: str, *, alone: bool
) -> str:
    n = counted(_card(best).n_cases, "case")
    if alone:
        return f"{best.name} alone has figures here; its {shown} on {n} clearly beats the trivial answer."
    if len(level) == 1:
        return f"{best.name} has the best {shown}, and the others are told apart from it on these {n}."
    if small is best:
        return (
            f"{best.name} has the best {shown}; of those that these {n} do not tell apart from it, none that clearly "
            "beats the trivial answer is smaller."
        )
    return (
        f"{small.name} is enough: it is smaller, and on these {n} not told apart from {best.name}, which has the best "
        f"{shown}."
    )


def _usable(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Return the models with figures of test cases, and why the others have none."""
    usable, reasons = [], []
    for c in candidates:
        if c.card is None or not c.card.metrics:
            reasons.append(f"{c.name} has no figures: `vesalius evaluate` it.")
        elif c.card.split in TRAINED_ON or any(b.kind == LEARNED for b in c.card.banners):
            reasons.append(f"{c.name} was measured on cases that it learned from.")
        else:
            usable.append(c)
    return usable, reasons


def _figure_of(usable: Sequence[Candidate]) -> str | None:
    """Return the first main figure that is defined for all and says which way is better; None where there is none."""
    first = _card(usable[0])
    shared = [n for n in headlines(first) if directed(first.answer, n) and all(_has(c, n) for c in usable)]
    return lead(first, shared) or (shared[0] if shared else None)


def _unlike(first: Scorecard, second: Scorecard, names: tuple[str, str]) -> str:
    """Return why two scorecards are not of the same cases; empty where they are, as far as can be seen."""
    bare = (
        not first.cases or not second.cases
    )  # then only the numbers of cases can be held against each other
    a, b = (replace(card, cases=()) for card in (first, second)) if bare else (first, second)
    try:
        assert_comparable(a, b, names)
    except DataError as error:
        return str(error.found or error.what)
    if (first.n_cases, first.split) != (second.n_cases, second.split):
        return " and ".join(counted(c.n_cases, f"{c.split} case") for c in (first, second))
    return ""


def _against(
    best: Candidate, others: Sequence[Candidate], name: str, *, resamples: int
) -> tuple[Against, ...]:
    """Return how the best stands against each other model; p-values are corrected for their number (Holm 1979)."""
    found = [
        (other, paired(_card(best), _card(other), (best.name, other.name), name, resamples=resamples))
        for other in others
    ]
    corrected = holm([d.p if d is not None and d.p is not None else 1.0 for _, d in found])
    result = []
    for (other, difference), p in zip(found, corrected, strict=True):
        if (
            difference is None
            or difference.low is None
            or difference.high is None
            or difference.difference is None
        ):
            result.append(_by_intervals(best, other, name))
            continue
        told = apart(difference) and p < SURE
        reach = f"{signed(difference.low)} to {signed(difference.high)}"
        span = f"difference {signed(difference.difference)}, {reach}; p {p:.3f}"
        words = (
            f"{other.name} is told apart from {best.name}"
            if told
            else f"{other.name} is not told apart from {best.name}"
        )
        left = "" if told else ": a difference within that interval is not excluded"
        result.append(Against(other.name, told, f"{words} ({span}){left}.", difference))
    return tuple(result)


def _by_intervals(best: Candidate, other: Candidate, name: str) -> Against:
    """Return whether two intervals do not touch, where single cases are not at hand."""
    one, two = _card(best).metrics[name], _card(other).metrics[name]
    if one.low is None or one.high is None or two.low is None or two.high is None:
        return Against(
            other.name, False, f"{other.name} is not told apart from {best.name}: there is no interval."
        )
    told = one.low > two.high or one.high < two.low
    words = "do not overlap" if told else "overlap"
    verdict = "is told apart" if told else "is not told apart"
    return Against(
        other.name, told, f"{other.name} {verdict} from {best.name}: their intervals {words} ({one}; {two})."
    )


def paired(
    first: Scorecard, second: Scorecard, names: tuple[str, str], name: str, *, resamples: int = 1000
) -> Difference | None:
    """Return the paired difference of one figure, second less first; None where single cases are not at hand."""
    if not first.cases or not second.cases:
        return None
    handling = contract.of(first.answer)
    rows = [handling.again(replace(card, labels=first.labels)) for card in (first, second)]
    if rows[0] is None or rows[1] is None:
        return None
    joined: Rows = together(first.answer, rows[0], rows[1])
    ids = joined.case_ids[: len(joined) // 2]
    known = all(i in first.patients for i in ids)
    patients = [first.patients[i] if known else f"case {i}" for i in ids]
    return differences(first.answer, joined, patients=patients, names=names, resamples=resamples).get(name)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, in their order (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    found, most = [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        most = max(most, min(1.0, (len(p) - rank) * p[k]))
        found[k] = most
    return found


def _card(c: Candidate) -> Scorecard:
    """Return the scorecard of a model that has one. Raises DataError."""
    if c.card is None:
        raise DataError(f"{c.name} has no scorecard", hint="`vesalius evaluate` first")
    return c.card


def _value(c: Candidate, name: str) -> float:
    return float(_card(c).metrics[name].value or 0.0)


def _has(c: Candidate, name: str) -> bool:
    found = _card(c).metrics.get(name)
    return found is not None and found.value is not None


def _seconds(c: Candidate) -> float:
    return c.cost.seconds.median if c.cost.seconds else float("inf")
