"""The report and the card: self-contained, complete, and safe with any name."""

import base64
import hashlib
import io
import re
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from _known import card as card_of

from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import look
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.evaluate.cards.about import About
from vesalius.evaluate.report import Report, facts, number, render, tile, write_report
from vesalius.evaluate.scorecard import scorecard
from vesalius.evaluate.standing import against
from vesalius.metrics import mask, scores, value

RNG = np.random.default_rng(0)
NASTY = "a <script>alert(1)</script> | $x_1$ --> `b`"


def hash_of_script(html):
    script = html.partition("<script>")[2].partition("</script>")[0]
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def scores_card(labels=("benign", NASTY), n=40):
    y = np.arange(n) % len(labels)
    p = RNG.dirichlet(np.ones(len(labels)), n) * 0.5 + 0.5 * np.eye(len(labels))[y]
    ids = [f"case {i}" for i in range(n)]
    rows = scores.from_arrays(p, y, labels=list(labels), positive=labels[-1], case_ids=ids)
    trivial = scores.from_arrays(
        np.full_like(p, 1 / len(labels)), y, labels=list(labels), positive=labels[-1], case_ids=ids
    )
    return scorecard(
        rows,
        "Scores",
        split="test",
        data_hash="d" * 64,
        baseline=trivial,
        baseline_is="the majority",
        resamples=50,
    )


def mask_card():
    labels = (Label(1, "liver"), Label(2, "lesion"))
    truth = np.zeros((1, 6, 20, 20), np.uint8)
    truth[0, 1:5, 4:12, 4:12] = 1
    truth[0, 2, 5:8, 5:8] = 2
    answers = [Mask(image=Image(np.roll(truth, i, 3)), labels=labels, case_id=f"c{i}") for i in range(4)]
    return scorecard(
        mask.rows(answers, [Image(truth)] * 4), "Mask", split="test", data_hash="", resamples=50
    ), (
        truth,
        answers,
    )


