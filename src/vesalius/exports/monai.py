"""MONAI Bundle: metadata, an inference config and weights, as MONAI's own nets where they are the same as ours."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.disk import write_text
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.exports import _stitched
from vesalius.exports._agreement import agreed
from vesalius.exports._monai_nets import twin_of
from vesalius.exports._preparation import preprocessing_of
from vesalius.exports.contract import LIMIT, Agreement, Source, Target, Written
from vesalius.prepare.case import MAIN

RELEASE = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1"
SCHEMA = f"{RELEASE}/meta_schema_20240725.json"
PARTS = ("images", "geometry", "intensities", "running", "answers", "cases")
HEAD = '''"""Images made ready, tiles and answers of this bundle, in numpy alone; made by Vesalius, Apache-2.0."""
'''
LINK = '''

def models_of(networks, dims):
    """Return MONAI's networks as functions of arrays (B, C, Z, Y, X)."""
    import torch

    def asked(network):
        def ask(batch):
            x = torch.from_numpy(np.ascontiguousarray(batch, np.float32))
            with torch.no_grad():
                raw = network.eval()(x[:, :, 0] if dims == 2 else x)
            return (raw[:, :, None] if dims == 2 and raw.ndim == 4 else raw).numpy()

        return ask

    return [asked(network) for network in networks]
