"""The alarm: how strange a case is to a model, from its layers, and from where on that is stranger than is promised.

Each layer's scores are brought to the tail of a normal distribution that is fitted to held-out cases, and the
logarithms of the tails are summed up as Fisher did (1932): no outlier is looked at. The alarm is raised above the
`k`-th largest score of `n` held-out cases, which a case like them exceeds with a probability of `k / (n + 1)` at most
(conformal p-values: Vovk, Gammerman, Shafer 2005; as tests for outliers: Bates et al., Annals of Statistics 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core import tail
from vesalius.core.bundle import Stage, State
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.learned import UNLIKE as UNLIKE
from vesalius.core.words import counted
from vesalius.infer import novelty, runs
from vesalius.infer.layers import Features, Watch
from vesalius.infer.novelty.contract import FEWEST, Seen
from vesalius.infer.runs.contract import Members
from vesalius.plan.rules import FEWEST_HELD_OUT
from vesalius.prepare.batch import Example

RECORD = "novelty"  # what it is called among the extra records of a stage
UNTOLD = "unknown whether it is unlike the training cases: its way through the model was another than theirs"
FEWEST_TRAINING = 20
RATE = 0.01
_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Alarm:
    """What a bundle holds to tell cases apart that are unlike those of training; made by `fitted`, kept by `state`.

    `member` is the file of the weights whose features it judges. `layers` are the names of the layers and how many
    features each has. `centres` and `spreads` `(L,)` are those of the held-out cases' scores of each layer, `fitted`
    the detector's arrays. A score above `threshold` raises the alarm, which a share `rate` of cases like the `held_out`
    ones does at most. `grouped` counts the groups that the training cases fell into.
    """

    detector: str
    member: str
    layers: Mapping[str, int]
    centres: Array
    spreads: Array
    fitted: Mapping[str, Array]
    threshold: float
    rate: float
    held_out: int
    trained: int
    grouped: int = 1
    logits: bool = False

    def score(self, features: Sequence[Features]) -> Array:
        """Return how strange each case is, `(n,)`. Raises DataError where other layers were seen than at fitting."""
        seen = stacked(features, self.layers, logits=self.logits)
        return joined(novelty.get(self.detector).scores(self.fitted, seen), self.centres, self.spreads)

    def remark(self, features: Features | None) -> str:
        """Return the sentence that an answer about a strange case carries; empty for an ordinary one.

        Where the model showed other layers than at fitting, it says that nothing can be said.
        """
        if features is None:
            return UNTOLD
        try:
            score = float(self.score([features])[0])
        except DataError:
            return UNTOLD
        if score <= self.threshold:
            return ""
        return (
            f"{UNLIKE}{self.detector} {score:.4g}, above the {self.threshold:.4g} "
            f"which {percent(self.rate)} of such cases exceed"
        )

    def state(self) -> State:
        """Return it as an extra record of a stage."""
        values = {
            "detector": self.detector,
            "member": self.member,
            "layers": dict(self.layers),
            "centres": self.centres.tolist(),
            "spreads": self.spreads.tolist(),
            "threshold": self.threshold,
            "rate": self.rate,
            "held_out": self.held_out,
            "trained": self.trained,
            "grouped": self.grouped,
            "logits": self.logits,
        }
        return State(values, {name: array.astype(np.float32) for name, array in self.fitted.items()})


def alarm_of(stage: Stage) -> Alarm | None:
    """Return the alarm of a stage; None where it has none, or where it is that of other weights than answer first.

    Raises UnknownName for a detector that is not there.
    """
    record = stage.extras.get(RECORD)
    if record is None or not stage.members or record.values["member"] != stage.members[0]:
        return None
    values: Mapping[str, Any] = record.values
    novelty.get(values["detector"])
    return Alarm(
        detector=str(values["detector"]),
        member=str(values["member"]),
        layers={str(name): int(size) for name, size in values["layers"].items()},
        centres=np.asarray(values["centres"], dtype=np.float64),
        spreads=np.asarray(values["spreads"], dtype=np.float64),
        fitted={name: np.asarray(array, dtype=np.float64) for name, array in record.arrays.items()},
        threshold=float(values["threshold"]),
        rate=float(values["rate"]),
        held_out=int(values["held_out"]),
        trained=int(values["trained"]),
        grouped=int(values["grouped"]),
        logits=bool(values["logits"]),
    )


def fitted(
    detector: str,
    training: Sequence[Features],
    held_out: Sequence[Features],
    *,
    member: str,
    groups: Sequence[str] | None = None,
    logits: bool = False,
    rate: float = RATE,
) -> Alarm:
    """Return the alarm that follows from training cases of a model and from cases that it never saw.

    `groups` says by a word which group each training case belongs to. `logits` says that raw outputs are logits of
    classes that exclude one another. Raises DataError where there are too few cases, or they show different layers.
    """
    if len(training) < FEWEST_TRAINING or len(held_out) < FEWEST_HELD_OUT:
        raise DataError(
            "too few cases to tell strange ones apart",
            found=f"{counted(len(training), 'training case')} and {len(held_out)} held out",
            hint=f"{FEWEST_TRAINING} and {FEWEST_HELD_OUT} at least",
        )
    layers = {name: len(found) for name, found in training[0].layers.items()}
    known = sorted(set(groups)) if groups is not None else [""]
    numbers = np.array([known.index(g) for g in groups or [""] * len(training)])
    seen = replace(stacked(training, layers, logits=logits), groups=numbers)
    judge = novelty.get(detector)
    arrays = judge.fit(seen).items()
    kept = {n: np.asarray(a, np.float32).astype(np.float64) for n, a in arrays}  # as it is read again
    scores = judge.scores(kept, stacked(held_out, layers, logits=logits))
    centres, spreads = scores.mean(axis=0), scores.std(axis=0) + _SPREAD
    found = threshold(_left_out(scores), rate=rate)
    large = sum(int((numbers == n).sum() >= FEWEST) for n in range(len(known)))
    return Alarm(
        detector=detector,
        member=member,
        layers=layers,
        centres=centres,
        spreads=spreads,
        fitted=kept,
        **found,
        trained=len(training),
        grouped=max(large, 1),
        logits=logits,
    )


def recalibrated(alarm: Alarm, scores: Array, *, rate: float = RATE) -> Alarm:
    """Return the alarm with its threshold set anew, by its scores `(n,)` of cases that no part of it was fitted on.

    Raises DataError where there are fewer than `FEWEST_HELD_OUT` of them.
    """
    return replace(alarm, **threshold(scores, rate=rate))


def set_anew(stage: Stage, scores: Array, *, rate: float = RATE) -> Stage:
    """Return a stage whose alarm has its threshold from other cases (see `recalibrated`).

    `scores` are how strange these are to it: `Alarm.score` of `Predictor.watched`. Raises DataError where the stage has
    no alarm, or for too few scores.
    """
    alarm = alarm_of(stage)
    if alarm is None:
        raise DataError("the bundle's last stage has no alarm to set anew", hint="infer.novelty in its plan")
    return replace(stage, extras={**stage.extras, RECORD: recalibrated(alarm, scores, rate=rate).state()})


def threshold(scores: Array, *, rate: float = RATE) -> dict[str, Any]:
    """Return above which score `(n,)` the alarm is raised, which rate is promised, and on how many cases that stands.

    A further case that is drawn as these were exceeds the `k`-th largest with a probability of `k / (n + 1)` at most.
    `k` is the largest for which that is not above `rate`; where `n` is too small for any, it is 1, and the rate that
    is returned is larger than what was asked for. Raises DataError for fewer than `FEWEST_HELD_OUT` scores, or for some
    that are no numbers.
    """
    n = len(scores)
    if n < FEWEST_HELD_OUT or not np.isfinite(scores).all():
        raise DataError(
            "an alarm needs scores of cases that were not learned from",
            found=counted(n, "score") if np.isfinite(scores).all() else "scores that are no numbers",
            hint=f"{FEWEST_HELD_OUT} cases at least",
        )
    found = tail.limit(scores, rate)
    return {"threshold": found.at, "rate": found.rate, "held_out": n}


def gathered(members: Members, examples: Sequence[Example]) -> list[Features]:
    """Return what the first model's layers show of prepared cases, exactly as they are watched while it answers.

    Mirror images and further models are left out, as nothing of them is looked at. Raises DataError where the features
    of a case cannot be told from those beside it.
    """
    plan = members.plan.model_copy(update={"infer": members.plan.infer.model_copy(update={"mirror": ()})})
    run = runs.get(members.task.run)
    watch = Watch(apart=run.joins)
    alone = replace(members, models=members.models[:1], plan=plan, watch=watch)
    if run.joins:
        for _ in run.raw(alone, examples):
            pass
        return told(watch, len(examples))
    found: list[Features] = []
    for example in examples:
        watch = Watch(apart=False)
        for _ in run.raw(replace(alone, watch=watch), [example]):
            pass
        found += told(watch, 1)
    return found


def told(watch: Watch, cases: int) -> list[Features]:
    """Return what was watched of so many cases. Raises DataError where it cannot be told, or is of another number."""
    found = [f for f in watched_of(watch, cases) if f is not None]
    if len(found) != cases or not all(f.layers for f in found):
        raise DataError(
            "what the layers of the model show cannot be told case by case",
            found=watch.lost or f"layers of {len(found)} of {counted(cases, 'case')}",
            hint="infer.novelty=none in the plan, and no alarm",
        )
    return found


def watched_of(watch: Watch | None, cases: int) -> list[Features] | list[None]:
    """Return what was watched of each of so many cases; None of each where it cannot be told."""
    found = [] if watch is None or watch.lost else watch.features()
    return found if len(found) == cases else [None] * cases


def stacked(features: Sequence[Features], layers: Mapping[str, int], *, logits: bool) -> Seen:
    """Return the features of several cases as a detector takes them. Raises DataError where layers differ."""
    for one in features:
        sizes = {name: len(found) for name, found in one.layers.items()}
        if sizes != dict(layers) or (logits and one.raw is None):
            raise DataError(
                "other layers were seen than those that strange cases are told by",
                found=", ".join(f"{name} ({size})" for name, size in sizes.items()) or "none",
                hint="a bundle that was not changed",
            )
    rows = [np.stack([f.layers[name] for f in features]) for name in layers]
    raw = np.stack([f.raw for f in features if f.raw is not None]) if logits else None
    return Seen(rows, logits=raw)


def joined(scores: Array, centres: Array, spreads: Array) -> Array:
    """Return one score a case `(n,)` of those of its layers `(n, L)`: minus twice the sum of the tails' logarithms."""
    from scipy.special import log_ndtr

    found: Array = -2 * log_ndtr(-(scores - centres) / spreads).sum(axis=1)
    return found


def _left_out(scores: Array) -> Array:
    """Return the joined score of each held-out case, centres and spreads being those of the others.

    So it is as unknown to them as a new case is.
    """
    n = len(scores)
    total, squares = scores.sum(axis=0), (scores**2).sum(axis=0)
    centres = (total - scores) / (n - 1)
    spreads = np.sqrt(np.maximum((squares - scores**2) / (n - 1) - centres**2, 0.0)) + _SPREAD
    return joined(scores, centres, spreads)


def percent(share: float) -> str:
    """Return a share in per cent, to two digits."""
    return f"{100 * share:.2g} %"
