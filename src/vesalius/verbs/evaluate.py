"""evaluate: a bundle on a cohort, or any tool's masks or CSV against the truth; always with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vesalius import cohorts
from vesalius.answers import contract
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.bundle import Bundle, State, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.disk import new_folder
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.progress import Progress, watched
from vesalius.core.scorecard import Scorecard, save_scorecard
from vesalius.core.sealed import MANIFEST
from vesalius.core.subgroups import SMALLEST
from vesalius.core.words import counted
from vesalius.dicom.values.colours import chosen
from vesalius.evaluate.among import Among, experts_in, in_learned_labels, with_experts
from vesalius.evaluate.answered import score_cases
from vesalius.evaluate.factors import with_factors
from vesalius.evaluate.fairness import assert_columns, with_subgroups
from vesalius.evaluate.foreign import assert_drawn_on, foreign_answers, positive_class
from vesalius.evaluate.scoring import Tally, card_of, tally_for
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare.case import BLANK, load_reference
from vesalius.reliability.marks import Marks
from vesalius.run.finished import Run, bundle_of
from vesalius.run.past import past_of_bundle, past_of_predictions
from vesalius.run.spending import ANSWERING, Metered
from vesalius.run.stopping import all_or_nothing
from vesalius.run.tabular import assert_known_images, is_bare, target_of_columns, untold, with_sources
from vesalius.run.unseen import of_another_tool, trained_on, unseen
from vesalius.tasks import contract as tasks


def evaluate(
    what: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    split_file: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    by: Sequence[str] | None = None,
    smallest_group: int = SMALLEST,
    progress: Progress | bool | None = None,
) -> Scorecard:
    """Score a bundle, or any tool's predictions, on the cases of `data`.

    Cases that the bundle was trained on are left out where its run's folder tells which these are, unless `split`
    is "train"; the scorecard says how many, or that it could not be checked. The same holds for a folder that
    `predict` wrote, which names its bundle. Where columns called `expert NAME` say what single experts said of the
    same, the scorecard says whether the model is as good as one more expert.

    Args:
        what: A bundle or the run that holds it, or the path of either; or a folder of masks, or a table of
            probabilities or classes.
        data: A cohort with the truth, or its path as for `read`.
        out: A new folder for `scorecard.json` and `report.html`.
        split: Which cases to score: `train`, `val`, `test` or `all`; by default the declared test cases, or
            all.
        target: The truth, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        split_file: A CSV with the columns `case,split`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Score images of another modality or unit than the bundle learned from, too.
        by: Columns by whose groups every figure is given, too, such as `("sex", "age")`, or `("sex,age",)` for their
            combinations; by default those of people that there are (sex, age, site …), and `()` for none.
        smallest_group: Patients that a group must have for its figures to be given.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        Every figure with its 95 % interval and n, beside the trivial baseline of a bundle.

    Raises:
        DataError: No case has the target, or all were trained on; no case has a column to group by.
        MismatchError: No case is of the kind that the bundle learned from.
        BundleError: The bundle is damaged.
        Interrupted: Ctrl-C; nothing is left behind.
    """
    progress = watched(progress)
    torch_threads.use(machines.measure().cores)
    bundle = bundle_at(Path(what)) if isinstance(what, str | Path) else bundle_of(what)
    past = past_of_bundle(bundle) if bundle is not None else past_of_predictions(Path(str(what)))
    marks = Marks()
    if bundle is not None and is_bare(bundle):
        target = target or target_of_columns(bundle, columns)
        columns = untold(bundle, columns)
    elif bundle is not None:
        columns = with_sources(bundle, data, columns)
    with all_or_nothing():
        cohort = cohorts.open_cohort(
            data,
            layout=layout,
            columns=columns,
            split=split_file,
            target=target,
            labels=labels,
            max_set_aside=1.0,
        )
        if bundle is not None:
            assert_known_images(bundle, cohort)
            cohort = cohorts.with_joined(cohort, target or bundle.stages[-1].plan.task.target)
        assert_columns(by, cohort.cases, smallest_group)
        info = target_of(cohort, target, bundle)
        cohort, info = checked(
            cohort, info, bundle, marks if past is not None else None, progress, to_learn=False
        )
    name = info.name if info is not None else None
    experts = experts_in(cohort, name)
    if bundle is not None and experts:
        cohort = in_learned_labels(cohort, experts, learned_labels(bundle))
    if past is not None:
        choice = unseen(cohort, name, split, past, marks)
    else:
        choice = of_another_tool(cohort, name, split)
    folder = new_folder(Path(out), default="evaluation") if out else None
    with all_or_nothing(folder):
        if bundle is not None:
            with Metered(device) as metered:
                tally, card = score_cases(
                    bundle,
                    choice.cases,
                    split=choice.split,
                    data_hash=cohort.hash,
                    patients_known=cohort.patients_known,
                    progress=progress,
                    device=device,
                    target=name,
                    accept_mismatch=accept_mismatch,
                    smallest=smallest_group,
                    experts=experts,
                    training=() if past is None else trained_on(cohort, past, marks),
                    solid=True,
                )
            card = replace(card, energy={ANSWERING: metered.taken})
        elif info is not None:
            tally, card = score_foreign(
                Path(str(what)), choice.cases, cohort, info, choice.split, progress, experts
            )
        card = with_factors(choice.told(card), tally, cohort.covariates, bundle=bundle)
        card = with_subgroups(card, tally, by, smallest=smallest_group)
        if folder is not None:
            _write(card, folder, cohort, bundle, tally)
    return card


def checked(
    cohort: Cohort,
    info: TargetInfo | None,
    bundle: Bundle | None,
    marks: Marks | None,
    progress: Progress,
    *,
    to_learn: bool = True,
) -> tuple[Cohort, TargetInfo | None]:
    """Return the cohort after every case was decoded, and its target with the labels that its masks hold.

    Masks are in the label values that a bundle answers with. `marks` observe every case. With `to_learn=False` the
    cases are scored alone, and may hold none of the things that are looked for.
    """
    name = info.name if info is not None else None
    cohort = cohorts.check(
        cohort, target=name, progress=progress, max_set_aside=1.0, observe=marks, to_learn=to_learn
    )
    if name is None:
        return cohort, None
    kind = kinds.of(cohort.targets[name].kind)
    if bundle is not None and (kind.drawn or kind.spelled):
        cohort = kind.aligned(cohort, name, learned_labels(bundle))
    return cohort, cohort.targets[name]


def _write(card: Scorecard, folder: Path, cohort: Cohort, bundle: Bundle | None, tally: Tally) -> None:
    """Write scorecard and report."""
    from vesalius.run.reporting import write_evaluation

    write_evaluation(card, folder, cohort=cohort, bundle=bundle, tally=tally)
    save_scorecard(card, folder / "scorecard.json")


def bundle_at(path: Path) -> Bundle | None:
    """Return the bundle at a path, or None where predictions lie there."""
    if not path.exists():
        raise DataError(f"nothing at {path}", hint="a bundle, a run, or a folder or CSV of predictions")
    parts = (MANIFEST, "bundle", "bundle.json", "run.json")  # of a run without a bundle, opening it says so
    if any((path / p).exists() for p in parts):
        return open_bundle(path)
    return None


def target_of(cohort: Cohort, name: str | None, bundle: Bundle | None) -> TargetInfo | None:
    """Return the target to score against: the one named, else the one that was learned, else the only one that fits.

    None for a bundle that learned without a target, where none is named. Raises DataError where it is not of the kind
    that the bundle answers.
    """
    if bundle is None:
        return cohorts.select_target(cohort, name)
    plan, state = bundle.stages[-1].plan.task, bundle.stages[-1].state
    if name is None and plan.target is None:
        return None
    fit = tasks.get(plan.name).held_against(state)
    fitting = [t.name for t in cohort.targets.values() if t.kind in fit]
    if name is None and plan.target in fitting:
        name = plan.target
    elif name is None and len(fitting) < 2:
        name = next(iter(fitting or cohort.targets), None)
    info = cohorts.select_target(cohort, name)
    if info.kind not in fit:
        raise DataError(
            f"the bundle learned to {plan.name} and cannot be scored against target '{info.name}'",
            found=f"a target of kind {info.kind}, not {' or '.join(fit)}",
            hint=" or ".join(f"--target {n}" for n in fitting) or "data with the target that was learned",
        )
    _assert_units(info, state)
    known = [str(x["name"]) for x in state.values.get("labels", ())]
    if known:
        kinds.of(info.kind).assert_learned(info, known)
    return info


def _assert_units(info: TargetInfo, state: State) -> None:
    """Raise DataError where a number, or one of several, is in another unit than the bundle answers in."""
    each = state.values.get("numbers") if info.parts else {info.name: state.values}
    for part in info.parts or (info,):
        unit = ((each or {}).get(part.name) or {}).get("unit") or None
        if part.unit is not None and unit is not None and part.unit != unit:
            raise DataError(
                f"the bundle answers in {unit} and cannot be scored against target '{part.name}'",
                found=f"a target in {part.unit}",
                hint=f"a column in {unit}",
            )


def learned_labels(bundle: Bundle) -> tuple[Label, ...]:
    """Return the labels that a bundle of masks answers with."""
    return tuple(
        Label(int(x["value"]), str(x["name"])) for x in bundle.stages[-1].state.values.get("labels", ())
    )


def _shown(case: Case, info: TargetInfo) -> Image:
    """Return a case's image; one of a point for a case of a table without images, whose target is not drawn on any."""
    bare = not case.images and case.reference is None and not kinds.of(info.kind).drawn
    return BLANK if bare else load_reference(case)


