"""Promises of a task's parts before any training: state, examples, loss, model, and an untrained model's answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vesalius.core import encoding
from vesalius.core.answers import ImageAnswer
from vesalius.core.ask import Ask
from vesalius.core.image import Array, Source
from vesalius.infer import runs
from vesalius.infer.cropping import crop_case
from vesalius.prepare.batch import Batch
from vesalius.testing.promise import promised, require
from vesalius.testing.trial import TaskTrial

STEPS, RATE = 8, 3e-3
MOST_STEPS = 40  # of a loss whose target grows with what the model can do, and which rises before it falls


def keeps_its_state_as_json(trial: TaskTrial) -> None:
    """Require that the values of the state are the same after JSON, and that its arrays are numpy's."""
    values = trial.state.values
    with promised(f"{trial}: the values of its state are JSON"):
        again = json.loads(json.dumps(values))
    require(again == values, f"{trial}: the values of its state are the same after JSON")
    odd = [k for k, v in trial.state.arrays.items() if not isinstance(v, np.ndarray)]
    require(not odd, f"{trial}: the arrays of its state are numpy's, and {', '.join(odd)} is not")


def encodes_a_case_without_its_truth_alike(trial: TaskTrial) -> None:
    """Require that a case without targets, report and findings is encoded to the same images, and to no targets."""
    first = trial.space.training[0]
    bare = replace(first, targets={}, report=None, findings=None)
    reference = trial.reference(bare)
    with promised(f"{trial}: `encode` takes a case without a target"):
        prepared = trial.task.prepare(bare, trial.plan, trial.state, reference=reference)
        made = trial.task.encode(bare, prepared, reference, trial.state)
    require(
        not made.targets, f"{trial}: a case without a target is encoded without one, not {list(made.targets)}"
    )
    taught = trial.examples[0]
    require(
        set(made.images) == set(taught.images), f"{trial}: a case has the same images with and without truth"
    )
    for name, array in made.images.items():
        same = np.array_equal(array, taught.images[name])
        require(same, f"{trial}: image '{name}' is encoded alike with and without truth")


def has_a_loss_that_falls(trial: TaskTrial) -> None:
    """Require named, finite terms of loss, whose sum falls when one batch is learned again and again."""
    model = trial.model().train()
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    totals = []
    for step in range(MOST_STEPS):
        with promised(f"{trial}: `loss` takes a batch"):
            terms = trial.task.loss(model, trial.batch, torch.Generator().manual_seed(0))
        named = bool(terms) and all(isinstance(t, Tensor) and t.ndim == 0 for t in terms.values())
        require(named, f"{trial}: `loss` returns single numbers by name, not {terms!r}")
        total = torch.stack([*terms.values()]).sum()
        require(torch.isfinite(total), f"{trial}: its loss is finite, not {float(total.detach())}")
        optimiser.zero_grad()
        with promised(f"{trial}: its loss has gradients"):
            torch.autograd.backward(total)
        optimiser.step()
        totals.append(float(total.detach()))
        if step + 1 >= STEPS and totals[-1] < totals[0]:
            return
    told = " → ".join(f"{t:.4g}" for t in (totals[0], totals[-1]))
    require(False, f"{trial}: its loss falls over {STEPS} to {MOST_STEPS} steps on one batch, not {told}")


def builds_the_same_model_from_the_same_seed(trial: TaskTrial) -> None:
    """Require that weights come from torch's global generator, so that a seed makes them again."""
    one, again, other = trial.model().state_dict(), trial.model().state_dict(), trial.model(1).state_dict()
    require(list(one) == list(again), f"{trial}: the same plan and state build the same parameters")
    moved = [k for k, v in one.items() if not torch.equal(v, again[k])]
    require(not moved, f"{trial}: the same seed builds the same weights, and {', '.join(moved[:3])} differ")
    differs = any(not torch.equal(v, other[k]) for k, v in one.items())
    require(differs, f"{trial}: another member has other weights")


def ends_in_the_answer_that_it_names(trial: TaskTrial) -> None:
    """Require that an untrained model, and two together, answer with the kind that the task names."""
    for members in (1, 2):
        answer = trial.untrained_answer(members)
        kind = trial.task.answer
        told = f"{trial}: {members} model(s) answer with a {kind.__name__}, not a {type(answer).__name__}"
        require(type(answer) is kind, told)
        if isinstance(answer, ImageAnswer):
            shape = trial.reference(trial.cases[0]).shape
            require(answer.image.shape == shape, f"{trial}: its answer lies on the image's grid {shape}")


