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
from vesalius.core.progress import Progress, watched
from vesalius.core.registry import names
from vesalius.core.words import counted
from vesalius.explain import methods as known
from vesalius.explain.explanation import Check, Choices, Explanation
from vesalius.explain.explanation import explain as explanation
from vesalius.explain.stand_in import USUAL
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference
from vesalius.prepare.pixels import Pixels
from vesalius.run.explaining import Explanations as Explanations
from vesalius.run.explaining import Wanted, fill
from vesalius.run.finished import Run, bundle_of
from vesalius.run.ledger import Sheet
from vesalius.run.neighbours import FOLDER, beside
from vesalius.run.wanted import wanted_of

USUAL_METHODS = ("gradcam", "integrated-gradients", "shap-kernel")
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
            Shapley values of superpixels.
        ask: What is asked of the answer: `"tumour"`, `"region=2"`, `"box=1"`; by default what it says most of.
        samples: How many changed images a method may look at, by default its own number.
        pieces: Into how many superpixels (supervoxels in 3-D) the image is cut.
        stand_in: What stands where a part is taken away: `"blur"` or `"mean"`.
        check: How much each map is measured: `"none"`; `"usual"`, by deletion and insertion beside chance and the
            middle, and against models that learned nothing; `"full"`, by infidelity, stability and another seed, too.
        seed: Of all that is drawn.
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
    chosen = _methods(method)
    wanted = Wanted(
        methods=chosen,
        ask=ask,
        choices=Choices(samples=samples, pieces=pieces, away=stand_in, seed=seed, check=check),
        dicom=dicom,
    )
    opened = bundle_of(bundle)
    if out is not None and isinstance(source, str | Path):
        assert_apart(Path(source), Path(out))
    wanted_cases = wanted_of(
        source,
        opened,
        layout=layout,
        columns=columns,
        covariates=covariates,
        accept_mismatch=accept_mismatch,
    )
    cases = tuple(_sound(one) for one in wanted_cases.cases)
    predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch)
    index = beside(opened)
    if (
        isinstance(index, str) and (opened.path.parent / FOLDER).is_dir()
    ):  # one that does not fit is said at once
        shown.note(index)
    if out is None:
        if len(cases) != 1:
            raise DataError(
                f"{wanted_cases.where} holds {counted(len(cases), 'case')} that can be explained, not one",
                hint="explain(bundle, source, out) for a cohort",
            )
        one = with_reference(cases[0])
        return explanation(predictor, one, chosen, ask=ask, choices=wanted.choices, index=index)
    mark = wanted.mark(opened.hash)
    again = Sheet.again if resume else Sheet.new
    sheet = again(Path(out), mark, "explain")
    try:
        with held(sheet.folder):
            done = fill(
                sheet, predictor, cases, wanted_cases.set_aside, wanted=wanted, index=index, progress=shown
            )
    except UnknownName:  # what was asked for is wrong, not a case: nothing half-written stays
        if not sheet.answers.cases():
            sheet.discard()
        raise
    except KeyboardInterrupt as error:
        words = ["vesalius", "explain", str(opened.path), wanted_cases.where, "-o", str(out), "--resume"]
        kept = len(set(sheet.answers.cases()))
        raise Interrupted(
            f"interrupted; {kept} of {counted(len(cases), 'case')} are explained", hint=shlex.join(words)
        ) from error
    sheet.close()
    return done


def _sound(one: Case | Asked) -> Case:
    """Return the case of what was given. Raises what is wrong with it."""
    case = one.case if isinstance(one, Asked) else one
    if isinstance(case, VesaliusError):
        raise case
    return case


def _methods(named: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return the methods that are meant, each once. Raises UnknownName."""
    given = (named,) if isinstance(named, str) else tuple(named or USUAL_METHODS)
    if ALL in given:
        return tuple(names(known.KIND))
    for name in given:
        known.get(name)
    return tuple(dict.fromkeys(given))
