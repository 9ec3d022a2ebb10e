"""Fitting: which methods of explanation can explain a model's answers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vesalius.answers import contract as answers
from vesalius.core.registry import names
from vesalius.explain import methods
from vesalius.explain.contract import Method, PartMethod
from vesalius.infer.predictor import Predictor
from vesalius.plan.tables import IMAGELESS


def explainers_of(predictor: Predictor) -> tuple[str, ...]:
    """Return the methods that can explain a model's answers, where anything can be asked of these; maps come first.

    A model of a table alone has no map.
    """
    last = predictor.stages[-1]
    if not answers.of(last.task.answer.__name__).asks:
        return ()
    state, bare = last.stage.state, bool(last.stage.plan.fingerprint.get(IMAGELESS))
    columns = last.task.features(state)
    each = {name: methods.get(name) for name in names(methods.KIND)}
    maps_first = sorted(each, key=lambda name: not isinstance(each[name], Method))
    return tuple(n for n in maps_first if _fits(each[n], last.models, columns, bare=bare))


def _fits(
    method: Method | PartMethod, models: Sequence[nn.Module], columns: Sequence[str], *, bare: bool
) -> bool:
    if isinstance(method, Method):
        return not bare and all(map(method.suits, models))
    return all(method.suits(model, columns) for model in models)