def score_foreign(
    path: Path,
    cases: Sequence[Case],
    cohort: Cohort,
    info: TargetInfo,
    split: str,
    progress: Progress,
    experts: Sequence[str] = (),
) -> tuple[Tally, Scorecard]:
    """Score another tool's predictions on cases. Raises DataError where they do not lie on the images they answer."""
    kind = contract.for_target(info.kind).kind.__name__
    info = replace(info, labels=chosen(info.labels))
    found = foreign_answers(path, cases, info)
    tally = tally_for(kind)
    tally.solid = True
    tally.among = Among(experts, kind) if experts else None
    positive = positive_class(cases, info)
    if positive is not None:
        progress.note(
            f"positive class: '{positive}', by its name or its number of cases: predictions do not say"
        )
    missing = [c.id for c in cases if c.id not in found]
    if missing:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        progress.note(
            f"no prediction for {len(missing)} of {counted(len(cases), 'case')}, not counted: {shown}"
        )
    for case in cases:
        if case.id in found:
            reference, answer = _shown(case, info), found[case.id]
            assert_drawn_on(reference, answer, case.id)
            tally.add(case, answer, case.targets[info.name], None, reference)
    found.assert_sound()
    card = card_of(
        tally,
        kind,
        split=split,
        data_hash=cohort.hash,
        patients_known=cohort.patients_known,
        bundle="",
        target=info.name,
    )
    return tally, with_experts(card, tally.among)
