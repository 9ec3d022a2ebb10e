"""Subsets: the answers to one case with some of its sources left out, as a model of several sources answers them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.groups import fitted_for
from vesalius.infer import runs
from vesalius.infer.asked import decoded
from vesalius.infer.predictor import Predictor
from vesalius.prepare.batch import Example, repeated

COVARIATES = "covariates"


class Subsets:
    """A case that can be answered without some of its sources; it is read and prepared once.

    `names` are the sources that the model knows, `there` those that the case has. Raises what answering it raises.
    """

    def __init__(self, predictor: Predictor, case: Case) -> None:
        self.case, self.stage, self.members = case, predictor.stages[-1].stage, predictor.last
        self.encoded = predictor.encoded(case)
        self.names = self.members.task.sources(self.stage.state)

    @property
    def example(self) -> Example:
        """The case as the model is given it."""
        return self.encoded.example

    @cached_property
    def there(self) -> frozenset[str]:
        """The sources that the case has."""
        held = {*self.example.images, *self.example.courses, *self.example.vectors}
        held |= {COVARIATES} if self.example.covariates is not None else set()
        return frozenset(held & set(self.names))

    def answers(self, kept: Sequence[frozenset[str]]) -> list[Answer]:
        """Return the calibrated answers to the case with these sources alone, of those that it has."""
        task, found = self.members.task, []
        run, size = runs.get(task.run), max(self.members.plan.infer.batch, 1)
        fitted = fitted_for(self.stage.calibration, self.case)
        with torch.inference_mode():
            known = task.collate([self.example]).to(self.members.device)
            for first in range(0, len(kept), size):
                some = kept[first : first + size]
                out = {
                    name: torch.tensor([name not in one for one in some], device=self.members.device)
                    for name in self.there
                }
                batch = task.without(self.members.models[0], repeated(known, len(some)), out)
                generator = torch.Generator(device="cpu").manual_seed(0)
                for raw in run.together(self.members, batch, generator).float().cpu().numpy():
                    found.append(
                        decoded(
                            task,
                            raw,
                            self.stage.state,
                            fitted,
                            self.encoded.reference,
                            undo=self.encoded.undo,
                            case=self.case.id,
                        )
                    )
        return found
