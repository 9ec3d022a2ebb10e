"""Instances as an answer: what is called, drawn, summed up, asked and promised, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.core.answers.instances import COUNTS, Instances
from vesalius.core.case import Case, Instance, InstanceMask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.promise import Limits

LABELS = (Label(1, "red"), Label(2, "white"))


def example(**thresholds: float) -> Instances:
    ids = np.zeros((1, 1, 8, 12), np.uint16)
    ids[0, 0, 1:4, 1:4], ids[0, 0, 1:4, 4:6], ids[0, 0, 5:8, 8:12] = 3, 500, 7
    things = (Instance(3, "red", 0.9), Instance(7, "white", 0.3), Instance(500, "red", 0.6))
    image = Image(ids, spacing_mm=(0.5, 2.0, 1.0))
    made = Instances(image=image, things=things, labels=LABELS, thresholds=thresholds or None)
    return replace(made, parts={COUNTS: made.counts()})


def test_what_is_called_is_counted_and_measured() -> None:
    found = contract.columns(example(white=0.5))
    assert found["things"] == 2 and found["red_things"] == 2 and found["white_things"] == 0
    assert found["red_mean_mm2"] == 7.5 and found["white_mean_mm2"] == 0.0, "9 and 6 pixels of 1 mm²"
    assert found["counts.red.value"] == 2.0 and found["counts.white.value"] == 0.0
    assert [example().things[k].id for k in example().called] == [3, 500, 7], "the surest first"
    assert example(white=0.5).sorts().max() == 1 and not (example(white=0.5).called_ids() == 7).any()


def test_a_summary_names_a_voxel_of_each_thing() -> None:
    answer = example(white=0.5)
    things = contract.summary(answer)["things"]
    assert [t["id"] for t in things] == [3, 500, 7] and [t["called"] for t in things] == [True, True, False]
    for thing in things:
        assert answer.image.array[0][tuple(thing["at"])] == thing["id"]
    assert things[0]["at"] == [0, 2, 2] and things[0]["area_mm2"] == 9.0


def test_one_thing_or_all_of_a_label_are_asked_about() -> None:
    answer = example()
    one = contract.ask(answer, "instance=2")
    assert one.place == 0 and one.where is not None and one.where.sum() == 6 and "red" in one.words
    every = contract.ask(answer, "label=red")
    assert every.place == 0 and every.where is not None and every.where.sum() == 15
    assert contract.ask(answer).words == "red", "the commonest label"
    with pytest.raises(DataError, match="calls no white"):
        contract.ask(example(white=0.5), "label=white")
    with pytest.raises(DataError, match="no such instance"):
        contract.ask(answer, "instance=4")


def test_touching_things_have_outlines_of_their_own() -> None:
    answer = example()
    truth = contract.of(answer).truth(
        InstanceMask(answer.image, {3: "red", 500: "red", 7: "white"}), Case("a", {})
    )
    real, ours = contract.of(answer).outlines(answer, truth, answer.image)
    assert real is not None and ours is not None and np.array_equal(real.array, ours.array)
    assert (real.array[0, 0, 1:4, 3] == 0).all() and (real.array[0, 0, 1:4, 4] == 1).all()


def test_a_count_is_promised_and_kept() -> None:
    answer, handling = example(), contract.of("Instances")
    truth = handling.truth(InstanceMask(answer.image, {3: "red", 7: "red", 500: "red"}), Case("a", {}))
    assert handling.strangeness(answer, truth, "counts") == {"red": 1.0, "white": 1.0}
    limits = Limits(coverage=0.9, way="counts", at={"red": 1.0, "white": 0.0}, n={"red": 30, "white": 30})
    promised = handling.promised(answer, limits)
    kept = handling.kept(promised, truth)
    assert promised.promise is not None and kept is not None
    assert kept.held["red"] == 1.0 and kept.held["white"] == 0.0


def test_a_measured_case_is_rated() -> None:
    answer, handling = example(), contract.of("Instances")
    truth = handling.truth(InstanceMask(answer.image, {3: "red", 7: "white", 500: "red"}), Case("a", {}))
    measured = handling.measure(answer, truth, Case("a", {}))
    assert handling.rate(answer, truth, measured) == (1.0, "PQ 1.000, 3 of 3 things found, 0 false")
    rows = handling.rows([measured], ["a"])
    assert handling.case(rows, 0)["pq"] == 1.0 and handling.each(rows).tolist() == [1.0]
