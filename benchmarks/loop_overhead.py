"""What our training loop costs beside a bare PyTorch loop, and what share of a step the default augmentation takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import vesalius
from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_most, spread
from vesalius.core.bundle import State
from vesalius.core.plan import AugmentPlan, Plan
from vesalius.core.progress import Silent
from vesalius.learn.examples import batches, prepare_examples
from vesalius.learn.optimise import optimizer, rate
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.stepper import build, fabric_for
from vesalius.plan import machine as machines
from vesalius.prepare.batch import Batch, Example
from vesalius.run.workspace import prepare_workspace
from vesalius.tasks.contract import Task

SECTION = "Ratios"
SOAK = False
SEEDS = (0,)
BOUND = 1.05
CASES = 64
BURST = 10
SECONDS = 90.0
IN_IT = (
    "bare: forward, loss, backward, gradient clipping, optimiser and zero_grad in the same precision, with the same "
    "task.build, on batches made beforehand; ours: all that `train` does in a step, drawing the batch and EMA too"
)


@dataclass(frozen=True, eq=False)
class Setting:
    """A default plan and the training cases that it is timed on."""

    task: Task
    plan: Plan
    state: State
    examples: Sequence[Example]


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both cohorts, in bursts of ten steps of each kind in turn, in one process."""
    if quick:
        settings = {"train.batch": 2, "train.steps": 20, "train.members": 1, "net.scale": 0.125}
        cohorts: dict[str, Any] = {
            "pictures": (_quick.pictures(folder), None, None, None, settings),
            "volumes": (_quick.volumes(folder), "mask", None, None, settings),
        }
    else:
        split = _fits.shared("hippocampus_split.csv")
        cohorts = {
            "BreastMNIST": (_fits.shared("medmnist/breastmnist.npz"), None, None, "10m", {}),
            "Hippocampus": (_fits.shared("hippocampus"), None, split, "30m", {}),
        }
    rows: list[Figure] = []
    for name, (data, target, split_file, limit, changed) in cohorts.items():
        found = _setting(data, target, split_file, limit, changed, seeds[0])
        rows += _measure(name, found, SECONDS / 30 if quick else SECONDS)
    return rows


def _setting(
    data: Path,
    target: str | None,
    split: Path | None,
    limit: str | None,
    changed: dict[str, object],
    seed: int,
) -> Setting:
    planned = vesalius.fit(
        data, target=target, split=split, time_limit=limit, settings=changed, seed=seed, dry_run=True
    )
    plan = planned.plan
    torch.set_num_threads(plan.train.threads or machines.measure().cores)
    space = prepare_workspace(
        data,
        task=plan.task.name,
        target=plan.task.target,
        columns=None,
        split=split,
        seed=seed,
        folds=plan.train.folds,
        max_set_aside=0.1,
        progress=Silent(),
    )
    state = space.task.learned(space.training, space.target, plan)
    examples = prepare_examples(space.task, space.training[:CASES], plan, state, progress=Silent())
    return Setting(space.task, plan, state, examples)


def _measure(name: str, given: Setting, seconds: float) -> list[Figure]:
    """Bursts in turn (ours, bare, bare with a moving average, ours augmented) for about `seconds`."""
    still = given.plan.model_copy(update={"augment": AugmentPlan(probability=0.0)})
    kinds = {
        "ours": ours(given, still),
        "bare": bare(given, still, average=False),
        "bare and EMA": bare(given, still, average=True),
        "augmented": ours(given, given.plan),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    step, began = 0, time.monotonic()
    while time.monotonic() - began < seconds or step < 2 * BURST:
        for kind, advance in kinds.items():
            for k in range(BURST):
                start = time.perf_counter()
                advance(step + k)
                times[kind].append(time.perf_counter() - start)
        step += BURST
    late = {kind: found[BURST:] for kind, found in times.items()}
    middle = {kind: statistics.median(found) for kind, found in late.items()}
    n = f"{len(late['ours'])} steps of each"
    share = (middle["augmented"] - middle["ours"]) / middle["augmented"]
    p = given.plan
    what = f"{p.net.name} at scale {p.net.scale:g}, {p.train.batch} × {p.data.size}, {p.train.precision}"
    return [
        Figure(f"{name}: a step of ours, augmentation off", spread(late["ours"]), note=what),
        Figure(f"{name}: a step of a bare loop", spread(late["bare"]), note=n),
        Figure(f"{name}: a step of a bare loop with AveragedModel", spread(late["bare and EMA"]), note=n),
        at_most(f"{name}: ours / bare", middle["ours"] / middle["bare"], BOUND, note=IN_IT),
        Figure(f"{name}: ours / bare with AveragedModel", f"{middle['ours'] / middle['bare and EMA']:.3f}"),
        Figure(f"{name}: a step of ours, default augmentation", spread(late["augmented"]), note=n),
        Figure(f"{name}: augmentation's share of a step", f"{100 * share:.1f} %"),
    ]


def ours(given: Setting, plan: Plan) -> Callable[[int], None]:
    """A step as `learn.loop.train` makes it."""
    fabric = fabric_for(plan)
    recipe = recipes.begin(Member(given.task, plan, given.state, given.examples, 0, fabric))
    progress = Silent()
    total = torch.zeros(())

    def advance(step: int) -> None:
        nonlocal total
        total = total + recipe.step(step, rate(step, plan.train)).cpu()
        progress.advance("ours")

    return advance


def bare(given: Setting, plan: Plan, *, average: bool) -> Callable[[int], None]:
    """The shortest loop that trains the same model: no schedule, no seeds, no drawing, no books kept."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(given.task, plan, given.state, 0).to(device).train()
    chosen = optimizer(model, plan.train)
    draw = batches(given.examples, plan, 0)
    ready: list[Batch] = [draw(k, device) for k in range(8)]
    generator = torch.Generator().manual_seed(0)
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(plan.train.ema or 0.99)
    mean = (
        torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=decay, use_buffers=False) if average else None
    )
    half = plan.train.precision == "bf16"

    def advance(step: int) -> None:
        batch = ready[step % len(ready)]
        with torch.autocast(device.type, dtype=torch.bfloat16) if half else nullcontext():
            loss = torch.stack(list(given.task.loss(model, batch, generator).values())).sum()
        loss.backward()
        if plan.train.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), plan.train.clip_norm)
        chosen.step()
        chosen.zero_grad()
        if mean is not None:
            mean.update_parameters(model)
        loss.item()

    return advance
