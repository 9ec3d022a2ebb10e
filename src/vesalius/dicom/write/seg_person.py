"""A segmentation that a person drew: who, when, by hand or from a proposal (PS3.3 C.8.20.2, content creator).

Its series is its own, beside the models' results, and its UIDs follow from the id of what the person saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highdicom as hd

from vesalius.core.edit import Edit
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.sr_edit import date_and_time, person_name

_KIND = "SEG"


@dataclass(frozen=True, slots=True)
class DrawnBy:
    """Who drew a segmentation; `proposed` says that it began as a model's or a program's proposal."""

    edit: Edit
    proposed: bool = False

    @property
    def algorithm_type(self) -> Any:
        """Return how its segments came about, in the standard's words."""
        types = hd.seg.SegmentAlgorithmTypeValues
        return types.SEMIAUTOMATIC if self.proposed else types.MANUAL

    @property
    def description(self) -> str:
        """Return what it is, 64 characters at most."""
        return f"{'Drawn from a proposal' if self.proposed else 'Drawn by hand'}, for {studies.RESEARCH}"

    def identity(self, study: studies.ResultStudy) -> dict[str, Any]:
        """Return what highdicom is told of its series and its object."""
        return {
            "series_instance_uid": study.uid(_KIND, "series", "drawn", self.edit.author),
            "sop_instance_uid": study.uid(_KIND, "instance", f"drawn {self.edit.id}"),
            "instance_number": self.edit.version,
        }

    def sign(self, made: Any) -> None:
        """Put the person and the time into an object. Raises OutputError for a name that DICOM cannot hold."""
        made.ContentCreatorName = person_name(self.edit.author)
        made.ContentDate, made.ContentTime = date_and_time(self.edit)
