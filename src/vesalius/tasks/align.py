"""What do images show, in words? Images and their reports in one space, in which words can be asked and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core import platt
from vesalius.core.answers import Answer
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.language import tokenizers
from vesalius.plan import whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks import _align_answer, _align_state, _claims, _prompts
from vesalius.tasks._different import Different
from vesalius.tasks._labels import labels_of, names_of
from vesalius.tasks.contract import Nets, Sampler, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {
    "align": "Images and their reports in one space: findings asked for in words, and images found by words"
}
OPTIONS = {
    "terms": "",
    "pairs": "report",
    "tokenizer": "words",
    "words": 4000,
    "width": 128,
    "sentences": 16,
    "length": 48,
    "maps": 3,
    "least": 2,
}
TEXT = "text"  # the further net
USUAL = "usual"  # in the arrays of a state


class Align(Task):
    """Contrastive learning of images and the sentences of their reports; the answer is a probability for each finding.

    An image is held against whole reports and against sentences, and each of its places against words, so that words
    can be pointed at. Cases of equal findings are no negatives of one another, and a sentence that is true of an image
    is none of its negatives, whoever wrote it. What is true is said by rules that read the reports (the option `pairs`:
    `report`), by what is known of the images (`known`: findings, or a target of labels), or by each report's owner
    alone (`own`). Calibration and figures go by what is known, and by the reports where nothing is.

    Radford et al.: CLIP, arXiv:2103.00020; Zhang et al.: ConVIRT, arXiv:2010.00747; Huang et al.: GLoRIA, ICCV 2021;
    Tiu et al.: CheXzero, 2022, for pairs of a prompt and its denial.
    """

    name: ClassVar[str] = "align"
    answer: ClassVar[type[Answer]] = Scores
    targets: ClassVar[tuple[str, ...]] = ("multilabel",)
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    nets: ClassVar[Mapping[str, tuple[str, ...]]] = {TEXT: ("text",)}
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "auc"
    needs_target: ClassVar[bool] = False

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images beside short texts."""
        draft = Draft()
        whole.images(draft, prints, machine)
        whole.encoder(draft, machine)
        draft.set("net.dropout", 0.0, "pairs of a batch regularise enough")
        draft.set("loss.name", "contrastive", "images are told apart by what is said of them")
        whole.augmentation(draft, prints)
        draft.set("augment.flip_axes", [], "reports name sides")
        whole.batches(draft, prints)
        draft.set("infer.mirror", [], "reports name sides")
        draft.set("train.batch", 32 if prints.flat else 8, "each image is held against the others' sentences")
        draft.set("train.members", 1, "vectors of several nets are not comparable")
        draft.set("train.lr", 1e-3, "usual for small nets from nothing")
        draft.set("nets.text.name", "textformer", "it needs no library; bert reads published weights")
        draft.set("nets.text.scale", 0.5, "reports use few words")
        draft.set("nets.text.dropout", 0.1, "few reports")
        draft.set("nets.text.options", {"layers": 2, "longest": 128}, "sentences are short")
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Reports beside the images of four cases at least."""
        n = sum(bool(c.images) and c.text() is not None for c in cohort.cases)
        return () if n >= 4 else (f"an image and a report for at least four cases ({n} found)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse several members, images that are flipped or mixed, and pairs that nothing says."""
        pairs = plan.task.options.get("pairs", _align_state.REPORT)
        if pairs not in _align_state.PAIRS:
            raise PlanError(
                "task.options.pairs says no way to tell pairs",
                found=repr(pairs),
                hint=", ".join(_align_state.PAIRS),
            )
        if plan.train.members > 1:
            raise PlanError(
                "vectors of several nets are not comparable",
                found=f"train.members={plan.train.members}",
                hint="--set train.members=1",
            )
        if "x" in plan.augment.flip_axes or plan.augment.mixup:
            raise PlanError(
                "reports name sides, and speak of one image",
                found=f"augment.flip_axes={list(plan.augment.flip_axes)}, augment.mixup={plan.augment.mixup:g}",
                hint="--set augment.flip_axes=[] --set augment.mixup=0",
            )

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return the words of the reports by patient, how long they are, and which findings are named and are there."""
        return _align_state.summary(cases, target, plan)

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the tokenizer, the findings that can be asked for, and the prompts of each."""
        return _align_state.state(summary, target, plan, {**OPTIONS, **plan.task.options})

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the image beside the sentences of its report, what each says, and what is truly in the image."""
        return _align_state.encode(case, prepared, state)

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler | None:
        """Return what draws batches in which no two reports are equal, as far as there are so many different ones."""
        return Different([int(e.ragged["whole"][0]) if e.ragged else 0 for e in examples], plan.train.batch)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return both nets, their projections, and the tokens of the prompts."""
        import torch

        from vesalius.tasks._aligned import Aligned

        values = state.values
        tokenizer, length = tokenizers.load(values["tokenizer"]), int(values["length"])
        text = planned_net(plan, nets, TEXT, channels=tokenizer.size)
        _assert_reads(text, tokenizer.size, length)
        return Aligned(
            planned_net(plan, nets),
            text,
            losses.build(plan.loss.name, smoothing=plan.loss.smoothing, options=plan.loss.options),
            size=plan.data.size,
            usual=None if USUAL not in state.arrays else torch.from_numpy(state.arrays[USUAL].copy()),
            width=int(values["width"]),
            prompts={
                name: torch.from_numpy(_prompts.table(values["prompts"], side, tokenizer, length))
                for name, side in (("asked", "yes"), ("denied", "no"))
            },
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return how badly reports and their sentences find their images, and the other way round."""
        from vesalius.tasks._aligning import terms_of

        return terms_of(model, batch)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return how much likelier each label is said than denied, and so of each place: `(B, K, 1 + z, y, x)`."""
        raw: Tensor = model(batch.images["image"])
        return raw

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with the vectors that places have on average in training images."""
        from vesalius.tasks._aligning import usual_places

        return State(state.values, {**state.arrays, USUAL: usual_places(model, examples)})

    def image_vectors(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the unit vectors `(B, D)` of images."""
        return model.sees(batch.images["image"])[0]  # type: ignore[operator, no-any-return]

    def word_vectors(self, model: nn.Module, texts: Sequence[str], state: State) -> Tensor:
        """Return the unit vectors `(N, D)` of texts: of several sentences, the direction of their mean."""
        from vesalius.tasks._aligning import vectors_of

        return vectors_of(model, texts, state)

    def unread(self, text: str, state: State) -> tuple[str, ...]:
        """Return the words that no training report had, and those beyond the length at which a sentence is cut."""
        return _prompts.unread(text, tokenizers.load(state.values["tokenizer"]), int(state.values["length"]))

    def asking(self, state: State, words: Sequence[str]) -> State:
        """Return the state that asks for these words in place of what was learned, or for learned labels by name."""
        tokenizer = tokenizers.load(state.values["tokenizer"])
        known = state.values["prompts"]
        found = {}
        for word in dict.fromkeys(words):
            if word not in known:
                _prompts.assert_known(word, tokenizer)
            found[word] = known.get(word) or _prompts.prompts([word])
        share = dict(zip(names_of(state), state.values["share"], strict=True))
        return State(
            {
                **state.values,
                "labels": [{"value": k, "name": n} for k, n in enumerate(found)],
                "prompts": found,
                "share": [share.get(n, 0.5) for n in found],
            },
            state.arrays,
        )

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Scores:
        """Return the probability of each finding, and of the likeliest ones a map of where words fit."""
        return _align_answer.answer(raw, state, calibration, reference, undo)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return how much likelier a finding is said than denied."""
        return raw[:, ask.place, 0, 0, 0]

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return a slope and an offset for each label that FEW validation cases have and FEW have not."""
        return _align_answer.calibration(raw, truths, state)

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the probabilities `(B, K)`, as answers have them."""
        import torch

        mean = raw[..., 0, 0, 0].mean(dim=1)  # (B, K)
        lines = [calibration.get("platt", {}).get(n) or platt.NONE for n in names_of(state)]
        slope, offset = (torch.tensor([line[k] for line in lines]).to(raw) for k in (0, 1))
        return (slope * mean + offset).sigmoid()

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return how often each finding is there in training, whatever the image shows."""
        return Scores(
            labels=labels_of(state), p=np.asarray(state.values["share"], np.float64), kind="multilabel"
        )

    def truth(self, case: Case, state: State) -> tuple[str, ...] | None:
        """Return the findings that are truly there: as the data say of the images, else as the report says.

        What a report does not name counts as absent here. None where nothing is known.
        """
        names = names_of(state)
        terms = _claims.terms_of(state.values["terms"])
        found = _claims.sentences_of(case.text(), terms)
        codes = _claims.held(case, found, names, state.values.get("target"), terms=terms)
        return None if codes is None else _claims.there(codes, names)


def _assert_reads(text: Any, words: int, length: int) -> None:
    """Raise PlanError where a text net has fewer words or places than the reports need."""
    if text.longest < length or text.words < words:
        raise PlanError(
            "the text net is too small for the reports",
            found=f"{text.words} words and {text.longest} places for {words} and {length}",
            hint="--set task.options.words=N, task.options.length=N, or a larger net",
        )


TASK = Align()
