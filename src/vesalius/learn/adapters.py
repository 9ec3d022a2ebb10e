"""Low-rank adapters (LoRA): a few numbers beside an encoder's linear layers learn, and its own weights stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vesalius.core.errors import MissingExtra, PlanError
from vesalius.core.words import listed
from vesalius.learn.phases import ENCODER, frozen_parts, is_frozen

SCALE = 2.0  # of what an adapter adds: alpha over the rank, as in the paper's tables
ADAPTER, OWN = "default", "base_layer"  # peft's names of an adapter, and of the layer that it lies beside


@dataclass(frozen=True)
class Adapters:
    """Which layers of a model have adapters, by their names before these were added."""

    layers: tuple[str, ...]

    def merged(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the model's tensors as they are without adapters: what these add is in the weights of their layers.

        `values` are those of the model with adapters, which answers alike up to rounding.
        """
        found = dict(values)
        for layer in self.layers:
            down = found.pop(f"{layer}.lora_A.{ADAPTER}.weight")
            up = found.pop(f"{layer}.lora_B.{ADAPTER}.weight")
            own = found.pop(f"{layer}.{OWN}.weight")
            found[f"{layer}.weight"] = own + SCALE * (up @ down)
            if (bias := found.pop(f"{layer}.{OWN}.bias", None)) is not None:
                found[f"{layer}.bias"] = bias
        return found


def added(model: nn.Module, rank: int, *, seed: int) -> Adapters:
    """Put an adapter of that rank beside each linear layer of the model's encoder, in place.

    From then on the encoder's own weights do not learn; its adapters do, and what is no encoder. They begin as nothing
    (one of an adapter's two matrices is zero), and the other is drawn from `seed`. Raises PlanError for an encoder
    without linear layers, MissingExtra where peft is not installed. Source: Hu et al. 2021, arXiv:2106.09685; beside
    all linear layers after Dettmers et al. 2023, arXiv:2305.14314.
    """
    layers = layers_of(model)
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "peft", "hf") from error
    parts = frozen_parts(model, [ENCODER])
    learning = {n for n, p in model.named_parameters() if p.requires_grad and not is_frozen(n, parts)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=SCALE * rank, target_modules=list(layers), lora_dropout=0.0)
        inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in learning or ".lora_" in name)
    found = tuple(
        n.removesuffix(f".lora_A.{ADAPTER}")
        for n, _ in model.named_modules()
        if n.endswith(f".lora_A.{ADAPTER}")
    )
    if set(found) != set(layers):
        raise PlanError(
            "adapters lie beside other layers than those asked for", found=listed(set(found) ^ set(layers), 3)
        )
    return Adapters(layers)


def layers_of(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the linear layers of a model's encoder that can have an adapter. Raises PlanError for none.

    Those within `nn.MultiheadAttention` cannot, as it takes their weights and does not call them.
    """
    parts = frozen_parts(model, [ENCODER])
    closed = [n for n, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)]
    found = tuple(
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and is_frozen(name, parts) and not is_frozen(name, closed)
    )
    if not found:
        raise PlanError(
            "the encoder has no linear layers that adapters could lie beside",
            found="train.lora, which is for transformers",
            hint="--preset finetune, or --set train.lora=0",
        )
    return found


def assert_learned(model: nn.Module, taken: Iterable[str]) -> None:
    """Raise PlanError where adapters would lie beside weights that were not taken from elsewhere: they stay random.

    `taken` are the names of the model's tensors that were.
    """
    given, parts = set(taken), frozen_parts(model, [ENCODER])
    random = [n for n, _ in model.named_parameters() if is_frozen(n, parts) and n not in given]
    if random:
        raise PlanError(
            "with adapters an encoder's own weights stay as they are, and here nothing has learned some of them",
            found=f"{listed(random, 3)} not among the weights that --init names",
            hint="--init with weights of the same net, or --set train.lora=0",
        )
