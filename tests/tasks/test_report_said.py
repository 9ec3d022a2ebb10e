"""report: an answer is held against what was found, sentence by sentence, and shows where each of them looked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.answers.text import Text
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.language import tokenizers
from vesalius.prepare.case import BLANK, prepare
from vesalius.tasks import _report_said, _report_terms
from vesalius.tasks._report_findings import About
from vesalius.tasks._report_infer import first_wrong
from vesalius.tasks._report_raw import Layout
from vesalius.tasks._report_said import answer_of
from vesalius.tasks._report_state import Learned, learned_in
from vesalius.texts.terms import Terms

GRID = (1, 2, 2)
SENTENCES = [
    "left effusion is seen.", "right effusion is seen.", "no effusion.", "nodule of sizemm on the left.",
    "no nodule.", "abnormal.", "possible left effusion.",
]  # fmt: skip
ABOUTS = (About("effusion", "", 0.5, True), About("nodule", "", 0.5, True, math.log(10.0), 0.5))
YES, NO = 4.0, -4.0
LEFT_EFFUSION = [[YES, YES, NO, 0.0], [NO, 0.0, 0.0, 0.0]]


@pytest.fixture(scope="module")
def known() -> Learned:
    learned = tokenizers.train("words", [" ".join(SENTENCES)] * 2, least=2)
    return learned_in(
        State(
            {
                "tokenizer": learned,
                "sections": ["findings", "impression"],
                "length": 40,
                "sentences": 4,
                "findings": [a.json() for a in ABOUTS],
                "terms": _report_terms.kept(Terms.named("chest")),
            }
        )
    )


def row(
    known: Learned, texts: Sequence[Mapping[str, str]], figures: Any, mean: float = -1.0
) -> np.ndarray[Any, Any]:
    """A member's row: what it found, and texts that it may write, whose k-th sentence looked at region k alone."""
    about = Layout(len(ABOUTS), len(texts), known.words.length, known.sentences, GRID)
    looked = np.zeros((len(ABOUTS), about.regions))
    looked[:, 3] = 1.0
    parts = [*about.head(), *np.ravel(figures), 0.0, 0.0, *looked.ravel()]
    for text in texts:
        ids = known.words.ids(text)
        looks = np.eye(known.sentences, about.regions)
        parts += [
            *ids,
            *[0] * (about.tokens - len(ids)),
            *np.zeros(known.sentences),
            mean * len(ids),
            len(ids),
        ]
        parts += looks.ravel().tolist()
    return np.array(parts)


def answer(known: Learned, text: Mapping[str, str], figures: Any, *, mend: str = "mark", **told: Any) -> Text:
    return answer_of(
        row(known, [text], figures)[None], known, {}, BLANK, decode="greedy", mend=mend, undo=None, **told
    )


@pytest.mark.parametrize(
    ("calibration", "wrong"),
    [({}, "left effusion is seen."), ({"thresholds": {"effusion": 0.3}}, "no effusion.")],
    ids=["by one half", "by its threshold"],
)
def test_what_is_banned_while_writing_is_what_the_answer_would_mark(
    known: Learned, calibration: dict[str, Any], wrong: str
) -> None:
    figures = [[math.log(0.4 / 0.6), YES, NO, 0.0], [NO, 0.0, 0.0, 0.0]]  # an effusion of probability 0.4
    model: Any = SimpleNamespace(known=known, calibration=calibration)
    for text in ("left effusion is seen.", "no effusion."):
        sections = {"findings": f"no nodule. {text}"}
        ids = tuple(known.words.ids(sections))
        place = first_wrong(model, ids, torch.tensor(figures))
        assert (place is not None) == (text == wrong)
        assert place is None or known.words.places(ids)[place] == 1
        answered = answer_of(
            row(known, [sections], figures)[None],
            known, calibration, BLANK, decode="constrained", mend="mark", undo=None,
        )  # fmt: skip
        assert [e.supported for e in answered.evidence] == [True, text != wrong]


def test_what_is_borne_out_is_said_so_and_what_names_nothing_is_not_judged(known: Learned) -> None:
    found = answer(
        known, {"findings": "Left effusion is seen. No nodule.", "impression": "Abnormal."}, LEFT_EFFUSION
    )
    assert found.sections == {"findings": "Left effusion is seen. No nodule.", "impression": "Abnormal."}
    assert [(e.section, e.sentence, e.supported) for e in found.evidence] == [
        ("findings", 0, True), ("findings", 1, True), ("impression", 0, None),
    ]  # fmt: skip
    scores = found.parts["findings"]
    assert [x.name for x in scores.labels] == ["effusion", "nodule"] and scores.kind == "multilabel"  # type: ignore[attr-defined]
    assert scores.p == pytest.approx([1 / (1 + math.exp(-4)), 1 / (1 + math.exp(4))])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sentence", "figures", "why"),
    [
        ("Right effusion is seen.", LEFT_EFFUSION, "on the left, not on the right"),
        ("No effusion.", LEFT_EFFUSION, "effusion is there"),
        ("Left effusion is seen.", [[NO, 0, 0, 0], [NO, 0, 0, 0]], "no effusion is there"),
    ],
)
def test_what_is_not_borne_out_is_marked_and_never_turned_round(
    known: Learned, sentence: str, figures: Any, why: str
) -> None:
    found = answer(known, {"findings": sentence}, figures)
    assert found.sections == {"findings": sentence}, "the text stays what the model wrote"
    (one,) = found.evidence
    assert one.supported is False and why in one.why
    mended = answer(known, {"findings": sentence}, figures, mend="replace")
    assert all(e.supported is not False for e in mended.evidence)
    assert sentence not in mended.sections["findings"]


