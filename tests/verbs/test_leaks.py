"""No training case is tested on: neither by `fit --init`, whatever its files are called, nor by `evaluate`."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.cohort import Assignment
from vesalius.core.errors import DataError, LeakError, PlanError
from vesalius.core.plan import load_plan
from vesalius.core.scorecard import Scorecard
from vesalius.reliability.trained_on import FILE
from vesalius.run.init import Start, initial_weights, same_meaning
from vesalius.run.past import Past
from vesalius.run.unseen import of_run
from vesalius.run.workspace import Workspace, prepare_workspace

SETTINGS = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.members": 1,
    "train.steps": 2,
    "train.batch": 4,
    "train.validations": 1,
    "data.size": [1, 16, 16],
}
N = 36
PEOPLE = {k: f"DOE^{k // 2}" for k in range(N)}


class Words:
    """A progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, name: str, total: int | None = None) -> None: ...

    def advance(self, name: str, by: int = 1, text: str = "") -> None: ...

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Sample:
    """Pictures by number, written as a table of files: case `<prefix>-<number>`."""

    prefix: str = "case"
    suffix: str = ".png"
    numbers: Sequence[int] = range(N)
    patient: Mapping[int, str] = field(default_factory=dict)
    split: Mapping[int, str] = field(default_factory=dict)
    other: int = 0  # another seed, other pictures

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        rows = []
        for k in self.numbers:
            rng = np.random.default_rng([self.other, k])
            pixels = rng.integers(0, 120, (20, 24)).astype(np.uint8) + np.uint8(60 * (k % 2))
            name = f"{self.prefix}-{k:02d}{self.suffix}"
            Pillow.fromarray(pixels).save(folder / name)
            row = {"image": name, "class": ("good", "ill")[k % 2]}
            row |= {"patient": self.patient.get(k, f"new-{k}")} if self.patient else {}
            row |= {"split": self.split.get(k, "train")} if self.split else {}
            rows.append(row)
        with (folder / "cohort.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return folder / "cohort.csv"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Sample(patient=PEOPLE).write(tmp_path_factory.mktemp("leaks") / "data")


@pytest.fixture(scope="module")
def first(data: Path, quick: None) -> vs.Run:
    return vs.fit(data, data.parent.parent / "first", settings=SETTINGS, seed=7)


@pytest.fixture(scope="module")
def second(data: Path, first: vs.Run) -> tuple[vs.Run, Words]:
    words, out = Words(), data.parent.parent / "second"
    return vs.fit(data, out, settings=SETTINGS, seed=1, init=place(first), progress=words), words


def place(run: vs.Run) -> Path:
    assert run.path is not None
    return run.path


def folds(run: Path) -> Any:
    return json.loads((run / "folds.json").read_text())


def numbers(ids: Sequence[str]) -> set[int]:
    return {int(i.rpartition("-")[2]) for i in ids}


def trained(run: Path) -> set[int]:
    return numbers([i for fold in folds(run)["folds"] for i in fold])


def space(data: Path, init: Path, *, seed: int = 0, split: Path | None = None) -> Workspace:
    """What `fit` stands on before it plans."""
    return prepare_workspace(
        data,
        task=None,
        target=None,
        columns=None,
        split=split,
        seed=seed,
        folds=5,
        max_set_aside=0.1,
        progress=Words(),
        past=initial_weights(init).past,
    )


def test_another_seed_inherits_the_split_and_the_chain_remembers(
    data: Path, first: vs.Run, second: tuple[vs.Run, Words], tmp_path: Path
) -> None:
    run, words = second
    assert len(trained(place(first))) + len(folds(place(first))["test"]) == N
    assert not trained(place(first)) & numbers(folds(place(run))["test"])
    assert folds(place(run))["test"] == folds(place(first))["test"]
    assert folds(place(run))["folds"] == folds(place(first))["folds"], (
        "no member validates on what it learned"
    )
    assert f"the split of {run.plan.net.init}" in folds(place(run))["by"]
    (note,) = [n for n in words.notes if "test cases" in n]
    assert "none of the" in note and "the split of bundle" in note
    assert run.scorecard is not None and "none of the" in run.scorecard.overlap
    assert not [b for b in run.scorecard.banners if b.kind == "training cases"]
    plan = load_plan(place(run) / "plan.json")
    assert plan.reasons["net.init"].startswith("all of its") or "taken over" in plan.reasons["net.init"]
    for text in ((place(run) / "card.md").read_text(), (place(run) / "report.html").read_text()):
        assert "tensors taken over, all of its parameters" in text and "none of the" in text

    new = Sample(prefix="new", numbers=range(100, 124), other=1).write(tmp_path / "new")
    third = vs.fit(new, tmp_path / "third", settings=SETTINGS, init=place(first))
    assert (
        "seed 0" in folds(place(third))["by"] and "none of the" in (third.scorecard or card_of(third)).overlap
    )
    both = space(data, place(third))  # the first run's cases, of which only its record's heir tells
    assert not trained(place(first)) & numbers(both.assignment.test)
    assert numbers(both.assignment.test) == numbers(folds(place(first))["test"])
    seen = vs.evaluate(place(third), data)
    assert {c["case"] for c in seen.cases} == set(folds(place(first))["test"])


def card_of(run: vs.Run) -> Scorecard:
    assert run.scorecard is not None
    return run.scorecard


@pytest.mark.parametrize("suffix", [".tif", ".bmp"])
def test_other_names_folders_and_formats_are_known_again(suffix: str, first: vs.Run, tmp_path: Path) -> None:
    again = Sample(prefix="renamed", suffix=suffix, numbers=[*range(N)][::-1]).write(tmp_path / "elsewhere")
    found = space(again, place(first) / "bundle", seed=3)
    assert not trained(place(first)) & numbers(found.assignment.test)
    assert numbers(found.assignment.test) == numbers(folds(place(first))["test"])


def test_new_cases_beside_known_ones_are_dealt_by_the_seed(first: vs.Run, tmp_path: Path) -> None:
    known = sorted(trained(place(first)))[:12]
    mixed = Sample(prefix="m", numbers=[*known, *range(200, 230)])
    found = space(mixed.write(tmp_path / "mixed"), place(first))
    test = numbers(found.assignment.test)
    assert not test & set(known) and 6 <= len(test) <= 12
    assert (
        "12 cases of its training" in found.assignment.by and "30 new cases by seed 0" in found.assignment.by
    )
    only = Sample(prefix="o", numbers=known).write(tmp_path / "only")
    with pytest.raises(LeakError, match="12 of 12 cases that it was trained on.*no --init"):
        space(only, place(first))


def test_a_patient_who_was_trained_on_is_not_tested_on_with_new_pictures(
    first: vs.Run, tmp_path: Path
) -> None:
    after = Sample(patient=PEOPLE, other=5).write(tmp_path / "after")
    found = space(after, place(first), seed=9)
    assert numbers(found.assignment.test) == numbers(folds(place(first))["test"])
    card = vs.evaluate(place(first), after)
    assert (
        card.left_out == len(trained(place(first)))
        and f"{card.left_out} of them known by their patient" in card.overlap
    )
    known = sorted(trained(place(first)))
    only = Sample(prefix="o", numbers=known, patient=PEOPLE, other=6).write(tmp_path / "only")
    for refused in (lambda: vs.evaluate(place(first), only), lambda: space(only, place(first))):
        with pytest.raises(DataError, match=f"{len(known)} of them known by their patient alone.*patient=re"):
            refused()
    other = vs.evaluate(place(first), after, columns={"patient": "re:.+"})  # others under the same ids
    assert other.n_cases == N and other.left_out == 0
    text = (place(first) / FILE).read_text()
    assert "DOE" not in text and "case-" not in text


def test_a_declared_split_that_tests_on_training_cases_is_refused(first: vs.Run, tmp_path: Path) -> None:
    data = Sample().write(tmp_path / "data")
    held = sorted(folds(place(first))["test"])
    wrong = {*[f"case-{k:02d}" for k in sorted(trained(place(first)))[:3]], held[0]}
    for name, test in (("wrong", wrong), ("right", set(held[:4]))):
        lines = [f"case-{k:02d},{'test' if f'case-{k:02d}' in test else 'train'}" for k in range(N)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["case,split", *lines]))
    with pytest.raises(LeakError, match=r"3 of the 4 test cases were trained on by bundle .*; try: a split"):
        vs.fit(data, tmp_path / "run", settings=SETTINGS, init=place(first), split=tmp_path / "wrong.csv")
    assert not (tmp_path / "run").exists()
    found = space(data, place(first), split=tmp_path / "right.csv")
    assert set(found.assignment.test) == set(held[:4])
    assert f"is trained on here: {len(held) - 4} cases" in found.assignment.by
    with pytest.raises(
        LeakError, match="3 of the 4"
    ):  # the same of a cohort in memory, whose split is a file
        vs.fit(vs.read(data), init=place(first), split=tmp_path / "wrong.csv", dry_run=True)
    official = {
        **dict.fromkeys(range(N), "train"),
        **dict.fromkeys(sorted(trained(place(first)))[:5], "test"),
    }
    declared = Sample(prefix="d", split=official).write(tmp_path / "declared")
    with pytest.raises(LeakError, match="5 of the 5 test cases"):
        space(declared, place(first))


