"""Encoders as Hugging Face's library transformers builds them, so that weights of its folders have their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import PlanError
from vesalius.nets._blocks import read_options
from vesalius.nets._hf_stages import ConvNeXtStages, ResNetStages, SwinStages
from vesalius.nets._hf_tokens import ClassToken, Tokens
from vesalius.nets._transformers import Family, form_of, instance

if TYPE_CHECKING:
    from torch import Tensor

    from vesalius.nets._net import Net

NAMES = {
    "huggingface": "ViT, DINOv2, DINOv3, SigLIP, Swin, ConvNeXt or ResNet of Hugging Face, as its config says"
}
ROLE = "encoder"
DIMS = (2,)
SOURCE = (
    "Wolf et al.: Transformers, EMNLP 2020, arXiv:1910.03771; Dosovitskiy et al.: ViT, arXiv:2010.11929; Oquab et al.: "
    "DINOv2, arXiv:2304.07193; Siméoni et al.: DINOv3, arXiv:2508.10104; Zhai et al.: SigLIP, arXiv:2303.15343; Liu et "
    "al.: Swin, arXiv:2103.14030, and ConvNeXt, arXiv:2201.03545; He et al.: ResNet, arXiv:1512.03385"
)
EXTRA = "hf"
SMALLEST = 1.0
TINY = {
    "config": '{"model_type":"vit","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,'
    '"intermediate_size":64,"image_size":16,"patch_size":8}'
}
OPTIONS = {"config": None}

FAMILIES = {
    "vit": Family("ViTConfig", "ViTModel", {"add_pooling_layer": False}),
    "dinov2": Family("Dinov2Config", "Dinov2Model"),
    "dinov2_with_registers": Family("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel"),
    "dinov3_vit": Family("DINOv3ViTConfig", "DINOv3ViTModel"),
    "dinov3_convnext": Family("DINOv3ConvNextConfig", "DINOv3ConvNextModel"),
    "siglip_vision_model": Family("SiglipVisionConfig", "SiglipVisionModel"),
    "siglip": Family("SiglipVisionConfig", "SiglipVisionModel", part="vision_config"),
    "swin": Family("SwinConfig", "SwinModel", {"add_pooling_layer": False}),
    "convnext": Family("ConvNextConfig", "ConvNextModel"),
    "convnextv2": Family("ConvNextV2Config", "ConvNextV2Model"),
    "resnet": Family("ResNetConfig", "ResNetModel"),
}
FORMS = {
    "siglip_vision_model": Tokens,
    "dinov3_convnext": ConvNeXtStages,
    "convnext": ConvNeXtStages,
    "convnextv2": ConvNeXtStages,
    "swin": SwinStages,
    "resnet": ResNetStages,
}


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build the encoder that the option `config` describes: the JSON of the `config.json` that lies beside weights.

    `--init FOLDER` plans it. Of the config only the network's form counts; its input channels are `in_channels`, and
    images of any size will do. `dropout` acts before the head, and the config's own rates inside. Its size is the
    config's: `scale` stays 1.

    Raises:
        MissingExtra: transformers is not installed.
        PlanError: no config, one of a type that is not known here, or one that describes no network.
    """
    config = read_options(name, options, OPTIONS)["config"]
    if scale != 1.0:
        raise PlanError(
            f"the size of net '{name}' is what its config says", found=f"scale {scale}", hint="net.scale=1"
        )
    return encoder(config, in_channels=in_channels, size=size, dropout=dropout)[0]


def kept(config: Mapping[str, Any]) -> str:
    """Return what the option `config` holds of a whole `config.json`. Raises PlanError, MissingExtra."""
    return form_of(config, FAMILIES, net="huggingface")


def encoder(
    config: Any,
    *,
    in_channels: int | None = None,
    size: Sequence[int] | None = None,
    dropout: float = 0.0,
    tensors: Mapping[str, Tensor] | None = None,
) -> tuple[Net, Mapping[str, Any]]:
    """Return the encoder of a config with freshly drawn weights, or with `tensors`; and what was told of these.

    `in_channels` are the config's own unless given. `tensors` have the names of a checkpoint; what is told is as of the
    library's `from_pretrained`: `missing_keys`, `unexpected_keys` and `mismatched_keys`, behind `inner.` in the net.
    Raises PlanError, MissingExtra.
    """
    changed = {} if in_channels is None else {"num_channels": in_channels}
    inner, told = instance(config, FAMILIES, net="huggingface", changed=changed, tensors=tensors)
    form = FORMS.get(inner.config.model_type, ClassToken)  # type: ignore[union-attr,arg-type]
    return form(inner, size=size, dropout=dropout), told
