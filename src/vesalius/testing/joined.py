"""Promises of a task that joins several sources of a case: any of them may be missing, and no case changes another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vesalius.infer.weighing import listened
from vesalius.prepare.batch import Batch
from vesalius.testing.promise import promised, require
from vesalius.testing.trial import TaskTrial

MOST = 5  # sources up to which every choice of them is asked about
NEAR = 1e-4


def answers_any_choice_of_sources(trial: TaskTrial) -> None:
    """Require a finite raw answer to a case with any choice of the sources that it has, and without any of them.

    A case that lacks a source is answered as one that never had it. Of a task that sees one image nothing is asked.
    """
    names = trial.task.sources(trial.state)
    if len(names) < 2:
        return
    model, batch, there = trial.model().eval(), *_fullest(trial)
    several = [n for n, so in zip(names, there, strict=True) if so]
    choices = [frozenset(c) for k in range(len(several) + 1) for c in itertools.combinations(several, k)]
    if len(several) > MOST:
        choices = [c for c in choices if len(c) in (0, 1, len(several) - 1, len(several))]
    for kept in choices:
        out = {n: torch.tensor([n not in kept]) for n in several}
        what = ", ".join(sorted(kept)) or "nothing"
        with promised(f"{trial}: it answers a case of which it is given {what}"):
            raw = _raw(trial, model, trial.task.without(model, batch, out))
        require(bool(raw.isfinite().all()), f"{trial}: its answer to a case with {what} alone is finite")


def answers_alike_whoever_lacks_a_source_beside_it(trial: TaskTrial) -> None:
    """Require that a case's raw answer is the same whatever the other cases of its batch lack."""
    names = trial.task.sources(trial.state)
    if len(names) < 2 or len(trial.examples) < 2:
        return
    model = trial.model().eval()
    several = [trial.examples[k] for k in range(min(3, len(trial.examples)))]
    batch = trial.task.collate(several)
    alone = torch.cat([_raw(trial, model, trial.task.collate([one])) for one in several])
    for name in names:
        for row in range(1, len(several)):
            out = {name: torch.arange(len(several)) == row}
            beside = _raw(trial, model, trial.task.without(model, batch, out))[0]
            near = torch.allclose(beside, alone[0], atol=NEAR, rtol=NEAR)
            require(near, f"{trial}: a case is answered alike where another of its batch lacks '{name}'")


def says_how_much_each_source_counts(trial: TaskTrial) -> None:
    """Require a net that can be overheard, whose weights of the sources that are there are shares, sums of one."""
    if len(trial.task.sources(trial.state)) < 2:
        return
    model = trial.model().eval()
    net = listened(model)
    require(net is not None, f"{trial}: a model of several sources has a net that can be `overheard`")
    with net.overheard() as heard:
        _raw(trial, model, trial.task.collate(trial.examples[:2]))
    require(len(heard) >= 1, f"{trial}: what its net sees of a batch can be overheard")
    total = heard[0].weights.sum(dim=1)
    require(
        torch.allclose(total, torch.ones_like(total), atol=1e-4),
        f"{trial}: its weights of sources sum to one",
    )
    require(
        not bool(heard[0].weights[~heard[0].there].any()), f"{trial}: a source that is missing has no weight"
    )


def _fullest(trial: TaskTrial) -> tuple[Batch, Sequence[bool]]:
    """Return the case that has the most sources, as a batch, and which it has."""
    model = trial.model().eval()
    net = listened(model)

    def there(batch: Batch) -> list[bool]:
        with net.overheard() as heard:
            _raw(trial, model, batch)
        return [bool(x) for x in heard[0].there[0]]

    each = [trial.task.collate([e]) for e in trial.examples[:8]]
    best = max(each, key=lambda batch: sum(there(batch)))
    return best, there(best)


def _raw(trial: TaskTrial, model: torch.nn.Module, batch: Batch) -> Tensor:
    with torch.inference_mode():
        return trial.task.infer(model, batch, torch.Generator().manual_seed(0)).float()


JOINED: tuple[Callable[[TaskTrial], None], ...] = (
    answers_any_choice_of_sources,
    answers_alike_whoever_lacks_a_source_beside_it,
    says_how_much_each_source_counts,
)
