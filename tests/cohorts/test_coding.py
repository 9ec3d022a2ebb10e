"""What masks' values stand for: two encodings of one label, blurred edges, colours, what is ignored."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts, formats
from vesalius.core.case import IGNORED
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.prepare.case import load_mask
from vesalius.reliability.inspect import inspect

RNG = np.random.default_rng(0)


def disc(k: int, size: int = 32) -> Array:
    """One disc, another radius each time; `(Y, X)` of bools."""
    y, x = np.mgrid[:size, :size]
    found: Array = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (5 + k % 6) ** 2
    return found


def cohort_of(root: Path, draw: Callable[[int], Array], count: int = 12) -> Path:
    """Pictures in images/, masks of the same name in masks/."""
    for k in range(count):
        mask = draw(k)
        for folder, array in (
            ("images", RNG.integers(0, 255, mask.shape[:2], dtype=np.uint8)),
            ("masks", mask),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Picture.fromarray(array).save(root / folder / f"{k:02d}.png")
    return root


def masks(cohort: Cohort) -> list[Array]:
    return [load_mask(c.targets["masks"]).array[0, 0] for c in cohort.cases]  # type: ignore[arg-type]


def labels(cohort: Cohort) -> list[tuple[int, str]]:
    return [(x.value, x.name) for x in cohort.targets["masks"].labels]


def test_masks_of_0_1_and_of_0_255_are_one_label(tmp_path: Path) -> None:
    root = cohort_of(tmp_path, lambda k: disc(k).astype(np.uint8) * (1 if k % 2 else 255))
    cohort = cohorts.check(cohorts.read(root))
    assert labels(cohort) == [(1, "1")]
    assert all(np.array_equal(m, disc(k)) for k, m in enumerate(masks(cohort)))
    assert any("6 masks hold 0 and 1 and 6 masks hold 0 and 255" in n for n in cohort.notes)
    again = cohorts.check(cohort)
    assert labels(again) == [(1, "1")] and again.hash == cohort.hash
    apart = cohorts.check(cohorts.read(root, labels={"255": "255"}))
    assert labels(apart) == [(1, "1"), (255, "255")] and apart.hash == cohort.hash
    named = cohorts.check(cohorts.read(root, labels={"255": "lesion"}))
    assert labels(named) == [(255, "lesion")] and np.array_equal(masks(named)[1], 255 * disc(1))
    summary = inspect(cohorts.read(root)).summary.targets[0]
    total = sum(int(disc(k).sum()) for k in range(12))
    assert [(x.name, x.cases, x.voxels) for x in summary.labels] == [("1", 12, total)]


def test_one_encoding_keeps_its_value_and_several_labels_in_a_mask_are_left(tmp_path: Path) -> None:
    cohort = cohorts.check(cohorts.read(cohort_of(tmp_path / "a", lambda k: disc(k).astype(np.uint8) * 255)))
    assert labels(cohort) == [(255, "255")]
    two = cohort_of(
        tmp_path / "b", lambda k: np.where(disc(0), 2, disc(k) * (255 if k % 2 else 1)).astype(np.uint8)
    )
    assert [v for v, _ in labels(cohorts.check(cohorts.read(two)))] == [1, 2, 255]
    ids = cohorts.check(
        cohorts.read(cohort_of(tmp_path / "c", lambda k: disc(k).astype(np.uint8) * (1 + k % 3)))
    )
    assert [v for v, _ in labels(ids)] == [1, 2, 3]


def test_other_values_that_differ_between_masks_are_asked(tmp_path: Path) -> None:
    root = cohort_of(tmp_path, lambda k: disc(k).astype(np.uint8) * (1 if k % 2 else 128))
    with pytest.raises(DataError, match="one label or several") as error:
        cohorts.check(cohorts.read(root))
    assert "6 masks hold 0 and 1 and 6 masks hold 0 and 128" in str(error.value)
    assert any(f.severity == "error" and "128=1" in f.hint for f in inspect(cohorts.read(root)).findings)
    assert labels(cohorts.check(cohorts.read(root, labels={"128": "1"}))) == [(1, "1")]
    assert labels(cohorts.check(cohorts.read(root, labels={"128": "cyst"}))) == [(1, "1"), (128, "cyst")]
    unknown = cohorts.check(cohorts.read(root, labels={"128": ""}))
    assert labels(unknown) == [(1, "1")] and masks(unknown)[0].min() == IGNORED


def as_jpeg(mask: Array) -> Array:
    """What JPEG makes of a mask, as somebody saves it to PNG afterwards."""
    data = io.BytesIO()
    Picture.fromarray(mask).save(data, "JPEG", quality=95)
    return np.asarray(Picture.open(data))


def test_blurred_edges_of_one_label_are_cut_at_half(tmp_path: Path) -> None:
    def big(k: int) -> Array:
        return np.kron(disc(k), np.ones((7, 7), np.uint8)) * np.uint8(255)

    cohort = cohorts.check(cohorts.read(cohort_of(tmp_path, lambda k: as_jpeg(big(k)), 6)))
    assert labels(cohort) == [(255, "255")]
    assert any("blurred edges of one label" in n for n in cohort.notes)
    for k, mask in enumerate(masks(cohort)):
        assert set(np.unique(mask)) == {0, 255}
        assert (mask != big(k)).mean() < 0.005
    mixed = cohort_of(tmp_path / "mixed", lambda k: as_jpeg(big(k)) if k % 2 else big(k) // 255, 6)
    assert labels(cohorts.check(cohorts.read(mixed))) == [(1, "1")]


@pytest.mark.parametrize("quality", [75, 90])
def test_masks_saved_as_jpeg_are_found_and_cut(tmp_path: Path, quality: int) -> None:
    """A JPEG of quality 75 has more than sixty values; the discs come back without one wrong pixel."""
    truths = []
    for k in range(6):
        y, x = np.mgrid[:200, :200]
        truths.append((y - 90) ** 2 + (x - 110) ** 2 < (40 + 6 * k) ** 2)
        arrays = {"images": RNG.integers(0, 255, (200, 200), dtype=np.uint8)}
        arrays["masks"] = truths[-1].astype(np.uint8) * np.uint8(255)
        for folder, array in arrays.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            Picture.fromarray(array).save(tmp_path / folder / f"{k}.jpg", quality=quality)
    cohort = cohorts.check(cohorts.read(tmp_path))
    assert labels(cohort) == [(255, "255")]
    assert all(np.array_equal(m == 255, t) for m, t in zip(masks(cohort), truths, strict=True))


def test_edges_that_are_most_of_a_label_are_asked(tmp_path: Path) -> None:
    def small(k: int) -> Array:
        return np.asarray(
            Picture.fromarray(disc(k).astype(np.uint8) * 255).resize((12, 12), Picture.Resampling.BOX)
        )

    root = cohort_of(tmp_path, small)
    with pytest.raises(DataError, match="between 0 and 255") as error:
        cohorts.check(cohorts.read(root))
    assert "128-255=1" in str(error.value)
    cohort = cohorts.check(cohorts.read(root, labels={"1-127": "0", "128-255": "1"}))
    assert labels(cohort) == [(1, "1")]
    assert all(np.array_equal(m, small(k) >= 128) for k, m in enumerate(masks(cohort)))


RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def coloured(k: int) -> Array:
    """A red disc; green in its middle in some, white in others."""
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[disc(k)] = RED
    rgb[14:18, 14:18] = (GREEN, WHITE)[k % 2]
    return rgb


def test_colours_are_labels_from_1_named_by_their_colour(tmp_path: Path) -> None:
    def draw(k: int) -> Array:
        rgb = coloured(k)
        return (
            np.where(rgb == 255, rgb, 0).astype(np.uint8)
            if k
            else (disc(k)[..., None] * WHITE).astype(np.uint8)
        )

    root = cohort_of(tmp_path, draw)
    cohort = cohorts.check(cohorts.read(root))
    assert labels(cohort) == [(1, "#00ff00"), (2, "#ff0000"), (3, "#ffffff")]
    assert [x.colour for x in cohort.targets["masks"].labels] == ["#00ff00", "#ff0000", "#ffffff"]
    assert any("1 is #00ff00, 2 is #ff0000, 3 is #ffffff" in n for n in cohort.notes)
    first, second, third = masks(cohort)[:3]
    assert np.array_equal(first, 3 * disc(0)) and second[15, 15] == 3 and third[15, 15] == 1
    assert (second == 2).sum() == disc(1).sum() - 16
    told = {"#00ff00": "lesion", "#ff0000": "lesion", "#ffffff": ""}
    named = cohorts.check(cohorts.read(root, labels=told))
    assert labels(named) == [(1, "lesion")] and masks(named)[1][15, 15] == IGNORED
    assert np.array_equal(masks(named)[2], disc(2))


def test_palettes_in_another_order_are_colours_and_in_one_order_indexes(tmp_path: Path) -> None:
    def draw(root: Path, *, turned: bool) -> Path:
        cohort_of(root, lambda k: disc(k).astype(np.uint8))
        for k, path in enumerate(sorted((root / "masks").glob("*.png"))):
            other = turned and k % 2
            indexes = disc(k).astype(np.uint8)
            made = Picture.frombytes("P", (32, 32), (1 - indexes if other else indexes).tobytes())
            made.putpalette([255, 0, 0, 0, 0, 0] if other else [0, 0, 0, 255, 0, 0])
            made.save(path)
        return root

    same = cohorts.check(cohorts.read(draw(tmp_path / "same", turned=False)))
    assert labels(same) == [(1, "1")] and np.array_equal(masks(same)[1], disc(1))
    turned = cohorts.check(cohorts.read(draw(tmp_path / "turned", turned=True)))
    assert labels(turned) == [(1, "#ff0000")]
    assert all(np.array_equal(m, disc(k)) for k, m in enumerate(masks(turned)))


def test_too_many_colours_are_no_labels(tmp_path: Path) -> None:
    def draw(k: int) -> Array:
        rgb = coloured(k)
        rgb[0, :6] = [[k * 6 + j, 7, 9] for j in range(6)]
        return rgb

    root = cohort_of(tmp_path, draw)
    with pytest.raises(DataError, match="too many colours"):
        cohorts.check(cohorts.read(root))

    def blurred(k: int) -> Array:
        seen = Picture.fromarray(np.kron(coloured(k), np.ones((6, 6, 1), np.uint8)))
        seen = seen.resize((150, 150), Picture.Resampling.BILINEAR)
        return np.asarray(seen) & 0xE0

    with pytest.raises(DataError, match="of them rare"):
        cohorts.check(cohorts.read(cohort_of(tmp_path / "few", blurred, 4)))


def test_a_field_of_view_saved_as_jpeg_ends_where_it_ends(tmp_path: Path) -> None:
    root = cohort_of(tmp_path, lambda k: disc(k).astype(np.uint8) * 255)
    view = np.kron(disc(3), np.ones((7, 7), np.uint8)) * np.uint8(255)
    cohort = cohorts.read(root)
    region = Image(as_jpeg(view)[None, None])
    wide = Image(np.zeros((1, 1, *view.shape), np.uint8))
    case = replace(cohort.cases[0], images={"image": wide}, targets={"masks": region}, region=region)
    checked = cohorts.check(replace(cohort, cases=(case,))).cases[0]
    assert isinstance(checked.region, Image) and np.array_equal(checked.region.array[0, 0], view > 0)


def test_masks_in_memory_are_coded_as_files_are(tmp_path: Path) -> None:
    root = cohort_of(tmp_path, lambda k: disc(k).astype(np.uint8) * (1 if k % 2 else 255))
    cohort = cohorts.read(root)
    cases = [
        replace(c, targets={"masks": formats.read_mask(c.targets["masks"])})  # type: ignore[arg-type]
        for c in cohort.cases
    ]
    checked = cohorts.check(replace(cohort, cases=tuple(cases)))
    assert labels(checked) == [(1, "1")]
    assert all(isinstance(c.targets["masks"], Image) for c in checked.cases)
    assert np.array_equal(masks(checked)[0], disc(0))
