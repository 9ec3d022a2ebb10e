"""Renaming: a family's tensors by rules that are written down, and held against our own net, name by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vesalius import nets
from vesalius.core.channels import COLOURS
from vesalius.core.errors import BundleError, VesaliusError
from vesalius.core.plan import NetPlan
from vesalius.core.words import counted, listed
from vesalius.weights.contract import Weights
from vesalius.weights.found import Found

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]
Rules = Sequence[
    tuple[str, str]
]  # (pattern of a whole name, what it is called here); the first that fits counts

IMAGENET = 1000  # classes of ImageNet's challenge, by which its pictures are told
PICTURES = (
    (123.675, 116.28, 103.53),
    (58.395, 57.12, 57.375),
)  # mean and sd of ImageNet's, on the scale 0 to 255
SHOWN = 4
EFFICIENTNETS: dict[tuple[tuple[int, int], tuple[int, ...]], str] = {
    ((32, 1280), (1, 2, 2, 3, 3, 4, 1)): "efficientnet-b0",
    ((32, 1280), (2, 3, 3, 4, 4, 5, 2)): "efficientnet-b1",
    ((32, 1408), (2, 3, 3, 4, 4, 5, 2)): "efficientnet-b2",
    ((40, 1536), (2, 3, 3, 5, 5, 6, 2)): "efficientnet-b3",
    ((48, 1792), (2, 4, 4, 6, 6, 8, 2)): "efficientnet-b4",
    ((48, 2048), (3, 5, 5, 7, 7, 9, 3)): "efficientnet-b5",
    ((56, 2304), (3, 6, 6, 8, 8, 11, 3)): "efficientnet-b6",
    ((64, 2560), (4, 7, 7, 10, 10, 13, 4)): "efficientnet-b7",
}


@dataclass(frozen=True)
class Family:
    """Nets of one maker that compute what one of ours computes, and how their tensors are renamed.

    `marks` are names that all of its files have. `plan` tells which of our nets it is, from names and shapes; it raises
    BundleError for a relative whose function is another. `rules` lead to our names within the net, `head` to those
    within `net.head(…)`, or within the 1×1 convolution of a dense net. `first` is the tensor, under our name, whose
    second axis are the input's channels. `change` is made where names alone do not do. `left` are patterns of names
    that have no place here, with the reason.
    """

    marks: tuple[str, ...]
    plan: Callable[[Tensors], NetPlan]
    first: str
    rules: Rules | Callable[[Tensors], Rules]
    head: Rules = ()
    change: Callable[[Tensors], Tensors] = lambda tensors: tensors
    size: Callable[[Tensors], tuple[int, ...] | None] = lambda tensors: None
    left: Mapping[str, str] = field(default_factory=dict)
    notes: Callable[[Tensors], tuple[str, ...]] = lambda tensors: ()
    imagenet: tuple[tuple[float, ...], tuple[float, ...]] | None = (
        None  # mean and sd where its maker's are of ImageNet
    )
    some: bool = False  # whether a part of the net's tensors may be missing, as in a file of an encoder alone


def family_of(found: Found, families: Sequence[Family]) -> Family | None:
    """Return the family whose marks a file has."""
    return next((f for f in families if all(m in found.tensors for m in f.marks)), None)


def read_as(family: Family, found: Found, naming: str, *, plan: NetPlan | None = None) -> Weights:
    """Return a file's tensors under our names. Raises BundleError where not all of our net's tensors are in it."""
    theirs = dict(found.tensors)
    plan = plan or family.plan(theirs)
    rules = family.rules(theirs) if callable(family.rules) else family.rules
    theirs, dropped = without(theirs, family.left)
    changed = family.change(theirs)
    tensors, rest = renamed(changed, rules)
    head, rest = renamed(rest, family.head)
    if rest:
        raise BundleError(
            f"{found.path} looks like {naming}'s {plan.name}, and has tensors that it has not",
            found=listed_plain(list(rest)),
            hint="see docs/weights.md for what can be taken over",
        )
    unused = (*(n for n in dropped if reason_of(n, family.left)), *found.aside)
    first = tensors.get(family.first)
    if first is None:
        raise BundleError(
            f"{found.path} looks like {naming}'s {plan.name}, and lacks its first layer",
            found=listed(found.tensors, SHOWN),
        )
    dims, size = first.ndim - 2, family.size(dict(found.tensors))
    strict(
        found,
        plan,
        tensors,
        dims=dims,
        channels=int(first.shape[1]),
        size=size,
        naming=naming,
        some=family.some,
    )
    weights = Weights(
        tensors=tensors,
        origin=f"{plan.name} in {naming}'s naming, {found.origin}",
        net=plan,
        dims=dims,
        head=head,
        size=size,
        unused=unused,
        notes=(*family.notes(dict(found.tensors)), *dropped_words(dropped, family.left)),
    )
    return of_imagenet(weights, family) if family.imagenet else weights


def of_imagenet(weights: Weights, family: Family) -> Weights:
    """Return weights with what is known of ImageNet's pictures, where three channels lead to its thousand classes."""
    last = list(weights.head.values())[-1:]
    colours = weights.tensors[family.first].shape[1] == len(COLOURS)
    known = family.imagenet
    if known is None or weights.dims != 2 or not last or last[0].shape[0] != IMAGENET or not colours:
        return weights
    mean, sd = known
    note = "a head of 1,000 classes over three channels is taken for ImageNet's, red, green and blue"
    return replace(weights, channels=COLOURS, mean=mean, sd=sd, notes=(*weights.notes, note))


