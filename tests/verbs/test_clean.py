"""clean: planted faults are proposed with their reasons, a person decides, test cases stay, and all can be undone."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

import vesalius as vs
from vesalius import cohorts
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName
from vesalius.core.progress import Silent
from vesalius.run import outcome
from vesalius.run.cleaning import doubting
from vesalius.run.cleaning.proposals import Proposal
from vesalius.verbs import clean as verb

TINY = {
    "net.scale": 0.125, "train.threads": 1, "train.steps": 60, "train.batch": 16, "train.validations": 1,
    "data.size": [1, 20, 20], "train.lr": 3e-3, "infer.novelty": "none",
}  # fmt: skip
WRONG = ("spots-0003", "spots-0010", "spots-0017")
OTHER = {"spot": "none", "none": "spot"}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of bright spots or of none; three of them carry the other label, and nothing else is wrong."""
    root = vs.phantom(
        tmp_path_factory.mktemp("clean") / "data",
        kind="spots", cases=40, seed=3, options={"contrast": 140, "noise": 8, "size": 20},
    )  # fmt: skip
    rows = _rows(root / "cohort.csv")
    for row in rows:
        if row["case"] in WRONG:
            row["class"] = OTHER[row["class"]]
    _write(root / "cohort.csv", rows)
    return root


@pytest.fixture(scope="module")
def no_reports(quick: None) -> Iterator[None]:
    """Fits draw no report, which no test here looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcome, "write_report", lambda *_, **__: "")
        yield


@pytest.fixture(scope="module")
def cleaned(mislabelled: Path, tmp_path_factory: pytest.TempPathFactory, no_reports: None) -> vs.Cleaning:
    """The same pictures, looked at by two models that each saw half of them."""
    out = tmp_path_factory.mktemp("cleaned") / "out"
    return vs.clean(mislabelled, out, folds=2, settings=TINY, seed=0, progress=False)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Twelve pictures with a declared split: copies, a contradiction, leaks into the test, and a broken file."""
    rng = np.random.default_rng(1)
    root, rows = tmp_path / "faulty", []
    (root / "images").mkdir(parents=True)
    for k in range(12):
        Picture.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(root / "images" / f"i{k}.png")
        rows.append({
            "case": f"c{k}", "patient": f"p{k}", "image": f"images/i{k}.png", "class": "ab"[k % 2],
            "split": "test" if k > 8 else "train",
        })  # fmt: skip
    for copy, of in (("2", "0"), ("3", "4"), ("5", "9"), ("11", "10")):
        shutil.copy(root / "images" / f"i{of}.png", root / "images" / f"i{copy}.png")
    rows[6]["patient"] = rows[10]["patient"]
    (root / "images" / "i8.png").write_bytes(b"no picture")
    _write(root / "cohort.csv", rows)
    return root


def test_planted_label_errors_are_found_and_nothing_else_is_changed(
    cleaned: vs.Cleaning, mislabelled: Path
) -> None:
    assert {(p.case, p.kind, p.action) for p in cleaned.proposals} == {
        (c, "label error", "relabel") for c in WRONG
    }
    rows = {r["case"]: r for r in _rows(cleaned.path / "changes.csv")}
    before = {c.id: c.targets["class"] for c in vs.read(mislabelled)}
    after = {c.id: c for c in vs.read(cleaned.path)}
    assert set(rows) == set(WRONG)
    for case, label in before.items():
        assert after[case].targets["class"] == (OTHER[str(label)] if case in WRONG else label)
    assert all(
        "of a model that never saw the case" in r["reason"] and r["was"] == before[r["case"]]
        for r in rows.values()
    )
    assert any("estimated to be wrong" in note for note in cleaned.notes)


def test_the_cleaned_cohort_is_tested_on_the_cases_that_were_set_apart_before(cleaned: vs.Cleaning) -> None:
    dealt = cohorts.load_assignment(cleaned.path / "run" / "folds.json")
    read = vs.read(cleaned.path)
    assert {c.id for c in read if c.split == "test"} == set(dealt.test) and len(dealt.test) == 8
    assert not set(dealt.test) & {c.case for c in cleaned.changes}
    tables = _rows(cleaned.path / "proposals.csv")
    try:
        _write(
            cleaned.path / "proposals.csv", [*tables, {**tables[0], "case": dealt.test[0], "action": "drop"}]
        )
        before = {p.name: p.read_bytes() for p in cleaned.path.glob("*.*")}
        with pytest.raises(DataError, match="is one that is tested on, and is not changed"):
            vs.clean(cleaned.path, apply=True, progress=False)
        assert before == {p.name: p.read_bytes() for p in cleaned.path.glob("*.*")}, "nothing is half written"
    finally:
        _write(cleaned.path / "proposals.csv", tables)