def test_mending_adds_what_was_found_and_not_said_once(known: Learned) -> None:
    both = [[YES, NO, YES, 0.0], [YES, YES, NO, 0.0]]
    found = answer(known, {"findings": "No effusion.", "impression": "No effusion."}, both, mend="replace")
    said = known.read(found.sections)
    assert sorted((f.name, f.side, f.size_mm) for f in said) == [
        ("effusion", "right", None),
        ("nodule", "left", 10.0),
    ]
    unsure = answer(known, {"findings": "Possible left effusion."}, LEFT_EFFUSION)
    assert unsure.evidence[0].supported is True, "what is there may be said to be possible"
    hedged = answer(known, {"findings": "Possible left effusion."}, [[NO, 0, 0, 0], [NO, 0, 0, 0]])
    assert hedged.evidence[0].supported is False and hedged.evidence[0].why == "no effusion is there"


def test_sizes_are_those_that_were_measured(known: Learned) -> None:
    nodule = [[NO, 0, 0, 0], [YES, YES, NO, 1.0]]
    found = answer(known, {"findings": "Nodule of sizemm on the left."}, nodule)
    assert found.sections["findings"] == f"Nodule of {round(10 * math.exp(0.5))} mm on the left."
    one = row(known, [{"findings": "Nodule of sizemm on the left."}], nodule)
    one[8 + 8 + 1] = 31.0  # what an earlier stage measured of the nodule
    said = answer_of(one[None], known, {}, BLANK, decode="greedy", mend="mark", undo=None)
    assert said.sections["findings"] == "Nodule of 31 mm on the left."


def test_of_several_members_the_text_that_is_borne_out_is_taken_and_findings_are_their_mean(
    known: Learned,
) -> None:
    right = {"findings": "Left effusion is seen."}
    rows = np.stack(
        [
            row(known, [{"findings": "Right effusion is seen."}], LEFT_EFFUSION, mean=-0.1),
            row(known, [right], [[0.0, YES, NO, 0.0], [NO, 0, 0, 0]], mean=-3.0),
        ]
    )
    found = answer_of(rows, known, {}, BLANK, decode="greedy", mend="mark", undo=None)
    assert found.sections == right, "although the other one is likelier"
    assert found.parts["findings"].p[0] == pytest.approx((1 / (1 + math.exp(-4)) + 0.5) / 2)  # type: ignore[attr-defined]


def test_thresholds_of_the_calibration_say_what_is_called(known: Learned) -> None:
    text = {"findings": "Left effusion is seen."}
    doubtful = [[0.4, YES, NO, 0.0], [NO, 0, 0, 0]]
    one = row(known, [text], doubtful)[None]
    for at, supported in ((0.5, True), (0.7, False)):
        calibration = {"thresholds": {"effusion": at}}
        found = answer_of(one, known, calibration, BLANK, decode="greedy", mend="mark", undo=None)
        assert found.evidence[0].supported is supported


def test_the_template_is_written_where_it_is_chosen_and_is_a_part_anyway(known: Learned) -> None:
    one = row(known, [{"findings": "Abnormal."}], LEFT_EFFUSION)[None]
    by_choice = answer_of(one, known, {"written": "template"}, BLANK, decode="", mend="mark", undo=None)
    assert by_choice.sections["findings"] == "Left effusion. No nodule."
    assert [e.supported for e in by_choice.evidence] == [True, True, True]
    free = answer_of(one, known, {"written": "writer"}, BLANK, decode="", mend="mark", undo=None)
    assert free.sections["findings"] == "Abnormal."
    part = free.parts["template"]
    assert isinstance(part, Text) and part.sections == by_choice.sections


def test_each_sentence_shows_where_it_looked_on_the_images_own_grid(
    known: Learned, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])  # x and y run to the right and to the front, and are flipped
    image = Image(np.zeros((1, 4, 12, 16), np.float32), affine=affine)
    data = DataPlan(
        dims=3, channels=1, sampling="whole", size=(4, 8, 8), normalise=(Normalisation(method="zscore"),)
    )
    case = Case("a", {"image": image}, reference="image")
    undo = prepare(case, data).undo
    text = {"findings": "Left effusion is seen. No nodule.", "impression": "Abnormal."}
    one = row(known, [text], LEFT_EFFUSION)[None]
    found = answer_of(one, known, {}, image, decode="greedy", mend="mark", undo=undo)
    assert [e.part for e in found.evidence] == ["look 0", "look 1", "look 2"]
    for k in range(3):
        seen: Any = found.parts[f"look {k}"]
        assert seen.image.shape == image.shape and np.array_equal(seen.image.affine, affine)
        z, y, x = np.argwhere(seen.image.array[0] > 0.9).mean(axis=0)
        row_, column = divmod(k, 2)  # regions 0 1 above 2 3 on the prepared grid, both axes flipped
        assert (y > 6) == (row_ == 0) and (x > 8) == (column == 0)
    monkeypatch.setattr(_report_said, "ROOM", int(np.prod(image.shape)))
    few = answer_of(one, known, {}, image, decode="greedy", mend="mark", undo=undo)
    assert [e.part for e in few.evidence] == ["look 0", "", ""], (
        "what is there comes first where room is short"
    )
