"""AbdomenPatient: one synthetic abdominal CT, whole and in memory, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vesalius.core.case import Box, Case
from vesalius.core.image import Array, Image
from vesalius.phantom.abdomen.acquisition import Acquisition
from vesalius.phantom.abdomen.experts import Drawing, draw_masks
from vesalius.phantom.abdomen.known import KnownPatient, outcome_truth
from vesalius.phantom.abdomen.streams import stream
from vesalius.phantom.abdomen.tissue import LESION, ORGANS, Densities

LABELS: Mapping[str, int] = {**ORGANS, "lesion": LESION}


@dataclass(frozen=True, eq=False, kw_only=True)
class AbdomenPatient(KnownPatient):
    """An abdominal CT whose truth is known.

    `image` (Z, Y, X) int16 in HU; `affine` maps the index (x, y, z) to LPS mm; `organs` (Z, Y, X) uint8 by
    ORGANS, where the liver includes its lesions; `lesions` (Z, Y, X) uint8, k + 1 where `lesion_facts[k]` is;
    `boxes[k]` encloses it.
    """

    image: Array
    affine: Array
    organs: Array
    lesions: Array
    boxes: tuple[Box, ...]
    densities: Densities
    acquisition: Acquisition

    @property
    def labels(self) -> Array:
        """Return the label map that is written: organs, with every lesion's voxels as LABELS['lesion']."""
        return np.where(self.lesions > 0, np.uint8(LESION), self.organs)

    @cached_property
    def experts(self) -> tuple[Drawing, ...]:
        """Return liver and lesions as three readers of known skill draw them; drawn when first asked for."""
        return draw_masks(
            stream(self.seed, self.index, "experts"),
            self.organs == ORGANS["liver"],
            self.lesions,
            spacing_mm=self.acquisition.spacing_mm,
            diagnosis=self.diagnosis,
        )

    def as_image(self) -> Image:
        """Return the CT as an Image in HU."""
        return Image(self.image[None], affine=self.affine, unit="HU", modality="CT")

    def as_mask(self) -> Image:
        """Return the label map as an Image."""
        return Image(self.labels[None], affine=self.affine)

    def as_case(self) -> Case:
        """Return a Case that holds its pixels: targets `class`, `mask`, `boxes` and `survival`."""
        return Case(
            self.id,
            {"image": self.as_image()},
            patient=self.patient,
            targets={
                "class": self.diagnosis,
                "mask": self.as_mask(),
                "boxes": self.boxes,
                **self.events,
            },
            covariates=self.covariates,
            report=None if self.clinic == "bare" else self.report_text,
        )

    @property
    def key_slice(self) -> int:
        """Return the axial index that shows the finding: most of the first lesion, or else most of the liver."""
        shown = self.lesions == 1 if self.lesion_facts else self.organs == ORGANS["liver"]
        return int(np.argmax(shown.sum(axis=(1, 2))))

    def truth(self) -> dict[str, Any]:
        """Return all that is known, as plain JSON values.

        Positions are LPS mm, boxes voxel indices `(z, y, x)` with the end excluded.
        """
        labels, scan = self.labels, self.acquisition
        return {
            "id": self.id,
            "patient": self.patient,
            "class": self.diagnosis,
            "covariates": self.covariates,
            "shape_zyx": list(self.image.shape),
            "spacing_mm_xyz": list(scan.spacing_mm),
            "rotation_deg_xyz": list(scan.rotation_deg),
            "affine_lps": [[round(float(v), 9) for v in row] for row in self.affine],
            "noise_hu": scan.noise_hu,
            "blur_mm": list(scan.blur_mm),
            "densities_hu": asdict(self.densities),
            "organ_ml": {name: self._ml(labels == value) for name, value in LABELS.items()},
            "lesions": [self._lesion_truth(k) for k in range(len(self.lesion_facts))],
            "report": dict(self.report),
            "experts": [_reader_truth(drawing) for drawing in self.experts],
            "outcome": outcome_truth(self.outcome, self.design),
        }

    def _ml(self, mask: Array) -> float:
        """Return the volume of a mask's voxels in millilitres."""
        voxel_ml = float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000
        return round(float(mask.sum()) * voxel_ml, 3)

    def _lesion_truth(self, k: int, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        box, drawn = self.boxes[k], {"voxel_ml": self._ml(self.lesions == k + 1), **(more or {})}
        return super()._lesion_truth(k, drawn) | {"box_zyx": [list(box.low), list(box.high)]}


def _reader_truth(drawing: Drawing) -> dict[str, Any]:
    return {
        "name": drawing.skill.name,
        "verdict": drawing.verdict,
        "detected": list(drawing.detected),
        "expected_liver_sensitivity": round(drawing.sensitivity, 9),
        "expected_liver_specificity": round(drawing.specificity, 9),
    }
