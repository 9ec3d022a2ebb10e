"""What is said of frames and rows that come at quite another pace than those that were learned from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vesalius.core.case import Case, Visit
from vesalius.core.course import Course
from vesalius.core.image import Image
from vesalius.infer.pace import remarks


def plan(*, causal: bool = False, moving: int = 20, visits: int = 1) -> Any:
    times = {"cases": moving, "frames": 30, "frames_max": 40, "interval_s": 0.04}
    prints: dict[str, Any] = {"cases": 20, "times": times, "courses": {"ecg": {"interval_s": 2.0}}}
    prints["visits"] = {"cases": moving, "median": 3.0, "most": 6, "days": 300.0}
    sources = SimpleNamespace(frames=8, causal=causal, visits=visits, courses=("ecg",))
    return SimpleNamespace(sources=sources, fingerprint=prints)


def cine(*times_s: float) -> Image:
    shape = (len(times_s), 1, 1, 4, 4) if times_s else (1, 1, 4, 4)
    return Image(np.zeros(shape, np.float32), times_s=times_s or None)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (cine(0, 0.04, 0.08, 5), ()),
        (cine(0, 0.1, 0.2), ()),
        (cine(0, 40, 80), ("frames 40 s apart; learned: 0.04 s",)),
        (cine(0, 4e-5, 8e-5), ("frames 4e-05 s apart; learned: 0.04 s",)),
        (cine(0), ("a single frame; learned: 30 frames",)),
        (cine(), ("a single frame; learned: 30 frames",)),
    ],
)
def test_frames_at_another_pace_and_single_ones_are_marked(image: Image, said: tuple[str, ...]) -> None:
    assert remarks(plan(), Case("c", {"image": image}), image) == said


def test_a_single_frame_is_no_surprise_to_a_causal_model_nor_where_some_were_learned_from() -> None:
    for image in (
        cine(0),
        cine(0, 40, 80),
    ):  # and its answer to a stream, which begins with one, is that to the file
        assert not remarks(plan(causal=True), Case("c", {"image": image}), image)
    assert not remarks(plan(moving=12), Case("c", {"image": cine()}), cine())


def test_rows_at_another_pace_or_without_times_are_marked() -> None:
    values = np.zeros((3, 2))

    def said(*times: float, unit: str = "s") -> tuple[str, ...]:
        return remarks(plan(), Case("c", {}, courses={"ecg": Course(values, times=times, unit=unit)}), None)

    assert not said(0, 2, 5) and not remarks(plan(), Case("c", {}), None)
    assert said(0, 2, 4, unit="days") == ("rows of 'ecg' 1.73e+05 s apart; learned: 2 s",)
    assert said() == ("rows of 'ecg' say no times and are taken as 1 s apart; learned: 2 s",)


def test_visits_far_apart_and_none_where_all_learned_from_had_some_are_marked() -> None:
    def said(*days: float, moving: int = 20) -> tuple[str, ...]:
        earlier = tuple(Visit(Case(f"v{d}", {}), d) for d in days)
        return remarks(plan(visits=8, moving=moving), Case("c", {}, earlier=earlier), None)

    assert not said(700, 310) and not said(moving=12)
    assert said() == ("no earlier visits; learned: 3 before each",)
    assert said(24, 11) == ("visits 12 days apart; learned: 300 days",)
