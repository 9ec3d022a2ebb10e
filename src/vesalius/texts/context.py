"""Context: whether a sentence says of a finding that it is present, absent, uncertain or past, by the words around it.

After NegEx (Chapman et al., J Biomed Inform 2001) and ConText (Harkema et al., J Biomed Inform 2009): words that deny,
doubt or remember reach forwards or backwards up to a word that ends their reach; a list is reached over as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vesalius.core.finding import Change, Status
from vesalius.texts._mentions import Mention, either
from vesalius.texts._phrases import Mark
from vesalius.texts.cues import Cues

_STOPS = frozenset(";.!")
_FORWARD: Mapping[str, Status] = {"denies": "absent", "none_new": "absent", "gone": "absent", "past": "past"}
_BACKWARD: Mapping[str, Status] = {
    "not_after": "absent",
    "gone_after": "absent",
    "maybe_after": "uncertain",
    "past_after": "past",
}
_DOUBTS = frozenset({"maybe", "maybe_of", "maybe_list", "maybe_both"})
_AFTER = frozenset(
    {"and", "but", "on", "in", "at", "by", "here", "given"}
)  # words that follow a whole statement
_COMPARED = frozenset({"new", "more", "less"})  # words that begin what is there: `no nodule, new effusion`
_LASTING = frozenset({"persist", "remain"})  # what is denied does neither
_SIDES = frozenset({"left", "right", "both"})
_SAYS = frozenset(
    {*_FORWARD, *_BACKWARD, *_DOUBTS, "not_beside", "break", "asked"}
)  # what says something by itself
_BESIDE = 1  # words between what denies a finding right behind it and that: `absent left effusion`
_DOUBTFUL = frozenset({"may", "might", "could"})


def judged(tokens: Sequence[str], marks: Sequence[Mark], mentions: Sequence[Mention], cues: Cues) -> None:
    """Set the status, the rule and the clause of each mention of a sentence, in place.

    `marks` are all that stands in the sentence, mentions' own words included, from left to right.
    """
    _Walk(tokens, marks, mentions, cues).go()


class _Walk:
    """One walk through a sentence, from left to right, with the word that now reaches forwards."""

    def __init__(
        self, tokens: Sequence[str], marks: Sequence[Mark], mentions: Sequence[Mention], cues: Cues
    ) -> None:
        self.tokens, self.cues = tokens, cues
        self.at = {mark.start: mark for mark in marks}
        self.mentions: dict[int, list[Mention]] = {}
        for mention in mentions:
            self.mentions.setdefault(mention.start, []).append(mention)
        self.done: list[Mention] = []
        self.clause = self.clause_start = 0
        self.reach: Status | None = None
        self.asked = self.listing = False
        self.rule = "named"
        self.change: Change | None = None
        self.verb = False  # a verb since the clause began
        self.verb_in_reach = False
        self.pending: Mark | None = None
        self.aside = False  # whether what reaches forwards began in brackets
        self.beside: Mark | None = None  # what denies the finding right behind it: `absent effusion`
        self._look()

    def _look(self) -> None:
        """Note of each place what lies ahead of it, from right to left, so that no word looks for it anew.

        `part_end` is where the part of a sentence that begins there ends, `next_verb`, `next_or` and `next_lasting` are
        the next such words, `or_ahead` is whether its list has an `or` before anything else is said, and `in_bracket`
        whether a bracket is open before it.
        """
        n = len(self.tokens)
        self.part_end, self.next_verb, self.next_or, self.next_lasting = ([n] * (n + 1) for _ in range(4))
        self.or_ahead = [False] * (n + 1)
        for at in range(n - 1, -1, -1):
            word, mark = self.tokens[at], self.at.get(at)
            kind = "" if mark is None else mark.kind
            ends = word in _STOPS or word == "," or kind == "break"
            self.part_end[at] = at if ends else self.part_end[at + 1]
            self.next_verb[at] = at if word in self.cues.words["verbs"] else self.next_verb[at + 1]
            self.next_or[at] = at if word == "or" else self.next_or[at + 1]
            self.next_lasting[at] = at if word in _LASTING else self.next_lasting[at + 1]
            if word in _STOPS or kind in _SAYS:
                continue
            self.or_ahead[at] = (
                word in ("or", "nor") or self.or_ahead[max(at + 1, 0 if mark is None else mark.end)]
            )
        self.in_bracket = [False]
        for word in self.tokens:
            self.in_bracket.append(word == "(" if word in ("(", ")") else self.in_bracket[-1])

    def go(self) -> None:
        at = 0
        while at < len(self.tokens):
            here = self.mentions.get(at)
            mark = self.at.get(at)
            if here:
                for mention in here:
                    self._take(mention)
                at = here[0].end
            elif mark is not None:
                self._mark(mark)
                at = mark.end
            else:
                self._word(at)
                at += 1
        self._flush(len(self.tokens))
        either(self.tokens, self.done, [m.end for m in self.at.values() if m.kind == "change_none"])

    def _take(self, mention: Mention) -> None:
        mention.clause = self.clause
        mention.status = mention.base
        if self.rule != "named":
            mention.rule = self.rule
        if self.asked:
            mention.status = None
        elif self.reach == "absent":
            mention.status = "absent" if mention.base != "absent" else None
            mention.change = self.change
        elif self.reach == "uncertain":
            mention.status = "uncertain"
        elif self.reach == "past" and mention.base == "present":
            mention.status = "past"
        elif self.beside is not None and mention.start - self.beside.end <= _BESIDE:
            mention.status, mention.rule = "absent", self._said(self.beside)
        self.beside = None
        self.pending = None
        self.done.append(mention)

    def _mark(self, mark: Mark) -> None:
        kind = mark.kind
        if kind in _FORWARD:
            self._forward(mark)
        elif kind == "not_beside":
            self._beside(mark)
        elif kind in _BACKWARD and not self._elsewhere(mark):
            told = self._backward(mark.start, _BACKWARD[kind], self._said(mark), gone=kind == "gone_after")
            if not told and kind == "maybe_after":  # `questionable is a nodule`
                self._doubt(mark)
            self.verb = self.verb_in_reach = True
        elif kind in _DOUBTS:
            self._doubt(mark)
        elif kind == "asked":
            self._flush(mark.start)
            self.reach, self.asked, self.rule = None, True, self._said(mark)
        elif kind == "sure" and self.reach != "absent":
            self._let_go(mark.start)
        elif kind == "break":
            self._new_clause(mark.start)

    def _beside(self, mark: Mark) -> None:
        """Deny what ends where such a word begins, or what came before where nothing follows; else what is behind."""
        last = self.done[-1] if self.done else None
        touches = last is not None and last.end == mark.start and last.clause == self.clause
        said = (touches or self._ends(mark.end)) and self._backward(mark.start, "absent", self._said(mark))
        self.beside = None if said else mark

    def _elsewhere(self, mark: Mark) -> bool:
        """Return whether a `none` speaks of another place than the finding's: `more on the left, none at the apex`."""
        if self.tokens[mark.start : mark.end] != ("none",) or not self.done:
            return False
        between = self.tokens[self.done[-1].end : mark.start]
        return any(w[0].isalnum() for w in between) and self.tokens[mark.end : mark.end + 1] == ("at",)

    def _doubt(self, mark: Mark) -> None:
        if mark.kind == "maybe_both":
            self._backward(mark.start, "uncertain", self._said(mark))
        if self.asked or self.reach == "absent":
            return
        self._flush(mark.start)
        self.reach, self.rule, self.verb_in_reach = "uncertain", self._said(mark), False
        self.aside = self.in_bracket[mark.start]
        self.pending = mark if mark.kind == "maybe" else None
        self.listing = mark.kind == "maybe_list"

    def _forward(self, mark: Mark) -> None:
        behind = self.tokens[mark.end : mark.end + 1]
        if (
            mark.kind in ("denies", "gone")
            and behind != ("(",)
            and self._ends(mark.end)
            and self._backward(mark.start, "absent", self._said(mark), gone=mark.kind == "gone")
        ):
            return
        if self.asked or (mark.kind == "past" and self.reach == "absent"):
            return
        if mark.kind == "gone" and self.reach == "absent":
            self._let_go(mark.start)
            return
        self._flush(mark.start)
        self.reach, self.rule, self.verb_in_reach = _FORWARD[mark.kind], self._said(mark), False
        self.change = {"none_new": "new", "gone": "gone"}.get(mark.kind)  # type: ignore[assignment]
        self.aside = self.in_bracket[mark.start] and behind != (")",)  # `(no) effusion`

    def _word(self, at: int) -> None:
        word = self.tokens[at]
        if word in _STOPS:
            self._new_clause(at)
        elif word == "?":
            self._backward(at, "uncertain", "?")
        elif word in (",", "(", "and"):
            self._joint(at)
        elif word in ("with", ")"):  # `a 5 mm (previously 7 mm) nodule`
            if self.aside if word == ")" else self.reach is not None and not self.asked:
                self._let_go(at)
        elif word in self.cues.words["verbs"]:
            self.verb = self.verb_in_reach = True

    def _joint(self, at: int) -> None:
        """Decide at a comma or an `and` whether what reaches forwards goes on."""
        following = at + 1
        if following < len(self.tokens) and self.tokens[following] in ("or", "nor"):
            return
        comma = self.tokens[at] != "and"
        if comma and following < len(self.tokens) and self.tokens[following] == "and":
            return  # the `and` decides
        if self._independent(following):
            self._new_clause(at)
        elif self.reach is not None and not self._goes_on(following, comma):
            self._let_go(at)

    def _goes_on(self, following: int, comma: bool) -> bool:
        head = self.tokens[following] if following < len(self.tokens) else ""
        weak = head in self.cues.words["weak"]
        begins = weak or head in self.cues.words["present"]
        listed = self.or_ahead[following]
        mark = self.at.get(following)
        if mark is not None and mark.kind in _COMPARED and not listed:
            return False
        if self.reach == "absent":
            if begins and not weak:
                return False
            if begins or self.verb_in_reach:
                return listed and comma
            return True
        if begins and not weak:
            return False
        return listed or self.listing or (not comma and not begins)

    def _independent(self, at: int) -> bool:
        """Return whether a clause with a subject and a verb of its own begins here."""
        end = self.part_end[at]
        if end <= at:
            return False
        first, has_verb = self.tokens[at], self.next_verb[at] < end
        mark = self.at.get(at)
        if first == "there" or (first in self.cues.words["openers"] and has_verb):
            return True
        if any(m.base != "present" or m.rule == "shown" for m in self.mentions.get(at, ())):
            return True
        if not has_verb or self.next_or[at] < end or (mark is not None and mark.kind in _FORWARD):
            return False
        sided = mark is not None and mark.kind in _SIDES  # `no pneumothorax, left effusion persists`
        return self.verb or (sided and (self.tokens[at - 1] != "and" or self.next_lasting[at] < end))

    def _backward(self, at: int, status: Status, rule: str, *, gone: bool = False) -> bool:
        """Give what a word speaks of behind it a status; return whether there is something."""
        group = self._group(at)
        for mention in group:
            mention.status, mention.rule = status, rule
            if gone:
                mention.change = "gone"
        return bool(group)

    def _group(self, at: int) -> list[Mention]:
        """Return the mentions that a word at a place speaks of: the last before it, and what that is listed with."""
        before = [m for m in self.done if m.end <= at and m.clause == self.clause]
        if not before:
            before = self.done[-1:] if self._opens(at) else []
            return before
        group = [before[-1]]
        listed = False
        for earlier in reversed(before[:-1]):
            between = self.tokens[earlier.end : group[-1].start]
            if earlier.start == group[-1].start:
                group.append(earlier)
                continue
            joined = any(w in ("and", "or", "nor", "/") for w in between)
            if not (joined or (listed and "," in between)) or any(
                w in self.cues.words["verbs"] for w in between
            ):
                break
            if any(
                k in self.at and self.at[k].kind in (*_FORWARD, *_DOUBTS)
                for k in range(earlier.end, group[-1].start)
            ):
                break
            listed = True
            group.append(earlier)
        return group

    def _opens(self, at: int) -> bool:
        """Return whether nothing but small words stands between the clause's beginning and a place."""
        k = at - 1
        while k >= self.clause_start and self.tokens[k] != ",":
            if self.tokens[k] not in self.cues.words["verbs"] and self.tokens[k] not in (
                "this",
                "it",
                "now",
                "has",
            ):
                return False
            k -= 1
        return True

    def _flush(self, at: int) -> None:
        """Let a doubt that nothing followed speak of what came before it."""
        pending, self.pending = self.pending, None
        if pending is None:
            return
        if self.tokens[pending.start] in _DOUBTFUL or self._ends(pending.end):
            self._backward(pending.start, "uncertain", self._said(pending))

    def _ends(self, at: int) -> bool:
        """Return whether nothing follows that a word could reach."""
        if at >= len(self.tokens) or not self.tokens[at][0].isalnum():
            return True
        mark = self.at.get(at)
        return self.tokens[at] in _AFTER or (mark is not None and mark.kind == "break")

    def _let_go(self, at: int) -> None:
        self._flush(at)
        self.reach, self.rule, self.change, self.verb_in_reach = None, "named", None, False
        self.aside = False

    def _new_clause(self, at: int) -> None:
        self._let_go(at)
        self.asked = self.asked and at < len(self.tokens) and self.tokens[at] == ","
        self.clause += 1
        self.clause_start = at + 1
        self.verb = False

    def _said(self, mark: Mark) -> str:
        return " ".join(self.tokens[mark.start : mark.end])
