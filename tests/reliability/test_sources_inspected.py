"""Inspecting cohorts with earlier visits, time courses without images, and cases that lack images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.cli._inspection import facts
from vesalius.reliability import html
from vesalius.reliability.inspect import Inspection, inspect, to_json
from vesalius.reliability.marks import Marks


def read(root: Path, lines: list[str], **columns: str) -> Inspection:
    (root / "t.csv").write_text("\n".join(lines) + "\n")
    return inspect(cohorts.read(root / "t.csv", columns=columns, max_set_aside=1.0))


def course(path: Path, seed: int, *, rows: int = 6, empty: bool = False, constant: bool = False) -> str:
    values = np.zeros((rows, 2)) if constant else np.random.default_rng(seed).normal(size=(rows, 2))
    lines = ["time_s,a,b"]
    lines += [f"{k},{v[0]:.4f},{'' if empty else f'{v[1]:.4f}'}" for k, v in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")
    return path.name


def picture(path: Path, seed: int, size: tuple[int, int] = (9, 8)) -> str:
    Picture.fromarray(np.random.default_rng(seed).integers(0, 255, size, np.uint8)).save(path)
    return path.name


def texts(found: Inspection, kind: str) -> list[str]:
    return [f.text for f in found.findings if f.kind == kind]


def test_courses_without_images_are_summed_up_and_their_faults_named(tmp_path: Path) -> None:
    rows = [f"{course(tmp_path / f's{k}.csv', k, rows=6 + k)},{'ab'[k % 2]}" for k in range(6)]
    rows.append(f"{course(tmp_path / 's6.csv', 6, empty=True)},a")
    rows.append(f"{course(tmp_path / 's7.csv', 7, constant=True)},b")
    (tmp_path / "s8.csv").write_bytes((tmp_path / "s0.csv").read_bytes())
    (tmp_path / "s9.csv").write_text("time_s,a,b\n1,2,x\n")
    rows += ["s8.csv,b", "s9.csv,a"]
    found = read(tmp_path, ["signal,label", *rows])
    one = found.summary.sources.courses[0]
    assert (one.name, one.cases, one.rows.low, one.rows.high, one.columns) == ("signal", 9, 6, 11, ("a", "b"))
    cells = 2 * (sum(6 + k for k in range(6)) + 3 * 6)
    assert one.empty == 6 / cells and found.summary.size is None and not found.summary.shapes
    assert texts(found, "time courses") == [
        "1 time course has the same values at every time",
        "1 time course has no number in half of their cells",
    ]
    assert any(
        "'s0' and 's8' are the same time course under different labels" in t
        for t in texts(found, "contradiction")
    )
    assert any("'s9'" in t and "column 'b' holds words" in t for t in texts(found, "set aside"))
    words = dict(facts(found))
    assert words["time course signal"].startswith("in 9 of 9 cases, rows of 2 columns (a, b): 6 – 7 – 11")
    page = html.render(found)
    assert "time course signal" in page and "0×0×0" not in page
    assert json.loads(to_json(found))["summary"]["sources"]["courses"][0]["cases"] == 9


def test_courses_with_other_columns_are_set_aside_and_not_summed_up(tmp_path: Path) -> None:
    rows = [f"{course(tmp_path / f's{k}.csv', k)},{'ab'[k % 2]}" for k in range(6)]
    (tmp_path / "s2.csv").write_text("time_s,a,c\n0,1,2\n")
    found = read(tmp_path, ["signal,label", *rows])
    assert found.summary.cases == found.summary.sources.courses[0].cases == 5
    assert any("'s2': 'signal' has no column 'b'" in t for t in texts(found, "set aside"))
    assert json.loads(to_json(found))["summary"]["set_aside"] == 1


def test_visits_their_distance_and_missing_images_are_summed_up(tmp_path: Path) -> None:
    lines = ["patient,days,ct,pet,age,label"]
    for p in range(6):
        for k in range(2):
            ct = picture(tmp_path / f"c{p}{k}.png", 2 * p + k)
            pet = picture(tmp_path / f"p{p}{k}.png", 50 + 2 * p + k, (12, 8)) if p else ""
            lines.append(f"P{p},{100 * k + p},{ct},{pet},{60 + p},{'ab'[p % 2]}")
    (tmp_path / "c10.png").write_bytes(b"no picture")
    found = read(tmp_path, lines, image="ct,pet")
    s = found.summary.sources
    assert s.visits is not None and s.days is not None and (s.with_visits, s.visits.high) == (5, 1)
    assert (s.days.low, s.days.high) == (100, 100)
    assert s.lacking == {"pet": 2} and s.apart == {"pet": 9}
    assert any("c10" in t for t in texts(found, "set aside"))
    assert texts(found, "grids") == ["'pet' has another size than the reference in 9 cases, and no geometry"]
    words = dict(facts(found))
    assert words["earlier visits"] == "5 of 11 cases know some, 1 at most, 100 days apart"
    assert "missing in 2 of 11 cases" in [v for n, v in facts(found) if n == "image pet"]
    assert "earlier visits" in html.render(found)


def test_a_course_is_known_again_whatever_its_columns_order(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "x.csv").write_text("time_s,a,b\n0,1,5\n1,2,6.5\n2,4,8\n")
    (tmp_path / "two" / "y.csv").write_text("b,a,time_ms\n5,1,0\n6.5,2,1000\n8,4,2000\n")
    found = []
    for name in ("one", "two"):
        marks = Marks()
        cohorts.check(cohorts.read(tmp_path / name, layout="courses"), observe=marks)
        found.append(next(iter(marks.pixels().values())))
    assert found[0] == found[1] and len(found[0]) == 2
