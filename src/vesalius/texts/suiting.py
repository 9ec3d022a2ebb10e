"""Which of the lists of terms suits some reports, where nobody named one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vesalius.texts.reading import findings_in
from vesalius.texts.sections import parted
from vesalius.texts.terms import Terms, listed

LOOKED_AT = 100  # reports by which terms are chosen that nobody named


def sentences_read(terms: Terms, reports: Sequence[str]) -> int:
    """Return of how many sentences these terms read a finding, in the first hundred reports.

    Several words in one sentence, such as of the margin of a mass, count once.
    """
    some = [parted(report) for report in reports[:LOOKED_AT]]
    return sum(len({f.sentence for f in findings_in(sections, terms)}) for sections in some)


def suited(reports: Sequence[str], names: Collection[str] = ()) -> Terms:
    """Return the terms that come with Vesalius and suit these reports best.

    These are the ones that have most of `names`, of findings that are known of the cases, and of equal ones those that
    read the most sentences.
    """
    each = [Terms.named(name) for name in listed()]
    return max(each, key=lambda terms: (len(set(names) & set(terms.names)), sentences_read(terms, reports)))
