"""Files of weights that others made, opened so that nothing in them is run: safetensors, and what torch saved."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core.disk import sha256
from vesalius.core.errors import BundleError, closest_path
from vesalius.core.words import counted, listed
from vesalius.weights.found import Found

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
WRAPPERS = (
    *("state_dict", "network_weights", "model_state_dict", "model", "model_state", "net_state_dict"),
    *("state_dict_ema", "model_ema", "teacher", "student", "network", "net", "weights"),
)  # what the tensors of a checkpoint may lie under; the first that is there counts
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
KEPT = ("config.json",)  # what stands beside a file and says what it is
SHARED = 16  # how often a file's bytes may be named: nnU-Net names each tensor four times
DEEPEST = 4  # wrappers within wrappers
OTHERS = {
    b"\x89HDF": ("an HDF5 file, as Keras writes them", "the same weights as safetensors"),
    b"version https://git-lfs": ("a pointer of Git LFS, and not the file itself", "git lfs pull"),
    b"<!DOCTYPE html": ("a web page, and not the file", "the download again, with its direct address"),
    b"<html": ("a web page, and not the file", "the download again, with its direct address"),
    b"\x93NUMPY": ("a NumPy array", "the weights as safetensors"),
    b"\x08\x07\x12": ("an ONNX file", "the file of weights that it was made from"),
}
SAVE = (
    "save its tensors as safetensors where it was made: safetensors.torch.save_file(model.state_dict(), FILE)"
)


def open_file(path: Path | str) -> Found:
    """Return the tensors of a file by their maker's names, and what else it holds as plain data.

    Read are safetensors, and what `torch.save` wrote, with torch's unpickler that makes tensors and plain data alone.
    Tensors within a checkpoint (`state_dict`, `model`, `network_weights` …) are unwrapped, and a prefix that all names
    have (`module.`) is taken off. Tensors of 16 bits become 32. A `config.json` beside the file is read, too.

    Raises BundleError, in one line, for what is missing, truncated, of another kind, holds other things than tensors
    and plain data, or numbers that are not finite.
    """
    return _bare(as_it_lies(path))


def as_it_lies(path: Path | str) -> Found:
    """Return the same with the names of tensors as they stand in the file, whatever all of them begin with.

    It is for a file that is one of several, or whose names another library reads. Raises BundleError.
    """
    path = Path(path)
    if not path.is_file():
        raise BundleError(f"no file of weights at {path}", hint=closest_path(path, "the path of a file"))
    start = _start_of(path)
    if path.suffix == ".safetensors" or (start[8:9] == b"{" and not start.startswith(b"PK")):
        tensors, about = _safetensors(path)
    else:
        tensors, about = _unwrapped(path, _unpickled(path, start))
    _check(path, tensors)
    beside = {name: data for name in KEPT if (data := _json(path.parent / name)) is not None}
    return Found(path, tensors, f"weights with SHA-256 {sha256(path)[:16]}", {**about, **beside})


def parts_of(found: Found) -> Iterator[Found]:
    """Yield what a file may be read as: all of it; then what stands under one prefix, with the others put aside.

    A checkpoint of self-supervised learning holds several nets (`backbone.`, `head.`), one of Lightning a loss beside
    the model.
    """
    found = _bare(found)
    yield found
    for prefix in PREFIXES:
        under = {k.removeprefix(prefix): t for k, t in found.tensors.items() if k.startswith(prefix)}
        if 0 < len(under) < len(found.tensors):
            aside = tuple(k for k in found.tensors if not k.startswith(prefix))
            yield from parts_of(replace(found, tensors=under, aside=(*found.aside, *aside)))


def _bare(found: Found) -> Found:
    """Return the tensors without prefixes that all of their names have."""
    tensors = dict(found.tensors)
    while prefix := next((p for p in PREFIXES if tensors and all(k.startswith(p) for k in tensors)), None):
        tensors = {k.removeprefix(prefix): t for k, t in tensors.items()}
    return replace(found, tensors=tensors)


def _start_of(path: Path) -> bytes:
    """Return a file's first bytes. Raises BundleError where they say that it is something else."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise BundleError(f"{path} cannot be read", found=error.strerror or str(error)) from error
    if not start:
        raise BundleError(f"{path} is empty", hint="the download again")
    for magic, (what, hint) in OTHERS.items():
        if start.lower().startswith(magic.lower()):
            raise BundleError(f"{path} holds no weights", found=what, hint=hint)
    return start


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return tensors, {"metadata": dict(file.metadata() or {})}
    except Exception as error:  # safetensors raises an error of its own that derives from Exception alone
        raise BundleError(
            f"{path} is not a whole safetensors file", found=str(error)[:120], hint="the download again"
        ) from error


