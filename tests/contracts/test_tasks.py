"""Every registered task keeps its promises, with each kind of target that it takes, in pictures and in volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tests._pretended import CARD, pretended

from vesalius.core import registry
from vesalius.infer.runs import clicked
from vesalius.learn.examples import augmented
from vesalius.tasks import contract
from vesalius.testing import TASK_PROMISES, TaskTrial
from vesalius.testing.small import read_small, write_small
from vesalius.testing.trial import suited

NAMES = sorted(registry.names("tasks"))
CELLS = [  # every kind of target in pictures, and the first one in volumes, too
    (name, kind, dims)
    for name in NAMES
    for k, kind in enumerate(contract.get(name).targets)
    for dims in ((2,) if k else (2, 3))
]
# Where a task asks itself again and again, and a plan may say how often: as seldom as still shows that it does.
SELDOM = {"clicks": 2, "rounds": 1}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Small cohorts of phantoms, by their dimensions."""
    root = tmp_path_factory.mktemp("small")
    return {dims: write_small(root / f"{dims}d", dims=dims) for dims in (2, 3)}


@pytest.fixture(scope="module", params=CELLS, ids=lambda cell: f"{cell[0]}-{cell[1]}-{cell[2]}d")
def trial(
    request: pytest.FixtureRequest, tables: dict[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TaskTrial]:
    name, kind, dims = request.param
    cohort, threads = read_small(tables[dims], [kind]), torch.get_num_threads()
    assert cohort is not None, f"phantoms have no target of kind {kind}"
    task = contract.get(name)
    options = registry.literals("tasks", registry.stem_of("tasks", name)).get("OPTIONS", {})
    settings = {f"task.options.{option}": SELDOM[option] for option in SELDOM.keys() & options.keys()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(clicked._simulated.__kwdefaults__, "after", (1, 2))  # not ten times
        patch.setattr(clicked, "VALIDATED", 1)
        yield TaskTrial(task, tmp_path_factory.mktemp("trial"), suited(task, cohort), settings=settings)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("promise", TASK_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_its_promise(promise: Callable[[TaskTrial], None], trial: TaskTrial) -> None:
    promise(trial)


def test_nothing_of_the_processor_meets_what_lies_on_a_card(
    trial: TaskTrial, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU is pretended, so that a tensor or a generator that was left behind is found on any machine.

    Its first kind of target in pictures is enough: what differs with the others is what is learned, not where it lies.
    """
    name, kind, dims = request.node.callspec.params["trial"]
    if dims == 3 or kind != contract.get(name).targets[0]:
        return
    generator, model, batch = torch.Generator().manual_seed(0), trial.model(), trial.batch
    with pretended(monkeypatch) as card:
        card.put_model(model).train()
        there = augmented(batch.to(CARD), trial.plan, generator)
        terms = trial.task.loss(model, there, generator)
        with torch.no_grad():
            raw = trial.task.infer(model.eval(), there, generator)
    assert card.mixed == []
    assert {term.device for term in terms.values()} == {CARD}
    assert raw.device == CARD or isinstance(raw, dict)
