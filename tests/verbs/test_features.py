"""features: what is in the table, what is not, how it goes on after a kill, and how it comes back as covariates."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.verbs.conftest import Tiny

import vesalius as vs
from vesalius import cohorts
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, Interrupted, LeakError, OutputError, UnknownName
from vesalius.core.image import Image
from vesalius.core.progress import Silent
from vesalius.infer.features import features as features_of
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import load_mask, load_reference
from vesalius.radiomics import Settings, measured
from vesalius.run import featuring

SHAPE = {"families": "shape"}


class Stops(Silent):
    """Interrupts as Ctrl-C would, after some cases."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.left -= name == "features"
        if not self.left:
            raise KeyboardInterrupt


def liver(volumes: Tiny, out: Path, **more: Any) -> vs.Features:
    return vs.features("radiomics", volumes.data, out, only=["liver"], settings=SHAPE, **more)


def learned(tiny: Tiny) -> set[str]:
    """Return the cases that a run learned from."""
    folds = cohorts.load_assignment(tiny.path / "folds.json").folds
    return {case for fold in folds for case in fold}


def test_radiomics_of_a_target(volumes: Tiny, tmp_path: Path) -> None:
    """A row a case and label, equal to what the arrays give; a case without a label is set aside and not zero."""
    made = vs.features("radiomics", volumes.data, tmp_path / "f.parquet", only=["liver", "lesion"], workers=2)
    table, cohort = made.table(), vs.read(volumes.data)
    absent = {s.case for s in made.set_aside}
    assert made.rows == table.height == 2 * len(cohort) - len(absent) and 0 < len(absent) < len(cohort)
    assert all(s.reason == "lesion: the mask is empty" for s in made.set_aside)
    assert list(dict.fromkeys(table["case"])) == [
        c.id for c in cohort
    ]  # in the cohort's order, whoever was first
    case = cohort[0]
    image, mask = load_reference(case), load_mask(case.targets["mask"])
    value = {x.name: x.value for x in cohorts.check(cohort, strict=False).targets["mask"].labels}["liver"]
    own = measured(image.array[0], mask.array[0] == value, image.spacing_mm, settings=Settings())
    row = table.filter((pl.col("case") == case.id) & (pl.col("label") == "liver")).to_dicts()[0]
    assert {n: row[n] for n in made.names} == own and row["lengths"] == "mm"
    told = json.loads((tmp_path / "f.json").read_text())
    assert (
        told["settings"]["bin_width"] == 25 and told["data_hash"] == made.data_hash and told["mask"] == "mask"
    )
    assert told["features"] == list(made.names) and len(told["set_aside"]) == len(absent)
    assert {p.name for p in tmp_path.iterdir()} == {"f.parquet", "f.json"}


def test_radiomics_of_what_a_bundle_draws(volumes: Tiny, tmp_path: Path) -> None:
    """A row for each label that the bundle draws, of as many voxels; and whether it learned from the case."""
    made = vs.features("radiomics", volumes.data, tmp_path / "f.csv", mask=volumes.run, settings=SHAPE)
    case = vs.read(volumes.data)[0]
    drawn = vs.predict(volumes.run, case)
    counts = {x.name: int((drawn.image.array[0] == x.value).sum()) for x in drawn.labels}
    rows = made.table().filter(pl.col("case") == case.id)
    assert dict(zip(rows["label"], rows["voxels"], strict=True)) == {n: k for n, k in counts.items() if k}
    assert made.rows and made.bundle == volumes.run.bundle.hash
    seen = made.table().filter(pl.col("learned") == "yes")["case"]
    assert set(seen) <= learned(volumes) and made.learned == len(learned(volumes))


def test_deep_features_are_those_of_the_first_member(pictures: Tiny, tmp_path: Path) -> None:
    made = vs.features(pictures.run, pictures.data, tmp_path / "f.parquet")
    table, case = made.table(), vs.read(pictures.data)[3]
    last = Predictor(pictures.run.bundle).last
    example = Predictor(pictures.run.bundle).encoded(case).example
    (own,) = features_of(replace(last, models=last.models[:1]), [example])
    row = table.filter(pl.col("case") == case.id).select(made.names).row(0)
    assert row == pytest.approx(own.tolist(), rel=1e-5) and made.made == "deep"
    trained = learned(pictures)
    assert made.learned == len(trained)
    assert set(table.filter(pl.col("learned") == "yes")["case"]) == trained
    assert any("looks better than of others" in note for note in made.notes)


