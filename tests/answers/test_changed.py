"""What changed between two answers, kind by kind: sizes of a phantom's truth, parts that come and go, cut-offs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Instance
from vesalius.core.cohort import Label
from vesalius.core.doubt import Doubt
from vesalius.core.growth import UNTOLD, Changed
from vesalius.core.image import Image
from vesalius.core.promise import Promise
from vesalius.core.scorecard import Scorecard
from vesalius.phantom import ct
from vesalius.phantom.abdomen.later import Later
from vesalius.phantom.abdomen.patient import LABELS, AbdomenPatient
from vesalius.prepare.between import Between
from vesalius.prepare.registering import Registration

GRID = np.diag([2.0, 2.0, 2.0, 1.0])
LESION, LIVER = Label(7, "lesion"), Label(1, "liver")
FITS = Registration("own", np.eye(4), "mm")


def card(**sizes: float) -> Scorecard:
    """A scorecard of 40 test cases whose errors of each label's size have a standard deviation, in ml."""
    clinical = {
        name: {
            "unit": "ml",
            **{k: {"value": v, "n": 40} for k, v in (("low", -1.96 * sd), ("high", 1.96 * sd))},
        }
        for name, sd in sizes.items()
    }
    return Scorecard("Mask", "test", 40, 40, True, "", "", {}, clinical={"sizes": clinical})


def between(earlier: Image, later: Image, *, registration: Registration = FITS, **beside: Any) -> Between:
    return Between(earlier, later, registration, **beside)


def mask(*blocks: tuple[int, slice, slice, slice], shape: tuple[int, int, int] = (20, 30, 30)) -> Mask:
    array = np.zeros((1, *shape), np.uint8)
    for value, z, y, x in blocks:
        array[0, z, y, x] = value
    return Mask(image=Image(array, affine=GRID), labels=(LIVER, LESION))


def changed(one: Answer, two: Answer, about: Between | None = None, **beside: Any) -> Changed:
    images = [
        getattr(a, "image", Image(np.zeros((1, 20, 30, 30), np.uint8), affine=GRID)) for a in (one, two)
    ]
    found = contract.changed(one, two, about or between(images[0], images[1], **beside))
    assert found is not None
    return found


def of(patient: AbdomenPatient) -> Mask:
    labels = tuple(Label(value, name) for name, value in LABELS.items())
    return Mask(image=Image(patient.labels[None], affine=patient.affine), labels=labels)


def test_a_phantoms_lesion_doubles_and_is_followed_though_the_patient_lies_otherwise() -> None:
    """Against the phantom's own truth: every lesion twice its volume, the patient shifted and turned."""
    moved = {"shift_mm": (9.0, -6.0, 12.0), "turned_deg": (3.0, -4.0, 6.0)}
    size = (64, 128, 128)
    first = ct.patient(4, seed=9, size=size)
    second = ct.later(4, seed=9, growth=2.0, size=size, **moved)  # type: ignore[arg-type]
    there = Registration("own", Later(2.0, 90, **moved).matrix, "mm")  # type: ignore[arg-type]
    about = between(first.as_image(), second.as_image(), registration=there, card=card(lesion=3.0))
    found = changed(of(first), of(second), about)
    lesion = next(g for g in found.growths if g.name == "lesion")
    truths = [p.truth()["organ_ml"]["lesion"] for p in (first, second)]
    assert (lesion.earlier, lesion.later) == pytest.approx(truths, abs=0.01)
    assert lesion.percent == pytest.approx(100, abs=6) and lesion.verdict == "grown"
    assert lesion.reach is not None and lesion.reach.by == "test errors" and lesion.reach.low > 0  # type: ignore[operator]
    assert lesion.doubling_days(90) == pytest.approx(90, rel=0.06)
    parts = [p for p in found.parts if p.label == "lesion"]
    assert len(first.lesion_facts) > 1 and {p.became for p in parts} == {"larger"}
    assert sorted(p.earlier for p in parts) == pytest.approx(
        sorted(t["voxel_ml"] for t in first.truth()["lesions"]), abs=0.01
    )
    for p in parts:
        assert second.lesions[p.at] > 0  # a click there shows the part


def test_parts_come_go_merge_and_fall_apart() -> None:
    z = slice(4, 8)
    one = mask(
        (7, z, slice(2, 6), slice(2, 6)),
        (7, z, slice(2, 6), slice(12, 16)),
        (7, z, slice(20, 24), slice(2, 14)),
    )
    two = mask((7, z, slice(2, 7), slice(2, 6)), (7, z, slice(12, 16), slice(20, 24)),
               (7, z, slice(20, 24), slice(2, 7)), (7, z, slice(20, 24), slice(9, 14)))  # fmt: skip
    found = changed(one, two)
    assert {p.became for p in found.parts} == {"larger", "gone", "new", "fell apart"}
    by = {p.became: p for p in found.parts}
    assert by["larger"].earlier == pytest.approx(4 * 4 * 4 * 8 / 1000) and by[
        "larger"
    ].later == pytest.approx(4 * 5 * 4 * 8 / 1000)
    assert by["fell apart"].count == (1, 2) and by["new"].count == (0, 1)
    back = changed(two, one)
    assert {p.became for p in back.parts} == {"smaller", "gone", "new", "merged"}
    near = changed(mask((7, z, slice(2, 4), slice(2, 4)), (7, z, slice(20, 22), slice(20, 22))),
                   mask((7, z, slice(2, 4), slice(4, 6)), (7, z, slice(20, 22), slice(20, 22))))  # fmt: skip
    assert {p.became for p in near.parts} == {"alike"}  # a small thing two voxels on is the same thing


