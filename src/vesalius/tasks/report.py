"""What would a radiologist write of this image? A report whose sentences are held against what is found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.core import calibration as calibrations
from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Cases, Statistics
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks import _report_plan, _sources
from vesalius.tasks._beside import learned as learned_beside
from vesalius.tasks._beside import planned
from vesalius.tasks._report_findings import truth_of
from vesalius.tasks._report_measured import MEASURED, measured
from vesalius.tasks._report_raw import THERE, finding_logit, read, sentence_worth
from vesalius.tasks._report_said import answer_of
from vesalius.tasks._report_state import learned_in, learned_of
from vesalius.tasks._report_written import better_written
from vesalius.tasks._sources import Sources, check_sources, seen
from vesalius.tasks.contract import Nets
from vesalius.texts.reference import reference_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"report": "A report in sections, whose sentences are held against what is found in the image"}
OPTIONS = {
    "decode": "",
    "beams": 4,
    "mend": "mark",
    "terms": "",
    "tokenizer": "words",
    "covariates": "",
    "categories": "",
}
FOUND = "findings"  # among an example's targets


class Report(Sources):
    """An encoder, a head that looks for findings, and a writer that attends to both; see `_reporter.py`."""

    name: ClassVar[str] = "report"
    answer: ClassVar[type[Answer]] = Text
    targets: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ("encoder", "table", "sequence")
    nets: ClassVar[Mapping[str, tuple[str, ...]]] = {_report_plan.WRITER: ("writer",)}
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "findings_f1"
    needs_target: ClassVar[bool] = False

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images, words and findings."""
        return _report_plan.planned(prints, machine)

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """A report for at least two cases."""
        found = sum(bool(c.report and c.report.strip()) for c in cohort.cases)
        return () if found > 1 else (f"reports for at least two cases ({found} found; --column report=NAME)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse mirror images, mixed cases, and words that are no way of writing."""
        check_sources(plan, target)
        _report_plan.check(plan)

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """The cases themselves: words of their reports never leave the house; and what else is seen."""
        held = [c for c in cases if c.report]
        return Statistics({"cases": Cases.of(held), **_sources.of_cases(held, plan)})

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the words, the sections, the findings and the most frequent report."""
        values = learned_of(summary.part("cases", Cases).cases, plan)
        beside: dict[str, Any] = {}
        if planned(plan)[0]:
            info = target or TargetInfo("report", "text")
            beside["covariates"] = _sources.may_lack(learned_beside(summary, info, plan), plan)
        return State({**values, **beside, **_sources.learned_sources(summary, plan)})

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return what is seen, the report as tokens and its findings as numbers."""
        known = learned_in(state)
        found = known.truth(case)
        targets = {} if found is None else {FOUND: truth_of(found, known.abouts)}
        tokens = known.words.tokens(known.slots(case.report)) if case.report else None
        example = seen(case, prepared, state)
        channels = state.values[MEASURED]
        if any(c is not None for c in channels) and "image" in prepared.images:
            sizes = measured(prepared.array, channels, prepared.undo)
            example = replace(example, vectors={**example.vectors, MEASURED: sizes})
        return replace(example, targets=targets, tokens=tokens)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned encoder, the head of the findings and the planned writer."""
        from vesalius.tasks._reporter import built

        return built(plan, state, nets)

    def ready(self, model: nn.Module, calibration: Mapping[str, Any]) -> nn.Module:
        """Return the model, told by what its sentences will be judged."""
        model.calibration = calibration  # type: ignore[assignment]
        return model

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of words, of findings, of their sides and of their sizes."""
        from vesalius.tasks._report_loss import terms

        return terms(model, batch, generator)  # type: ignore[arg-type]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return rows `(B, R)` as `_report_raw.py` lays them out: what is found, and what may be written."""
        from vesalius.tasks._report_infer import rows

        return rows(model, batch)  # type: ignore[arg-type]

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Text:
        """Return the text that findings bear out best, of those of an ensemble's members, where `raw` is `(M, R)`."""
        values = state.values
        return answer_of(
            np.asarray(raw),
            learned_in(state),
            calibration,
            reference,
            decode=str(values["decode"]),
            mend=str(values["mend"]),
            undo=undo,
        )

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the logit of the finding that is asked about, or else the log probability of a sentence.

        `ask.label` is the place of the finding that a sentence says; a sentence without one has none.
        """
        if ask.label is not None:
            return finding_logit(raw, ask.label)  # type: ignore[no-any-return]
        return sentence_worth(raw, ask.place)  # type: ignore[no-any-return]

    def calibrate(
        self,
        raw: Sequence[Array],
        truths: Sequence[Any],
        *,
        state: State,
        plan: Plan,
        patients: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Return a temperature and thresholds of the findings, and whether the writer or the template is better."""
        known = learned_in(state)
        told = [k for k, truth in enumerate(truths) if truth is not None and truth.findings is not None]
        raw, truths = [raw[k] for k in told], [truths[k] for k in told]
        patients = None if patients is None else [patients[k] for k in told]
        if not told:
            return {}
        found: dict[str, Any] = {}
        if known.names:
            logits = np.stack(
                [[read(row).findings[:, THERE] for row in np.atleast_2d(r)] for r in raw]
            )  # (N, M, K)
            y = np.array([_bits(truth.findings, known.abouts) for truth in truths])
            found = calibrations.fit(
                logits[:, 0] if logits.shape[1] == 1 else logits,
                y,
                labels=known.names,
                multilabel=True,
                rule="f1",
                patients=patients,
            )
        return {**found, **better_written(raw, truths, known, found, state)}

    def trivial(self, state: State, reference: Image) -> Text:
        """Return the most frequent report of the training cases, whatever the image shows."""
        return Text(sections=dict(state.values["trivial"]))

    def truth(self, case: Case, state: State) -> Any:
        """Return what is true of a case: its report in sections, and what is known to be in it."""
        known = learned_in(state)
        return reference_of(case, known.terms, sections=known.words.sections)

    def rivals(self, answer: Answer, truth: Any, state: State) -> Mapping[str, Answer]:
        """Return the template of what was found, and that of what is true, to stand beside what was written."""
        from vesalius.tasks._report_template import template

        known = learned_in(state)
        found: dict[str, Answer] = {}
        if isinstance(part := answer.parts.get("template"), Text):
            found["template"] = part
        if truth.findings is not None:
            sections = template(truth.findings, known.words.sections, known.spoken)
            found["oracle template"] = Text(sections=sections)
        return found


def _bits(found: Sequence[Any], abouts: Sequence[Any]) -> list[int]:
    """Return which findings a case has, -1 where that is unknown."""
    return [-1 if np.isnan(t) else int(t) for t in truth_of(found, abouts)[:, THERE]]


TASK = Report()