def _unpickled(path: Path, start: bytes) -> Any:
    """Return what torch saved: tensors and plain data. Raises BundleError for anything else, which is not run."""
    import torch

    if zipped := start.startswith(b"PK"):
        _check_archive(path)
    elif start[:1] != b"\x80":
        raise BundleError(
            f"{path} is not a file of weights",
            found=f"neither safetensors nor what torch.save wrote, {path.stat().st_size} bytes",
            hint=f"a file that ends in {' or '.join(SUFFIXES)}",
        )
    with _only_numbers(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, weights_only=True, map_location="cpu")
        except pickle.UnpicklingError as error:
            raise _foreign(path, str(error)) from error
        except MemoryError as error:
            raise BundleError(f"{path} asks for more memory than there is") from error
        except Exception as error:  # the reader raises RuntimeError, EOFError, KeyError, … for damaged files
            what = "is damaged" if zipped else "is no file of torch, or damaged"
            first = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
            raise BundleError(f"{path} {what}", found=first, hint="the download again") from error


def _check_archive(path: Path) -> None:
    """Raise BundleError for an archive that is cut off, holds a program, or unpacks to more than it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BundleError(
            f"{path} is cut off or damaged", found=str(error), hint="the download again"
        ) from error
    names = [m.filename for m in members]
    if any(n.endswith("/constants.pkl") or "/code/" in n for n in names):
        raise BundleError(
            f"{path} is a TorchScript archive, a program with its weights",
            hint="the state dict of the model that it was made from; " + SAVE,
        )
    if not any(n.endswith("data.pkl") for n in names):
        raise BundleError(
            f"{path} is an archive, and not one of torch.save",
            found=listed(names, 3),
            hint="the file of weights in it",
        )
    if sum(m.file_size for m in members) > path.stat().st_size:
        raise BundleError(
            f"{path} is packed, and torch.save packs nothing",
            found=f"{sum(m.file_size for m in members)} bytes in a file of {path.stat().st_size}",
            hint=SAVE,
        )


def _foreign(path: Path, said: str) -> BundleError:
    """Return the error for a pickle that holds what is neither a tensor nor plain data; it names the class."""
    named = re.search(r"GLOBAL ([\w.]+)|Trying to (?:call reduce|instantiate|set).*?([\w.]+\.[\w.]+)", said)
    if named is not None:
        name = next(n for n in named.groups() if n)
        return BundleError(
            f"{path} holds more than tensors, and is not read, as reading it would run code of its maker",
            found=f"an object of {name}",
            hint=SAVE,
        )
    why = re.search(r"(Unsupported operand \d+|Unsupported class[^\n]*|unexpected [^\n]*)", said)
    return BundleError(
        f"{path} is a pickle that torch.save did not write, or damaged",
        found=why.group(1) if why else None,
        hint=SAVE,
    )


class _Kind:
    """Stands for NumPy's dtype in a checkpoint: plain numbers alone."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code if isinstance(code, str) else ""
        if re.fullmatch(r"[<>=|]?[biuf][1248]", text) is None:
            raise pickle.UnpicklingError(f"Unsupported class: a NumPy number of kind {text[:20]!r}")
        self.kind = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        """Take the byte order of the number, the one thing that is said here."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        if order in ("<", ">"):
            self.kind = np.dtype(f"{order}{self.kind.str[1:]}")


def _number(kind: Any, data: Any = b"\0") -> Any:
    """Stand for NumPy's maker of single numbers, and return a number of Python's."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(kind, _Kind) or not isinstance(raw, bytes) or len(raw) != kind.kind.itemsize:
        raise pickle.UnpicklingError("Unsupported class: a NumPy number that is none")
    return np.frombuffer(raw, kind.kind)[0].item()


