"""Quantising: weights and activations as eight-bit integers, calibrated on training cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from vesalius.compress.contract import ONNX, Source, Variant, Way
from vesalius.compress.graphing import SHOWN, Arrays, as_graphs, lacking, runtime_lacking
from vesalius.compress.learning import Clock, loaded, recipe_of, tuned
from vesalius.compress.quantising.integers import by_weights, in_matrices, quantised
from vesalius.compress.quantising.sensitive import mixed
from vesalius.compress.ways.prune import TRAINED
from vesalius.core.errors import PlanError
from vesalius.core.progress import Progress
from vesalius.core.words import counted, listed
from vesalius.infer.graphs import Graph

NAMES = {
    "quantise-static": "Eight-bit integers, with ranges of activations from training cases",
    "quantise-dynamic": "Eight-bit matrices; what is multiplied with them is measured as it comes, and nothing shown",
    "quantise-mixed": "Eight-bit integers but for the layers that are most sensitive to rounding",
    "quantise-aware": "Eight-bit integers, after a short training in which weights learn to be rounded",
}
STEPS, RATE = 0.1, 0.1  # of the original's steps and learning rate, for quantise-aware
MATRICES = 0.5  # of the weights, at least, for quantise-dynamic to be worth a try


class Static(Way):
    """Integers everywhere."""

    name: ClassVar[str] = "quantise-static"
    cost: ClassVar[float] = 1.0

    def suits(self, source: Source) -> str:
        """Return which library is missing."""
        return lacking("nncf", "onnxruntime") or runtime_lacking()

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the members as graphs of integers."""
        changed = (
            "Weights are eight-bit integers with a scale a channel, activations with one each; their ranges are those "
            f"of at most {counted(SHOWN, 'training case')} a member.",
        )
        return as_graphs(source, quantised, way=self.name, to=to, progress=progress, changed=changed)


class Dynamic(Way):
    """Integers in matrices alone."""

    name: ClassVar[str] = "quantise-dynamic"
    cost: ClassVar[float] = 1.2

    def suits(self, source: Source) -> str:
        """Return which library is missing, or that the model has hardly any matrices."""
        from torch import nn

        gone = lacking("onnxruntime")
        if gone:
            return gone
        sizes = {True: 0, False: 0}
        for module in source.model.members[0].module.modules():
            weight = getattr(module, "weight", None)
            if weight is not None and weight.ndim > 1:
                sizes[isinstance(module, nn.Linear)] += weight.numel()
        share = sizes[True] / max(sum(sizes.values()), 1)
        return (
            ""
            if share >= MATRICES
            else f"only {share:.0%} of its weights are matrices, others are convolutions"
        )

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the members as graphs whose matrices are integers."""

        def change(graph: Graph, arrays: Arrays) -> Graph:
            if in_matrices(graph) < MATRICES:
                raise PlanError(
                    "hardly any weights of this graph are matrices", hint="--ways quantise-static"
                )
            return by_weights(graph)

        changed = ("Matrices are eight-bit integers; what is multiplied with them is rounded as it comes.",)
        return as_graphs(
            source, change, way=self.name, to=to, progress=progress, changed=changed, only=(ONNX,)
        )


class Mixed(Way):
    """Integers where these hardly move the answers."""

    name: ClassVar[str] = "quantise-mixed"
    cost: ClassVar[float] = 3.0

    def suits(self, source: Source) -> str:
        """Return which library is missing."""
        return lacking("nncf", "onnxruntime") or runtime_lacking()

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the members as graphs of integers, their most sensitive layers left in single precision."""
        said: list[str] = []

        def change(graph: Graph, arrays: Arrays) -> Graph:
            found, kept, left = mixed(graph, arrays)
            said.append(
                f"{counted(len(kept), 'layer')} in single precision ({listed(kept, 4) or 'none'}); answers to training "
                f"cases move by {left:.2%}."
            )
            return found

        made = as_graphs(source, change, way=self.name, to=to, progress=progress, changed=said)
        return made


class Aware(Way):
    """Integers everywhere, after the weights learned to be rounded."""

    name: ClassVar[str] = "quantise-aware"
    cost: ClassVar[float] = 20.0

    def suits(self, source: Source) -> str:
        """Return which library is missing, or that nothing trains its kind of model on."""
        recipe = source.model.plan.train.recipe
        if recipe not in TRAINED:
            return f"it was trained by the recipe {recipe}, and this goes on with the loss of the task alone"
        return WAYS["quantise-static"].suits(source)

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the members as graphs of integers, each trained on for a tenth of its steps before that."""
        plan = source.model.plan
        steps = max(1, round(STEPS * plan.train.steps))
        compares = recipe_of(source)["train.recipe"] == "distil"
        settings = {
            "train.recipe": "rounded",
            "train.recipe_options": {} if compares else {"weight": 0.0},
            "train.steps": steps,
            "train.lr": RATE * plan.train.lr,
        }
        clock, members = Clock(source.until), []
        for one in source.model.members:
            weights = tuned(
                source,
                plan,
                source.model.state,
                one.number,
                start=dict(one.module.state_dict()),
                teacher=one.module,
                settings=settings,
                name=self.name,
                to=to,
                progress=progress,
                deadline=clock.deadline(1.0),
            )
            members.append(replace(one, module=loaded(one.module, weights)))
        trained = replace(source, model=replace(source.model, members=tuple(members)))
        changed = (
            f"Each member was trained on for {counted(steps, 'step')} with its weights, and what enters its layers, "
            "rounded to eight bits, then brought to eight-bit integers.",
        )
        return as_graphs(trained, quantised, way=self.name, to=to, progress=progress, changed=changed)


WAYS = {one.name: one for one in (Static(), Dynamic(), Mixed(), Aware())}
