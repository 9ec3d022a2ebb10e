"""ask: what a bundle's answer says to a question in words; and, where it is asked for, a language model beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.adjunct.asking import Adjunct as Adjunct
from vesalius.adjunct.asking import beside
from vesalius.adjunct.server import ChatServer as ChatServer
from vesalius.answers import contract as handling
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.errors import DataError
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.questions.answered import SURE
from vesalius.questions.answered import Reply as Reply
from vesalius.questions.replying import replied
from vesalius.run.answering import one_answer
from vesalius.run.finished import Run, bundle_of
from vesalius.run.wanted import the_one, wanted_of
from vesalius.texts.terms import Terms

__all__ = ["Adjunct", "Asked", "ChatServer", "Reply", "ask"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What came of questions about one case: a reply for each finding asked about, and the answer they stand on.

    `silent` says why a language model that was asked beside did not answer as it should; "" where none was, or it did.
    """

    replies: tuple[Reply, ...]
    answer: Answer
    adjunct: Adjunct | None = None
    silent: str = ""

    def json(self) -> dict[str, Any]:
        """Return the replies as JSON takes them, with whose they are."""
        return {
            "case": self.answer.case_id,
            "bundle": self.answer.bundle,
            "replies": [reply.json() for reply in self.replies],
            "adjunct": None if self.adjunct is None else self.adjunct.json(),
            "silent": self.silent,
        }


def ask(
    bundle: Run | Bundle | Path | str,
    source: Any,
    question: str | Sequence[str],
    *,
    case: str | None = None,
    terms: str | Path | None = None,
    sure: float = SURE,
    llm: ChatServer | None = None,
    covariates: Mapping[str, float | str] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
) -> Asked:
    """Answer questions about one case from what a bundle's answer states; "cannot tell" where it does not.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        source: One case as `predict` takes one, or a cohort of which `case` names one.
        question: "Is there a nodule on the left?", "How large is the liver?"; one, or several.
        case: The id of the case that is meant, where there are several.
        terms: By which words findings are called: `chest`, `ct`, `breast`, or a YAML file; by default all of ours.
        sure: The least probability, from .5 to 1, with which a question is answered by yes or no.
        llm: A server of chat completions that is asked beside. Only findings as data leave for it.
        covariates: What is known of the patient beside: `{"age": 61}`.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Answer an image of another modality or unit than the bundle learned from, too.

    Returns:
        A reply for each finding that a question asks about, each with what it stands on.

    Raises:
        DataError: There is not one case, or no question.
        MismatchError: The image is of another kind than the bundle learned from.
        UnsafeError: A label of the bundle must not leave for a language model.
    """
    questions = [question] if isinstance(question, str) else list(question)
    if not questions or not all(one.strip() for one in questions):
        raise DataError("no question is asked", hint='"Is there a nodule?"')
    if not 0.5 <= sure <= 1:
        raise DataError("the least probability of a reply lies between .5 and 1", found=f"{sure:g}")
    words = None if terms is None else Terms.asked(str(terms))
    opened = bundle_of(bundle)
    wanted = wanted_of(
        source,
        opened,
        layout=layout,
        columns=columns,
        covariates=covariates,
        accept_mismatch=accept_mismatch,
    )
    one = the_one(wanted, case)
    torch_threads.use(machines.measure().cores)
    answer = one_answer(Predictor(opened, device=device, accept_mismatch=accept_mismatch), one)
    replies = tuple(r for each in questions for r in replied(answer, each, terms=words, sure=sure))
    if llm is None:
        return Asked(replies, answer)
    try:
        return Asked(replies, answer, beside(handling.states(answer), llm, terms=words))
    except DataError as error:  # the answer itself stands without it
        return Asked(replies, answer, silent=str(error))
