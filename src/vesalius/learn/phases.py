"""Phases of a member's training: which one a step lies in, and which parts of a model are frozen in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import PhasePlan
from vesalius.core.words import listed
from vesalius.learn.layers import depths_of, outer_nets

ENCODER = "encoder"  # in a plan: what the net sees images with, whatever it is called in the model
HOW_MANY = "encoder:4 (the depths nearest to the input), encoder:-2 (all but the deepest two) or encoder:75%"


@dataclass(frozen=True)
class Span:
    """Where a phase lies: the position that it begins at and how many steps it has, in steps of the first course."""

    number: int
    begin: int
    steps: int


def span_at(position: float, phases: Sequence[PhasePlan], steps: int) -> Span:
    """Return the phase that a position of the course lies in, where the course has that many `steps` at first."""
    begin, share = 0, 0.0
    for number, phase in enumerate(phases):
        share += phase.share
        end = steps if number == len(phases) - 1 else round(share * steps)
        if position < end or number == len(phases) - 1:
            return Span(number, begin, max(1, end - begin))
        begin = end
    raise ValueError("a plan without phases")


def frozen_parts(model: nn.Module, names: Iterable[str]) -> tuple[str, ...]:
    """Return the model's own names of the parts that a phase freezes.

    `encoder` stands for what the net sees images with, `encoder:4`, `encoder:-2` or `encoder:75%` for its depths
    nearest to the input; other names are parts of the model (`net.stem`). Raises PlanError for a net that does not say
    which part that is, and where nothing would be left to learn; UnknownName for a part that is not there.
    """
    found: list[str] = []
    for name in names:
        kind, given, many = name.partition(":")
        if name == ENCODER:
            found += _encoder(model)
        elif kind == ENCODER and given:
            found += _nearest(model, many)
        else:
            found.append(_part(model, name))
    if found and all(is_frozen(n, found) for n, p in model.named_parameters() if p.requires_grad):
        raise PlanError(
            "a phase of train.phases freezes the whole model, so that nothing would learn",
            found=listed(names),
            hint="a part of it: encoder",
        )
    return tuple(found)


def is_frozen(parameter: str, parts: Sequence[str]) -> bool:
    """Return whether a parameter (or a module) lies in one of the parts, by its name."""
    return any(parameter == part or parameter.startswith(f"{part}.") for part in parts)


def assert_learned(model: nn.Module, phases: Sequence[PhasePlan], taken: Iterable[str]) -> None:
    """Raise PlanError where a phase would freeze weights that were not taken from elsewhere: they are random.

    `taken` are the names of the model's tensors that were.
    """
    given = set(taken)
    for number, phase in enumerate(phases):
        parts = frozen_parts(model, phase.frozen)
        random = [n for n, _ in model.named_parameters() if is_frozen(n, parts) and n not in given]
        if random:
            raise PlanError(
                f"phase {number} of train.phases freezes weights that nothing has learned yet",
                found=f"{listed(random, 3)} not among the weights that --init names",
                hint="--init with a bundle of the same net, or a phase that freezes less",
            )


def _encoder(model: nn.Module) -> list[str]:
    """Return the names of what the model's nets see images with. Raises PlanError where a net does not say."""
    found = []
    for name, net in outer_nets(model):
        if not net.encoding:
            raise PlanError(
                f"{type(net).__name__} does not say which part of it is its encoder",
                hint=f"train.phases that name parts: {listed((f'{name}.{n}' for n, _ in net.named_children()), 4)}",
            )
        found += [".".join(filter(None, (name, part))) for part in net.encoding]
    if not found:
        raise PlanError(
            "the model has no net, so no encoder to freeze", hint="train.phases that name its parts"
        )
    return found


def _nearest(model: nn.Module, many: str) -> list[str]:
    """Return the names of the depths nearest to the input, as many as the text says. Raises PlanError."""
    _encoder(model)  # says where a net has none
    found = []
    for depths in depths_of(model):
        count = _count(many, len(depths))
        found += [name for depth in depths[:count] for name in depth]
    return found


def _count(many: str, depths: int) -> int:
    """Return how many of so many depths a text means: `4`, `-2` or `75%`. Raises PlanError."""
    text, percent = many.removesuffix("%"), many.endswith("%")
    try:
        number = float(text) if percent else int(text)
    except ValueError as error:
        raise PlanError(f"'{ENCODER}:{many}' is not a part of an encoder", hint=HOW_MANY) from error
    if percent and 0 <= number <= 100:
        return round(depths * number / 100)
    if percent or not -depths < number <= depths or number == 0:
        raise PlanError(
            f"'{ENCODER}:{many}' is not a part of this encoder", found=f"{depths} depths", hint=HOW_MANY
        )
    return int(number) if number > 0 else depths + int(number)


def _part(model: nn.Module, name: str) -> str:
    known = [n for n, _ in model.named_modules() if n]
    known += [n for n, _ in model.named_parameters()]
    if name not in known:
        raise UnknownName("part of the model", name, known, hint=None)
    return name
