"""Promises of a fitted task's answers: as files, scored, explained by what is known, and over HTTP."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vesalius import formats, metrics
from vesalius.answers import contract as answers
from vesalius.core import registry
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.errors import DataError
from vesalius.core.file_names import file_names
from vesalius.explain import methods
from vesalius.explain.contract import Method
from vesalius.explain.explanation import Choices, explain
from vesalius.infer.selftest.checking import selftested
from vesalius.infer.selftest.recording import shaken
from vesalius.plan import torch_threads
from vesalius.serve.http import results
from vesalius.testing.answer import check_answer
from vesalius.testing.promise import promised, require
from vesalius.testing.trial import TaskTrial

CHANGED = 0.1  # how far weights are changed, each by another share
FEW = Choices(samples=8, pieces=6, check="none")  # what an explainer may look at here


def answers_each_case(trial: TaskTrial) -> None:
    """Require an answer of the promised kind to each case, which names its case and its bundle."""
    for case, answer in zip(trial.cases, trial.answers, strict=True):
        kind = trial.task.answer.__name__
        require(
            type(answer).__name__ == kind, f"{trial}: it answers with a {kind}, not a {type(answer).__name__}"
        )
        require(
            answer.case_id == case.id, f"{trial}: an answer names its case {case.id}, not {answer.case_id}"
        )
        require(answer.bundle == trial.predictor.bundle.hash, f"{trial}: an answer names its bundle")


def answers_in_the_place_of_its_image(trial: TaskTrial) -> None:
    """Require that an answer which is an image lies on the grid, and in the place, of the case's reference image."""
    for case, answer in zip(trial.cases, trial.answers, strict=True):
        if not isinstance(answer, ImageAnswer):
            continue
        reference, image = trial.reference(case), answer.image
        require(
            image.shape == reference.shape,
            f"{trial}: its answer is {image.shape}, its image {reference.shape}",
        )
        placed = (image.affine is None) == (reference.affine is None)
        if image.affine is not None and reference.affine is not None:
            placed = bool(np.array_equal(image.affine, reference.affine))
        require(placed, f"{trial}: its answer has the affine of its image")


def answers_with_a_sound_answer(trial: TaskTrial) -> None:
    """Require that its answer keeps the promises of its kind: drawn, summed up, stored and placed."""
    folder = trial.folder / "answer"
    check_answer(trial.answers[0], trial.reference(trial.cases[0]), folder=folder)


