"""Masks of ids: read with their labels, never taken for labels or for a further image without a word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import cohorts, formats
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import InstanceMask
from vesalius.core.errors import DataError, GeometryError, UnknownName
from vesalius.core.image import Image
from vesalius.reliability.inspect import inspect


def disks(many: int, *, first: int = 1, side: int = 96) -> np.ndarray:
    """Ids of disks of radius 4 in a lattice, from `first` on."""
    y, x = np.mgrid[:side, :side]
    ids = np.zeros((side, side), np.uint16)
    for k in range(many):
        row, column = divmod(k, side // 10)
        ids[(y - 5 - 10 * row) ** 2 + (x - 5 - 10 * column) ** 2 <= 16] = first + k
    return ids


def written(
    folder: Path, counts: tuple[int, ...], *, table: bool, name: str = "cells", bare: int = 0
) -> Path:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / name).mkdir()
    rows = ["case,id,label"]
    for k, many in enumerate(counts):
        ids = disks(many)
        picture = rng.integers(0, 255, ids.shape).astype(np.uint8)
        Pil.fromarray(picture).save(folder / "images" / f"p{k}.png")
        Pil.fromarray(ids).save(folder / name / f"p{k}.png")
        rows += [f"p{k},{i},{'red' if i % 2 else 'white'}" for i in range(1 + bare, many + 1)]
    if table:
        (folder / name / "instances.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_table_beside_names_the_ids(tmp_path: Path) -> None:
    cohort = cohorts.read(written(tmp_path / "a", (40, 12, 7), table=True))
    info = cohort.targets["cells"]
    assert info.kind == "instances" and [x.name for x in info.labels] == ["red", "white"]
    value = cohort.case("p1").targets["cells"]
    assert isinstance(value, InstanceMask)
    assert value.label_of(1) == "red" and value.label_of(12) == "white" and value.label_of(13) is None
    assert np.array_equal(formats.read_ids(value).array[0, 0], disks(12))
    checked = cohorts.check(cohort)
    assert len(checked.cases) == 3 and checked.hash


@pytest.mark.parametrize("counts", [(40, 45, 50), (4, 12, 7)])
@pytest.mark.parametrize("name", ["cells", "masks"])
def test_ids_without_a_table_are_a_question(tmp_path: Path, counts: tuple[int, ...], name: str) -> None:
    cohort = cohorts.read(written(tmp_path / "a", counts, table=False, name=name))
    assert list(cohort.cases[0].images) == ["image"]  # not a further image
    with pytest.raises(DataError, match="may hold ids, one a thing, or labels") as refused:
        cohorts.check(cohort, target=name)
    assert f"--column instances={name}" in str(refused.value) and "--labels 1=1" in str(refused.value)


def test_a_person_says_that_they_are_ids(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (40, 45, 12), table=False)
    cohort = cohorts.check(cohorts.read(root, columns={"instances": "cells"}))
    info = cohort.targets["cells"]
    assert info.kind == "instances" and [x.name for x in info.labels] == ["instance"]
    with pytest.raises(UnknownName):
        cohorts.read(root, columns={"instances": "images/none"}, layout="paired")


def test_a_person_says_that_they_are_labels(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=False)
    cohort = cohorts.check(cohorts.read(root, labels={"1": "1"}))
    assert cohort.targets["cells"].kind == "mask" and len(cohort.targets["cells"].labels) == 12


def test_masks_of_labels_are_no_question(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (5, 5, 4), table=False)
    assert cohorts.check(cohorts.read(root)).targets["cells"].kind == "mask"


def test_a_column_of_a_table_names_masks_of_ids(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True)
    lines = ["image,cells,age"] + [f"images/p{k}.png,cells/p{k}.png,{30 + k}" for k in range(3)]
    (root / "all.csv").write_text("\n".join(lines) + "\n")
    cohort = cohorts.check(cohorts.read(root, columns={"instances": "cells"}))
    assert cohort.layout == "table" and cohort.targets["cells"].kind == "instances"
    assert [x.name for x in cohort.targets["cells"].labels] == ["red", "white"]


def test_ids_that_a_mask_of_eight_bits_cut_set_its_case_aside() -> None:
    whole = np.arange(400, dtype=np.uint16).reshape(1, 1, 20, 20)
    labels = dict.fromkeys(range(1, 400), "cell")
    fault = kinds.of("instances").fault
    cut = InstanceMask(Image((whole % 256).astype(np.uint8)), labels)
    assert (
        fault(cut, None)
        == "have no id above 255, and instances.csv has some up to 399: save more than 8 bits"
    )
    assert fault(InstanceMask(Image(whole), labels), None) is None
    hidden = InstanceMask(Image(np.minimum(whole, 300)), labels)
    assert fault(hidden, None) is None, "a thing may lie behind others"


def test_an_id_without_a_label_sets_its_case_aside(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True, bare=1)
    cohort = cohorts.check(cohorts.read(root), max_set_aside=1.0, strict=False)
    assert not cohort.cases and "have 1 id without a label (1)" in cohort.set_aside[0].reason


def test_another_grid_is_fatal(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True)
    Pil.fromarray(disks(12, side=80)).save(root / "cells" / "p1.png")
    with pytest.raises(GeometryError):
        cohorts.check(cohorts.read(root))


@pytest.mark.parametrize(
    "text", ["case,id\np0,1\n", "case,id,label\np0,x,red\n", "case,id,label\np0,1,red\np0,1,white\n",
     "case,id,label\np0,,red\n"],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True)
    (root / "cells" / "instances.csv").write_text(text)
    with pytest.raises(DataError, match=r"instances\.csv"):
        cohorts.read(root)


def test_the_hash_knows_the_labels(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True)
    first = cohorts.check(cohorts.read(root)).hash
    path = root / "cells" / "instances.csv"
    path.write_text(path.read_text().replace("p0,1,red", "p0,1,white"))
    assert cohorts.check(cohorts.read(root)).hash != first


def test_outlines_of_coco_are_drawn_as_ids(tmp_path: Path) -> None:
    """A square as a polygon, a column as run lengths, and a crowd as packed run lengths: 12 × 10 pixels."""
    rng = np.random.default_rng(0)
    square = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]
    runs = [10 * 7 + 0, 10, 120 - 80]  # all of column 7, of 12 columns of 10 rows
    for k in range(2):
        Pil.fromarray(rng.integers(0, 255, (10, 12)).astype(np.uint8)).save(tmp_path / f"{k}.png")
    outlines = [square, {"size": [10, 12], "counts": runs}, {"size": [10, 12], "counts": "T3d0"}]
    found = [
        {"id": 1 + k, "image_id": 0, "category_id": 1 + k % 2, "iscrowd": int(k == 2), "bbox": [1, 1, 4, 4],
         "area": 16, "segmentation": [o] if k == 0 else o}
        for k, o in enumerate(outlines)
    ]  # fmt: skip
    text = {
        "images": [{"id": k, "file_name": f"{k}.png", "width": 12, "height": 10} for k in range(2)],
        "annotations": found,
        "categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "white"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(text))
    cohort = cohorts.check(cohorts.read(tmp_path, target="instances"), target="instances", max_set_aside=1.0)
    info = cohort.targets["instances"]
    assert info.kind == "instances" and [x.name for x in info.labels] == ["red", "white"]
    value = cohort.case("0").targets["instances"]
    assert (
        isinstance(value, InstanceMask)
        and value.crowd == {3}
        and value.labels == {1: "red", 2: "white", 3: "red"}
    )
    ids = formats.read_ids(value).array[0, 0]
    want = np.zeros((10, 12), int)
    want[1:5, 2:6], want[:, 7], want[:, 10:] = 1, 2, 3
    assert np.array_equal(ids, want)
    empty = cohort.case("1").targets["instances"]
    assert isinstance(empty, InstanceMask) and not formats.read_ids(empty).array.any()


def test_labels_are_renamed_and_left_out(tmp_path: Path) -> None:
    root = written(tmp_path / "a", (4, 12, 7), table=True)
    cohort = cohorts.check(cohorts.read(root, labels={"red": "erythrocyte", "white": ""}))
    value = cohort.case("p1").targets["cells"]
    assert isinstance(value, InstanceMask) and value.label_of(1) == "erythrocyte"
    assert [x.name for x in cohort.targets["cells"].labels] == ["erythrocyte"] and 2 in value.crowd


def test_a_folder_that_is_said_to_hold_ids_is_read_as_masks_beside_images(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", (40, 45, 50), table=False)
    cohort = cohorts.read(folder, columns={"instances": "cells"})
    assert cohort.layout == "paired" and cohort.targets["cells"].kind == "instances"
    assert np.array_equal(formats.read_ids(cohort.case("p1").targets["cells"]).array[0, 0], disks(45))


def test_inspect_draws_things_by_label_and_leaves_a_line_where_two_touch(tmp_path: Path) -> None:
    cohort = cohorts.read(written(tmp_path / "a", (40, 12, 7), table=True))
    seen = inspect(cohort)
    values = next(t for t in seen.thumbs if t.case == "p1").small.values
    assert values is not None and set(np.unique(values)) == {0, 1, 2}, "the values of red and white, not ids"
    assert np.array_equal(values > 0, disks(12) > 0), "at its own size nothing is lost where nothing touches"
    halves = np.zeros((1, 1, 8, 8), np.uint8)
    halves[..., :4], halves[..., 4:] = 1, 2
    value = InstanceMask(Image(halves), {1: "red", 2: "red"})
    drawn = kinds.of("instances").shown(value, cohort.targets["cells"])
    assert drawn is not None and (drawn.array[0, 0] != 0).sum(axis=0).tolist() == [8, 8, 8, 0, 8, 8, 8, 8]
