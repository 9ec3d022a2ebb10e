"""Trials: plans measured on held-out folds at equal cost; another than the plain one is chosen only where it is better.

A rule that cannot know which of several plans suits the data at hand names them as candidates. Each is trained on the
same cases from the same first weights, the plain plan among them, for an equal share of the time that training has, and
answers the same cases, which none of them learned from. What was measured lies in the run's folder as soon as it is
known, so that a run that is stopped does not measure it again; the plan that is written says what was chosen and why,
and a run that follows a plan tries nothing.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from vesalius.core.disk import write_text
from vesalius.core.errors import Interrupted, VesaliusError
from vesalius.core.plan import Plan, override
from vesalius.core.progress import Progress
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted
from vesalius.evaluate.gain import Gain
from vesalius.learn.timing import time_step
from vesalius.learn.validate import Validator
from vesalius.run.fold_training import MEMBER, FoldTraining, held
from vesalius.run.handing import Handing
from vesalius.run.ready import Ready, made_ready
from vesalius.run.stages import stages_of
from vesalius.run.training import loaded
from vesalius.run.verdict import PLAIN, Candidate, Measured, Verdict, best
from vesalius.run.workspace import Workspace

FOLDER = "trials"  # in a run's folder
SHARE = 0.25  # of the time for training: what all trainings and answers of a trial may take together
FEWEST = 4  # held-out patients from which on anything is measured
WANTED = 16  # held-out patients that are enough: no more folds are held out than make as many
Groups = tuple[tuple[int, ...], ...]  # folds that are held out together, by number
MOST_LEFT = 0.5  # of the time that is left: a trial that was interrupted is given up where it would take more
ANSWERS = 0.4  # of a plan's share: what its answers may take at most
TIMED = 16  # examples that a step is timed on
LEAST_STEPS = 60  # of the plain plan: with fewer nothing is learned that tells plans apart


@dataclass(frozen=True)
class Terms:
    """How a trial is carried out: for how long, or how many steps, each plan is trained a time; and what is held out.

    A plan is trained once for each of the `groups` of folds, on all others, and answers the `asked` cases of the group.
    `seconds` is None where steps are counted: nobody limits the time, or the user set the steps.
    """

    arms: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, int]
    seconds: float | None
    groups: Groups
    asked: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """A question that a trial answers, before anything is measured. `name` is that of its folder.

    `plan` is the plain plan with its number of steps; `training_s` is how long all of its training is foreseen to take,
    `step_s` a step of it and `answer_s` an answer of one model. `limited` says that the clock decides about steps.
    """

    name: str
    space: Workspace
    plan: Plan
    candidates: Sequence[Candidate]
    training_s: float
    step_s: float
    answer_s: float
    limited: bool
    path: Path
    progress: Progress
    device: str | None = None
    start: Mapping[str, Tensor] | None = None

    @property
    def folder(self) -> Path:
        """Where what was measured lies."""
        return self.path / FOLDER / self.name


def held_out(space: Workspace) -> Groups:
    """Return which folds a trial holds out together: as few as make WANTED patients, if half of all folds do.

    Else, with so few labels, two halves of the folds, each of which is held out while the other is learned from, so
    that every patient is measured.
    """
    folds = range(len(space.assignment.folds))
    half = max(1, len(folds) // 2)
    for many in range(1, half + 1):
        if len(set(_patients(space, held(space, folds[:many])).values())) >= WANTED:
            return (tuple(folds[:many]),)
    return tuple(group for group in (tuple(folds[:half]), tuple(folds[half:])) if group)


def _patients(space: Workspace, ids: Sequence[str]) -> dict[str, str]:
    """Return whose each case is; where that is not known each case counts as a patient."""
    return {c.id: c.patient or c.id for c in space.cases(tuple(ids))}


def tried(trial: Trial) -> tuple[Verdict, Ready | None]:
    """Measure the candidates beside the plain plan, as far as that is not on disk yet, and say what to do.

    Returns, too, what was prepared for it, which training can use. Raises Interrupted on Ctrl-C.
    """
    known = _verdict_of_before(trial)
    if known is not None:
        return known, None
    terms = _terms_of_before(trial)
    why = _why_not(trial, terms)
    if why:
        return Verdict(None, f"not tried: {why}", spent=terms is not None), None
    job = _prepared(trial)
    terms = terms or _terms(trial, job)
    found, failed = {PLAIN: _measured(trial, terms, PLAIN, job)}, {}
    for candidate in trial.candidates:
        try:
            found[candidate.name] = _measured(trial, terms, candidate.name, job)
        except Interrupted:
            raise
        except VesaliusError as error:  # another plan that cannot be trained leaves the plain one as it is
            failed[candidate.name] = error.what
    verdict = judged(trial, found, failed)
    _keep(trial, verdict)
    return verdict, job


def _why_not(trial: Trial, terms: Terms | None) -> str:
    """Return why nothing is worth being tried, or tried any further, in words; empty where it is."""
    groups = held_out(trial.space)
    many = _count(trial.space, [held(trial.space, group) for group in groups])
    if many < FEWEST:
        return f"{counted(many, 'held-out patient is', 'held-out patients are')} too few to measure by ({FEWEST} are)"
    if terms is None:
        asked = _asked(trial, groups)
        steps = max(0, int(_each_s(trial, groups, asked) / trial.step_s))
        if steps >= LEAST_STEPS and _count(trial.space, asked) >= FEWEST:
            return ""
        arms = f"{1 + len(trial.candidates)} plans" + (", twice" if len(groups) > 1 else "")
        share = f"a {SHARE:.0%} share of {trial.training_s:.0f} s of training"
        few = f"{share} is {counted(steps, 'step')} for each of {arms}"
        return f"{few}, and {LEAST_STEPS} are needed to tell them apart"
    to_come = sum(not f.is_file() for name in terms.arms for f in _files(trial, terms, name))
    if terms.seconds is not None and to_come * terms.seconds > MOST_LEFT * trial.training_s:
        return (
            f"it was begun, and what is left of it takes more than {MOST_LEFT:.0%} of the time that is left"
        )
    return ""


def _count(space: Workspace, ids: Sequence[Sequence[str]]) -> int:
    """Return how many patients some groups of cases are of."""
    return len(set(_patients(space, [i for group in ids for i in group]).values()))


def _part_s(trial: Trial, groups: Groups) -> float:
    """Return the seconds that each plan has for each group, its answers included."""
    return SHARE * trial.training_s / (1 + len(trial.candidates)) / len(groups)


def _asked(trial: Trial, groups: Groups) -> tuple[tuple[str, ...], ...]:
    """Return the cases of each group that are answered: as many as a part of the time allows, drawn by the seed."""
    most = max(1, int(ANSWERS * _part_s(trial, groups) / max(trial.answer_s, 1e-9)))
    seed = trial.plan.train.seed
    every = (held(trial.space, group) for group in groups)
    return tuple(tuple(sorted(ids, key=lambda i: seed_of(seed, "asked", i))[:most]) for ids in every)


def _each_s(trial: Trial, groups: Groups, asked: Sequence[Sequence[str]]) -> float:
    """Return the seconds that each plan is trained for each group, the answers to it taken off."""
    return _part_s(trial, groups) - max(map(len, asked)) * trial.answer_s


def judged(
    trial: Trial, found: Mapping[str, Measured], failed: Mapping[str, str] = MappingProxyType({})
) -> Verdict:
    """Return which plan is best beyond its interval, from what each of them came to, or why it could not be trained."""
    return best(
        trial.candidates,
        found,
        failed,
        patients=_patients(trial.space, list(found[PLAIN].cases)),
        primary=trial.space.task.primary,
        seed=trial.plan.train.seed,
    )


def _prepared(trial: Trial) -> Ready:
    """Return the last stage with every case prepared."""
    stages = stages_of(trial.plan)
    cache = trial.path / "cache" / FOLDER / trial.name
    number = len(stages) - 1
    given = Handing(trial.space, stages, cache, device=trial.device).of(number)
    return made_ready(trial.space, stages, number, cache, before=None, given=given, progress=trial.progress)


def _arm(trial: Trial, settings: Mapping[str, Any], steps: int) -> Plan:
    """Return the last stage's plan as a trial carries it out: one member, not looked at on the way."""
    plan = stages_of(override(trial.plan, dict(settings)))[-1].plan
    fixed = {"train.steps": steps, "train.members": 1, "train.validations": 1, "train.patience": None}
    return override(plan, fixed)


