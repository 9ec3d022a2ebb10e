"""degrade: how the figures of a bundle fall where images are worse, and whether a restoration in front of it helps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vesalius import cohorts
from vesalius.core import registry
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart
from vesalius.core.errors import DataError, UsageError
from vesalius.core.progress import Progress, watched
from vesalius.evaluate import degraded
from vesalius.evaluate.degraded import Degraded
from vesalius.infer.predictor import Predictor
from vesalius.infer.restored import assert_restores
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare import degradations
from vesalius.prepare.case import load
from vesalius.reliability.marks import Marks
from vesalius.run.degrade_table import Table
from vesalius.run.degrading import Level, Scored, cells
from vesalius.run.finished import Run, bundle_of
from vesalius.run.grid import carry_out, opened
from vesalius.run.past import past_of_bundle
from vesalius.run.tabular import assert_known_images, is_bare, untold, with_sources
from vesalius.run.unseen import Choice, unseen
from vesalius.verbs.evaluate import checked, target_of

__all__ = ["Degraded", "degrade"]


def degrade(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str,
    *,
    by: Sequence[str] | Mapping[str, Sequence[float]] | None = None,
    restore: Run | Bundle | Path | str | None = None,
    metric: str | None = None,
    loss: float | str = "10%",
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    split_file: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Degraded:
    """Score a bundle on the same cases with their images made worse, and return how its figures fall.

    Every figure has an interval, and its change one that is paired with the images as they are. Cases that the bundle,
    or the one that restores, was trained on are left out as far as that is known. Begun again with the same `out` it
    goes on where it was. One case is in memory at a time.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        data: A cohort with the truth, or its path as for `read`.
        out: A folder for `degrade.html`, `degrade.json` and the scorecard of each amount.
        by: Which of `vesalius degradations`, by default all that suit the images; or the amounts of each:
            `{"noise": [2, 5, 10]}`.
        restore: A bundle that makes an image of an image (`restore`), to be put in front; everything is measured with
            and without it.
        metric: The figure, such as `dice` or `dice/liver`; by default the first three of a report.
        loss: Where each curve crosses it is told: `"10%"` of the figure of images as they are, or `0.05` in the
            figure's own unit.
        split: Which cases: `val`, `test` or `all`; by default the declared test cases, or all.
        target: The truth, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        split_file: A CSV with the columns `case,split`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Score images of another modality or unit than the bundle learned from, too.
        resamples: How many times patients are drawn for intervals of differences.
        seed: Of the noise that is added.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        A curve for each degradation and figure: each amount, where the loss is crossed, from where on it is worse by
            its interval, and what a restoration changes.

    Raises:
        DataError: There is no truth, no case is left, or nothing can be made worse.
        UnknownName: There is no degradation or figure of that name.
        PlanError: What restores makes no image.
        OutputError: `out` holds something else, or something else was asked for there.
        Interrupted: Ctrl-C; what is finished is kept, and the same call goes on.
    """
    shown, folder = watched(progress), Path(out)
    share, relative = loss_of(loss)
    wanted = levels_of(by)
    model, first = bundle_of(bundle), None if restore is None else bundle_of(restore)
    for place in (model.path, *([Path(data)] if isinstance(data, str | Path) else [])):
        assert_apart(place, folder)
    torch_threads.use(machines.measure().cores)
    restorer = None if first is None else Predictor(first, device=device, accept_mismatch=True)
    if first is not None and restorer is not None:
        assert_restores(first, restorer)
    if columns is None and is_bare(model):
        target = target or model.stages[-1].plan.task.target
    columns = untold(model, columns) if is_bare(model) else with_sources(model, data, columns)
    cohort = cohorts.open_cohort(
        data,
        layout=layout,
        columns=columns,
        split=split_file,
        target=target,
        labels=labels,
        max_set_aside=1.0,
    )
    assert_known_images(model, cohort)
    cohort = cohorts.with_joined(cohort, target or model.stages[-1].plan.task.target)
    info = target_of(cohort, target, model)
    marks = Marks()
    cohort, info = checked(cohort, info, model, marks, shown)
    name = None if info is None else info.name
    choice, notes = _unseen_by(model, first, cohort, name, split, marks)
    levels, left_out = _fitting(wanted, choice.cases, asked=by is not None)
    opened(
        folder,
        {
            "bundle": model.hash,
            "restore": None if first is None else first.hash,
            "data": cohort.hash,
            "target": name,
            "cases": [c.id for c in choice.cases],
            "seed": seed,
            "accept_mismatch": accept_mismatch,
        },
    )
    job = Scored(
        bundle=model,
        cases=choice.cases,
        split=choice.split,
        data_hash=cohort.hash,
        patients_known=cohort.patients_known,
        target=name,
        seed=seed,
        device=device,
        accept_mismatch=accept_mismatch,
        restorer=restorer,
        told=choice.told,
    )
    filled = carry_out(folder, cells(job, levels), name="degrade", progress=shown)
    found = Table(folder, filled, share, relative, resamples, seed, metric, restored=restorer is not None)
    made = found.made(model, first, levels, notes=(*notes, *left_out))
    degraded.write(made, folder)
    return made


def loss_of(loss: float | str) -> tuple[float, bool]:
    """Return a loss, and whether it is a share of the clean figure. Raises UsageError."""
    text = str(loss).strip()
    relative = text.endswith("%")
    try:
        value = float(text.rstrip("% ")) / (100 if relative else 1)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise UsageError("a loss is a number above 0, or per cent", found=text, hint="0.05 or 10%")
    return value, relative


def levels_of(by: Sequence[str] | Mapping[str, Sequence[float]] | None) -> tuple[Level, ...]:
    """Return the amounts of each degradation, the mildest first. Raises UnknownName, and DataError for a bad amount."""
    chosen = list(by) if by is not None else list(registry.names(degradations.KIND))
    if not chosen:
        raise DataError("no degradation is asked for", hint="one of `vesalius degradations`")
    found = []
    for name in chosen:
        way = degradations.get(name)
        amounts = tuple(by[name]) if isinstance(by, Mapping) and by[name] else way.amounts
        for amount in amounts:
            way.assert_amount(amount, name)
        if min(amounts) < way.clean < max(amounts):
            raise DataError(
                f"amounts of '{name}' lie on both sides of {way.clean:g}, which changes nothing",
                found=", ".join(f"{a:g}" for a in amounts),
                hint="one side at a time",
            )
        found += [
            Level(name, a) for a in sorted(set(amounts), key=lambda a: abs(a - way.clean)) if a != way.clean
        ]
    return tuple(found)


def _fitting(levels: Sequence[Level], cases: Sequence[Case], *, asked: bool) -> tuple[list[Level], list[str]]:
    """Return the levels that suit the images, by the first case; and what was left out because nobody asked for it.

    Raises DataError for one that was asked for, or where none is left.
    """
    first = next((load(item) for item in cases[0].images.values()), None)
    if first is None:
        raise DataError(f"case {cases[0].id} has no image that could be made worse")
    kept, notes = [], {}
    for level in levels:
        try:
            degradations.get(level.name).assert_fits(first)
            kept.append(level)
        except DataError as error:
            if asked:
                raise
            notes[level.name] = f"{level.name} was left out: {error}"
    if not kept:
        raise DataError("no degradation suits these images", found="; ".join(notes.values()))
    return kept, list(notes.values())


def _unseen_by(
    model: Bundle, restorer: Bundle | None, cohort: Cohort, name: str | None, split: str | None, marks: Marks
) -> tuple[Choice, list[str]]:
    """Return the cases that neither bundle was trained on, as far as that is known, and what must be said of them."""
    choice = unseen(cohort, name, split, past_of_bundle(model), marks)
    notes = [text for text in (choice.overlap, choice.banner) if text]
    if restorer is None:
        return choice, notes
    other = unseen(cohort, None, split, past_of_bundle(restorer), marks)
    ids = {c.id for c in other.cases}
    left = tuple(c for c in choice.cases if c.id in ids)
    if not left:
        raise DataError(
            "no case is left that neither the bundle nor what restores was trained on",
            hint="other data, or a split that both kept from training",
        )
    told = [f"of {restorer.name}, which restores: {text}" for text in (other.overlap, other.banner) if text]
    return replace(choice, cases=left), [*notes, *told]


def asked_levels(words: Sequence[str]) -> dict[str, list[float]]:
    """Return what `--by` asks for: `noise`, or `noise=2,5,10`. Raises UsageError."""
    found: dict[str, list[float]] = {}
    for word in words:
        name, sign, text = word.partition("=")
        try:
            found[name] = [float(part) for part in text.split(",") if part.strip()] if sign else []
        except ValueError as error:
            raise UsageError("amounts are numbers between commas", found=word, hint="noise=2,5,10") from error
    return found