def test_what_the_field_of_view_cuts_off_is_compared_where_both_see_it() -> None:
    """The later scan begins 10 voxels higher: the liver is not smaller for it, and what lay below is not gone."""
    whole = mask((1, slice(2, 18), slice(5, 25), slice(5, 25)), (7, slice(3, 6), slice(8, 12), slice(8, 12)))
    affine = GRID.copy()
    affine[2, 3] = 20.0
    upper = replace(whole, image=Image(whole.image.array[:, 10:], affine=affine))
    found = changed(whole, upper, between(whole.image, upper.image, card=card(liver=1.0, lesion=1.0)))
    liver, lesion = found.growths
    assert liver.earlier == liver.later == pytest.approx(8 * 20 * 20 * 8 / 1000) and liver.verdict == UNTOLD
    assert liver.whole == pytest.approx(((16 * 20 * 20 - 48) * 8 / 1000, 8 * 20 * 20 * 8 / 1000))
    assert lesion.verdict == "cannot be told" and lesion.fault
    assert any("cuts off liver" in note for note in found.notes)
    unplaced = between(
        whole.image, upper.image, registration=replace(FITS, why="nothing fits"), card=card(liver=1.0)
    )
    alone = changed(whole, upper, unplaced)
    assert alone.growths[0].verdict == "cannot be told" and "not registered" in alone.growths[0].fault
    assert not alone.parts and any("not followed" in note for note in alone.notes)


def test_voxels_of_another_size_are_no_growth() -> None:
    coarse = mask((7, slice(4, 8), slice(10, 14), slice(10, 14)))
    fine = np.kron(coarse.image.array[0], np.ones((2, 2, 2), np.uint8))
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -0.5
    other = replace(coarse, image=Image(fine[None], affine=affine))
    found = changed(coarse, other, between(coarse.image, other.image, card=card(lesion=0.01)))
    assert found.growths[1].change == 0 and found.growths[1].verdict == UNTOLD
    unknown = replace(coarse, image=Image(coarse.image.array))
    said = changed(unknown, coarse)
    assert not said.growths and "cannot be compared" in said.notes[0]
    pixels = changed(unknown, unknown)
    assert pixels.growths[1].unit == "pixels" and pixels.growths[1].earlier == 64


def test_new_and_gone_have_no_percent_and_need_more_than_the_errors() -> None:
    none, some = mask(), mask((7, slice(4, 8), slice(10, 14), slice(10, 14)))  # 0.512 ml
    for sd, verdict in ((0.05, "new"), (0.5, UNTOLD)):
        lesion = changed(none, some, between(none.image, some.image, card=card(lesion=sd))).growths[1]
        assert lesion.verdict == verdict and lesion.percent is None
    assert (
        changed(some, none, between(some.image, none.image, card=card(lesion=0.05))).growths[1].verdict
        == "gone"
    )
    unsaid = changed(none, some)
    assert unsaid.growths[1].verdict == "cannot be told" and any(
        "nothing says" in note for note in unsaid.notes
    )
    same = changed(some, some, between(some.image, some.image, same=True, card=card(lesion=0.5)))
    assert same.growths[1].change == 0 and same.growths[1].verdict == "same" and same.growths[1].reach is None


def test_masks_whose_labels_overlap_and_opinions_that_differ() -> None:
    bits = np.zeros((2, 20, 30, 30), np.uint8)
    bits[0, 4:10, 5:20, 5:20] = bits[1, 5:8, 6:10, 6:10] = 1
    doubt = Doubt(figures={"lesion_ml_sd": 0.02}, way="members", samples=5)
    one = Mask(image=Image(bits, affine=GRID), labels=(LIVER, LESION), overlapping=True, doubt=doubt)
    grown = bits.copy()
    grown[1, 5:9, 6:11, 6:11] = 1
    found = changed(one, replace(one, image=Image(grown, affine=GRID)))
    liver, lesion = found.growths
    assert (
        liver.change == 0
        and lesion.earlier == pytest.approx(48 * 8 / 1000)
        and lesion.later == pytest.approx(0.8)
    )
    assert (
        lesion.reach is not None and lesion.reach.by == "opinions" and "not calibrated" in lesion.reach.says
    )


