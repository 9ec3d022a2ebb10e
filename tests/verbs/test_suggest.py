"""suggest: the cases of a pool to label next, what is left out of it and why, and a folder that can be gone on with."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import DataError, Interrupted, OutputError, UnknownName
from vesalius.core.index import Index
from vesalius.core.progress import Silent
from vesalius.prepare.case import load_reference
from vesalius.run.neighbours import beside
from vesalius.run.pool import Measuring, asked_of
from vesalius.run.suggesting import as_the_run
from vesalius.verbs.phantom import phantom

RUN = CliRunner()


@pytest.fixture(scope="module")
def pool(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight new pictures of five patients, one of them twice; two of the run's own; one unlike all; one no picture."""
    root = tmp_path_factory.mktemp("pool")
    made = phantom(root / "made", cases=8, seed=11, size=(16, 48, 48), format="png")
    rows = [
        (row["case"], f"p{k // 2}", made / row["image"]) for k, row in enumerate(_table(made / "cohort.csv"))
    ]
    rows[7] = (rows[7][0], "p9", rows[7][2])
    shutil.copy(rows[0][2], root / "copy.png")
    rows.append(("again", "p8", root / "copy.png"))
    own = vs.read(pictures.data).cases[:2]
    for k, case in enumerate(own):
        shutil.copy(case.image.paths[0], root / f"renamed-{k}.png")  # type: ignore[union-attr]
        rows.append((f"renamed-{k}", f"q{k}", root / f"renamed-{k}.png"))
    Pil.fromarray(np.zeros((7, 900), np.uint8)).save(root / "strange.png")
    rows.append(("strange", "q7", root / "strange.png"))
    (root / "broken.png").write_bytes(b"no picture")
    rows.append(("broken", "q8", root / "broken.png"))
    with (root / "pool.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image"], *rows])
    return root / "pool.csv"


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_what_the_run_knew_and_what_cannot_be_used_is_left_out_with_the_reason(
    pictures: Any, pool: Path
) -> None:
    found = vs.suggest(pictures.run, pool, count=20)
    cases = [one.case for one in found.cases]
    assert set(found.already) == {"renamed-0", "renamed-1"}, "known again by their pixels under other names"
    apart = {one.case: one.reason for one in found.apart}
    assert "broken" in apart and "strange" in apart and all(apart.values()) and not set(apart) & set(cases)
    assert len({one.patient for one in found.cases}) == len(cases), "one of each patient"
    assert len({"again", _table(pool)[0]["case"]} & set(cases)) <= 1, "nor twice the same pixels"
    assert "--same-patient" in found.short and found.strategy == "both" and found.why
    assert found.labelled == 12 - len(_tested(pictures)) and [one.rank for one in found.cases] == [
        *range(1, len(cases) + 1)
    ]
    many = vs.suggest(pictures.run, pool, count=20, same_patient=True)
    assert len(many.cases) == 8 > len(cases)
    with_strange = vs.suggest(pictures.run, pool, count=20, also_outside=True, same_patient=True)
    assert len(with_strange.cases) == 9 and "strange" not in {one.case for one in with_strange.apart}


def _tested(pictures: Any) -> list[str]:
    return list(json.loads((pictures.path / "folds.json").read_text())["test"])


def test_the_same_pool_has_the_same_answer_and_another_seed_another(pictures: Any, pool: Path) -> None:
    def drawn(seed: int) -> list[str]:
        return [
            r["case"] for r in vs.suggest(pictures.run, pool, count=4, strategy="random", seed=seed).rows()
        ]

    assert drawn(1) == drawn(1) and len({tuple(drawn(k)) for k in (1, 2, 3)}) > 1


def test_the_most_unsure_is_the_one_whose_probabilities_say_so(pictures: Any, pool: Path) -> None:
    found = vs.suggest(pictures.run, pool, count=3, strategy="uncertainty-margin", same_patient=True)
    margins = {}
    for case in vs.read(pool, max_set_aside=1.0).cases:
        if not case.id.startswith(("renamed", "strange", "broken", "again")):
            p = np.sort(vs.predict(pictures.run, case).p)  # type: ignore[attr-defined]
            margins[case.id] = 1 - (p[-1] - p[-2])
    best = sorted(margins.values(), reverse=True)[:3]
    assert [one.unsure["margin"] for one in found.cases] == pytest.approx(best)


