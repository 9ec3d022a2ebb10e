"""A text as a person has changed it: what is known of a sentence stays with those that are left as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vesalius.core.answers.text import Evidence, Text
from vesalius.core.edit import Edit
from vesalius.core.sentences import sentences


def edited(answer: Text, sections: Mapping[str, str], edit: Edit) -> Text:
    """Return a text with other sections, and who changed them.

    A changed sentence stands on nothing that the model has seen, and so keeps no finding, mark or map.
    """
    known: dict[tuple[str, str], list[Evidence]] = {}
    for one in answer.evidence:
        said = sentences(answer.sections.get(one.section, ""))
        if one.sentence < len(said):
            known.setdefault((one.section, said[one.sentence]), []).append(one)
    evidence = []
    for section, text in sections.items():
        for place, sentence in enumerate(sentences(text)):
            held = known.get((section, sentence))
            if held:
                evidence.append(replace(held.pop(0), sentence=place))
    return replace(answer, sections=dict(sections), evidence=tuple(evidence), edit=edit)
