"""Scaling as people ask for it: nested shares by patient, equal steps, the same held-out cases, going on, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius.answers.drawing.powers import brief
from vesalius.core.errors import BudgetError, DataError, LimitReached, OutputError, PlanError
from vesalius.run.scaling.grid import Fit, fits
from vesalius.run.scaling.study import ERROR, Place, studied
from vesalius.verbs.scale import scale

SMALL = {"net.name": "cnn", "data.size": [1, 28, 28], "train.batch": 4, "train.steps": 2}
HOW: dict[str, Any] = {
    "sizes": [0.125], "shares": [0.5, 1], "lengths": [1], "seeds": [0], "settings": SMALL, "progress": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vs.phantom(
        tmp_path_factory.mktemp("spots") / "data", kind="spots", cases=40, seed=4, progress=False
    )


@pytest.fixture(scope="module")
def grown(spots: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, vs.Scaling]:
    out = tmp_path_factory.mktemp("grown") / "out"
    return out, scale(spots, out, **HOW)


def test_fits_have_equal_steps_and_the_smaller_share_fewer_patients(grown: tuple[Path, vs.Scaling]) -> None:
    out, found = grown
    half, whole = sorted(found.places, key=lambda p: p.labels)
    assert half.steps == whole.steps == 2 and half.parameters == whole.parameters
    assert half.labels == pytest.approx(whole.labels / 2, abs=1) and half.flops == whole.flops > 0
    assert found.flops_by == "counted" and found.study("loss") is not None
    kept = json.loads((out / "scale.json").read_text(encoding="utf-8"))
    assert kept["sentences"] == list(found.sentences) and "at least" in kept["sentences"][0]
    page = (out / "scale.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 2 and "mathdefault" not in page  # numbers on axes are written out
    assert all(f">{p.labels:.0f}</text>" in page for p in (half, whole))


def test_nothing_is_learned_from_that_is_held_out_or_tested_and_shares_are_nested(
    spots: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, set[str]] = {}
    asked: dict[str, Any] = {}

    def watched(worker: Any, asked_fits: Any, each_s: Any) -> Any:
        asked["space"], asked["held"] = worker.scores.space, set(worker.held)
        for f in asked_fits:
            seen[f"{f.share}-{f.seed}"] = set(worker.learned(f.share, f.seed))
        raise PlanError("enough was seen")

    monkeypatch.setattr("vesalius.run.scaling.grid.Worker.cells", watched)
    with pytest.raises(PlanError, match="enough"):
        scale(spots, tmp_path / "out", **{**HOW, "seeds": [0, 1], "shares": [0.25, 0.5, 1]})
    test, held = set(asked["space"].assignment.test), asked["held"]
    assert test and held and not test & held
    patients = {c.id: c.patient or c.id for c in asked["space"].cohort.cases}
    barred = {patients[i] for i in test | held}
    for seed in (0, 1):
        few, half, whole = (seen[f"{share}-{seed}"] for share in (0.25, 0.5, 1.0))
        assert few < half < whole and not {patients[i] for i in whole} & barred
    assert seen["0.5-0"] != seen["0.5-1"] and seen["1.0-0"] == seen["1.0-1"]


def test_it_goes_on_where_it_was_and_refuses_another(
    grown: tuple[Path, vs.Scaling], spots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, before = grown
    monkeypatch.setattr("vesalius.run.plan_scores.PlanScores.trained", None)  # nothing is trained again
    again = scale(spots, out, **{**HOW, "resume": True, "time_limit": 0.01})  # what is finished takes no time
    assert again.places == before.places
    unfinished = out.parent / ".out-work" / "checkpoints" / "size-1-0.pt"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"of a fit that was killed")
    with pytest.raises(OutputError, match="steps"):
        scale(spots, out, **{**HOW, "settings": {**SMALL, "train.steps": 3}})
    assert unfinished.is_file() and not list((out.parent / ".out-work" / "cache").glob("*"))


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"shares": [0.5]}, DataError, "1 must be among the shares"),
        ({"sizes": [0]}, DataError, "sizes lie above 0"),
        ({"seeds": []}, DataError, "needs a seed"),
        ({"shares": [0.01, 0.02, 1]}, DataError, "hold the same"),
        ({"settings": {"net.scale": 1}}, PlanError, "net.scale"),
        ({"settings": {**SMALL, "train.steps": 0}}, PlanError, "at least 1"),
        ({"resume": True}, OutputError, "no scaling to resume"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_nothing_written(
    spots: Path, tmp_path: Path, changed: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        scale(spots, tmp_path / "out", **{**HOW, **changed})
    assert not (tmp_path / "out" / "grid.json").exists()


def test_a_time_that_is_too_short_is_refused(spots: Path, tmp_path: Path) -> None:
    open_steps = {k: v for k, v in SMALL.items() if k != "train.steps"}
    with pytest.raises(BudgetError):
        scale(spots, tmp_path / "out", **{**HOW, "settings": open_steps, "time_limit": 0.01})
    assert not (tmp_path / "out" / "grid.json").exists()


def test_a_grid_that_runs_late_ends_between_fits_and_keeps_its_place(spots: Path, tmp_path: Path) -> None:
    with pytest.raises(LimitReached, match="at 0 of 2 fits.*goes on"):
        scale(spots, tmp_path / "out", **{**HOW, "time_limit": 0.01})
    assert (tmp_path / "out" / "grid.json").is_file() and not (tmp_path / "out" / "scale.json").exists()
    assert not list((tmp_path / "out").glob("cells/*/*.json"))


@pytest.mark.parametrize(
    ("value", "says"),
    [(0.0625, "0.0625"), (307, "307"), (5650, "5650"), (22370, "22.4k"), (355202, "355k"), (999_960, "1M")],
)
def test_numbers_on_an_axis_are_brief(value: float, says: str) -> None:
    assert brief(value) == says


def test_every_size_meets_every_share_and_lengths_are_of_all_patients() -> None:
    found = fits([0.5, 1.0], [0.5, 1.0], [0.5, 1.0], [0, 1])
    assert len(found) == len(set(found)) == 2 * 2 * 3
    assert Fit(0.5, 0.5, 0.5, 0) not in found and Fit(0.5, 1.0, 0.5, 1) in found


def place(size: float, share: float, loss: float, score: float) -> Place:
    return Place(
        size, share, 1.0, 1000 * size, 100 * share, 100 * share, 5.0, 1e6, (loss, loss), (score, score)
    )


def test_the_check_leaves_the_largest_net_and_the_full_cohort_out() -> None:
    steps = (0.125, 0.25, 0.5, 1.0)
    all_ = [place(s, h, 0.2 + s**-0.5 / 10 + h**-0.7 / 10, 0.5) for s in steps for h in steps]
    study = studied(all_, "loss")
    assert study is not None and study.check is not None
    worse = [p if p.size < 1 and p.share < 1 else place(p.size, p.share, 9.0, 0.5) for p in all_]
    other = studied(worse, "loss")
    assert other is not None and other.check is not None
    assert other.check.forecast == study.check.forecast and other.check.measured == 9.0
    assert study.check.held and not other.check.held and study.check.error < study.check.carried_error


def test_a_score_without_a_ceiling_has_no_error() -> None:
    assert studied([place(1, s, 1.0, -2.0) for s in (0.5, 1.0)], ERROR) is None
    assert studied([place(1, s, 1.0, 0.5) for s in (0.5, 1.0)], ERROR) is not None
