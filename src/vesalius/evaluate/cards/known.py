"""Known: all that is known of a model when its card is written, from its bundle, its scorecard and its maker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vesalius.core.bundle import BUNDLE, RECORD, Bundle, Stage, State
from vesalius.core.called import called_by
from vesalius.core.learned import Learned
from vesalius.core.plan import Plan
from vesalius.core.promise import PROMISE
from vesalius.core.scorecard import Scorecard
from vesalius.core.sealed import digests
from vesalius.core.subgroups import Subgroups
from vesalius.core.words import counted, listed
from vesalius.evaluate.cards.about import NOTHING, About, parse_about
from vesalius.evaluate.own_card import own_scorecard
from vesalius.tasks import contract as tasks


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """What is known of one model; no names of patients or files.

    `data` and `training` are facts by name, as the run had them; empty for bundles of before. `extras` are the names of
    the bundle's extra records, such as `novelty` and `selftest`. `explainers` are the methods that can explain the
    model, None where nobody looked. `hashes` are those of the data, the weights and the bundle, as far as known.
    """

    title: str
    plan: Plan
    answer: str
    labels: tuple[str, ...] = ()
    members: int = 1
    learned: Learned | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, str] = field(default_factory=dict)
    about: About = NOTHING
    scorecard: Scorecard | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    explainers: tuple[str, ...] | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    made_by: str = ""
    stages: tuple[str, ...] = ()

    @property
    def called(self) -> Mapping[str, str]:
        """Labels as people write them, by the names that they have in the data."""
        return called_by(self.labels)

    @property
    def calibrated(self) -> bool:
        """Whether probabilities were calibrated: by a temperature, or by whatever says so."""
        return any(name in self.calibration for name in ("temperature", "isotonic"))

    @property
    def calibrated_on(self) -> str:
        """On which cases probabilities and thresholds were fitted: those of validation, or those of `calibrate`."""
        on = self.calibration.get(PROMISE, {}).get("on", {})
        return "cases of a calibration" if "temperature" in on.get("refit", ()) else "validation cases"

    @property
    def subgroups(self) -> tuple[Subgroups, ...]:
        """The figures by group of patients that the scorecard has."""
        return () if self.scorecard is None else self.scorecard.subgroups

    @property
    def grouped_by(self) -> str:
        """By what these are grouped, in words: `sex, sex × age`; empty where there are none."""
        return listed(dict.fromkeys(" × ".join(one.by) for one in self.subgroups), 8)

    @property
    def selective(self) -> bool:
        """Whether the scorecard says what becomes of the error where the least sure answers are left out."""
        return bool(self.scorecard and self.scorecard.selective)

    def has(self, extra: str) -> bool:
        """Return whether the bundle has an extra record of that name."""
        return extra in self.extras


def known_of(
    bundle: Bundle,
    *,
    scorecard: Scorecard | None = None,
    about: About | None = None,
    explainers: tuple[str, ...] | None = None,
    sealed: bool = True,
) -> Known:
    """Return what is known of a bundle: by itself, or with another scorecard, or another maker's word, than its own.

    Before a bundle is `sealed` with its card its own hash is not known, and only those of the data and the weights are.
    """
    stage = bundle.stages[-1]
    record = stage.extras.get(RECORD, State()).values
    told = tasks.get(stage.plan.task.name)
    labels = tuple(str(x["name"]) for x in stage.state.values.get("labels") or ())
    hashes = {"data": bundle.data_hash, "weights": weights_hash(bundle)}
    return Known(
        title=f"{stage.plan.task.name.capitalize()} with {stage.plan.net.name}",
        plan=stage.plan,
        answer=told.answer.__name__,
        labels=labels,
        members=len(stage.members),
        learned=bundle.learned,
        data=dict(record.get("data", {})),
        training=dict(record.get("training", {})),
        about=about if about is not None else parse_about(record.get("about", {})),
        scorecard=scorecard if scorecard is not None else own_scorecard(bundle),
        calibration=stage.calibration,
        extras=tuple(name for one in bundle.stages for name in one.extras),
        explainers=explainers,
        hashes={**hashes, **({"bundle": bundle.hash} if sealed else {})},
        made_by=bundle.made_by,
        stages=tuple(one.name for one in bundle.stages),
    )


def with_record(stage: Stage, *, data: Mapping[str, str], training: Mapping[str, str], about: About) -> Stage:
    """Return the last stage of a bundle with what its card will say of how it was made."""
    values = {"data": dict(data), "training": dict(training), "about": about.plain()}
    return replace(stage, extras={**stage.extras, RECORD: State(values)})


def weights_hash(bundle: Bundle) -> str:
    """Return one SHA-256 of all the weights of a bundle: of their lines in its manifest, in its order."""
    names = {name for stage in bundle.stages for name in stage.members}
    lines = (f"{digest}  {name}\n" for name, digest in digests(bundle.path, BUNDLE).items() if name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def in_words(learned: Learned | None) -> list[str]:
    """Return what the training images were, in a few words each: modality, unit, body part, size, spacing."""
    if learned is None:
        return []

    def declared(words: tuple[str | None, ...]) -> str:
        return listed(word for word in words if word) if None not in words else ""

    def reach(pair: tuple[float, float]) -> str:
        low, high = (f"{v:.4g}" for v in pair)
        return low if low == high else f"{low} to {high}"

    axes = (2, 1) if learned.flat else (2, 1, 0)  # `size` is (Z, Y, X), said as columns × rows × slices
    found = [
        f"{counted(learned.cases, 'case')}",
        f"modality {declared(learned.modalities)}" if declared(learned.modalities) else "",
        f"unit {declared(learned.units)}" if declared(learned.units) else "",
        f"body part {declared(learned.body_parts)}" if declared(learned.body_parts) else "",
        f"sequence {declared(learned.sequences)}" if declared(learned.sequences) else "",
        f"size {' × '.join(reach(learned.size[a]) for a in axes)}",
    ]
    if learned.spacing_mm is not None:
        spacing = learned.spacing_mm[:2] if learned.flat else learned.spacing_mm
        found.append(f"spacing {' × '.join(reach(s) for s in spacing)} mm")
    return [text for text in found if text]


def taken(plan: Plan) -> str:
    """Return the size of what the network is given, columns × rows × slices, and its planned spacing."""
    data = plan.data
    axes = data.size[-data.dims :]
    spacing = (
        f" at {' × '.join(f'{s:.4g}' for s in data.spacing_mm[: data.dims])} mm" if data.spacing_mm else ""
    )
    return f"{' × '.join(map(str, reversed(axes)))}{spacing}"
