"""advise: what is expected of one patient under each treatment, and what argues against believing it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.disk import assert_apart, new_folder
from vesalius.core.errors import VesaliusError
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.run.advice.advising import advised
from vesalius.run.advice.result import Advice as Advice
from vesalius.run.advice.written import write_advice
from vesalius.run.finished import Run, bundle_of
from vesalius.run.stopping import all_or_nothing
from vesalius.run.wanted import the_one, wanted_of

__all__ = ["Advice", "advise"]


def advise(
    bundle: Run | Bundle | Path | str,
    source: Any,
    out: Path | str | None = None,
    *,
    case: str | None = None,
    covariates: Mapping[str, float | str] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
) -> Advice:
    """Say what is expected of one patient under each treatment that a bundle knows, and what argues against it.

    It recommends nothing. Which treatment the patient had plays no part.

    Args:
        bundle: A bundle of survival under several arms, the run that holds it, or the path of either.
        source: One patient as `predict` takes one, or a cohort of which `case` names one.
        out: A new folder for `advice.html` and `advice.json`.
        case: The id of the case that is meant, where there are several.
        covariates: What is known of the patient beside: `{"age": 61}`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Answer an image of another modality or unit than the bundle learned from, too.

    Returns:
        What is expected, gained, found and held against it.

    Raises:
        DataError: The bundle knows of one arm alone, one was given to too few, patients like this one had only one of
            them, or nothing is known of the event at the horizon.
        MismatchError: The image is of another kind than the bundle learned from.
        OutputError: `out` holds something.
    """
    if out is not None and isinstance(source, str | Path):
        assert_apart(Path(source), Path(out))
    opened = bundle_of(bundle)
    wanted = wanted_of(
        source,
        opened,
        layout=layout,
        columns=columns,
        covariates=covariates,
        accept_mismatch=accept_mismatch,
    )
    one = the_one(wanted, case)
    found = one.case if isinstance(one, Asked) else one
    if isinstance(found, VesaliusError):
        raise found
    torch_threads.use(machines.measure().cores)
    predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch)
    made = advised(predictor, found)
    folder = None if out is None else new_folder(Path(out), default="advice")
    with all_or_nothing(folder):
        if folder is not None:
            write_advice(made, folder)
    return made
