"""Answering from a prompt: a task in words, some examples, and a text; the label that is likeliest to follow.

No weight changes: what is learned from the examples is learned while reading (in-context learning, Brown et al.,
NeurIPS 2020, arXiv:2005.14165). How likely each label is after a text without content is taken off, so that a label
is not called because it is a frequent word (contextual calibration, Zhao et al., ICML 2021, arXiv:2102.09690).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import DataError
from vesalius.core.words import counted
from vesalius.language.tokenizers.contract import Tokenizer

if TYPE_CHECKING:
    from vesalius.core.image import Array

LEAST = 6  # pieces of a text, below which an example says nothing
EMPTY = ("", "N/A", "none")  # texts without content


@dataclass(frozen=True, slots=True)
class Prompt:
    """The pieces that are read before a label is asked for, and whether a text was cut to fit."""

    ids: tuple[int, ...]
    cut: bool


@dataclass(frozen=True)
class Prompter:
    """How prompts are made: the `task` in words, what stands before a text and before its label, and the labels.

    `room` is how many pieces the model reads. Raises DataError for labels that the tokenizer does not tell apart.
    """

    tokenizer: Tokenizer
    room: int
    labels: tuple[str, ...]
    task: str = ""
    before_text: str = "report:"
    before_label: str = "answer:"

    def __post_init__(self) -> None:
        each = self.label_ids
        if len(set(each)) < len(each) or any(not ids or self.tokenizer.unknown in ids for ids in each):
            raise DataError(
                "the model's vocabulary does not tell the labels apart",
                found=", ".join(
                    f"{n} = {self.tokenizer.decode(i)!r}" for n, i in zip(self.labels, each, strict=True)
                ),
                hint="other words for them: --words LABEL=WORD",
            )

    @property
    def label_ids(self) -> tuple[tuple[int, ...], ...]:
        """The pieces of each label."""
        return tuple(tuple(self.tokenizer.encode(label)) for label in self.labels)

    def prompt(self, text: str, examples: Sequence[tuple[str, int]] = ()) -> Prompt:
        """Return what is read before the label of a text: the task, each example with its label, and the text.

        Where that is too long, the texts are cut to equal length, from their ends. Raises DataError where they would be
        cut to less than six pieces each.
        """
        begin, sep, code = self.tokenizer.begin, self.tokenizer.sep, self.tokenizer.encode
        lead, ask = code(self.before_text), code(self.before_label)
        head = [begin, *code(self.task), sep] if self.task else [begin]
        texts = [code(t) for t, _ in examples] + [code(text)]
        labels = self.label_ids
        fixed = len(head) + sum(len(labels[k]) + 1 for _, k in examples)
        fixed += len(texts) * (len(lead) + len(ask) + 1) + max(map(len, labels))
        left = self.room - fixed
        most = _even([len(t) for t in texts], left)
        if most < min(LEAST, max(map(len, texts))):
            raise DataError(
                f"{counted(len(examples), 'example')} and a text do not fit into what the model reads",
                found=f"{self.room} pieces",
                hint="fewer examples, or a model with a larger option 'longest'",
            )
        ids = list(head)
        for words, (_, label) in zip(texts, examples, strict=False):
            ids += [*lead, *words[:most], sep, *ask, *labels[label], sep]
        ids += [*lead, *texts[-1][:most], sep, *ask]
        return Prompt(tuple(ids), any(len(t) > most for t in texts))

    def asked(self, writer: Any, prompt: Prompt) -> Array:
        """Return the log of how likely each label is to follow a prompt, `(K,)`."""
        import numpy as np
        import torch

        device = next(writer.parameters()).device
        found = []
        with torch.inference_mode():
            tokens = torch.tensor([prompt.ids], device=device)
            hidden, cache, _ = writer(tokens)
            first = writer.logits(hidden[:, -1:])[0, 0].float().log_softmax(-1)
            for ids in self.label_ids:
                total = float(first[ids[0]])
                if len(ids) > 1:
                    hidden, _, _ = writer(torch.tensor([ids[:-1]], device=device), None, cache)
                    each = writer.logits(hidden)[0].float().log_softmax(-1)
                    total += float(sum(each[k, piece] for k, piece in enumerate(ids[1:])))
                found.append(total)
        return np.asarray(found)

    def chances(
        self, writer: Any, text: str, examples: Sequence[tuple[str, int]] = (), *, calibrated: bool = True
    ) -> tuple[Array, bool]:
        """Return how likely each label is for a text, `(K,)`, sums of one, and whether a text was cut to fit."""
        import numpy as np
        from scipy.special import softmax

        prompt = self.prompt(text, examples)
        scores = self.asked(writer, prompt)
        if calibrated:
            empty = [self.asked(writer, self.prompt(t, examples)) for t in EMPTY]
            scores = scores - np.log(np.mean([softmax(e) for e in empty], axis=0))
        return softmax(scores), prompt.cut


def _even(lengths: Sequence[int], room: int) -> int:
    """Return the greatest length to which texts may be cut so that all of them together fit."""
    most = max(lengths, default=0)
    while most > 0 and sum(min(n, most) for n in lengths) > room:
        most -= 1
    return most
