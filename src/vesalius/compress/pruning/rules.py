"""What torch's operations do to the units of their inputs: the rules of `tracing.py`, one a kind of operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vesalius.compress.pruning.labels import along, frozen, spread, squeezed, varies
from vesalius.compress.pruning.tracing import Tracer, tensors_in

aten = torch.ops.aten
Rule = Callable[[Tracer, Any, Any, Any, Any], None]
RULES: dict[Any, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operations by name; what this version of torch lacks is passed over."""

    def put(function: Rule) -> Rule:
        for name in names:
            if hasattr(aten, name):
                RULES[getattr(aten, name)] = function
        return function

    return put


def _reads(tracer: Tracer, tensor: Tensor, axis: int, ids: range, what: str) -> None:
    """Join the units of a tensor along an axis with those of the weight that reads them."""
    labels = tracer.labels(tensor)
    if tracer.seen(tensor).loose:
        tracer.freeze(labels, f"values that are not zero without their weights, before {what}")
    tracer.trace.units.join(labels, along(ids, labels.shape, axis))


def _bias(tracer: Tracer, bias: Tensor | None, ids: range) -> None:
    if bias is not None:
        tracer.trace.units.join(tracer.labels(bias), torch.arange(ids.start, ids.stop))


@rule("convolution", "_convolution", "mkldnn_convolution")
def convolution(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """A convolution reads along one axis of its weight, and makes along the other; a depth-wise one keeps channels."""
    x, weight, bias = args[0], tracer.weight(args[1]), args[2]
    turned, groups = bool(args[6]), int(args[8])
    if func.overloadpacket is not aten.convolution or weight is None:
        tracer.unknown("convolution by what is no weight", args, kwargs, found)
        return
    tracer.used(weight, math.prod((x if turned else found).shape[2:]) * len(x))
    reads, makes = (0, 1) if turned else (1, 0)
    if groups > 1:
        ids = tracer.axis(weight, 0, makes=True)
        if not groups == x.shape[1] == found.shape[1]:
            tracer.unknown("convolution in groups", args, kwargs, found)
            tracer.freeze(torch.arange(ids.start, ids.stop), "convolution in groups")
            return
        _reads(tracer, x, 1, ids, "a convolution")
    else:
        _reads(tracer, x, 1, tracer.axis(weight, reads, makes=False), "a convolution")
        ids = tracer.axis(weight, makes, makes=True)
    _bias(tracer, bias, ids)
    tracer.put(found, along(ids, found.shape, 1))


@rule("addmm", "mm", "linear", "matmul", "bmm", "_addmm_activation")
def linear(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """A linear layer reads along one axis of its weight, and makes along the other; other products are not known."""
    packet = func.overloadpacket
    bias, x, right = (args[0], args[1], args[2]) if packet is aten.addmm else (None, args[0], args[1])
    weight, turned = tracer.weight(right), packet is aten.linear
    if packet is aten.linear and len(args) > 2:
        bias = args[2]
    if weight is None or right.ndim != 2 or tracer.weight(x) is not None:
        tracer.unknown("product of what is no weight", args, kwargs, found)
        return
    tracer.used(weight, math.prod(x.shape[:-1]))
    reads, makes = (1, 0) if turned else (0, 1)
    _reads(tracer, x, x.ndim - 1, tracer.axis(weight, reads, makes=False), "a linear layer")
    ids = tracer.axis(weight, makes, makes=True)
    _bias(tracer, bias, ids)
    tracer.put(found, along(ids, found.shape, found.ndim - 1))


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "batch_norm")
def batch_norm(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """Batch normalisation keeps channels, each with its own scale, shift and statistics."""
    _normed(tracer, args[0], args[1:5], found, 1)


@rule("native_group_norm")
def group_norm(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """Group normalisation keeps channels; those of one group share statistics, and so are removed together."""
    x, groups = args[0], int(args[6])
    labels = tracer.labels(x)
    each = x.shape[1] // groups
    if each > 1:
        grouped = labels.reshape(len(x), groups, each, -1)
        tracer.trace.units.join(grouped, grouped[:, :, :1])
    _normed(tracer, x, args[1:3], found, 1)


def _normed(tracer: Tracer, x: Tensor, tensors: Sequence[Tensor | None], found: Any, axis: int) -> None:
    labels = tracer.labels(x)
    for tensor in tensors:
        if tensor is not None:
            own = tracer.labels(tensor)
            tracer.trace.units.join(labels, own.view([-1 if k == axis else 1 for k in range(x.ndim)]))
    first, *rest = tensors_in(found)
    tracer.put(first, labels, loose=tensors[0] is None or tensors[1] is None)
    for tensor in rest:
        tracer.put(tensor, frozen(tensor.shape), loose=True)


@rule("native_layer_norm")
def layer_norm(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """Layer normalisation takes the statistics of all channels, so that each of them stays."""
    tracer.unknown("layer normalisation", args, kwargs, found)


KEEPS = (
    "relu relu_ leaky_relu leaky_relu_ gelu silu silu_ mish hardtanh hardtanh_ tanh abs neg elu elu_ hardswish "
    "hardswish_ clone detach alias contiguous _to_copy to lift_fresh native_dropout dropout dropout_ feature_dropout "
    "relu6 selu celu sin sign erf square"
)
LOOSENS = "sigmoid sigmoid_ exp hardsigmoid hardsigmoid_ softplus cos sqrt rsqrt reciprocal log pow rsub clamp log1p"


@rule(*KEEPS.split())
def keeps(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """Operations on each value by itself that leave zero what is zero."""
    seen = tracer.seen(args[0])
    if seen.labels is None and func.overloadpacket in (aten.detach, aten.alias, aten.clone):
        tracer.put_view(found, seen, seen.axes)
        return
    first, *rest = tensors_in(found)
    tracer.put(first, tracer.labels(args[0]), loose=seen.loose)
    for tensor in rest:
        tracer.put(tensor, frozen(tensor.shape), loose=True)


@rule(*LOOSENS.split())
def loosens(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """Operations on each value by itself that make something of zero."""
    if len(tensors_in(args)) > 1:
        tracer.unknown(str(func), args, kwargs, found)
        return
    tracer.put(found, tracer.labels(args[0]), loose=True)


@rule("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "maximum", "minimum")
def together(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """Sums, differences, products and quotients join what they are made of, value by value."""
    given = tensors_in(args[:2])
    product = func.overloadpacket in (aten.mul, aten.mul_)
    divided = func.overloadpacket in (aten.div, aten.div_)
    loose = [tracer.seen(t).loose for t in given]
    if len(given) == 1:  # with a plain number
        scales = product or divided
        tracer.put(found, tracer.labels(given[0]), loose=loose[0] or not (scales and given[0] is args[0]))
        return
    one, other = (_raised(tracer.labels(t), found.ndim) for t in given)
    stays = []
    for axis, many in enumerate(found.shape):
        for a, b in ((one, other), (other, one)):
            if many > 1 and a.shape[axis] == 1 and b.shape[axis] > 1 and varies(b, axis):
                stays.append(a)  # one value for many channels
    for labels in stays:
        tracer.freeze(labels, "one value that is spread over channels")
    if stays:
        kept = other if any(s is one for s in stays) else one
    else:
        tracer.trace.units.join(squeezed(one), squeezed(other))
        kept = one if _many(one) >= _many(other) else other
    if product:
        free = all(loose)
    else:
        free = loose[0] if divided else any(loose)
    tracer.put(found, spread(kept, found.shape), loose=free)


def _raised(labels: Tensor, ndim: int) -> Tensor:
    """Return labels with axes of one place before them."""
    return labels.reshape((1,) * (ndim - labels.ndim) + tuple(labels.shape)) if labels.ndim < ndim else labels


def _many(labels: Tensor) -> int:
    return squeezed(labels).numel()


@rule("cat", "stack")
def cat(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """What is laid side by side keeps its units."""
    given = args[0]
    axis = int(args[1] if len(args) > 1 else kwargs.get("dim", 0)) % found.ndim
    labels = [tracer.labels(t) for t in given]
    if func.overloadpacket is aten.stack:
        labels = [one.unsqueeze(axis) for one in labels]
    shape = [1 if all(not varies(one, k) for one in labels) else n for k, n in enumerate(found.shape)]
    shape[axis] = -1
    cut = [spread(one, [one.shape[k] if k == axis else n for k, n in enumerate(shape)]) for one in labels]
    tracer.put(
        found, torch.cat(cut, dim=axis).expand(found.shape), loose=any(tracer.seen(t).loose for t in given)
    )


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "pixel_shuffle")
@rule(
    "permute",
    "transpose",
    "t",
    "unsqueeze",
    "squeeze",
    "expand",
    "unsqueeze_",
    "squeeze_",
    "repeat",
    "movedim",
)
def moves(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """What only moves values moves their units with them."""
    seen, packet = tracer.seen(args[0]), func.overloadpacket
    if seen.labels is None and packet in (aten.t, aten.transpose, aten.permute):
        tracer.put_view(found, seen, tuple(seen.axes[k] for k in _order(packet, args, args[0].ndim)))
        return
    labels = tracer.labels(args[0])
    labels = labels.reshape(found.shape) if packet in VIEWS else func(labels, *args[1:], **kwargs)
    tracer.put(found, squeezed(labels).expand(found.shape), loose=seen.loose)


VIEWS = tuple(
    getattr(aten, n) for n in ("view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten")
)


def _order(packet: Any, args: Any, ndim: int) -> list[int]:
    """Return the order of axes after a permutation."""
    if packet is aten.permute:
        return [int(k) % ndim for k in args[1]]
    order = list(range(ndim))
    one, other = (0, 1) if packet is aten.t else (int(args[1]) % ndim, int(args[2]) % ndim)
    if ndim > 1:
        order[one], order[other] = order[other], order[one]
    return order


@rule(
    "slice",
    "select",
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "narrow",
    "flip",
    "roll",
    "index_select",
)
def cuts(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """What is cut at fixed places keeps its units, and along an axis where these differ they all stay."""
    x, packet = args[0], func.overloadpacket
    labels, loose = tracer.labels(x), tracer.seen(x).loose
    outs = tensors_in(found)
    whole = packet is aten.slice and found.shape == x.shape and (len(args) < 5 or int(args[4]) == 1)
    if packet in (aten.flip, aten.roll):
        axes = [int(k) % x.ndim for k in (args[1] if packet is aten.flip else args[2])]
    else:
        place = {aten.split: 2, aten.split_with_sizes: 2, aten.chunk: 2}.get(packet, 1)
        axes = [int(args[place]) % x.ndim if len(args) > place else int(kwargs.get("dim", 0)) % x.ndim]
    if not whole and any(varies(labels, axis) for axis in axes):
        tracer.freeze(labels, "channels that are cut at fixed places")
    moved = tensors_in(func(labels, *args[1:], **kwargs))
    for tensor, own in zip(outs, moved, strict=True):
        tracer.put(tensor, squeezed(own).expand(tensor.shape), loose=loose)


POOLS = (
    "max_pool2d_with_indices max_pool3d_with_indices avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d max_pool2d max_pool3d upsample_nearest1d upsample_nearest2d "
    "upsample_nearest3d upsample_bilinear2d upsample_trilinear3d upsample_linear1d constant_pad_nd reflection_pad2d "
    "reflection_pad3d replication_pad2d replication_pad3d _upsample_bilinear2d_aa upsample_bicubic2d avg_pool1d"
)


@rule(*POOLS.split())
def in_space(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Any) -> None:
    """Pooling, interpolation and padding within space keep channels; padding of channels lets them stay."""
    x = args[0]
    labels, (first, *rest) = tracer.labels(x), tensors_in(found)
    changed = [k for k in range(x.ndim) if varies(labels, k) and (k > 1 or first.shape[k] != x.shape[k])]
    if changed:
        tracer.freeze(labels, "values that are mixed over channels, or channels that are padded")
        labels = frozen(first.shape)
    filled = func.overloadpacket is aten.constant_pad_nd and len(args) > 2 and bool(args[2])
    tracer.put(first, spread(labels, first.shape), loose=tracer.seen(x).loose or filled)
    for tensor in rest:
        tracer.put(tensor, frozen(tensor.shape), loose=True)


@rule("mean", "sum", "amax", "amin")
def reduces(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """What is summed up over space keeps channels; what is summed up over channels lets them stay."""
    x = args[0]
    axes = [int(k) % x.ndim for k in (args[1] if len(args) > 1 and args[1] else range(x.ndim))]
    keep = bool(args[2]) if len(args) > 2 else bool(kwargs.get("keepdim", False))
    labels = tracer.labels(x)
    if any(varies(labels, axis) for axis in axes):
        tracer.freeze(labels, "a mean, sum or maximum over channels")
        tracer.put(found, frozen(found.shape), loose=tracer.seen(x).loose)
        return
    for axis in sorted(axes, reverse=True):
        labels = labels.narrow(axis, 0, 1) if keep else labels.select(axis, 0)
    tracer.put(found, labels.expand(found.shape), loose=tracer.seen(x).loose)


@rule(
    "empty",
    "zeros",
    "ones",
    "full",
    "arange",
    "empty_like",
    "zeros_like",
    "ones_like",
    "scalar_tensor",
    "rand",
)
@rule("new_zeros", "new_ones", "new_empty", "full_like", "linspace", "eye", "randn", "rand_like")
def fresh(tracer: Tracer, func: Any, args: Any, kwargs: Any, found: Tensor) -> None:
    """What is made anew belongs to no unit."""
    tracer.put(found, frozen(found.shape), loose=True)
