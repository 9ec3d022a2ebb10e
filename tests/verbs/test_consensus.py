"""consensus from end to end: what is joined, written, read again, learned from and evaluated against."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

import vesalius as vs
from vesalius.core.errors import DataError, OutputError, UnknownName


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A table of 500 patients whom five experts judged, without images, and what they say together."""
    from vesalius.phantom.common.experts import calls, chosen

    root = tmp_path_factory.mktemp("classes")
    rows = []
    for k in range(500):
        said = calls(chosen(5), 4, k, positive=k % 2 == 0)
        rows.append([f"c{k}", f"p{k // 2}", *("sick" if yes else "well" for yes in said.values())])
    with (root / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", *(f"reader {e}" for e in "ABCDE")], *rows])
    found = vs.consensus(
        root / "table.csv",
        root / "joined",
        experts={e: f"reader {e}" for e in "ABCDE"},
        columns={"image": ""},
        resamples=20,
    )
    return root, found


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Lesions that five experts drew, and what they draw together."""
    root = tmp_path_factory.mktemp("masks")
    options = {"size": 32, "experts": 5, "experts_say": "lesion"}
    data = vs.phantom(root / "data", kind="blob", cases=12, options=options)
    return root, vs.consensus(data, root / "joined", resamples=20)


def test_skill_is_recovered_within_five_hundredths_and_the_pair_is_found(classes: tuple[Path, Any]) -> None:
    root, found = classes
    rows = list(csv.DictReader((root / "table.csv").open()))
    sick = np.arange(len(rows)) % 2 == 0
    for own in found.skills:
        called = np.array([r[f"reader {own.expert}"] == "sick" for r in rows])
        figures = own.labels["sick"]
        assert figures["sensitivity"].value == pytest.approx(called[sick].mean(), abs=0.05)
        assert figures["specificity"].value == pytest.approx(1 - called[~sick].mean(), abs=0.05)
    assert any(note.startswith("D and E err together") for note in found.notes)
    assert (found.method, found.cases, found.document["patients"]) == ("dawid-skene", 500, 250)


def test_the_new_table_holds_the_consensus_and_is_better_than_a_vote(classes: tuple[Path, Any]) -> None:
    root, found = classes
    rows = list(csv.DictReader(found.path.open()))
    right = [("sick" if k % 2 == 0 else "well") == r["consensus"] for k, r in enumerate(rows)]
    votes = [sum(r[f"expert {e}"] == "sick" for e in "ABCDE") > 2 for r in rows]
    vote = [(k % 2 == 0) == v for k, v in enumerate(votes)]
    assert np.mean(right) > np.mean(vote)
    assert all(float(r["p(sick)"]) + float(r["p(well)"]) == pytest.approx(1) for r in rows)
    again = vs.read(found.path, columns={"image": ""})
    assert again.targets["consensus"].kind == "class" and again.targets["p(sick)"].kind == "soft"
    assert "<table" in found.page.read_text() and json.loads((root / "joined/skill.json").read_text())


def test_a_tie_is_left_empty_in_the_table(tmp_path: Path) -> None:
    said = [("a", "a"), ("b", "b"), ("a", "b"), ("", ""), ("b", "")]
    lines = [f"c{k},{one},{two}" for k, (one, two) in enumerate(said * 3)]
    (tmp_path / "t.csv").write_text("\n".join(["case,expert 1,expert 2", *lines]) + "\n")
    found = vs.consensus(
        tmp_path / "t.csv",
        tmp_path / "out",
        method="majority",
        columns={"image": "", "id": "case"},
        resamples=20,
    )
    held = [r["consensus"] for r in csv.DictReader(found.path.open())]
    assert held == ["a", "b", "", "b"] * 3 and found.tied == 3
    assert any("3 cases that no expert saw" in n for n in found.notes)
    assert any("3 cases were seen by one expert alone" in n for n in found.notes)
    assert any("Two experts" in n for n in found.notes)


def test_masks_are_better_than_a_vote_and_their_maps_say_where_experts_differ(
    masks: tuple[Path, Any],
) -> None:
    root, found = masks
    wrong, votes = 0, 0
    for row in csv.DictReader(found.path.open()):
        name = f"{row['case']}.png"

        def read(*place: str) -> Any:
            return np.asarray(Picture.open(root.joinpath(*place)))

        truth = read("data", "lesions", name) > 0
        joined, level = read("joined", "consensus", name), read("joined", "soft", "1", name)
        each = np.stack([read("data", f"expert_{e}s", name) > 0 for e in "ABCDE"])
        differ = read("joined", "disagreement", name)
        np.testing.assert_array_equal(differ > 0, each.any(0) & ~each.all(0))
        np.testing.assert_array_equal(level[each.all(0)], 255)
        np.testing.assert_array_equal(joined == 1, (level > 127) & (joined != 255))
        wrong += int(((joined == 1) != truth).sum())
        votes += int(((each.sum(0) > 2) != truth).sum())
    assert wrong < votes
    assert any("D and E err together" in n for n in found.notes)
    page = found.page.read_text()
    assert page.count("data:image") >= 2 and "where experts differ" in page


def test_begun_again_nothing_is_written_twice_and_something_else_is_refused(masks: tuple[Path, Any]) -> None:
    root, found = masks
    files = sorted((root / "joined").rglob("*.png"))
    times = [f.stat().st_mtime_ns for f in files]
    lost = files.pop(3)
    times.pop(3)
    lost.unlink()
    again = vs.consensus(root / "data", root / "joined", resamples=20)
    assert [f.stat().st_mtime_ns for f in files] == times or lost.is_file()
    assert lost.is_file() and again.document == found.document
    with pytest.raises(OutputError):
        vs.consensus(root / "data", root / "joined", resamples=20, method="majority")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"method": "staple"}, UnknownName),
        ({"method": "crowdlab"}, DataError),
        ({"experts": {"A": "expert 1", "B": "nobody"}}, UnknownName),
        ({"resamples": 3}, DataError),
    ],
)
def test_what_cannot_be_joined_leaves_nothing_behind(
    tmp_path: Path, more: dict[str, Any], error: type[Exception]
) -> None:
    lines = [f"c{k},{'ab'[k % 2]},{'ab'[k % 2]}" for k in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["case,expert 1,expert 2", *lines]) + "\n")
    with pytest.raises(error):
        vs.consensus(tmp_path / "t.csv", tmp_path / "out", columns={"image": "", "id": "case"}, **more)
    assert not (tmp_path / "out").exists()


def test_labels_that_differ_in_spelling_alone_are_refused(tmp_path: Path) -> None:
    lines = [f"c{k},{'ab'[k % 2]},{'Ab'[k % 2]}" for k in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["case,expert 1,expert 2", *lines]) + "\n")
    with pytest.raises(DataError, match="spell one label in two ways"):
        vs.consensus(tmp_path / "t.csv", tmp_path / "out", columns={"image": "", "id": "case"})


def test_experts_are_joined_with_a_model(classes: tuple[Path, Any], tmp_path: Path) -> None:
    root, _ = classes
    rng = np.random.default_rng(0)
    rows = []
    for k in range(500):
        p = float(np.clip(0.5 + (0.3 if k % 2 == 0 else -0.3) + 0.15 * rng.standard_normal(), 0.01, 0.99))
        rows.append([f"c{k}", f"{p:.4f}", f"{1 - p:.4f}"])
    with (tmp_path / "p.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "p_sick", "p_well"], *rows])
    found = vs.consensus(
        root / "table.csv",
        tmp_path / "joined",
        experts={e: f"reader {e}" for e in "ABCDE"},
        probabilities=tmp_path / "p.csv",
        columns={"image": ""},
        resamples=20,
    )
    assert found.method == "crowdlab" and found.document["weights"]["model"] > found.document["weights"]["D"]
    held = [r["consensus"] for r in csv.DictReader(found.path.open())]
    assert np.mean([h == ("sick" if k % 2 == 0 else "well") for k, h in enumerate(held)]) > 0.97


def test_soft_masks_are_learned_from_and_the_model_is_held_against_the_experts(
    masks: tuple[Path, Any], tmp_path: Path, quick: None
) -> None:
    settings = {
        "task.options.soft": True,
        "train.steps": 2,
        "train.batch": 2,
        "train.validations": 1,
        "train.members": 1,
        "net.scale": 0.125,
        "data.size": [1, 32, 32],
    }
    run = vs.fit(masks[1].path.parent, tmp_path / "run", settings=settings)
    assert run.bundle.stages[-1].state.values["soft"] is True
    card = vs.evaluate(run, masks[1].path.parent, tmp_path / "scored", split="train")
    assert card.experts["verdict"] == "worse" and len(card.experts["experts"]) == 5
    assert "Among the experts" in (tmp_path / "scored" / "report.html").read_text()
