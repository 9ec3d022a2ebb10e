"""report: words as tokens, sizes as slots, the template, and how findings are learned and said, each worked by hand."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from _patience import patience
from vesalius.core.finding import Finding
from vesalius.language import tokenizers
from vesalius.language.tokenizers import SEP
from vesalius.tasks._report_findings import About, known_of, said_of, side_of, truth_of
from vesalius.tasks._report_measured import diameter
from vesalius.tasks._report_raw import HEAD, Layout, read
from vesalius.tasks._report_template import about_sentence, template
from vesalius.tasks._report_text import UNMEASURED, Words, filled, slotted
from vesalius.texts.reading import findings_in
from vesalius.texts.terms import Terms

CHEST = Terms.named("chest")
TEXTS = ["a left nodule of sizemm is seen. no effusion.", "abnormal.", "there is a nodule of sizecm. normal."]


def read_chest(sections):  # type: ignore[no-untyped-def]
    return findings_in(sections, CHEST)


@pytest.fixture(scope="module")
def words() -> Words:
    learned = tokenizers.train("words", TEXTS * 2, of=[str(k) for k in range(6)], least=2)
    return Words(tokenizers.load(learned), ("findings", "impression"), 24)


def test_sizes_of_findings_become_slots_and_other_numbers_stay() -> None:
    report = {
        "findings": "A 12 mm nodule on the left, 3 cm above rib 4. Right nodule of 1.2 x 0.8 cm.",
        "impression": "Nodule of 12 mm.",
    }
    found = slotted(report, read_chest)
    assert found["impression"] == "Nodule of sizemm."
    assert "A sizemm nodule" in found["findings"] and "rib 4" in found["findings"]
    assert found["findings"].endswith("Right nodule of sizecm.")


def test_a_decimal_comma_is_one_and_blanks_cost_no_time() -> None:
    found = slotted({"findings": "Nodule of 1,5 x 0,8 cm. A 1/2 cm nodule."}, read_chest)
    assert found["findings"] == "Nodule of sizecm. A 1/2 cm nodule."
    long = "5" + " " * 100_000 + "nodule " + "5 x " * 25_000
    began = time.process_time()
    slotted({"findings": f"Nodule of 5 mm, {long}."}, read_chest)
    assert time.process_time() - began < patience(1)


def test_slots_are_filled_by_the_finding_that_each_is_of() -> None:
    text = {"findings": "A left nodule of sizemm. A mass of sizecm.", "impression": "Nodule of sizemm."}
    said, empty = filled(text, read_chest, {"nodule": 11.6, "mass": 42.0})
    assert said == {"findings": "A left nodule of 12 mm. A mass of 4.2 cm.", "impression": "Nodule of 12 mm."}
    assert not empty
    said, empty = filled(text, read_chest, {"nodule": 11.6})
    assert UNMEASURED in said["findings"] and empty == {1}, "no size is made up for what was not measured"


def test_a_report_comes_back_from_its_tokens_by_section(words: Words) -> None:
    report = {"findings": "A left nodule of sizemm is seen. No effusion.", "impression": "Abnormal."}
    row = words.tokens(report)
    tokenizer = words.tokenizer
    assert row.shape == (24,) and row[0] == tokenizer.begin and (row == SEP).sum() == 1
    assert (row == tokenizer.end).sum() == 1 and row[-1] == tokenizer.pad
    assert words.text(row.tolist()) == report
    assert words.text(words.ids({"impression": "Normal."})) == {"impression": "Normal."}
    short = Words(tokenizer, words.sections, 6)
    cut = short.tokens(report)
    assert cut[-1] == tokenizer.end and len(cut) == 6, "what is too long ends all the same"


def test_each_token_belongs_to_one_sentence(words: Words) -> None:
    ids = words.ids({"findings": "A left nodule is seen. No effusion.", "impression": "Abnormal."})
    places = words.places(ids)
    said = {
        k: words.tokenizer.decode([t for t, p in zip(ids, places, strict=True) if p == k and t != SEP])
        for k in range(3)
    }
    assert said == {0: "a left nodule is seen.", 1: "no effusion.", 2: "abnormal."}


def test_what_is_not_told_apart_is_not_learned() -> None:
    nodule, rare = Finding("nodule", side="left", size_mm=10.0), Finding("mass")
    cases = [[nodule, Finding("effusion")] for _ in range(8)] + [[Finding("effusion")] for _ in range(6)]
    cases[0].append(rare)
    learned = known_of(cases)
    assert [a.name for a in learned] == ["nodule"], "all have an effusion, and one has a mass"
    assert learned[0].sided and learned[0].share == pytest.approx(8 / 14)
    assert learned[0].log_mm == pytest.approx(math.log(10.0)) and learned[0].spread == 0.05


def test_the_truth_of_a_case_knows_what_is_unknown() -> None:
    abouts = [About("effusion", "", 0.5, True), About("nodule", "", 0.5, True, math.log(10.0), 0.5)]
    found = [Finding("effusion", "uncertain"), Finding("nodule", side="both", size_mm=10.0), Finding("mass")]
    truth = truth_of(found, abouts)
    assert np.isnan(truth[0]).all(), "of an uncertain finding nothing is known"
    assert truth[1].tolist() == [1.0, 1.0, 1.0, 0.0]
    absent = truth_of([], abouts)
    assert absent[:, 0].tolist() == [0.0, 0.0] and np.isnan(absent[:, 1:]).all()


def test_figures_say_side_and_size_and_a_measure_goes_before_them() -> None:
    abouts = [
        About("nodule", "RADLEX:RID3875", 0.5, True, math.log(10.0), 0.5),
        About("edema", "", 0.5, False),
    ]
    figures = np.array([[3.0, -1.0, 2.0, 1.0], [-2.0, 0.0, 0.0, 0.0]])
    nodule, edema = said_of(figures, np.zeros(2), [True, False], abouts)
    assert (nodule.side, nodule.code) == ("right", "RADLEX:RID3875")
    assert nodule.size_mm == pytest.approx(10 * math.exp(0.5))
    assert (edema.status, edema.side, edema.size_mm) == ("absent", None, None)
    assert said_of(figures, np.array([7.0, 0.0]), [True, False], abouts)[0].size_mm == 7.0
    assert side_of(np.array([0.0, 1.0, 2.0, 0.0])) == "both"
    assert side_of(np.array([0.0, -1.0, -2.0, 0.0])) == "left", "the likelier one where neither is likely"


def test_the_template_says_each_finding_once_and_is_read_back() -> None:
    findings = [
        Finding("pneumothorax", "absent"),
        Finding("effusion", side="left"),
        Finding("nodule", side="right", size_mm=12.4),
    ]
    sections = ("findings", "impression")
    text = template(findings, sections, {"effusion": "pleural effusion"})
    assert text["findings"] == "Left pleural effusion. Right nodule of 12 mm. No pneumothorax."
    assert text["impression"] == "Left pleural effusion. Right nodule of 12 mm."
    assert template([], sections, {}) == dict.fromkeys(sections, "No acute finding.")
    back = findings_in({"findings": text["findings"]}, CHEST)
    assert {(f.name, f.status, f.side, f.size_mm) for f in back} == {
        ("effusion", "present", "left", None),
        ("nodule", "present", "right", 12.0),
        ("pneumothorax", "absent", None, None),
    }
    assert [f.name for f in about_sentence(findings, sections) if f] == [
        "effusion", "nodule", "pneumothorax", "effusion", "nodule",
    ]  # fmt: skip


def test_a_row_is_read_as_it_was_laid_out() -> None:
    about = Layout(2, 1, 5, 3, (1, 2, 2))
    figures, measured, looked = np.arange(8.0), np.array([0.0, 7.0]), np.arange(8.0) / 10
    candidate = [7, 8, 9, 0, 0, -1.0, -2.0, 0.0, -3.5, 3, *np.arange(12.0)]
    row = np.array([*about.head(), *figures, *measured, *looked, *candidate])
    assert len(row) == about.looks_at + about.candidate and len(about.head()) == HEAD
    raw = read(row)
    assert raw.findings.tolist() == figures.reshape(2, 4).tolist() and raw.measured.tolist() == [0.0, 7.0]
    assert raw.looked.shape == (2, 1, 2, 2)
    (one,) = raw.candidates
    assert one.tokens == (7, 8, 9) and one.total == -3.5 and one.mean == pytest.approx(-3.5 / 3)
    assert one.worth.tolist() == [-1.0, -2.0, 0.0] and one.looked[1].ravel().tolist() == [4, 5, 6, 7]


def test_an_earlier_mask_is_measured_across_its_largest_thing_in_millimetres() -> None:
    bits = np.zeros((3, 8, 8), bool)
    bits[1, 2:5, 1:5] = True  # 3 × 4 voxels
    bits[1, 7, 7] = True
    assert diameter(bits, (5.0, 2.0, 1.0)) == pytest.approx(math.hypot(3 * 2.0, 4 * 1.0))
    assert diameter(np.zeros((1, 4, 4), bool), (1.0, 1.0, 1.0)) == 0.0
    one = np.zeros((1, 4, 4), bool)
    one[0, 1, 1] = True
    assert diameter(one, (1.0, 1.0, 1.0)) == pytest.approx(math.sqrt(2))