def _arms(trial: Trial) -> dict[str, Mapping[str, Any]]:
    """Return what is other in each plan, the plain one first."""
    return {PLAIN: {}, **{c.name: c.settings for c in trial.candidates}}


def _terms_of_before(trial: Trial) -> Terms | None:
    """Return how the trial was begun; None where it was not, or was about other plans or other cases."""
    file = trial.folder / "terms.json"
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    groups = tuple(tuple(group) for group in told["groups"])
    asked = json.loads(json.dumps({name: dict(settings) for name, settings in _arms(trial).items()}))
    if told["arms"] == asked and groups == held_out(trial.space):
        asked_before = tuple(tuple(ids) for ids in told["asked"])
        return Terms(told["arms"], told["steps"], told["seconds"], groups, asked_before)
    shutil.rmtree(trial.folder)
    return None


def _terms(trial: Trial, job: Ready) -> Terms:
    """Return how the trial is carried out, from what a step of each plan takes, and write it down."""
    groups, arms = held_out(trial.space), _arms(trial)
    asked = _asked(trial, groups)
    seconds = _each_s(trial, groups, asked)
    few, steps = list(job.examples.values())[:TIMED], {}
    for name, settings in arms.items():
        took = trial.step_s
        if trial.limited and settings:
            plan = _arm(trial, settings, trial.plan.train.steps)
            with suppress(VesaliusError):  # one that cannot be trained says so when it is its turn
                took = time_step(job.task, plan, job.state, few, seconds=0.02 * seconds, device=trial.device)
        steps[name] = max(1, int(seconds / took))
    made = Terms(arms, steps, seconds if trial.limited else None, groups, asked)
    trial.folder.mkdir(parents=True, exist_ok=True)
    write_text(trial.folder / "terms.json", json.dumps(asdict(made), indent=1) + "\n")
    return made


