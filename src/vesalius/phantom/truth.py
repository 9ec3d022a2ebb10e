"""Truth: everything that is known of a study, as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from vesalius.phantom.experts import EXPERT_LABELS, GRAIN_MM, SKILLS
from vesalius.phantom.study import LABELS, Study
from vesalius.phantom.survival import Formulas


def cohort_truth(seed: int, assignment: str) -> dict[str, Any]:
    """What holds for the whole cohort: labels, formulas and how treatment was assigned."""
    return {
        "made_by": "vesalius.phantom",
        "seed": seed,
        "labels": dict(LABELS),
        "assignment": assignment,
        "survival": Formulas().stated(),
        "experts": {
            "labels": dict(EXPERT_LABELS),
            "grain_mm": GRAIN_MM,
            "skills": [asdict(skill) for skill in SKILLS],
        },
    }


def case_truth(study: Study) -> dict[str, Any]:
    """What holds for one patient. Positions are LPS mm, boxes voxel indices `(z, y, x)` with the end excluded."""
    outcome, scan = study.outcome, study.acquisition
    voxel_ml = float(abs(np.linalg.det(study.affine[:3, :3]))) / 1000
    return {
        "id": study.id,
        "patient": study.patient,
        "class": study.diagnosis,
        "covariates": study.covariates,
        "shape_zyx": list(study.image.shape),
        "spacing_mm_xyz": list(scan.spacing_mm),
        "rotation_deg_xyz": list(scan.rotation_deg),
        "affine_lps": [[round(float(v), 9) for v in row] for row in study.affine],
        "noise_hu": scan.noise_hu,
        "blur_mm": list(scan.blur_mm),
        "densities_hu": asdict(study.densities),
        "organ_ml": {
            name: round(float((study.labels == value).sum()) * voxel_ml, 3) for name, value in LABELS.items()
        },
        "lesions": [
            {
                "kind": lesion.kind,
                "centre_mm_lps": list(lesion.centre_mm),
                "diameter_mm": round(2 * lesion.radius_mm, 3),
                "nominal_ml": round(lesion.nominal_ml, 3),
                "voxel_ml": round(float((study.lesions == k + 1).sum()) * voxel_ml, 3),
                "core_hu": lesion.core_hu,
                "rim_hu": lesion.rim_hu,
                "segment": finding.segment,
                "box_zyx": [list(box.low), list(box.high)],
            }
            for k, (lesion, box, finding) in enumerate(
                zip(study.lesion_facts, study.boxes, study.findings, strict=True)
            )
        ],
        "report": dict(study.report),
        "experts": [
            {
                "name": drawing.skill.name,
                "verdict": drawing.verdict,
                "detected": list(drawing.detected),
                "expected_liver_sensitivity": round(drawing.sensitivity, 9),
                "expected_liver_specificity": round(drawing.specificity, 9),
            }
            for drawing in study.experts
        ],
        "outcome": {
            "stage": outcome.stage,
            "burden": round(outcome.burden, 9),
            "eta": round(outcome.eta, 9),
            "theta": round(outcome.theta, 9),
            "propensity": round(outcome.propensity, 9),
            "treated": outcome.treated,
            "potential_days": {arm: round(t, 3) for arm, t in outcome.potential_days.items()},
            "censoring_days": round(outcome.censoring_days, 3),
            "time_days": outcome.time_days,
            "event": outcome.event,
            "survival": {arm: [round(float(s), 9) for s in curve] for arm, curve in outcome.curves.items()},
        },
    }
