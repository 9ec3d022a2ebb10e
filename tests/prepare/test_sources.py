"""Images of a case by source: which frames, which visits, in which order and when."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.case import Case, Visit
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, Normalisation, SourcesPlan
from vesalius.prepare.sources import frames_of, image_sources, plan_of, prepare_sources


def picture(value, side=8):
    return Image(np.full((1, 1, side, side), value, np.float32))


def cine(n, side=8):
    array = np.arange(n, dtype=np.float32)[:, None, None, None, None] * np.ones(
        (1, 1, 1, side, side), np.float32
    )
    return Image(array, times_s=tuple(0.25 * t for t in range(n)))


def plan(*names, size=(1, 8, 8), dims=2):
    kept = Normalisation(method="fixed", mean=0.0, sd=1.0)
    return DataPlan(
        dims=dims,
        images=names or ("image",),
        channels=max(1, len(names)),
        sampling="whole",
        size=size,
        normalise=(kept,) * max(1, len(names)),
    )


def test_frames_are_spread_over_all_of_a_cine():
    chosen = frames_of(cine(10), SourcesPlan(frames=4, fusion="attention"))
    assert chosen.array[:, 0, 0, 0, 0].tolist() == [0, 3, 6, 9] and chosen.times_s == (0.0, 0.75, 1.5, 2.25)
    assert frames_of(cine(3), SourcesPlan(frames=4, fusion="attention")).array.shape[0] == 3
    assert frames_of(cine(10), SourcesPlan(frames=4, causal=True, fusion="attention")).array.shape[0] == 10


def test_visits_come_the_earliest_first_with_their_times_and_only_the_last_ones():
    before = tuple(Visit(Case(f"v{d}", {"image": picture(d)}), float(d)) for d in (30, 365, 90))
    case = Case("now", {"image": picture(0)}, earlier=before)
    found = prepare_sources(
        case, plan(), SourcesPlan(visits=3, fusion="attention"), reference=case.images["image"]
    )
    assert found.images["image"][:, 0, 0, 0, 0].tolist() == [90, 30, 0]
    assert found.times_s["image"].tolist() == [-90 * 86400, -30 * 86400, 0]


def test_images_apart_have_their_own_sizes_and_several_of_a_role_stand_side_by_side():
    data, sources = (
        plan("ct", "view", size=(4, 8, 8), dims=3),
        SourcesPlan(apart={"ct": (4, 8, 8), "view": (1, 6, 6)}, fusion="attention"),
    )
    ct = Image(np.ones((1, 4, 8, 8), np.float32))
    case = Case("c", {"ct": ct, "view#2": picture(2), "view#1": picture(1)}, reference="ct")
    found = prepare_sources(case, data, sources, reference=ct)
    assert found.images["ct"].shape == (1, 4, 8, 8)
    assert found.images["view"].shape == (2, 1, 1, 6, 6) and found.images["view"][:, 0, 0, 0, 0].tolist() == [
        1,
        2,
    ]
    assert plan_of("view", data, sources).dims == 2 and plan_of("ct", data, sources).dims == 3
    assert image_sources(data, sources) == ("ct", "view")
    lacking = Case("d", {"view": picture(5)}, reference="view")
    only = prepare_sources(lacking, data, sources, reference=picture(5))
    assert set(only.images) == {"view"}


def test_a_cine_in_a_visit_has_days_and_seconds():
    case = Case("now", {"image": cine(2)}, earlier=(Visit(Case("b", {"image": cine(2)}), 1.0),))
    found = prepare_sources(
        case, plan(), SourcesPlan(frames=2, visits=2, fusion="attention"), reference=case.images["image"]
    )
    assert found.times_s["image"].tolist() == [-86400.0, -86399.75, 0.0, 0.25]


def test_a_volume_where_a_picture_is_planned_is_refused_by_the_case():
    volume = Image(np.ones((1, 4, 8, 8), np.float32))
    with pytest.raises(DataError, match="single pictures"):
        prepare_sources(
            Case("x", {"view": volume}, reference="view"),
            plan("view"),
            SourcesPlan(apart={"view": (1, 8, 8)}, fusion="attention"),
            reference=volume,
        )