def test_evaluate_on_its_own_cohort_gives_the_test_cases_figures(
    data: Path, first: vs.Run, tmp_path: Path
) -> None:
    out, words = tmp_path / "out", Words()
    card = vs.evaluate(place(first), data, out, progress=words)
    own = card_of(first)
    assert card.split == "test" and card.n_cases == own.n_cases and card.metrics == own.metrics
    assert card.left_out == len(trained(place(first))) == N - own.n_cases
    said = f"{card.left_out} of {N} cases left out"
    assert said in card.overlap and any(said in n for n in words.notes)
    assert json.loads((out / "scorecard.json").read_text())["left_out"] == card.left_out
    assert said in (out / "report.html").read_text()
    again = vs.evaluate(place(first) / "bundle", data, split="all")
    assert again.metrics == card.metrics and again.left_out == card.left_out
    assert vs.evaluate(place(first), data, split="test").metrics == card.metrics


def test_training_cases_are_scored_where_they_are_asked_for_and_called_so(data: Path, first: vs.Run) -> None:
    card = vs.evaluate(place(first), data, split="train")
    assert card.n_cases == len(trained(place(first))) and card.split == "train" and card.left_out == 0
    assert (
        card.banners[0].kind == "training cases"
        and f"{card.n_cases} of {card.n_cases} cases" in card.banners[0].text
    )


