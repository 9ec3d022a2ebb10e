"""A kind of answer of another package: its dataclass, its file in answers/ and its metrics, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from _gaze import installed

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers.value import Value
from vesalius.core.case import Case
from vesalius.core.errors import OutputError
from vesalius.core.image import Image, Source
from vesalius.core.scorecard import load_scorecard, save_scorecard
from vesalius.evaluate.report import Report, by_label, headlines, render
from vesalius.evaluate.scoring import card_of, tally_for
from vesalius.run.answers_folder import object_suffixes
from vesalius.serve.http import results
from vesalius.testing import check_answer

IMAGE = Image(np.zeros((1, 1, 16, 16), np.float32))


@pytest.fixture
def gaze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with installed(tmp_path, monkeypatch) as kind:
        yield kind


def test_it_is_written_read_summed_up_and_drawn(gaze: Any, tmp_path: Path) -> None:
    answer = gaze(at=(4.0, 12.0), seconds=2.5, case_id="a")
    back = formats.read_answer(formats.write(answer, tmp_path / "a.json"))
    assert type(back) is gaze and (back.at, back.seconds) == ((4.0, 12.0), 2.5)  # type: ignore[attr-defined]
    assert contract.columns(answer) == {"y": 4.0, "x": 12.0, "seconds": 2.5}
    assert results.summary(answer) == {"fields": {"y": 4.0, "x": 12.0, "seconds": 2.5}}
    assert results.outline(answer)["kind"] == "Gaze"
    overlay(IMAGE, answer, tmp_path / "a.png")
    shown = np.asarray(PIL.Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert (shown[..., 0] - shown[..., 1]).max() > 100
    with pytest.raises(OutputError, match="do not hold a Gaze"):
        formats.write(answer, tmp_path / "a.dcm")
    assert contract.for_target("gaze").kind is gaze


def test_its_objects_are_those_that_a_format_holds(
    gaze: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = gaze(at=(4.0, 12.0), seconds=2.5)
    check_answer(answer, IMAGE, folder=tmp_path)
    assert contract.of(answer).objects == () and object_suffixes(answer, dicom=True, also=()) == []
    monkeypatch.setattr(type(contract.of(answer)), "objects", (".sr.dcm",))
    with pytest.raises(
        AssertionError, match=r"writes \.sr\.dcm of this kind.*dicom_sr files do not hold a Gaze"
    ):
        check_answer(answer, IMAGE, folder=tmp_path)


def test_objects_of_an_answer_about_a_dicom_image_are_written() -> None:
    with pytest.raises(AssertionError, match=r"answer Value: it is written as \.sr\.dcm"):
        check_answer(Value(x=2.0, source=Source(study_uid="1.2", series_uid="1.2.3")))


def test_it_is_scored_and_reported(gaze: Any, tmp_path: Path) -> None:
    tally, middle = tally_for(gaze), gaze(at=(8.0, 8.0), seconds=1.0)
    for k in range(12):
        tally.add(Case(f"c{k}", {"image": IMAGE}), gaze(at=(1.0, 1.0), seconds=0.1 * k), 0.0, middle, IMAGE)
    handling = contract.of(gaze)
    card = card_of(
        tally, "Gaze", split="test", data_hash="d", patients_known=False, bundle="b", target="gaze",
        baseline_is=handling.baseline,
    )  # fmt: skip
    assert card.metrics["miss"].value == pytest.approx(0.55) and card.baseline["miss"].value == 1.0
    assert card.cases[3] == {"case": "c3", "miss": pytest.approx(0.3)} and headlines(card) == ["miss"]
    save_scorecard(card, tmp_path / "scorecard.json")
    html = render(
        Report(title="Gaze", scorecard=load_scorecard(tmp_path / "scorecard.json"), worst=tally.gallery.worst)
    )
    for words in ("Mean miss", "the middle of the image", "1.1 s off", "mean error"):
        assert words in html


def test_its_figures_of_single_labels_have_their_table(gaze: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tally, judge = tally_for(gaze), contract.of(gaze).judge
    summary = judge.summary
    monkeypatch.setattr(judge, "summary", lambda rows, index: summary(rows, index) | {"miss/left": 0.25})
    for k in range(3):
        tally.add(Case(f"c{k}", {"image": IMAGE}), gaze(at=(1.0, 1.0), seconds=0.1 * k), 0.0, None, IMAGE)
    card = card_of(
        tally, "Gaze", split="test", data_hash="d", patients_known=False, bundle="b", target="gaze"
    )
    assert card.labels == ("left",)
    ((label, (tile,)),) = by_label(card)["rows"]
    assert label == "Left" and tile is not None and tile["value"] == "0.250"