def test_nothing_is_fetched_and_no_name_becomes_code(tmp_path):
    report = Report(title=NASTY, scorecard=scores_card(), set_aside=[(NASTY, NASTY)], data={NASTY: NASTY},
                    notes=[NASTY], choices=[("net.name", "resnet-18", NASTY)])  # fmt: skip
    write_report(report, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    assert html.count("<script") == 1 and f"'sha256-{hash_of_script(html)}'" in html
    assert "<script>alert" not in html and "x_1$ --> `b`</" not in html.partition("<script>")[2]
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "@import" not in html and not re.search(r"url\((?!#)", html)
    assert (
        html.count("<svg") == 6
    )  # confusion, ROC, precision-recall, calibration, decision curve, risk–coverage
    for shown in ("95 %", "the majority", "resnet-18", "Not a medical device", "d" * 16, "n = 40"):
        assert shown in html
    assert len(html) < 1_000_000


def test_the_same_report_twice_is_the_same_file():
    card = scores_card(("a", "b", "c"))
    assert render(Report(title="x", scorecard=card)) == render(Report(title="x", scorecard=card))


def test_masks_with_pictures_of_best_and_worst():
    card, (truth, answers) = mask_card()
    image = Image(RNG.normal(size=(1, 6, 20, 20)), spacing_mm=(1, 2, 3))
    pictures = [look(image, "c3", caption="Dice 0.5", truth=Image(truth), answer=answers[3].image)]
    html = render(
        Report(title="x", scorecard=card, worst=pictures, label_values={"liver": 1, "lesion": 2},
               history={"loss": {"net-0": ([0, 1], [2.0, 1.0])}})
    )  # fmt: skip
    assert html.count("data:image/png;base64,") == 2 and "Dice, case by case" in html and "Learning" in html
    assert "1 pixels (no spacing is known)" in html


def test_the_slice_shown_is_where_they_disagree_most():
    truth, answer = np.zeros((1, 5, 8, 8), np.uint8), np.zeros((1, 5, 8, 8), np.uint8)
    truth[0, 1] = 1
    answer[0, 1] = 1
    truth[0, 3, :2] = 1
    image = Image(np.arange(5.0)[None, :, None, None] * np.ones((1, 5, 8, 8)), spacing_mm=(0.5, 1.0, 4.0))
    shown = look(image, "x", truth=Image(truth), answer=Image(answer))
    assert shown.image[0, 0] == 3 and shown.aspect == 2.0 and shown.truth.sum() == 16
    assert look(image, "x", truth=Image(answer), answer=Image(answer)).image[0, 0] == 1
    assert look(image, "x").image[0, 0] == 2
    colours = look(Image(np.zeros((3, 1, 8, 8), np.uint8)), "x").image
    assert colours.shape == (8, 8, 3)


def test_numbers_and_bare_cards():
    rows = value.from_arrays(np.arange(9.0), np.arange(9.0)[::-1], unit="years", case_ids=list("abcdefghi"))
    html = render(
        Report(title="x", scorecard=scorecard(rows, "Value", split="val", data_hash="", resamples=50))
    )
    assert "years" in html and "Answer against truth" in html
    bare = Scorecard(
        "Scores", "test", 1, 1, False, "", "", {"auc": Interval(None, None, None, 1, 0, "one patient")}
    )
    assert "one patient" in render(Report(title="x", scorecard=bare))


@pytest.mark.parametrize(
    ("figures", "better", "wanted"),
    [((0.9, 0.8, 1.0), "higher", "beaten"), ((0.9, 0.65, 1.0), "higher", "better"),
     ((0.2, 0.1, 0.4), "lower", "beaten"), ((0.2, None, None), "lower", None), ((0.2, 0.1, 0.4), "higher", "worse"),
     ((0.9, 0.8, 1.0), "lower", "worse"), ((0.55, 0.4, 0.7), "higher", "level"), ((0.6, 0.5, 0.7), "lower", "level")],
)  # fmt: skip
def test_a_baseline_is_beaten_only_when_intervals_do_not_touch(figures, better, wanted):
    assert against(Interval(*figures, 9), Interval(0.6, 0.5, 0.7, 9), better) == wanted


def test_an_interval_without_a_width_proves_nothing_of_few_cases():
    trivial = Interval(0.5, 0.5, 0.5, 4)
    assert against(Interval(1.0, 1.0, 1.0, 4), trivial, "higher") == "better"
    assert against(Interval(1.0, 1.0, 1.0, 40), trivial, "higher") == "beaten"
    assert against(Interval(1.0, 1.0, 1.0, 40), trivial, "higher", patients=4) == "better"
    assert against(Interval(0.0, 0.0, 0.0, 4), trivial, "lower") == "better"
    y = np.array([0, 1, 0, 1])
    rows, base = (scores.from_arrays(p, y, labels=["a", "b"], positive="b", case_ids=list("wxyz"))
                  for p in (np.eye(2)[y], np.full((4, 2), 0.5)))  # fmt: skip
    card = scorecard(rows, "Scores", split="test", data_hash="", baseline=base, resamples=50)
    found = card.metrics["auc"]
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(
        0.025 ** (1 / 2)
    )  # of two and two
    page = render(Report(title="x", scorecard=card))
    assert "clearly beaten" not in page.replace("not clearly beaten", "") and "not clearly beaten" in page
    assert "The interval has no width" not in page and "15.8 %" in page
    bare = replace(
        card, metrics={**card.metrics, "auc": Interval(1.0, 1.0, 1.0, 4)}
    )  # as other tools give it
    assert "The interval has no width" in render(Report(title="x", scorecard=bare))
    assert "100.0 % – 100.0 %" not in page and "100.0 % to 100.0 %" not in page


def test_worse_than_the_trivial_answer_is_said_in_red():
    y, rng = np.arange(60) % 2, np.random.default_rng(1)
    p = np.clip(0.5 - 0.3 * (y - 0.5) + rng.normal(0, 0.1, 60), 0.01, 0.99)
    rows, base = (scores.from_arrays(np.stack([1 - q, q], 1), y, labels=["a", "b"], positive="b",
                  case_ids=[f"c{k}" for k in range(60)]) for q in (p, np.full(60, 0.5)))  # fmt: skip
    card = scorecard(
        rows, "Scores", split="test", data_hash="", baseline=base, baseline_is="a coin", resamples=50
    )
    page = render(Report(title="x", scorecard=card))
    assert (
        '<div class="verdict bad"' in page and '<span class="tone-bad">worse than the trivial answer' in page
    )
    assert [b.kind for b in card.banners] == ["worse than the trivial answer"]
    assert "(a coin) is better than this model: AUC" in card.banners[0].text
    assert re.search("It is worse than the trivial answer in .*AUC", card_of(card).markdown())


def test_no_verdict_on_what_a_trivial_answer_can_have_perfect():
    card = scores_card(("a", "b"))
    assert tile(card, "specificity")["standing"] is None and tile(card, "auc")["standing"] == "beaten"


def test_numbers_are_short():
    assert [number(v) for v in (0.91234, 12.345, 12345.6, None)] == ["0.912", "12.3", "12346", "–"]


def test_card_holds_figures_limits_and_whole_tables():
    card, _ = mask_card()
    about = About(intended_use="Outlines the liver on CT.", users=NASTY)
    text = card_of(card, title="Liver", answer="Mask", about=about, data={NASTY: NASTY}).markdown()
    assert "Outlines the liver on CT." in text
    for heading in ("Intended use", "Quantitative analyses", "Caveats and recommendations"):
        assert f"## {heading}" in text
    assert "Not a medical device" in text and "Patients were not known" in text and "4 patients only" in text
    assert "<script" not in text
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("|---"):  # a table: head above, rows below, all with as many cells
            cells = [len(re.findall(r"(?<!\\)\|", row)) for row in (lines[i - 1], line, lines[i + 1])]
            assert cells[0] == cells[1] == cells[2], lines[i - 1 : i + 2]
    assert re.search(r"^\| Liver \| 0\.\d+", text, re.M)


def test_card_without_figures_says_so():
    text = card_of(None).markdown()
    assert "**open**: not measured" in text and "has not been evaluated" in text


def test_card_names_no_case():
    found = card_of(scores_card())
    assert all("case 1" not in text for text in (found.markdown(), found.html(), found.json()))


def test_each_label_stands_beside_its_baseline_and_how_many_cases_it_speaks_of():
    labels = (Label(1, "liver"), Label(2, "lesion"))
    truth = np.zeros((1, 4, 16, 16), np.uint8)
    truth[0, 1:3, 4:12, 4:12] = 1
    ill = truth.copy()
    ill[0, 2, 5:8, 5:8] = 2
    truths = [Image(truth), Image(ill), Image(truth)]
    answers = [Mask(image=Image(np.roll(truth, 1, 3)), labels=labels, case_id=f"c{i}") for i in range(3)]
    rows, trivial = (
        mask.rows(answers, truths),
        mask.rows([replace(a, image=truths[0]) for a in answers], truths),
    )
    card = scorecard(
        rows, "Mask", split="test", data_hash="", baseline=trivial, baseline_is="the first", resamples=50
    )
    page, text = render(Report(title="x", scorecard=card)), card_of(card, answer="Mask").markdown()
    base = number(card.baseline["dice/liver"].value)
    assert f"baseline {base}" in page.partition("By label")[2]
    assert re.search(rf"\| Liver \| [^|]*; baseline {base} \|", text)
    # the lesion is in one truth and in no answer: one Dice, which is 0, and no surface distance at all
    assert "n = 1" in page.partition("By label")[2] and ", n = 1" in text
    assert "– px" not in page and "– px" not in text
    assert "the mean over the labels that have one" in page


def test_how_a_class_was_called_is_said_with_and_without_thresholds():
    p, y = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1])

    def said(**kw):
        rows = scores.from_arrays(p, np.eye(2, dtype=int)[y] if "kind" in kw else y, labels=["a", "b"], **kw)
        return dict(facts(scorecard(rows, "Scores", split="test", data_hash="", resamples=10)))

    assert said()["what is called"] == "the most probable class"
    assert "0.5" in said(kind="multilabel")["what is called"]
    thresholds = said(thresholds={"b": 0.35})
    assert "0.35" in thresholds["threshold for B"] and "what is called" not in thresholds


def test_hounsfield_units_are_drawn_in_a_window_for_soft_tissue():
    """Liver at 100 HU beside muscle at 50 must be told apart, though air and bone are far away."""
    array = np.full((1, 1, 32, 32), -1000.0)
    array[..., 8:16, 8:24], array[..., 16:24, 8:24], array[..., 26:28, 8:24] = 50, 100, 2000
    for unit, least in (("HU", 25), (None, 0)):
        shown = picture(look(Image(array, unit=unit), "x"), {}, {})["views"][0]["src"]
        pixels = np.asarray(
            PIL.Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2]))).convert("L")
        )
        h = len(pixels)
        step = int(pixels[h * 20 // 32, h // 2]) - int(pixels[h * 12 // 32, h // 2])
        assert step > least and (unit == "HU") == (step > 25)
