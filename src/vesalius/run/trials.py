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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from vesalius.core.disk import write_text
from vesalius.core.plan import Plan, override
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.evaluate.gain import Gain, gain
from vesalius.learn.course import Pace
from vesalius.learn.loop import time_step, train
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.validate import Validator
from vesalius.prepare.batch import Example
from vesalius.run.ready import Ready, made_ready
from vesalius.run.stages import stages_of
from vesalius.run.training import loaded
from vesalius.run.workspace import Workspace

FOLDER = "trials"  # in a run's folder
PLAIN = "plain"
SHARE = 0.25  # of the time for training: what all trainings and answers of a trial may take together
LEVEL = 0.95  # of the interval that must exclude no gain, all candidates together
FEWEST = 4  # held-out patients from which on anything is measured
WANTED = 16  # held-out patients that are enough: no more folds are held out than make as many
MOST_LEFT = 0.5  # of the time that is left: a trial that was interrupted is given up where it would take more
TIMED = 16  # examples that a step is timed on
LEAST_STEPS = 60  # of the plain plan: with fewer nothing is learned that tells plans apart


@dataclass(frozen=True)
class Candidate:
    """A plan to try: its name, and what is other for it than in the plain plan, by path."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Terms:
    """How a trial is carried out: for how long, or how many steps, each plan is trained; and which cases are held out.

    `seconds` is None where steps are counted: nobody limits the time, or the user set the steps.
    """

    arms: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, int]
    seconds: float | None
    folds: int
    held: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        return {**asdict(self), "held": list(self.held), "arms": {k: dict(v) for k, v in self.arms.items()}}


@dataclass(frozen=True)
class Measured:
    """What one plan came to: the score of each held-out case, their common score, and its steps and seconds."""

    cases: Mapping[str, float]
    score: float
    steps: int
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What is done, and why in a sentence: `chosen` is a candidate, or None for the plain plan.

    `gains` are those of each candidate over the plain plan; there are none where nothing was tried.
    """

    chosen: Candidate | None
    why: str
    gains: Mapping[str, Gain] = field(default_factory=dict)


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


