"""pretrain: from images without targets to a net that others begin from, in a bundle like any other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core import registry
from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, watched
from vesalius.evaluate.cards.reading import read_about
from vesalius.run.begin import Asked
from vesalius.run.crewed import with_devices
from vesalius.run.finished import Run, place_of
from vesalius.tasks.contract import without_targets
from vesalius.verbs.fit import carried_out

__all__ = ["pretrain"]
RECIPE = "train.recipe"


def pretrain(
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    recipe: str | None = None,
    init: Run | Bundle | Path | str | None = None,
    time_limit: str | float | None = None,
    seed: int | None = None,
    split: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Path | str | Plan | None = None,
    with_test: bool = False,
    dry_run: bool = False,
    resume: bool = False,
    max_set_aside: float = 0.10,
    device: str | None = None,
    devices: int | None = None,
    about: Path | str | Mapping[str, Any] | None = None,
    progress: Progress | bool | None = None,
    started: float | None = None,
) -> Run:
    """Train a net on the images of `data` alone, and leave a run that `fit(…, init=run)` begins from.

    Targets of the data are never learned from. A class, where the data have one, is looked at: the log, the report and
    the last note say how well the nearest cases tell it, of images that were not learned from, beside what the net told
    before it learned. A run whose features collapsed is marked so, with the figure that shows it.

    Args:
        data: A path as for `read`, or a cohort; what it says of targets does not matter.
        out: The run's folder, by default `runs/<data>-<n>`; nothing is overwritten.
        recipe: How to learn: one of `vesalius recipes` that needs no target (`simclr`, `vicreg`, `dino`, `mae`,
            `restore`), by default the task's own.
        init: Weights to begin from, as in `fit`.
        time_limit: For all of it: `"10m"`, `"1h30m"`, or seconds.
        seed: Decides which cases are held out, weights, batches and views.
        split: A CSV with the columns `case,split`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways.
        settings: Planned values by path, over the rules': `{"net.name": "unet"}`.
        plan: A plan, or the path of a plan.json, to follow instead of the rules.
        with_test: Learn from the images of the test split, too. A model that begins from this run can then not be
            tested on them, and `fit` refuses to.
        dry_run: Stop at the plan.
        resume: Go on in `out`, or in the latest unfinished run of this data, where it was interrupted.
        max_set_aside: The share of faulty cases to bear.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        devices: How many processes of this machine train it together, as in `fit`.
        about: What only a person knows of the model, for its card.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.
        started: The `time.monotonic()` that the time limit counts from, by default that of the call.

    Returns:
        The run: its folder, plan and bundle. Its scorecard holds no figures, as there is no truth to hold against.

    Raises:
        DataError: The images cannot be learned from, or too many are faulty.
        PlanError: The plan, or what was set, cannot be followed; a recipe that needs targets is named.
        BudgetError: The time or the memory is not enough.
        UnknownName: There is no recipe, net, … of that name.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; all is saved, and `resume` goes on.
    """
    told = with_devices(settings, devices)
    if recipe is not None and told.setdefault(RECIPE, recipe) != recipe:
        raise PlanError("two recipes are named", found=f"{recipe} and {told[RECIPE]}", hint="one of the two")
    if RECIPE in told:
        _assert_known(str(told[RECIPE]))
    asked = Asked(
        data=data,
        began=time.monotonic() if started is None else started,
        out=None if out is None else Path(out),
        task=without_targets().name,
        target=None,
        settings=told,
        time_limit=time_limit,
        seed=seed,
        folds=None,
        split=Path(split) if split else None,
        columns=columns,
        layout=layout,
        labels=None,
        init=None if init is None else place_of(init),
        plan=plan,
        preset=None,
        by=(),
        with_test=with_test,
        verb="pretrain",
        dry_run=dry_run,
        max_set_aside=max_set_aside,
        device=device,
        about=None if about is None else read_about(about),
        progress=watched(progress),
    )
    return carried_out(asked, resume=resume)


def _assert_known(name: str) -> None:
    """Raise UnknownName for a recipe that is not there, with those that need no target."""
    from vesalius.learn.pretext import Pretext
    from vesalius.learn.recipes import contract as recipes

    there = registry.names(recipes.KIND)
    if name not in there:
        raise UnknownName(
            "recipe of pre-training", name, [n for n in there if issubclass(recipes.get(n), Pretext)]
        )
