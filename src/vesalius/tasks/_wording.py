"""Models of language: what tasks share that learn from reports alone, without images and without targets.

The answer about a report is its perplexity: as many equally likely pieces there could have been at each place. Beside
it stands that of single words, each as likely as it is frequent, which a model of language has to beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.language import tokenizers
from vesalius.language.counting import LEAST, OFTEN, chances, count
from vesalius.losses import OWN
from vesalius.plan import tables
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.sources import REPORT
from vesalius.prepare.batch import Batch, Example, collate
from vesalius.prepare.case import BLANK, Prepared, prepare
from vesalius.prepare.geometry import Undo
from vesalius.tasks._texts import LONGEST, TOKENIZER, outside, tokenizer_of
from vesalius.tasks.contract import Nets, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

UNIGRAM, TEXT = "unigram", "text"
SINGLE = "single words"  # the part of the answer that says the same of each word by itself
RESAMPLES = 200


class Wording(Task):
    """A net and its words. Which text is learned from is the option `text`, by default the report.

    `plan.sources` says how it is parted: `tokenizer`, `vocabulary`, `longest`. Words of a single patient's reports are
    not known. Raw outputs are, of each text, minus the log-likelihood, how many pieces it has, and the first of single
    words.
    """

    answer: ClassVar[type[Answer]] = Value
    targets: ClassVar[tuple[str, ...]] = ()
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "minus the log-perplexity"
    needs_target: ClassVar[bool] = False
    net: ClassVar[tuple[str, float]]  # the planned one and its scale

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for reports alone; images are not looked at, where there are any."""
        draft = tables.table(prints)
        draft.set("data.images", ["image"], "no image is looked at")
        draft.set("data.channels", 1, "no image is looked at")
        draft.set("data.channel_names", [], "no image is looked at")
        draft.set("data.normalise", [{"method": "zscore"}], "no image is looked at")
        draft.set("data.dims", 2, "no image is looked at")
        draft.set("net.name", self.net[0], "small enough for a processor")
        draft.set("net.scale", self.net[1], "small enough for a processor")
        draft.set("net.dropout", 0.1, "few texts")
        draft.set("loss.name", OWN, "how likely the text's own pieces are")
        draft.set("task.options.text", REPORT, "what cases have for a text")
        draft.set("infer.batch", 16, "texts of some hundred pieces")
        draft.set("train.batch", 16, "texts of some hundred pieces")
        draft.set("train.members", 1, "a model that others begin from")
        draft.set("train.lr", 2e-3, "usual for small models of language")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Two texts at least."""
        n = sum(any(c.text(name) for name in (REPORT, *c.texts)) for c in cohort.cases)
        return () if n > 1 else (f"at least two cases with a report or another text ({n} found)",)

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return how often each word occurs, and in how many patients' texts."""
        name = str(plan.task.options.get(TEXT, REPORT))
        held = [(text, c.patient or c.id) for c in cases if (text := c.text(name))]
        return count([text for text, _ in held], of=[patient for _, patient in held])

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the tokenizer, and how frequent each piece is. Raises DataError where there are no texts."""
        chosen, name = plan.sources, str(plan.task.options.get(TEXT, REPORT))
        if not summary.parts or not summary.part(OFTEN, Tally).n:
            raise DataError(
                f"no training case has a text '{name}'", hint="--set task.options.text=NAME, or a report"
            )
        learned = tokenizers.learn(chosen.tokenizer, summary, size=chosen.vocabulary, least=LEAST)
        found = chances(summary, tokenizers.load(learned))
        values = {TEXT: name, TOKENIZER: learned, LONGEST: chosen.longest}
        return State(values, {UNIGRAM: np.asarray(found, np.float32)})

    def geometry(self, case: Case, state: State) -> Image | None:
        """Return an image of one point: no image is needed."""
        return BLANK

    def prepare(self, case: Case, plan: Plan, state: State, *, reference: Image) -> Prepared:
        """Return a case without its images."""
        return prepare(replace(case, images={}, reference=None), plan.data, reference=BLANK)

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the numbers of a case's text, BEGIN and END about them, padded to the longest. Raises DataError."""
        text = case.text(state.values[TEXT])
        if text is None:
            raise DataError(f"case {case.id} has no text '{state.values[TEXT]}'")
        tokenizer, most = tokenizer_of(state.values), int(state.values[LONGEST])
        found = [tokenizer.begin, *tokenizer.encode(text), tokenizer.end][:most]
        tokens = np.full(most, tokenizer.pad, np.int64)
        tokens[: len(found)] = found
        return Example(case.id, {}, tokens=tokens)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Return texts as one batch, as long as the longest of them."""
        batch = collate(examples)
        if batch.tokens is None:
            return batch
        longest = int((batch.tokens != tokenizers.PAD).sum(1).max())
        return replace(batch, tokens=batch.tokens[:, : max(2, longest)])

    def outside(self, case: Case, state: State) -> tuple[str, ...]:
        """Return what of the text is not read, or not known."""
        return outside(case, {state.values[TEXT]: state.values})

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned net that knows the words. Raises PlanError where it has room for fewer pieces."""
        net = self.net_of(plan, tokenizer_of(state.values).size, nets)
        if net.longest < plan.sources.longest:
            raise PlanError(
                f"net '{plan.net.name}' has room for {net.longest} pieces",
                found=f"sources.longest={plan.sources.longest}",
                hint="--set net.options.longest, or a smaller sources.longest",
            )
        return self.model(net, state)

    def net_of(self, plan: Plan, words: int, nets: Nets) -> Any:
        """Return the planned net."""
        raise NotImplementedError

    def model(self, net: Any, state: State) -> nn.Module:
        """Return the net with what is asked of it."""
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return minus the mean log-likelihood of a piece."""
        return {"words": model.learned(batch.tokens, generator)}  # type: ignore[operator]

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return `(B, 3)`: minus the log-likelihood of each text, its pieces, and the first of single words."""
        found: Tensor = model(batch.tokens)
        return found

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Answer:
        """Return the text's perplexity, and beside it that of single words."""
        mean = np.asarray(raw, np.float64).mean(axis=0)
        each = [float(np.exp(min(mean[k] / max(mean[1], 1.0), 50.0))) for k in (0, 2)]
        named = f"perplexity of the text '{state.values[TEXT]}'"
        return Value(
            x=each[0], quantity=named, least=1.0, parts={SINGLE: Value(x=each[1], quantity=named, least=1.0)}
        )

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the log of the perplexity."""
        return raw[:, 0] / raw[:, 1].clamp_min(1.0)

    def score(self, raw: Any, example: Example, state: State) -> Mapping[str, Any] | None:
        """Return minus the log of the perplexity."""
        mean = np.asarray(raw, np.float64).reshape(-1, 3).mean(axis=0)
        return {self.primary: -float(mean[0] / max(mean[1], 1.0))}

    def calibrate(
        self,
        raw: Sequence[Array],
        truths: Sequence[Any],
        *,
        state: State,
        plan: Plan,
        patients: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Return the perplexity over all validation texts, that of single words, and the interval of both, by patients.

        They stand in the bundle, so that whoever begins from it sees what was learned.
        """
        rows = np.stack([np.asarray(r, np.float64).reshape(-1, 3).mean(axis=0) for r in raw])
        return validated(rows, patients)


def validated(rows: Array, patients: Sequence[str] | None) -> dict[str, Any]:
    """Return perplexities of texts `(N, 3)` with 95 % intervals, by resampling patients; of their quotient, too."""
    names = [str(k) for k in range(len(rows))] if patients is None else [str(p) for p in patients]
    place = {p: k for k, p in enumerate(dict.fromkeys(names))}
    sums = np.zeros((len(place), 3))
    np.add.at(sums, [place[p] for p in names], rows)
    draw = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    several = np.concatenate([sums.sum(0)[None], sums[draw].sum(1)])
    own = np.exp(several[:, 0] / several[:, 1])
    single = np.exp(several[:, 2] / several[:, 1])
    found: dict[str, Any] = {"texts": len(rows), "patients": len(sums), "pieces": int(rows[:, 1].sum())}
    for name, each in (("perplexity", own), (SINGLE, single), ("quotient", own / single)):
        low, high = np.quantile(each[1:], [0.025, 0.975])
        found[name] = {"value": float(each[0]), "low": float(low), "high": float(high)}
    return found
