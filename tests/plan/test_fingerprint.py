"""Fingerprint: the medians that NumPy computes case by case, from summaries whole and merged; and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius.core import learned
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, MismatchError
from vesalius.core.image import Image
from vesalius.core.learned import Seen
from vesalius.core.statistics import Statistics
from vesalius.plan.facts import Facts, assert_shared_channels, facts
from vesalius.plan.fingerprint import Fingerprint, fingerprint
from vesalius.plan.summary import learned_from, summary

RNG = np.random.default_rng(0)
MASK = TargetInfo("mask", "mask", (Label(1, "liver"), Label(2, "left kidney")))
CLASS = TargetInfo("class", "class", (Label(0, "well"), Label(1, "ill")))


def volume(k: int, *, spaced: bool, unit: str | None, flat: bool = False) -> tuple[Image, Image]:
    """An image and its mask; sizes, spacings and values differ from case to case."""
    shape = (1 if flat else 4 + k % 5, 8 + k % 3, 9 + k % 4)
    array = RNG.normal(40 * k, 100 + k, (1, *shape))
    affine = np.diag([0.7 + 0.03 * k, 0.8 + 0.01 * k, 1.5 + (k % 4), 1.0]) if spaced else None
    mask = (RNG.random((1, *shape)) > 0.6).astype(np.uint8) * (1 + k % 2)
    return Image(array.astype(np.float32), affine=affine, unit=unit), Image(mask, affine=affine)


def measured(n: int, **how: Any) -> tuple[list[Case], dict[str, Facts]]:
    """Cases with masks, classes and covariates, and their facts."""
    cases, found = [], {}
    for k in range(n):
        image, mask = volume(k, **how)
        known = {"age": 50.5 + k, "sex": "FM"[k % 2], "site": float(k % 2), "dose": None if k % 3 else 1.25}
        if k == 0:
            del known["dose"]
        case = Case(
            f"c{k:02d}",
            {"CT": image},
            reference="CT",
            patient=f"p{k // 2}",
            targets={"mask": mask, "class": ("well", "ill")[k % 3 == 0]},
            covariates=known,
        )
        counted = tuple(
            (int(v), int(c)) for v, c in zip(*np.unique(mask.array, return_counts=True), strict=True)
        )
        cases.append(case)
        found[case.id] = replace(facts(image, mask, seed=k, case=case), voxels=counted)
    return cases, found


def cohort_of(cases: Sequence[Case], modalities: tuple[str, ...] = ()) -> Cohort:
    return Cohort(Path(), "table", tuple(cases), modalities=modalities, covariates=("age",))


def by_numpy(found: Sequence[Facts], *, inside: bool) -> Mapping[str, Any]:
    """What depends on medians, as it was computed before there were summaries: over rows, a row a case."""
    shapes, spacing = np.array([f.shape for f in found]), None
    spacings = [f.spacing_mm for f in found if f.spacing_mm is not None]
    if spacings:
        x, y, z = np.median(np.array(spacings), axis=0)
        spacing = (round(float(x), 6), round(float(y), 6), round(float(z), 6))
    if spacing is not None and len(spacings) == len(found) and (shapes[:, 0] > 1).any():
        own = np.array([s[::-1] for s in spacings])
        shapes = np.maximum((shapes * own / np.array(spacing[::-1])).round(), 1).astype(int)
    rows = [f.inside if inside else (f.low, f.high, f.mean, f.sd) for f in found]
    low, high, mean, sd = np.median(np.array(rows), axis=0)
    return {
        "shape_median": tuple(int(n) for n in np.median(shapes, axis=0).round().astype(int)),
        "shape_max": tuple(int(n) for n in shapes.max(axis=0)),
        "flat": bool((shapes[:, 0] == 1).all()),
        "spacing_median": spacing,
        "spacing_known": len(spacings) == len(found),
        "low": float(low),
        "high": float(high),
        "mean": float(mean),
        "sd": float(sd),
    }


HOW = {
    "pictures": {"spaced": False, "unit": None, "flat": True},
    "volumes": {"spaced": True, "unit": None},
    "ct": {"spaced": True, "unit": "HU"},
    "volumes without spacing": {"spaced": False, "unit": None},
}


@pytest.mark.parametrize("n", [1, 6, 11])
@pytest.mark.parametrize("name", HOW)
def test_medians_are_those_of_the_cases_to_the_bit(name: str, n: int) -> None:
    cases, found = measured(n, **HOW[name])
    prints = fingerprint(summary(cohort_of(cases), found, cases, MASK), MASK)
    expected = by_numpy(list(found.values()), inside=name == "ct")
    assert {k: getattr(prints, k) for k in expected} == expected
    assert (prints.cases, prints.patients, prints.inside, prints.sided) == (
        n,
        (n + 1) // 2,
        name == "ct",
        True,
    )
    counts = {v: sum(dict(f.voxels).get(v, 0) for f in found.values()) for v in (0, 1, 2)}
    assert prints.voxels == {
        "liver": counts[1] / sum(counts.values()),
        "left kidney": counts[2] / sum(counts.values()),
    }


def test_where_some_volumes_lack_a_spacing_sizes_are_as_they_are() -> None:
    cases, found = measured(5, **HOW["volumes"])
    found["c01"] = replace(found["c01"], spacing_mm=None)
    prints = fingerprint(summary(cohort_of(cases), found, cases, None), None)
    expected = by_numpy(list(found.values()), inside=False)
    assert {k: getattr(prints, k) for k in expected} == expected and not prints.spacing_known


def halves(cohort: Cohort, found: Mapping[str, Facts], target: TargetInfo) -> list[Statistics]:
    """Summaries of all cases, and of two halves merged in either order."""
    cases = cohort.cases
    whole, one, two = (summary(cohort, found, some, target) for some in (cases, cases[::2], cases[1::2]))
    return [whole, one.merged(two), two.merged(one)]


@pytest.mark.parametrize("target", [MASK, CLASS], ids=lambda t: t.name)
@pytest.mark.parametrize("name", HOW)
def test_merged_halves_have_the_fingerprint_and_the_record_of_the_whole(
    name: str, target: TargetInfo
) -> None:
    cases, found = measured(9, **HOW[name])
    whole, *merged = halves(cohort_of(cases), found, target)
    assert all(one == whole for one in merged)
    prints = fingerprint(whole, target)
    assert [fingerprint(one, target) for one in merged] == [prints, prints]
    assert [learned_from(one) for one in merged] == [learned_from(whole)] * 2
    assert list(prints.covariates) == ["age", "sex", "site", "dose"] and prints.covariates["age"].named
    assert prints.covariates["site"].category and prints.covariates["dose"].missing == 7
    if target is CLASS:
        assert prints.classes == {"ill": 3, "well": 6} and list(prints.classes) == ["ill", "well"]


def test_what_a_hospital_would_send_names_nobody_and_leads_to_the_same_plan() -> None:
    cases, found = measured(8, **HOW["ct"])
    cases = [replace(c, covariates={**c.covariates, "name": f"Mr {c.id}"}) for c in cases]
    whole, *_ = halves(cohort_of(cases), found, CLASS)
    sent = [
        Statistics.parse(summary(cohort_of(cases), found, some, CLASS).keyed(b"shared").json())
        for some in (cases[:3], cases[3:])
    ]
    assert fingerprint(sent[0].merged(sent[1]), CLASS) == fingerprint(whole, CLASS)
    text = str(sent[0].json())
    assert "Mr c" not in text and "'c0" not in text and "'p0'" not in text
    wide = fingerprint(sent[0].rounded(10).merged(sent[1].rounded(10)), CLASS)
    assert wide.shape_median == fingerprint(whole, CLASS).shape_median
    assert wide.mean == pytest.approx(fingerprint(whole, CLASS).mean, rel=2**-9)


def test_a_ct_that_only_its_author_declares_is_in_hounsfield_units() -> None:
    cases, found = measured(3, **HOW["volumes"])

    def prints(modalities: tuple[str, ...]) -> Fingerprint:
        return fingerprint(summary(cohort_of(cases, modalities), found, cases, None), None)

    assert prints(("CT",)).unit == "HU" and prints(("CT",)).inside
    assert prints(("CT", "MR")).unit is None and prints(()).unit is None
    both = [summary(cohort_of(cases, m), found, cases, None) for m in (("CT",), ("MR",))]
    assert fingerprint(both[0].merged(both[1]), None).unit is None, "what one hospital declares is not all"


def test_ranges_are_those_of_ranks_over_the_cases() -> None:
    seen = [Seen((1, 9 + k, 9), None, 0.1 * k, 7.3 + k**1.5, "DX") for k in range(7)]
    found = learned.summary(learned.statistics(seen), absolute=True)
    for name in ("darkest", "brightest"):
        expected = np.quantile([getattr(s, name) for s in seen], (0.005, 0.995))
        assert getattr(found, name) == pytest.approx(tuple(expected), abs=1e-6)
    assert found.flat is True and found.spacing_mm is None
    volumes = [*seen, Seen((4, 9, 9), None, 0.0, 1.0, "DX")]
    assert learned.summary(learned.statistics(volumes), absolute=True).flat is None


def test_cases_without_an_image_in_common_are_refused_in_words() -> None:
    image = Image(array=np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8))
    cases = [Case(f"c{k}", {name: image}, reference=name) for k, name in enumerate(["PA", "PA", "lateral"])]
    found = {c.id: facts(image, None) for c in cases}
    cohort = Cohort(root=Path(), layout="table", cases=tuple(cases))
    with pytest.raises(
        DataError, match="3 cases to learn from have no image in common; found 'PA' in 2, 'lateral' in 1"
    ):
        fingerprint(summary(cohort, found, cases, None), None)
    assert fingerprint(summary(cohort, found, cases[:2], None), None).images == ("PA",)


def test_different_channels_are_refused_with_a_case_where_cases_are_known() -> None:
    cases, found = measured(3, **HOW["volumes"])
    found["c01"] = replace(found["c01"], channels=4)
    with pytest.raises(MismatchError, match="1 channel in 2 cases, 4 channels in 1, such as c01"):
        assert_shared_channels(cases, found)
    with pytest.raises(MismatchError, match="4 channels in 1;"):
        fingerprint(summary(cohort_of(cases), found, cases, None), None)
