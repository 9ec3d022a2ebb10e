"""design: a part that fills a bone's defect and keeps rules, as a mesh that can be printed, with a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.disk import assert_apart, new_folder
from vesalius.core.progress import Progress, watched
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.run.design.designed import designed
from vesalius.run.design.given import given
from vesalius.run.design.missing import Sources
from vesalius.run.design.result import Design as Design
from vesalius.run.design.written import write_design
from vesalius.run.finished import Run
from vesalius.run.stopping import all_or_nothing

__all__ = ["Design", "design"]


def design(
    bone: Any,
    out: Path | str | None = None,
    *,
    by: str | None = None,
    model: Run | Bundle | Path | str | None = None,
    shape: Path | str | None = None,
    other: Any = None,
    missing: Any = None,
    rules: Mapping[str, Any] | None = None,
    axis: Sequence[float] | None = None,
    defect: int | None = None,
    threshold: float | None = None,
    label: int | None = None,
    other_label: int | None = None,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Design:
    """Design the part that fills a defect of a bone, and return it with what each rule measured.

    What is missing is found first; it is then made smooth, thick enough, with room to the bone, and free to be drawn
    out; and every rule is measured once more on the mesh. A part that breaks a rule is refused.

    Args:
        bone: The bone with its defect: a mask or a CT, as a path, an image or a case.
        out: A new folder for `implant.stl`, `implant.3mf`, `implant.nii.gz`, `design.json` and `design.html`.
        by: How what is missing is found: `model`, `shape`, `mirror`, `other-side` or `mask`; by default the best
            that is given.
        model: A bundle of the task `implant`.
        shape: A shape model.
        other: The healthy bone of the other side, on the same grid.
        missing: A mask of what is missing, where somebody drew it.
        rules: Values of the rules by `rule.value`: `{"clearance": 0.5, "fixation.places": 4}`; see
            `vesalius rules`.
        axis: The direction in LPS in which the part is drawn out; by default found.
        defect: Which of several defects, the largest is 1.
        threshold: The least value of bone; by default 200 HU of a CT, and what is not zero of a mask.
        label: Of a mask with several labels, that of the bone.
        other_label: The same of `other`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The design: its `surface` in LPS millimetres, its `mask`, its `measures`.

    Raises:
        DataError: There is no defect, several, or one at the field's edge; or a rule cannot be kept, which is named.
        OutputError: `out` holds something.
    """
    shown = watched(progress)
    for place in (x for x in (bone, other, missing) if isinstance(x, str | Path) and out is not None):
        assert_apart(Path(place), Path(str(out)))
    torch_threads.use(machines.measure().cores)
    sources = Sources(model, shape, other, missing, other_label, threshold, device)
    held = given(bone, threshold=threshold, label=label)
    folder = None if out is None else new_folder(Path(out), default="design")
    with all_or_nothing(folder):
        found = designed(held, sources, by=by, values=rules or {}, axis=axis, number=defect, progress=shown)
        if folder is not None:
            write_design(found, folder)
    return found