def _files(trial: Trial, terms: Terms, name: str) -> list[Path]:
    """Return where what a plan came to lies, a file a group."""
    return [trial.folder / f"{name}-{k}.json" for k in range(len(terms.groups))]


def _measured(trial: Trial, terms: Terms, name: str, job: Ready) -> Measured:
    """Return what one plan came to over all groups; their common score is the mean of each group's."""
    parts = []
    for k, file in enumerate(_files(trial, terms, name)):
        if not file.is_file():
            part = _trained(trial, terms, name, k, job)
            cases = {case: v if math.isfinite(v) else None for case, v in part.cases.items()}
            write_text(file, json.dumps({**asdict(part), "cases": cases}, indent=1) + "\n")
            (trial.folder / "checkpoints" / f"{_label(name, k)}-{MEMBER}.pt").unlink(missing_ok=True)
        told = json.loads(file.read_text(encoding="utf-8"))
        known = {case: math.nan if v is None else float(v) for case, v in told["cases"].items()}
        parts.append(replace(Measured(**told), cases=known))
    scores = [p.score for p in parts]
    return Measured(
        {case: v for p in parts for case, v in p.cases.items()},
        sum(scores) / len(scores),
        sum(p.steps for p in parts),
        sum(p.seconds for p in parts),
    )


def _label(name: str, k: int) -> str:
    return f"trial-{name}-{k}"


def _trained(trial: Trial, terms: Terms, name: str, k: int, job: Ready) -> Measured:
    """Train one plan on all but a group of folds, and return what it says of that group's cases."""
    began = time.monotonic()
    plan = _arm(trial, terms.arms[name], terms.steps[name])
    asked = [job.examples[i] for i in terms.asked[k] if i in job.examples]
    training = FoldTraining(
        space=trial.space,
        group=terms.groups[k],
        seconds=terms.seconds,
        folder=trial.folder,
        progress=trial.progress,
        device=trial.device,
        start=trial.start,
    )
    result = training.trained(job, plan, name=_label(name, k))
    truths = [job.task.truth(trial.space.cohort.case(e.case_id), job.state) for e in asked]
    judge = Validator(job.task, plan, job.state, asked, truths)
    model = loaded(replace(job, stage=replace(job.stage, plan=plan)), result, trial.device).models[0]
    return Measured(judge.each(model), judge(model), result.last_step, time.monotonic() - began)


def _keep(trial: Trial, verdict: Verdict) -> None:
    """Write the verdict down, and remove what only its measuring needed."""
    arms = sorted(c.name for c in trial.candidates)
    said = {"arms": arms, "chosen": verdict.chosen.name if verdict.chosen else None, "why": verdict.why}
    told = {**said, "gains": {name: asdict(g) for name, g in verdict.gains.items()}}
    write_text(trial.folder / "verdict.json", json.dumps(told, indent=1) + "\n")
    for name in ("checkpoints", "logs"):
        shutil.rmtree(trial.folder / name, ignore_errors=True)


def _verdict_of_before(trial: Trial) -> Verdict | None:
    """Return the verdict that is on disk, where it is about these candidates; None where there is none."""
    file = trial.folder / "verdict.json"
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["arms"] != sorted(c.name for c in trial.candidates):
        return None
    gains = {name: Gain(**g) for name, g in told["gains"].items()}
    chosen = next((c for c in trial.candidates if c.name == told["chosen"]), None)
    return Verdict(chosen, str(told["why"]), gains)
