"""Labels from the data through fit, predict and evaluate: colours, two encodings, other numbers, ignored voxels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

import vesalius as vs
from vesalius import formats
from vesalius.cli import app
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.run.past import ORIGIN

QUICK = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.members": 1,
    "train.steps": 12,
    "train.batch": 4,
    "train.validations": 1,
    "data.size": [1, 32, 32],
}


def pictures(root: Path, draw: Callable[[int], Array], count: int = 8) -> Path:
    """Pictures on which a mask's parts are seen, and the masks."""
    rng = np.random.default_rng(1)
    for k in range(count):
        mask = draw(k)
        seen = 60 * mask.reshape(32, 32, -1).astype(bool).sum(axis=2)
        image = (seen + rng.integers(0, 40, (32, 32))).clip(0, 255).astype(np.uint8)
        for folder, array in (("images", image), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Picture.fromarray(array).save(root / folder / f"{k:02d}.png")
    return root


def square(k: int, value: int = 1) -> Array:
    array = np.zeros((32, 32), np.uint8)
    array[8 + k % 4 : 24, 6:20] = value
    return array


def coloured(k: int) -> Array:
    """A red square in each, a blue one in most, white in some."""
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[square(k) > 0] = (255, 0, 0)
    if k % 4:
        rgb[2:8, 20:30] = (0, 0, 255)
    if k % 2:
        rgb[26:31, 2:30] = (255, 255, 255)
    return rgb


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory, quick: None) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("colours")
    data = pictures(root / "data", coloured)
    run = vs.fit(data, root / "run", settings=QUICK)
    assert run.path is not None
    return data, run.path


def test_colour_masks_are_predicted_written_and_read_back(colours: tuple[Path, Path], tmp_path: Path) -> None:
    data, run = colours
    labels = open_bundle(run / "bundle").stages[-1].state.values["labels"]
    assert [(x["value"], x["name"]) for x in labels] == [(1, "#0000ff"), (2, "#ff0000"), (3, "#ffffff")]
    done = vs.predict(run, data / "images", tmp_path / "out")
    assert len(done.case_ids) == 8 and not done.set_aside
    palette = {0: (0, 0, 0), 1: (0, 0, 255), 2: (255, 0, 0), 3: (255, 255, 255)}
    for k in range(8):
        path = tmp_path / "out" / f"{k:02d}.png"
        values = formats.read_mask(path).array[0, 0]
        answer = vs.predict(run, data / "images" / path.name)
        assert np.array_equal(values, answer.image.array[0, 0])  # type: ignore[attr-defined]
        shown = np.asarray(Picture.open(path).convert("RGB"))
        assert all((shown[values == v] == c).all() for v, c in palette.items())
    own, written = vs.evaluate(run, data), vs.evaluate(tmp_path / "out", data)
    assert own.metrics["dice"].value == pytest.approx(written.metrics["dice"].value)


def test_a_cohort_that_lacks_a_colour_is_scored_by_colour_and_not_by_number(
    colours: tuple[Path, Path], tmp_path: Path
) -> None:
    data, run = colours
    part = pictures(tmp_path / "part", lambda k: coloured(4 * (k % 2)))  # red squares alone
    vs.predict(run, part / "images", tmp_path / "out")
    own, written = vs.evaluate(run, part), vs.evaluate(tmp_path / "out", part)
    assert list(own.metrics) and "dice/#ff0000" in own.metrics
    assert own.metrics["dice/#ff0000"].value == pytest.approx(written.metrics["dice/#ff0000"].value)
    dices = []
    for path in sorted((part / "masks").glob("*.png")):
        truth = formats.read_mask(path).array != 0
        called = formats.read_mask(tmp_path / "out" / path.name).array == 2
        dices.append(2 * (truth & called).sum() / (truth.sum() + called.sum()))
    assert own.metrics["dice/#ff0000"].value == pytest.approx(np.mean(dices))
    right = tmp_path / "right"
    right.mkdir()
    for path in (part / "masks").glob("*.png"):  # the truth itself, as another tool's colours
        (right / path.name).write_bytes(path.read_bytes())
    assert vs.evaluate(right, part).metrics["dice/#ff0000"].value == 1.0


