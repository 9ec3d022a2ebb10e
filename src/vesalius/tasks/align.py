"""What do images show, in words? Images and their reports in one space, in which words can be asked and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core import platt
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.moments import Moments
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.language import counting, tokenizers
from vesalius.plan import whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo, backward, resample
from vesalius.tasks import _claims, _prompts
from vesalius.tasks._labels import labels_of, names_of
from vesalius.tasks._sources import text_of
from vesalius.tasks.contract import Nets, Sampler, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"align": "Images and their reports in one space: findings asked for in words, and images found by words"}
OPTIONS = {
    "terms": "",
    "tokenizer": "words",
    "words": 4000,
    "width": 128,
    "sentences": 16,
    "length": 48,
    "maps": 3,
    "least": 2,
}
VOCABULARIES = ("chest", "ct", "breast")
TEXT = "text"  # the further net
FEW = 5  # validation cases with and without a label from which its probability is calibrated


class Align(Task):
    """Contrastive learning of images and the sentences of their reports; the answer is a probability for each finding.

    An image is held against whole reports and against sentences, and each of its places against words, so that words
    can be pointed at. Cases of equal findings are no negatives of one another, and a sentence that is true of an image
    is none of its negatives, whoever wrote it. A target of labels is never learned from: where there is one it says what
    is in the images, for calibration and figures.

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
        n = sum(bool(c.images) and text_of(c, "report") is not None for c in cohort.cases)
        return () if n >= 4 else (f"an image and a report for at least four cases ({n} found)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse several members, flips, and sizes that hold no text."""
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
        option = plan.task.options.get("terms") or ""
        held = [(c, text_of(c, "report")) for c in cases]
        pairs = [(c, text) for c, text in held if text is not None]
        known: dict[str, Statistics] = {}
        sizes = Moments()
        for name in (str(option),) if option else VOCABULARIES:
            terms = _claims.terms_of(name)
            each = [(c, _claims.sentences_of(text, terms)) for c, text in held]
            sizes = Moments.of(float(len(s)) for _, s in each if s)
            labels = _labels(target, terms)
            truths = [_claims.held(c, s, labels, target.name if target else None)[0] for c, s in each]
            known[name] = Statistics(
                {
                    "named": Tally.of_each([f.name for one in s for f in one.findings] for _, s in each),
                    "there": Tally.of_each(_claims.there(t, labels) for t in truths),
                    "absent": Tally.of_each(
                        [n for n, code in zip(labels, t.tolist(), strict=True) if code <= 0] for t in truths
                    ),
                }
            )
        return Statistics(
            {
                "words": counting.count([t for _, t in pairs], of=[c.patient or c.id for c, _ in pairs]),
                "known": Statistics(known),
                "sizes": sizes,
            }
        )

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the tokenizer, the findings that can be asked for, and the prompts of each."""
        options = {**OPTIONS, **plan.task.options}
        learned = tokenizers.learn(
            str(options["tokenizer"]),
            summary.part("words", Statistics),
            size=int(options["words"]),
            least=int(options["least"]),
        )
        tokenizer = tokenizers.load(learned)
        known = summary.part("known", Statistics)
        each = {name: known.part(name, Statistics) for name in known.parts}
        terms = max(each, key=lambda name: sum(each[name].part("named", Tally).counts.values()))
        found = each[terms]
        there, absent = found.part("there", Tally), found.part("absent", Tally)
        least = int(options["least"])
        every = _labels(target, _claims.terms_of(terms))
        names = [n for n in every if target is not None or min(there[n], absent[n]) >= least]
        if not names:
            raise DataError(
                "the reports name no finding that some images show and others do not",
                found=f"terms '{terms}'",
                hint="--set task.options.terms=NAME, or a target of labels (--target NAME)",
            )
        return State(
            {
                **({"target": target.name} if target else {}),
                "terms": terms,
                "tokenizer": learned,
                "labels": [{"value": k, "name": n} for k, n in enumerate(names)],
                "prompts": {
                    n: _prompts.learned(n, _prompts.words_for(n, terms), tokenizer) for n in names
                },
                "share": _claims.shares({n: there[n] for n in names}, there.n),
                "sentences": int(min(options["sentences"], max(1.0, summary.part("sizes", Moments).high))),
                "length": int(options["length"]),
                "width": int(options["width"]),
                "maps": int(options["maps"]),
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the image beside the sentences of its report, what each says, and what is truly in the image."""
        values = state.values
        example = Example(case.id, {"image": prepared.array}, patient=case.patient)
        terms = _claims.terms_of(values["terms"])
        found = _claims.sentences_of(text_of(case, "report"), terms)
        if not found:
            return example
        names, many, length = names_of(state), int(values["sentences"]), int(values["length"])
        truth, _ = _claims.held(case, found, names, values.get("target"))
        first = sorted(found, key=lambda s: not s.findings)[:many]
        tokenizer = tokenizers.load(values["tokenizer"])
        tokens = np.full((many, length), -1, np.int64)
        said, keys = np.zeros((many, len(names)), np.int8), np.zeros(many, np.int64)
        for k, one in enumerate(first):
            tokens[k] = _prompts.tokens_of(one.text, tokenizer, length)
            said[k], keys[k] = _claims.said(one.findings, names), _claims.key_of(one.text)
        whole = np.array([_claims.key_of(" ".join(s.text for s in found))], np.int64)
        return replace(
            example, tokens=tokens, ragged={"said": said, "keys": keys, "held": truth, "report": whole}
        )

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler | None:
        """Return what draws batches in which no two reports are equal, as far as there are so many different ones."""
        return _Different([int(e.ragged["report"][0]) if e.ragged else 0 for e in examples], plan.train.batch)

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
        """Return of each label how much likelier it is said than denied, then so of each place: `(B, K, 1 + z, y, x)`."""
        raw: Tensor = model(batch.images["image"])
        return raw

    def image_vectors(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the unit vectors `(B, D)` of images."""
        return model.sees(batch.images["image"])[0]  # type: ignore[operator, no-any-return]

    def word_vectors(self, model: nn.Module, texts: Sequence[str], state: State) -> Tensor:
        """Return the unit vectors `(N, D)` of texts: of several sentences, the direction of their mean."""
        from vesalius.tasks._aligning import vectors_of

        return vectors_of(model, texts, state)

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
        mean = np.asarray(raw, np.float64).reshape(-1, *np.shape(raw)[-4:]).mean(axis=0)  # (K, 1 + z, y, x)
        names, fitted = names_of(state), calibration.get("platt", {})
        p = np.array([platt.apply(fitted.get(n), z) for n, z in zip(names, mean[:, 0, 0, 0], strict=True)])
        thresholds = {n: float(calibration.get("thresholds", {}).get(n, 0.5)) for n in names}
        bare = [n for n in names if n not in fitted]
        told = () if not bare or not calibration else (_uncalibrated(bare),)
        first = [int(k) for k in np.argsort(-p, kind="stable")[: int(state.values["maps"])]]
        return Scores(
            labels=labels_of(state),
            p=p,
            kind="multilabel",
            thresholds=thresholds,
            outside=told or None,
            parts={names[k]: _map(mean[k, 1:], names[k], reference, undo) for k in first},
        )

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return how much likelier a finding is said than denied."""
        return raw[:, ask.place, 0, 0, 0]

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return a slope and an offset for each label that FEW validation cases have and FEW have not."""
        from vesalius.core import calibration as calibrations

        known = [(np.asarray(r), t) for r, t in zip(raw, truths, strict=True) if t is not None]
        fitted, thresholds = {}, {}
        for k, name in enumerate(names_of(state)):
            z = np.array([r.reshape(-1, *r.shape[-4:])[:, k, 0, 0, 0].mean() for r, _ in known])
            so = np.array([name in t for _, t in known], dtype=bool)
            if min(so.sum(), (~so).sum()) < FEW:
                continue
            fitted[name] = platt.fit(z, so)
            p = np.array([platt.apply(fitted[name], value) for value in z])
            thresholds[name] = calibrations.threshold(p, so)
        return {"platt": fitted, "thresholds": thresholds}

    def calibrated(self, raw: Tensor, state: State, calibration: Mapping[str, Any]) -> Tensor:
        """Return the probabilities `(B, K)`, as answers have them."""
        import torch

        mean = raw[..., 0, 0, 0].mean(dim=1)  # (B, K)
        lines = [calibration.get("platt", {}).get(n) or platt.NONE for n in names_of(state)]
        slope, offset = (torch.tensor([line[k] for line in lines]).to(raw) for k in (0, 1))
        return (slope * mean + offset).sigmoid()

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return how often each finding is there in training, whatever the image shows."""
        return Scores(labels=labels_of(state), p=np.asarray(state.values["share"], np.float64), kind="multilabel")

    def truth(self, case: Case, state: State) -> tuple[str, ...] | None:
        """Return the findings that are truly there: as the data say of the images, else as the report says.

        What a report does not name counts as absent here. None where nothing is known.
        """
        names = names_of(state)
        found = _claims.sentences_of(text_of(case, "report"), _claims.terms_of(state.values["terms"]))
        codes, source = _claims.held(case, found, names, state.values.get("target"))
        return _claims.there(codes, names) if source else None


class _Different:
    """Draws the places of a batch: a new order each step, of equal reports the first alone while there are others."""

    def __init__(self, keys: Sequence[int], batch: int) -> None:
        self.keys, self.batch = keys, batch

    def __call__(self, step: int, generator: torch.Generator) -> list[int]:
        import torch

        order = torch.randperm(len(self.keys), generator=generator).tolist()
        seen: set[int] = set()
        first, later = [], []
        for k in order:
            (later if self.keys[k] in seen else first).append(k)
            seen.add(self.keys[k])
        chosen = [*first, *later][: self.batch]
        return chosen + [chosen[k % len(chosen)] for k in range(self.batch - len(chosen))]


def _labels(target: TargetInfo | None, terms: Any) -> list[str]:
    """Return the labels of a target, or the names of all terms."""
    return [x.name for x in target.labels] if target else [t.name for t in terms.terms]


def _assert_reads(text: Any, words: int, length: int) -> None:
    """Raise PlanError where a text net has fewer words or places than the reports need."""
    if text.longest < length or text.words < words:
        raise PlanError(
            "the text net is too small for the reports",
            found=f"{text.words} words and {text.longest} places for {words} and {length}",
            hint="--set task.options.words=N, task.options.length=N, or a larger net",
        )


def _uncalibrated(names: Sequence[str]) -> str:
    said = ", ".join(f"'{n}'" for n in names)
    return f"not calibrated, as validation tells too little of it: the probability of {said}"


def _map(field: Array, name: str, reference: Image, undo: Undo | None) -> Map:
    """Return a field of places `(z, y, x)` on the reference's grid."""
    shape = reference.shape if undo is None else undo.shape
    fine = resample(field[None].astype(np.float32), shape)
    array = fine if undo is None else backward(fine, undo)
    image = Image(
        array,
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
    return Map(image=image, quantity=f"how much better each place fits '{name}' than its denial", unit="cosine")


TASK = Align()
