"""Networks of the library transformers by what its `config.json` says: checked, kept as text, and built offline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor, nn

from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.fields import short
from vesalius.nets._depths import Depths

LIBRARY, EXTRA = "transformers", "hf"
FOREIGN = "auto_map"  # names code that lies beside a config; it is never run
SHRUNK = "quantization_config"


@dataclass(frozen=True)
class Family:
    """A type of network: the library's names of its config and its model, and how the model is made without its head.

    `part` is the part of a larger config that is this network's, such as the vision tower of a pair with text.
    """

    config: str
    model: str
    given: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


def library() -> Any:
    """Return the module `transformers`. Raises MissingExtra."""
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or LIBRARY, EXTRA) from error
    return transformers


@contextmanager
def silent() -> Iterator[None]:
    """Keep the library from printing advice and progress inside this block."""
    said = library().utils.logging
    before, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(before)
        if bars:
            said.enable_progress_bar()


def described(text: Any, families: Mapping[str, Family], *, net: str) -> dict[str, Any]:
    """Return a config as plain data, of a type among `families`. Raises PlanError for anything else."""
    hint = f"--init FOLDER, which plans it, or the JSON of a config.json of {', '.join(families)}"
    if not isinstance(text, str) or not text:
        raise PlanError(f"net '{net}' needs the option 'config'", found=short(text), hint=hint)
    try:
        held = json.loads(text)
    except json.JSONDecodeError as error:
        raise PlanError(f"option 'config' of net '{net}' is not JSON", found=str(error), hint=hint) from error
    if not isinstance(held, dict):
        raise PlanError(f"option 'config' of net '{net}' is not a JSON object", found=short(held), hint=hint)
    kind = held.get("model_type")
    if not isinstance(kind, str) or kind not in families:
        raise PlanError(
            f"net '{net}' knows no model of the type of this config",
            found=f"model_type {short(kind)}",
            hint=", ".join(families),
        )
    if held.get(FOREIGN):
        raise PlanError(
            "a config names code of its own, which is never run",
            found=f"{FOREIGN}: {short(held[FOREIGN])}",
            hint=f"a {kind} as the library itself has it, without {FOREIGN}",
        )
    if held.get(SHRUNK):
        raise PlanError(
            "a config is of quantised weights, which cannot be trained on",
            found=SHRUNK,
            hint="the weights as they were before",
        )
    return held


def form_of(config: Mapping[str, Any], families: Mapping[str, Family], *, net: str) -> str:
    """Return the JSON of what a config says of the network's form, and nothing else; of a pair, of its part alone.

    Labels, paths, versions and how attention is computed are left out; what the config does not say is written out with
    the library's default, so that a later default changes nothing. Raises PlanError for one that describes no network
    that is known here, MissingExtra.
    """
    try:
        kind, form = _form(described(json.dumps(config), families, net=net), families, net=net)
        return json.dumps(
            {"model_type": kind, **form}, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise _unfit(error, net) from error


def _form(held: Mapping[str, Any], families: Mapping[str, Family], *, net: str) -> tuple[str, dict[str, Any]]:
    """Return the type of a config, and the fields of its network's form with their values."""
    kind = str(held["model_type"])
    family = families[kind]
    if family.part:
        inner = held.get(family.part)
        if not isinstance(inner, dict):
            raise PlanError(f"a config of type {kind} has no '{family.part}'", found=short(inner))
        part = next(k for k, f in families.items() if f.config == family.config and not f.part)
        return _form({**inner, "model_type": part}, families, net=net)
    given = {k: v for k, v in held.items() if not k.startswith("_") and "implementation" not in k}
    config = _config(given, family, net=net)
    return kind, {name: getattr(config, name) for name in _own(type(config))}


def instance(
    text: Any,
    families: Mapping[str, Family],
    *,
    net: str,
    changed: Mapping[str, Any],
    tensors: Mapping[str, Tensor] | None = None,
) -> tuple[nn.Module, Mapping[str, Any]]:
    """Return the library's model of a config, in single precision, and what it says of `tensors` put into it.

    Of the config only the fields of the network's own form count; `changed` are some of them with other values. Without
    tensors weights are drawn from torch's global generator. Names of tensors may be those of any version that the
    library reads. Raises PlanError, MissingExtra.
    """
    library()
    kind, form = _form(described(text, families, net=net), families, net=net)
    family = families[kind]
    config = _config({**form, **{k: v for k, v in changed.items() if k in form}}, family, net=net)
    model = getattr(library(), family.model)
    with silent():
        try:
            if tensors is None:
                return model(config, **family.given), {}
            loaded, told = model.from_pretrained(
                None,
                config=config,
                state_dict=dict(tensors),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype="float32",
                **family.given,
            )
        except Exception as error:  # a value that no form has makes torch and the library raise a dozen kinds
            raise _unfit(error, net) from error
    return loaded, told


def depths_by(net: nn.Module, layers: str) -> Depths:
    """Return the depths of a net over the library's model `inner`, in which the list `layers` follows one another.

    What is declared before it is the first depth, and what comes after it belongs to the last layer.
    """
    names = [n for n, _ in net.named_parameters()]
    first = min(k for k, n in enumerate(names) if n.startswith(f"{layers}."))
    before: list[str] = []
    after: list[str] = []
    for name, part in net.get_submodule("inner").named_children():
        path = f"inner.{name}"
        if any(True for _ in part.parameters()) and not f"{layers}.".startswith(f"{path}."):
            here = next(k for k, n in enumerate(names) if n.startswith(f"{path}."))
            (before if here < first else after).append(path)
    items: list[tuple[str, ...]] = [
        (f"{layers}.{k}",) for k, _ in enumerate(net.get_submodule(layers).children())
    ]
    items[-1] = (*items[-1], *after)
    return ((tuple(before),) if before else ()) + tuple(items)


def _config(given: Mapping[str, Any], family: Family, *, net: str) -> Any:
    with silent():
        try:
            return getattr(library(), family.config)(**given)
        except (
            Exception
        ) as error:  # the library's checks raise an error of their own that derives from Exception
            raise _unfit(error, net) from error


def _unfit(error: Exception, net: str) -> PlanError:
    words = " ".join(str(error).split())
    return PlanError(
        f"the config of net '{net}' describes no network that can be built",
        found=f"{type(error).__name__}: {words}"[:160],
        hint="the config.json that lay beside the weights",
    )


def _own(config: type) -> tuple[str, ...]:
    """Return the fields that a config has beside those that all have: those of the network's form."""
    common = {f.name for f in fields(library().PreTrainedConfig)}
    return tuple(f.name for f in fields(config) if f.name not in common and not f.name.startswith("_"))
