"""PyRadiomics' own baselines: features equal them, but those whose definition differs, which are named."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from functools import cache
from typing import Any

import nrrd
import numpy as np
import pytest
from tests.conftest import SHARED

from vesalius.core.image import Array
from vesalius.radiomics.measure import measured_of
from vesalius.radiomics.region import Region, region
from vesalius.radiomics.settings import Settings

FOLDER = SHARED / "pyradiomics_cases"
CASES = ("brain1", "brain2", "breast1")  # those of which images are there
FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm", "shape", "shape2D")
MESHED = (
    "MeshVolume",
    "SurfaceArea",
    "SurfaceVolumeRatio",
    "Sphericity",
)  # of a mesh that is closed here: docs/radiomics.md
Row = tuple[str, str, str, float]  # case, what was asked, feature, value
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the baselines are not beside the project")


@cache
def image_of(case: str) -> tuple[Array, Array, Array]:
    """Return an image, its mask `(Z, Y, X)` and its spacing `(z, y, x)`."""
    image, head = nrrd.read(str(FOLDER / f"{case}_image.nrrd"))
    mask, _ = nrrd.read(str(FOLDER / f"{case}_label.nrrd"))
    return image.T, mask.T == 1, np.linalg.norm(head["space directions"], axis=1)[::-1]


def settings_of(told: dict[str, Any], family: str) -> Settings:
    """Return the settings that PyRadiomics had, in ours."""
    limits = told.get("resegmentRange")
    spacing = told.get("resampledPixelSpacing")
    return Settings(
        families=(family.lower(),),
        bin_width=told.get("binWidth") or 25,
        bin_count=told.get("binCount"),
        spacing_mm=tuple(spacing) if spacing else None,
        normalise=told.get("normalize", False),
        normalise_scale=told.get("normalizeScale", 1),
        range=tuple(limits) if limits and len(limits) == 2 else None,
        range_of="sigma" if told.get("resegmentMode") == "sigma" else "intensity",
        shift=told.get("voxelArrayShift", 0),
        flat=told.get("force2D", False),
        merged=told.get("weightingNorm") == "no_weighting",
    )


def asked_of(family: str) -> Iterator[tuple[str, Settings, int | None, dict[str, float]]]:
    """Yield each baseline: its case, settings, the slice that alone is measured, and the values by feature."""
    with (FOLDER / "baseline" / f"baseline_{family}.csv").open() as file:
        rows = {row["featureName"]: row for row in csv.DictReader(file)}
    for name in (n for n in next(iter(rows.values())) if n.partition("_")[0] in CASES):
        told = ast.literal_eval(rows["diagnostics_Configuration_Settings"][name])
        box = rows.get("diagnostics_Mask-corrected_BoundingBox", {}).get(name)
        values = {n: float(row[name]) for n, row in rows.items() if n.startswith("original") and row[name]}
        yield (
            name,
            settings_of(told, family),
            ast.literal_eval(box)[2] if family == "shape2D" else None,
            values,
        )


@cache
def region_of(case: str, settings: Settings, part: int | None) -> Region:
    values, mask, spacing = image_of(case)
    if part is not None:
        mask = np.where(np.arange(len(mask))[:, None, None] == part, mask, False)
    return region(values, mask, spacing, settings)


def ambiguous(body: Array) -> int:
    """Return at how many faces between voxels two opposite corners alone are inside."""
    padded, found = np.pad(body, 1), 0
    for axis in range(3):
        f = np.moveaxis(padded, axis, 0)
        a, b, c, d = f[:, :-1, :-1], f[:, :-1, 1:], f[:, 1:, :-1], f[:, 1:, 1:]
        found += int(((a == d) & (b == c) & (a != b)).sum())
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_features_equal_the_baselines(family: str) -> None:
    seen = 0
    for name, settings, part, wanted in asked_of(family):
        about = region_of(name.partition("_")[0], settings, part)
        found = measured_of(about, settings, settings.families)
        assert set(wanted) <= set(found)
        for feature, value in wanted.items():
            own = feature.rpartition("_")[2]
            meshed = family == "shape" and own in MESHED and ambiguous(about.body)
            near = {"rel": 5e-3} if meshed else {"rel": 1e-5, "abs": 1e-12}
            assert found[feature] == pytest.approx(value, **near), (name, feature)
            seen += 1
    assert seen >= 27


def test_only_masks_with_ambiguous_faces_have_another_mesh() -> None:
    """Where every face of the mesh is certain the surface is equal; in three of six masks one is not."""
    doubtful = [
        name
        for name, settings, part, _ in asked_of("shape")
        if ambiguous(region_of(name.partition("_")[0], settings, part).body)
    ]
    assert doubtful == ["brain1", "brain1_resampling", "brain2"]