def speaks_of_no_place_where_it_takes_mirror_images(trial: TaskTrial) -> None:
    """Require that a task with `mirrors`, whose raw output is no field that is flipped back, speaks of no place.

    Its examples then hold no points and no boxes, and one raw output is the same answer about an image and about a
    part of it, in which a place would lie elsewhere. One that `turns_back` what it says is asked for that instead.
    """
    task = trial.task
    if not task.mirrors or task.turns_back or runs.get(task.run).on_grid:
        return
    placed = ", ".join(sorted(trial.batch.points | trial.batch.boxes | trial.batch.on_grid))
    wrong = f"{trial}: `mirrors` is True of a task whose raw output speaks of no place, and"
    require(not placed, f"{wrong} its examples have places: {placed}")
    case = next((c for c in trial.cases if c.images), None)
    if case is None:
        return
    reference = trial.reference(case)
    low = [n // 4 for n in reference.shape]
    part = crop_case(case, reference, low, list(reference.shape))
    with promised(f"{trial}: one raw output is decoded about an image and about a part of it"):
        raw = trial.untrained_raw(case)[0]
        answers = []
        for about in (case, part):
            image = trial.reference(about)
            undo = task.prepare(about, trial.plan, trial.state, reference=image).undo
            answers.append(task.decode(raw, trial.state, {}, image, undo=undo))
    one, other = (encoding.as_text(replace(a, source=Source(), outside=None)) for a in answers)
    require(one == other, f"{wrong} the same output is another answer in a part of the image")


def turns_back_what_it_says_of_mirror_images(trial: TaskTrial) -> None:
    """Require of a task that `turns_back` that a raw output turned back is another, and turned back twice the same."""
    if not trial.task.turns_back:
        return
    require(trial.task.mirrors, f"{trial}: a task that `turns_back` says `mirrors = True`")
    image = next(iter(trial.batch.images.values()))
    size, axes = tuple(int(n) for n in image.shape[-3:]), [-1]
    model = trial.model().eval()
    with promised(f"{trial}: `turned_back` takes what `infer` gives"), torch.no_grad():
        raw = trial.task.infer(model, trial.batch, torch.Generator().manual_seed(0))
        once = trial.task.turned_back(raw, axes, size)  # type: ignore[arg-type]
        twice = trial.task.turned_back(once, axes, size)  # type: ignore[arg-type]
    require(once.shape == raw.shape, f"{trial}: what is turned back has the shape of a raw output")
    require(torch.allclose(twice, raw, atol=1e-3), f"{trial}: what is turned back twice is what it was")
    require(
        not torch.equal(once, raw), f"{trial}: what is turned back is another than about the mirror image"
    )


def has_a_scalar_that_can_be_followed_back(trial: TaskTrial) -> None:
    """Require that the gradient of `scalar` reaches what the model sees: the images, or the covariates."""
    model, batch = trial.model().eval(), replace(trial.batch, targets={}, on_grid=frozenset(), has={})
    images = {k: v.clone().requires_grad_(True) for k, v in batch.images.items()}
    known = None if batch.covariates is None else batch.covariates.clone().requires_grad_(True)
    seen = [*images.values(), *([] if known is None else [known])]
    with promised(f"{trial}: `scalar` is a number of each case"):
        raw = trial.task.infer(
            model, replace(batch, images=images, covariates=known), torch.Generator().manual_seed(0)
        )
        require(len(raw) == len(batch.case_ids), f"{trial}: `infer` returns a row for each case of a batch")
        number = trial.task.scalar(raw, Ask(where=_everywhere(batch)))
    require(number.shape == (len(batch.case_ids),), f"{trial}: `scalar` is (B,), not {tuple(number.shape)}")
    with promised(f"{trial}: `scalar` can be followed back"):
        gradients = torch.autograd.grad(number.sum(), seen, allow_unused=True)
    found = [g for g in gradients if g is not None]
    require(found and all(torch.isfinite(g).all() for g in found), f"{trial}: its gradient is finite")
    reached = any(bool(g.abs().sum() > 0) for g in found)
    require(reached, f"{trial}: the gradient of `scalar` reaches an image or a covariate")


def _everywhere(batch: Batch) -> Array | None:
    """Return all voxels of a batch's first image, `(Z, Y, X)` of bits."""
    return next((np.ones(image.shape[-3:], dtype=bool) for image in batch.images.values()), None)


UNTRAINED: tuple[Callable[[TaskTrial], None], ...] = (
    keeps_its_state_as_json,
    encodes_a_case_without_its_truth_alike,
    has_a_loss_that_falls,
    builds_the_same_model_from_the_same_seed,
    ends_in_the_answer_that_it_names,
    speaks_of_no_place_where_it_takes_mirror_images,
    turns_back_what_it_says_of_mirror_images,
    has_a_scalar_that_can_be_followed_back,
)
