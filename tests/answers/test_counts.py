"""Counts as answers: what boxes say of them, an interval that ends at 0, and densities that are drawn beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay_png
from vesalius.answers.drawing.signed import one_coloured
from vesalius.core import encoding
from vesalius.core.answers.map import Map
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Case
from vesalius.core.census import census
from vesalius.core.image import Array, Image
from vesalius.core.promise import Limits
from vesalius.core.words import in_unit

PICTURE = Image(np.linspace(0, 255, 3 * 24 * 32, dtype=np.float32).reshape(1, 3, 24, 32))


def counts(*, density: bool = True) -> Numbers:
    field: Array = np.zeros((1, 3, 24, 32), np.float32)
    field[0, 2, 4:8, 4:8] = 2.5 / 16
    parts: dict[str, Value | Map] = {
        "red": Value(x=2.5, unit="1", quantity="red count", least=0.0),
        "white": Value(x=40.0, unit="1", quantity="white count", least=0.0),
    }
    if density:
        parts["red_density"] = Map(image=Image(field), quantity="red density", unit="1/voxel")
    return Numbers(parts=parts, case_id="a")


def box(label: str, *, crowd: bool = False) -> Box:
    return Box((0.0, 1.0, 1.0), (1.0, 3.0, 3.0), label, crowd)


def test_boxes_say_how_many_there_are() -> None:
    truth = contract.of(Numbers).truth((box("red"), box("red"), box("white", crowd=True)), Case("a", {}))
    assert truth["red"] == 2 and truth["white"] is None and truth["platelet"] == 0
    assert truth.get("red") == 2 and truth.get("platelet") == 0 and truth.get("white") is None


def test_numbers_say_nothing_of_what_they_do_not_name() -> None:
    assert census({"red": 3}).get("red") == 3 and census({"red": 3}).get("white") is None
    assert census(4.0)["whatever"] == 4 and census(None)["red"] is None


def test_the_metrics_count_what_is_known_alone() -> None:
    handling = contract.of(Numbers)
    answers = [replace(counts(density=False), case_id=str(k)) for k in range(3)]
    targets = [(box("red"),) * 2, (box("red"), box("white", crowd=True)), ()]
    measured = [
        handling.measure(a, handling.truth(t, Case("a", {})), Case("a", {}))
        for a, t in zip(answers, targets, strict=True)
    ]
    rows = handling.rows(measured, ["0", "1", "2"])
    found = handling.judge.summary(rows, np.arange(3))
    assert found["mae/red"] == pytest.approx((0.5 + 1.5 + 2.5) / 3)
    assert found["relative/red"] == pytest.approx((0.5 / 2 + 1.5 / 1) / 2)  # of the two that have any
    assert found["mae/white"] == pytest.approx(40.0)  # of two: of the third it is not known


def test_no_interval_of_a_count_reaches_below_0() -> None:
    limits = Limits(0.9, {"red": 4.0, "white": 4.0}, {"red": 99, "white": 99})
    made = contract.of(Numbers).promised(counts(), limits)
    low = {name: value.promise.interval for name, value in made.values.items() if value.promise is not None}
    assert low == {"red": (0.0, 6.5), "white": (36.0, 44.0)}
    assert contract.of(Numbers).kept(made, census((box("red"),) * 6)).held == {"red": 1.0, "white": 0.0}


def test_densities_are_drawn_where_they_are_and_nothing_where_there_are_none() -> None:
    answer = counts()
    (drawn,) = contract.drawable(answer)
    assert drawn is answer and not list(contract.drawable(counts(density=False)))
    shown = contract.of(answer).shown_by(answer, PICTURE)
    assert shown is not None and int(shown.array.sum()) == 16 and shown.array[0, 2].any()
    assert overlay_png(PICTURE, answer) != overlay_png(PICTURE, counts(density=False))
    layer = one_coloured(np.array([[0.0, 2.0, np.nan]]), 2.0, (255, 0, 0))
    assert layer[0, 0, 3] == 0 and layer[0, 2, 3] == 0 and layer[0, 1].tolist() == [1, 0, 0, 0.65]


def test_a_part_of_an_image_gives_a_density_on_all_of_it() -> None:
    part = counts()
    placed = contract.placed(part, (1, 2, 3), Image(np.zeros((1, 6, 40, 50))))
    field = placed.parts["red_density"]
    assert isinstance(field, Map) and field.image.shape == (6, 40, 50)
    assert np.nansum(field.image.array) == pytest.approx(2.5) and placed.parts["red"] is part.parts["red"]


def test_a_count_comes_back_from_its_text_with_its_least(tmp_path: Path) -> None:
    back = encoding.from_text(encoding.as_text(counts()))
    assert isinstance(back, Numbers) and back.values["red"].least == 0.0
    assert "least" not in encoding.as_text(Value(x=1.0))


def test_a_pure_number_has_no_unit_behind_it() -> None:
    assert [in_unit(u) for u in (None, "", "1", "ml")] == ["", "", "", " ml"]
    assert "2.5 1" not in repr(counts()) and "red 2.5" in repr(counts())
