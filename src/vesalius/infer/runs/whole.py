"""The case at once: everything that is known of it goes through the model in one pass, beside other cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor

from vesalius.core.case import Case
from vesalius.core.seeds import seed_of
from vesalius.infer.runs.contract import Members, Run, Told, views
from vesalius.infer.session import STREAM, Answering, Session
from vesalius.infer.streaming import Streaming
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.geometry import Undo

SAMPLING = "whole"


class Whole(Run):
    """Cases go through the models in batches; raw answers are `(M, …)`, one of each member."""

    joins: ClassVar[bool] = True
    apart: ClassVar[bool] = True
    held_out: ClassVar[bool] = True
    streams: ClassVar[bool] = True

    def answer(self, members: Members, example: Example, undo: Undo, *, told: Told | None = None) -> Any:
        """Return the members' raw outputs about one case, `(M, …)`."""
        return next(self.raw(members, [example]))

    def raw(self, members: Members, examples: Sequence[Example]) -> Iterator[Any]:
        """Return the members' raw outputs about each case, `(M, …)`, computed in planned batches."""
        generator = torch.Generator(device="cpu").manual_seed(0)
        size = max(members.plan.infer.batch, 1)
        told = all(e.images or e.covariates is not None for e in examples)
        if not told:  # nothing but the case's id tells their answers apart
            size = 1
        for k in range(0, len(examples), size):
            chosen = examples[k : k + size]
            if not told:
                generator.manual_seed(seed_of(chosen[0].case_id))
            with torch.inference_mode():
                batch = members.task.collate(chosen).to(members.device)
                rows = self.together(members, batch, generator).cpu().numpy()
            yield from rows

    def together(self, members: Members, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the raw outputs of each model about a batch, `(B, M, …)`."""
        outs = []
        for model in members.models:
            with nullcontext() if members.weighing is None else members.weighing.over(model):
                outs.append(views(self, members, model, batch, generator).float())
        if members.weighing is not None:
            members.weighing.told(batch.rows)
        return torch.stack(outs, dim=1)

    def open(self, predictor: Answering, case: Case) -> Session:
        """Return a session that keeps what models remember of frames so far, where they can; else as of any run."""
        if predictor.over_frames == STREAM:
            return Streaming(predictor, case)
        return super().open(predictor, case)


RUN = Whole()
