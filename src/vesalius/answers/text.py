"""Text: a report in named sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from vesalius.answers import _text_drawn as drawn
from vesalius.answers import _text_page as page
from vesalius.answers import _text_words as words
from vesalius.answers._asking import number_place
from vesalius.answers._text_edited import edited
from vesalius.answers.contract import NOT_RATED, Handling, Panel
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Table
from vesalius.answers.drawing.slices import Slice
from vesalius.core.answers.text import Evidence, Text
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.doubt import Doubt
from vesalius.core.edit import Edit
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark, digest
from vesalius.core.scorecard import Scorecard
from vesalius.core.sentences import all_sentences, sentences
from vesalius.core.stated import Statement
from vesalius.dicom.write.looked import looked
from vesalius.metrics import Rows
from vesalius.metrics import text as judge
from vesalius.metrics.text import Truth
from vesalius.texts.reference import Reference

SENTENCE, FINDING = "sentence", "finding"


class TextHandling(Handling[Text]):
    """What is done with a text."""

    kind = Text
    asks = (SENTENCE, FINDING)
    objects = (".sc.dcm", ".sr.dcm", ".pdf.dcm")
    changeable = "sections"
    headlines = (
        "findings_f1", "hallucinations", "omissions", "wrong_side", "sides_named", "bleu_4", "rouge_l", "cider",
        "meteor",
    )  # fmt: skip
    metric_names: ClassVar[Mapping[str, str]] = {
        "findings_f1": "F1 of findings", "f1": "F1", "findings_precision": "precision of findings",
        "findings_recall": "recall of findings", "named_f1": "F1 of names", "sizes_within": "sizes within 20 %",
        "hallucinations": "hallucinations a report", "omissions": "omissions a report", "denied": "denied a report",
        "bleu_1": "BLEU-1", "bleu_2": "BLEU-2", "bleu_3": "BLEU-3", "bleu_4": "BLEU-4", "rouge_l": "ROUGE-L",
        "meteor": "METEOR", "cider": "CIDEr", "unsure": "unsure claims", "unsupported": "marked sentences",
        "wrong_marked": "untrue sentences that are marked", "right_marked": "true sentences that are marked",
    }  # fmt: skip
    one_sided = (
        "hallucinations", "omissions", "denied", "wrong_side", "sides_named", "sizes_within", "places_right",
        "changes_right", "findings_precision", "findings_recall", "precision", "recall", "wrong_marked", "right_marked",
    )  # fmt: skip
    left_out: ClassVar[Mapping[str, str]] = {
        "untold": "no reference text, so that no words are compared",
        "unknown": "nobody knows which findings are true, so that none are counted",
    }
    baseline = "the report that occurs most often in training"
    compared = ("findings_f1", "hallucinations", "omissions")
    draws = True
    error = "1 − F1 of findings"
    listing = "sentences.csv"

    def edited(self, answer: Text, texts: Mapping[str, str], edit: Edit) -> Text:
        """Return the text with other sections: sentences that stay keep what is known of them."""
        return edited(answer, texts, edit)

    def objects_of(self, answer: Text) -> tuple[str, ...]:
        """Return the report and its PDF; before them where the model looked, where its sentences say that."""
        return self.objects if looked(answer) else self.objects[1:]

    # --- what is written of it and shown

    def columns(self, answer: Text) -> dict[str, Any]:
        """Return each section under its name, and the sentences that are marked as not borne out where any is."""
        found: dict[str, Any] = dict(answer.sections)
        if any(e.supported is not None for e in answer.evidence):
            found[words.MARKED] = " | ".join(said for said, _ in words.marked(answer))
        return found

    def listed(self, answer: Text) -> list[dict[str, Any]]:
        """Return a row a finding of each sentence, and one of a sentence that says none."""
        return words.rows_of(answer)

    def summary(self, answer: Text) -> dict[str, Any]:
        """Return the sections, and the sentences that are marked with what speaks against them."""
        marks = [{"sentence": said, "why": why} for said, why in words.marked(answer)]
        return {"fields": self.columns(answer), **({words.MARKED.replace(" ", "_"): marks} if marks else {})}

    def lines(self, answer: Text) -> list[Line]:
        """Return each section, and the sentences that are marked."""
        return [Line(name or "text", said) for name, said in words.lines_of(answer).items()]

    def marks(self, answer: Text) -> list[Mark]:
        """Return the sections, and the text of each as a hash, as it may hold words of somebody's report."""
        found = [Mark("sections", ", ".join(answer.sections))]
        found += [Mark(f"text of {name}", digest(text)) for name, text in answer.sections.items()]
        if answer.evidence:
            doubted = [f"{e.section} {e.sentence}" for e in answer.evidence if e.supported is False]
            found.append(Mark("sentences not borne out", ", ".join(doubted)))
        return found

    def drawn(self, answer: Text) -> bool:
        """Return whether some sentence says where it looked."""
        return drawn.has_looks(answer)

    def shown_by(self, answer: Text, image: Image) -> Image | None:
        """Return where sentences looked."""
        return drawn.shown_by(answer, image)

    def draw(self, axes: Any, answer: Text, image: Image, shown: Slice) -> None:
        """Draw where each sentence looked, with its number, in the colour of its mark."""
        drawn.draw(axes, answer, image, shown)

    # --- what is asked of it

    def states(self, answer: Text) -> list[Statement]:
        """Return what its sentences say, as far as somebody read them; what is not borne out is doubted."""
        return [
            Statement(
                finding,
                f"'{_sentence(answer, one)}'",
                part=one.part,
                doubted=one.why if one.supported is False else "",
            )
            for one in answer.evidence
            for finding in one.findings
        ]

    def ask(self, answer: Text, of: str, which: str | None) -> Ask:
        """Return the k-th sentence of all sections, by default the first, or the first that speaks of a finding.

        Of a finding without a name it is the first that a sentence claims. `label` is the place of the sentence's first
        finding among the labels of a part that has it. Raises DataError, and UnknownName for a finding of no sentence.
        """
        found = all_sentences(answer.sections)
        if of == FINDING:
            place, name = _saying(answer, which)
        else:
            place, name = number_place(which, len(found), what=of), None
        name = name or next((f.name for f in _said_in(answer, place)), None)
        return Ask(of, place, words=found[place][2], label=_label(answer, name))

    # --- how far several opinions are apart, and how sure

    def doubt(self, answer: Text, samples: Sequence[Text]) -> Doubt | None:
        """Return which share of findings single texts and this one do not both claim; None where nobody read them."""
        if not samples or not all(one.evidence for one in (answer, *samples)):
            return None
        own = _claimed(answer)
        apart = [_apart(own, _claimed(one)) for one in samples]
        return Doubt(figures={"apart": float(np.mean(apart))})

    def sure(self, answer: Text) -> float | None:
        """Return the share of sentences that are borne out, of those that were looked at; None where none was."""
        told = [e.supported for e in answer.evidence if e.supported is not None]
        return sum(told) / len(told) if told else None

    def sureness(self, rows: Rows) -> Array | None:
        """Return the share of each text's sentences that are borne out; None where no sentence was looked at."""
        many, marks = rows["looked"].T
        if not many.any():
            return None
        return np.asarray(np.where(many > 0, 1 - marks / np.maximum(many, 1), np.nan))

    def losses(self, rows: Rows) -> Array:
        """Return what each text lacks to be right."""
        return np.asarray(1 - self.each(rows))

    def wrong(self, answer: Text, truth: Any) -> bool | None:
        """Return whether a finding is not there, missed, or on the wrong side or of a wrong size; None if unknown."""
        held = judge.held_of(answer, judge.truth_of(answer, truth))
        if held is None:
            return None
        return bool(held.invented or held.missed or not all(p.right for p in held.pairs))

    # --- an answer against the truth

    def truth(self, target: Any, case: Case) -> Reference:
        """Return the reference report and what is true of the image. Raises DataError where the target is no text."""
        if isinstance(target, Reference):
            return target
        sections = {"": target} if isinstance(target, str) else getattr(target, "sections", target)
        if not isinstance(sections, Mapping):
            raise DataError(f"case {case.id}: the truth is no text", found=type(target).__name__)
        return Reference(dict(sections), case.findings, case.findings is not None)

    def quoted(self, truth: Any) -> Text | None:
        """Return a training case's reference report as the answer to another case; None where it has none."""
        return Text(sections=dict(truth.sections)) if any(truth.sections.values()) else None

    def measure(self, answer: Text, truth: Any, case: Case) -> tuple[Text, Truth]:
        """Return the text without its parts, and its truth beside what it says."""
        return replace(answer, parts={}), judge.truth_of(answer, truth)

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the rows of the metrics, and of each text its page."""
        rows = super().rows(measured, case_ids)
        pages = np.empty(len(rows), dtype=object)
        pages[:] = [words.page_of(answer, truth) for answer, truth in measured]
        return replace(rows, columns={**rows.columns, "page": pages})

    def rate(self, answer: Text, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the F1 of findings, or ROUGE-L where nobody knows these, and what is wrong in a few words."""
        answer, told = measured or self.measure(answer, truth, Case(answer.case_id, {}, reference=None))
        score = float(judge.each(judge.rows([answer], [told]))[0])
        if not np.isfinite(score):
            return NOT_RATED
        return score, words.caption_of(judge.held_of(answer, told)) or f"ROUGE-L {score:.3f}"

    def each(self, rows: Rows) -> Array:
        """Return the F1 of each text's findings, or its ROUGE-L where nobody knows these."""
        return judge.each(rows)

    def strata(self, rows: Rows) -> Array:
        """Return whether a finding is truly there, and apart from both where nobody knows."""
        return np.where(rows["judged"], rows["true"].any(axis=1).astype(np.int64), 2)

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows that a scorecard was computed from."""
        return page.again(card)

    # --- scorecard and report

    def curves(self, rows: Rows) -> dict[str, Any]:
        """Return how different texts are, by what is known which findings are true, and what is claimed of each."""
        return page.curves(rows)

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return the figures of one text, and it beside its reference; neither of them gets into a bundle."""
        return page.case_of(rows, index, float(judge.each(rows)[index]))

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return how it is known what is true, how different texts are, and the rules of the figures."""
        return page.facts(card)

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return each finding, and texts beside their references: of the worst, in the middle, of the best."""
        table = page.findings_table(card)
        return [*([] if table is None else [table]), *page.examples(card)]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return all texts, the worst first."""
        return page.case_table(card)


def _said_in(answer: Text, place: int) -> Sequence[Any]:
    """Return what the sentence at a place among all says of findings."""
    evidence = words.sentences_of(answer)[place][3]
    return () if evidence is None else evidence.findings


def _saying(answer: Text, name: str | None) -> tuple[int, str]:
    """Return the place of the first sentence that says something of a finding, and its name; see `TextHandling.ask`."""
    every = [(k, f) for k in range(len(words.sentences_of(answer))) for f in _said_in(answer, k)]
    if not every:
        raise DataError("no sentence says something of a finding", hint="sentence=1")
    if name is None:
        return next(((k, f.name) for k, f in every if f.status == "present"), (every[0][0], every[0][1].name))
    own = [k for k, f in every if f.name.casefold() == name.casefold()]
    if not own:
        raise UnknownName("finding of this text", name, list(dict.fromkeys(f.name for _, f in every)))
    return own[0], name


def _label(answer: Text, name: str | None) -> int | None:
    """Return the place of a finding among the labels of the first part that has it; None where none has."""
    for part in answer.parts.values():
        for place, label in enumerate(getattr(part, "labels", ())):
            if name is not None and label.name.casefold() == name.casefold():
                return place
    return None


def _claimed(answer: Text) -> set[tuple[str, str]]:
    return {(f.name, f.side or "") for e in answer.evidence for f in e.findings if f.status == "present"}


def _apart(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> float:
    """Return the share of what either claims that not both do; 0 where neither claims anything."""
    return len(one ^ other) / len(one | other) if one | other else 0.0


def _sentence(answer: Text, one: Evidence) -> str:
    said = sentences(answer.sections.get(one.section, ""))
    return said[one.sentence] if one.sentence < len(said) else ""


HANDLING = TextHandling()