def test_answers_of_0_255_are_right_where_the_truth_is_0_1(quick: None, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", square)
    answers = pictures(tmp_path / "answers", lambda k: square(k, 255)) / "masks"
    assert vs.evaluate(answers, data).metrics["dice"].value == 1.0
    both = pictures(tmp_path / "both", lambda k: square(k, 255 if k % 2 else 1))
    assert vs.evaluate(answers, both).metrics["dice"].value == 1.0
    run = vs.fit(both, tmp_path / "run", settings=QUICK | {"train.steps": 2})
    assert run.bundle is not None
    assert [x["value"] for x in run.bundle.stages[-1].state.values["labels"]] == [1]
    ones = vs.evaluate(run.bundle, data, split="all")
    white = vs.evaluate(run.bundle, pictures(tmp_path / "white", lambda k: square(k, 255)), split="all")
    assert ones.metrics["dice"].value == pytest.approx(white.metrics["dice"].value)
    with pytest.raises(DataError, match="learned none of the labels"):
        vs.evaluate(run.bundle, pictures(tmp_path / "seven", lambda k: square(k, 7)), split="all")


def test_answers_with_blurred_edges_are_cut_and_other_values_are_refused(quick: None, tmp_path: Path) -> None:
    def disc(k: int) -> Array:
        y, x = np.mgrid[:120, :120]
        found: Array = ((y - 60) ** 2 + (x - 50) ** 2 < (30 + k) ** 2).astype(np.uint8)
        return found

    noise = np.random.default_rng(0).integers(0, 255, (120, 120), dtype=np.uint8)
    for folder, factor, options in (("truth", 1, {}), ("jpeg", 255, {"quality": 75}), ("other", 2, {})):
        for k in range(4):
            for part, array in (
                ("images", noise),
                ("masks", disc(k) * np.uint8(factor)),
            ):
                path = tmp_path / folder / part / f"{k}{'.jpg' if options else '.png'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Picture.fromarray(array).save(path, **options)
    assert vs.evaluate(tmp_path / "jpeg" / "masks", tmp_path / "truth").metrics["dice"].value == 1.0
    with pytest.raises(DataError, match="no answer holds a value of the labels"):
        vs.evaluate(tmp_path / "other" / "masks", tmp_path / "truth")


def test_values_that_no_picture_holds_are_written_as_a_volume(quick: None, tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", square)
    for path in (data / "masks").glob("*.png"):
        Picture.fromarray(np.asarray(Picture.open(path)).astype(np.int32) * 70_000).save(
            path.with_suffix(".tif")
        )
        path.unlink()
    run = vs.fit(data, tmp_path / "run", settings=QUICK | {"train.steps": 1})
    assert run.bundle is not None
    done = vs.predict(run.bundle, data / "images", tmp_path / "out")
    assert len(done.case_ids) == 8 and not done.set_aside
    made = [formats.read_mask(p).array for p in sorted((tmp_path / "out").glob("*.nii.gz"))]
    assert len(made) == 8 and {int(v) for m in made for v in np.unique(m)} <= {0, 70_000}
    bare = apart(run.bundle, tmp_path / "bare")
    (tmp_path / "out" / ORIGIN).unlink()  # which would leave out training cases, too
    own, written = (vs.evaluate(w, data, split="all") for w in (bare, tmp_path / "out"))
    assert own.metrics["dice"].value == pytest.approx(written.metrics["dice"].value)


def apart(bundle: Bundle | None, folder: Path) -> Path:
    """A copy of a bundle without its run, which would tell its training cases, so that all cases are scored."""
    assert bundle is not None
    return shutil.copytree(bundle.path, folder)


def table(root: Path, names: list[str]) -> Path:
    pictures(root, square, len(names))
    rows = [f"images/{k:02d}.png,{n}" for k, n in enumerate(names)]
    (root / "cases.csv").write_text("image,diagnosis\n" + "\n".join(rows) + "\n")
    return root / "cases.csv"


def test_fit_stops_where_labels_are_not_certain_and_goes_on_as_told(quick: None, tmp_path: Path) -> None:
    path = table(tmp_path, ["NA", "Mass", "Cyst"] * 4)
    runner = CliRunner()
    words = ["fit", str(path), "--dry-run", "--set", "train.steps=2"]
    stopped = runner.invoke(app, words)
    assert isinstance(stopped.exception, DataError) and not (tmp_path / "runs").exists()
    with pytest.raises(DataError, match="'NA' in column 'diagnosis'"):
        vs.fit(path, dry_run=True)
    for verb in (vs.fit, vs.inspect):
        with pytest.raises(DataError, match="labels cannot be renamed in a cohort"):
            verb(vs.read(path), labels={"NA": ""})
    for told, names in (("NA=NA", ["Cyst", "Mass", "NA"]), ("NA=", ["Cyst", "Mass"])):
        done = runner.invoke(app, [*words, "--labels", told])
        assert done.exit_code == 0, done.output
        plan = vs.fit(path, dry_run=True, labels=dict([told.split("=")])).plan
        assert sorted(plan.fingerprint["classes"]) == names
    seen = runner.invoke(app, ["inspect", str(path), "--json", "--labels", "NA="])
    counts = {
        x["name"]: x["cases"] for x in json.loads(seen.stdout)["result"]["summary"]["targets"][0]["labels"]
    }
    assert counts == {"Cyst": 4, "Mass": 4}


def test_a_run_that_is_resumed_remembers_what_it_was_told(quick: None, tmp_path: Path) -> None:
    path = table(tmp_path / "data", ["NA", "Mass", "Cyst"] * 4)
    run = vs.fit(path, tmp_path / "run", labels={"NA": ""}, settings=QUICK | {"train.steps": 1})
    again = vs.fit(path, tmp_path / "run", resume=True)
    assert run.bundle is not None and again.bundle is not None and again.bundle.hash == run.bundle.hash
    with pytest.raises(DataError, match="did not learn the class 'NA'.*'NA=' where it is not known"):
        vs.evaluate(run.bundle, path)
    bare = apart(run.bundle, tmp_path / "bare")
    assert vs.evaluate(bare, path, labels={"NA": ""}, split="all").n_cases == 8


def test_what_is_decided_of_labels_is_said_while_fitting_and_scoring(quick: None, tmp_path: Path) -> None:
    path = table(tmp_path, ["None", "Mass", "mass"] * 4)
    (tmp_path / "answers.csv").write_text("case,answer\n00,None\n01,Mass\n02,mass\n03,mass\n")
    runner = CliRunner()
    for words in (
        ["fit", str(path), "--dry-run", "--set", "train.steps=2"],
        ["evaluate", str(tmp_path / "answers.csv"), str(path)],
    ):
        done = runner.invoke(app, words)
        assert done.exit_code == 0, done.output
        said = " ".join(done.stderr.split())
        assert "'None' (4 cells) is taken as a class" in said and "'Mass' (4 cases), 'mass' (4 cases)" in said


def test_classes_in_a_csv_are_found_by_their_word_and_an_empty_answer_is_none(
    quick: None, tmp_path: Path
) -> None:
    path = table(tmp_path, ["None", "Mass", "Cyst"] * 4)
    said = ["none", " MASS", "Cyst"] * 4
    rows = [f"{k:02d},{a}" for k, a in enumerate(said)]
    answers = tmp_path / "answers.csv"
    answers.write_text("case,answer\n" + "\n".join(rows) + "\n")
    assert vs.evaluate(answers, path).metrics["accuracy"].value == 1.0
    answers.write_text("case,answer\n" + "\n".join([*rows[:-1], "11,"]) + "\n")
    with pytest.raises(DataError, match="no answer"):
        vs.evaluate(answers, path)
    answers.write_text("case,answer\n" + "\n".join([*rows[:-1], "11,Tumour"]) + "\n")
    with pytest.raises(UnknownName, match="Tumour"):
        vs.evaluate(answers, path)


def test_several_labels_in_a_csv_are_read_as_a_table_has_them(quick: None, tmp_path: Path) -> None:
    path = table(tmp_path, ["None", "Mass", "Cyst|Mass", "Cyst"] * 3)
    said = ["none", "mass", "Mass; cyst", "Cyst"] * 3
    answers = tmp_path / "answers.csv"
    answers.write_text("case,answer\n" + "".join(f'{k:02d},"{a}"\n' for k, a in enumerate(said)))
    found = vs.evaluate(answers, path).metrics
    assert found["auc"].value == 1.0
    answers.write_text("case,answer\n" + "".join(f'{k:02d},"None"\n' for k in range(12)))
    assert vs.evaluate(answers, path).metrics["auc"].value == 0.5


def test_an_ignored_label_is_neither_learned_nor_answered_nor_scored(quick: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truths = []
    for k in range(6):
        mask = rng.choice(np.array([0, 1, 2], np.uint8), (32, 32), p=[0.5, 0.3, 0.2])
        truths.append(mask)
        for folder, name, array in (
            ("imagesTr", f"c{k}_0000.png", mask * 80),
            ("labelsTr", f"c{k}.png", mask),
        ):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            Picture.fromarray(array).save(tmp_path / "data" / folder / name)
    named = {"channel_names": {"0": "grey"}, "labels": {"background": "0", "liver": "1", "ignore": "2"}}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(named))
    run = vs.fit(tmp_path / "data", tmp_path / "run", settings=QUICK | {"train.steps": 2})
    assert run.bundle is not None
    state = run.bundle.stages[-1].state
    assert [x["name"] for x in state.values["labels"]] == ["liver"]
    share = np.mean([(t == 1).sum() / (t != 2).sum() for t in truths])
    assert state.values["share"][1] == pytest.approx(share, abs=0.03)
    assert state.arrays["prior"].mean() == pytest.approx(share, abs=0.05)
    vs.predict(run.bundle, tmp_path / "data", tmp_path / "out")
    answers = [formats.read_mask(p).array[0, 0] for p in sorted((tmp_path / "out").glob("*.png"))]
    dices = []
    for truth, answer in zip(truths, answers, strict=True):
        assert set(np.unique(answer)) <= {0, 1}
        a, b = (answer == 1)[truth != 2], (truth == 1)[truth != 2]
        dices.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    (tmp_path / "out" / ORIGIN).unlink()  # which would leave out training cases
    for scored in (tmp_path / "out", apart(run.bundle, tmp_path / "bare")):
        found = vs.evaluate(scored, tmp_path / "data", split="all").metrics
        assert found["dice/liver"].value == pytest.approx(np.mean(dices)) and "dice/ignore" not in found
