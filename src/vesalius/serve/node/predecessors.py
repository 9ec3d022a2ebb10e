"""References from a result to the earlier results that it replaces. Source: PS3.3 C.17.2, C.7.6.1.

A series is answered anew when images are added, or resent with changed content. The UIDs of results follow from the
images' UIDs; for images that were resent with changed content, from a digest of that content, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from vesalius.core.answers import Answer
from vesalius.serve.node.queue import Result


def with_revision(answer: Answer, changed: Mapping[str, str]) -> Answer:
    """Return the answer with the resent images that it used in `source.revision`.

    `changed`: SOP Instance UID → the digest of what the image holds now.
    """
    used = [f"{uid} {changed[uid]}" for uid in sorted(answer.source.sop_uids) if uid in changed]
    return replace(answer, source=replace(answer.source, revision="\n".join(used)))


def reference_predecessors(data: Dataset, former: Sequence[Result]) -> None:
    """Write into a result which earlier ones it replaces: reports have a sequence for it, images a comment."""
    if not former:
        return
    if data.Modality == "SR":
        study = Dataset()
        study.StudyInstanceUID = former[0].study_uid
        study.ReferencedSeriesSequence = [
            _series(uid, former) for uid in sorted({r.series_uid for r in former})
        ]
        data.PredecessorDocumentsSequence = [study]
    elif "Rows" in data:
        data.ImageComments = "Replaces " + ", ".join(r.sop_uid for r in former)


def _series(uid: str, former: Sequence[Result]) -> Dataset:
    made = Dataset()
    made.SeriesInstanceUID, made.ReferencedSOPSequence = uid, []
    for result in former:
        if result.series_uid == uid:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = result.sop_class, result.sop_uid
            made.ReferencedSOPSequence.append(item)
    return made
