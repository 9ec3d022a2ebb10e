"""Models of several sources through all verbs: what counted, what was not given, what each source adds, and why."""

from __future__ import annotations

import csv
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from starlette.testclient import TestClient
from tests._several import write_several

import vesalius as vs
from vesalius.core import encoding
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import UnknownName
from vesalius.core.progress import Silent
from vesalius.core.registry import names
from vesalius.core.scorecard import as_json, load_scorecard, save_scorecard
from vesalius.evaluate import added, adding
from vesalius.explain import methods
from vesalius.explain.looking import source_of
from vesalius.infer.predictor import Predictor
from vesalius.infer.subsets import Subsets
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.service import Service
from vesalius.tasks import _plain

COLUMNS = {"label": "label", "image": "front,side", "covariate": "age,sex"}
SMALL = {
    "train.steps": 24, "train.batch": 8, "train.members": 1, "train.folds": 2, "train.validations": 1,
    "net.name": "resnet-10",
    "net.init": None, "net.scale": 0.125, "train.phases": [], "train.threads": 1, "infer.novelty": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Any:
    folder = tmp_path_factory.mktemp("several")
    table = write_several(folder / "data", cases=40)
    cohort = vs.read(table, target="label", columns=COLUMNS)
    patch = pytest.MonkeyPatch()
    patch.setattr(adding, "RESAMPLES", 40)
    run = vs.fit(cohort, folder / "run", target="label", settings=SMALL, progress=False)
    yield cohort, run
    patch.undo()


def test_an_answer_says_what_counted_and_what_was_not_given(several: Any, tmp_path: Path) -> None:
    cohort, run = several
    whole, bare = cohort.case("p000"), cohort.case("p005")
    found = vs.predict(run.bundle, whole)
    weighed = found.weighed
    assert weighed.names == ("front", "side", "covariates") and weighed.lacking == ()
    assert sum(weighed.shares.values()) == pytest.approx(1, abs=1e-5) and min(weighed.shares.values()) > 0
    lacks = vs.predict(run.bundle, bare)
    assert lacks.weighed.lacking == ("side",) and set(lacks.weighed.shares) == {"front", "covariates"}
    assert "not given: side" in repr(lacks)
    again = encoding.from_text(encoding.as_text(lacks))
    assert again.weighed.columns() == lacks.weighed.columns()
    vs.predict(run.bundle, cohort[4:7], tmp_path / "out", progress=False)
    with (tmp_path / "out" / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = {r["case"]: r for r in csv.DictReader(file)}
    assert rows["p005"]["share_side"] == "" and rows["p005"]["not_given"] == "side"
    assert rows["p004"]["not_given"] == "" and float(rows["p004"]["share_side"]) > 0


def test_weights_follow_their_case_when_several_are_answered_in_one_pass(several: Any) -> None:
    cohort, run = several
    predictor = Predictor(run.bundle)
    cases = [cohort.case(n) for n in ("p005", "p000", "p011", "p003")]
    for case, answer in zip(cases, predictor.together(cases), strict=True):
        alone = predictor(case)
        assert answer.weighed.lacking == alone.weighed.lacking
        for name, share in alone.weighed.shares.items():
            assert answer.weighed.shares[name] == pytest.approx(share, abs=1e-4)
        assert np.allclose(answer.p, alone.p, atol=1e-5)


def test_the_scorecard_says_what_each_source_adds(several: Any, tmp_path: Path) -> None:
    cohort, run = several
    card = vs.evaluate(run.bundle, cohort, split="all", progress=False)
    found = card.sources
    arms = {(a["kind"], a["source"]): a for a in found["arms"]}
    assert set(arms) == {
        (kind, n) for kind in ("without", "alone") for n in ("front", "side", "covariates")
    } | {("plain", "covariates")}
    scored = [cohort.case(str(c["case"])) for c in card.cases]
    have = sum("side" in c.images for c in scored)
    assert 0 < have < len(scored)
    assert arms["without", "side"]["n"] == arms["alone", "side"]["n"] == have
    assert arms["without", "front"]["n"] == len(scored)
    gain = arms["without", "front"]["differences"]["auc"]
    own = arms["without", "front"]["figures"]["auc"]
    assert gain["first"] == pytest.approx(own["value"]) and own["low"] <= own["value"] <= own["high"]
    assert gain["second"] == pytest.approx(card.metrics["auc"].value)
    assert gain["difference"] == pytest.approx(gain["second"] - gain["first"])
    lines = added.lines(card)
    assert len(lines) == 7 and lines[0].startswith("without front: AUC ")
    assert len(added.panels(card)[0].rows) == 7
    save_scorecard(card, tmp_path / "card.json")
    assert load_scorecard(tmp_path / "card.json").sources == json.loads(as_json(card))["sources"]
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert "What each source adds" in report and "a plain model of the covariates" in report


def test_an_answer_without_a_source_is_that_of_a_case_that_lacks_it(several: Any) -> None:
    cohort, run = several
    case = cohort.case("p003")
    predictor = Predictor(run.bundle)
    asked = Subsets(predictor, case)
    assert asked.there == {"front", "side", "covariates"}
    subsets = [frozenset(s) for s in (("front",), ("side", "covariates"), ("covariates",), ())]
    found = asked.answers(subsets)
    for kept, answer in zip(subsets[:3], found[:3], strict=True):
        images = {k: v for k, v in case.images.items() if k in kept}
        less = dataclasses.replace(
            case,
            images=images,
            reference=next(iter(images), None),
            covariates=case.covariates if "covariates" in kept else {},
        )
        assert np.allclose(predictor(less).p, answer.p, atol=1e-5), kept
    assert np.isfinite(found[3].p).all()  # a case about which nothing is known: what is said of anybody


def test_too_many_passes_are_skipped_with_a_reason(several: Any) -> None:
    cohort, run = several
    found = adding.of_sources(
        Predictor(run.bundle), cohort.cases, truth=lambda c: c.targets["label"], patients_known=True,
        progress=Silent(), most=100,
    )  # fmt: skip
    assert found["skipped"] == "it takes 280 passes, more than 100: score fewer cases to have it"
    card = dataclasses.replace(run.scorecard, sources=found)
    assert added.lines(card) == [f"what each source adds was not measured: {found['skipped']}"]


def test_every_method_explains_a_source_or_says_why_not(several: Any, tmp_path: Path) -> None:
    cohort, run = several
    case = cohort.case("p001")
    few: dict[str, Any] = {"samples": 12, "pieces": 8, "check": "none"}
    found = vs.explain(run, case, method="all", **few)
    maps = {e.method for e in found.explained}
    assert {source_of(m)[1] for m in maps} == {"front", "side"}
    assert {p.method for p in found.parted} == {"columns", "sources"}
    assert all(len(why) > 20 for why in found.refused.values())
    asked = {source_of(n)[0] for n in (*maps, *found.refused, "columns", "sources")}
    assert asked == set(names(methods.KIND))
    shapes = {"front": (32, 32), "side": (24, 40)}
    for one in found.explained:
        array = one.map.image.array
        assert array.shape[-2:] == shapes[source_of(one.method)[1]] == one.on.shape[-2:]
        assert np.isfinite(array).all() and np.ptp(array) > 0, one.method
    with pytest.raises(UnknownName, match="back"):
        vs.explain(run, case, method="occlusion@back", **few)
    done = vs.explain(
        run, cohort[1:6:4], tmp_path / "why", method=["occlusion", "sources"], progress=False, **few
    )
    assert done.case_ids == ("p001", "p005")
    with (tmp_path / "why" / "explanations.csv").open(newline="", encoding="utf-8") as file:
        rows = {(r["case"], r["method"]): r for r in csv.DictReader(file)}
    assert rows["p005", "occlusion@side"]["fails"] == "the case has no image 'side'"
    assert float(rows["p001", "sources"]["source front"]) != 0
    page = (tmp_path / "why" / "p001.html").read_text(encoding="utf-8")
    assert "What each source adds" in page and (tmp_path / "why" / "p001.sources.csv").is_file()


def test_the_plain_model_is_that_of_scikit_learn(several: Any) -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(80, 3))
    y = np.argmax(x @ random.normal(size=(3, 3)) + random.normal(size=(80, 3)), axis=1)
    weights, bias = _plain.logistic(x, np.eye(3)[y], several=False)
    theirs = LogisticRegression(C=1.0, max_iter=2000, tol=1e-8).fit(x, y)
    mine = x @ weights.T + bias
    p = np.exp(mine) / np.exp(mine).sum(1, keepdims=True)
    assert np.allclose(p, theirs.predict_proba(x), atol=1e-3)
    z = x @ np.ones((3, 2)) + random.normal(size=(80, 2))
    weights, bias = _plain.linear(x, z)
    assert np.allclose(x @ weights.T + bias, Ridge(alpha=1.0).fit(x, z).predict(x), atol=1e-6)
    _, run = several
    state = open_bundle(run.path / "bundle").stages[-1].state
    assert np.asarray(state.values["plain"]["weights"]).shape == (2, 5)  # age, its mark, F, M and theirs


def test_models_of_one_image_are_as_they_were(pictures: Any) -> None:
    case = vs.read(pictures.data).cases[0]
    answer = vs.predict(pictures.path, case)
    assert answer.weighed is None and "weighed" not in encoding.as_text(answer)
    assert not load_scorecard(pictures.path / "scorecard.json").sources
    found = vs.explain(
        pictures.path, case, method=["sources", "frames", "occlusion"], check="none", samples=8
    )
    assert set(found.refused) == {"sources", "frames"} and len(found.explained) == 1


def test_the_service_answers_several_images_of_one_body(several: Any, tmp_path: Path) -> None:
    cohort, run = several
    case = cohort.case("p001")
    models = Catalogue([f"several={run.path}"], ["cpu"])
    service = Service(models, audit=tmp_path / "audit.jsonl", temporary=tmp_path)
    with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        (about,) = client.get("/api/models").json()
        assert about["sources"] == ["front", "side", "covariates"] and about["inputs"] == ["front", "side"]
        sent = [("files", (p.name, p.read_bytes())) for item in case.images.values() for p in item.paths]
        study = client.post("/api/studies", files=sent).json()
        ids = {c["name"].rpartition("_")[2].partition(".")[0]: c["case"] for c in study["cases"]}
        asked = {"model": "several", "study": study["study"], "covariates": dict(case.covariates)}
        for images, lacking in ((ids, []), ({"side": ids["side"]}, ["front"])):
            job = client.post("/api/jobs", json={**asked, "images": images}).json()["job"]
            (answer,) = _done(client, job)["answers"]
            known = {n: item for n, item in case.images.items() if n in images}
            alone = vs.predict(run, dataclasses.replace(case, images=known, reference=next(iter(known))))
            assert answer["answer"]["p"] == pytest.approx(alone.p.tolist(), abs=1e-5)
            assert answer["summary"]["weighed"]["not_given"] == lacking
            assert answer["case"] == next(iter(images.values()))
        odd = client.post("/api/jobs", json={**asked, "images": {"back": ids["side"]}})
        assert odd.status_code == 422 and "takes no image 'back'" in odd.json()["error"]
        lies = client.post("/api/jobs", json={**asked, "images": {"side": ids["side"]}, "case": ids["front"]})
        assert lies.status_code == 422 and "none of the images" in lies.json()["error"]


def _done(client: TestClient, job: str) -> dict[str, Any]:
    for _ in range(600):
        found: dict[str, Any] = client.get(f"/api/jobs/{job}").json()
        if found["status"] in ("done", "failed"):
            return found
        time.sleep(0.1)
    raise AssertionError("the job does not end")
