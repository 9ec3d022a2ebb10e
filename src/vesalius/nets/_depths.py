"""Depths: the parts of a net that see images, in the order in which an image passes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

Depths = tuple[tuple[str, ...], ...]


def depths_of(net: nn.Module, roots: Iterable[str]) -> Depths:
    """Return the depths of the parts `roots` of a net (`""` for all of it), from the input on, as names in the net.

    What a part lists (a `ModuleList`) is a depth each, other parts are one as they stand, in the order in which they
    are declared. What holds norms and biases alone belongs to the depth before it, and what has no parameter to none;
    parameters that a part holds itself, such as a transformer's positions, belong to the first.
    """
    found: list[tuple[str, ...]] = []
    for name, part in _parts(net, roots):
        if not any(True for _ in part.parameters()):
            continue
        kernels = any(p.ndim > 1 for p in part.parameters())
        if found and not kernels:
            found[-1] = (*found[-1], name)
        else:
            found.append((name,))
    own = tuple(".".join(filter(None, (root, n))) for root in roots for n in _bare(net, root))
    return ((*found[0], *own), *found[1:]) if found else ()


def under(prefix: str, depths: Depths) -> Depths:
    """Return depths by the names that they have in a module that holds their net as `prefix`."""
    return tuple(tuple(f"{prefix}.{name}" for name in depth) for depth in depths)


def _parts(net: nn.Module, roots: Iterable[str]) -> Iterator[tuple[str, nn.Module]]:
    for root in roots:
        module = net.get_submodule(root) if root else net
        yield from _listed(module, root) if isinstance(module, nn.ModuleList) else _children(module, root)


def _children(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """Return the children of a module; those of its only one that has parameters, where there is no other."""
    children = _with_parameters(module, prefix)
    if not children and prefix:  # a layer is a part of its own
        yield prefix, module
    if len(children) == 1 and any(True for _ in children[0][1].children()):
        (path, only), *_ = children
        yield from _listed(only, path) if isinstance(only, nn.ModuleList) else _children(only, path)
        return
    for path, child in children:
        within, inner = path, child
        while not isinstance(inner, nn.ModuleList) and len(found := _with_parameters(inner, within)) == 1:
            (within, inner), *_ = found
        if isinstance(inner, nn.ModuleList):  # what only wraps a list of layers is that list
            yield from _listed(inner, within)
        else:
            yield path, child


def _with_parameters(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    """Return the children of a module that have parameters, by the names that they have in the net."""
    return [
        (".".join(filter(None, (prefix, n))), m)
        for n, m in module.named_children()
        if any(True for _ in m.parameters())
    ]


def _listed(items: nn.ModuleList, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for k, item in enumerate(items):
        yield f"{prefix}.{k}", item


def _bare(net: nn.Module, root: str) -> list[str]:
    """Return the parameters that a part holds itself, not in its children, such as a transformer's positions."""
    module = net.get_submodule(root) if root else net
    inner = any(True for _ in module.children())
    return [n for n, _ in module.named_parameters(recurse=False)] if inner else []
