"""evaluate: a bundle on a cohort, or any tool's masks or CSV against the truth; always with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from vesalius import cohorts
from vesalius.core.answer import Answer
from vesalius.core.bundle import MANIFEST, Bundle, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.disk import new_folder
from vesalius.core.errors import DataError, MismatchError, VesaliusError
from vesalius.core.learned import counted
from vesalius.core.progress import Progress, Silent
from vesalius.core.scorecard import Scorecard, save_scorecard
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.prepare.case import load_reference
from vesalius.tasks import _contract as tasks
from vesalius.verbs._foreign import foreign_answers, positive_class
from vesalius.verbs._scoring import Tally, card_of, tally_for
from vesalius.verbs._stopping import all_or_nothing
from vesalius.verbs.predict import answers

BASELINES = {
    "Scores": "how often each class occurs in training",
    "Mask": "the training-mean mask",
    "Value": "the training mean",
}


def evaluate(
    what: Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split_file: Path | str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    progress: Progress | None = None,
) -> Scorecard:
    """Score `what` (a bundle, or a folder or CSV of any tool's predictions) on the cases of `data`.

    `split` limits it to the cases that the data, or `split_file`, declares as such; by default the declared
    test cases, or all where there are none. With `out` the scorecard and a report are written there.
    Cases of another modality or unit than a bundle learned from are not scored unless `accept_mismatch`.
    Raises DataError where no case has the target, MismatchError where none is of the kind learned from, BundleError
    for a damaged bundle, Interrupted after Ctrl-C.
    """
    progress = progress or Silent()
    torch.set_num_threads(machines.measure().cores)
    bundle = what if isinstance(what, Bundle) else _bundle_at(Path(what))
    with all_or_nothing():
        if isinstance(data, Cohort):
            cohort = data
        else:
            cohort = cohorts.read(data, columns=columns, split=split_file, target=target, max_set_aside=1.0)
        info = _target(cohort, target, bundle)
        cohort = cohorts.check(cohort, target=info.name, progress=progress, max_set_aside=1.0)
    info = cohort.targets[info.name]  # with the labels that its masks were found to hold
    cases, name = _cases(cohort, info.name, split)
    folder = new_folder(Path(out), default="evaluation") if out else None
    with all_or_nothing(folder):
        if bundle is not None:
            tally, card = score_cases(
                bundle,
                cases,
                split=name,
                data_hash=cohort.hash,
                patients_known=cohort.patients_known,
                progress=progress,
                device=device,
                target=info.name,
                accept_mismatch=accept_mismatch,
            )
        else:
            tally, card = _score_foreign(Path(str(what)), cases, cohort, info, name, progress)
        if folder is not None:
            from vesalius.verbs._reporting import write_evaluation

            write_evaluation(card, folder, cohort=cohort, bundle=bundle, tally=tally)
            save_scorecard(card, folder / "scorecard.json")
    return card


def _bundle_at(path: Path) -> Bundle | None:
    """The bundle at a path, or None where predictions lie there."""
    if not path.exists():
        raise DataError(f"nothing at {path}", hint="a bundle, a run, or a folder or CSV of predictions")
    if (path / MANIFEST).is_file() or (path / "bundle").is_dir() or (path / "bundle.json").is_file():
        return open_bundle(path)
    return None


def _target(cohort: Cohort, name: str | None, bundle: Bundle | None) -> TargetInfo:
    """The target to score against: the one named, else the one that was learned, else the only one that fits.

    Raises DataError where it is not of the kind that the bundle answers.
    """
    if bundle is None:
        return cohorts.select_target(cohort, name)
    plan, state = bundle.stages[-1].plan.task, bundle.stages[-1].state
    several = state.values.get("kind") == "multilabel"
    kinds = [k for k in tasks.get(plan.name).targets if (k == "multilabel") == several]
    fitting = [t.name for t in cohort.targets.values() if t.kind in kinds]
    if name is None and plan.target in fitting:
        name = plan.target
    elif name is None and len(fitting) < 2:
        name = next(iter(fitting or cohort.targets), None)
    info = cohorts.select_target(cohort, name)
    if info.kind not in kinds:
        raise DataError(
            f"the bundle learned to {plan.name} and cannot be scored against target '{info.name}'",
            found=f"a target of kind {info.kind}, not {' or '.join(kinds)}",
            hint=" or ".join(f"--target {n}" for n in fitting) or "data with the target that was learned",
        )
    known = [str(x["name"]) for x in state.values.get("labels", ())]
    strange = [x.name for x in info.labels if x.name not in known]
    if info.kind != "mask" and strange:
        raise DataError(
            f"the bundle did not learn the class '{strange[0]}' of target '{info.name}'",
            hint=f"the classes that it learned: {', '.join(known)}",
        )
    return info


def _cases(cohort: Cohort, target: str, split: str | None) -> tuple[list[Case], str]:
    """The cases to score and what to call them. Raises DataError where there are none."""
    having = [c for c in cohort.cases if target in c.targets]
    if split is None:
        held = [c for c in having if c.split == "test"]
        chosen, name = (held, "test") if held else (having, "all")
    else:
        chosen, name = [c for c in having if c.split == split or split == "all"], split
    if not chosen:
        found = ", ".join(sorted({c.split or "no split" for c in having})) or "no case with the target"
        raise DataError(f"no case to score in split '{name}'", found=found, hint="--split all")
    return chosen, name


def score_cases(
    bundle: Bundle,
    cases: Sequence[Case],
    *,
    split: str,
    data_hash: str,
    patients_known: bool,
    progress: Progress,
    device: str | None,
    target: str | None = None,
    accept_mismatch: bool = False,
) -> tuple[Tally, Scorecard]:
    """Answer and score case after case; one is in memory at a time. A faulty case is noted and not counted.

    Raises MismatchError where no case is of the kind that the bundle learned from.
    """
    predictor = Predictor(bundle, device=device, accept_mismatch=accept_mismatch)
    stage, task = predictor.stages[-1].stage, predictor.stages[-1].task
    target = target or stage.plan.task.target
    tally, marks = tally_for(task.answer), 0
    refused: MismatchError | None = None
    for case, answer in answers(predictor, cases, progress=progress):
        truth = case.targets.get(str(target))
        if truth is None:
            continue
        if isinstance(answer, VesaliusError):
            refused = answer if isinstance(answer, MismatchError) else refused
            progress.note(f"not scored: {case.id}: {answer}")
            continue
        marks += bool(answer.outside)
        reference = load_reference(case)
        tally.add(case, answer, truth, task.trivial(stage.state, reference), reference)
    if refused is not None and not tally.cases:
        raise refused
    if marks:
        progress.note(f"of those scored, {counted(marks, len(tally.cases))}")
    card = card_of(
        tally,
        task.answer.__name__,
        split=split,
        data_hash=data_hash,
        patients_known=patients_known,
        bundle=bundle.hash,
        target=target,
        baseline_is=BASELINES.get(task.answer.__name__, ""),
    )
    return tally, card


def _score_foreign(
    path: Path, cases: Sequence[Case], cohort: Cohort, info: TargetInfo, split: str, progress: Progress
) -> tuple[Tally, Scorecard]:
    kind = "Mask" if info.kind == "mask" else "Value" if info.kind == "number" else "Scores"
    found: Mapping[str, Answer] = foreign_answers(path, cases, info)
    tally = tally_for(kind)
    positive = positive_class(cases, info)
    if positive is not None:
        progress.note(f"positive class: '{positive}', by its name or because it is the rarer one")
    missing = [c.id for c in cases if c.id not in found]
    if missing:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        progress.note(f"{len(missing)} of {len(cases)} cases have no prediction and are not counted: {shown}")
    for case in cases:
        if case.id in found:
            tally.add(case, found[case.id], case.targets[info.name], None, load_reference(case))
    card = card_of(
        tally,
        kind,
        split=split,
        data_hash=cohort.hash,
        patients_known=cohort.patients_known,
        bundle="",
        target=info.name,
    )
    return tally, card
