"""Answering a series: the images in a folder, read and answered by one loaded bundle; all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius import cohorts
from vesalius.core.answers import Answer
from vesalius.core.errors import DataError, NoImages, VesaliusError
from vesalius.core.progress import Silent
from vesalius.infer.clicking import takes_clicks
from vesalius.infer.each import answers
from vesalius.infer.predictor import Predictor
from vesalius.serve.models import LoadedModel
from vesalius.serve.node.faults import message_of, unique_reasons
from vesalius.serve.node.routing import Rule


@dataclass(frozen=True, slots=True)
class SeriesAnswers:
    """The answers of one bundle to the images in a folder, and the reasons why some images have no answer."""

    answers: Sequence[Answer]
    reasons: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """A bundle's hash, and the functions that answer the images in a folder with it.

    `answer` refuses images of another modality or unit than the bundle learned from; `accepting` answers them, too.
    `refusing` answers none that is unlike the training cases; its second argument says whether it accepts otherwise.
    """

    hash: str
    answer: Callable[[Path], SeriesAnswers]
    accepting: Callable[[Path], SeriesAnswers] | None = None
    refusing: Callable[[Path, bool], SeriesAnswers] | None = None

    def answer_by(self, rule: Rule) -> Callable[[Path], SeriesAnswers]:
        """Return the function that answers a series as the rule asks."""
        refusing = self.refusing
        if rule.refuse_unlike and refusing is not None:
            return lambda folder: refusing(folder, rule.accept_mismatch)
        return self.accepting if rule.accept_mismatch and self.accepting is not None else self.answer


def series_model(model: LoadedModel) -> SeriesModel:
    """Return what the worker needs of a loaded model, which answers on the model's first device.

    Raises DataError for one that answers where somebody points: nobody does, and its masks would all be empty.
    """
    if takes_clicks(model.predictor()):
        raise DataError(
            f"the bundle '{model.name}' answers where somebody points, which nobody does at a node",
            hint="vesalius serve",
        )
    return SeriesModel(
        model.bundle.hash,
        lambda folder: answer_series(model.predictor(), folder),
        lambda folder: answer_series(model.predictor(accept_mismatch=True), folder),
        lambda folder, accept: answer_series(
            model.predictor(accept_mismatch=accept, refuse_unlike=True), folder
        ),
    )


def answer_series(predictor: Predictor, folder: Path) -> SeriesAnswers:
    """Answer every image in a folder; a folder without images has no answers and no reasons.

    Raises DataError where only some of the images can be answered: their answers would pass for one to the whole
    series.
    """
    try:
        cohort = cohorts.read(folder, layout="dicomtree", max_set_aside=1.0)
    except NoImages:
        return SeriesAnswers(())
    found = [each.answer for each in answers(predictor, cohort.cases, progress=Silent())]
    done = [a for a in found if not isinstance(a, VesaliusError)]
    failed = [message_of(a) for a in found if isinstance(a, VesaliusError)]
    reasons = unique_reasons([*(s.reason for s in cohort.set_aside), *failed])
    if done and reasons:
        raise DataError("a part of this series cannot be answered", found=reasons[0])
    return SeriesAnswers(done, reasons)
