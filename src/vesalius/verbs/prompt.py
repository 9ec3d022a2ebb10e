"""prompt: how well a model of language tells classes of reports from a task in words and some examples, untrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.cohorts import open_cohort, select_target
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle, Stage
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.infer.loading import device_of, load
from vesalius.language import tokenizers
from vesalius.language.prompting import Prompter
from vesalius.learn.episodes import Episode, draw
from vesalius.learn.heads import linear
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.run import episodes as played
from vesalius.run.finished import Run, bundle_of
from vesalius.run.unseen import declared
from vesalius.run.words_features import word_features

PROMPT, WORDS, USUAL = "prompt", "words, linear", "most frequent"


@dataclass(frozen=True)
class PromptedFigure:
    """A metric of one way to answer with so many examples a class, over the patients asked about.

    `way` is `prompt`, `words, linear` (a linear layer on TF-IDF of the same examples' words), or `most frequent`.
    """

    way: str
    shots: int
    metric: str
    patients: Interval


@dataclass(frozen=True)
class Prompted(Shown):
    """How well a model of language answers from prompts. `cut` is in how many prompts texts were cut to fit."""

    bundle: str
    task: str
    classes: tuple[str, ...]
    shots: tuple[int, ...]
    episodes: int
    split: str
    cases: int
    patients: int
    data_hash: str
    figures: tuple[PromptedFigure, ...]
    cut: Mapping[int, int]
    left_out: Mapping[int, str]
    said: tuple[str, ...] = ()

    def figure(self, way: str, shots: int, metric: str) -> PromptedFigure:
        """Return one of the figures. Raises KeyError where there is none."""
        for found in self.figures:
            if (found.way, found.shots, found.metric) == (way, shots, metric):
                return found
        raise KeyError(f"{way}, {shots}, {metric}")


def prompt(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    *,
    task: str = "",
    shots: Sequence[int] = (0, 1, 5, 20),
    words: Mapping[str, str] | None = None,
    episodes: int = 5,
    queries: int = 50,
    split: str | None = None,
    target: str | None = None,
    text: str = "report",
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Prompted:
    """Ask a model of language for the class of reports, from a task in words and so many examples a class, untrained.

    The same draws of examples and of reports that are asked about serve every number of examples, and what stands
    beside: a linear layer on the words of the same examples, and the most frequent class.

    Args:
        bundle: A bundle of a model of language that writes on (`nextword`), the run that holds it, or a path.
        data: Reports with one class a case: a path as for `read`, or a cohort.
        task: What is asked, in words: "Is the chest normal or abnormal?"
        shots: Numbers of examples a class that the prompt holds.
        words: The word that stands for a class, where its name is none that the model knows.
        episodes: How often examples and reports are drawn.
        queries: Reports of each class that are asked about in a draw, at most.
        split: The cases to draw from, by what the data declares; by default its test cases, or all.
        target: The class, where there are several targets.
        text: Which text of a case is read.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways.
        labels: What stands for what among classes.
        seed: Decides the draws.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Accuracy and AUC of each way at each number of examples, with intervals over patients.

    Raises:
        DataError: A class has too few patients, no case has the text, or no number of examples fits.
        PlanError: The bundle does not write, or the target is not one class a case.
    """
    wanted = tuple(dict.fromkeys(shots))
    if not wanted or min(wanted) < 0 or episodes < 1 or queries < 1:
        raise PlanError(
            "numbers of examples are 0 or more, draws and queries 1 or more", found=f"{list(shots)}"
        )
    shown = watched(progress)
    opened = bundle_of(bundle)
    stage = _writing(opened)
    cohort = open_cohort(data, layout=layout, target=target, columns=columns, labels=labels)
    info = select_target(cohort, target)
    kind = kinds.of(info.kind)
    if not kind.named or kind.several:
        raise PlanError("a prompt asks for one class a case", found=f"a target of kind {info.kind}")
    choice = declared(cohort, info.name, split)
    held = [(c, t) for c in choice.cases if (t := c.text(text))]
    if not held:
        raise DataError(f"no case has a text '{text}'", found=f"{counted(len(choice.cases), 'case')} without")
    names = [kind.names_in(c.targets[info.name])[0] for c, _ in held]
    classes = tuple(sorted(set(names)))
    patients = [c.patient or c.id for c, _ in held]
    drawn = draw(names, patients, shots=max(1, *wanted), episodes=episodes, queries=queries, seed=seed)
    torch_threads.use(machines.measure().cores)
    writer: Any = load(opened, stage, device_of(device)).models[0].net
    tokenizer = tokenizers.load(stage.state.values["tokenizer"])
    asker = Prompter(tokenizer, int(writer.longest), tuple((words or {}).get(c, c) for c in classes), task)
    if strange := sorted(set(words or {}) - set(classes)):
        raise UnknownName("class", strange[0], list(classes))
    texts = [t for _, t in held]
    found, cut, left_out = _played(drawn, wanted, asker, writer, texts, shown)
    figures = [f for (way, k), asked in found.items() for f in _figures(way, k, asked, patients, seed)]
    return Prompted(
        bundle=opened.hash,
        task=task,
        classes=classes,
        shots=wanted,
        episodes=episodes,
        split=choice.split,
        cases=len(held),
        patients=len(set(patients)),
        data_hash=cohort.hash,
        figures=tuple(figures),
        cut=cut,
        left_out=left_out,
        said=_said(cut, left_out, len(held), len(choice.cases)),
    )


def _writing(bundle: Bundle) -> Stage:
    """Return the stage of a bundle that writes on. Raises PlanError for another model."""
    stage = bundle.stages[-1]
    if "tokenizer" not in stage.state.values or "writer" not in _role(stage):
        raise PlanError(
            "only a model of language that writes on can be prompted",
            found=f"task '{stage.plan.task.name}', net '{stage.plan.net.name}'",
            hint="vesalius fit REPORTS --task nextword",
        )
    return stage


def _role(stage: Stage) -> str:
    from vesalius.core.registry import literals, stem_of

    return str(literals("nets", stem_of("nets", stage.plan.net.name)).get("ROLE", ""))


Found = dict[tuple[str, int], list[played.Asked]]


def _played(
    drawn: Sequence[Episode],
    wanted: Sequence[int],
    asker: Prompter,
    writer: Any,
    texts: Sequence[str],
    progress: Progress,
) -> tuple[Found, dict[int, int], dict[int, str]]:
    """Return what each way says in each draw, how many prompts were cut, and which numbers of examples do not fit."""
    found: Found = {}
    cut, left_out = dict.fromkeys(wanted, 0), dict[int, str]()
    progress.start("prompts", len(drawn) * len(wanted))
    try:
        for episode in drawn:
            for k in wanted:
                own = _with_shots(episode, k)
                try:
                    asked, shortened = _prompted(own, asker, writer, texts)
                except DataError as error:
                    left_out[k] = str(error)
                    progress.advance("prompts")
                    continue
                cut[k] += shortened
                found.setdefault((PROMPT, k), []).append(asked)
                if k:
                    features = word_features(texts, own.support)
                    found.setdefault((WORDS, k), []).append(played.answered(own, features, linear))
                progress.advance("prompts")
            share = np.bincount(episode.truth, minlength=len(episode.ways)) / len(episode.truth)
            usual = played.Asked(episode, np.tile(share, (len(episode.query), 1)))
            found.setdefault((USUAL, 0), []).append(usual)
    finally:
        progress.finish("prompts")
    if len(left_out) == len(wanted):
        raise DataError("no number of examples fits", found=next(iter(left_out.values())))
    kept = {key: asked for key, asked in found.items() if key[0] == USUAL or key[1] not in left_out}
    return kept, cut, left_out


def _with_shots(episode: Episode, k: int) -> Episode:
    """Return an episode with the first `k` examples of each class."""
    keep = [place for n in range(len(episode.ways)) for place in np.flatnonzero(episode.learned == n)[:k]]
    return replace(episode, support=episode.support[keep], learned=episode.learned[keep])


def _prompted(
    episode: Episode, asker: Prompter, writer: Any, texts: Sequence[str]
) -> tuple[played.Asked, int]:
    """Return what the model says of the queries, and how many prompts had texts cut. Classes take turns as examples."""
    order = np.argsort(
        [int(np.sum(episode.learned[:k] == label)) for k, label in enumerate(episode.learned)], kind="stable"
    )
    examples = [(texts[episode.support[k]], episode.ways[episode.learned[k]]) for k in order]
    rows: list[Array] = []
    cut = 0
    for place in episode.query:
        chances, short = asker.chances(writer, texts[place], examples)
        own = chances[list(episode.ways)]
        rows.append(own / own.sum())
        cut += short
    return played.Asked(episode, np.stack(rows)), cut


def _figures(
    way: str, shots: int, asked: Sequence[played.Asked], patients: Sequence[str], seed: int
) -> list[PromptedFigure]:
    return [
        PromptedFigure(way, shots, metric, played.over_patients(asked, metric, patients, seed=seed))
        for metric in played.METRICS
    ]


def _said(cut: Mapping[int, int], left_out: Mapping[int, str], held: int, of: int) -> tuple[str, ...]:
    """Return what must be read with the figures."""
    said = ["no weight was changed: what is learned from the examples is learned while reading the prompt"]
    said.append("whether the model read these reports in training, without their classes, is not checked")
    if held < of:
        said.append(f"not asked about, as they have no text: {of - held} of {counted(of, 'case')}")
    said += [
        f"{counted(n, 'prompt')} with {k} examples a class had texts cut to fit" for k, n in cut.items() if n
    ]
    said += [f"{k} examples a class are left out: {why}" for k, why in left_out.items()]
    return tuple(said)
