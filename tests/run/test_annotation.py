"""Annotation's own pieces: runs, boxes, the store through crashes and full disks, and where a case stands."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import formats
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Array
from vesalius.run.annotation import runs
from vesalius.run.annotation.asks import boxes, mask
from vesalius.run.annotation.making import key_of
from vesalius.run.annotation.project import Ask, Project, ProjectCase, annotator_name, ids_tell
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.standing import Standing
from vesalius.run.annotation.store import (
    FILE,
    AnnotationStore,
    Conflict,
    Saving,
    drawing_name,
    readings_in,
)

TILTED = np.array([[0.9, -0.3, 0.1, 5], [0.3, -0.8, 0, -7], [0.1, 0, -2.5, 11], [0, 0, 0, 1]], float)
GRID = Header(shape=(3, 5, 4), dtype="uint8", affine=TILTED, spacing_mm=(0.95, 0.85, 2.5))


def saving(array: Array | None = None, **more: Any) -> Saving:
    content = {"class": "a"}
    drawn = {} if array is None else {"mask": array}
    plain: dict[str, Any] = {
        "case": "k1",
        "image": "i1",
        "annotator": "Ada",
        "caller": "local",
        "role": "reading",
        "seen": 0,
        "done": False,
        "seconds": 2.0,
        "grid": GRID,
        "content": content,
        "drawn": drawn,
    }
    return Saving(**plain | more)


def some(seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 3, GRID.shape, dtype=np.uint8)


def test_runs_come_back_as_they_were_and_run_along_x_first() -> None:
    array = np.zeros((2, 2, 3), np.uint8)
    array[0, 1, 0], array[1, 0, 2] = 1, 2
    assert runs.encoded(array) == {"shape": [2, 2, 3], "runs": [0, 3, 1, 1, 0, 4, 2, 1, 0, 3]}
    for seed in range(5):
        assert np.array_equal(runs.decoded(runs.encoded(some(seed)), GRID.shape), some(seed))


def test_boxes_in_common_are_counted_once_each_and_by_label() -> None:
    def box(x: float, wide: float = 10, label: str = "a") -> dict[str, Any]:
        return {"low": [0, 0, x], "high": [1, 10, x + wide], "label": label}

    assert boxes.in_common([], []) == 1.0
    assert boxes.in_common([box(0)], []) == 0.0
    assert boxes.in_common([box(0)], [box(0, label="b")]) == 0.0
    assert boxes.overlap(box(0), box(5)) == pytest.approx(1 / 3)  # 5 of 15
    assert boxes.in_common([box(0), box(50)], [box(1), box(2), box(51)]) == pytest.approx(2 * 2 / 5)


def test_masks_differ_below_a_share_of_overlap(tmp_path: Path) -> None:
    labels = (Label(1, "a"), Label(2, "b"))
    files = {}
    for name, wide in (("x", 4), ("y", 3), ("z", 1)):
        array = np.zeros(GRID.shape, np.uint8)
        array[:, :, :wide] = 1
        store = AnnotationStore(tmp_path / name, "p")
        store.save(saving(array))
        files[name] = store.drawing(drawing_name(array, GRID))
        store.close()
    differ = mask.KIND.differ
    assert differ({"A": "x", "B": "y"}, labels, files.__getitem__, below=0.8) is None  # 2 * 3 / (4 + 3)
    assert differ({"A": "x", "B": "z"}, labels, files.__getitem__, below=0.8) == {
        "dice": {"a": pytest.approx(0.4)}
    }


def test_a_drawing_lies_where_its_image_does(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")
    made = store.save(saving(some()))
    image = formats.read(store.drawing(made.content["mask"]))
    assert np.array_equal(image.array[0], some())
    assert image.affine is not None
    assert np.allclose(image.affine, TILTED, atol=1e-4)
    store.close()


def test_what_was_saved_is_there_again_and_a_line_that_was_cut_short_is_set_aside(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")
    first = store.save(saving(some()))
    second = store.save(saving(some(1), seen=1, done=True))
    with pytest.raises(OutputError, match="in use"):
        AnnotationStore(tmp_path, "p")
    store.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(second.line()[:40])
    (tmp_path / "drawings" / ".ab.tmp.x.nii.gz").write_bytes(b"half")
    again = AnnotationStore(tmp_path, "p")
    assert again.versions("k1", "Ada") == (first, second)
    assert again.mended is not None
    assert not list((tmp_path / "drawings").glob(".*"))
    third = again.save(saving(seen=2))
    again.close()
    assert [r.id for r in readings_in(tmp_path, "p")] == [first.id, second.id, third.id]
    with pytest.raises(FormatError, match="another project"):
        AnnotationStore(tmp_path, "q")


def test_a_line_that_went_missing_is_noticed(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")
    for k in range(3):
        store.save(saving(some(k), seen=k))
    store.close()
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(lines[0] + lines[2])
    with pytest.raises(FormatError, match="missing"):
        AnnotationStore(tmp_path, "p")


def test_the_same_again_is_no_new_version_and_another_is_a_conflict(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")
    first = store.save(saving(some()))
    assert store.save(saving(some(), seen=1)) == first
    assert store.save(saving(some(), seen=0)) == first  # as if the answer had been lost
    with pytest.raises(Conflict):
        store.save(saving(some(1)))
    assert store.save(saving(some(1), annotator="Bo")).version == 1
    store.close()


@contextmanager
def full(size: int) -> Iterator[None]:
    """Inside this block no file grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_saves_nothing_and_loses_nothing(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")
    kept = store.save(saving(some()))
    size = (tmp_path / FILE).stat().st_size
    with full(size + 100), pytest.raises(OutputError, match="no space"):
        store.save(saving(seen=1, note="n" * 500))
    with full(10), pytest.raises(OutputError, match="no space|too large"):
        store.save(saving(some(2), seen=1))
    assert (tmp_path / FILE).stat().st_size == size
    assert not list((tmp_path / "drawings").glob(".*"))
    assert store.versions("k1", "Ada") == (kept,)
    assert store.save(saving(some(2), seen=1)).version == 2  # there is room again
    store.close()
    assert [r.version for r in readings_in(tmp_path, "p")] == [1, 2]


def test_what_must_be_written_down_first_and_cannot_be_is_not_saved(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path, "p")

    def fails(reading: Reading) -> None:
        raise OutputError("no audit")

    with pytest.raises(OutputError, match="no audit"):
        store.save(saving(some()), before=fails)
    assert store.versions("k1", "Ada") == ()
    store.close()


PROJECT = Project(
    id="p",
    name="n",
    data="d",
    asks=(Ask(kind="class", labels=(Label(1, "a"), Label(2, "b"))),),
    readers=2,
    blind=True,
    cases=(ProjectCase(id="one", key="k1", image="i"),),
)


def reading(name: str, *, done: bool = True, role: Any = "reading", said: str = "a") -> Reading:
    where = ("x", "p", "k1", "i", name, "local", role)
    return Reading(*where, 1, done, "2030-01-01T00:00:00+00:00", 1.0, 1.0, content={"class": said})


@pytest.mark.parametrize(
    ("readings", "holders", "name", "state", "sees"),
    [
        ([], [], "A", "open", True),
        ([], ["B"], "A", "open", True),
        ([], ["B", "C"], "A", "held", True),
        ([("B", True)], ["C"], "A", "held", False),
        ([("A", False)], ["B", "C"], "A", "draft", False),
        ([("A", True)], [], "A", "done", False),
        ([("A", True), ("B", False)], [], "A", "done", False),
        ([("A", True), ("B", True)], [], "A", "sealed", True),
        ([("A", True), ("B", True)], [], "C", "adjudicate", True),
        ([("A", True), ("B", True), ("C", False)], [], "C", "draft", False),  # late, and still blind
    ],
)
def test_where_a_case_stands_by_hand(
    readings: list[tuple[str, bool]], holders: list[str], name: str, state: str, sees: bool
) -> None:
    standing = Standing.of(PROJECT, [reading(n, done=d) for n, d in readings], holders)
    assert standing.state(name, disputed=True) == state
    if readings:
        assert standing.may_see_others(name) is sees
        assert replace(standing, project=PROJECT.model_copy(update={"blind": False})).may_see_others(name)


def test_a_decision_ends_a_case() -> None:
    both = [reading("A"), reading("B", said="b"), reading("C", role="adjudication")]
    standing = Standing.of(PROJECT, both)
    assert {n: standing.state(n, disputed=True) for n in "ABCD"} == dict.fromkeys("ABCD", "adjudicated")
    assert Standing.of(PROJECT, both[:2]).state("C", disputed=False) == "full"


def test_names_are_those_of_people() -> None:
    assert annotator_name("  Ada   Lovelace ") == "Ada Lovelace"
    for bad in ("", "a/b", "..", "-x", "a" * 65, 'a"b', "a|b"):
        with pytest.raises(DataError):
            annotator_name(bad)
    with pytest.raises(DataError, match="nearly"):
        annotator_name("ada", ["Ada"])


def test_a_settings_file_that_says_something_else_is_refused(tmp_path: Path) -> None:
    from vesalius.run.annotation.project import load_project

    (tmp_path / "project.json").write_text(json.dumps({"readers": 0}))
    with pytest.raises(FormatError, match="no annotation project"):
        load_project(tmp_path)
    with pytest.raises(OutputError, match="no annotation project"):
        load_project(tmp_path / "nowhere")


def test_a_case_is_called_otherwise_in_each_project_and_its_number_is_not_found_by_hashing() -> None:
    one, other = key_of("4711", "a1"), key_of("4711", "b2")
    assert one == key_of("4711", "a1") != other
    plain = hashlib.sha256(b"4711").hexdigest()[:16]
    assert plain not in one + other


@pytest.mark.parametrize(
    ("case", "kind", "told"),
    [
        ("Malignant_12", "class", True),
        ("scan-malignant", "classes", True),
        ("malignancy-3", "class", False),
        ("malignant (1)", "mask", False),  # what it is called says not where it lies
    ],
)
def test_an_id_that_holds_a_label_tells_it(case: str, kind: str, told: bool) -> None:
    asks = (Ask(kind=kind, labels=(Label(1, "benign"), Label(2, "malignant"))),)
    made = Project(id="p", name="p", data="d", asks=asks, cases=(ProjectCase(id=case, key="k1", image="i"),))
    assert ids_tell(made) is told
