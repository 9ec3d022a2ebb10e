"""fit --shots: which cases are drawn, what is learned of them, and what stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from safetensors.numpy import load_file

import vesalius as vs
from vesalius.cohorts import draw_shots, load_assignment, save_assignment
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.errors import DataError, PlanError

SMALL = {"train.threads": 1, "infer.novelty": "none", "data.size": [1, 32, 32]}


@pytest.fixture(scope="module")
def few(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """Two shots a class of the pictures, on the frozen features of the run that learned from all of them."""
    out = tmp_path_factory.mktemp("few") / "run"
    return vs.fit(pictures.data, out, shots=2, init=pictures.path, settings=SMALL, seed=3)


def test_so_many_of_each_class_are_learned_from_and_the_others_validate(few: vs.Run, pictures: Any) -> None:
    assert few.path is not None and few.bundle is not None
    folds = json.loads((few.path / "folds.json").read_text())
    cohort = vs.read(pictures.data)
    validating, learned = folds["folds"]
    classes = [cohort.case(case).targets["class"] for case in learned]
    assert folds["shots"] == 2 and sorted(classes) == sorted([*{*classes}] * 2)
    assert len(set(classes)) == len(cohort.targets["class"].labels)
    assert not set(learned) & {*validating, *folds["test"]} and validating
    patients = {cohort.case(c).patient for c in learned}
    assert len(patients) == len(learned) and not patients & {cohort.case(c).patient for c in validating}
    assert "only validate" in folds["by"] and few.plan.train.shots == 2
    assert few.plan.train.steps == few.plan.train.members == 1
    assert "few shots" in few.plan.reasons["train.recipe"] and few.plan.train.recipe == "linear"
    stage = few.bundle.stages[0]
    assert stage.calibration["n"] == len(validating)
    assert stage.state.values["share"] == pytest.approx([1 / len(set(classes))] * len(set(classes))), (
        "what is learned without gradients comes of the shots alone, too"
    )
    assert f"{len(learned)} cases, 2 of each label" in (few.path / "card.md").read_text()


def test_the_net_is_frozen_and_only_the_last_layer_is_new(few: vs.Run, pictures: Any) -> None:
    assert few.bundle is not None
    before = load_file(next(pictures.bundle.glob("weights-*.safetensors")))
    after = load_file(next(few.bundle.path.glob("weights-*.safetensors")))
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"head.linear.weight", "head.linear.bias"}


def test_a_run_that_is_resumed_keeps_its_shots_and_a_plan_draws_them_again(
    few: vs.Run, pictures: Any, tmp_path: Path
) -> None:
    assert few.path is not None and few.bundle is not None
    again = vs.fit(pictures.data, few.path, resume=True)
    assert again.bundle is not None and again.bundle.hash == few.bundle.hash
    same = vs.fit(pictures.data, tmp_path / "same", plan=few.path / "plan.json", init=pictures.path)
    assert same.path is not None and same.bundle is not None
    assert (same.path / "folds.json").read_text() == (few.path / "folds.json").read_text()
    one, two = (load_file(next(r.bundle.path.glob("w*.safetensors"))) for r in (few, same) if r.bundle)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_what_cannot_be_is_said_before_anything_is_written(pictures: Any, tmp_path: Path) -> None:
    out, how = tmp_path / "run", {"init": pictures.path, "settings": SMALL}
    with pytest.raises(
        DataError, match=r"label '.+' has too few cases for --shots 9; found \d training patients"
    ):
        vs.fit(pictures.data, out, shots=9, **how)
    with pytest.raises(PlanError, match="few shots are all learned from by one member"):
        vs.fit(pictures.data, out, shots=2, folds=2, **how)
    with pytest.raises(PlanError, match="weights there would stay random"):
        changed = {**SMALL, "net.name": "resnet-34", "net.scale": 0.125}
        vs.fit(pictures.data, out, shots=2, init=pictures.path, settings=changed)
    assert not out.exists()


def test_where_all_are_shots_nothing_validates_and_nothing_is_calibrated(
    pictures: Any, tmp_path: Path
) -> None:
    rows = ["case,split"]
    for k in range(10):
        folder = tmp_path / "data" / "ab"[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).normal(60 + 90 * (k % 2), 20, size=(32, 32))
        Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{k}.png")
    data = vs.read(tmp_path / "data")
    rows += [
        f"{c.id},{'train' if n // 2 < 3 else 'test'}"
        for n, c in enumerate(sorted(data, key=lambda c: c.id[-5:]))
    ]
    (tmp_path / "split.csv").write_text("\n".join(rows))
    run = vs.fit(
        tmp_path / "data",
        tmp_path / "run",
        shots=3,
        init=pictures.path,
        settings=SMALL,
        split=tmp_path / "split.csv",
    )
    assert run.path is not None and run.bundle is not None and run.scorecard is not None
    folds = json.loads((run.path / "folds.json").read_text())
    assert [len(fold) for fold in folds["folds"]] == [0, 6] and "no case is left to validate on" in folds[
        "by"
    ]
    assert run.bundle.stages[0].calibration == {} and run.scorecard.metrics["auc"].value is not None


def test_a_net_from_nothing_says_what_that_means(pictures: Any) -> None:
    class Notes:
        def __init__(self) -> None:
            self.said: list[str] = []

        def start(self, name: str, total: int | None = None) -> None: ...

        def advance(self, name: str, done: int = 1, text: str = "") -> None: ...

        def finish(self, name: str) -> None: ...

        def note(self, text: str) -> None:
            self.said.append(text)

    notes = Notes()
    run = vs.fit(
        pictures.data,
        shots=1,
        init="none",
        settings={**SMALL, "net.scale": 0.125},
        dry_run=True,
        progress=notes,
    )
    assert run.plan.train.recipe == "prototypes" and run.plan.net.init is None
    assert any("its features are random and stay so" in text for text in notes.said)


def cohort(patients: dict[str, str], labels: dict[str, tuple[str, ...]], val: tuple[str, ...] = ()) -> Cohort:
    cases = tuple(
        Case(id=k, images={}, patient=patients.get(k, k), targets={"t": v}, split="val" if k in val else None)
        for k, v in labels.items()
    )
    return Cohort(Path(), "folder", cases)


def test_the_draw_heeds_patients_groups_and_declared_validation(tmp_path: Path) -> None:
    labels = {f"a{k}": ("a",) for k in range(6)} | {f"b{k}": ("b",) for k in range(4)}
    whose = {"a0": "x", "a1": "x", "b0": "x"}
    data = cohort(whose, labels, val=("a5", "b3"))
    before = Assignment(("a4",), (("a0", "a1", "a2", "a3"), ("b0", "b1", "b2", "a5", "b3")), "seed 0", 0)
    for seed in range(20):
        drawn = draw_shots(
            before, data, shots=2, labels=lambda c: labels[c.id], seed=seed, groups={"b1": "g", "b2": "g"}
        )
        validating, learned = drawn.folds
        assert drawn.test == ("a4",) and not {"a4", "a5", "b3"} & {*learned}
        assert sorted(c[0] for c in learned) == ["a", "a", "b", "b"] and {"a5", "b3"} <= {*validating}
        assert len({"a0", "a1", "b0"} & {*learned}) == 1 and "b0" in learned, "b1 and b2 show the same image"
        assert not {"a0", "a1"} & {*validating}, "they are of a patient who was learned from"
    save_assignment(drawn, tmp_path / "folds.json")
    assert load_assignment(tmp_path / "folds.json") == drawn
    with pytest.raises(DataError, match=r"label 'b' has too few cases for --shots 3.*try: --shots 2"):
        draw_shots(
            before, data, shots=3, labels=lambda c: labels[c.id], seed=0, groups={"b1": "g", "b2": "g"}
        )


def test_a_case_with_several_labels_counts_for_each() -> None:
    labels = {"m": ("a", "b"), "n": ("a", "b"), "o": ("a",), "p": ("",), "q": ("",)}
    data = cohort({}, labels)
    drawn = draw_shots(
        Assignment((), (tuple(labels), ()), ""), data, shots=2, labels=lambda c: labels[c.id], seed=0
    )
    assert set(drawn.folds[1]) == {"m", "n", "p", "q"} and drawn.folds[0] == ("o",)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of a bright disc in noise, with its mask."""
    root = tmp_path_factory.mktemp("discs")
    y, x = np.mgrid[:64, :64]
    for k in range(10):
        rng = np.random.default_rng(k)
        (cy, cx), r = rng.uniform(14, 50, 2), rng.uniform(9, 13)
        disc = (y - cy) ** 2 + (x - cx) ** 2 < r * r
        for name, pixels in (("images", 90 + 25 * rng.normal(size=disc.shape) + 60 * disc), ("masks", disc)):
            (root / name).mkdir(exist_ok=True)
            Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(root / name / f"{k}.png")
    return root


