"""Annotation over HTTP: what is saved is there again, conflicts, claims, blindness, what is refused, and figures."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _annotating import ASK, SHAPE, URL, begin, body, drawn, keys_of, pictures, project, put, said
from _clients import Clients
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.run.annotation.runs import decoded, encoded
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.keys import make
from vesalius.verbs.annotate import annotate


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Services without a model."""
    made = Clients(Catalogue([]), tmp_path_factory.mktemp("services"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def blind(services: Clients, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A service whose project is read blind by two; each test has a case of its own."""
    return services(annotate=project(tmp_path_factory.mktemp("blind"), readers=2, blind=True))


@pytest.fixture(scope="module")
def alone(services: Clients, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A service whose project is read by one; each test has a case of its own."""
    return services(annotate=project(tmp_path_factory.mktemp("alone"), 9))


def test_what_is_saved_is_there_again_and_said_with_who_when_and_how_long(alone: TestClient) -> None:
    case = keys_of(alone, "Ada")["p01"]
    opened = begin(alone, case, "Ada").json()
    assert (opened["name"], opened["role"], opened["reading"]) == ("p01", "reading", None)
    image = alone.get(f"/api/studies/{opened['study']}/cases/{opened['image']}/image.nii.gz")
    assert image.status_code == 200
    assert nib.Nifti1Image.from_bytes(gzip.decompress(image.content)).shape[:2] == SHAPE[:0:-1]
    start = {"kind": "model", "name": "m", "bundle": "ab" * 32, "changed": True}
    made = put(alone, case, "Ada", body(seconds=1.0, start=start, note="dense"))
    assert made.status_code == 200, made.text
    back = alone.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()
    assert back["content"] == said()
    assert (back["annotator"], back["version"], back["done"], back["note"]) == ("Ada", 1, True, "dense")
    assert back["start"] == start
    assert back["at"].startswith("20")
    assert back["seconds"] == 1.0
    file = alone.get(back["mask"])
    path = alone.app.state.service.root / "back.nii.gz"  # type: ignore[attr-defined]
    path.write_bytes(file.content)
    assert np.array_equal(formats.read_mask(Ref((path,))).array[0], drawn())
    told = alone.get(URL, params={"annotator": "Ada"}).json()
    assert (told["complete"], told["you"], told["progress"][0]["done"]) == (1, "Ada", 1)
    assert told["cases"] == 9


def test_no_more_seconds_are_counted_than_the_clock_saw(alone: TestClient) -> None:
    case = keys_of(alone, "Ada")["p02"]
    begin(alone, case, "Ada")
    made = put(alone, case, "Ada", body(seconds=5000.0)).json()
    assert made["seconds_told"] == 5000.0
    assert made["seconds"] < 60


def test_a_save_that_another_window_has_overtaken_is_refused_with_the_newer_one(alone: TestClient) -> None:
    case = keys_of(alone, "Ada")["p03"]
    put(alone, case, "Ada", body(0, {"class": "benign"}, done=False))
    made = put(alone, case, "Ada", body(0, {"class": "malignant"}, done=False))
    assert made.status_code == 409
    assert made.json()["latest"]["content"] == {"class": "benign"}
    again = put(alone, case, "Ada", body(0, {"class": "benign"}, done=False))  # the answer was lost
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert put(alone, case, "Ada", body(7)).status_code == 409
    assert put(alone, keys_of(alone, "Ada")["p08"], "Ada", body(7)).status_code == 422


def test_a_mask_comes_as_a_file_too_and_lies_on_the_images_grid(alone: TestClient) -> None:
    case = keys_of(alone, "Ada")["p02"]
    about = {k: v for k, v in said().items() if k != "mask"}

    def send(array: Any, version: int = 0, name: str = "m.nii.gz") -> Any:
        if name.endswith("json"):
            data = json.dumps(array).encode()
        else:
            image = nib.Nifti1Image(np.transpose(array, (2, 1, 0)), None)
            data = gzip.compress(image.to_bytes())
        return alone.put(
            f"{URL}/cases/{case}/reading",
            params={"annotator": "Ada"},
            data={"annotation": json.dumps(body(version, about))},
            files={"mask": (name, io.BytesIO(data))},
        )

    assert send(drawn(6)).json()["version"] == 1
    assert send(encoded(drawn(7)), 1, "m.json").json()["version"] == 2
    back = alone.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()
    assert np.array_equal(decoded(back["content"]["mask"], SHAPE), drawn(7))
    assert send(drawn(6).transpose(0, 2, 1), 2).status_code == 422  # x and y exchanged
    assert send(drawn(6, 9), 2).status_code == 422  # a value that no label has
    assert send(drawn(6).repeat(3, 0), 2).status_code == 422
    assert alone.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()["version"] == 2


@pytest.mark.parametrize(
    "content",
    [
        said(**{"class": "unknown"}),
        said(boxes=[{"low": [0, 4, 5], "high": [1, 21, 11], "label": "lesion"}]),
        said(boxes=[{"low": [0, 4, 5], "high": [1, 4, 11], "label": "lesion"}]),
        said(boxes=[{"low": [0, 4, float("1e400")], "high": [1, 9, 11], "label": "lesion"}]),
        said(boxes=[{"low": [0, 4, 5], "high": [1, 9, 11], "label": "nodule"}]),
        said(boxes=[{"low": [0, 4, 5], "high": [1, 9, 10**400], "label": "lesion"}]),
        said(mask={"shape": [1, 28, 20], "runs": [0, 560]}),
        said(mask={"shape": [1, 20, 28], "runs": [0, 559]}),
        said(mask={"shape": [1, 20, 28], "runs": [0, 10**15]}),
        said(mask={"shape": [1, 20, 28], "runs": [0, 561, 1, -1]}),
        said(mask={"shape": [1, 20, 28], "runs": [7, 560]}),
        said(mask={"shape": [1, 20, 28], "runs": [True, 560]}),
        said(mask="../../etc/passwd"),
        said(heading="h"),
        {"class": "benign"},  # done, and neither boxes nor a mask
    ],
)
def test_what_cannot_be_is_refused_and_not_kept(alone: TestClient, content: Any) -> None:
    case = keys_of(alone, "Ada")["p05"]
    sent = json.dumps(body(content=content)).replace("Infinity", "1e999")
    made = alone.put(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}, content=sent)
    assert made.status_code == 422, made.text
    assert made.json()["error"]
    assert alone.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).status_code == 404


def test_names_lead_nowhere_and_one_person_is_one_reader(alone: TestClient) -> None:
    case = keys_of(alone, "Ada")["p06"]
    put(alone, case, "Ada")
    for name in ("../x", "a/b", "ADA", "", " ", "a\\b", "..", "x" * 65, "=1+1"):
        assert put(alone, case, name).status_code == 422, name
    for key in ("..", "%2e%2e", "kffff", "p00"):
        assert put(alone, key, "Ada").status_code in (404, 405), key


def test_a_huge_body_is_refused(services: Clients, tmp_path: Path) -> None:
    client = services(annotate=project(tmp_path), body_bytes=1 << 16, text_bytes=1 << 16)
    case = keys_of(client, "Ada")["p00"]
    sent = json.dumps(body(note="x" * 2000)) + " " * (1 << 16)
    url = f"{URL}/cases/{case}/reading"
    assert client.put(url, params={"annotator": "Ada"}, content=sent).status_code == 413
    form = {"annotation": json.dumps(body(content={}, done=False))}
    files = {"mask": ("m.nii", b"\0" * (1 << 17))}
    assert client.put(url, params={"annotator": "Ada"}, data=form, files=files).status_code == 413


def test_a_case_that_another_has_is_not_begun_until_it_is_let_go(services: Clients, tmp_path: Path) -> None:
    alone = services(annotate=project(tmp_path))
    cases = keys_of(alone, "Ada")
    assert begin(alone, cases["p00"], "Ada").status_code == 200
    assert begin(alone, cases["p00"], "Bo").status_code == 409
    row = next(r for r in alone.get(f"{URL}/cases", params={"annotator": "Bo"}).json() if r["name"] == "p00")
    assert (row["state"], row["held_by"]) == ("held", ["Ada"])
    alone.delete(f"{URL}/cases/{cases['p00']}/claim", params={"annotator": "Ada"})
    assert begin(alone, cases["p00"], "Bo").status_code == 200
    begin(alone, cases["p01"], "Bo")  # who opens the next one has left the one before
    assert begin(alone, cases["p00"], "Ada").status_code == 200
    desk = alone.app.state.service.annotating  # type: ignore[attr-defined]
    later = desk.claims.get(cases["p00"], "Ada").until + 1
    desk.claims.clock = lambda: later
    assert begin(alone, cases["p00"], "Bo").status_code == 200
    assert put(alone, cases["p00"], "Ada").status_code == 200  # work that was begun is not lost
    assert put(alone, cases["p00"], "Bo").status_code == 409
    assert begin(alone, cases["p00"], "Bo").status_code == 409


def test_nobody_else_begins_a_case_while_its_image_is_brought(
    services: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both pages were sent to the first case of the list: one of them would have read it for nothing."""
    alone = services(annotate=project(tmp_path))
    case = keys_of(alone, "Ada")["p00"]
    desk = alone.app.state.service.annotating  # type: ignore[attr-defined]
    brought, second = desk.study, []

    def slowly(studies: Any, caller: Any, name: str, *more: Any) -> Any:
        if name == "Ada":
            second.append(begin(alone, case, "Bo").status_code)
        return brought(studies, caller, name, *more)

    monkeypatch.setattr(desk, "study", slowly)
    assert begin(alone, case, "Ada").status_code == 200
    assert second == [409] and desk.claims.holders(case) == ["Ada"]


def test_a_case_whose_image_cannot_be_shown_is_nobodys(services: Clients, tmp_path: Path) -> None:
    alone = services(annotate=project(tmp_path))
    case = keys_of(alone, "Ada")["p01"]
    desk = alone.app.state.service.annotating  # type: ignore[attr-defined]
    (tmp_path / "data" / "p01.png").write_bytes(b"another")
    assert begin(alone, case, "Ada").status_code == 409
    assert desk.claims.holders(case) == []


def test_a_blind_reading_is_in_no_answer_until_both_are_done(blind: TestClient) -> None:
    case = keys_of(blind, "Ada")["p00"]
    word = "malignant"
    begin(blind, case, "Ada")
    put(blind, case, "Ada", body(content=said(9, **{"class": word}), note="secret"))
    opened = begin(blind, case, "Bo").json()
    assert opened["others"] == []
    reads = [
        f"{URL}/cases/{case}/reading?of=Ada",
        f"{URL}/cases/{case}/reading?of=Ada&version=1",
        f"{URL}/cases/{case}/reading?of=%20Ada",
        f"{URL}/cases/{case}/mask.nii.gz?of=Ada",
        f"{URL}/cases/{case}/reading?of=Nobody",
    ]
    for url in reads:
        assert blind.get(f"{url}&annotator=Bo").status_code == 403, url
    texts = [opened, *(blind.get(f"{URL}{p}", params={"annotator": "Bo"}).text for p in
             ("", "/cases", "/agreement", "/agreement.html"))]  # fmt: skip
    study = opened["study"]
    texts += [blind.get(u).text for u in ("/api/studies", f"/api/studies/{study}", "/datastore/?output=all",
              f"/api/studies/{study}/cases/c1/truth", "/metrics", "/api/audit", "/logs/")]  # fmt: skip
    held = "".join(map(str, texts)).replace('"malignant", "colour"', "").replace('"name":"malignant"', "")
    assert "secret" not in held
    assert word not in held
    digest = blind.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()["mask_sha256"]
    assert digest not in held
    put(blind, case, "Bo", body(done=False))
    assert blind.get(reads[0] + "&annotator=Bo").status_code == 403  # a draft is not yet a reading
    assert put(blind, case, "Bo", body(1)).status_code == 200
    assert blind.get(reads[0] + "&annotator=Bo").json()["content"]["class"] == word
    sealed = put(blind, case, "Bo", body(2, said(**{"class": word})))
    assert sealed.status_code == 409  # whoever has seen the other's work does not change their own


def test_ids_that_tell_the_answer_are_not_what_annotators_see(services: Clients, tmp_path: Path) -> None:
    """As where the data lie in a folder of each class: the file's name is the diagnosis."""
    for kind in ("benign", "malignant"):
        for path in pictures(tmp_path / "data" / kind, 3).iterdir():
            path.rename(path.with_name(f"{kind} ({path.stem}).png"))
    made = annotate(tmp_path / "data", tmp_path / "project", ask={"class": ["benign", "malignant"]})
    client = services(annotate=made.path)
    rows = client.get(f"{URL}/cases", params={"annotator": "Ada"})
    opened = begin(client, rows.json()[0]["case"], "Ada")
    assert "benign" not in rows.text + opened.text and "malignant" not in rows.text + opened.text
    assert len({row["name"] for row in rows.json()}) == 6
    in_order = [one.key for one in made.project.cases]
    assert [row["case"] for row in rows.json()] == sorted(in_order), "nor does the order tell"
    assert any("hold labels" in note for note in client.app.state.service.annotating.notes)  # type: ignore[attr-defined]


def test_readings_that_differ_are_decided_by_a_third(blind: TestClient) -> None:
    case = keys_of(blind, "Ada")["p01"]
    assert put(blind, case, "Cy", body(role="adjudication")).status_code == 409
    put(blind, case, "Ada")
    put(blind, case, "Bo", body(content=said(**{"class": "malignant"})))
    for name, state in (("Ada", "sealed"), ("Cy", "adjudicate")):
        rows = blind.get(f"{URL}/cases", params={"annotator": name}).json()
        assert next(r["state"] for r in rows if r["case"] == case) == state
    found = blind.get(f"{URL}/agreement", params={"annotator": "Cy"}).json()["disputed"]
    assert [one for one in found if one["case"] == case] == [
        {
            "case": case,
            "name": "p01",
            "asks": [{"kind": "class", "said": {"Ada": "benign", "Bo": "malignant"}}],
            "adjudicated": False,
        }
    ]
    assert put(blind, case, "Ada", body(role="adjudication")).status_code == 403
    opened = begin(blind, case, "Cy").json()
    assert opened["role"] == "adjudication"
    assert {r["annotator"]: r["content"]["class"] for r in opened["others"]} == {
        "Ada": "benign",
        "Bo": "malignant",
    }
    start = {"kind": "reading", "name": "Bo"}
    assert put(blind, case, "Cy", body(role="adjudication", start=start)).status_code == 200
    assert put(blind, case, "Di", body(role="adjudication")).status_code == 409
    found = blind.get(f"{URL}/agreement", params={"annotator": "Cy"}).json()["disputed"]
    assert next(one for one in found if one["case"] == case)["adjudicated"]
    assert "Bo" in blind.get(f"{URL}/agreement.html", params={"annotator": "Cy"}).text


def test_with_keys_a_key_is_who_annotates(services: Clients, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    ada, bo, eve = (
        make(file, name, role) for name, role in (("ada", "user"), ("bo", "user"), ("eve", "admin"))
    )
    folder = project(tmp_path, readers=2, blind=True, annotators=["ada", "bo"], adjudicators=["eve"])
    client = services(annotate=folder, keys=file)
    bearer = (
        {"Authorization": f"Bearer {ada}"},
        {"Authorization": f"Bearer {bo}"},
        {"Authorization": f"Bearer {eve}"},
    )
    rows = client.get(f"{URL}/cases", headers=bearer[0]).json()
    case = rows[0]["case"]
    assert put(client, case, None, headers=bearer[0]).json()["annotator"] == "ada"
    assert put(client, case, "ada", headers=bearer[1]).status_code == 403
    for who in bearer[1:]:  # an admin does not see a blind reading either
        assert client.get(f"{URL}/cases/{case}/reading?of=ada", headers=who).status_code == 403
    assert put(client, case, None, headers=bearer[2]).status_code == 409  # an adjudicator does not read
    assert client.get(URL).status_code == 401
    assert client.get(URL, headers=bearer[1]).json()["names"] == "keys"


def test_a_project_without_a_service_and_a_service_without_a_project(services: Clients) -> None:
    client = services()
    assert client.get(URL).status_code == 204
    assert client.get(f"{URL}/cases", params={"annotator": "Ada"}).status_code == 404


def test_an_original_is_never_touched_and_a_changed_one_is_not_annotated(
    services: Clients, tmp_path: Path
) -> None:
    folder = project(tmp_path)
    before = {p.name: p.read_bytes() for p in (tmp_path / "data").iterdir()}
    client = services(annotate=folder)
    case = keys_of(client, "Ada")["p00"]
    opened = begin(client, case, "Ada").json()
    put(client, case, "Ada")
    assert client.delete(f"/api/studies/{opened['study']}").status_code == 204
    assert begin(client, case, "Ada").json()["study"] != opened["study"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "data").iterdir()} == before
    (tmp_path / "data" / "p01.png").write_bytes(before["p02.png"])
    assert begin(client, keys_of(client, "Ada")["p01"], "Ada").status_code == 409


def test_the_questions_have_their_colours(alone: TestClient) -> None:
    asks = alone.get(URL).json()["asks"]
    assert [a["kind"] for a in asks] == list(ASK)
    assert asks[2]["labels"][0] == {"value": 1, "name": "lesion", "colour": "#ff0000"}
    assert asks[2]["labels"][1]["colour"].startswith("#")


def test_what_slicer_saves_on_a_projects_case_is_a_reading(services: Clients, tmp_path: Path) -> None:
    client = services(annotate=project(tmp_path, ask={"mask": ["lesion", "cyst"]}))
    case = keys_of(client, "Ada")["p01"]
    opened = begin(client, case, "Ada").json()
    image = f"{opened['study']}-{opened['image']}"
    there = client.get("/datastore/image", params={"image": image})
    seen = nib.Nifti1Image.from_bytes(gzip.decompress(there.content))

    def save(array: Any, tag: str, **params: Any) -> Any:
        made = nib.Nifti1Image(np.transpose(array, (2, 1, 0)), seen.affine)
        files = {"label": ("label.nii.gz", gzip.compress(made.to_bytes()))}
        form = {"params": json.dumps(params)}
        return client.put("/datastore/label", params={"image": image, "tag": tag}, files=files, data=form)

    assert save(drawn(6), "draft").status_code == 200
    back = client.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()
    assert (back["version"], back["done"]) == (1, False)
    assert client.get("/datastore/label", params={"label": image}).status_code == 404  # none is final
    info = [{"name": "cyst", "idx": 1}]  # the client's own numbers
    assert save(drawn(6), "final", label_info=info).status_code == 200
    back = client.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()
    assert (back["version"], back["done"]) == (2, True)
    assert np.array_equal(decoded(back["content"]["mask"], SHAPE), drawn(6, 2))
    assert client.get("/datastore/label", params={"label": image}).status_code == 200
    assert client.get("/datastore/").json()["completed"] == 1
    assert save(drawn(6), "final", label_info=[{"name": "stone", "idx": 1}]).status_code == 422
    assert save(drawn(6, 5), "final", label_info=info).status_code == 422
    assert save(drawn(6).transpose(0, 2, 1), "final").status_code == 422
    assert client.delete("/datastore/label", params={"id": image}).status_code == 409
    kept = client.get(f"{URL}/cases/{case}/reading", params={"annotator": "Ada"}).json()
    assert kept["version"] == 2
    assert len(list((tmp_path / "project" / "drawings").iterdir())) == 2
