"""Replying: one question held against one answer, whatever the task that it comes from."""

from __future__ import annotations

from vesalius.answers import contract as handling
from vesalius.core.answers import Answer
from vesalius.questions.answered import SURE, Reply, replies
from vesalius.questions.asked import understood
from vesalius.texts.terms import Terms


def replied(
    answer: Answer, words: str, *, terms: Terms | None = None, sure: float = SURE
) -> tuple[Reply, ...]:
    """Return what an answer says to a question, a reply for each finding that it asks about.

    Nothing is told of an answer that is withheld, or whose image is unlike those that its model learned from.
    """
    statements = handling.states(answer)
    names = list(dict.fromkeys(s.finding.name for s in statements))
    against = answer.withheld or (answer.outside[0] if answer.outside else "")
    return replies(understood(words, names, terms), statements, sure=sure, against=against)