'''


class Flat(nn.Module):
    """A member as MONAI's networks are asked: `(B, C, Y, X)` in 2-D, of which ours takes one plane."""

    def __init__(self, asked: nn.Module, present: bool, dims: int) -> None:
        super().__init__()
        self.asked, self._present, self._dims = asked, present, dims

    def forward(self, x: Tensor) -> Tensor:
        """Return the raw output, without the axis of a single plane."""
        x = x[:, :, None] if self._dims == 2 else x
        there = (torch.ones(x.shape[0], dtype=torch.bool),) if self._present else ()
        raw: Tensor = self.asked(x, *there)
        return raw[:, :, 0] if self._dims == 2 and raw.ndim == 5 else raw


class Monai(Target):
    """One bundle of all members, read back by MONAI's `ConfigParser`."""

    carries: ClassVar[bool] = True

    def write(self, source: Source, folder: Path) -> Written:
        """Write the bundle, let MONAI build its networks from the config, and compare."""
        _assert_one_image(source)
        told = preprocessing_of(source, ()) if source.script else None
        for name in ("configs", "models"):
            (folder / name).mkdir()
        config: dict[str, Any] = {"imports": ["$import json", "$import torch"], "bundle_root": "."}
        notes = []
        for place, member in enumerate(source.members):
            entries, note = _network(source, member, folder, _ending(place))
            config |= entries
            notes.append(note)
        config["networks"] = [f"@network{_ending(k)}" for k in range(len(source.members))]
        if told is not None:
            _write_preparation(config, told, source, folder)
        write_text(folder / "configs" / "inference.json", json.dumps(config, indent=2) + "\n")
        write_text(folder / "configs" / "metadata.json", json.dumps(_metadata(source), indent=2) + "\n")
        agreements = tuple(_read_back(source, k, folder) for k in range(len(source.members)))
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        return Written(tuple(files), agreements, tuple(dict.fromkeys(notes)))


def _ending(place: int) -> str:
    """Return how the names in the config of a further member end; those of the first are MONAI's usual ones."""
    return f"_{place}" if place else ""


def _assert_one_image(source: Source) -> None:
    """Raise PlanError where a member is given more than images on one grid, which MONAI's networks are not."""
    beside = [f.name for f in source.feeds if (f.field, f.key) not in (("images", MAIN), ("present", MAIN))]
    if beside:
        raise PlanError(
            "a network of MONAI's is given one image, and this model is given more",
            found=", ".join(beside),
            hint="--to onnx --no-script, or --to torchexport",
        )


def _network(source: Source, member: int, folder: Path, ending: str) -> tuple[dict[str, Any], str]:
    """Write one member's weights; return its entries in the config, and what a reader must know of it."""
    plan = source.stage.plan
    flat = Flat(source.asked(member), len(source.feeds) > 1, plan.data.dims).eval()
    definition, network = f"network_def{ending}", f"network{ending}"
    twin = twin_of(source.model(member), plan.net, plan.data.dims)
    if twin is not None and _is_same(source, flat, twin.build()):
        name = f"models/model-{member}.pt"
        torch.save(twin.state, folder / name)
        weights = f"torch.load(@bundle_root + '/{name}', weights_only=True)"
        entries = {
            definition: {"_target_": twin.target, **twin.arguments},
            network: f"$[@{definition}.load_state_dict({weights}), @{definition}.eval()][1]",
        }
        return (
            entries,
            f"the network is MONAI's own {twin.target.rpartition('.')[2]}, its weights a state dict",
        )
    name = f"models/model-{member}.ts"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            trace: Any = torch.jit.trace
            torch.jit.save(trace(flat, _image(source, -1), check_trace=False), folder / name)
        except Exception as error:
            raise PlanError(
                f"MONAI has no net like {plan.net.name}, and TorchScript cannot follow it",
                found=(str(error).strip().splitlines() or [type(error).__name__])[0][:200],
                hint="--to torchexport",
            ) from error
    entries = {
        definition: {"_target_": "torch.jit.load", "f": f"$@bundle_root + '/{name}'"},
        network: f"$@{definition}.eval()",
    }
    return entries, "MONAI has no net that is the same as this one, so that the network is a TorchScript"


def _image(source: Source, batch: int) -> Tensor:
    """Return the image of one batch as MONAI's networks are given it."""
    x = source.tensors()[batch][0]
    return x[:, :, 0] if source.stage.plan.data.dims == 2 else x


def _is_same(source: Source, ours: nn.Module, theirs: nn.Module) -> bool:
    """Return whether a net of MONAI's says what a member says, of all made-up inputs."""
    with torch.inference_mode():
        for k in range(len(source.batches)):
            x = _image(source, k)
            wanted = ours(x)
            try:
                found = theirs(x)
            except (RuntimeError, ValueError):
                return False
            limit = LIMIT * max(1.0, float(wanted.abs().max()))
            if wanted.shape != found.shape or float((wanted - found).abs().max()) > limit:
                return False
    return True


def _read_back(source: Source, place: int, folder: Path) -> Agreement:
    """Return how far a network, as MONAI builds it from the config, agrees with its member."""
    import monai
    from monai.bundle.config_parser import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    parser["bundle_root"] = str(folder)
    network = parser.get_parsed_content(f"network{_ending(place)}")
    flat = source.stage.plan.data.dims == 2

    def ask(arrays: Mapping[str, Array]) -> Array:
        x = torch.from_numpy(arrays[MAIN])
        with torch.inference_mode():
            raw: Tensor = network(x[:, :, 0] if flat else x)
        return np.asarray((raw[:, :, None] if flat and raw.ndim == 4 else raw).numpy())

    return agreed(source, source.members[place], ask, by=f"MONAI {monai.__version__}")


def _write_preparation(config: dict[str, Any], told: dict[str, Any], source: Source, folder: Path) -> None:
    """Write the preparation as data and as code, and put into the config how one case is answered."""
    scripts = folder / "scripts"
    scripts.mkdir()
    write_text(scripts / "__init__.py", '"""Code of this bundle."""\n')
    code = _stitched.script(parts=PARTS, head=HEAD, run=False)
    write_text(scripts / "preparation.py", code + LINK)
    write_text(folder / "configs" / "preprocessing.json", json.dumps(told, indent=1) + "\n")
    config["imports"].append("$import scripts.preparation as preparation")
    config |= {
        "image": "image.nii.gz",
        "told": "$json.load(open(@bundle_root + '/configs/preprocessing.json'))",
        "images": "$[preparation.read_image(p) for p in (@image if isinstance(@image, list) else [@image])]",
        "models": f"$preparation.models_of(@networks, {source.stage.plan.data.dims})",
        "answer": "$preparation.answered(@images, @models, @told)",
        "run": ["$print(json.dumps(@answer[0]))"],
    }


def _metadata(source: Source) -> dict[str, Any]:
    """Return what MONAI's schema asks of a bundle's metadata, and the hash of ours."""
    import monai

    plan = source.stage.plan
    data = plan.data
    shape = list(data.size[-data.dims :])
    image: dict[str, Any] = {
        "type": "image",
        "format": "magnitude",
        "num_channels": data.channels,
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": data.sampling != "whole",
        "channel_def": {str(k): name for k, name in enumerate(data.channel_names or data.images)},
    }
    raw = source.raw(source.members[0])[0]
    output: dict[str, Any] = {
        "type": "raw output",
        "format": "logits" if raw.ndim == 5 else "numbers",
        "num_channels": int(raw.shape[1]),
        "spatial_shape": list(raw.shape[2:])[-data.dims :],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": data.sampling != "whole",
        "channel_def": {},
    }
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": "exported by Vesalius"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "task": plan.task.name,
        "description": f"{plan.task.name} by {plan.net.name}, trained by {source.bundle.made_by}; see card.md",
        "authors": "see card.md",
        "copyright": "see card.md",
        "bundle_sha256": source.bundle.hash,
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": output}},
    }


TARGET = Monai()