@contextmanager
def _only_numbers() -> Iterator[None]:
    """Let torch's unpickler make tensors, plain data and NumPy's single numbers, whatever others allowed it before."""
    from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

    before = get_safe_globals()
    clear_safe_globals()
    add_safe_globals(
        [
            (_Kind, "numpy.dtype"),
            (_number, "numpy.core.multiarray.scalar"),
            (_number, "numpy._core.multiarray.scalar"),
        ]
    )
    try:
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _unwrapped(path: Path, held: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint by name, and the plain data beside them. Raises BundleError for none."""
    about: dict[str, Any] = {}
    for _ in range(DEEPEST):
        if not isinstance(held, Mapping):
            break
        tensors = _tensors_in(held)
        under = next((k for k in WRAPPERS if isinstance(held.get(k), Mapping) and _deep(held[k])), None)
        if under is None or len(tensors) > 3:  # a net with a part called `model` is no checkpoint
            break
        about |= {str(k): _plain(v) for k, v in held.items() if k != under}
        held = held[under]
    if isinstance(held, Mapping) and (tensors := _tensors_in(held)):
        return tensors, about
    lightning = "pytorch-lightning_version" in about or (
        isinstance(held, Mapping) and "pytorch-lightning_version" in held
    )
    if lightning:
        raise BundleError(
            f"{path} is a checkpoint of Lightning without weights",
            found=_keys(held),
            hint="a checkpoint with a state_dict of tensors by name",
        )
    raise BundleError(
        f"{path} holds no tensors by name", found=_keys(held), hint="a state dict: model.state_dict()"
    )


def _tensors_in(held: Mapping[Any, Any]) -> dict[str, Tensor]:
    from torch import Tensor

    return {str(k): v.detach() for k, v in held.items() if isinstance(v, Tensor) and isinstance(k, str)}


def _deep(held: Mapping[Any, Any], left: int = DEEPEST) -> bool:
    """Return whether tensors lie by name in a mapping, or in one within it."""
    if _tensors_in(held):
        return True
    return left > 0 and any(
        _deep(v, left - 1) for k, v in held.items() if k in WRAPPERS and isinstance(v, Mapping)
    )


def _keys(held: Any) -> str:
    if not isinstance(held, Mapping):
        return f"a {type(held).__name__}"
    return listed([str(k)[:40] for k in held], 5) or "nothing"


def _plain(value: Any, left: int = 12) -> Any:
    """Return what of a value is plain data, as JSON has it; None for the rest."""
    if isinstance(value, bool | int | float | str) or left == 0:
        return value if left else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v, left - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, left - 1) for v in value]
    return None


def _check(path: Path, tensors: dict[str, Tensor]) -> None:
    """Widen 16 bits to 32 in place. Raises BundleError for tensors of other kinds, claims without data, no numbers."""
    import torch

    size = path.stat().st_size
    if sum(t.numel() * t.element_size() for t in tensors.values()) > SHARED * size:
        raise BundleError(
            f"{path} claims more than it holds", found=f"{counted(len(tensors), 'tensor')}", hint=SAVE
        )
    for name, tensor in tensors.items():
        odd = tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_nested
        if odd or tensor.is_complex():
            raise BundleError(
                f"{path} holds tensors that are not plain numbers", found=f"{name}, {tensor.dtype}", hint=SAVE
            )
        if tensor.numel() * tensor.element_size() > size:
            raise BundleError(
                f"{path} claims more than it holds", found=f"{name} of shape {tuple(tensor.shape)}", hint=SAVE
            )
        if not tensor.is_floating_point():
            continue
        tensors[name] = tensor.to(torch.float32)
        if not bool(torch.isfinite(tensors[name]).all()):
            wrong = int((~torch.isfinite(tensors[name])).sum())
            raise BundleError(
                f"{path} holds values that are not finite, so the training that made it failed",
                found=f"{counted(wrong, 'value')} of {name}",
                hint="an earlier checkpoint",
            )


def _json(path: Path) -> Any:
    """Return a JSON object that stands beside a file; None where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
