"""Images and masks in folders of folders: a mask is of the image in its own place, or of none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Ref

RNG = np.random.default_rng(5)


def write(path: Path, *, mask: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(RNG.integers(0, 2 if mask else 255, (9, 8), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("pattern", ["{role}/{place}", "{place}/{role}", "data/{role}/{place}/x"])
@pytest.mark.parametrize("places", [("day1", "day2"), ("train", "val"), ("a", "b", "c", "d")])
def test_masks_of_one_name_are_of_the_images_of_their_place(
    tmp_path: Path, pattern: str, places: tuple[str, ...]
) -> None:
    for place in places:
        for k in range(4):
            for role in ("images", "masks"):
                write(tmp_path / pattern.format(role=role, place=place) / f"P{k}.png", mask=role == "masks")
    (tmp_path / pattern.format(role="masks", place=places[1]) / "P3.png").unlink()
    cohort = cohorts.read(tmp_path, layout="paired")
    assert len(cohort.cases) == 4 * len(places) and len(cohort.targets) == 1
    (target,) = cohort.targets
    assert target.startswith("masks")
    assert {tuple(c.images) for c in cohort.cases} == {("image",)} and not cohort.set_aside
    bare = [c for c in cohort.cases if not c.targets]
    assert len(bare) == 1 and places[1] in bare[0].id
    for case in cohort.cases:
        image, mask = case.images["image"], case.targets.get(target)
        assert isinstance(image, Ref)
        if isinstance(mask, Ref):
            assert str(mask.paths[0]) == str(image.paths[0]).replace("images", "masks")
    assert {c.split for c in cohort.cases} == ({"train", "val"} if places[0] == "train" else {None})


def test_channels_in_folders_of_their_own_stay_images_of_one_case(tmp_path: Path) -> None:
    for k in range(4):
        for folder in ("images/t1", "images/t2", "masks/tumour"):
            write(tmp_path / folder / f"P{k}.png", mask="masks" in folder)
    cohort = cohorts.read(tmp_path)
    assert {tuple(c.images) for c in cohort.cases} == {("images/t1", "images/t2")}
    assert list(cohort.targets) == ["masks/tumour"]


@pytest.mark.parametrize("split", [False, True])
def test_images_in_sub_folders_are_one_group_over_a_flat_folder_of_masks(tmp_path: Path, split: bool) -> None:
    for above in ("train/", "test/") if split else ("",):
        for k in range(8):
            write(tmp_path / f"{above}images/s{k % 2}/p{k}.png", mask=False)
            write(tmp_path / f"{above}masks/p{k}.png", mask=True)
    cohort = cohorts.read(tmp_path)
    assert len(cohort.cases) == (16 if split else 8) and not cohort.set_aside
    for case in cohort.cases:
        image, mask = case.images["image"], case.targets["masks"]
        assert isinstance(image, Ref) and isinstance(mask, Ref)
        place = image.paths[0].parent.parent.parent
        assert mask.paths[0] == place / "masks" / image.paths[0].name


def test_channels_named_after_their_folders_stay_images_of_one_case(tmp_path: Path) -> None:
    for k in range(4):
        for folder in ("images/t1", "images/t2", "masks"):
            write(tmp_path / folder / f"P{k}_{folder[-2:]}.png", mask="masks" in folder)
    cohort = cohorts.read(tmp_path)
    assert [tuple(c.images) for c in cohort.cases] == [("images/t1", "images/t2")] * 4
    assert any("are read as several images of one case" in note for note in cohort.notes)
