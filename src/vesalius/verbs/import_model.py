"""import_model: a model that others trained, as a bundle that answers, is measured, explained and served like any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.disk import assert_apart
from vesalius.core.progress import Progress, watched
from vesalius.imports.bringing import bring
from vesalius.imports.contract import Told
from vesalius.imports.sealing import seal


def import_model(
    source: Path | str,
    out: Path | str,
    *,
    origin: str | None = None,
    task: str | None = None,
    labels: Mapping[int, str] | None = None,
    normalise: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Bundle:
    """Make a bundle of a model that another tool trained. Nothing of its files is run.

    The bundle says where it came from, that no scorecard of Vesalius's exists yet, and that its training cases are not
    known, so that an evaluation cannot tell whether some of them are among its own.

    Args:
        source: A folder of results of nnU-Net v2, a MONAI bundle, an ONNX file, or a file of weights of a registered
            net in the naming of torchvision, timm or MONAI.
        out: A new folder for the bundle.
        origin: What it is, where that cannot be told by itself; one of `vesalius origins`.
        task: The task that it answers, where it is not the usual one.
        labels: What its outputs are, by place or by a mask's value: `{0: "benign", 1: "malignant"}`.
        normalise: How its images were normalised, where the files do not say: `imagenet`, `zscore`, `none`, `0..255`,
            or a mean and a deviation, `120/60`.
        settings: Planned values that the files do not say, or say otherwise: `{"data.size": [1, 224, 224]}`.
        device: Where its self-test is recorded; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The bundle.

    Raises:
        BundleError: The files are damaged, hold a program, or a part that is done in no like way here, by its name.
        PlanError: Something is neither in the files nor told.
        OutputError: `out` holds something.
        UnknownName: There is no such origin, task or planned value.
    """
    shown = watched(progress)
    place, folder = Path(source), Path(out)
    assert_apart(place, folder)
    told = Told(task, dict(labels or {}), normalise, dict(settings or {}))
    _, brought = bring(place, told, origin=origin)
    made = seal(brought, folder, device=device)
    for note in brought.notes:
        shown.note(note)
    return made
