"""explain: what the answers of a bundle rest on, as maps whose faithfulness was measured."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held
from vesalius.core.errors import DataError, Interrupted, UnknownName, VesaliusError
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress, watched
from vesalius.core.registry import names
from vesalius.core.words import counted
from vesalius.explain import methods as known
from vesalius.explain.contract import Method
from vesalius.explain.explanation import Check, Choices, Explanation
from vesalius.explain.explanation import explain as explanation
from vesalius.explain.looking import source_of
from vesalius.explain.stand_in import USUAL
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.plan.tables import IMAGELESS
from vesalius.prepare.case import with_reference
from vesalius.prepare.pixels import Pixels
from vesalius.prepare.sources import image_sources
from vesalius.run import relabelling
from vesalius.run.explaining import Explanations as Explanations
from vesalius.run.explaining import Wanted, fill
from vesalius.run.finished import TOLD, Run, bundle_of, opened
from vesalius.run.ledger import Sheet
from vesalius.run.neighbours import FOLDER, beside
from vesalius.run.wanted import wanted_of
from vesalius.tasks import contract as tasks
from vesalius.verbs.fit import fit

USUAL_METHODS = ("gradcam", "integrated-gradients", "shap-kernel")
PART_METHODS = ("sources", "frames")  # of models that join several sources, beside those of maps
OF_TABLES = "columns"  # the method of models of a table alone
ALL = "all"


def explain(
    bundle: Run | Bundle | Path | str,
    source: Path | str | Image | Case | Mapping[str, Any] | Pixels | Cohort,
    out: Path | str | None = None,
    *,
    method: Sequence[str] | str | None = None,
    ask: str | None = None,
    samples: int | None = None,
    pieces: int = 60,
    stand_in: str = USUAL,
    check: Check = "usual",
    seed: int = 0,
    against: Run | Bundle | Path | str | None = None,
    randomised_labels: str | float | None = None,
    dicom: bool = False,
    columns: Mapping[str, str] | None = None,
    covariates: Mapping[str, float | str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Explanation | Explanations:
    """Return what the answer to one case rests on; with `out`, write every case's maps into that folder.

    A map that does not depend on what was learned, or is no better than pointing at the middle of the image, is named
    and not written.

    Args:
        bundle: A run, a bundle, or the path of one.
        source: One thing as `predict` takes it: a path, an image, an array; or a cohort.
        out: A new folder: a page a case, the maps, and `explanations.csv`.
        method: Names of `vesalius explainers`, or `"all"`; by default class-activation maps, integrated gradients and
            Shapley values of superpixels, and of models of several sources what each source and each frame counts; of
            models of a table what each column counts.
            `"occlusion@xray"` is a map of the image of one source alone.
        ask: What is asked of the answer: `"tumour"`, `"region=2"`, `"box=1"`; by default what it says most of.
        samples: How many changed images a method may look at, by default its own number.
        pieces: Into how many superpixels (supervoxels in 3-D) the image is cut.
        stand_in: What stands where a part is taken away: `"blur"` or `"mean"`.
        check: How much each map is measured: `"none"`; `"usual"`, by deletion and insertion beside chance and the
            middle, against models that learned nothing, and by another seed where samples are drawn; `"full"`, by
            infidelity and stability, too.
        seed: Of all that is drawn.
        against: A model of the same question that learned from labels in a random order; a map that is the same of
            both does not hold.
        randomised_labels: Train such a model, for at most so long (`"2m"`, or seconds). It is kept in the folder of the
            run, whose data must be where they were, and is not trained again.
        dicom: Write a parametric map and a secondary capture, too, in the study of the source.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        covariates: What is known of each case, whatever a table says: `{"age": 61}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Explain answers to images of another modality or unit than the bundle learned from, too.
        resume: Go on in `out` where it was interrupted, as it was told then.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The explanation; with `out`, which cases were explained, which were not and why, and where all lies.

    Raises:
        DataError: There is no image, what is asked is not in the answer, or no method fits the model.
        UnknownName: There is no such method, label or stand-in.
        MismatchError: The image is of another kind than the bundle learned from.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what is finished is kept, and `resume` goes on.
    """
    shown = watched(progress)
    if randomised_labels is not None and against is not None:
        raise DataError(
            "a model of labels in a random order is trained, or given, not both",
            found=f"randomised_labels {randomised_labels} and against",
            hint="one of the two",
        )
    if randomised_labels is not None:
        against = _relabelled(bundle, randomised_labels, device, shown)
    other_model = None if against is None else bundle_of(against)
    model = bundle_of(bundle)
    chosen = methods_of(method, model)
    wanted = Wanted(
        methods=chosen,
        ask=ask,
        choices=Choices(samples=samples, pieces=pieces, away=stand_in, seed=seed, check=check),
        dicom=dicom,
        against=other_model.hash if other_model else None,
    )
    if out is not None and isinstance(source, str | Path):
        assert_apart(Path(source), Path(out))
    wanted_cases = wanted_of(
        source,
        model,
        layout=layout,
        columns=columns,
        covariates=covariates,
        accept_mismatch=accept_mismatch,
    )
    cases = tuple(_sound(one) for one in wanted_cases.cases)
    predictor = Predictor(model, device=device, accept_mismatch=accept_mismatch)
    other = (
        None
        if other_model is None
        else Predictor(other_model, device=device, accept_mismatch=accept_mismatch)
    )
    index = beside(model)
    if (
        isinstance(index, str) and (model.path.parent / FOLDER).is_dir()
    ):  # one that does not fit is said at once
        shown.note(index)
    if out is None:
        if len(cases) != 1:
            raise DataError(
                f"{wanted_cases.where} holds {counted(len(cases), 'case')} that can be explained, not one",
                hint="explain(bundle, source, out) for a cohort",
            )
        one = with_reference(cases[0])
        return explanation(
            predictor, one, chosen, ask=ask, choices=wanted.choices, index=index, against=other
        )
    mark = wanted.mark(model.hash)
    again = Sheet.again if resume else Sheet.new
    sheet = again(Path(out), mark, "explain")
    try:
        with held(sheet.folder):
            done = fill(
                sheet,
                predictor,
                cases,
                wanted_cases.set_aside,
                wanted=wanted,
                index=index,
                progress=shown,
                against=other,
            )
    except UnknownName:  # what was asked for is wrong, not a case: nothing half-written stays
        if not sheet.answers.cases():
            sheet.discard()
        raise
    except KeyboardInterrupt as error:
        words = ["vesalius", "explain", str(model.path), wanted_cases.where, "-o", str(out), "--resume"]
        kept = len(set(sheet.answers.cases()))
        raise Interrupted(
            f"interrupted; {kept} of {counted(len(cases), 'case')} are explained", hint=shlex.join(words)
        ) from error
    sheet.close()
    return done


def _relabelled(
    bundle: Run | Bundle | Path | str, limit: str | float, device: str | None, progress: Progress
) -> Bundle:
    """Return the model of labels in a random order of a run: as it lies in the run's folder, or trained now.

    Raises DataError where there is no run, or its data cannot be dealt anew, and what `fit` raises.
    """
    found = opened(bundle) if isinstance(bundle, Path | str) else bundle
    if not isinstance(found, Run):
        raise DataError(
            "labels in a random order need the run that a bundle is from, with its data",
            found="a bundle",
            hint="the run's folder, or --against with a bundle that learned from such labels",
        )
    place = relabelling.place(found)
    if (place / "scorecard.json").is_file():
        return bundle_of(place)
    again = (place / TOLD).is_file()
    progress.note(
        f"training on labels in a random order in {place}" + (", where it stopped" if again else "")
    )
    run = fit(
        relabelling.shuffled(found),
        place,
        target=found.plan.task.target or None,
        time_limit=limit,
        settings=None if again else relabelling.settings(found.plan),
        plan=None if again else found.plan,
        resume=again,
        device=device,
        progress=progress,
    )
    return bundle_of(run)


def _sound(one: Case | Asked) -> Case:
    """Return the case of what was given. Raises what is wrong with it."""
    case = one.case if isinstance(one, Asked) else one
    if isinstance(case, VesaliusError):
        raise case
    return case


def _of_parts(plan: Plan, joined: Sequence[str]) -> tuple[str, ...]:
    """Return the methods that say something of a model's sources and of their steps, where it has several."""
    several = (len(joined) > 1, bool(joined) and (plan.sources.timed or bool(plan.sources.courses)))
    return tuple(name for name, so in zip(PART_METHODS, several, strict=True) if so)


def methods_of(named: Sequence[str] | str | None, model: Bundle) -> tuple[str, ...]:
    """Return the methods that are meant, each once. Raises UnknownName.

    Of a model that sees images of several sources a method of maps is asked of each, as `occlusion@xray`, unless one
    is named.
    """
    plan, state = model.stages[-1].plan, model.stages[-1].state
    joined = tasks.get(plan.task.name).sources(state)
    bare = not joined and bool(plan.fingerprint.get(IMAGELESS))
    usual = (OF_TABLES,) if bare else (*USUAL_METHODS, *_of_parts(plan, joined))
    given = (named,) if isinstance(named, str) else tuple(named or usual)
    given = tuple(names(known.KIND)) if ALL in given else given
    images = image_sources(plan.data, plan.sources) if joined and plan.data.images else ()
    found: list[str] = []
    for name in given:
        method, source = source_of(name)
        maps = isinstance(known.get(method), Method)
        if source is not None and source not in images:
            raise UnknownName("source with images", source, images)
        several = maps and source is None and len(images) > 1
        found += [f"{name}@{image}" for image in images] if several else [name]
    return tuple(dict.fromkeys(found))
