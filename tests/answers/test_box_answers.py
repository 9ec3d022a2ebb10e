"""What is done with boxes: shown as called, drawn beside the truth, promised, doubted, scored, and read from others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from _cells import LABELS, SIZE, smears

from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay_png, with_layer
from vesalius.answers.foreign.boxes import box_answers
from vesalius.core.answers.boxes import Boxes, counts_of
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Scorecard, load_scorecard, save_scorecard
from vesalius.evaluate import conformal, report, trust
from vesalius.evaluate.scoring import Tally, card_of, tally_for
from vesalius.metrics import boxes as judge

HANDLING = contract.of("Boxes")
TARGET = TargetInfo("cells", "boxes", LABELS)
A, B, C = (Box((0.0, 10.0, x), (1.0, 20.0, x + 10), "red_cell") for x in (10.0, 40.0, 70.0))
CASES = [Case(name, {"image": Image(np.zeros((1, 1, 99, 99)))}) for name in ("one", "two")]


def told(*found: tuple[Box, float], **fields: Any) -> Boxes:
    return Boxes(boxes=tuple(b for b, _ in found), p=np.array([p for _, p in found]), labels=LABELS, **fields)


def test_columns_lines_and_summary_speak_of_what_is_called() -> None:
    answer = told((A, 0.4), (B, 0.9), (C, 0.2), thresholds={"red_cell": 0.4, "white_cell": 0.5})
    columns = HANDLING.columns(answer)
    assert columns == {
        "boxes": 2,
        "red_cell_boxes": 2,
        "white_cell_boxes": 0,
        "surest": "red_cell",
        "highest_p": 0.9,
    }
    lines = HANDLING.lines(answer)
    assert [line.text.split()[0] for line in lines] == ["0.900", "0.400", "1"] and lines[
        -1
    ].name == "not called"
    red, white = HANDLING.summary(answer)["labels"]
    assert (red["called"], red["candidates"], red["threshold"]) == (2, 3, 0.4) and white["called"] == 0
    with_counts = replace(answer, parts={"counts": counts_of(answer)})
    assert contract.columns(with_counts)["counts.red_cell.value"] == 2.0
    assert HANDLING.marks(answer)[0].value == "2" and HANDLING.marks(answer)[0].margin == pytest.approx(0.0)
    assert HANDLING.columns(told())["surest"] == "" and HANDLING.lines(told()) == []


def test_called_boxes_are_drawn_in_their_colour_and_true_ones_in_white_dashes() -> None:
    image = Image(np.full((1, 1, 100, 100), 90, np.uint8))
    answer = told((A, 0.9), (C, 0.2), thresholds={"red_cell": 0.5})
    shown = with_layer(answer, image, title="a", caption="", truth=(B,))
    layer = cast(Any, shown.layer).astype(int)
    scale = layer.shape[0] / 100

    def edge(box: Box) -> Any:
        """The pixels about the left edge, its corners left out, `(rows, 5, 4)`."""
        rows = slice(int((box.low[1] + 2) * scale), int((box.high[1] - 2) * scale))
        return layer[rows, int(box.low[2] * scale) - 2 : int(box.low[2] * scale) + 3]

    own = [int(HANDLING.colours(answer)["red_cell"][k : k + 2], 16) for k in (1, 3, 5)]
    assert (np.abs(edge(A)[..., :3] - own).max(axis=2) < 12).any(axis=1).all()
    white = ((edge(B)[..., :3].min(axis=2) > 150) & (edge(B)[..., 3] > 150)).any(axis=1)
    assert white.any() and not white.all()  # dashes
    assert (edge(C)[..., 3] == 0).all()  # what is not called is not drawn
    assert overlay_png(image, answer)[:4] == b"\x89PNG"


def test_the_slice_that_is_shown_is_cut_by_most_boxes() -> None:
    image = Image(np.zeros((1, 12, 20, 20), np.uint8))
    low, high = (Box((z, 2.0, 2.0), (z + 2, 8.0, 8.0), "red_cell") for z in (2.0, 8.0))
    other = Box((8.0, 10.0, 10.0), (11.0, 15.0, 15.0), "red_cell")
    answer = told((low, 0.9), (high, 0.8))
    assert with_layer(answer, image, title="", caption="").z in (2, 3)  # the surest
    assert with_layer(answer, image, title="", caption="", truth=(other,)).z in (8, 9)


def scored(many: int = 14) -> tuple[Tally, Scorecard]:
    tally = tally_for("Boxes")
    for case, answer in smears(many):
        trivial = replace(answer, boxes=(A,), p=np.array([0.9]))
        tally.add(case, answer, case.targets["cells"], trivial, cast(Image, case.images["image"]))
    card = card_of(
        tally, "Boxes", split="test", data_hash="0" * 64, patients_known=True, bundle="1" * 64, target="cells",
        baseline_is=HANDLING.baseline,
    )  # fmt: skip
    return tally, card


def test_a_scorecard_a_report_and_the_rows_made_again(tmp_path: Path) -> None:
    tally, card = scored()
    save_scorecard(card, tmp_path / "scorecard.json")
    held = load_scorecard(tmp_path / "scorecard.json")
    rows, again = tally.rows()[0], HANDLING.again(held)
    assert again is not None
    for index in (np.arange(len(rows)), np.array([3, 3, 7, 0, 12])):
        assert judge.summary(again, index) == pytest.approx(judge.summary(rows, index), nan_ok=True, abs=0)
    assert np.array_equal(HANDLING.each(rows), HANDLING.each(again))
    assert np.array_equal(HANDLING.sureness(rows), HANDLING.sureness(again))
    first = smears(14)[0]
    measured = HANDLING.measure(first[1], first[0].targets["cells"], first[0])
    score, caption = HANDLING.rate(first[1], first[0].targets["cells"], measured)
    assert score == HANDLING.each(rows)[0] and "found" in caption
    assert HANDLING.sure(first[1]) == pytest.approx(HANDLING.sureness(rows)[0])
    assert card.metrics["ap50"].low is not None and card.baseline["ap50"].value is not None
    froc = card.clinical["froc"]["red_cell"]
    at = froc["x"].index(1.0)
    assert froc["y"][at] == card.metrics["sensitivity_at_1/red_cell"].value
    assert froc["low"][at] <= froc["y"][at] <= froc["high"][at]
    text = report.render(report.Report(
        title="Cells", scorecard=held, best=tally.gallery.best, worst=tally.gallery.worst,
        label_values=HANDLING.legend(LABELS),
    ))  # fmt: skip
    for said in ("Precision and recall at IoU .5", "FROC", "Found by size", "What is called", "truth, always so",
                 "Agreement of counts", "fixed on validation data"):  # fmt: skip
        assert said in text, said
    table = HANDLING.case_table(held)
    assert table is not None
    _, true, _, found, missed, _, worst = (cell.number for cell in table.rows[0])
    assert worst == HANDLING.each(rows).min() and true == found + missed


def test_sizes_are_in_millimetres_where_spacing_is_known() -> None:
    def rows(spacing: tuple[float, float, float] | None) -> Any:
        made = smears(6)
        images = [replace(cast(Image, c.images["image"]), spacing_mm=spacing) for c, _ in made]
        cases = [replace(c, images={"image": image}) for (c, _), image in zip(made, images, strict=True)]
        measured = [HANDLING.measure(a, c.targets["cells"], c) for c, (_, a) in zip(cases, made, strict=True)]
        return HANDLING.rows(measured, [c.id for c in cases])

    known, unknown = rows((0.5, 0.5, 40.0)), rows(None)  # a picture's thickness is no size
    assert known.info["size_unit"] == "mm" and unknown.info["size_unit"] == "pixels"
    assert known["size"][0] == pytest.approx(unknown["size"][0] / 2)


def limits_of(strange: list[Any], coverage: float, way: str) -> Limits:
    found = conformal.thresholds(strange, coverage)
    return Limits(coverage, found.at, found.n, way)


def test_intervals_of_counts_hold_the_true_ones_as_often_as_promised() -> None:
    strange = [HANDLING.strangeness(a, c.targets["cells"], "counts") for c, a in smears(150, seed=1)]
    assert set(strange[0]) == {"red_cell", "white_cell"}
    limits = limits_of(strange, 0.9, "counts")
    held: dict[str, list[float]] = {}
    for case, answer in smears(200, seed=2):
        made = HANDLING.promised(answer, limits)
        for name, value in cast(Any, made.parts["counts"]).values.items():
            low, high = value.promise.interval
            assert low >= 0 and low == max(0, value.x - limits.of(name)) and high == value.x + limits.of(name)
        kept = HANDLING.kept(made, case.targets["cells"])
        assert kept is not None and made.promise is not None
        for name, one in kept.held.items():
            held.setdefault(name, []).append(one)
    for name, values in held.items():
        assert np.mean(values) >= 0.9 - 0.05, name
    few = HANDLING.promised(smears(1)[0][1], Limits(0.9, {}, {}, "counts"))
    interval = cast(Any, few.parts["counts"]).values["red_cell"].promise.interval
    assert interval[1] is None  # nobody has tried: no bound


def test_a_crowd_leaves_a_count_unknown() -> None:
    truth = (A, replace(B, crowd=True), Box((0, 50, 50), (1, 60, 60), "white_cell"))
    assert set(HANDLING.strangeness(told((A, 0.9)), truth, "")) == {"white_cell"}
    with pytest.raises(UnknownName, match="missed"):
        HANDLING.strangeness(told(), truth, "mised")


def test_outer_boxes_miss_no_more_of_the_true_ones_than_promised() -> None:
    strange = [
        HANDLING.strangeness(a, c.targets["cells"], "missed") for c, a in smears(150, seed=3, unsure=True)
    ]
    curve = cast(Any, strange[0]["red_cell"])
    assert curve.shape == (257,) and (np.diff(curve) >= 0).all()
    limits = limits_of(strange, 0.9, "missed")
    assert np.isfinite(limits.of("red_cell"))
    lost, larger = [], []
    for case, answer in smears(200, seed=4, unsure=True):
        made = HANDLING.promised(answer, limits)
        kept = HANDLING.kept(made, case.targets["cells"])
        assert kept is not None and kept.mean and kept.size is not None and kept.size >= 1
        outer = cast(Boxes, made.parts["outer"])
        assert {answer.boxes[k] for k in answer.called} <= set(outer.boxes) and made.boxes == answer.boxes
        lost += [kept.held["red_cell"]] if "red_cell" in kept.held else []
        larger += [kept.size] if np.isfinite(kept.size) else []
    assert np.mean(lost) <= 0.1 + 0.03 and np.mean(larger) < 3
    by_calls_alone = np.mean([cast(Any, s["red_cell"])[-1] for s in strange if "red_cell" in s])
    assert by_calls_alone > 0.15


def test_what_no_candidate_finds_cannot_be_promised() -> None:
    strange = [HANDLING.strangeness(told((A, 0.9)), (A, B), "missed") for _ in range(60)]
    limits = limits_of(strange, 0.9, "missed")
    assert limits.of("red_cell") == np.inf
    answer = HANDLING.promised(told((A, 0.9)), limits)
    assert answer.promise is None and "outer" not in answer.parts


def test_doubt_by_hand() -> None:
    answer = told((A, 0.9), (B, 0.6), thresholds={"red_cell": 0.5, "white_cell": 0.5})
    moved = replace(A, low=(0.0, 10.0, 12.0), high=(1.0, 20.0, 22.0))
    first = replace(answer, p=np.array([0.8, 0.6]))
    second = told((moved, 0.6), (C, 0.7), thresholds=answer.thresholds)
    doubt = HANDLING.doubt(answer, [first, second])
    assert doubt is not None
    figures = doubt.figures
    assert figures["agreed"] == 3 / 4 and figures["beside"] == 1 / 2
    assert figures["p_sd"] == pytest.approx((np.std([0.8, 0.6], ddof=1) + np.std([0.6, 0.0], ddof=1)) / 2)
    assert figures["corner_sd"] == pytest.approx(np.sqrt(2) / 2)  # x of A by 0 and 2, y not at all
    assert figures["sd_red_cell"] == 0.0 and figures["sd_white_cell"] == 0.0
    nothing = HANDLING.doubt(told(), [told(), told()])
    assert nothing is not None and nothing.figures["agreed"] == 1.0


def test_boxes_beyond_their_image_are_named() -> None:
    image = Image(np.zeros((1, 1, SIZE, SIZE), np.uint8))
    assert HANDLING.misplaced(told((A, 0.9)), image) is None
    far = replace(A, low=(0.0, 10.0, 150.0), high=(1.0, 20.0, 400.0))
    assert "outside" in str(HANDLING.misplaced(told((far, 0.9)), image))
    assert "empty" in str(HANDLING.misplaced(told((replace(A, high=A.low), 0.9)), image))
    moved = HANDLING.placed(replace(told((A, 0.9)), parts={"outer": told((B, 0.2))}), (0, 5, 7), image)
    assert (
        moved.boxes[0].low == (0.0, 15.0, 17.0) and cast(Boxes, moved.parts["outer"]).boxes[0].low[1] == 15.0
    )


def test_another_tools_table_of_boxes(tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    rows = "one.png,Red_Cell,10,20,30.5,40,0.75\nthree.png,red_cell,1,1,2,2,.5\n"
    table.write_text(f"image,label,y0,x0,y1,x1,score\n{rows}")
    found = box_answers(table, CASES, TARGET)
    one = cast(Boxes, found["one"])
    assert one.boxes == (Box((0.0, 10.0, 20.0), (1.0, 30.5, 40.0), "red_cell"),) and one.p.tolist() == [0.75]
    assert cast(Boxes, found["two"]).boxes == ()  # a case without a row has none
    assert cast(Any, one.parts["counts"]).values["red_cell"].x == 1
    head = "case,label,y0,x0,y1,x1,p\n"
    for text, word in (
        ("case,label,y0,x0,y1,x1\none,red_cell,1,1,2,2\n", "probabilities"),
        (f"{head}one,red_cell,5,1,2,2,.5\n", "no extent"),
        (f"{head}one,green,1,1,2,2,.5\n", "no such label"),
        (f"{head}one,red_cell,1,1,2,2,50\n", "0 to 1"),
        (f"{head}one,red_cell,1,1,2,two,.5\n", "no number"),
        (f"{head}other,red_cell,1,1,2,2,.5\n", "no box"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=word):
            box_answers(table, CASES, TARGET)


def test_what_is_called_is_read_as_spreadsheets_write_it(tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    for yes, no in (("1", "0"), ("TRUE", "FALSE"), ("1.0", "0.0")):
        table.write_text(
            f"case,label,y0,x0,y1,x1,p,called\none,red_cell,1,1,9,9,.8,{yes}\none,red_cell,20,1,29,9,.2,{no}\n"
        )
        assert cast(Boxes, box_answers(table, CASES, TARGET)["one"]).called == (0,)
    table.write_text("case,label,y0,x0,y1,x1,p,called\none,red_cell,1,1,9,9,.8,maybe\n")
    with pytest.raises(DataError, match="'called' is 1 or 0.*maybe"):
        box_answers(table, CASES, TARGET)


def test_another_tools_boxes_in_cocos_json(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    row = {"image_id": 7, "category_id": 1, "bbox": [20, 10, 5, 8], "score": 0.5}
    names = {"images": [{"id": 7, "file_name": "sub/two.jpg"}, {"id": 2, "file_name": "one.jpg"}],
             "categories": [{"id": 0, "name": "red_cell"}, {"id": 1, "name": "white_cell"}]}  # fmt: skip
    path.write_text(json.dumps({**names, "annotations": [row]}))
    found = box_answers(path, CASES, TARGET)
    wanted = (Box((0.0, 10.0, 20.0), (1.0, 18.0, 25.0), "white_cell"),)  # by name: the label's own value is 2
    assert cast(Boxes, found["two"]).boxes == wanted and cast(Boxes, found["one"]).boxes == ()
    path.write_text(json.dumps([row]))
    with pytest.raises(DataError, match="nothing says which image has this number.*7"):
        box_answers(path, CASES, TARGET)
    true = [{"image_id": 7, "category_id": 1, "bbox": [1, 1, 2, 2]}]
    (tmp_path / "instances.json").write_text(json.dumps({**names, "annotations": true}))
    assert cast(Boxes, box_answers(tmp_path, CASES, TARGET)["two"]).boxes == wanted
    for same in (
        {"image_id": "7", "category_id": "1"},
        {"image_id": 7.0},
    ):  # ids as text, as some tools write them
        path.write_text(json.dumps([row | same]))
        assert cast(Boxes, box_answers(tmp_path, CASES, TARGET)["two"]).boxes == wanted
    path.write_text(json.dumps([row | {"image_id": "9"}]))
    with pytest.raises(DataError, match="nothing says which image has this number.*9"):
        box_answers(tmp_path, CASES, TARGET)
    path.write_text(json.dumps([row | {"image_id": "a case of another cohort"}]))
    with pytest.raises(DataError, match="no image"):  # though the images that are listed are cases
        box_answers(tmp_path, CASES, TARGET)
    path.write_text(json.dumps([row]))
    (tmp_path / "train.json").write_text(json.dumps({"images": [{"id": 7, "file_name": "one.jpg"}]}))
    with pytest.raises(DataError, match="an id of `images` stands for two.*one.jpg"):
        box_answers(tmp_path, CASES, TARGET)
    (tmp_path / "train.json").unlink()
    (tmp_path / "instances.json").unlink()
    row |= {"image_id": "one", "category_id": "White_Cell"}
    path.write_text(json.dumps([row]))
    assert cast(Boxes, box_answers(path, CASES, TARGET)["one"]).boxes == wanted
    for wrong, word in (
        ([{**row, "category_id": 1}], "nothing says which category"),
        ([{**row, "image_id": "three"}], "no image"),
        ([{**row, "bbox": [1, 2, 0, 4]}], "no extent"),
        ([{**row, "bbox": [1, 2, 3]}], "four numbers"),
        ({"boxes": []}, "no list"),
        (true, "no list"),
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=word):
            box_answers(path, CASES, TARGET)


def test_what_is_asked_and_labels_that_are_not_the_answers() -> None:
    answer = told((A, 0.2), (B, 0.9))
    ask = contract.ask(answer)
    assert ask.place == 1 and ask.label == 0
    assert contract.ask(replace(answer, labels=(Label(1, "cell"),))).label is None


def test_a_report_says_how_promises_of_boxes_turned_out() -> None:
    for way, said in (("counts", "The width is"), ("missed", "times as large as what is called")):
        unsure = way == "missed"
        strange = [
            HANDLING.strangeness(a, c.targets["cells"], way) for c, a in smears(80, seed=6, unsure=unsure)
        ]
        limits = limits_of(strange, 0.8, way)
        tally = tally_for("Boxes")
        for case, answer in smears(20, seed=7, unsure=unsure):
            made = HANDLING.promised(answer, limits)
            tally.add(case, made, case.targets["cells"], None, cast(Image, case.images["image"]))
        record = {
            "coverage": 0.8, "way": way, "by": None, "groups": {},
            "pooled": {"n": dict(limits.n), "at": dict(limits.at)},
            "few": {}, "on": {"cases": 80, "when": "", "source": "x"},
        }  # fmt: skip
        card = card_of(
            tally, "Boxes", split="test", data_hash="", patients_known=True, bundle="", target="cells",
            fixed={"promise": record},
        )  # fmt: skip
        assert set(card.promise["overall"]) == {"red_cell", "white_cell"}
        texts = " ".join(str(panel) for panel in trust.panels(card))
        assert said in texts and "Labels in a set" not in texts
        if way == "counts":
            assert card.metrics["count_inside/red_cell"].value == card.promise["overall"]["red_cell"]["value"]
