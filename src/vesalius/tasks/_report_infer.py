"""What `report` says of a batch: what is found, the texts that may be written, and where each sentence looked.

A text is written without gradients, and then read once by the model that wrote it: so gradients reach the probability
of each sentence, and what is looked at for each word is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vesalius.core.errors import PlanError
from vesalius.language.generate import generate
from vesalius.language.tokenizers import Tokenizer
from vesalius.prepare.batch import Batch
from vesalius.tasks._report_findings import said_of
from vesalius.tasks._report_measured import MEASURED
from vesalius.tasks._report_raw import THERE, Layout
from vesalius.tasks._report_said import called_of, evidence_of
from vesalius.tasks._report_text import filled
from vesalius.tasks._reporter import Found, Reporter, Seen, chances_of

Text = tuple[int, ...]


def rows(model: Reporter, batch: Batch) -> Tensor:
    """Return rows `(B, R)` as `_report_raw.py` lays them out. Raises PlanError where a graph is to be made of it."""
    if torch.compiler.is_exporting():
        raise PlanError(
            "no graph can be made of a model that writes",
            found="task report: each word follows from those before it",
            hint="the bundle itself, with the runtime torch",
        )
    seen = model.see(batch)
    found = model.find(seen)
    chances = chances_of(found.figures)
    told, memory = model.told_of(chances), model.memory_of(seen, chances)
    texts = written(model, memory.detach(), None if told is None else told.detach(), found.figures.detach())
    many = len(texts[0])
    about = Layout(model.findings, many, model.known.words.length, model.known.sentences, seen.grid)
    b = len(seen.regions)
    head = seen.regions.new_tensor(about.head()).expand(b, -1)
    measured = batch.vectors.get(MEASURED)
    if measured is None:
        measured = seen.regions.new_zeros(b, model.findings)
    parts = [head, found.figures.flatten(1).float(), measured.float(), found.looked.flatten(1).float()]
    for w in range(many):
        parts.append(_told(model, [row[w] for row in texts], seen, found, (memory, told), about))
    return torch.cat(parts, dim=1)


def written(model: Reporter, memory: Tensor, told: Tensor | None, figures: Tensor) -> list[list[Text]]:
    """Return of each row the texts that may be written: one, or with `constrained` one for each round."""
    room = model.known.words.length - 2
    tokenizer = model.tokenizer

    def write(keep: Sequence[int], bans: Sequence[dict[Text, set[int]]] = (), beams: int = 1) -> list[Text]:
        def allowed(row: int, said: Sequence[int]) -> list[int] | None:
            banned = bans[row].get(tuple(said)) if bans else None
            return (
                None
                if not banned
                else [t for t in range(tokenizer.size) if t not in {*banned, *never(tokenizer)}]
            )

        place = torch.tensor(list(keep), device=memory.device)
        made = generate(
            model.writer,
            memory[place],
            findings=None if told is None else told[place],
            prompt=(tokenizer.begin,),
            end=tokenizer.end,
            never=never(tokenizer),
            longest=room,
            beams=beams,
            allowed=allowed if bans else None,
        )
        return [one.ids for one in made]

    every = range(len(memory))
    first = write(every, beams=model.beams if model.decode == "beam" else 1)
    texts = [[text] for text in first]
    if model.decode != "constrained":
        return texts
    bans: list[dict[Text, set[int]]] = [{} for _ in every]
    for _ in range(model.beams - 1):
        wrong = {
            k: start for k in every if (start := first_wrong(model, texts[k][-1], figures[k])) is not None
        }
        for k, start in wrong.items():
            text = texts[k][-1]
            bans[k].setdefault(text[:start], set()).add(text[start])
        again = dict(zip(wrong, write(list(wrong), [bans[k] for k in wrong]), strict=True)) if wrong else {}
        for k in every:
            texts[k].append(again.get(k, texts[k][-1]))
    return texts


def never(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the tokens that no report holds."""
    return (tokenizer.pad, tokenizer.begin, tokenizer.unknown, tokenizer.mask)


def first_wrong(model: Reporter, text: Text, figures: Tensor) -> int | None:
    """Return where the first sentence begins that what is found does not bear out; None where all are borne out.

    What is found is called as the answer calls it, by the calibration that the model was told: by one half where none
    is fitted yet, and of several members by what this one found.
    """
    known = model.known
    row = figures.float().cpu().numpy()
    _, _, called = called_of([row[:, THERE]], known, model.calibration)
    findings = said_of(row, row[:, THERE] * 0, called, known.abouts)
    sizes = {f.name: f.size_mm for f in findings if f.size_mm is not None}
    sections, _ = filled(known.words.text(text), known.read, sizes)
    places = known.words.places(text)
    for k, one in enumerate(evidence_of(sections, findings, known)):
        if one.supported is False and k in places:
            return places.index(k)
    return None


def _told(
    model: Reporter,
    texts: Sequence[Text],
    seen: Seen,
    found: Found,
    looked_at: tuple[Tensor, Tensor | None],
    about: Layout,
) -> Tensor:
    """Return `(B, C)` of one candidate of each row: tokens, what sentences are worth, and where they looked.

    `looked_at` are the memory and the findings that the writer attends to.
    """
    tokenizer, b = model.tokenizer, len(texts)
    longest = max(len(t) for t in texts) + 1
    device = seen.regions.device
    given = torch.full((b, longest), tokenizer.pad, device=device)
    wanted = given.clone()
    sentence = torch.full((b, longest), -1, device=device)
    for k, text in enumerate(texts):
        n = len(text)
        given[k, : n + 1] = torch.tensor([tokenizer.begin, *text], device=device)
        wanted[k, : n + 1] = torch.tensor([*text, tokenizer.end], device=device)
        place = model.known.words.places(text)
        sentence[k, : n + 1] = torch.tensor([*place, place[-1] if place else 0], device=device)
    hidden, _, attention = model.writer(given, looked_at[0], findings=looked_at[1])
    each = model.writer.logits(hidden).float().log_softmax(dim=-1).gather(2, wanted[..., None])[..., 0]
    member = (sentence[..., None] == torch.arange(about.sentences, device=device)).float()  # (B, L, N)
    worth = torch.einsum("bl,bln->bn", each, member)
    total = (each * (sentence >= 0)).sum(dim=1, keepdim=True)
    looks = seen.regions.new_zeros(b, about.sentences, about.regions)
    if attention is not None:
        looks = torch.einsum("bls,bln->bns", model.looks(attention, seen, found).float(), member)
        looks = looks / looks.sum(dim=2, keepdim=True).clamp_min(1e-12)
    tokens = torch.full((b, about.tokens), tokenizer.pad, device=device)
    tokens[:, : longest - 1] = wanted[:, : longest - 1]
    length = torch.tensor([[len(t)] for t in texts], device=device)
    return torch.cat([tokens.float(), worth, total, length.float(), looks.flatten(1).float()], dim=1)
