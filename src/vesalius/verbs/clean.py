"""clean: what should be changed of a cohort, as a table to review, a cleaned cohort, and whether that helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.cohorts import Source
from vesalius.core.case import Split
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.disk import assert_apart, new_folder
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.plan import machine
from vesalius.reliability.inspect import inspect as look
from vesalius.reliability.label_errors import WAYS
from vesalius.run.cleaning import effect as effects
from vesalius.run.cleaning import page
from vesalius.run.cleaning.doubting import doubted, doubts_about
from vesalius.run.cleaning.folder import again, asked_before, read, told, written
from vesalius.run.cleaning.looking import as_dealt, held_out, proposals_of, untouched, without_lone_copies
from vesalius.run.cleaning.proposals import FILE as PROPOSALS
from vesalius.run.cleaning.proposals import Proposal
from vesalius.run.cleaning.result import Cleaning as Cleaning
from vesalius.run.cleaning.result import load_state, save_state
from vesalius.run.finished import Run
from vesalius.verbs.compare import compare
from vesalius.verbs.fit import fit

__all__ = ["Cleaning", "clean"]

FOLDS = 5
RUN = "run"  # in the folder of a cleaning: the fit of folds


def clean(
    data: Path | str,
    out: Path | str | None = None,
    *,
    target: str | None = None,
    folds: int = FOLDS,
    by: str = "noise_rate",
    fitted: bool = True,
    effect: bool = False,
    apply: bool = False,
    undo: bool = False,
    resume: bool = False,
    time_limit: str | float | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    silence: Sequence[str] = (),
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Cleaning:
    """Propose what should be changed of a cohort, and write the cohort as it is with what is accepted of that.

    What `inspect` finds of single cases is proposed, and labels that contradict the answers of models that never saw
    their case. Copies, leaks, files that cannot be used and label errors are accepted as they stand; what a person must
    look at is not. Nothing of the data is touched, and no case that is tested on is ever changed.

    Args:
        data: A path as for `read`; with `apply`, `undo` or `effect` alone, the folder of an earlier cleaning.
        out: A new folder for `proposals.csv`, `changes.csv`, `cohort.csv` and `clean.html`; it reads as a cohort.
        target: The target whose labels are looked at, where there are several.
        folds: How many parts the training patients are dealt into; a model is trained for each.
        by: How many labels are taken for wrong: `noise_rate`, `class`, `both` or `confident`.
        fitted: Train models to find label errors; without, only what can be seen of the data is proposed.
        effect: Train one model on the data as they were and one on the cleaned ones, and compare them on the same
            test cases.
        apply: Write the tables anew from the `proposals.csv` that a person edited.
        undo: Accept none of the proposals any more, so that the cohort is as it was.
        resume: Go on in `out` where it was interrupted; what was asked then need not be told again.
        time_limit: For the fit of folds: `"10m"`, or seconds.
        seed: Decides folds, weights and batches.
        settings: Planned values by path, over the rules': `{"train.steps": 500}`.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        split: A CSV with the columns `case,split`.
        silence: Looks of `inspect` that nothing is proposed of; names from `vesalius looks`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The proposals, the changes, and the cleaned cohort.

    Raises:
        DataError: There is nothing to look at, a target of a kind whose labels cannot be doubted, or a proposal that
            cannot be followed, such as one about a case that is tested on.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what was trained is saved, and `resume` goes on.
    """
    shown = watched(progress)
    if sum((apply, undo, resume)) > 1:
        raise DataError("apply, undo and resume are three ways to go on", hint="one of them")
    if apply or undo or (effect and out is None and not resume):
        if out is not None:
            raise DataError(
                "what is applied, undone or measured lies in the folder of a cleaning already",
                found=f"-o {out}",
                hint="vesalius clean FOLDER --apply, without -o",
            )
        done = again(Path(data), undo=undo)
    else:
        asked = {
            "target": target, "folds": folds, "by": by, "fitted": fitted, "time_limit": time_limit, "seed": seed,
            "settings": dict(settings or {}), "columns": dict(columns or {}), "layout": layout,
            "labels": dict(labels or {}), "split": None if split is None else str(split), "silence": list(silence),
        }  # fmt: skip
        try:
            done = _proposed(Path(data), out, asked, resume=resume, device=device, progress=shown)
        except (Interrupted, KeyboardInterrupt) as error:
            raise Interrupted(
                "interrupted; what was trained is saved", hint=f"vesalius clean {data} -o {out} --resume"
            ) from error
    return _with_effect(done, device=device, progress=shown) if effect else done


def _proposed(
    data: Path,
    out: Path | str | None,
    asked: Mapping[str, Any],
    *,
    resume: bool,
    device: str | None,
    progress: Progress,
) -> Cleaning:
    """Look, train, and write all proposals with what is accepted of them."""
    if asked["by"] not in WAYS:
        raise UnknownName("way of finding label errors", asked["by"], WAYS)
    if out is None:
        raise OutputError("clean needs a new folder to write to", hint="-o CLEANED")
    folder = Path(out)
    assert_apart(data, folder)
    asked = {**asked, "data": str(data.resolve())}
    if resume:
        asked = asked_before(folder, asked["data"])
        if (folder / PROPOSALS).is_file():  # nothing is left to do, and a person may have edited it
            return again(folder, undo=False)
    cohort = read(data, asked)
    info = cohort.targets.get(asked["target"]) if asked["target"] else None
    if asked["fitted"]:
        info = cohorts.select_target(cohort, asked["target"])
        said = doubts_about(info)
        if said is not None:
            raise DataError(said, hint="--no-fit to look for everything else")
    if not resume:
        folder = new_folder(folder, default="cleaned")
        save_state(folder, {"asked": asked})
    screened = cohorts.read(data, **told(asked), max_set_aside=1.0)
    found = look(
        screened,
        target=asked["target"],
        silence=asked["silence"],
        progress=progress,
        workers=machine.measure().workers,
    )
    held = held_out(cohort)
    first = proposals_of(found, cohort, held)
    notes = [untouched(found, held)]
    splits: dict[str, Split] = {c.id: c.split for c in cohort.cases if c.split is not None}
    made: list[Proposal] = [*first]
    if info is not None and asked["fitted"]:
        rest = _rest(found.cohort, first, info)
        _say_cost(rest, held, asked, progress)
        run = _fit_folds(rest, folder, asked, info, device=device, progress=progress)
        dealt = cohorts.load_assignment(folder / RUN / "folds.json")
        if not set(dealt.test) <= set(held):  # no split is declared, or not the one that the fit went by
            splits = as_dealt(cohort, dealt, first)
        held = tuple(dict.fromkeys((*held, *dealt.test)))
        said_of = doubted(
            run, rest, rest.targets[info.name], by=asked["by"], progress=progress, device=device
        )
        made = without_lone_copies([*(p for p in first if p.case not in held), *said_of.proposals])
        notes += said_of.notes
    elif not held:
        notes.append(
            "no case is set apart to be tested on, so none can be relabelled; a split comes with --split or a fit"
        )
    source = Source(
        data=data,
        layout=asked["layout"],
        target=asked["target"],
        columns=asked["columns"],
        labels=asked["labels"],
        held=held,
        splits=splits,
    )
    ranked = sorted(made, key=lambda p: (not p.accept, p.kind, -p.evidence, p.case))
    return written(folder, source, cohort, ranked, [n for n in notes if n], asked)


def _rest(decoded: Cohort, first: Sequence[Proposal], info: TargetInfo) -> Cohort:
    """Return the cases that models are trained on: all but those that go anyway.

    Copies would have a model vote for a label that it learned from the other copy.
    """
    gone = {p.case for p in first if p.accept}
    kept = [c.id for c in decoded.cases if c.id not in gone]
    if not any(info.name in c.targets for c in decoded.cases if c.id not in gone):
        raise DataError(
            f"no case with the target '{info.name}' is left to learn from", found=counted(len(kept), "case")
        )
    return replace(decoded if len(kept) == len(decoded.cases) else decoded[kept], set_aside=())


def _say_cost(rest: Cohort, held: Sequence[str], asked: Mapping[str, Any], progress: Progress) -> None:
    learned = len(rest.cases) - len(held)
    within = f"within {asked['time_limit']}" if asked["time_limit"] else "for as many steps as the plan says"
    progress.note(
        f"label errors need models that never saw a case: {asked['folds']} are trained on {counted(learned, 'case')}, "
        f"{within}; --time-limit bounds it, --no-fit does without"
    )


def _fit_folds(
    rest: Cohort,
    folder: Path,
    asked: Mapping[str, Any],
    info: TargetInfo,
    *,
    device: str | None,
    progress: Progress,
) -> Run:
    begun = (folder / RUN / "run.json").is_file()
    return fit(
        rest,
        folder / RUN,
        target=info.full_name,
        folds=asked["folds"],
        time_limit=None if begun else asked["time_limit"],
        seed=asked["seed"],
        settings=asked["settings"],
        resume=begun,
        max_set_aside=1.0,
        by=(),
        device=device,
        progress=progress,
    )


def _with_effect(done: Cleaning, *, device: str | None, progress: Progress) -> Cleaning:
    """Train with and without the changes by one plan, and say what that changed on the same test cases."""
    folder, state = done.path, load_state(done.path)
    source, _ = cohorts.load_source(folder)
    asked = state["asked"]
    if not done.changes:
        raise DataError("nothing is changed, so there is no effect to measure", hint="accept a proposal")
    if not source.held:
        raise DataError(
            "no case is set apart to be tested on", hint="--split, or `vesalius clean` with its fit"
        )
    whole = read(source.data, asked)
    place = effects.place(folder)
    plan = folder / RUN / "plan.json"
    start = cohorts.with_changes(whole, effects.in_both(done.changes), source)
    before = _one(start, place / effects.BEFORE, asked, plan, device, progress)
    name = effects.name_after(done.changes)
    after = _one(done.cohort, place / name, asked, place / effects.BEFORE / "plan.json", device, progress)
    found = compare(before, after, effects.tested(whole, source.held), split="test", device=device)
    said = (
        f"{found.verdict} 'before' learned from the data as they were, but for leaks and what cannot be used, "
        f"'{name}' from the cleaned ones, by one plan; the test cases are as they were, "
        "and where their labels are wrong, too, both figures are too low."
    )
    save_state(folder, {**state, "effect": said})
    told = replace(done, effect=said)
    page.write(told, whole)
    return told


def _one(
    cohort: Cohort, out: Path, asked: Mapping[str, Any], plan: Path, device: str | None, progress: Progress
) -> Run:
    """Return the one model that is trained on a cohort by a plan that is there; a run that was begun goes on."""
    begun = (out / "run.json").is_file()
    given = plan if plan.is_file() and not begun else None
    return fit(
        cohort,
        out,
        target=asked["target"],
        plan=given,
        time_limit=None if given is not None or begun else asked["time_limit"],
        seed=asked["seed"],
        settings={**({} if begun else asked["settings"]), "train.members": 1},
        resume=begun,
        max_set_aside=1.0,
        by=(),
        device=device,
        progress=progress,
    )
