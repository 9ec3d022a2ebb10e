"""Sets of images of one case: without order, some missing, on grids and with channels of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.plan.fingerprint import Fingerprint, fingerprint
from vesalius.plan.summary import summary
from vesalius.run.workspace import Observer


def picture(path: Path, seed: int, size: tuple[int, ...] = (9, 8)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.random.default_rng(seed).integers(0, 255, size, np.uint8)).save(path)
    return path.name


def table(root: Path, head: str, rows: Sequence[str], **columns: str) -> Cohort:
    (root / "t.csv").write_text("\n".join([head, *rows]) + "\n")
    return cohorts.read(root / "t.csv", columns=columns, max_set_aside=1.0)


def printed(cohort: Cohort) -> tuple[Cohort, Fingerprint, Observer]:
    observer = Observer(next(iter(cohort.targets.values()), None))
    found = cohorts.check(cohort, observe=observer, max_set_aside=0.5)
    return found, fingerprint(summary(found, observer.facts, found.cases, None), None), observer


def unordered(root: Path) -> Cohort:
    rows = [
        f"s{k},{picture(root / f'x{k}{n}.png', 9 * k + n)},{'ab'[k % 2]}"
        for k in range(6)
        for n in range(1 + k % 3)
    ]
    return table(root, "study_id,image,label", rows, view="none")


def test_images_without_order_are_numbered_under_a_role(tmp_path: Path) -> None:
    cohort = unordered(tmp_path)
    assert [tuple(c.images) for c in cohort][:3] == [
        ("view#1",),
        ("view#1", "view#2"),
        ("view#1", "view#2", "view#3"),
    ]
    assert cohort["s2"].reference == "view#1" and cohort["s2"].of_role("view") == (
        "view#1",
        "view#2",
        "view#3",
    )
    assert any("have no order, as told: 3 images at most" in n for n in cohort.notes)
    with pytest.raises(DataError, match="no column says which view each is") as caught:
        cohorts.read(tmp_path / "t.csv")
    assert "--column view=none for a set without order" in str(caught.value)


def test_a_set_without_order_is_refused_by_tasks_that_must_know_which_is_which(tmp_path: Path) -> None:
    cohort = unordered(tmp_path)
    with pytest.raises(DataError, match="the images of a case have no order"):
        cohorts.with_complete(cohort)
    _, prints, _ = printed(cohort)
    assert prints.images == ("view#1",)
    apart = prints.apart["view"]
    assert (apart.cases, apart.most, apart.own_grid, apart.shape) == (6, 3, True, (1, 9, 8))


def multimodal(root: Path, n: int = 10) -> Cohort:
    rows = []
    for k in range(n):
        ct = picture(root / f"ct{k}.png", k) if k != 1 else ""
        xray = picture(root / f"xr{k}.png", 100 + k, (20, 16)) if k % 3 else ""
        photo = picture(root / f"ph{k}.png", 200 + k, (9, 8, 3)) if k != 2 else ""
        rows.append(f"p{k},{ct},{xray},{photo},{60 + k},a few words {k},{'ab'[k % 2]}")
    head = "id,ct,xray,photo,age,history,label"
    return table(root, head, rows, image="ct,xray,photo", text="history", covariate="age")


def test_a_case_keeps_what_it_has_and_the_note_says_who_lacks_what(tmp_path: Path) -> None:
    cohort = multimodal(tmp_path)
    assert len(cohort.cases) == 10 and not cohort.set_aside
    assert tuple(cohort["p0"].images) == ("ct", "photo") and cohort["p1"].reference == "xray"
    assert cohort.expected == ("ct", "xray", "photo") and cohort["p3"].texts == {"history": "a few words 3"}
    notes = " ".join(cohort.notes)
    assert "4 of 10 cases lack the image 'xray' (p0, p3, p6, p9): kept for tasks" in notes
    assert "1 of 10 cases lacks the image 'ct' (p1)" in notes


def test_images_on_grids_or_with_channels_of_their_own_are_in_the_fingerprint(tmp_path: Path) -> None:
    found, prints, observer = printed(multimodal(tmp_path))
    assert len(found.cases) == 10, "nothing is set aside before a task says what it takes"
    assert prints.images == ("ct",) and prints.channels == 1 and prints.shape_median == (1, 9, 8)
    xray, photo, ct = (prints.apart[n] for n in ("xray", "photo", "ct"))
    assert (xray.cases, xray.shape, xray.own_grid, xray.differs) == (6, (1, 20, 16), True, 5)
    assert (photo.cases, photo.channels, photo.grey, photo.own_grid) == (9, 3, False, True)
    assert (ct.cases, ct.own_grid) == (9, False), "it is only missing in one"
    assert prints.texts == {"history": 10} and prints.cases == 10
    assert set(prints.json()) >= {"apart", "texts"} and "times" not in prints.json()
    assert set(observer.apart) == {f"p{k}" for k in range(10) if k % 3 and k != 1} | {"p1"}


def test_tasks_that_stack_images_set_such_cases_aside_by_name(tmp_path: Path) -> None:
    rows = [
        f"{picture(tmp_path / f'a{k}.png', k)},"
        f"{picture(tmp_path / f'b{k}.png', 50 + k, (9 + (k == 4), 8))},{'ab'[k % 2]}"
        for k in range(8)
    ]
    found, prints, observer = printed(table(tmp_path, "image_a,image_b,label", rows))
    assert prints.apart["b"].differs == 1 and prints.images == ("a",)
    whole = cohorts.with_complete(found, observer.apart)
    assert [s.case for s in whole.set_aside] == ["a4"]
    assert "'b' and 'a' differ in shape ((1, 10, 8) and (1, 9, 8) (z, y, x))" in whole.set_aside[0].reason
    after = fingerprint(summary(whole, observer.facts, whole.cases, None), None)
    assert after.images == ("a", "b") and not after.apart and "apart" not in after.json()
    alone = cohorts.check(table(tmp_path, "image_a,image_b,label", [r for r in rows if "a4" not in r]))
    assert whole.hash == alone.hash, "as if the case had never been read"


def test_images_that_few_have_are_kept_where_their_columns_were_named(tmp_path: Path) -> None:
    rows = [
        f"{picture(tmp_path / f'a{k}.png', k)},{picture(tmp_path / 'b0.png', 50) if k == 0 else ''},{'ab'[k % 2]}"
        for k in range(8)
    ]
    told = table(tmp_path, "image_a,image_b,label", rows, image="image_a,image_b")
    assert tuple(told["a0"].images) == ("a", "b") and told.expected == ("a",)
    assert len(cohorts.with_complete(told).cases) == 8, "what few have is expected of none"


def test_cohorts_of_one_kind_of_image_have_the_fingerprint_of_before(tmp_path: Path) -> None:
    rows = [f"{picture(tmp_path / f'a{k}.png', k)},{'ab'[k % 2]}" for k in range(6)]
    _, prints, _ = printed(table(tmp_path, "image,label", rows))
    assert not {"times", "visits", "courses", "texts", "apart"} & set(prints.json())


def test_frames_visits_and_courses_are_in_the_fingerprint() -> None:
    from vesalius.core.case import Visit
    from vesalius.core.course import Course

    rng = np.random.default_rng(0)
    cases = []
    for k in range(6):
        times = tuple(0.04 * t for t in range(8 + k))
        cine = Image(rng.integers(0, 255, (8 + k, 1, 1, 6, 6), np.uint8), times_s=times)
        values = rng.normal(size=(10 + k, 3))
        values[0, 0] = np.nan
        signal = Course(values, ("a", "b", "c"), tuple(0.5 * t for t in range(10 + k)))
        earlier = tuple(
            Visit(Case(f"c{k}v{n}", {"image": cine}, patient=f"P{k}"), float(100 * (k % 3 - n)))
            for n in range(k % 3)
        )
        cases.append(
            Case(f"c{k}", {"image": cine}, patient=f"P{k}", courses={"ecg": signal}, earlier=earlier)
        )
    found, prints, _ = printed(Cohort(Path(), "made", tuple(cases)))
    assert prints.times is not None and prints.visits is not None
    assert (prints.times.cases, prints.times.frames, prints.times.frames_max) == (6, 10, 13)
    assert prints.times.interval_s == pytest.approx(0.04)
    assert (prints.visits.cases, prints.visits.median, prints.visits.most, prints.visits.days) == (
        4,
        1.0,
        2,
        100.0,
    )
    ecg = prints.courses["ecg"]
    assert (ecg.cases, ecg.columns, ecg.length, ecg.length_max) == (6, 3, 12, 15)
    assert ecg.names == ("a", "b", "c") and ecg.interval_s == pytest.approx(0.5)
    assert ecg.missing == pytest.approx(np.mean([1 / (3 * (10 + k)) for k in range(6)]), abs=1e-4)
    assert len(found.cases) == 6


def test_statistics_of_sources_can_be_merged_and_sent(tmp_path: Path) -> None:
    from vesalius.core.statistics import Statistics

    found, prints, observer = printed(multimodal(tmp_path))
    halves = [
        Statistics.parse(summary(found, observer.facts, part, None).keyed(b"shared").json())
        for part in (found.cases[:5], found.cases[5:])
    ]
    both = fingerprint(halves[0].merged(halves[1]), None)
    assert both.apart == prints.apart and both.texts == prints.texts and both.images == prints.images


def test_the_small_cohort_of_tests_brings_every_source(tmp_path: Path) -> None:
    from vesalius.testing.small import read_small, with_sources, write_small

    cohort = read_small(write_small(tmp_path / "small", dims=2, cases=8), ["class", "number"])
    assert cohort is not None
    found, prints, _ = printed(with_sources(cohort))
    assert len(found.cases) == 8 and set(prints.courses) == {"signal", "findings"}
    assert prints.courses["findings"].tree and prints.courses["signal"].cases == 7
    assert prints.visits is not None and prints.visits.most == 2 and prints.texts == {"history": 7}
    assert prints.apart["photo"].cases == 6 and prints.apart["photo"].own_grid