def held_out(space: Workspace) -> tuple[int, tuple[str, ...]]:
    """Return how many folds a trial holds out, and their cases: as few as make WANTED patients, half of all at most."""
    folds = space.assignment.folds
    most = max(1, len(folds) // 2)
    for many in range(1, most + 1):
        ids = tuple(i for fold in folds[:many] for i in fold)
        if many == most or len({_patients(space, ids)[i] for i in ids}) >= WANTED:
            return many, ids
    raise ValueError("an assignment without folds")


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
        return Verdict(None, f"not tried: {why}"), None
    job = _prepared(trial)
    terms = terms or _terms(trial, job)
    found = {name: _measured(trial, terms, name, job) for name in terms.arms}
    verdict = judged(trial, terms, found)
    _keep(trial, verdict)
    return verdict, job


def _why_not(trial: Trial, terms: Terms | None) -> str:
    """Return why nothing is worth being tried, or tried any further, in words; empty where it is."""
    _, held = held_out(trial.space)
    many = len(set(_patients(trial.space, held).values()))
    if many < FEWEST:
        return f"{counted(many, 'held-out patient is', 'held-out patients are')} too few to measure by ({FEWEST} are)"
    arms = 1 + len(trial.candidates)
    if terms is None:
        steps = max(0, int(_each_s(trial, len(held)) / trial.step_s))
        few = f"a {SHARE:.0%} share of {trial.training_s:.0f} s of training is {steps} steps for each of {arms} plans"
        return f"{few}, and {LEAST_STEPS} are needed to tell them apart" if steps < LEAST_STEPS else ""
    to_come = sum(not (trial.folder / f"{name}.json").is_file() for name in terms.arms)
    if terms.seconds is not None and to_come * terms.seconds > MOST_LEFT * trial.training_s:
        return (
            f"it was begun, and what is left of it takes more than {MOST_LEFT:.0%} of the time that is left"
        )
    return ""


def _each_s(trial: Trial, held: int) -> float:
    """Return the seconds that each plan is trained for, its answers taken off."""
    return SHARE * trial.training_s / (1 + len(trial.candidates)) - held * trial.answer_s


def judged(trial: Trial, terms: Terms, found: Mapping[str, Measured]) -> Verdict:
    """Return which plan is best beyond its interval, from what each of them came to.

    A candidate is chosen where its gain over the plain plan, case by case, is sure, at a level that holds for all of
    them together (Bonferroni), and where its common score, the one that picks checkpoints, is not lower.
    """
    patients = _patients(trial.space, terms.held)
    level = 1 - (1 - LEVEL) / len(trial.candidates)
    plain = found[PLAIN]
    gains = {
        c.name: gain(plain.cases, found[c.name].cases, patients, level=level, seed=trial.plan.train.seed)
        for c in trial.candidates
    }
    better = [c for c in trial.candidates if gains[c.name].sure and not found[c.name].score < plain.score]
    chosen = max(better, key=lambda c: gains[c.name].mean, default=None)
    return Verdict(chosen, _said(trial, terms, found, gains, chosen), gains)


def _said(
    trial: Trial,
    terms: Terms,
    found: Mapping[str, Measured],
    gains: Mapping[str, Gain],
    chosen: Candidate | None,
) -> str:
    """Return in a sentence what was tried, at what cost, and what came of it."""
    many = len(set(_patients(trial.space, terms.held).values()))
    cost = sum(m.seconds for m in found.values())
    each = ", ".join(f"{name} {g}" for name, g in gains.items())
    where = f"{counted(len(terms.held), 'held-out case')} of {counted(many, 'patient')}"
    lower = [
        c.name for c in trial.candidates if gains[c.name].sure and found[c.name].score < found[PLAIN].score
    ]
    if chosen is not None:
        end = f"{chosen.name} is better beyond its interval"
    elif lower:
        end = f"{lower[0]} is better case by case, but not by {trial.space.task.primary}"
    else:
        end = "none is better beyond its interval"
    return f"tried on {where} ({cost:.0f} s in all): a case's score changes by {each}; {end}"


def _prepared(trial: Trial) -> Ready:
    """Return the last stage with every case prepared."""
    stages = stages_of(trial.plan)
    cache = trial.path / "cache" / FOLDER / trial.name
    return made_ready(trial.space, stages, len(stages) - 1, cache, before=None, progress=trial.progress)


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
    made = Terms(told["arms"], told["steps"], told["seconds"], told["folds"], tuple(told["held"]))
    asked = json.loads(json.dumps({name: dict(settings) for name, settings in _arms(trial).items()}))
    if made.arms == asked and (made.folds, made.held) == held_out(trial.space):
        return made
    shutil.rmtree(trial.folder)
    return None


def _terms(trial: Trial, job: Ready) -> Terms:
    """Return how the trial is carried out, from what a step of each plan takes, and write it down."""
    folds, held = held_out(trial.space)
    seconds, arms = _each_s(trial, len(held)), _arms(trial)
    few, steps = list(job.examples.values())[:TIMED], {}
    for name, settings in arms.items():
        took = trial.step_s
        if trial.limited and settings:
            plan = _arm(trial, settings, trial.plan.train.steps)
            took = time_step(job.task, plan, job.state, few, seconds=0.02 * seconds, device=trial.device)
        steps[name] = max(1, int(seconds / took))
    made = Terms(arms, steps, seconds if trial.limited else None, folds, held)
    trial.folder.mkdir(parents=True, exist_ok=True)
    write_text(trial.folder / "terms.json", json.dumps(made.json(), indent=1) + "\n")
    return made


def _measured(trial: Trial, terms: Terms, name: str, job: Ready) -> Measured:
    """Return what one plan came to, from disk where it is known."""
    file = trial.folder / f"{name}.json"
    if file.is_file():
        told = json.loads(file.read_text(encoding="utf-8"))
        cases = {case: math.nan if v is None else float(v) for case, v in told["cases"].items()}
        return Measured(cases, float(told["score"]), int(told["steps"]), float(told["seconds"]))
    began = time.monotonic()
    plan = _arm(trial, terms.arms[name], terms.steps[name])
    learned, beside, held = _dealt(trial.space, terms, job, plan)
    until = None if terms.seconds is None else began + terms.seconds
    result = train(
        job.task,
        plan,
        job.state,
        [*learned, *beside],
        None,
        member=0,
        folder=trial.folder,
        progress=trial.progress,
        name=f"trial-{name}",
        deadline=None if until is None or terms.seconds is None else until + 0.1 * terms.seconds,
        pace=None if until is None else Pace(until, 2 * terms.steps[name]),
        device=trial.device,
        start=trial.start,
        unlabelled=[e.case_id for e in beside],
    )
    truths = [job.task.truth(trial.space.cohort.case(e.case_id), job.state) for e in held]
    judge = Validator(job.task, plan, job.state, held, truths)
    model = loaded(replace(job, stage=replace(job.stage, plan=plan)), result, trial.device).models[0]
    cases, score = judge.each(model), judge(model)
    found = Measured(cases, score, result.last_step, time.monotonic() - began)
    told = {**asdict(found), "cases": {k: v if math.isfinite(v) else None for k, v in cases.items()}}
    write_text(file, json.dumps(told, indent=1) + "\n")
    (trial.folder / "checkpoints" / f"trial-{name}-0.pt").unlink(missing_ok=True)
    return found


def _dealt(
    space: Workspace, terms: Terms, job: Ready, plan: Plan
) -> tuple[list[Example], list[Example], list[Example]]:
    """Return the labelled examples to learn from, those without the target, and those that are held out.

    No case without the target is learned from that shares its patient with one that is held out.
    """
    held = [job.examples[i] for i in terms.held if i in job.examples]
    rest = [i for fold in space.assignment.folds[terms.folds :] for i in fold]
    learned = [job.examples[i] for i in rest if i in job.examples]
    if not recipes.get(plan.train.recipe).unlabelled:
        return learned, [], held
    allowed = [set(ids) for ids in space.assignment.unlabelled[: terms.folds]]
    beside = [i for i in space.assignment.beside if all(i in ids for ids in allowed)]
    return learned, [job.examples[i] for i in beside], held


def _keep(trial: Trial, verdict: Verdict) -> None:
    """Write the verdict down, and remove what only its measuring needed."""
    said = {"chosen": verdict.chosen.name if verdict.chosen else None, "why": verdict.why}
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
    if set(told["gains"]) != {c.name for c in trial.candidates}:
        return None
    gains = {name: Gain(**g) for name, g in told["gains"].items()}
    chosen = next((c for c in trial.candidates if c.name == told["chosen"]), None)
    return Verdict(chosen, str(told["why"]), gains)
