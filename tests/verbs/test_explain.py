"""explain, from files to maps: on the image's own grid, measured, resumable; what does not hold is named alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius import formats
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName
from vesalius.core.registry import names
from vesalius.explain import explanation, methods
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.question import Question
from vesalius.run.ledger import Ledger

FEW: dict[str, Any] = {"samples": 24, "pieces": 12}


def test_every_method_explains_a_class_or_says_why_not(pictures: Any) -> None:
    case = vs.read(pictures.data).cases[0]
    found = vs.explain(pictures.path, case.image.paths[0], method="all", check="none", **FEW)
    assert {e.method for e in found.explained} | set(found.refused) == set(names(methods.KIND))
    assert set(found.refused) == {"rollout"} and "class token" in found.refused["rollout"]
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
    assert len(pages) == 3 and not (done.out / "unfinished.json").exists()
    assert all("What the answer to" in p.read_text(encoding="utf-8") for p in pages)


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
