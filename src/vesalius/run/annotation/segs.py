"""A drawing as a DICOM segmentation in the geometry of its series, with the annotator as content creator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Label
from vesalius.core.disk import output_errors
from vesalius.core.edit import Edit
from vesalius.prepare.case import load_reference
from vesalius.run.annotation.reading import Reading


def write_seg(reading: Reading, case: Case, labels: Sequence[Label], drawing: Path, path: Path) -> None:
    """Write a reading's drawing. Raises OutputError, GeometryError where its image cannot hold one."""
    from vesalius.dicom.write import seg
    from vesalius.dicom.write.seg_person import DrawnBy

    reference = load_reference(case)
    mask = Mask(
        case_id=case.id,
        image=formats.read_mask(Ref((drawing,))),
        labels=tuple(labels),
        source=reference.source,
        by=reading.annotator,
    )
    edit = Edit(id=reading.id, author=reading.annotator, at=reading.at, version=reading.version)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    seg.write(
        mask, path, source=reference, drawn=DrawnBy(edit, proposed=reading.start.kind in ("model", "click"))
    )