def is_predicted_into_files(trial: TaskTrial) -> None:
    """Require that `predict` answers every case with a row of answers.csv and with JSON that is read back."""
    done = trial.predictions
    failed = "; ".join(f"{s.case}: {s.reason}" for s in done.set_aside)
    require(not failed, f"{trial}: `predict` answers each case, but {failed}")
    ids = [case.id for case in trial.cases]
    out = done.out or trial.folder
    with (out / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = [row["case"] for row in csv.DictReader(file)]
    require(rows == ids, f"{trial}: answers.csv has a row for each case, not {rows}")
    names = file_names(ids)
    for case in ids:
        back = formats.read_answer(out / f"{names[case]}.json")
        require(type(back) is trial.task.answer, f"{trial}: the JSON of an answer is read back as its kind")


def says_which_covariates_it_needs(trial: TaskTrial) -> None:
    """Require that a case which lacks a covariate that is needed is refused by its name."""
    for name in trial.predictor.needs:
        case = trial.cases[0]
        require(name in case.covariates, f"{trial}: it needs the covariate '{name}', which its cohort has")
        lacking = replace(case, covariates={k: v for k, v in case.covariates.items() if k != name})
        try:
            trial.predictor(lacking)
        except DataError as error:
            require(
                name in str(error), f"{trial}: a case without '{name}' is refused by that name, not: {error}"
            )
            continue
        raise AssertionError(
            f"{trial}: it needs the covariate '{name}', so that a case without it is refused"
        )


def has_a_trivial_answer_of_its_kind(trial: TaskTrial) -> None:
    """Require that `trivial`, where there is one, is an answer of the same kind."""
    state = trial.predictor.stages[-1].stage.state
    with promised(f"{trial}: `trivial` looks at nothing but the state"):
        found = trial.task.trivial(state, trial.reference(trial.cases[0]))
    kind = trial.task.answer
    told = f"{trial}: its trivial answer is a {kind.__name__}, not a {type(found).__name__}"
    require(found is None or type(found) is kind, told)


def is_scored(trial: TaskTrial) -> None:
    """Require that `evaluate` scores it, with figures where its kind of answer has metrics and cases have a truth."""
    card, kind = trial.scorecard, trial.task.answer.__name__
    require(card.answer == kind, f"{trial}: it is scored as {kind}, not as {card.answer}")
    require(card.n_cases > 0, f"{trial}: it is scored on one case at least")
    scored = trial.space.test or trial.space.training
    truths = [trial.task.truth(case, trial.state) for case in scored]
    judged = metrics.judges(kind) and any(truth is not None for truth in truths)
    require(card.metrics or not judged, f"{trial}: its scorecard has figures, as there are metrics of {kind}")
    fixed = ", ".join(k for k, v in card.metrics.items() if v.reason == metrics.HEEDLESS)
    require(
        not fixed,
        f"{trial}: `summary` of its metrics heeds `index`, and {fixed} is the same on each resample",
    )
    require(judged or card.banners, f"{trial}: a scorecard without figures says why in a banner")
    require((trial.folder / "evaluated" / "report.html").is_file(), f"{trial}: an evaluation has a report")


def passes_its_self_test(trial: TaskTrial) -> None:
    """Require that its bundle passes the self-test that `fit` sealed into it, and fails it with other weights.

    A bundle that cannot be asked about what is made up says why in words.
    """
    predictor = trial.predictor
    found = selftested(predictor.bundle, predictor)
    if found.outcome == "none":
        require(bool(found.why), f"{trial}: a bundle without a self-test says why")
        return
    require(found.passed, f"{trial}: its bundle passes its self-test, but {found.why}")
    with shaken(predictor, CHANGED):
        changed = selftested(predictor.bundle, predictor)
    told = f"{trial}: its self-test fails where all weights are changed by up to {CHANGED:.0%}"
    require(changed.outcome == "failed", f"{told}, and does not: {changed.why}")


def is_explained_or_says_why_not(trial: TaskTrial) -> None:
    """Require that every method explains an answer with a map on its image's grid which is not the same everywhere.

    Where a method cannot explain such a model, it says why in a sentence; likewise a kind of answer of which nothing
    can be asked. Where nothing speaks for an answer, a method that shows only what does has a map of zeros.
    """
    names = tuple(registry.names(methods.KIND))
    asked = [case for case, answer in zip(trial.cases, trial.answers, strict=True) if _can_be_asked(answer)]
    if not asked or not asked[0].images:
        return  # there is nothing to draw a map on
    found = explain(trial.predictor, asked[0], names, choices=FEW)
    told = {e.method for e in found.explained} | {e.method for e in found.parted} | set(found.refused)
    missing = ", ".join(sorted(set(names) - told))
    require(not missing, f"{trial}: each explainer has a map or a reason, but not {missing}")
    for method, why in found.refused.items():
        require(len(why) > 20, f"{trial}: why {method} explains nothing is said in words, not: {why!r}")
    for one in found.explained:
        what = f"{trial}: the map of {one.method}"
        require(one.map.image.shape == (one.on or found.reference).shape, f"{what} lies on its image")
        seen = one.map.image.array[np.isfinite(one.map.image.array)]
        how = methods.get(one.method)
        silent = isinstance(how, Method) and not how.signed and not seen.any()
        require(seen.size and (silent or np.ptp(seen) > 0), f"{what} is not the same everywhere")


def _can_be_asked(answer: Answer) -> bool:
    """Return whether an answer says anything that can be asked about: an empty mask does not."""
    try:
        return bool(answers.ask(answer).words)
    except DataError as error:
        require(len(str(error)) > 20, f"why nothing can be asked is said in words, not: {error}")
        return False


def is_listed_by_the_service(trial: TaskTrial) -> None:
    """Require that the HTTP service lists the model with its task, its kind of answer and what it needs."""
    about, kind = trial.served.about, trial.task.answer.__name__
    require(about["task"] == trial.task.name, f"{trial}: the service lists it, not {about['task']}")
    require(about["answer"] == kind, f"{trial}: the service says that it answers with {kind}")
    needs = list(trial.predictor.needs)
    require(about["covariates"] == needs, f"{trial}: the service says that it needs {needs}")


def is_answered_over_http(trial: TaskTrial) -> None:
    """Require that an upload gets the predictor's answer, with what the viewer draws from, and files.

    A case with no image, or with several, cannot be uploaded and must be refused in words; so must one of a model that
    answers where somebody points, as nobody did.
    """
    served = trial.served
    if served.about["clicks"]:
        require(
            served.status == 422 and "points" in served.body["error"],
            f"{trial}: it is refused without strokes",
        )
        return
    if served.case is None:
        refused = served.status == 422 and bool(served.body.get("error"))
        require(refused, f"{trial}: an upload without an image is refused in words, not {served.body}")
        return
    done = served.status == 200 and served.body["status"] == "done"
    require(done, f"{trial}: a case is answered over HTTP, not {served.body.get('error', served.body)}")
    (row,) = served.body["answers"]
    with torch_threads.only(1):  # as it is served
        direct = trial.predictor(served.case)
    kind = type(direct).__name__
    require(row["kind"] == kind, f"{trial}: the service answers with a {kind}, not a {row['kind']}")
    found = {k: v for k, v in row["answer"].items() if k != "case_id"}
    wanted = {k: v for k, v in results.outline(direct).items() if k != "case_id"}
    differ = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
    require(not differ, f"{trial}: the service gives the predictor's answer, and {', '.join(differ)} differ")
    require(row["summary"] == results.summary(direct), f"{trial}: the viewer gets the summary of its answer")
    empty = [name for name, data in served.files.items() if not data]
    require("answer.json" in served.files and not empty, f"{trial}: the files of its answer are not empty")


ANSWERED: tuple[Callable[[TaskTrial], None], ...] = (
    answers_each_case,
    answers_in_the_place_of_its_image,
    answers_with_a_sound_answer,
    is_predicted_into_files,
    says_which_covariates_it_needs,
    has_a_trivial_answer_of_its_kind,
    is_scored,
    passes_its_self_test,
    is_explained_or_says_why_not,
    is_listed_by_the_service,
    is_answered_over_http,
)
