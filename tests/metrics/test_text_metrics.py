"""Figures of texts: against the public implementations on 50 pairs, and findings against cases worked by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vesalius import metrics
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding, Side
from vesalius.metrics import _text_meteor as meteor
from vesalius.metrics import text as judge
from vesalius.metrics._text_overlap import bleu, common, matches
from vesalius.metrics._text_stems import stem
from vesalius.metrics._text_words import words
from vesalius.metrics.text import Truth

PUBLIC = json.loads((Path(__file__).parent / "text_pairs.json").read_text())
EVERY = np.arange(len(PUBLIC["pairs"]))


def text(words: str = "", **about: object) -> Text:
    return Text(sections={"findings": words}, case_id="c", **about)  # type: ignore[arg-type]


def truth(words: str = "", **about: object) -> Truth:
    return Truth({"findings": words}, **about)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> metrics.Rows:
    return judge.rows([text(a) for a, _ in PUBLIC["pairs"]], [truth(b) for _, b in PUBLIC["pairs"]])


def figures(said: Sequence[Finding], true: Sequence[Finding], **about: object) -> dict[str, float]:
    """Return the figures of one text that says some findings where others are true."""
    table = judge.rows([text("x", **about)], [truth("x", findings=tuple(true), said=tuple(said))])
    return judge.summary(table, np.arange(1))


# --- words


def test_words_leave_punctuation_out_and_keep_numbers_whole() -> None:
    assert words("No 12-mm nodule; ill-defined, 1.2 cm (Right).") == (
        "no", "12", "mm", "nodule", "ill-defined", "1.2", "cm", "right",
    )  # fmt: skip


def test_figures_of_words_equal_the_public_implementations(table: metrics.Rows) -> None:
    found = judge.summary(table, EVERY)
    for n, wanted in enumerate(PUBLIC["bleu"], start=1):
        assert found[f"bleu_{n}"] == pytest.approx(wanted, abs=1e-6)
    assert found["rouge_l"] == pytest.approx(np.mean(PUBLIC["rouge_l"]), abs=1e-6)
    assert found["cider"] == pytest.approx(np.mean(PUBLIC["cider"]), abs=1e-6)
    assert found["meteor"] == pytest.approx(PUBLIC["meteor"], abs=1e-6)


def test_figures_of_words_equal_them_pair_by_pair(table: metrics.Rows) -> None:
    assert table["rouge_l"] == pytest.approx(np.array(PUBLIC["rouge_l"]), abs=1e-6)
    assert table["cider"] == pytest.approx(np.array(PUBLIC["cider"]), abs=1e-6)
    for k, (said, wanted) in enumerate(PUBLIC["pairs"]):
        own = [meteor.score(meteor.counts(words(said), words(wanted)))]
        assert own == pytest.approx([PUBLIC["meteor_each"][k]], abs=1e-6)
        counted = matches(words(said), words(wanted))
        lengths = np.array([len(words(said)), len(words(wanted))])
        found = bleu(np.array(counted[0]), np.array(counted[1]), lengths)
        assert found == pytest.approx(PUBLIC["bleu_each"][k], abs=1e-6)


def test_a_resample_has_the_figures_of_its_texts_alone(table: metrics.Rows) -> None:
    drawn = np.array([3, 3, 11, 20])
    pairs = [PUBLIC["pairs"][k] for k in drawn]
    alone = judge.rows([text(a) for a, _ in pairs], [truth(b) for _, b in pairs])
    one, other = judge.summary(table, drawn), judge.summary(alone, np.arange(4))
    for name in ("bleu_1", "bleu_4", "rouge_l", "meteor"):
        assert one[name] == pytest.approx(other[name], rel=1e-12)
    assert one["cider"] == pytest.approx(np.mean([PUBLIC["cider"][k] for k in drawn]), abs=1e-6)


def test_the_longest_common_sequence_by_hand() -> None:
    assert common("abcde", "bxdea") == 3
    assert common([], ["a"]) == 0


def test_stems_are_those_of_porters_second_algorithm() -> None:
    known = {
        "nodules": "nodul", "calcified": "calcifi", "calcification": "calcif", "opacities": "opac", "opacity": "opac",
        "effusions": "effus", "enlarged": "enlarg", "stable": "stabl", "measuring": "measur", "hopping": "hop",
        "atelectasis": "atelectasi", "kidneys": "kidney", "hoped": "hope", "generally": "general", "skies": "sky",
        "pathologi": "patholog", "massively": "massiv", "yearly": "year", "entli": "entli", "is": "is",
        "controll": "control",
    }  # fmt: skip
    assert {word: stem(word) for word in known} == known


def test_an_empty_text_is_worth_nothing_and_a_case_without_reference_is_not_counted() -> None:
    table = judge.rows([text(""), text("no nodule")], [truth("a nodule is seen"), truth("")])
    found = judge.summary(table, np.arange(2))
    assert max(found[name] for name in ("bleu_1", "bleu_4", "rouge_l", "meteor")) < 1e-9
    assert judge.excluded(table) == {"untold": 1, "unknown": 2}
    assert judge.counts(table)["bleu_1"] == 1
    assert math.isnan(found["cider"]), "one reference tells nothing of how rare its words are"


def test_sections_are_compared_in_the_references_order() -> None:
    said = Text(sections={"impression": "one two three four", "findings": "five six seven eight"})
    wanted = Truth({"findings": "five six seven eight", "impression": "one two three four"})
    assert judge.summary(judge.rows([said], [wanted]), np.arange(1))["bleu_4"] == pytest.approx(1.0)


# --- findings


def test_a_right_text_is_right() -> None:
    both = [
        Finding("nodule", side="left", size_mm=10.0, place="upper lobe", change="new"),
        Finding("effusion"),
    ]
    found = figures(both, both)
    assert (found["findings_f1"], found["named_f1"], found["hallucinations"], found["omissions"]) == (
        1,
        1,
        0,
        0,
    )
    assert (found["wrong_side"], found["sizes_within"], found["places_right"], found["changes_right"]) == (
        0,
        1,
        1,
        1,
    )


def test_a_swapped_side_is_wrong_though_the_words_are_alike() -> None:
    found = figures([Finding("effusion", side="left")], [Finding("effusion", side="right")])
    assert (found["findings_f1"], found["named_f1"], found["wrong_side"]) == (0, 1, 1)
    assert (found["hallucinations"], found["omissions"]) == (0, 0), "it is one mistake, of the side"


def test_one_side_of_two_is_half() -> None:
    found = figures([Finding("effusion", side="left")], [Finding("effusion", side="both")])
    assert (found["findings_precision"], found["findings_recall"], found["omissions"]) == (1, 0.5, 1)
    found = figures([Finding("effusion", side="both")], [Finding("effusion", side="left")])
    assert (found["findings_precision"], found["hallucinations"], found["wrong_side"]) == (0.5, 1, 0)


def test_a_truth_without_a_side_is_met_on_either() -> None:
    found = figures([Finding("effusion", side="both")], [Finding("effusion")])
    assert (found["hallucinations"], found["omissions"]) == (0, 0)
    assert "wrong_side" not in found, "nobody knows which side is right"


def test_what_is_said_again_without_its_side_is_no_claim_of_its_own() -> None:
    left, bare = Finding("effusion", side="left", sentence=0), Finding("effusion", sentence=1)
    found = figures([left, bare], [Finding("effusion", side="left")])
    assert (found["findings_f1"], found["hallucinations"], found["sides_named"]) == (1, 0, 1)
    found = figures([left], [Finding("effusion"), Finding("effusion", side="left")])
    assert (found["findings_f1"], found["omissions"]) == (1, 0), "nor is it a second truth"
    found = figures([left, bare], [Finding("effusion", side="right")])
    assert (found["findings_f1"], found["wrong_side"], found["hallucinations"]) == (0, 1, 0)
    found = figures([left, bare], [Finding("effusion", side="both")])
    assert (found["findings_recall"], found["omissions"]) == (0.5, 1), "it speaks of no other side"
    assert figures([left, bare], [])["hallucinations"] == 1


def test_a_true_sentence_is_true_whatever_others_say_of_its_finding() -> None:
    said = (
        Finding("effusion", side="left", sentence=0),
        Finding("effusion", side="right", sentence=1),
        Finding("effusion", sentence=2),
        Finding("nodule", side="left", size_mm=120.0, sentence=3),
        Finding("nodule", side="left", sentence=4),
    )
    true = (Finding("effusion", side="right"), Finding("nodule", side="left", size_mm=12.0))
    held = judge.held_of(text("x"), truth("x", findings=true, said=said))
    assert held is not None and held.wrong == {0, 3}
    assert [(c.name, c.side) for c in held.invented] == [("effusion", "left")]


def test_a_text_without_sides_says_so_beside_its_wrong_sides() -> None:
    true = [Finding("effusion", side="left"), Finding("nodule", side="right"), Finding("mass")]
    said = [Finding("effusion"), Finding("nodule", side="left"), Finding("mass", side="left")]
    found = figures(said, true)
    assert (found["sides_named"], found["wrong_side"]) == (0.5, 1), "of two sides one is named, and wrong"
    found = figures([Finding(f.name) for f in true], true)
    assert (found["findings_f1"], found["sides_named"]) == (1, 0)
    assert "wrong_side" not in found
    assert "sides_named" not in figures([Finding("mass", side="left")], [Finding("mass")])


def nodules(*sizes: float | None, side: Side | None = "left") -> list[Finding]:
    return [Finding("nodule", side=side, size_mm=size, sentence=k) for k, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("said", "true", "precision", "recall", "invented", "missed"),
    [
        (nodules(5.0), nodules(5.0, 25.0), 1, 0.5, 0, 1),
        (nodules(5.0, 25.0), nodules(5.0), 0.5, 1, 1, 0),
        (nodules(25.0, 5.0), nodules(5.0, 25.0), 1, 1, 0, 0),
        (nodules(5.0, 12.0), nodules(5.0, 25.0), 0.5, 0.5, 0, 0),  # the second is of a wrong size
        (nodules(12.0, 13.0, None), nodules(12.0), 1, 1, 0, 0),  # one thing, said three times
        (nodules(9.7, 12.5), nodules(11.0), 1, 1, 0, 0),
        (nodules(11.0), nodules(9.7, 12.5), 1, 1, 0, 0),
        (nodules(5.0, 25.0), nodules(None), 1, 1, 0, 0),  # nobody knows how many there are
        (nodules(None), nodules(5.0, 25.0), 1, 0.5, 0, 1),  # a claim meets one
        ([*nodules(None), *nodules(12.0, side=None)], nodules(12.0), 1, 1, 0, 0),
        ([*nodules(None), *nodules(120.0, side=None)], nodules(12.0), 0, 0, 0, 0),
        ([*nodules(5.0), *nodules(25.0, side=None)], nodules(5.0, 25.0), 1, 1, 0, 0),
        ([*nodules(None, side="both"), *nodules(12.0, side=None)],
         [*nodules(12.0), *nodules(8.0, side="right")], 1, 1, 0, 0),
        ([*nodules(12.0), *nodules(None, side="right")],
         [*nodules(None, side="both"), *nodules(12.0, side=None)], 1, 1, 0, 0),
    ],
)  # fmt: skip
def test_things_of_several_sizes_are_held_one_to_one(
    said: list[Finding], true: list[Finding], precision: float, recall: float, invented: int, missed: int
) -> None:
    found = figures(said, true)
    assert (found["findings_precision"], found["findings_recall"]) == (precision, recall)
    assert (found["hallucinations"], found["omissions"]) == (invented, missed)


def test_sizes_are_counted_one_by_one() -> None:
    assert figures(nodules(5.0, 12.0), nodules(5.0, 25.0))["sizes_within"] == 0.5


def test_places_and_changes_go_with_the_side_that_they_are_of() -> None:
    said = [*nodules(None, side="both"), Finding("nodule", place="upper lobe", change="new")]
    true = [
        Finding("nodule", side="left", place="upper lobe"),
        Finding("nodule", side="right", place="lower lobe"),
    ]
    assert "places_right" not in figures(said, true), "nobody knows of which side it speaks"
    said = [*nodules(None), Finding("nodule", place="upper lobe", change="new")]
    assert figures(said, true[:1])["places_right"] == 1


def test_centimetres_for_millimetres_are_not_right() -> None:
    found = figures([Finding("nodule", size_mm=120.0)], [Finding("nodule", size_mm=12.0)])
    assert (found["findings_f1"], found["named_f1"], found["sizes_within"]) == (0, 1, 0)
    assert figures([Finding("nodule", size_mm=14.4)], [Finding("nodule", size_mm=12.0)])["findings_f1"] == 1
    assert figures([Finding("nodule", size_mm=14.5)], [Finding("nodule", size_mm=12.0)])["findings_f1"] == 0


def test_a_flipped_negation_is_an_omission_that_is_denied() -> None:
    found = figures([Finding("effusion", "absent")], [Finding("effusion")])
    assert (found["omissions"], found["denied"], found["findings_recall"]) == (1, 1, 0)
    found = figures([Finding("effusion")], [Finding("effusion", "absent")])
    assert (found["hallucinations"], found["findings_precision"]) == (1, 0)
    found = figures([Finding("effusion", change="gone")], [Finding("effusion")])
    assert (found["omissions"], found["denied"]) == (1, 1), "what is gone is not there"


def test_a_denial_on_the_other_side_denies_nothing() -> None:
    found = figures([Finding("effusion", "absent", side="left")], [Finding("effusion", side="right")])
    assert (found["omissions"], found["denied"]) == (1, 0)


def test_possible_findings_are_claims_of_a_text_and_no_truths() -> None:
    found = figures([Finding("mass", "uncertain")], [])
    assert (found["hallucinations"], found["unsure"]) == (1, 1), "to hedge is no way out"
    found = figures([Finding("mass")], [Finding("mass", "uncertain")])
    assert found["hallucinations"] == 0
    assert figures([], [Finding("mass", "uncertain")])["omissions"] == 0
    assert figures([Finding("mass", "past")], [])["hallucinations"] == 0


def test_a_text_that_names_nothing_has_no_precision_and_no_recall() -> None:
    found = figures([], [Finding("nodule"), Finding("effusion")])
    assert math.isnan(found["findings_precision"])
    assert (found["findings_recall"], found["findings_f1"], found["omissions"]) == (0, 0, 2)


def test_one_text_for_all_has_low_figures_however_like_its_words_are() -> None:
    normal = (
        "The lungs are clear. The heart is normal. There is no effusion. No nodule is seen in the right lung."
    )
    wanted = [normal.replace("No nodule is seen", "A nodule of 9 mm is seen")] * 5 + [normal]
    true = [(Finding("nodule", side="right", size_mm=9.0),)] * 5 + [()]
    said = (Finding("effusion", "absent"), Finding("nodule", "absent", side="right"))
    table = judge.rows(
        [text(normal)] * 6, [truth(w, findings=t, said=said) for w, t in zip(wanted, true, strict=True)]
    )
    found = judge.summary(table, np.arange(6))
    assert found["bleu_4"] > 0.7
    assert (found["findings_f1"], found["omissions"], found["denied"]) == (0, 5 / 6, 5 / 6)


def test_findings_that_are_true_of_no_case_count_in_all_but_have_no_line() -> None:
    found = figures([Finding("mass"), Finding("nodule")], [Finding("nodule")])
    assert found["findings_precision"] == 0.5
    assert [name for name in found if "/" in name] == ["f1/nodule", "precision/nodule", "recall/nodule"]


def test_marks_are_held_against_what_is_true() -> None:
    said = "A nodule is seen. There is an effusion. The heart is large. No fracture."
    looked = [Evidence("findings", k, supported=s) for k, s in enumerate((True, False, False, True))]
    claims = (
        Finding("nodule", sentence=0),
        Finding("effusion", sentence=1),
        Finding("cardiomegaly", sentence=2),
    )
    true = (Finding("nodule"), Finding("cardiomegaly"), Finding("fracture"))
    denied = Finding("fracture", "absent", sentence=3)
    table = judge.rows(
        [text(said, evidence=tuple(looked))], [truth(said, findings=true, said=(*claims, denied))]
    )
    found = judge.summary(table, np.arange(1))
    assert found["unsupported"] == 0.5
    assert found["wrong_marked"] == 0.5, "the effusion is marked, the denied fracture is not"
    assert found["right_marked"] == 0.5, "of nodule and heart the heart is marked"


def test_without_a_reader_the_answers_own_evidence_speaks() -> None:
    own = text("A nodule.", evidence=(Evidence("findings", 0, (Finding("nodule"),)),))
    found = judge.summary(judge.rows([own], [truth("x", findings=(Finding("nodule"),))]), np.arange(1))
    assert found["findings_f1"] == 1
    bare = judge.rows([text("A nodule.")], [truth("x", findings=(Finding("nodule"),))])
    assert "findings_f1" not in judge.summary(bare, np.arange(1)), "nobody read it, so nobody judges"


def test_no_wrong_side_in_few_cases_is_not_known_to_be_none() -> None:
    right = (Finding("effusion", side="left"),)
    table = judge.rows([text("x")] * 20, [truth("x", findings=right, said=right)] * 20)
    found = metrics.bootstrap(
        table,
        judge.summary,
        patients=list(range(20)),
        n=50,
        counts=judge.counts(table),
        standing=metrics.standing(judge, table),
    )
    assert found["wrong_side"].value == 0
    assert found["wrong_side"].high == pytest.approx(1 - 0.025 ** (1 / 20)), "Clopper and Pearson"


def test_two_tables_about_the_same_truths_are_joined() -> None:
    one = judge.rows([text("x")], [truth("x", findings=(Finding("mass"),), said=())])
    two = judge.rows([text("x")], [truth("x", findings=(Finding("mass"),), said=(Finding("edema"),))])
    both = judge.joined(one, two)
    assert [judge.summary(both, np.array([k]))["hallucinations"] for k in (0, 1)] == [0, 1]
    other = judge.rows([text("x")], [truth("x", findings=(Finding("edema"),), said=())])
    with pytest.raises(DataError, match="name different findings"):
        judge.joined(one, other)


def test_the_most_frequent_reference_is_the_trivial_answer() -> None:
    given = [{"findings": "A mass."}, {"findings": "No mass."}, {"findings": "no mass"}]
    assert judge.baseline(given) == {"findings": "No mass."}
    with pytest.raises(DataError, match="no reference text"):
        judge.baseline([])


def test_a_table_needs_one_truth_a_text() -> None:
    with pytest.raises(DataError, match="one truth per text"):
        judge.rows([text()], [])


def test_all_right_together_stands_on_all_and_not_on_the_rarest_finding() -> None:
    rare = [(Finding("mass"),) if k == 0 else (Finding("nodule"),) for k in range(12)]
    table = judge.rows([text("x")] * 12, [truth("x", findings=f, said=f) for f in rare])
    found = metrics.bootstrap(
        table, judge.summary, patients=list(range(12)), n=50, standing=metrics.standing(judge, table)
    )
    assert found["findings_f1"].low == pytest.approx(0.025 ** (1 / 12)), "Clopper and Pearson of twelve"
    assert found["f1/mass"].low == pytest.approx(0.025), "of one"