@pytest.mark.parametrize("recipe", ["linear", "prototypes"])
def test_masks_are_learned_from_two_examples(discs: Path, tmp_path: Path, recipe: str) -> None:
    settings = {"train.threads": 1, "infer.novelty": "none", "train.recipe": recipe}
    run = vs.fit(discs, tmp_path / "run", shots=2, settings=settings)
    assert run.plan.net.name == "hypercolumn" and run.plan.net.options["encoder"] == "mobilenetv2"
    assert run.plan.net.init is not None and run.plan.net.init.startswith("mobilenetv2-imagenet"), "unasked"
    assert run.scorecard is not None and "without a decoder" in run.plan.reasons["net.name"]
    dice, trivial = run.scorecard.metrics["dice"], run.scorecard.baseline["dice"].value
    assert dice.low is not None and trivial is not None and dice.low > trivial + 0.1


def test_numbers_are_learned_from_so_many_cases_from_the_lowest_to_the_highest(tmp_path: Path) -> None:
    for k in range(20):
        (tmp_path / "d").mkdir(exist_ok=True)
        pixels = np.random.default_rng(k).normal(10 * k, 4, size=(32, 32))
        Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / "d" / f"{k:02d}.png")
    rows = "".join(f"{k:02d},{k:02d}.png,{10.5 * k}\n" for k in range(20))
    (tmp_path / "d" / "t.csv").write_text("case,image,brightness\n" + rows)
    run = vs.fit(
        tmp_path / "d" / "t.csv",
        tmp_path / "run",
        target="brightness",
        shots=4,
        settings=SMALL,
    )
    assert run.path is not None and run.scorecard is not None
    learned = sorted(json.loads((run.path / "folds.json").read_text())["folds"][1])
    assert len(learned) == 4 and int(learned[0]) < 6 and int(learned[-1]) > 13
    found, trivial = run.scorecard.metrics["mae"].value, run.scorecard.baseline["mae"].value
    assert found is not None and trivial is not None and found < trivial