def test_numbers_use_what_is_promised_and_else_the_test_split() -> None:
    clinical = {"agreement": {k: {"value": v, "n": 40} for k, v in (("low", -1.96), ("high", 1.96))}}
    judged = Scorecard("Value", "test", 40, 40, True, "", "", {}, clinical=clinical)
    about = between(Image(np.zeros((1, 1, 4, 4))), Image(np.zeros((1, 1, 4, 4))), card=judged)
    one, two = (Value(x=x, unit="cm", quantity="width") for x in (4.0, 9.0))
    (width,) = changed(one, two, about).growths
    assert width.verdict == "higher" and width.reach is not None and width.reach.by == "test errors"
    promised = [replace(v, promise=Promise(0.9, "", interval=(v.x - 3, v.x + 3), n=50)) for v in (one, two)]
    (width,) = changed(promised[0], promised[1], about).growths
    assert width.reach is not None and width.reach.by == "promise" and width.verdict == UNTOLD
    assert [r.by for r in width.others] == ["promise", "test errors"]
    assert changed(one, replace(two, unit="mm"), about).notes
    several = [Numbers(parts={"width": v, "age": Value(x=61.0)}) for v in (one, two)]
    both = changed(
        several[0],
        several[1],
        replace(about, card=replace(judged, clinical={"agreement": {"width": clinical["agreement"]}})),
    )
    assert [g.verdict for g in both.growths] == ["higher", "cannot be told"]


def test_scores_say_what_is_called_and_claim_no_more() -> None:
    labels = (Label(0, "benign"), Label(1, "malignant"))
    one, two = (Scores(labels=labels, p=np.array([1 - p, p])) for p in (0.3, 0.8))
    found = changed(one, two)
    assert found.words[0] == ("called", "benign", "malignant")
    assert {g.verdict for g in found.growths} == {"cannot be told"} and found.growths[1].percent is None
    sets = [
        replace(s, promise=Promise(0.9, "", labels=(n,), n=60))
        for s, n in ((one, "benign"), (two, "malignant"))
    ]
    apart = changed(sets[0], sets[1])
    assert any("no class in common" in note and "80 %" in note for note in apart.notes)
    wide = replace(two, promise=Promise(0.9, "", labels=("benign", "malignant"), n=60))
    assert any("no change of class" in note for note in changed(sets[0], wide).notes)


def test_boxes_and_things_are_counted_and_followed() -> None:
    label = (Label(1, "nodule"),)
    first = Boxes(
        boxes=(Box((2, 4, 4), (6, 10, 10), "nodule"), Box((2, 20, 20), (6, 24, 24), "nodule")),
        p=np.array([0.9, 0.8]),
        labels=label,
    )
    three = ((2, 4, 4), (6, 14, 10)), ((12, 4, 20), (15, 8, 24)), ((0, 0, 0), (9, 9, 9))
    boxes = tuple(Box(low, high, "nodule") for low, high in three)
    second = Boxes(boxes=boxes, p=np.array([0.9, 0.8, 0.1]), labels=label, thresholds={"nodule": 0.5})
    found = changed(first, second)
    assert (found.growths[0].earlier, found.growths[0].later, found.growths[0].quantity) == (2, 2, "number")
    assert sorted(p.became for p in found.parts) == ["gone", "larger", "new"]
    assert {p.became: (p.earlier, p.later) for p in found.parts}["larger"] == (
        12.0,
        20.0,
    )  # its longest side, in mm
    ids = np.zeros((1, 20, 30, 30), np.int32)
    ids[0, 4:8, 4:8, 4:8], ids[0, 4:8, 4:8, 8:12] = 1, 2
    things = Instances(
        image=Image(ids, affine=GRID),
        things=(Instance(1, "cell"), Instance(2, "cell")),
        labels=(Label(1, "cell"),),
    )
    fewer = replace(things, image=Image(np.where(ids == 2, 0, ids), affine=GRID), things=things.things[:1])
    cells = changed(things, fewer)
    assert cells.growths[0].change == -1 and sorted(p.became for p in cells.parts) == [
        "alike",
        "gone",
    ]  # though they touched


def test_what_has_a_place_is_carried_onto_the_later_image() -> None:
    affine = GRID.copy()
    affine[:3, 3] = (4.0, -6.0, 2.0)  # the later grid begins 2, −3 and 1 voxels on
    one = mask((7, slice(5, 9), slice(10, 14), slice(12, 17)))
    later = Image(np.zeros((1, 20, 30, 30), np.uint8), affine=affine)
    about = between(one.image, later)
    moved = contract.of(one).carried(one, about)
    assert np.argwhere(moved.image.array[0]).min(axis=0).tolist() == [4, 13, 10]
    boxes = Boxes(boxes=(Box((5, 10, 12), (9, 14, 17), "lesion"),), p=np.array([1.0]), labels=(LESION,))
    (box,) = contract.of(boxes).carried(boxes, about).boxes
    assert box.low == pytest.approx((4, 13, 10)) and box.high == pytest.approx((8, 17, 15))
    field = Map(image=Image(np.ones((1, 20, 30, 30), np.float32), affine=GRID), quantity="p")
    laid = contract.of(field).carried(field, about).image.array
    assert np.isnan(laid[0, -1]).all() and laid[0, 0, 5, 0] == 1


def test_a_kind_that_says_nothing_of_change_is_not_compared() -> None:
    text = Text(sections={"findings": "none"})
    image = Image(np.zeros((1, 1, 4, 4)))
    assert contract.changed(text, text, between(image, image)) is None