def test_a_person_edits_the_table_and_it_is_followed_and_undone(cleaned: vs.Cleaning, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(cleaned.path, folder)
    tables = _rows(folder / "proposals.csv")
    tables[0]["accept"], tables[1]["action"] = "no", "drop"
    with (folder / "proposals.csv").open(
        "w", newline="", encoding="utf-16"
    ) as file:  # as a spreadsheet may save it
        writer = csv.DictWriter(file, list(tables[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(tables)
    found = vs.clean(folder, apply=True, progress=False)
    assert found.counts == {"drop": 1, "merge": 0, "relabel": 1} and len(vs.read(folder)) == 39
    assert found.notes == cleaned.notes
    undone = vs.clean(folder, undo=True, progress=False)
    assert undone.changes == () and len(undone.proposals) == 3
    source = cohorts.load_source(folder)[0].data
    assert {c.id: c.targets["class"] for c in vs.read(folder)} == {
        c.id: c.targets["class"] for c in vs.read(source)
    }


def test_the_page_shows_each_proposal_with_its_picture(cleaned: vs.Cleaning) -> None:
    page = (cleaned.path / "clean.html").read_text()
    for case in WRONG:
        assert f'aria-label="Enlarge {case}"' in page
    assert (
        "<del>" in page and "--apply" in page and "http" not in page.split("<body>")[1].split("<script>")[0]
    )
    assert repr(cleaned) == "Cleaning('out', 3 proposals, of 40 cases, 3 relabelled)"


def test_what_is_certain_is_accepted_what_is_tested_on_stays(faulty: Path, tmp_path: Path) -> None:
    found = vs.clean(faulty, tmp_path / "out", fitted=False, progress=False)
    said = {(p.case, p.kind, p.action, p.same_as) for p in found.proposals if p.accept}
    assert said == {
        ("c8", "cannot be used", "drop", ""),
        ("c2", "duplicate", "merge", "c0"),
        ("c3", "contradiction", "drop", "c4"),
        ("c4", "contradiction", "drop", "c3"),
        ("c5", "leak", "drop", "c9"),
        ("c6", "leak", "drop", "c10"),
    }
    assert [c.id for c in vs.read(tmp_path / "out")] == ["c0", "c1", "c7", "c9", "c10", "c11"]
    assert any("2 cases that are tested on" in n or "tested on are named" in n for n in found.notes), (
        found.notes
    )
    vs.inspect(tmp_path / "out", progress=False)
    assert (
        len(_rows(faulty / "cohort.csv")) == 12
        and (faulty / "images" / "i8.png").read_bytes() == b"no picture"
    )


def test_what_cannot_be_asked_is_refused_and_leaves_nothing(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for given, error, words in (
        ({"by": "guess"}, UnknownName, "way of finding"),
        ({"fitted": False, "apply": True, "undo": True}, DataError, "three ways to go on"),
        ({"apply": True}, DataError, "without -o"),
    ):
        with pytest.raises(error, match=words):
            vs.clean(faulty, out, progress=False, **given)
        assert not out.exists()
    with pytest.raises(OutputError, match="new folder"):
        vs.clean(faulty, progress=False)
    with pytest.raises(DataError, match="no folder that `vesalius clean` wrote"):
        vs.clean(faulty, undo=True, progress=False)
    rows = _rows(faulty / "cohort.csv")
    _write(faulty / "cohort.csv", [{**row, "class": f"{k}.5"} for k, row in enumerate(rows)])
    with pytest.raises(DataError, match=r"is of kind number; try: --no-fit"):
        vs.clean(faulty, out, columns={"value": "class"}, progress=False)
    assert not out.exists()


def test_one_that_is_finished_is_followed_as_it_was_edited_and_goes_on_with_no_other_data(
    faulty: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    vs.clean(faulty, out, fitted=False, progress=False)
    edited = [{**row, "accept": "no"} for row in _rows(out / "proposals.csv")]
    _write(out / "proposals.csv", edited)
    assert vs.clean(faulty, out, resume=True, progress=False).changes == ()
    assert _rows(out / "proposals.csv") == edited
    with pytest.raises(DataError, match=r"is a cleaning of other data; .*try: vesalius clean .*faulty -o"):
        vs.clean(faulty / "images", out, resume=True, progress=False)


def test_an_edited_table_that_cannot_be_followed_says_where(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    vs.clean(faulty, out, fitted=False, progress=False)
    tables = _rows(out / "proposals.csv")

    def tried(edit: Callable[[dict[str, str]], None], error: type[Exception], words: str) -> None:
        edited = [dict(row) for row in tables]
        edit(edited[0])
        _write(out / "proposals.csv", edited)
        with pytest.raises(error, match=words):
            vs.clean(out, apply=True, progress=False)

    tried(
        lambda row: row.update(accept="perhaps"),
        DataError,
        r"row 2: accept must be yes or no; found 'perhaps'",
    )
    tried(lambda row: row.update(action="erase"), UnknownName, "action in .*row 2")
    tried(lambda row: row.update(case="c77"), UnknownName, "c77")
    tried(
        lambda row: row.update(case="c0", action="relabel", target="class", was="a", becomes="a"),
        DataError,
        "names no other label",
    )
    tried(
        lambda row: row.update(case="c0", action="relabel", target="class", was="b", becomes="b"),
        DataError,
        "names no other label|not what it was",
    )


def test_all_cases_have_the_split_that_the_fit_dealt(tmp_path: Path) -> None:
    from vesalius.core.case import Case, Split
    from vesalius.core.cohort import Assignment, Cohort
    from vesalius.run.cleaning.looking import as_dealt

    def case(name: str, split: Split | None, patient: str | None = None) -> Case:
        return Case(name, {}, reference=None, patient=patient or name, split=split)

    first = [
        Proposal(True, "copy", "duplicate", "merge", "r", same_as="a"),
        Proposal(True, "leaks", "duplicate", "merge", "r", same_as="t"),
        Proposal(True, "of-t", "cannot be used", "drop", "r"),
    ]
    dealt = Assignment(test=("t",), folds=(("a",), ("b",)), by="seed 0", seed=0)
    for declared in (None, "train"):  # type: Split | None
        cases = [case(name, declared) for name in ("a", "b", "t", "copy", "leaks")]
        cases += [case("of-t", declared, "t"), case("no target", "test")]
        aside: list[Case] = [] if declared is None else [case("not used", None)]
        cohort = Cohort(tmp_path, "table", (*cases, *aside))
        assert as_dealt(cohort, dealt, first) == {
            **dict.fromkeys(("a", "b", "copy"), "train"),
            **dict.fromkeys(("t", "no target"), "test"),
        }


def test_a_copy_of_what_is_dropped_is_dropped_too() -> None:
    from vesalius.run.cleaning.looking import without_lone_copies

    merged = Proposal(True, "b", "duplicate", "merge", "the same picture as a", same_as="a")
    error = Proposal(True, "a", "label error", "drop", "r", target="class", was="x")
    found = without_lone_copies([merged, error])
    assert [(p.case, p.action) for p in found] == [("b", "drop"), ("a", "drop")]
    assert found[0].reason == "the same picture as a, which is dropped itself as a label error"
    for other in (replace(error, accept=False), replace(error, action="relabel", becomes="y")):
        assert without_lone_copies([merged, other]) == [merged, other]


def test_labels_that_may_hold_together_are_relabelled_as_one_list() -> None:
    from vesalius.core.case import Case
    from vesalius.core.cohort import Label, TargetInfo
    from vesalius.reliability.label_errors import LabelError

    info = TargetInfo("findings", "multilabel", (Label(0, "cyst"), Label(1, "stone")))
    case = Case("a", {}, reference=None, targets={"findings": ("cyst",)})
    errors = [
        LabelError("a", "yes", "no", 0.1, 0.9, True, "cyst"),
        LabelError("a", "no", "yes", 0.2, 0.8, True, "stone"),
    ]
    (one,) = doubting._relabelled(errors, {"a": case}, info)
    assert (one.action, one.was, one.becomes, one.evidence) == (
        "relabel",
        '["cyst"]',
        '["stone"]',
        pytest.approx(0.8),
    )
    assert cohorts.value_of(info, one.becomes) == ("stone",)


def test_one_that_is_interrupted_goes_on(
    mislabelled: Path, cleaned: vs.Cleaning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def stopped(*_: Any, **__: Any) -> Any:
        raise Interrupted("interrupted; what was trained is saved", hint="vesalius fit")

    with monkeypatch.context() as patch:
        patch.setattr(verb, "fit", stopped)
        with pytest.raises(Interrupted, match=rf"vesalius clean .* -o {out} --resume"):
            vs.clean(mislabelled, out, folds=2, settings=TINY, seed=0, progress=False)
    shutil.copytree(cleaned.path / "run", out / "run")  # as far as the fit had come
    done = vs.clean(mislabelled, out, resume=True, progress=False)
    assert [p.case for p in done.proposals] == [p.case for p in cleaned.proposals]


def test_the_effect_is_measured_on_the_same_cases_by_one_plan(cleaned: vs.Cleaning, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(cleaned.path, folder)
    found = vs.clean(folder, effect=True, progress=False)
    assert "AUC" in found.effect and "With and without" in (folder / "clean.html").read_text()
    before, after = sorted((folder / "effect").iterdir())[::-1]
    assert before.name == "before" and after.name in found.effect
    plans = [json.loads((p / "plan.json").read_text()) for p in (before, after)]
    assert plans[0]["train"]["steps"] == plans[1]["train"]["steps"] == 60
    tested = [cohorts.load_assignment(p / "folds.json").test for p in (before, after)]
    assert set(tested[0]) == set(tested[1])
    with pytest.raises(DataError, match="nothing is changed"):
        vs.clean(folder, undo=True, effect=True, progress=False)


def test_what_no_model_can_learn_from_is_left_out_before_and_after() -> None:
    from vesalius.run.cleaning import effect

    kinds = ("leak", "cannot be used", "near leak", "label error")
    changes = [Proposal(True, kind, kind, "drop", "r").change() for kind in kinds]
    assert [c.case for c in effect.in_both(changes)] == ["leak", "cannot be used"]


def test_a_proposal_in_the_table_is_read_as_it_was(tmp_path: Path) -> None:
    from vesalius.run.cleaning import proposals

    made = (
        Proposal(True, "a", "label error", "relabel", 'a "quoted", reason', "class", "x", "y", evidence=0.25),
        Proposal(False, "b", "mask error", "drop", "r", place="1,2,3,4,5,6", evidence=1.5, patient="007"),
    )
    proposals.save(made, tmp_path)
    assert proposals.load(tmp_path) == made
    proposals.save((), tmp_path)
    assert proposals.load(tmp_path) == ()


def test_regions_of_masks_are_proposed_with_their_place_and_never_accepted_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from vesalius.core.case import Case
    from vesalius.core.cohort import Cohort, Label, TargetInfo
    from vesalius.core.image import Image
    from vesalius.run.cleaning.pictures import pictured

    true = np.zeros((1, 8, 16, 16), np.int16)
    true[0, 1:7, 2:9, 2:9] = 4
    given = true.copy()
    given[0, 1:6, 10:15, 10:15] = 4
    image = Image(np.random.default_rng(0).normal(size=true.shape).astype(np.float32), None)
    cases = tuple(
        Case(name, {"image": image}, targets={"mask": Image(mask, None)}, patient=f"p-{name}")
        for name, mask in (("right", true), ("wrong", given), ("other", true))
    )
    info = TargetInfo("mask", "mask", (Label(4, "liver"),))
    cohort = Cohort(tmp_path, "table", cases, targets={"mask": info})
    chances = np.where(true[0] == 4, 0.9, 0.05)[None].astype(np.float16)
    stage = SimpleNamespace(state=SimpleNamespace(values={"labels": [{"name": "liver", "value": 4}]}))
    run: Any = SimpleNamespace(bundle=SimpleNamespace(stages=[stage]), path=tmp_path, plan=None)
    monkeypatch.setattr(doubting.cohorts, "load_assignment", lambda _: SimpleNamespace(folds=()))
    monkeypatch.setattr(doubting, "on_own_folds", lambda *_, **__: ((c, chances) for c in cases))
    handled = SimpleNamespace(chances=lambda answer: answer)
    monkeypatch.setattr(doubting, "contract", SimpleNamespace(of=lambda _: handled))
    found = doubting.doubted(run, cohort, info, by="noise_rate", progress=Silent(), device=None)
    (one,) = found.proposals
    assert (one.accept, one.case, one.action, one.was, one.becomes) == (
        False,
        "wrong",
        "drop",
        "liver",
        "background",
    )
    assert one.place == "1,10,10,6,15,15" and "125 voxels about slice 3, row 12, column 12" in one.reason
    (picture,) = pictured(one, cohort)
    assert picture.caption == "slice 1" and picture.src.startswith("data:image/")
