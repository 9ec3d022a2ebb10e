"""Maps that are held against the truth, against other labels and against chance, from files to tables and pages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.verbs.conftest import SMALL, Tiny
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import DataError, Interrupted
from vesalius.explain import methods
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Question
from vesalius.run import relabelling

FEW: dict[str, Any] = {"samples": 16, "pieces": 12}
STEPS = {"train.steps": 30, "train.batch": 8, "train.validations": 1, "train.checkpoint_every_s": 0.01}


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Tiny:
    """Thirty small pictures with a class and a drawn lesion, and a run that learned the class."""
    root = tmp_path_factory.mktemp("blobs")
    data = vs.phantom(root / "data", kind="blob", cases=30, options={"size": 32})
    return Tiny(data, vs.fit(data, root / "run", target="class", settings=SMALL | STEPS))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_maps_are_held_against_what_is_drawn(blobs: Tiny, tmp_path: Path) -> None:
    cases = [c for c in vs.read(blobs.data).cases if c.targets["class"] == "positive"][:3]
    cohort = vs.read(blobs.data)[[c.id for c in cases]]
    done = vs.explain(
        blobs.path,
        cohort,
        tmp_path / "why",
        method=["occlusion", "lime"],
        check="none",
        ask="positive",
        **FEW,
    )
    rows = table(done.out / "explanations.csv")
    truth = {c["id"]: c["lesion_share"] for c in json.loads((blobs.data / "truth.json").read_text())["cases"]}
    assert len(rows) == 6
    for row in rows:
        assert float(row["inside_by_chance lesion"]) == pytest.approx(truth[row["case"]], abs=1e-5)
        assert 0 <= float(row["share_inside lesion"]) <= 1 and 0 <= float(row["pointing lesion"]) <= 1
    means = {(r["method"], r["figure"]): r for r in table(done.out / "faithfulness.csv")}
    one = means["occlusion", "share_inside lesion"]
    own = [float(r["share_inside lesion"]) for r in rows if r["method"] == "occlusion"]
    assert float(one["mean"]) == pytest.approx(np.mean(own), abs=1e-4) and one["cases"] == "3"
    assert float(one["low"]) <= float(one["mean"]) <= float(one["high"])
    assert "What is drawn" in next(done.out.glob("*.html")).read_text(encoding="utf-8")


def test_a_cohort_without_drawings_has_no_such_figures(pictures: Any, tmp_path: Path) -> None:
    done = vs.explain(
        pictures.path, vs.read(pictures.data)[:1], tmp_path / "why", method="lime", check="none", **FEW
    )
    assert not [n for n in table(done.out / "explanations.csv")[0] if "inside" in n or "pointing" in n]
    assert "What is drawn" not in next(done.out.glob("*.html")).read_text(encoding="utf-8")


def test_labels_change_places_and_nothing_else_does(blobs: Tiny) -> None:
    real, dealt = vs.read(blobs.data), relabelling.shuffled(blobs.run)
    one, two = ([c.targets["class"] for c in x.cases] for x in (real, dealt))
    assert sorted(one) == sorted(two) and one != two
    assert [c.id for c in real.cases] == [c.id for c in dealt.cases] and real.hash != dealt.hash
    assert all(a.image == b.image for a, b in zip(real.cases, dealt.cases, strict=True))
    assert [c.targets["class"] for c in relabelling.shuffled(blobs.run).cases] == two


def test_a_model_of_other_labels_is_trained_once_and_goes_on_where_it_stopped(
    blobs: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = vs.read(blobs.data).cases[0]
    wanted: dict[str, Any] = {"method": "occlusion", "check": "none", "randomised_labels": "1m", **FEW}
    from vesalius.verbs import fit as module

    real = module.train_all

    def stopped(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(relabelling, "SETTINGS", SMALL | STEPS)
    monkeypatch.setattr(module, "train_all", stopped)
    with pytest.raises(Interrupted):
        vs.explain(blobs.path, case, **wanted)
    monkeypatch.setattr(module, "train_all", real)
    first = vs.explain(blobs.path, case, **wanted)
    place = blobs.path / relabelling.FOLDER
    assert 0 <= first.explained[0].map.figures["same_with_other_labels"] <= 1
    monkeypatch.setattr(module, "train_all", stopped)  # it is not trained again
    again = vs.explain(blobs.path, case, **wanted)
    assert again.explained[0].map.figures == first.explained[0].map.figures
    given = vs.explain(blobs.path, case, against=place, **{**wanted, "randomised_labels": None})
    assert given.explained[0].map.figures == first.explained[0].map.figures


def test_a_map_that_is_the_same_with_other_labels_fails(blobs: Tiny, tmp_path: Path) -> None:
    """A model is compared with itself: every map is the same."""
    done = vs.explain(
        blobs.path, vs.read(blobs.data)[:1], tmp_path / "why", method="occlusion", against=blobs.path, **FEW
    )
    (row,) = table(done.out / "explanations.csv")
    assert float(row["same_with_other_labels"]) == 1
    assert "labels in a random order gives nearly the same map (rank correlation 1.00)" in row["fails"]
    assert not list(done.out.glob("*.nii.gz")) and not list(done.out.glob("*.png"))


def test_what_cannot_be_compared_is_refused(blobs: Tiny, pictures: Any, volumes: Any) -> None:
    case = vs.read(blobs.data).cases[0]
    with pytest.raises(DataError, match="answers another question"):
        vs.explain(blobs.path, case, method="occlusion", against=pictures.path, **FEW)
    with pytest.raises(DataError, match="need the run"):
        vs.explain(blobs.path / "bundle", case, randomised_labels="1m")
    with pytest.raises(DataError, match="change places between images"):
        vs.explain(volumes.path, vs.read(volumes.data).cases[0], randomised_labels="1m")
    with pytest.raises(DataError, match="not both"):
        vs.explain(blobs.path, case, randomised_labels="1m", against=blobs.path)


class Middle(Method):
    """Points at the middle, upside down where the first weight is below zero, so that it depends on the weights."""

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        from vesalius.explain.faithful import middle

        weights = next(question.models[0].parameters()).detach().flatten()
        field = middle(question.image.shape[1:])
        mixed = np.random.default_rng(int(abs(float(weights[0])) * 1e6)).permutation(field.ravel())
        learned = bool((weights == next(iter(self.known)).flatten()).all())
        return Attribution(field if learned else mixed.reshape(field.shape))

    known: tuple[Any, ...] = ()


def test_a_map_no_better_than_the_middle_is_named_wherever_it_is_asked_for(
    blobs: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.infer.predictor import Predictor
    from vesalius.run.finished import bundle_of

    one = Middle()
    one.known = tuple(Predictor(bundle_of(blobs.run)).stages[0].models[0].parameters())
    monkeypatch.setattr(methods, "get", lambda name: one)
    case = vs.read(blobs.data).cases[0]
    found = vs.explain(blobs.path, case, method="occlusion").explained[0]
    assert found.fails is not None and "no better than pointing at the middle" in found.fails
    assert found.map.quantity.endswith("which does not hold") and found.map.facts["fails"] == found.fails
    words = ["explain", str(blobs.path), str(case.image.paths[0]), "-o", str(tmp_path / "why")]
    done = CliRunner().invoke(app, [*words, "--method", "occlusion", "--json"])
    (row,) = json.loads(done.stdout)["result"]["explanations"]
    assert "no better than pointing at the middle" in row["fails"]
    assert not [p for p in (tmp_path / "why").iterdir() if p.suffix in (".gz", ".png", ".dcm")]
    page = next((tmp_path / "why").glob("*.html")).read_text(encoding="utf-8")
    assert "occlusion is not shown" in page and "No map holds" in page
