"""few_shot: how well few labelled cases a class suffice on frozen features, against a net from nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.learn.episodes import Episode, draw
from vesalius.learn.frozen import assert_linear
from vesalius.learn.heads import linear, prototypes
from vesalius.learn.stepper import build
from vesalius.learn.weights import fit_of
from vesalius.plan import torch_threads
from vesalius.run import episodes as played
from vesalius.run.begin import Asked, begin
from vesalius.run.finished import Run, place_of
from vesalius.run.frozen_features import frozen_features
from vesalius.run.planning import assert_meaning, choose_plan
from vesalius.run.reading import read_workspace
from vesalius.run.ready import begun as ready_of
from vesalius.run.stages import stages_of
from vesalius.run.unseen import unseen

HEADS: Mapping[str, played.Fit] = {"prototypes": prototypes, "linear": linear}
GIVEN, NOTHING = "given", "nothing"


@dataclass(frozen=True)
class FewShotFigure:
    """A metric of one head on the features of one net: `given` weights, `nothing`, or `given - nothing`.

    `episodes` is its mean with the interval over the drawing of episodes, `patients` with that over the patients asked
    about.
    """

    features: str
    head: str
    metric: str
    episodes: Interval
    patients: Interval


@dataclass(frozen=True)
class FewShot(Shown):
    """How well few shots do on frozen features, over episodes. `what` are the weights, `cases` those drawn from.

    `chance` is what a call by lot would reach, by metric. `overlap` says in words whether the weights learned from
    these cases; `said` are notes on how to read the figures.
    """

    what: str
    net: str
    classes: tuple[str, ...]
    ways: int
    shots: int
    queries: int
    episodes: int
    split: str
    cases: int
    patients: int
    patients_known: bool
    data_hash: str
    figures: tuple[FewShotFigure, ...]
    chance: Mapping[str, float]
    overlap: str
    said: tuple[str, ...] = ()

    def figure(self, features: str, head: str, metric: str) -> FewShotFigure:
        """Return one of the figures. Raises KeyError where there is none."""
        for found in self.figures:
            if (found.features, found.head, found.metric) == (features, head, metric):
                return found
        raise KeyError(f"{features}, {head}, {metric}")

    def __str__(self) -> str:
        return (
            f"{self.ways} ways, {counted(self.shots, 'shot')}, {counted(self.episodes, 'episode')}: "
            + "; ".join(f"{f.metric} of {f.head} {f.episodes}" for f in self.figures if f.features == GIVEN)
        )


def few_shot(
    what: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    *,
    shots: int = 5,
    ways: int | None = None,
    episodes: int = 100,
    queries: int = 15,
    heads: Sequence[str] = tuple(HEADS),
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    max_set_aside: float = 0.10,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> FewShot:
    """Draw episodes of a few labelled cases a class, and return how well heads on frozen features do in them.

    An episode draws `ways` classes, `shots` cases of each to learn from and up to `queries` of each to be asked about,
    of other patients; cases that show nearly the same image count as one patient's. Features are computed once a case,
    as `fit` with `shots` and `init` would, by the net with the weights and by the same net from nothing. Only cases
    that the weights never learned from are drawn.

    Args:
        what: Weights as `init` of `fit` takes them: a run, a bundle, a file of weights, or a name.
        data: A path as for `read`, or a cohort, with one class a case.
        shots: Cases of each class that are learned from.
        ways: Classes in an episode, by default all.
        episodes: How many are drawn.
        queries: Cases of each class that are asked about in an episode, at most.
        heads: `prototypes`, `linear`, or both.
        split: The cases to draw from, by what the data declares: train, val, test or all; by default the declared test
            cases, or all where none are declared.
        target: The class, where there are several targets.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways.
        labels: What stands for what among classes.
        seed: Decides the episodes and the net from nothing.
        settings: Planned values by path, over the rules'.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Accuracy and AUC of each head on either net's features, and their difference, with intervals over episodes and
        over patients.

    Raises:
        DataError: A class has too few patients, or the weights learned from every case.
        PlanError: The target is not one class a case, or the weights do not fit.
    """
    strange = [head for head in heads if head not in HEADS]
    if strange or not heads or episodes < 1 or queries < 1 or shots < 1:
        raise PlanError(
            "shots, episodes and queries must be at least 1, and heads be among prototypes, linear",
            found=f"shots {shots}, episodes {episodes}, queries {queries}, heads {', '.join(heads) or 'none'}",
        )
    shown = watched(progress)
    asked = Asked(
        data=data,
        began=time.monotonic(),
        target=target,
        columns=columns,
        layout=layout,
        labels=labels,
        seed=seed,
        init=place_of(what),
        settings=dict(settings or {}),
        dry_run=True,
        max_set_aside=max_set_aside,
        device=device,
        progress=shown,
    )
    begun = begin(asked)
    space = read_workspace(begun)
    info, start = space.target, begun.start
    kind = None if info is None else kinds.of(info.kind)
    if info is None or kind is None or not kind.named or kind.several or kind.ordered:
        raise PlanError(
            "episodes need one class a case",
            found=f"a target of kind {info.kind}" if info else "no target",
            hint=f"--column label={info.name}, as classes without an order"
            if info is not None and kind is not None and kind.ordered
            else "--target NAME of a class",
        )
    if start is None:
        raise PlanError(
            "few_shot compares weights with none", found="none", hint="a run, a bundle, or a name"
        )
    choice = unseen(space.cohort, info.name, split, start.past, space.marks)
    chosen = choose_plan(begun, space)
    assert_meaning(begun, chosen)
    torch_threads.use(chosen.train.threads)
    stage = stages_of(chosen)[-1]
    assert_linear(space.task, "linear")
    job = ready_of(space, stage)
    classes = [kind.names_in(c.targets[info.name])[0] for c in choice.cases]
    linked = cohorts.connected(
        choice.cases, space.groups
    )  # by patient, or as they show nearly the same image
    patients = [linked[c.id] for c in choice.cases]
    drawn = draw(classes, patients, shots=shots, ways=ways, episodes=episodes, queries=queries, seed=seed)
    taken = fit_of(build(job.task, job.plan, job.state, 0), start.weights)
    shown.note(f"{start.origin}: {taken}")
    vectors = frozen_features(
        job, choice.cases, {GIVEN: start.weights, NOTHING: None}, progress=shown, device=device
    )
    answers = _answers(drawn, vectors, heads, shown)
    figures = [f for head in heads for f in _figures(answers, head, patients, seed)]
    many = len(drawn[0].ways)
    return FewShot(
        what=start.origin,
        net=chosen.net.name,
        classes=tuple(sorted(set(classes))),
        ways=many,
        shots=shots,
        queries=queries,
        episodes=episodes,
        split=choice.split,
        cases=len(choice.cases),
        patients=len(set(patients)),
        patients_known=space.cohort.patients_known,
        data_hash=space.cohort.hash,
        figures=tuple(figures),
        chance={"accuracy": float(np.mean([_by_lot(e) for e in drawn])), "auc": 0.5},
        overlap=choice.overlap,
        said=_said(choice.banner, drawn, len(set(patients)), patients_known=space.cohort.patients_known),
    )


def _answers(
    drawn: Sequence[Episode], vectors: Mapping[str, Array], heads: Sequence[str], progress: Progress
) -> dict[tuple[str, str], list[played.Asked]]:
    """Return what each head says in each episode, by the name of the features and of the head."""
    found: dict[tuple[str, str], list[played.Asked]] = {}
    progress.start("episodes", len(drawn))
    try:
        for episode in drawn:
            for head in heads:
                for name, features in vectors.items():
                    found.setdefault((name, head), []).append(played.answered(episode, features, HEADS[head]))
            progress.advance("episodes")
    finally:
        progress.finish("episodes")
    return found


def _figures(
    answers: Mapping[tuple[str, str], list[played.Asked]], head: str, patients: Sequence[str], seed: int
) -> list[FewShotFigure]:
    """Return the figures of one head: on the given features, on those of a net from nothing, and the difference."""
    found = []
    given, nothing = answers[(GIVEN, head)], answers[(NOTHING, head)]
    for metric in played.METRICS:
        one, two = played.per_episode(given, metric), played.per_episode(nothing, metric)
        for name, values, asked, less in (
            (GIVEN, one, given, ()),
            (NOTHING, two, nothing, ()),
            (f"{GIVEN} - {NOTHING}", one - two, given, nothing),
        ):
            found.append(
                FewShotFigure(
                    name,
                    head,
                    metric,
                    played.over_episodes(values),
                    played.over_patients(asked, metric, patients, less=less, seed=seed),
                )
            )
    return found


def _by_lot(episode: Episode) -> float:
    return 1 / len(episode.ways)


def _said(banner: str, drawn: Sequence[Episode], patients: int, *, patients_known: bool) -> tuple[str, ...]:
    """Return what must be read with the figures."""
    who = "patients" if patients_known else "pictures that are unlike (no patients are known)"
    return tuple(
        filter(
            None,
            (
                banner,
                f"the {counted(len(drawn), 'episode')} overlap, as all are drawn from {patients} {who}: the interval "
                "over episodes is of their drawing alone and narrows with their number; that over patients says how "
                "the figure depends on whom it was asked about, and is the one to quote",
            ),
        )
    )
