"""Kinds of target: every file keeps the contract, and another package's kind joins by its one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.cohorts.targets import contract
from vesalius.core import registry
from vesalius.core.case import Box, Case, Event, InstanceMask, Ref, Target
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.reliability.inspect import inspect

ROOM = "cohorts.targets"
BOX = Box((0.0, 1.0, 1.0), (1.0, 4.0, 4.0), "cyst")
THINGS = Image(np.array([[[[0, 1, 2]]]], np.uint8))
VALUES: dict[str, list[Target]] = {
    "boxes": [(BOX, BOX), ()],
    "class": ["benign", "malignant"],
    "clean": [THINGS, THINGS],
    "instances": [InstanceMask(THINGS, {1: "red", 2: "white"}), InstanceMask(THINGS, otherwise="cell")],
    "event": [Event(10.0, True), Event(400.0, False)],
    "events": [{"os": Event(10.0, True), "dfs": Event(4.0, True)}, {"os": Event(400.0, False)}],
    "measures": [{"ef_percent": 61.5, "volume_ml": 120.0}, {"ef_percent": 40.0}],
    "mask": [Ref((Path("a.png"),)), Ref((Path("b.png"),))],
    "multilabel": [("cyst", "tumour"), ()],
    "number": [61.5, 7.0],
    "ordinal": ["1", "2"],
    "soft": [0.25, Ref((Path("p.png"),))],
    "text": ["no finding", "a cyst"],
}
WORDS = {
    "boxes": ["cyst 2", "no boxes"],
    "class": ["benign", "malignant"],
    "multilabel": ["cyst|tumour", ""],
    "number": ["61.5", "7"],
    "ordinal": ["1", "2"],
}
NAMES = sorted(registry.names(ROOM))


def test_each_kind_has_an_example_here() -> None:
    assert sorted(VALUES) == [name for name in NAMES if registry.stems(ROOM)[name].startswith("vesalius.")]


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_says_what_is_asked_of_it(name: str) -> None:
    kind, values = contract.of(name), VALUES.get(name, [])
    assert kind.name == name and 10 < len(registry.names(ROOM)[name]) < 130
    assert not (kind.drawn and kind.named) and (kind.named or not (kind.several or kind.ordered))
    assert all(kind.fault(v, None) is None for v in values)
    strata = kind.strata({str(k): v for k, v in enumerate(values)})
    assert set(strata) <= {"0", "1"} and all(isinstance(s, str) for s in strata.values())
    words = [kind.word(v) for v in values]
    assert words == WORDS.get(name, [None] * len(values))
    roles = registry.literals(ROOM, name)["ROLES"]
    assert not roles or contract.in_role(roles[0], ["1", "2"]) is not None


def test_a_rare_class_makes_fewer_folds_and_a_rare_number_does_not() -> None:
    pixels = Image(np.zeros((1, 1, 2, 2), np.uint8))

    def folds(kind: str, values: list[Target]) -> int:
        cases = tuple(Case(f"c{k}", {"image": pixels}, targets={"t": v}) for k, v in enumerate(values))
        cohort = Cohort(Path("x"), "table", cases, {"t": TargetInfo("t", kind)})
        return len(cohorts.assign(cohort, target="t", folds=5, test_fraction=0.0).folds)

    assert folds("class", ["a"] * 20 + ["b"] * 2) == 2
    assert folds("number", [float(k) for k in range(12)]) == 5, "of twelve, fifths have two or three"


def test_kinds_that_share_a_role_are_told_apart_by_the_cells() -> None:
    assert contract.in_role("label", ["a", "b"]).name == "class"
    assert contract.in_role("label", ["a|b", None, "c"]).name == "multilabel"
    with pytest.raises(UnknownName, match="unknown kind of target 'numbr'.*number"):
        contract.of("numbr")


def test_labels_are_counted_once_a_case() -> None:
    assert contract.of("boxes").tally(VALUES["boxes"]) == {"cyst": 1}
    assert contract.of("multilabel").tally(VALUES["multilabel"]) == {"cyst": 1, "tumour": 1}
    assert not contract.of("text").tally(VALUES["text"]), "no report stands in a plan"


def test_a_class_that_was_not_learned_is_refused_and_a_masks_are_matched_later() -> None:
    from vesalius.core.cohort import Label

    labels = (Label(0, "cat"), Label(1, "dog"))
    with pytest.raises(DataError, match="did not learn the class 'dog' of target 'pet'"):
        contract.of("class").assert_learned(TargetInfo("pet", "class", labels), ["cat"])
    contract.of("mask").assert_learned(TargetInfo("pet", "mask", labels), ["cat"])


GAZE = '''"""Where a reader looks first, as `row:column` in a table's cell."""