def test_where_all_cases_were_trained_on_nothing_is_scored(first: vs.Run, tmp_path: Path) -> None:
    known = Sample(prefix="o", numbers=sorted(trained(place(first)))).write(tmp_path / "only")
    with pytest.raises(DataError, match="was trained on every case of split 'all'.*--split train"):
        vs.evaluate(place(first), known, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    new = Sample(prefix="n", numbers=range(300, 306)).write(tmp_path / "new")
    card = vs.evaluate(place(first), new)
    assert card.n_cases == 6 and card.left_out == 0 and "trained on none of these cases" in card.overlap
    assert ("resized or lossy copies" in card.overlap) is (not card.patients_known)


def test_a_bundle_without_its_run_says_that_it_could_not_be_checked(
    data: Path, first: vs.Run, tmp_path: Path
) -> None:
    bare = shutil.copytree(place(first) / "bundle", tmp_path / "bare")
    card = vs.evaluate(bare, data)
    assert card.n_cases == N and card.banners[0].kind == "training cases"
    assert "very data" in card.banners[0].text and "could not be checked" in card.overlap
    new = Sample(prefix="n", numbers=range(300, 306)).write(tmp_path / "new")
    other = vs.evaluate(bare, new)
    assert "could not be checked" in other.overlap and not [
        b for b in other.banners if b.kind == "training cases"
    ]
    with pytest.raises(LeakError, match="very data.*--init with the folder of its run"):
        space(data, bare)
    assert "could not be checked" in space(new, bare).overlap
    words = Words()
    vs.fit(new, settings=SETTINGS, init=bare, dry_run=True, progress=words)
    assert any("could not be checked" in n for n in words.notes)
    weights = tmp_path / "plain.safetensors"
    save_file(load_file(bare / "weights-0-0.safetensors"), weights)
    assert "could not be checked" in space(data, weights).overlap
    inside = place(first) / "bundle" / "weights-0-0.safetensors"
    assert numbers(space(data, inside).assignment.test) == numbers(folds(place(first))["test"])


def test_a_bundle_in_the_place_of_another_runs_is_not_held_against_its_record(
    first: vs.Run, tmp_path: Path
) -> None:
    new = Sample(prefix="n", numbers=range(300, 320)).write(tmp_path / "new")
    other = shutil.copytree(place(first), tmp_path / "other")
    record = json.loads((other / FILE).read_text()) | {"data_hash": "f" * 64}
    (other / FILE).write_text(json.dumps(record))
    (other / "folds.json").unlink()
    assert "could not be checked" in vs.evaluate(other, new).overlap


def test_a_run_of_before_is_known_by_its_folds_on_its_own_data_alone(
    data: Path, first: vs.Run, tmp_path: Path
) -> None:
    old = shutil.copytree(place(first), tmp_path / "old")
    (old / FILE).unlink()
    card = vs.evaluate(old, data)
    assert card.metrics == card_of(first).metrics and card.left_out == len(trained(old))
    assert numbers(space(data, old).assignment.test) == numbers(folds(old)["test"])
    again = Sample(prefix="renamed").write(tmp_path / "again")
    assert "could not be checked" in vs.evaluate(old, again).overlap
    vs.fit(data, old, resume=True)  # which writes what it lacks
    assert vs.evaluate(old, again).left_out == card.left_out


def test_no_hash_and_no_key_is_in_the_bundle(first: vs.Run) -> None:
    record = json.loads((place(first) / FILE).read_text())
    (run,) = record["runs"]
    planted = [run["key"], *run["test"], *(h for fold in run["folds"] for h in fold)]
    assert len(planted) == 1 + N + len(set(PEOPLE.values()))
    sealed = b"".join(p.read_bytes() for p in (place(first) / "bundle").iterdir())
    assert not [h for h in planted if h.encode() in sealed or bytes.fromhex(h) in sealed]
    assert not list((place(first) / "bundle").glob("*trained_on*"))


def test_resumed_with_the_same_weights_it_goes_on_as_before(
    data: Path, first: vs.Run, second: tuple[vs.Run, Words], tmp_path: Path
) -> None:
    run, _ = second
    cut = shutil.copytree(place(run), tmp_path / "cut")
    shutil.rmtree(cut / "bundle")
    (cut / "scorecard.json").unlink()
    again = vs.fit(data, cut, init=place(first), resume=True)
    assert card_of(again).metrics == card_of(run).metrics and card_of(again).overlap == card_of(run).overlap
    for name in (FILE, "folds.json"):
        assert (cut / name).read_bytes() == (place(run) / name).read_bytes()
    assert again.plan.model_dump_json() == run.plan.model_dump_json()


def test_an_older_run_that_tests_on_what_its_weights_learned_says_so(data: Path, first: vs.Run) -> None:
    held = folds(place(first))
    swapped = Assignment(
        tuple(held["folds"][0]), (tuple(held["test"]), *map(tuple, held["folds"][1:])), "seed 0"
    )
    found = prepare_workspace(
        data, task=None, target=None, columns=None, split=None, seed=0, folds=5, max_set_aside=0.1,
        progress=Words(), past=initial_weights(place(first)).past, assignment=swapped,
    )  # fmt: skip
    assert {c.id for c in found.leaking} == set(held["folds"][0])
    card = of_run(card_of(first), found.overlap, len(found.leaking))
    assert card.banners[0].text.startswith(
        f"The weights that this run began from were trained on {len(found.leaking)} of"
    )


def test_what_is_taken_of_weights_is_counted_and_named(data: Path, first: vs.Run, tmp_path: Path) -> None:
    given = load_file(place(first) / "bundle" / "weights-0-0.safetensors")
    head = [k for k in given if given[k].ndim == 2]
    changed = {k: torch.ones(7, *v.shape[1:]) if k in head else v for k, v in given.items()} | {
        "odd": torch.ones(3)
    }
    missing = next(k for k in changed if k not in head and changed[k].ndim == 1)
    del changed[missing]
    save_file(changed, tmp_path / "w.safetensors")
    words = Words()
    new = Sample(prefix="n", numbers=range(300, 320)).write(tmp_path / "new")
    run = vs.fit(new, settings=SETTINGS, init=tmp_path / "w.safetensors", dry_run=True, progress=words)
    why = run.plan.reasons["net.init"]
    whole = len(given)
    assert why.startswith(f"{whole - len(head) - 1} of the net's {whole} tensors taken over")
    assert f"{head[0]} (7×" in why and missing in why and "given, and not in this net: odd" in why
    assert any(why in n for n in words.notes)
    save_file({"odd": torch.ones(3)}, tmp_path / "none.safetensors")
    with pytest.raises(PlanError, match="none of the given weights fits"):
        vs.fit(new, tmp_path / "no", settings=SETTINGS, init=tmp_path / "none.safetensors")
    assert not (tmp_path / "no").exists()


def test_weights_of_other_channels_are_refused(first: vs.Run, tmp_path: Path) -> None:
    new = Sample(prefix="n", numbers=range(300, 320)).write(tmp_path / "new")
    for path in new.parent.glob("*.png"):
        grey = np.asarray(Pillow.open(path))
        Pillow.fromarray(np.stack([grey, grey[::-1], 255 - grey], -1)).save(path)
    with pytest.raises(PlanError, match="learned from other channels; found 1 channel.* there, 3 channels"):
        vs.fit(new, tmp_path / "run", settings=SETTINGS, init=place(first))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("theirs", "ours", "units", "said"),
    [
        (
            ("T1", "FLAIR"),
            ("T1", "DWI"),
            (None, None),
            r"2 channels \(T1, FLAIR\) there, 2 channels \(T1, DWI\) here",
        ),
        (
            ("T1", "FLAIR"),
            ("FLAIR", "T1"),
            (None, None),
            r"\(T1, FLAIR\) there, 2 channels \(FLAIR, T1\) here",
        ),
        (("image",), ("image",), ("HU", "SUVbw"), "1 channel in HU there, 1 channel in SUVbw here"),
        (("T1", "FLAIR"), ("t1", "flair"), (None, None), ""),
        (("T1",), ("FLAIR",), ("HU", None), ""),
    ],
)
def test_weights_of_the_same_number_of_other_channels_are_refused_where_both_say_what_they_are(
    theirs: tuple[str, ...], ours: tuple[str, ...], units: tuple[Any, Any], said: str, first: vs.Run
) -> None:
    def plan(images: tuple[str, ...], unit: Any) -> Any:
        data = first.plan.data.model_copy(update={"images": images, "channels": len(images)})
        return first.plan.model_copy(update={"data": data, "fingerprint": {"unit": unit}})

    start = Start({}, Past("bundle 0123"), plan(theirs, units[0]))
    if not said:
        same_meaning(start, plan(ours, units[1]))
        return
    with pytest.raises(PlanError, match=said):
        same_meaning(start, plan(ours, units[1]))


def test_members_that_validate_on_what_the_weights_learned_are_said(data: Path, first: vs.Run) -> None:
    held = folds(place(first))["folds"]
    for members, seen in ((1, 0), (3, len(held[1]) + len(held[2]))):
        run = vs.fit(data, settings=SETTINGS | {"train.members": members}, init=place(first), dry_run=True)
        why = run.plan.reasons["net.init"]
        assert (f"{seen} of its {sum(map(len, held[:members]))} cases were trained on" in why) == bool(
            seen
        ), why


def test_the_command_line_says_how_many_are_left_out(data: Path, first: vs.Run) -> None:
    done = CliRunner().invoke(app, ["evaluate", str(place(first)), str(data)])
    n = len(trained(place(first)))
    assert done.exit_code == 0 and f"training cases: {n} of {N} cases left out" in " ".join(
        done.stdout.split()
    )
    assert " ".join(done.output.split()).count("training cases:") == 1
    done = CliRunner().invoke(app, ["evaluate", str(place(first)), str(data), "--split", "train"])
    assert done.exit_code == 0 and done.stdout.startswith("training cases: These are training cases")
    assert " ".join(done.output.split()).count("was trained on") == 1
