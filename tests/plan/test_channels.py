"""Channels that are unlike: each by its own values, which are computed by hand; those that are alike as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Image
from vesalius.plan.facts import Facts, facts, width_px
from vesalius.plan.fingerprint import ChannelPrint, Fingerprint, fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import draft_plan
from vesalius.plan.summary import summary
from vesalius.tasks import contract as tasks

CPU = Machine(2, 8 << 30, None, 0, False)
MASK = TargetInfo("mask", "mask", (Label(1, "lesion"),))
RGB = ("red", "green", "blue")


def printed(cases: list[Case], measured: dict[str, Facts]) -> Fingerprint:
    cohort = Cohort(Path(), "table", tuple(cases), {"mask": MASK})
    return fingerprint(summary(cohort, measured, cases, MASK), MASK)


def planned(prints: Fingerprint) -> tuple[list[dict[str, object]], str]:
    plan = draft_plan(tasks.get("segment"), MASK, prints, CPU)
    return [n.model_dump(exclude_none=True, exclude={"masked"}) for n in plan.data.normalise], plan.reasons[
        "data.normalise"
    ]


def checkered(values: list[tuple[int, int]], *, depth: int = 1) -> Image:
    """Channels that are one value on half of the pixels and another on the other half: their mean and deviation."""
    board = (np.indices((depth, 32, 32)).sum(axis=0) % 2).astype(bool)
    channels = [np.where(board, a, b) for a, b in values]
    return Image(np.stack(channels).astype(np.uint8), channels=RGB[: len(values)])


@pytest.mark.parametrize("depth", [1, 8])
def test_each_of_three_unlike_channels_has_its_own_mean_and_deviation(depth: int) -> None:
    """10 and 20 have mean 15 and deviation 5; 50 and 150: 100 and 50; 190 and 210: 200 and 10. In 2-D and 3-D."""
    image = checkered([(10, 20), (50, 150), (190, 210)], depth=depth)
    mask = Image(np.zeros((1, depth, 32, 32), np.uint8))
    mask.array[..., 8:16, 8:16] = 1
    cases = [Case(f"c{k}", {"image": image}, reference="image", targets={"mask": mask}) for k in range(3)]
    prints = printed(cases, {c.id: facts(image, mask, case=c, seed=3) for c in cases})
    assert [c.mean for c in prints.each] == pytest.approx([15, 100, 200], abs=1.0)  # of 20,000 random pixels
    assert [c.sd for c in prints.each] == pytest.approx([5, 50, 10], rel=0.02)
    entries, why = planned(prints)
    for entry, mean, sd in zip(entries, (15, 100, 200), (5, 50, 10), strict=True):
        assert entry == {
            "method": "fixed",
            "low": 0.0,
            "high": 255.0,
            "mean": pytest.approx(mean, abs=1.0),
            "sd": pytest.approx(sd, rel=0.02),
        }
    assert "unlike" in why


def test_colours_that_are_alike_share_one_scale_as_before() -> None:
    image = checkered([(60, 160), (50, 150), (70, 150)])
    mask = Image(np.ones((1, 1, 32, 32), np.uint8))
    cases = [Case("a", {"image": image}, reference="image", targets={"mask": mask})]
    prints = printed(cases, {"a": facts(image, mask, case=cases[0])})
    entries, why = planned(prints)
    assert (
        entries == [{"method": "fixed", "low": 0.0, "high": 255.0, "mean": prints.mean, "sd": prints.sd}] * 3
    )
    assert "share one scale" in why


def test_a_second_image_is_clipped_by_its_own_values_and_not_by_the_first_ones() -> None:
    """CT in Hounsfield units beside PET without a unit: the PET is normalised by itself, and not to -100 … 200."""
    rng = np.random.default_rng(0)
    ct = Image(rng.normal(40, 30, (1, 6, 16, 16)).astype(np.float32), spacing_mm=(1, 1, 1), unit="HU")
    pet = Image(rng.gamma(2, 2000, (1, 6, 16, 16)).astype(np.float32), spacing_mm=(1, 1, 1))
    mask = Image(np.ones((1, 6, 16, 16), np.uint8), spacing_mm=(1, 1, 1))
    case = Case("a", {"ct": ct, "pet": pet}, reference="ct", targets={"mask": mask})
    prints = printed([case], {"a": facts(ct, mask, case=case, beside={"pet": pet})})
    entries, _ = planned(prints)
    assert prints.images == ("ct", "pet")
    assert entries[0]["method"] == "fixed" and entries[0]["high"] == pytest.approx(
        117, abs=12
    )  # 40 + 2.576 × 30
    assert entries[1] == {"method": "zscore"}


def test_phases_of_one_ct_have_their_own_reach_inside_the_labels() -> None:
    shape = (1, 6, 16, 16)
    native = Image(np.full(shape, 40.0, np.float32) + np.arange(16), spacing_mm=(1, 1, 1), unit="HU")
    late = Image(np.full(shape, 240.0, np.float32) + np.arange(16), spacing_mm=(1, 1, 1), unit="HU")
    mask = Image(np.ones(shape, np.uint8), spacing_mm=(1, 1, 1))
    case = Case("a", {"native": native, "late": late}, reference="native", targets={"mask": mask})
    prints = printed([case], {"a": facts(native, mask, case=case, beside={"late": late})})
    entries, _ = planned(prints)
    assert [e["mean"] for e in entries] == pytest.approx(
        [47.5, 247.5], abs=0.5
    )  # 40 and 240, and 0 to 15 beside
    assert prints.each[1].inside


def test_a_case_with_fewer_channels_leaves_the_plan_as_it_was() -> None:
    grey, colour = checkered([(10, 20)]), checkered([(10, 20), (50, 150), (190, 210)])
    mask = Image(np.ones((1, 1, 32, 32), np.uint8))
    cases = [
        Case(name, {"image": i}, reference="image", targets={"mask": mask})
        for name, i in (("a", grey), ("b", colour), ("c", colour))
    ]
    measured = {c.id: facts(c.images["image"], mask, case=c) for c in cases}  # type: ignore[arg-type]
    assert len(printed(cases, measured).each) == 3
    assert printed(cases[:1], {"a": measured["a"]}).each[0].sd == pytest.approx(5, rel=0.02)


def test_fingerprints_of_before_have_no_channels_and_plan_as_before() -> None:
    image = checkered([(10, 20), (50, 150), (190, 210)])
    mask = Image(np.ones((1, 1, 32, 32), np.uint8))
    case = Case("a", {"image": image}, reference="image", targets={"mask": mask})
    prints = replace(printed([case], {"a": facts(image, mask, case=case)}), each=())
    entries, why = planned(prints)
    assert entries == [entries[0]] * 3 and "share one scale" in why
    unlike = replace(prints, each=(ChannelPrint(None, 8, 0, 255, 15, 5),) * 2)  # not as many as are planned
    assert planned(unlike)[0] == entries


def test_the_width_of_a_line_and_of_a_disc() -> None:
    """A line 3 wide across 60: 2 · 180 / 120 = 3. A square of 10: 2 · 100 / 40 = 5. The thinnest label counts."""
    line = np.zeros((1, 64, 60), np.uint8)
    line[0, 20:23] = 1
    assert width_px(line) == pytest.approx(3.0)
    square = np.zeros((1, 64, 64), np.uint8)
    square[0, 20:30, 20:30] = 2
    assert width_px(square) == pytest.approx(5.0)
    both = np.concatenate([line, square[..., :60]], axis=1)
    assert width_px(both) == pytest.approx(3.0)
    square[0, 19, 20:24] = 1  # 4 of 104 pixels: an edge that blurred
    assert width_px(square) == pytest.approx(2 * 100 / 40)
    assert width_px(np.zeros((1, 8, 8), np.uint8)) is None
    assert width_px(np.ones((4, 8, 8), np.uint8)) is None