def renamed(tensors: Mapping[str, Tensor], rules: Rules) -> tuple[Tensors, Tensors]:
    """Return the tensors that a rule fits, by their new names, and the others by their own.

    Raises BundleError where two tensors have one name here.
    """
    found: Tensors = {}
    rest: Tensors = {}
    for name, tensor in tensors.items():
        for pattern, new in rules:
            if (match := re.fullmatch(pattern, name)) is not None:
                ours = match.expand(new)
                if ours in found:
                    raise BundleError(f"two tensors are both {ours} here", found=name)
                found[ours] = tensor
                break
        else:
            rest[name] = tensor
    return found, rest


def without(tensors: Tensors, left: Mapping[str, str]) -> tuple[Tensors, tuple[str, ...]]:
    """Return the tensors without those that a pattern of `left` fits, and the names of those."""
    gone = tuple(k for k in tensors if any(re.fullmatch(p, k) for p in left))
    return {k: t for k, t in tensors.items() if k not in gone}, gone


def reason_of(name: str, left: Mapping[str, str]) -> str:
    """Return why a tensor is left out; empty for what is there twice, or never used by its maker either."""
    return next((why for pattern, why in left.items() if re.fullmatch(pattern, name)), "")


def dropped_words(names: Sequence[str], left: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each reason by which tensors are left out; none for reasons that are empty."""
    counts = {p: sum(re.fullmatch(p, n) is not None for n in names) for p in left}
    return tuple(
        f"left out: {why} ({counted(counts[p], 'tensor')})" for p, why in left.items() if why and counts[p]
    )


def strict(
    found: Found,
    plan: NetPlan,
    tensors: Mapping[str, Tensor],
    *,
    dims: int,
    channels: int,
    size: tuple[int, ...] | None,
    naming: str,
    some: bool = False,
) -> None:
    """Require that the tensors are all those of our net, each in its shape; with `some`, that all are among them.

    Raises BundleError with what is missing, too much or of another shape.
    """
    import torch

    what = f"{found.path} looks like {naming}'s {plan.name}, and is not"
    try:
        with torch.device("meta"):
            net = nets.build(
                plan.name, dims=dims, in_channels=channels, scale=plan.scale, size=size, options=plan.options
            )
    except VesaliusError as error:
        raise BundleError(what, found=str(error)) from error
    own = {k: tuple(t.shape) for k, t in net.state_dict().items()}
    shapes = {
        k: (tuple(t.shape), own[k]) for k, t in tensors.items() if k in own and tuple(t.shape) != own[k]
    }
    missing = [k for k in own if k not in tensors and not k.endswith("num_batches_tracked")]
    strange = [k for k in tensors if k not in own]
    wrong = [f"{k} of shape {a} instead of {b}" for k, (a, b) in shapes.items()]
    wrong += [f"no {k}" for k in (() if some else missing)] + [f"{k}, which the net has not" for k in strange]
    if wrong:
        raise BundleError(what, found=listed_plain(wrong), hint="another file, or --init without it")


def listed_plain(words: Sequence[str]) -> str:
    """Return the first few of some words and how many there are."""
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Return how many different numbers the one group of a pattern takes over all names that begin with it."""
    return len({m.group(1) for k in tensors if (m := re.match(pattern, k)) is not None})


def unlike(found: str, why: str) -> BundleError:
    """Return the error for a net whose function is none of ours."""
    return BundleError(
        f"weights of {found} cannot be taken over", found=why, hint="see docs/weights.md for those that can"
    )


def grid_size(places: int, patch: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the size of a square or cubic input that is cut into so many patches; None where there is none."""
    side = round(places ** (1 / len(patch)))
    return tuple(side * p for p in patch) if side ** len(patch) == places else None


def efficientnet_name(widths: tuple[int, int], layers: tuple[int, ...]) -> str:
    """Return our EfficientNet by the channels of its first and last layers, and the number of its layers a stage."""
    name = EFFICIENTNETS.get((widths, layers))
    if name is None:
        raise unlike("an EfficientNet", f"{widths[0]} to {widths[1]} channels, layers {layers}")
    return name