def test_episodes_are_drawn_from_cases_that_the_weights_never_saw(pictures: Any, tmp_path: Path) -> None:
    """The bundle learned from all but its test cases, so that these alone are asked about."""
    folds = json.loads((pictures.path / "folds.json").read_text())
    data = vs.read(pictures.data)
    tested = [data.case(c).targets["class"] for c in folds["test"]]
    with pytest.raises(DataError, match="too few patients|two classes") as caught:
        vs.few_shot(pictures.path, pictures.data, shots=max(tested.count(c) for c in tested), settings=SMALL)
    assert "among the cases that may be asked about" in str(caught.value) or "two classes" in str(
        caught.value
    )
    found = vs.few_shot(
        pictures.path, pictures.data, split="train", shots=1, episodes=4, queries=2, settings=SMALL
    )
    assert found.cases == 12 - len(tested) and "training cases" in found.said[0], (
        "they were asked for, and it is said"
    )
    assert found.chance["accuracy"] == pytest.approx(1 / found.ways) and found.patients_known
    assert len(found.figures) == 2 * 2 * 3 and "over patients" in found._repr_html_()
    for metric in ("accuracy", "auc"):
        one, two, less = (
            found.figure(name, "linear", metric).episodes.value
            for name in ("given", "nothing", "given - nothing")
        )
        assert one is not None and two is not None and less == pytest.approx(one - two)
    page = tmp_path / "page.html"
    found.show(page)
    assert "overlap" in page.read_text()


def test_episodes_need_one_class_a_case(discs: Path, pictures: Any) -> None:
    with pytest.raises(PlanError, match="episodes need one class a case; found a target of kind mask"):
        vs.few_shot(pictures.path, discs, settings=SMALL)
