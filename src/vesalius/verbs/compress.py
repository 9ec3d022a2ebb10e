"""compress: a smaller and faster bundle of a bundle, held to its accuracy on cases that its members never saw."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.compress import auto, report, trial, writing
from vesalius.compress.auto import Found, Wanted
from vesalius.compress.opened import Opened, Reading, opened
from vesalius.compress.report import Compression
from vesalius.compress.trial import BUNDLE, ORIGINAL, Bench
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import DataError, OutputError, PlanError
from vesalius.core.progress import Progress, watched
from vesalius.core.scorecard import Scorecard, save_scorecard
from vesalius.evaluate.answered import score_cases
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.plan.budget import seconds
from vesalius.run.finished import Run, bundle_of
from vesalius.run.grid import ASKED, CELLS
from vesalius.run.grid import opened as grid_opened
from vesalius.run.ready import Ready
from vesalius.run.stages import stages_of
from vesalius.run.workspace import untouched

__all__ = ["Compression", "compress"]

CARD, CACHE = "scorecard.json", "cache"
SHARE = 0.85  # of the time limit that trials may take; the rest is for what is made anew for the chosen one


def compress(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort | None = None,
    out: Path | str | None = None,
    *,
    target: float | str = 2.0,
    max_drop: float = 0.005,
    ways: str | Sequence[str] = "auto",
    time_limit: str | float | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    device: str | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Compression:
    """Write a smaller and faster bundle, whose answers are surely not worse by more than is allowed.

    Ways are tried in order of cost until one reaches the target. Each is held against the original on the cases of the
    members' own folds, which they never saw, paired by patient, and refused unless the upper bound of the drop is
    within `max_drop`. Calibration, thresholds, alarm, drift reference and self-test are made anew for the one that is
    chosen. Nothing is chosen by test cases.

    Args:
        bundle: The run that holds the bundle, or its path; a run's folder knows its data and its folds.
        data: The data that it learned from, where they are not where its run left them.
        out: A new folder for the compressed bundle, `compress.html` and `compress.json`.
        target: How many times the original's throughput at the planned batch, measured here: 2 or `"2x"`.
        max_drop: The largest drop of the figure by which members were chosen (AUC, Dice …) that is borne.
        ways: `auto`, or names of `vesalius compressors` between commas; `prune-filters+quantise-static` is one after
            the other.
        time_limit: How long it may take, such as `"30m"`.
        columns: What a table's columns are, as the run was told by default.
        layout: How to read the data, as the run was told by default.
        labels: What stands for what among classes and masks' values, as the run was told by default.
        split: A CSV with the columns `case,split`, as the run was told by default.
        device: Where ways that train do so: `cpu`, `cuda`; what is compressed is measured on the processor.
        resume: Go on in `out` where it was interrupted; no way is tried twice.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        What was tried, what it cost and why it was refused, and the compressed bundle.

    Raises:
        DataError: No way is allowed and gains anything; or nothing says which cases the members never saw.
        PlanError: This bundle cannot be compressed.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what was tried is kept, and `resume` goes on.
    """
    began, shown = time.monotonic(), watched(progress)
    wanted = _wanted(target, max_drop, ways)
    original = bundle_of(bundle)
    if out is None:
        raise OutputError("nothing says where the compressed bundle goes", hint="out=, or -o NEW")
    folder = Path(out)
    for place in (original.path, *([Path(data)] if isinstance(data, str | Path) else [])):
        assert_apart(place, folder)
    _assert_free(folder, resume=resume)
    torch_threads.use(machines.measure().cores)
    reading = Reading(
        columns=columns, layout=layout, labels=labels, split=None if split is None else Path(split)
    )
    about = opened(original, data, reading, progress=shown)
    asked = {"bundle": original.hash, "data": about.space.cohort.hash, "target": about.plan.task.target}
    grid_opened(folder, asked)
    limit = None if time_limit is None else seconds(time_limit)
    bench = Bench(
        about,
        folder / CACHE,
        shown,
        device=device,
        until=None if limit is None else began + SHARE * limit,
    )
    try:
        found = auto.search(bench, folder, wanted)
        if not found.chosen:
            _refused(about, folder, found, wanted)
        made, lost = _finished(bench, folder, found)
        made, test = _tested(bench, made, folder)
    finally:
        shutil.rmtree(folder / CACHE, ignore_errors=True)
    result = _compression(about, folder, found, wanted, made=made, lost=lost, test=test)
    report.write(result)
    shutil.rmtree(folder / CELLS, ignore_errors=True)
    (folder / ASKED).unlink(missing_ok=True)
    return result


def _wanted(target: float | str, max_drop: float, ways: str | Sequence[str]) -> Wanted:
    """Return what is asked for. Raises PlanError for a target or a drop that is none, UnknownName for a way."""
    text = str(target).strip().lower().removesuffix("x")
    try:
        times = float(text)
    except ValueError as error:
        raise PlanError("a target is how many times the throughput", found=str(target), hint="2x") from error
    if not 1 <= times < 1e6:
        raise PlanError("a target is at least once the throughput", found=str(target), hint="2x")
    if not 0 <= max_drop < 1:
        raise PlanError("the largest drop lies between 0 and 1", found=str(max_drop), hint="0.005")
    names = auto.names_of(ways if isinstance(ways, str) else ",".join(ways))
    return Wanted(names=names, target=times, most=max_drop)


def _assert_free(folder: Path, *, resume: bool) -> None:
    """Raise OutputError where a folder holds something, or nothing to go on with."""
    if not resume:
        if (folder / ASKED).is_file():
            raise OutputError(f"{folder} holds a compression that was begun", hint="--resume, or another -o")
        untouched(folder)
    elif not (folder / ASKED).is_file():
        done = (folder / report.JSON).is_file()
        raise OutputError(
            f"there is nothing to go on with in {folder}",
            found="a finished compression" if done else None,
            hint="without --resume, and another -o" if done else "without --resume",
        )


def _refused(about: Opened, folder: Path, found: Found, wanted: Wanted) -> None:
    """Write the page of what was tried, without a bundle, and raise DataError that says why each was refused."""
    result = _compression(about, folder, found, wanted, made=None, lost=(), test={})
    report.write(result)
    first = trial.cost_of(found.original)
    said = []
    for one in found.tried:
        idle = one.verdict.passed and one.cost is not None and not auto.gains(first, one.cost)
        why = "neither faster nor smaller" if idle else one.verdict.why
        said.append(f"{one.name}: {why}")
    raise DataError(
        f"nothing was compressed: no way is allowed that gains anything; {folder / report.PAGE} says more",
        found="; ".join(said) or "no way to try",
        hint="a larger --max-drop with --resume, which tries nothing twice",
    )


def _finished(bench: Bench, folder: Path, found: Found) -> tuple[Bundle, tuple[str, ...]]:
    """Return the chosen bundle with all that must be made anew, and what could not be kept."""
    about = bench.opened
    one = found.named(found.chosen)
    tried = trial.bundle_of(folder / CELLS / one.name)
    said = trial.said_again(bench, tried)
    job = Ready(
        stages_of(tried.stages[0].plan)[0], about.space.task, tried.stages[0].state, bench.source.examples
    )
    record = {
        "from": about.bundle.hash,
        "ways": one.name,
        "changed": list(one.result["changed"]),
        "gate": one.verdict.why,
        "drop": one.result["drop"],
        "cost": one.result["cost"],
        "original": found.original["cost"],
    }
    made, lost = writing.finished(
        about,
        tried,
        folder / BUNDLE,
        job,
        held_out=said.held_out,
        about=record,
        device=trial.CPU,
        progress=bench.progress,
    )
    writing.keep_known(about, folder)
    return made, lost


def _tested(bench: Bench, made: Bundle, folder: Path) -> tuple[Bundle, dict[str, Any]]:
    """Return the bundle sealed with its own scorecard, and the figures of both on test cases, if there are any."""
    about = bench.opened
    cases = about.space.test
    if not cases:
        return writing.scored(made, about, None), {}
    cards = [_scored(bundle, bench) for bundle in (about.bundle, made)]
    save_scorecard(cards[1], folder / CARD)
    sealed = writing.scored(made, about, cards[1])
    sides = dict(zip((ORIGINAL, "compressed"), (report.figures_of(c.metrics) for c in cards), strict=True))
    return sealed, {**sides, "cases": cards[1].n_cases}


def _scored(bundle: Bundle, bench: Bench) -> Scorecard:
    about = bench.opened
    return score_cases(
        bundle,
        about.space.test,
        split="test",
        data_hash=about.space.cohort.hash,
        patients_known=about.space.cohort.patients_known,
        progress=bench.progress,
        device=trial.CPU,
        accept_mismatch=True,  # it is the run's own cohort
    )[1]


def _compression(
    about: Opened,
    folder: Path,
    found: Found,
    wanted: Wanted,
    *,
    made: Bundle | None,
    lost: Sequence[str],
    test: Mapping[str, Any],
) -> Compression:
    several = sum(bool(one.result) for one in found.tried)
    notes = [*about.notes, *(f"{text[0].upper()}{text[1:]}." for text in lost)]
    if several > 1 and found.chosen:
        notes.append(
            f"{several} variants were held against the same cases, so that the bound of the chosen one is a little "
            "too narrow."
        )
    hashes = {"original": about.bundle.hash, "data": about.space.cohort.hash}
    return Compression(
        path=folder,
        bundle=None if made is None else open_bundle(folder),
        found=found,
        name=about.bundle.name,
        answer=about.answer,
        figure=about.space.task.primary,
        target=wanted.target,
        most=wanted.most,
        notes=tuple(notes),
        test=test,
        hashes=hashes if made is None else {**hashes, "compressed": made.hash},
    )
