"""register: a net, a loss, a task, a metric … of a script or a notebook, by name, for the running process."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar, overload

from vesalius.core import joining, registry
from vesalius.core.errors import RegisterError, UnknownName

T = TypeVar("T")


@overload
def register(
    kind: str,
    thing: T,
    *,
    name: str | None = None,
    literals: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> T: ...


@overload
def register(
    kind: str,
    thing: None = None,
    *,
    name: str | None = None,
    literals: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> Callable[[T], T]: ...


def register(
    kind: str,
    thing: Any = None,
    *,
    name: str | None = None,
    literals: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> Any:
    """Register a thing of a script or a notebook under a name of its kind, until the process ends, and return it.

    A thing is a module with what a file of that kind holds, or:

    - `nets`: a class of `vesalius.nets.Net`, or any `nn.Module` that takes `in_channels` and gives a map `(B, C, …)`,
      several of them, or features `(B, F)`; of other arguments with a default the plan sets `net.options`;
    - `losses`: a class of `nn.Module`, or a function `loss(logits, target)`; `TARGETS` says of which kinds of target;
    - `tasks`: a class of `vesalius.tasks.contract.Task`; `learn.recipes`: one of `Recipe`;
    - `optimisers`: a class of `torch.optim.Optimizer`; `schedules`: a function of `t`, from 0 to 1;
    - others: a class whose attributes and static methods are what a file of that kind holds.

    A definition may be registered again, as when a cell of a notebook is edited and run again. A bundle that was
    trained with it says which name it needs, and opens only where the same is registered: nothing of it is
    pickled.

    Args:
        kind: `nets`, `losses`, `tasks`, `metrics`, `optimisers`, `schedules`, `prepare.transforms`,
            `learn.recipes` or another kind of the registry.
        thing: What to register; without it, this is a decorator.
        name: By default that of the thing, in lower case.
        literals: What a file says in capitals (`{"TARGETS": ("class",)}`); they may as well be attributes of
            the class.
        replace: Take the place of what was registered under the name by another module. One of the notebook or
            the script that runs is replaced anyway, so that an edited cell may be run again. What Vesalius or
            an installed package brings is never replaced.

    Returns:
        The thing, or the decorator.

    Raises:
        RegisterError: The name is taken, or a promise is not kept.
        UnknownName: There is no such kind.
    """
    if thing is None:
        return lambda found: register(kind, found, name=name, literals=literals, replace=replace)
    if kind not in registry.KINDS:
        raise UnknownName("kind", kind, registry.KINDS)
    called = name or joining.name_of(thing)
    if not called.replace("-", "").replace("_", "").isalnum() or not called[0].isalpha():
        raise RegisterError(
            f"'{called}' cannot be a name", hint='letters, digits, "-" and "_", such as "tiny-3"'
        )
    room = importlib.import_module(f"vesalius.{kind}")
    parts = _parts(room, thing, called, literals or {})
    entry = joining.entry_of(kind, called, thing, parts, must=getattr(room, "MUST", ()))
    registry.join(kind, called.partition("-")[0], entry, replace=replace)
    for function in vars(room).values():  # what a room remembers of its entries is of before
        if callable(getattr(function, "cache_clear", None)):
            function.cache_clear()
    return thing


def _parts(room: ModuleType, thing: Any, name: str, said: Mapping[str, Any]) -> joining.Parts:
    """Return what the file of a kind would hold, of a thing. Raises RegisterError."""
    if isinstance(thing, ModuleType):
        return {**joining.namespace(thing), **said}
    holds = getattr(room, "HOLDS", None)
    if hasattr(room, "adopt"):
        return dict(room.adopt(thing, name, said))
    if holds is not None:
        return {**joining.literals_in(thing), **said, holds: thing}
    if not isinstance(thing, type):
        raise RegisterError(
            f"'{name}' is neither a module nor a class",
            found=type(thing).__name__,
            hint="a class whose attributes and static methods are what a file of that kind holds",
        )
    return {**joining.namespace(thing), **said}