def test_cases_that_have_a_label_are_no_pool(pictures: Any) -> None:
    with pytest.raises(DataError, match="every case of the pool is labelled already; found 12 cases"):
        vs.suggest(pictures.run, pictures.data)


def test_a_folder_is_a_cohort_a_document_and_a_page(pictures: Any, pool: Path, tmp_path: Path) -> None:
    done = RUN.invoke(app, ["suggest", str(pictures.path), str(pool), "-n", "3", "-o", str(tmp_path / "s")])
    assert done.exit_code == 1, "something was left out"
    cohort = vs.read(tmp_path / "s" / "suggestions.csv")
    about = json.loads((tmp_path / "s" / "suggestions.json").read_text())
    assert [c.id for c in cohort.cases] == [one["case"] for one in about["suggested"]] and len(
        cohort.cases
    ) == 3
    page = (tmp_path / "s" / "suggestions.html").read_text()
    assert page.count("<img") == 3 and all(c.id in page for c in cohort.cases) and "strange" in page
    assert not (tmp_path / "s" / "unfinished.json").exists()
    with pytest.raises(OutputError):
        vs.suggest(pictures.run, pool, tmp_path / "s")


def test_an_interrupted_suggest_goes_on_without_measuring_anything_twice(
    pictures: Any, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    measure = Measuring.measure

    def once(self: Measuring, case: Any) -> Any:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(case.id)
        return measure(self, case)

    monkeypatch.setattr(Measuring, "measure", once)
    with pytest.raises(Interrupted, match="--resume"):
        vs.suggest(pictures.run, pool, tmp_path / "s", count=4, seed=2)
    with pytest.raises(OutputError, match="another bundle|another data|cannot go on"):
        vs.suggest(pictures.run, vs.read(pool, max_set_aside=1.0)[["again"]], tmp_path / "s", resume=True)
    monkeypatch.setattr(
        Measuring, "measure", lambda self, case: measured.append(case.id) or measure(self, case)
    )
    again = vs.suggest(pictures.run, pool, tmp_path / "s", count=4, seed=2, resume=True)
    assert len(measured) == len(set(measured)) == 10
    whole = vs.suggest(pictures.run, pool, count=4, seed=2)
    assert [one.row() for one in again.cases] == [one.row() for one in whole.cases]


def test_volumes_are_drawn_where_something_is_found_with_the_plane_to_look_at(
    volumes: Any, tmp_path: Path
) -> None:
    data = phantom(tmp_path / "data", cases=3, seed=21, size=(12, 32, 32))
    cohort = vs.read(data)
    bare = replace(
        cohort, cases=tuple(replace(c, targets={}) for c in cohort.cases), targets={}, hash="", digests={}
    )
    found = vs.suggest(volumes.run, bare, count=3, progress=Silent())
    assert found.strategy == "foreground" and len(found.cases) == 3
    for one in found.cases:
        mask: Any = vs.predict(volumes.run, next(c for c in bare.cases if c.id == one.case))
        bits = (mask.image.array != 0).any(axis=0)
        assert one.found == pytest.approx(bits.mean())
        assert one.plane == (int(bits.sum(axis=(1, 2)).argmax()) if bits.any() else None)
        assert one.unsure["entropy"] is not None and 0 <= one.unsure["entropy"] <= np.log(2)


def test_a_pool_is_seen_as_what_is_labelled_was(volumes: Any) -> None:
    """A run's index knows the tile in the middle alone: a pool whose features are of all tiles is no neighbour."""
    bundle, index = volumes.run.bundle, beside(volumes.run.bundle)
    assert isinstance(index, Index) and as_the_run(bundle, None) and not as_the_run(bundle, volumes.data)
    entry = index.entries[0]
    case = next(c for c in vs.read(volumes.data).cases if c.id == entry.case)
    same = asked_of(bundle, middle=True).of_case(case)
    np.testing.assert_allclose(same, index.vectors[0], rtol=1e-4, atol=1e-5)
    image: Any = load_reference(case)
    large = replace(case, images={"image": replace(image, array=np.tile(image.array, (1, 1, 2, 2)))})
    one, every = (asked_of(bundle, middle=m).of_case(large) for m in (True, False))
    assert not np.allclose(one, every, rtol=1e-2), "so they are not to be mixed"


def test_what_a_pool_has_labelled_already_counts_beside_the_runs_own_cases(
    pictures: Any, pool: Path, tmp_path: Path
) -> None:
    """Two cases of the pool, which the run never saw, have a class: strategies of features keep away from them, too."""
    rows = _table(pool)
    for k, row in enumerate(rows):
        row["class"] = {2: "round", 4: "square"}.get(k, "")
    target = pictures.run.bundle.stages[-1].plan.task.target
    with (tmp_path / "pool.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["case", "patient", "image", target], *([*row.values()] for row in rows[:8])]
        )
    index = beside(pictures.run.bundle)
    found = vs.suggest(pictures.run, tmp_path / "pool.csv", count=2, strategy="coreset")
    assert set(found.already) == {rows[2]["case"], rows[4]["case"]}
    assert isinstance(index, Index) and found.labelled == len(index.entries) + 2


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"strategy": "uncertanty"}, "closest: uncertainty"),
        ({"count": 0}, "at least one case"),
        ({"resume": True}, "no folder"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(pictures: Any, pool: Path, words: Any, match: str) -> None:
    with pytest.raises((DataError, UnknownName), match=match):
        vs.suggest(pictures.run, pool, **words)


def test_a_strategy_that_needs_more_than_answers_say_is_refused_and_goes_on_with_another(
    pictures: Any, pool: Path, tmp_path: Path
) -> None:
    """Scores have no places: what was measured stays, and nothing looks finished."""
    with pytest.raises(DataError, match="foreground cannot choose; found no found"):
        vs.suggest(pictures.run, pool, tmp_path / "s", strategy="foreground")
    assert not (tmp_path / "s" / "suggestions.csv").exists()
    found = vs.suggest(pictures.run, pool, tmp_path / "s", strategy="random", resume=True, count=2)
    assert len(found.cases) == 2 and found.path == tmp_path / "s"


def test_a_pool_of_which_nothing_can_be_read_leaves_no_folder(pictures: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "pool.csv").write_text("case,image\na,broken.png\n")
    with pytest.raises(DataError, match="no case of the pool can be read; found .*broken"):
        vs.suggest(pictures.run, tmp_path / "pool.csv", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_pool_that_is_wholly_unlike_says_so_and_names_the_way(pictures: Any, tmp_path: Path) -> None:
    Pil.fromarray(np.zeros((7, 900), np.uint8)).save(tmp_path / "strange.png")
    (tmp_path / "pool.csv").write_text("case,image\na,strange.png\n")
    with pytest.raises(DataError, match="no case of the pool can be suggested; .*--also-outside"):
        vs.suggest(pictures.run, tmp_path / "pool.csv")


def test_what_is_suggested_is_annotated_as_data_and_as_a_choice_of_the_pool(
    pictures: Any, pool: Path, tmp_path: Path
) -> None:
    found = vs.suggest(pictures.run, pool, tmp_path / "next", count=3, seed=4, strategy="random")
    ids = [one.case for one in found.cases]
    assert len(ids) == 3 and ids != sorted(ids), "an order of its own, which must be kept"
    table, ask = tmp_path / "next" / "suggestions.csv", {"class": ["well", "ill"]}
    whole = vs.annotate(table, tmp_path / "whole", ask=ask)
    chosen = vs.annotate(pool, tmp_path / "chosen", ask=ask, only=table)
    assert [c.id for c in whole.project.cases] == ids == [c.id for c in chosen.project.cases]
    assert [c.image for c in whole.project.cases] == [c.image for c in chosen.project.cases]
    assert not whole.set_aside and not chosen.set_aside, "a broken picture that nobody chose is not looked at"
