"""Proposals of what models say that never saw the case: labels, and regions of masks, that contradict their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius import cohorts
from vesalius.answers import contract
from vesalius.cohorts import cell_of
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted, listed
from vesalius.evaluate.standing import BEATEN, lead, standing
from vesalius.prepare.case import load_mask
from vesalius.reliability import label_errors
from vesalius.reliability.label_errors import LabelError, Noise
from vesalius.reliability.mask_errors import MaskErrors
from vesalius.run.cleaning.proposals import Proposal
from vesalius.run.finished import Run
from vesalius.run.out_of_fold import OutOfFold, on_own_folds

WRONG, REGION = "label error", "mask error"
WORST = 100  # regions of masks that are proposed


@dataclass(frozen=True)
class Doubted:
    """What the answers of members to their own folds say of the given labels, and what must be read with it."""

    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...] = ()


def doubts_about(info: TargetInfo) -> str | None:
    """Return why nothing can be said of labels of this kind; None where it can."""
    kind = kinds.of(info.kind)
    if kind.named or kind.drawn:
        return None
    return f"label errors are found among classes, grades, labels and masks, and '{info.name}' is of kind {info.kind}"


def doubted(
    run: Run, cohort: Cohort, info: TargetInfo, *, by: str, progress: Progress, device: str | None
) -> Doubted:
    """Return the label errors among the training cases of a run of folds, the surest first.

    Raises DataError for a kind of target of which nothing can be said.
    """
    said = doubts_about(info)
    if said is not None:
        raise DataError(said, hint="--no-fit to look for everything else")
    if kinds.of(info.kind).drawn:
        return _of_masks(run, cohort, info, progress=progress, device=device)
    return _of_labels(run.out_of_fold(), cohort, info, by)


def _of_labels(said: OutOfFold, cohort: Cohort, info: TargetInfo, by: str) -> Doubted:
    several = kinds.of(info.kind).several
    names = [n.removeprefix("p_") for n in (said.rows[0] if said.rows else ()) if n.startswith("p_")]
    cases = {c.id: c for c in cohort.cases}
    rows = [r for r in said.rows if r["case"] in cases and info.name in cases[r["case"]].targets]
    given = [kinds.of(info.kind).names_in(cases[r["case"]].targets[info.name]) for r in rows]
    known = [k for k, held in enumerate(given) if set(held) <= set(names)]
    rows, given = [rows[k] for k in known], [given[k] for k in known]
    if not rows:
        raise DataError(
            "no training case was answered out of fold", hint="more cases, or a longer --time-limit"
        )
    ids = [r["case"] for r in rows]
    p = np.array([[float(r[f"p_{name}"]) for name in names] for r in rows])
    if several:
        found = label_errors.find_several(ids, given, p, names, by=by)
        made = _relabelled(found.errors, cases, info)
    else:
        p = p / p.sum(axis=1, keepdims=True)  # they were written with six digits
        found = label_errors.find(ids, [held[0] for held in given], p, names, by=by)
        made = [_proposal(error, cases[error.case], info) for error in found.errors]
    weak = _weakness(said.scorecard)
    if weak:  # such models contradict right labels as gladly as wrong ones
        made = [replace(one, accept=False) for one in made]
    notes = (weak, *_noise_words(found.noise, info), *(b.text for b in said.scorecard.banners))
    return Doubted(tuple(made), tuple(filter(None, notes)))


def _weakness(card: Scorecard) -> str:
    """Return in a sentence that models do not surely know more than the trivial answer; nothing where they do."""
    name = lead(card, [n for n in contract.of(card.answer).headlines if n in card.metrics])
    stands = None if name is None else standing(card, name)
    if name is None or stands == BEATEN:
        return ""
    found = card.metrics[name]
    value = "none" if found.value is None else f"{found.value:.3f}"
    span = "" if found.low is None or found.high is None else f" ({found.low:.3f} to {found.high:.3f})"
    called = contract.of(card.answer).metric_names.get(name, name.replace("_", " "))
    return (
        f"the models do not surely know more than the trivial answer, out of fold: {called} {value}{span}; so none of "
        "their label errors is accepted: look at each, or have better models by more cases or a longer --time-limit"
    )


def _proposal(error: LabelError, case: Case, info: TargetInfo) -> Proposal:
    """Return what is proposed of one case: the likely label where that is likely enough, else that it goes."""
    sure = error.confident
    likely = f"'{error.likely}' has {error.p_likely:.2f}, the given '{error.given}' {error.p_given:.2f}"
    why = f"of a model that never saw the case, {likely}"
    return Proposal(
        accept=True,
        case=case.id,
        kind=WRONG,
        action="relabel" if sure else "drop",
        reason=why if sure else f"{why}; neither is likely enough to be taken",
        target=info.name,
        was=cell_of(info, case.targets[info.name]),
        becomes=error.likely if sure else "",
        evidence=error.margin,
        patient=case.patient or "",
    )


def _relabelled(errors: Sequence[LabelError], cases: dict[str, Case], info: TargetInfo) -> list[Proposal]:
    """Return one proposal a case with all its labels that are doubted; it is dropped where one is not sure."""
    by_case: dict[str, list[LabelError]] = {}
    for error in errors:
        by_case.setdefault(error.case, []).append(error)
    order = [x.name for x in info.labels]
    made = []
    for case_id, own in by_case.items():
        case = cases[case_id]
        held = set(kinds.of(info.kind).names_in(case.targets[info.name]))
        for error in own:
            held = held | {error.label} if error.likely == "yes" else held - {error.label}
        sure = all(error.confident for error in own)
        said = listed([f"{e.label}: {e.likely} {e.p_likely:.2f}, given {e.given}" for e in own], 4)
        made.append(
            Proposal(
                accept=True,
                case=case.id,
                kind=WRONG,
                action="relabel" if sure else "drop",
                reason=f"of a model that never saw the case, {said}",
                target=info.name,
                was=cell_of(info, case.targets[info.name]),
                becomes=json.dumps([n for n in order if n in held]) if sure else "",
                evidence=max(error.margin for error in own),
                patient=case.patient or "",
            )
        )
    return made


def _noise_words(noise: Mapping[str, Noise], info: TargetInfo) -> list[str]:
    said = []
    for label, one in noise.items():
        of = f"'{info.name}'" + (f", {label}" if label else "")
        n = int(one.joint.sum())
        said.append(f"{of}: about {100 * one.share:.0f} % of {counted(n, 'label')} are estimated to be wrong")
        if one.small:
            said.append(f"{of}: too few cases have {listed(one.small, 4)} to say which of them are wrong")
    return said


def _of_masks(
    run: Run, cohort: Cohort, info: TargetInfo, *, progress: Progress, device: str | None
) -> Doubted:
    if run.bundle is None or run.path is None:
        raise DataError("a dry run has no answers out of fold", hint="fit without dry_run")
    folds = cohorts.load_assignment(run.path / "folds.json").folds
    gathered: MaskErrors | None = None
    for case, answer in on_own_folds(
        run.bundle, cohort, folds, progress=progress, device=device, levels=True
    ):
        target = case.targets.get(info.name)
        chances = contract.of(answer).chances(answer)
        if chances is None:
            raise DataError(
                f"{run.plan.task.name} does not say how likely each label is at each point",
                hint="--no-fit to look for everything else",
            )
        if not isinstance(target, Ref | Image):
            continue
        labels = run.bundle.stages[-1].state.values["labels"]
        names, values = [x["name"] for x in labels], [int(x["value"]) for x in labels]
        mask = load_mask(target)
        flat = bool(mask.shape[0] == 1)
        if gathered is None:
            gathered = MaskErrors(names, values, least=9 if flat else 27)
        gathered.see(case.id, mask.array[0], chances, mask.spacing_mm)
    if gathered is None:
        raise DataError(
            "no training case was answered out of fold", hint="more cases, or a longer --time-limit"
        )
    found = gathered.found()
    by_id = {c.id: c for c in cohort.cases}
    made = []
    for error in found.errors[:WORST]:
        z, y, x = ((a + b) // 2 for a, b in zip(error.low, error.high, strict=True))
        size = counted(error.voxels, "voxel")
        size += "" if error.volume_mm3 is None else f" ({error.volume_mm3:.3g} mm³)"
        made.append(
            Proposal(
                accept=False,
                case=error.case,
                kind=REGION,
                action="drop",
                reason=f"{size} about slice {z}, row {y}, column {x} are given {error.given}; a model that never saw "
                f"the case finds {error.likely} {error.margin:.2f} more likely",
                target=info.name,
                was=error.given,
                becomes=error.likely,
                evidence=error.evidence,
                place=",".join(map(str, (*error.low, *error.high))),
                patient=by_id[error.case].patient or "",
            )
        )
    notes = []
    if found.unknown:
        notes.append(
            f"the models do not know {listed(found.unknown, 4)} well enough to say where it is wrong in a mask"
        )
    if len(found.errors) > WORST:
        notes.append(f"{len(found.errors) - WORST} further regions with less evidence are left out")
    return Doubted(tuple(made), tuple(notes))
