"""explain, from files to maps: on the image's own grid, measured, resumable; what does not hold is named alone."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName
from vesalius.core.index_file import open_index, save_index
from vesalius.core.registry import names
from vesalius.explain import explanation, methods
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.nearest import Nearest, thumbnail
from vesalius.explain.page import html
from vesalius.explain.question import Question
from vesalius.infer.predictor import Predictor
from vesalius.run.ledger import Ledger
from vesalius.run.neighbours import in_common

FEW: dict[str, Any] = {"samples": 24, "pieces": 12}


def test_every_method_explains_a_class_or_says_why_not(pictures: Any) -> None:
    case = vs.read(pictures.data).cases[0]
    found = vs.explain(pictures.path, case.image.paths[0], method="all", check="none", **FEW)
    assert {e.method for e in found.explained} | set(found.refused) == set(names(methods.KIND))
    assert (
        set(found.refused) == {"columns", "rollout", "frames", "sources"}
        and "class token" in found.refused["rollout"]
    )
    image = formats.read(case.image.paths[0])
    for one in found.explained:
        assert one.map.image.shape == image.shape and np.isfinite(one.map.image.array).all()
        assert one.map.bundle == found.answer.bundle and one.map.facts["method"] == one.method
    assert found.asked.words == found.answer.labels[int(found.answer.p.argmax())].name


def test_a_mask_is_asked_about_a_label_and_the_map_lies_on_its_image(volumes: Any) -> None:
    case = vs.read(volumes.data, target="mask").cases[0]
    answer = vs.predict(volumes.path, case)
    label = next(x.name for x in answer.labels if (answer.image.array == x.value).any())
    found = vs.explain(volumes.path, case, method=["occlusion", "gradcam"], ask=label, check="none", **FEW)
    for one in found.explained:
        assert one.map.image.shape == answer.image.shape
        assert np.array_equal(one.map.image.affine, answer.image.affine)
        assert one.map.quantity == f"relevance for {label}"
    with pytest.raises(UnknownName, match="no-such-organ"):
        vs.explain(volumes.path, case, ask="no-such-organ", check="none", **FEW)


def test_a_folder_has_a_page_and_rows_and_goes_on_where_it_stopped(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = vs.read(pictures.data)[:3]
    real, calls = explanation.explain, []

    def stopped(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr("vesalius.run.explaining.explain", stopped)
    wanted: dict[str, Any] = {"method": ["occlusion", "gradcam"], **FEW}
    with pytest.raises(Interrupted, match="2 of 3 cases are explained"):
        vs.explain(pictures.path, cohort, tmp_path / "why", **wanted)
    monkeypatch.setattr("vesalius.run.explaining.explain", real)
    with pytest.raises(OutputError, match="another samples"):
        vs.explain(pictures.path, cohort, tmp_path / "why", resume=True, **{**wanted, "samples": 30})
    done = vs.explain(pictures.path, cohort, tmp_path / "why", resume=True, **wanted)
    assert list(done.case_ids) == [c.id for c in cohort.cases] and not done.set_aside
    rows = list(csv.DictReader((done.out / "explanations.csv").open()))
    assert [(r["case"], r["method"]) for r in rows] == [
        (c.id, m) for c in cohort.cases for m in ("occlusion", "gradcam")
    ]
    maps = {p.name.split(".")[-3] + p.name for p in done.out.glob("*.nii.gz")}
    assert len(maps) == sum(r["fails"] == "" for r in rows)
    pages = list(done.out.glob("*.html"))
    assert len(pages) == 4 and done.page in pages and not (done.out / "unfinished.json").exists()
    assert all("What the answer" in p.read_text(encoding="utf-8") for p in pages)
    near = list(csv.DictReader((done.out / "neighbours.csv").open()))
    assert {r["case"] for r in near} == set(done.case_ids) and {r["rank"] for r in near} == set("12345")
    told = json.loads((done.out / "model.json").read_text())
    assert told["cases"] == 3 and {m for a in told["asked"].values() for m in a["methods"]} == {
        "occlusion",
        "gradcam",
    }
    assert done.page is not None
    for case in done.case_ids:
        assert f'href="{quote(case)}.html"' in done.page.read_text(encoding="utf-8")
    # what the page says follows alone from what lies there: made again without a break it is the same, byte for byte
    whole = vs.explain(pictures.path, cohort, tmp_path / "whole", **wanted)
    for name in ("model.json", "neighbours.csv", "index.html"):
        assert (done.out / name).read_bytes() == (whole.out / name).read_bytes(), name


def test_the_nearest_training_cases_are_named_with_what_is_known_of_them(
    pictures: Any, tmp_path: Path
) -> None:
    index = open_index(pictures.path / "neighbours", bundle=pictures.run.bundle.hash)
    cases = {c.id: c for c in vs.read(pictures.data).cases}
    assert {e.case for e in index.entries} < set(cases)  # no test case among them
    for k in (0, 4):  # the vectors are those of the bundle's own features
        entry = index.entries[k]
        features = pictures.run.bundle.features(pictures.run.bundle.prepare(cases[entry.case]))
        assert np.allclose(features[0].numpy(), index.vectors[k], atol=1e-4)
        assert entry.target == cases[entry.case].targets["class"]
    one = cases[index.entries[4].case]
    found = vs.explain(pictures.path, one, method="gradcam", check="none")
    assert isinstance(found.nearest, Nearest) and found.nearest.same == one.id
    assert found.nearest.ranking.distances[0] == pytest.approx(0, abs=1e-5)
    assert (np.diff(found.nearest.ranking.distances) >= 0).all()
    assert one.id in found._repr_html_() and thumbnail(found.nearest.entries[0])
    moved = replace(found.nearest.entries[0], image=Ref((tmp_path / "gone.png",)))
    assert thumbnail(moved) is None
    shutil.copy(cases[index.entries[5].case].image.paths[0], tmp_path / "gone.png")  # type: ignore[union-attr]
    assert (
        thumbnail(moved) is None
    )  # another picture under its name is not shown as the one that was learned from
    page = html(replace(found, nearest=replace(found.nearest, entries=(moved, *found.nearest.entries[1:]))))
    assert "not here any more" in page and "This image was learned from" in page


def test_where_there_is_no_index_that_fits_that_is_said(pictures: Any, tmp_path: Path) -> None:
    case = vs.read(pictures.data).cases[0]
    alone = shutil.copytree(pictures.bundle, tmp_path / "bundle")
    found = vs.explain(alone, case, method="gradcam", check="none")
    assert isinstance(found.nearest, str) and "there is no index of the training cases" in found.nearest
    index = open_index(pictures.path / "neighbours")
    save_index(replace(index, bundle="0" * 64), tmp_path / "neighbours")
    found = vs.explain(alone, case, method="gradcam", check="none")
    assert isinstance(found.nearest, str) and "is of another bundle" in found.nearest
    assert "is of another bundle" in html(found)


def test_a_finished_run_without_an_index_gets_one_when_it_is_resumed(pictures: Any, tmp_path: Path) -> None:
    run = shutil.copytree(pictures.path, tmp_path / "run")
    before = open_index(run / "neighbours")
    shutil.rmtree(run / "neighbours")
    again = vs.fit(pictures.data, run, resume=True)
    assert again.bundle is not None and again.bundle.hash == pictures.run.bundle.hash
    after = open_index(run / "neighbours", bundle=again.bundle.hash)
    assert after.entries == before.entries and np.allclose(after.vectors, before.vectors, atol=1e-4)
    assert not (run / "cache").exists()


def test_how_much_near_cases_have_in_common_is_measured_on_cases_that_were_not_seen() -> None:
    """Two clusters, one a class: all of the nearest share it; of all others half do, less the chance of a draw."""
    rng = np.random.default_rng(0)
    kinds = ["a", "b"] * 20
    vectors = np.array([[5.0 if k == "a" else -5.0, 0.0] for k in kinds]) + 0.1 * rng.standard_normal((40, 2))
    cases = [Case(str(k), {}, targets={"y": kind}) for k, kind in enumerate(kinds)]
    unseen = {str(k) for k in range(10)}
    info = TargetInfo("y", "class", (), "")
    found = in_common(vectors, cases, unseen, info)
    assert found["nearest"]["value"] == 0 and found["any"]["value"] == pytest.approx(0.5)
    assert (found["n"], found["among"]) == (10, 30) and found["difference"]["low"] > 0.4
    shuffled = [Case(str(k), {}, targets={"y": str(kind)}) for k, kind in enumerate(rng.permutation(kinds))]
    assert in_common(vectors, shuffled, unseen, info)["difference"]["low"] < 0.1
    numbers = [Case(str(k), {}, targets={"y": float(v[0])}) for k, v in enumerate(vectors)]
    of = in_common(vectors, numbers, unseen, TargetInfo("y", "number", (), "", unit="ml"))
    assert of["what"] == "ml" and of["nearest"]["value"] < 0.3 < 3 < of["any"]["value"]
    assert in_common(vectors, cases, set(), info) == {}


class Pointing(Method):
    """Points at the middle of every image, whatever the model says (throw-away)."""

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        from vesalius.explain.faithful import middle

        return Attribution(middle(question.image.shape[1:]))


def test_a_map_that_does_not_depend_on_what_was_learned_is_named_and_not_written(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "get", lambda name: Pointing())
    done = vs.explain(pictures.path, vs.read(pictures.data)[:1], tmp_path / "why", method=["occlusion"])
    (row,) = csv.DictReader((done.out / "explanations.csv").open())
    assert "learned nothing gives nearly the same map" in row["fails"]
    assert not list(done.out.glob("*.nii.gz")) and not list(done.out.glob("*.png"))
    (page,) = done.out.glob("*.html")
    assert "No map holds" in page.read_text(encoding="utf-8")


def test_of_a_withheld_answer_the_page_does_not_tell_the_answer(
    pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Predictor.asked

    def withheld(self: Predictor, case: Case) -> Any:
        found = asked(self, case)
        return replace(found, answer=replace(found.answer, withheld="not sure enough: 0.600"))

    monkeypatch.setattr(Predictor, "asked", withheld)
    case = vs.read(pictures.data).cases[0].image.paths[0]
    few: dict[str, Any] = {"method": "occlusion", "check": "none", **FEW}
    with pytest.raises(DataError, match=r"the answer is withheld.* not sure enough: 0\.600"):
        vs.explain(pictures.path, case, **few)
    label = vs.predict(pictures.path, case).labels[0].name
    page = html(vs.explain(pictures.path, case, ask=label, **few))
    assert "the answer is withheld: not sure enough: 0.600" in page
    assert ": the answer" not in page and "None" not in page  # no picture of it, and no empty columns


def test_what_cannot_be_explained_is_said(pictures: Any, tmp_path: Path) -> None:
    case = vs.read(pictures.data).cases[0].image.paths[0]
    with pytest.raises(UnknownName, match="grad-cam"):
        vs.explain(pictures.path, case, method="grad-cam")
    with pytest.raises(DataError, match="no method that was named can explain"):
        vs.explain(pictures.path, case, method="rollout")
    with pytest.raises(UnknownName, match="stand-in"):
        vs.explain(pictures.path, case, stand_in="grey", **FEW)
    for wrong in ({"stand_in": "grey"}, {"ask": "no-such-class"}):
        with pytest.raises(UnknownName):
            vs.explain(pictures.path, case, tmp_path / "why", **wrong, **FEW)
        assert not (tmp_path / "why").exists()


def test_explaining_leaves_the_model_as_it_was(pictures: Any) -> None:
    case = vs.read(pictures.data).cases[0].image.paths[0]
    torch.manual_seed(0)
    first = vs.explain(pictures.path, case, method="shap-kernel", check="full", **FEW)
    again = vs.explain(pictures.path, case, method="shap-kernel", check="full", **FEW)
    (one,), (two,) = first.explained, again.explained
    assert np.array_equal(one.map.image.array, two.map.image.array) and one.map.figures == two.map.figures
    assert vs.predict(pictures.path, case).p.tolist() == first.answer.p.tolist()


def test_rows_that_a_crash_cut_short_are_added_once(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: dict[str, Any] = {"method": ["occlusion", "gradcam"], "check": "none", **FEW}
    cohort, real = vs.read(pictures.data)[:1], Ledger.add

    def crashing(self: Ledger, row: Any) -> None:
        if row.get("method") == "gradcam":
            raise KeyboardInterrupt
        real(self, row)

    monkeypatch.setattr(Ledger, "add", crashing)
    with pytest.raises(Interrupted):
        vs.explain(pictures.path, cohort, tmp_path / "why", **wanted)
    monkeypatch.setattr(Ledger, "add", real)
    done = vs.explain(pictures.path, cohort, tmp_path / "why", resume=True, **wanted)
    rows = list(csv.DictReader((done.out / "explanations.csv").open()))
    assert [r["method"] for r in rows] == ["occlusion", "gradcam"] and len(done.case_ids) == 1