from dataclasses import dataclass

from vesalius.cohorts.targets.contract import TargetKind

ROLES = ("gaze",)
CALLED = "gaze|fixations?"


@dataclass(frozen=True)
class Place:
    """Row and column, in pixels."""

    y: float
    x: float


class Gaze(TargetKind):
    """A value is a Place."""

    name = "gaze"

    def fits(self, cells):
        return float(all(c is None or ":" in c for c in cells))

    def parsed(self, cell, row):
        y, _, x = cell.partition(":")
        return Place(float(y), float(x))

    def fault(self, value, reference):
        inside = reference is None or value.y < reference.shape[1]
        return None if inside else f"lies outside of the image, in row {value.y:g}"

    def strata(self, values):
        return {case: "upper" if value.y < 8 else "lower" for case, value in values.items()}

    def number_of(self, value):
        return value.y

    def word(self, value):
        return f"{value.y:g}:{value.x:g}"


KIND = Gaze()
'''


@contextmanager
def installed(stem: str, text: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Another package's kind of target, one file, while inside."""
    (folder / f"otherlab_{stem}.py").write_text(text, encoding="utf-8")
    patch.syspath_prepend(str(folder))
    group = f"vesalius.{ROOM}"
    point = EntryPoint(stem, f"otherlab_{stem}", group)
    patch.setattr(
        registry.metadata, "entry_points", lambda **wanted: [point] if wanted == {"group": group} else []
    )
    caches = (registry.stems, registry.literals, registry.names)
    for cache in caches:
        cache.cache_clear()
    yield contract.of(stem)
    for cache in caches:
        cache.cache_clear()
    sys.modules.pop(f"otherlab_{stem}", None)


@pytest.fixture
def gaze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with installed("gaze", GAZE, tmp_path, monkeypatch) as kind:
        yield kind


def seen(folder: Path, *, rows: int = 24) -> Cohort:
    """A table of pictures of 16 rows, where each was looked at; the last one's place lies outside."""
    folder.mkdir()
    lines = ["file,fixation"]
    for k in range(rows):
        pixels = np.random.default_rng(k).integers(0, 255, (16, 16), dtype=np.uint8)
        Picture.fromarray(pixels).save(folder / f"p{k:02d}.png")
        lines.append(f"p{k:02d}.png,{k % 16 if k < rows - 1 else 40}:3")
    (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return cohorts.read(folder, columns={"image": "file", "gaze": "fixation"})


def test_a_made_up_kind_is_read_checked_spread_and_summed_up_by_its_file_alone(
    gaze: Any, tmp_path: Path
) -> None:
    cohort = seen(tmp_path / "data")
    assert cohort.targets == {"fixation": TargetInfo("fixation", "gaze", (), "gaze: as told")}
    assert cohort.case("p03").targets["fixation"] == gaze.parsed("3:3", None)
    checked = cohorts.check(cohort)
    assert [(s.case, s.reason) for s in checked.set_aside] == [
        ("p23", "the fixation lies outside of the image, in row 40")
    ]
    assignment = cohorts.assign(checked, target="fixation", folds=3, test_fraction=0.0)
    upper = [sum(int(c[1:]) % 16 < 8 for c in fold) for fold in assignment.folds]
    assert max(upper) - min(upper) <= 1 and "fixation" in cohorts.select_target(checked).name
    found = inspect(cohort)
    (target,) = found.summary.targets
    assert (target.kind, target.cases) == ("gaze", 23)
    assert target.values is not None and (target.values.low, target.values.high) == (0.0, 15.0)
    assert found.thumbs[3].label == "3:3"


def test_its_column_is_known_by_its_name_and_its_cells(gaze: Any, tmp_path: Path) -> None:
    seen(tmp_path / "data")
    found = cohorts.read(tmp_path / "data")
    assert found.targets == {"fixation": TargetInfo("fixation", "gaze", (), "gaze: by its name")}
    table = tmp_path / "data" / "table.csv"
    table.write_text(table.read_text().replace(":", "."), encoding="utf-8")
    assert "gaze" not in {t.kind for t in cohorts.read(tmp_path / "data").targets.values()}


def test_its_values_are_in_the_cohorts_hash(gaze: Any, tmp_path: Path) -> None:
    one, other = (cohorts.check(seen(tmp_path / n, rows=k)) for n, k in (("a", 12), ("b", 12)))
    assert one.hash == other.hash
    (tmp_path / "b" / "table.csv").write_text(
        (tmp_path / "b" / "table.csv").read_text().replace("p03.png,3:3", "p03.png,3:4"), encoding="utf-8"
    )
    changed = cohorts.read(tmp_path / "b", columns={"image": "file", "gaze": "fixation"})
    assert cohorts.check(changed).hash != one.hash


DOSE = '''"""A dose over a span, each in a column of its own."""