def test_an_interrupted_table_goes_on(volumes: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C there is no table; what is there is kept, even if the last row is cut; the end is the same."""
    whole = liver(volumes, tmp_path / "whole.csv")
    out = tmp_path / "f.csv"
    with pytest.raises(Interrupted, match="--resume"):
        liver(volumes, out, workers=1, progress=Stops(5))
    assert not out.exists() and not (tmp_path / "f.json").exists()
    with pytest.raises(OutputError, match="--resume"):
        liver(volumes, out)
    with pytest.raises(OutputError, match="another settings"):
        vs.features("radiomics", volumes.data, out, only=["liver"], resume=True)
    partial = tmp_path / "f.csv.partial.csv"
    partial.write_bytes(partial.read_bytes()[:-9])
    measured_now: list[str] = []
    before = featuring.rows_of
    monkeypatch.setattr(featuring, "rows_of", lambda *a, **k: measured_now.append("one") or before(*a, **k))
    liver(volumes, out, resume=True)
    assert out.read_text() == whole.path.read_text() and 0 < len(measured_now) < whole.cases
    assert {p.name for p in tmp_path.iterdir()} == {"f.csv", "f.json", "whole.csv", "whole.json"}
    with pytest.raises(OutputError, match="nothing is overwritten"):
        liver(volumes, out)
    with pytest.raises(OutputError, match="nothing to resume"):
        liver(volumes, tmp_path / "other.csv", resume=True)


def test_what_cannot_be_measured_is_refused_and_leaves_nothing(
    volumes: Tiny, pictures: Tiny, tmp_path: Path
) -> None:
    out = tmp_path / "f.csv"
    for error, words, told in (
        (DataError, "are of a mask, and the cohort has none", {"what": "radiomics", "data": pictures.data}),
        (UnknownName, "target that is drawn", {"what": "radiomics", "data": volumes.data, "mask": "masks"}),
        (
            UnknownName,
            "closest: gldm, glcm",
            {"what": "radiomics", "data": volumes.data, "settings": {"families": "glmc"}},
        ),
        (UnknownName, "label", {"what": "radiomics", "data": volumes.data, "only": ["livre"]}),
        (
            DataError,
            "nothing could be measured.*unknown image 'T2'",
            {"what": "radiomics", "data": volumes.data, "image": "T2"},
        ),
        (
            DataError,
            "in one grey level",
            {"settings": {"bin_width": 1e6, "range": [0, 400]}, "what": "radiomics", "data": volumes.data},
        ),
        (DataError, "are of radiomics", {"what": pictures.run, "data": pictures.data, "mask": "mask"}),
        (OutputError, "as a table", {"what": pictures.run, "data": pictures.data, "out": tmp_path / "f.xls"}),
    ):
        with pytest.raises(error, match=words):
            vs.features(**{"out": out, **told})
        assert not list(tmp_path.iterdir()), words


def test_pixels_beside_millimetres_are_set_aside(tmp_path: Path, rng: np.random.Generator) -> None:
    """Lengths in two units in one column would be compared; so those in pixels go, and say why."""
    for k in range(3):
        vs.write(Image(rng.integers(0, 255, (1, 1, 24, 24)).astype(np.uint8)), tmp_path / f"{k}.png")
    table = pl.DataFrame({"case": ["a", "b", "c"], "image": ["0.png", "1.png", "2.png"]})
    table.write_csv(tmp_path / "t.csv")
    cohort = vs.read(tmp_path / "t.csv")
    drawn = np.zeros((1, 1, 24, 24), np.uint8)
    drawn[..., 5:15, 6:20] = 1
    spacing = [None, (0.5, 0.5, 1.0), (0.5, 0.5, 1.0)]
    cases = tuple(
        replace(
            c,
            images={"image": Image(rng.integers(0, 255, (1, 1, 24, 24)).astype(np.uint8), spacing_mm=mm)},
            reference="image",
            targets={"spot": Image(drawn, spacing_mm=mm)},
        )
        for c, mm in zip(cohort.cases, spacing, strict=True)
    )
    mixed = replace(cohort, cases=cases, targets={"spot": TargetInfo("spot", "mask")})
    made = vs.features("radiomics", mixed, tmp_path / "f.csv")
    assert list(made.table()["case"]) == ["b", "c"]
    assert [(s.case, s.reason) for s in made.set_aside] == [
        ("a", "its picture has no spacing, and others are measured in mm")
    ]
    alone = vs.features("radiomics", mixed[:1], tmp_path / "one.csv")
    assert alone.table()["lengths"].to_list() == ["pixels"] and "in pixels" in " ".join(alone.notes)


def test_features_come_back_as_covariates(volumes: Tiny, tmp_path: Path) -> None:
    made = vs.features(
        "radiomics", volumes.data, tmp_path / "f.parquet", only=["liver", "spleen"], settings=SHAPE
    )
    told = f"{made.path}:*_MeshVolume,{made.path}:*_Flatness"
    cohort = vs.read(volumes.data, columns={"features": told})
    names = [
        f"{label} original_shape_{n}" for label in ("liver", "spleen") for n in ("Flatness", "MeshVolume")
    ]
    assert sorted(cohort.covariates) == sorted(names)
    row = made.table().filter((pl.col("case") == cohort[2].id) & (pl.col("label") == "spleen"))
    assert cohort[2].covariates["spleen original_shape_MeshVolume"] == row["original_shape_MeshVolume"][0]
    hashes = {cohorts.check(c, strict=False).hash for c in (cohort, vs.read(volumes.data))}
    assert len(hashes) == 2  # what a model learned from is in the hash


def test_features_that_do_not_fit_are_refused(volumes: Tiny, tmp_path: Path) -> None:
    made = liver(volumes, tmp_path / "f.csv")

    def read(text: object) -> vs.Cohort:
        return vs.read(volumes.data, columns={"features": str(text)})

    with pytest.raises(DataError, match="no table at"):
        read(tmp_path / "none.csv")
    with pytest.raises(UnknownName, match="feature in"):
        read(f"{made.path}:*_Volume")
    table = made.table()
    table.with_columns(case=pl.lit("x") + pl.col("case")).write_csv(tmp_path / "others.csv")
    with pytest.raises(DataError, match="none of these cases"):
        read(tmp_path / "others.csv")
    pl.concat([table, table[:1]]).write_csv(tmp_path / "twice.csv")
    with pytest.raises(DataError, match="two rows of one case"):
        read(tmp_path / "twice.csv")
    table.rename({"case": "id"}).write_csv(tmp_path / "named.csv")
    with pytest.raises(DataError, match="no column 'case'"):
        read(tmp_path / "named.csv")
    table[:3].write_csv(tmp_path / "some.csv")
    fewer = read(tmp_path / "some.csv")
    assert fewer[5].covariates["original_shape_MeshVolume"] is None
    assert any("of 3 of 8 cases" in note for note in fewer.notes)


def test_nobody_is_tested_on_features_of_a_bundle_that_knew_the_answer(
    pictures: Tiny, tmp_path: Path
) -> None:
    """A drawn split keeps what the bundle learned from in training; a declared one that tests on it is refused."""
    made = vs.features(pictures.run, pictures.data, tmp_path / "f.csv")
    trained = learned(pictures)
    cohort = cohorts.check(
        vs.read(pictures.data, columns={"features": f"{made.path}:deep_0000"}), strict=False
    )
    assert cohort.learned == trained and any("none of them is tested on" in note for note in cohort.notes)
    for seed in range(5):
        found = cohorts.assign(cohort, target="class", seed=seed)
        assert found.test and not trained & set(found.test)
    wrong = tmp_path / "wrong.csv"
    with wrong.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["case", "split"], *([c.id, "test" if k < 4 else "train"] for k, c in enumerate(cohort.cases))]
        )
    with pytest.raises(LeakError, match="--column features"):
        cohorts.assign(cohort, target="class", split=wrong)
    right = cohorts.assign(cohort, target="class", split=made.path)  # its column `split`
    assert set(right.test) == {c.id for c in cohort.cases} - trained


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)
