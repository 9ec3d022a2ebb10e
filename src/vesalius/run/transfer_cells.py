"""The fits and pre-trainings of a transfer table, as cells of a grid; see `run/transfer_setting.py` for their cases."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.errors import PlanError
from vesalius.core.plan import load_plan
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Scorecard, save_scorecard
from vesalius.evaluate.answered import score_cases
from vesalius.evaluate.banners import COLLAPSED
from vesalius.plan import machine as machines
from vesalius.plan.fingerprint import fingerprint
from vesalius.plan.rules import draft_plan
from vesalius.run.adopting import adopted
from vesalius.run.arms import Arm, Level
from vesalius.run.finished import Run
from vesalius.run.grid import Cell, Work
from vesalius.run.init import initial_weights
from vesalius.run.transfer_setting import Setting
from vesalius.run.workspace import Workspace

TEST, SHIFTED, PLAN = "test.json", "shifted.json", "plan.json"
RUN = "run"  # of a cell: where its fit works
NO_WEIGHTS = "none"
FOLDS = 10  # of a pre-training: other than those of a fit, which would take them over and part from the other arms


@dataclass(frozen=True, eq=False, kw_only=True)
class How:
    """How the cells are worked on. `net` are the settings that give every arm the same net."""

    fit: Callable[..., Run]
    pretrain: Callable[..., Run]
    limit: float | None
    pretrain_limit: float | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    pretrain_settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    net: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None
    keep: bool = False


def net_of(
    space: Workspace, weights: str, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that give a fit of this task the net of some weights, and those of that net alone.

    Both are empty where the user chose a net, or nobody knows of what net the weights are. Raises what reading the
    weights raises.
    """
    start = initial_weights(weights)
    theirs = start.plan.net if start.plan is not None else start.given.net if start.given else None
    if theirs is None or any(name.startswith("net.") for name in settings):
        return {}, {}
    prints = fingerprint(space.summary, space.target)
    plan = draft_plan(space.task, space.target, prints, machines.measure())
    net = adopted(plan, start, space.task, settings).net
    return _named(net.model_dump()), _named(theirs.model_dump())


def _named(net: Mapping[str, Any]) -> dict[str, Any]:
    return {f"net.{name}": net[name] for name in ("name", "scale", "options")}


def cells(
    job: Setting, arms: Sequence[Arm], how: How, *, levels: Sequence[Level], seeds: Sequence[int]
) -> tuple[Cell, ...]:
    """Return all pieces of work: pre-trainings, an arm and a seed each; then fits, the first seed of all arms first."""
    before = [
        Cell(
            pretrain_name(arm, seed),
            _pretraining(job, arm, how, seed),
            {
                "init": arm.init,
                "recipe": how.recipe,
                "net": _plain(how.encoder),
                "settings": _plain(how.pretrain_settings),
            },
            how.pretrain_limit or 0.0,
        )
        for seed in seeds
        for arm in arms
        if arm.pretrained
    ]
    fits = [
        Cell(
            fit_name(arm, level, seed),
            _fitting(job, arm, how, level, seed),
            {
                "init": arm.init,
                "pretrained": arm.pretrained,
                "unlabelled": arm.unlabelled,
                "net": _plain(how.net),
                "settings": _plain(arm.settings),
            },
            how.limit or 0.0,
            (pretrain_name(arm, seed),) if arm.pretrained else (),
            None if how.keep else _tidied,
        )
        for seed in seeds
        for level in levels
        for arm in arms
    ]
    return (*before, *fits)


def fit_name(arm: Arm, level: Level, seed: int) -> str:
    """Return what the cell of a fit is called, and its folder."""
    return f"{arm.name}-{level.name}-seed-{seed}"


def pretrain_name(arm: Arm, seed: int) -> str:
    """Return what the cell of a pre-training is called, and its folder."""
    return f"pretrain-{arm.name}-seed-{seed}"


def _plain(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in sorted(settings.items())}


def _pretraining(job: Setting, arm: Arm, how: How, seed: int) -> Work:
    def work(place: Path, _: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        began = time.monotonic()
        run = how.pretrain(
            job.pictures,
            place / RUN,
            recipe=how.recipe,
            init=arm.init,
            seed=seed,
            time_limit=how.pretrain_limit,
            settings={
                **(how.encoder if arm.init == NO_WEIGHTS else {}),
                "train.folds": FOLDS,
                **how.pretrain_settings,
            },
            device=how.device,
            resume=to_be_resumed(place / RUN),
            with_test=True,  # the table's test cases are not among these pictures
            progress=False,
        )
        banners = run.scorecard.banners if run.scorecard is not None else ()
        return {
            "collapsed": next((b.text for b in banners if b.kind == COLLAPSED), ""),
            "seconds": round(time.monotonic() - began, 1),
            "steps": run.plan.train.steps,
            "recipe": run.plan.train.recipe,
            "pictures": len(job.learned),
        }

    return work


def _fitting(job: Setting, arm: Arm, how: How, level: Level, seed: int) -> Work:
    def work(place: Path, needs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        cohort = job.labelled(level, seed, unlabelled=arm.unlabelled)
        held = [c for c in cohort.cases if job.info.name in c.targets and c.id not in set(job.test)]
        init, seen = _beginning(arm, how, [place.parent / need / RUN for need in needs])
        began = time.monotonic()
        run = how.fit(
            cohort,
            place / RUN,
            task=job.task,
            target=job.info.full_name,
            time_limit=how.limit,
            seed=seed,
            init=init,
            settings={**seen, **how.settings, **arm.settings},
            by=(),
            device=how.device,
            resume=to_be_resumed(place / RUN),
            progress=False,
        )
        seconds = time.monotonic() - began
        if run.scorecard is None or run.bundle is None:
            raise PlanError("a fit came to no scorecard", found=str(place / RUN))
        save_scorecard(run.scorecard, place / TEST)
        if job.shifted:
            save_scorecard(_scored(run.bundle, job, how.device), place / SHIFTED)
        shutil.copyfile(place / RUN / PLAN, place / PLAN)
        return {
            "labels": len(held),
            "patients": len({c.patient or c.id for c in held}),
            "seconds": round(seconds, 1),
            "steps": run.plan.train.steps,
            "members": run.plan.train.members,
            "net": run.plan.net.name,
            "ran_out": run.ran_out,
        }

    return work


def _beginning(arm: Arm, how: How, pretrained: Sequence[Path]) -> tuple[str, dict[str, Any]]:
    """Return where a fit begins, and the settings that follow: the net of all arms, or what pre-training saw."""
    if pretrained:
        plan = load_plan(pretrained[0] / PLAN)
        return str(pretrained[0]), {"data.normalise": [n.model_dump() for n in plan.data.normalise]}
    return arm.init, dict(how.net) if arm.init == NO_WEIGHTS else {}


def _scored(bundle: Bundle, job: Setting, device: str | None) -> Scorecard:
    """Return the scorecard of the group that nobody learned from."""
    return score_cases(
        bundle,
        job.shifted,
        split=job.shift.words if job.shift else "",
        data_hash="",
        patients_known=job.cohort.patients_known,
        progress=Silent(),
        device=device,
        target=job.info.name,
        accept_mismatch=True,  # it is the question what becomes of other images
    )[1]


def to_be_resumed(run: Path) -> bool:
    """Return whether a run was begun there that can go on; what never got so far is removed."""
    if run.exists() and not (run / "run.json").is_file():
        shutil.rmtree(run)
    return run.exists()


def _tidied(place: Path) -> None:
    """Remove a fit's run, of which the scorecards and the plan are kept."""
    shutil.rmtree(place / RUN, ignore_errors=True)
