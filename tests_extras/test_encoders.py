"""Each family gives what transformers itself gives, keeps every net's promises, and takes other sizes and channels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from conftest import IMAGES
from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.testing import NET_PROMISES, NetTrial
from vesalius.weights import reader

CLASSIFIERS = ("vit", "swin", "convnext", "convnextv2", "resnet")
RESIZED = ("vit", "siglip", "siglip_vision_model")


def built(folder: Path, size: tuple[int, int] = (32, 32), channels: int | None = None) -> nets.Net:
    """The net of a folder with the folder's weights, which must be all of its own, or freshly drawn for `channels`."""
    weights = reader.read(folder)
    assert weights.net is not None
    own = channels is None
    if channels is None:  # a text's is of as many words as its config says
        channels = 1 if nets.describe(weights.net.name).get("ROLE") == "text" else 3
    net = nets.build(weights.net.name, dims=2, in_channels=channels, size=size, options=weights.net.options)
    if own:
        net.load_state_dict(dict(weights.tensors))
    return net.eval()


def pixels(*size: int) -> torch.Tensor:
    return torch.randn(2, *size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", IMAGES)
def test_it_sums_up_as_the_librarys_own_model_does(name: str, folders: dict[str, Path]) -> None:
    net, own = built(folders[name]), hf.AutoModel.from_pretrained(folders[name]).eval()
    own = own.vision_model if name == "siglip" else own
    for side in (32, 64):  # the config's size, and one that positions are interpolated to
        told = {"interpolate_pos_encoding": True} if name in RESIZED else {}
        with torch.no_grad():
            ours = net(pixels(3, side, side))
            theirs = own(pixels(3, side, side), **told)
        summed = theirs.last_hidden_state[:, 0] if name == "vit" else theirs.pooler_output.flatten(1)
        assert torch.allclose(net.summed_up(ours), summed, atol=1e-5), side
        if name in RESIZED or name.startswith("dino") and name != "dinov3_convnext":
            count = (side // 8) ** 2
            tokens = theirs.last_hidden_state[:, -count:].transpose(1, 2).reshape(2, 32, side // 8, side // 8)
            assert torch.allclose(ours[-2], tokens, atol=1e-5), "no class or register token is in the map"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_with_its_own_head_it_classifies_as_the_library_does(name: str, folders: dict[str, Path]) -> None:
    weights, net = reader.read(folders[name]), built(folders[name])
    assert weights.labels == ("even", "odd", "none")
    head = net.head(3).eval()
    head.load_state_dict(dict(weights.head))
    own = hf.AutoModelForImageClassification.from_pretrained(folders[name]).eval()
    with torch.no_grad():
        assert torch.allclose(head(net(pixels(3, 32, 32))), own(pixels(3, 32, 32)).logits, atol=1e-5)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("promise", NET_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_what_every_net_promises(
    promise: Callable[[NetTrial], None], name: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = reader.read(folders[name])
    assert weights.net is not None
    text = {**nets.describe("huggingface"), "TINY": weights.net.options}
    monkeypatch.setattr(NetTrial, "text", text, raising=False)
    promise(NetTrial("huggingface", 2))


@pytest.mark.parametrize("name", IMAGES)
def test_other_channels_and_sizes(name: str, folders: dict[str, Path]) -> None:
    for channels, size in ((1, (28, 28)), (5, (45, 70))):
        net = built(folders[name], size, channels)
        maps = net(pixels(channels, *size))
        assert [m.shape[1] for m in maps] == list(net.channels)
        for m, stride in zip(maps, net.strides, strict=True):
            assert tuple(m.shape[2:]) == tuple(-(-n // s) for n, s in zip(size, stride, strict=True))


def test_a_swin_answers_alike_whatever_it_saw_before(folders: dict[str, Path]) -> None:
    net = built(folders["swin"])
    with torch.no_grad():
        before = net(pixels(3, 32, 32))[-1]
        net(pixels(3, 6, 6))  # smaller than a window: the library's layers would not shift from here on
        assert torch.equal(net(pixels(3, 32, 32))[-1], before)


def test_a_plan_holds_the_form_and_nothing_else(folders: dict[str, Path]) -> None:
    config = json.loads((folders["vit"] / "config.json").read_text())
    extra = {
        "_name_or_path": "someones/folder",
        "_attn_implementation": "someone/kernel",
        "attn_implementation": "someone/kernel",
        "transformers_version": "4.1.0",
        "torch_dtype": "float16",
    }
    from vesalius.nets.huggingface import kept

    text = kept(config | extra)
    assert text == kept(config) and "someone" not in text and "even" not in text and "float16" not in text
    net = nets.build("huggingface", dims=2, in_channels=3, options={"config": json.dumps(config | extra)})
    assert next(net.parameters()).dtype == torch.float32
    assert net.inner.config._attn_implementation == "sdpa"


BAD: list[tuple[Any, str]] = [
    (None, "needs the option 'config'"),
    ("{", "is not JSON"),
    ("[1]", "is not a JSON object"),
    ('{"model_type": "llama"}', "knows no model of the type.*found model_type 'llama'.*try: vit, dinov2"),
    ('{"model_type": "bert"}', "knows no model of the type"),
    ('{"model_type": ["vit"]}', "knows no model of the type"),
    ('{"model_type": "vit", "auto_map": {"AutoModel": "code.Model"}}', "code of its own, which is never run"),
    ('{"model_type": "vit", "quantization_config": {"bits": 4}}', "quantised"),
    ('{"model_type": "vit", "hidden_size": "wide"}', "describes no network.*expected int, got str"),
    ('{"model_type": "vit", "hidden_size": -3}', "describes no network"),
    ('{"model_type": "vit", "hidden_act": "none"}', "describes no network"),
    ('{"model_type": "vit", "image_size": [32, 64], "num_hidden_layers": 1}', "learned on a square"),
    ('{"model_type": "siglip", "text_config": {}}', "has no 'vision_config'"),
]


@pytest.mark.parametrize(("config", "words"), BAD)
def test_a_config_that_cannot_be_is_said_in_one_line(config: Any, words: str) -> None:
    with pytest.raises(PlanError, match=words) as raised:
        nets.build("huggingface", dims=2, in_channels=3, options={"config": config})
    assert "\n" not in str(raised.value)


def test_its_size_is_no_dial() -> None:
    options = nets.describe("huggingface")["TINY"]
    with pytest.raises(PlanError, match="what its config says"):
        nets.build("huggingface", dims=2, in_channels=3, scale=2.0, options=options)
    with pytest.raises(PlanError, match="no 3-D form"):
        nets.build("huggingface", dims=3, in_channels=3, options=options)


def test_a_layer_tells_what_it_looked_at_as_eager_attention_does(folders: dict[str, Path]) -> None:
    net, own = (
        built(folders["vit"]),
        hf.AutoModel.from_pretrained(folders["vit"], attn_implementation="eager").eval(),
    )
    with torch.no_grad(), net.attention() as heard:  # type: ignore[attr-defined]
        net(pixels(3, 32, 32))
    with torch.no_grad():
        theirs = own(pixels(3, 32, 32), output_attentions=True).attentions
    assert len(heard) == len(theirs) == 2
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(heard, theirs, strict=True))
    registers = built(folders["dinov3_vit"])
    with torch.no_grad(), registers.attention() as heard:  # type: ignore[attr-defined]
        registers(pixels(3, 32, 32))
    assert [tuple(h.shape) for h in heard] == [(2, 2, 17, 17)] * 2, "a class token and sixteen patches"
    assert torch.allclose(heard[0].sum(-1), torch.ones(()))
    assert not hasattr(built(folders["siglip"]), "attention"), "it has no class token"


def test_text_has_a_vector_a_token_as_the_library_gives(folders: dict[str, Path]) -> None:
    net, own = built(folders["bert"]), hf.AutoModel.from_pretrained(folders["bert"]).eval()
    ids = torch.randint(0, 50, (2, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    with torch.no_grad():
        ours, theirs = net(ids, mask), own(ids, attention_mask=mask).last_hidden_state
    assert torch.allclose(ours, theirs, atol=1e-5) and net.summed_up(ours).shape == (2, 32)
    with pytest.raises(PlanError, match="at most 32 tokens"):
        net(torch.zeros(1, 33, dtype=torch.long))