from vesalius.cohorts.targets.contract import TargetKind

ROLES = ("dose", "span")
CALLED = {"dose": ".*gray", "span": "fractions?"}


class Dose(TargetKind):
    """A value is a text."""

    name = "dose"

    def holds(self, role, cells):
        return all(c is None or float(c) < 100 for c in cells)

    def why(self, role, found):
        return f"its {role}, of {len(found)}"

    def value(self, info, row):
        return f"{row.cell(row.columns('dose')[0])} in {row.cell(row.columns('span')[0])}"


KIND = Dose()
'''


def test_a_kind_in_several_columns_is_found_by_its_own_words_where_all_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(name: str, *lines: str) -> Cohort:
        folder = tmp_path / name
        folder.mkdir()
        for k in range(len(lines) - 1):
            Picture.fromarray(np.full((8, 8), 40 * k, dtype=np.uint8)).save(folder / f"p{k}.png")
        rows = [lines[0], *(f"p{k}.png,{line}" for k, line in enumerate(lines[1:]))]
        (folder / "table.csv").write_text("\n".join(rows) + "\n")
        return cohorts.read(folder)

    with installed("dose", DOSE, tmp_path, monkeypatch):
        both = read("both", "file,Total Gray,fraction", "60,30", "50,25")
        alone = read("alone", "file,Total Gray", "60", "50")
        wrong = read("wrong", "file,Total Gray,fraction", "60,300", "50,250")
    assert [c.targets["Total Gray"] for c in both.cases] == ["60 in 30", "50 in 25"]
    assert any(note.endswith("fraction is span: its span, of 2") for note in both.notes)
    kinds = {t.kind for cohort in (alone, wrong) for t in cohort.targets.values()}
    assert "dose" not in kinds, "a column is lacking, or holds what it does not take"


def test_words_for_columns_stand_in_the_files_of_their_kinds() -> None:
    words = {stem: registry.literals(ROOM, stem).get("CALLED") for stem in registry.stems(ROOM)}
    assert set(words["event"]) == {"time", "event"} and "diagnos" in words["class"]
    read = (Path(cohorts.__file__).parent / "_roles.py").read_text(encoding="utf-8")
    assert "diagnos" not in read and "censor" not in read
