"""MONAI's transforms before and after a net as planned values; what has no equal here is refused by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vesalius.core.errors import BundleError
from vesalius.imports.configs import Config, target_of
from vesalius.imports.normalising import linear

PREFIX = "monai.transforms."
Values = dict[str, tuple[Any, str]]
NOTHING = (
    "LoadImage",
    "EnsureChannelFirst",
    "AddChannel",
    "EnsureType",
    "ToTensor",
    "CastToType",
    "ToDevice",
)
READ = (
    *("keys", "image_only", "reader", "ensure_channel_first", "channel_dim", "data_type", "device", "dtype"),
    *("strict_check", "track_meta", "allow_missing_keys", "wrap_sequence", "simple_keys", "meta_keys"),
)  # arguments that do not change values
AFTER = ("EnsureType", "Invert", "SaveImage", "ToDevice", "DeleteItems", "CopyItems")


def before(parts: list[Any], config: Config, *, dims: int, channels: int) -> Values:
    """Return planned values of the transforms in front of a net. Raises BundleError, by name, for others."""
    values: Values = {
        "data.axes": ("xyz" if dims == 3 else "zxy", "MONAI has x first"),
        "data.canonical": (False, "MONAI leaves the axes as a file has them"),
    }
    for part in filter(_is_on, parts):
        name, given = target_of(part, config, PREFIX)
        name = name.removesuffix("Dict").removesuffix("D").removesuffix("d")
        own = {k: v for k, v in given.items() if k not in READ}
        if name in NOTHING:
            _none_left(name, own, config)
        elif name in _KNOWN:
            _KNOWN[name](values, own, config, channels)
            _none_left(name, own, config)
        else:
            raise _unknown(name, config, (*NOTHING, *_KNOWN))
    return values


def after(parts: list[Any], config: Config, *, dense: bool) -> None:
    """Raise BundleError, by name, for a transform behind a net that says other than its likeliest label."""
    for part in filter(_is_on, parts):
        name, given = target_of(part, config, PREFIX)
        name = name.removesuffix("Dict").removesuffix("D").removesuffix("d")
        if name == "Activations" and given.get("softmax") and not given.get("sigmoid"):
            continue
        if name == "AsDiscrete" and given.get("argmax") and given.get("threshold") is None:
            continue
        if name not in AFTER:
            odd = {k: v for k, v in given.items() if k not in READ}
            raise BundleError(
                f"{config.path}: behind the net stands what changes its answer, and has no equal here",
                found=f"{name} {odd or ''}".strip(),
                hint="a bundle that answers by softmax and the likeliest label",
            )


def _is_on(part: Any) -> bool:
    """Return whether MONAI uses a part of its config; one that is disabled stays there and does nothing."""
    said = part.get("_disabled_", False) if isinstance(part, Mapping) else False
    return str(said).strip().lower() != "true"


def _unknown(name: str, config: Config, known: tuple[str, ...]) -> BundleError:
    return BundleError(
        f"{config.path}: the transform {name} has no equal here",
        found=name,
        hint=f"{', '.join(f'{n}d' for n in known)}",
    )


def _none_left(name: str, own: Mapping[str, Any], config: Config) -> None:
    if own:
        raise BundleError(
            f"{config.path}: the transform {name} is told what has no equal here",
            found=", ".join(f"{k}={v!r}" for k, v in own.items())[:120],
        )


def _orientation(values: Values, own: dict[str, Any], config: Config, channels: int) -> None:
    codes = str(own.pop("axcodes", ""))
    if own.pop("as_closest_canonical", False):
        codes = "RAS"
    own.pop("labels", None)
    if sorted({"L": "R", "A": "P", "I": "S"}.get(c, c) for c in codes) != ["P", "R", "S"]:
        raise BundleError(f"{config.path}: an orientation that is none", found=codes[:20])
    _assert_first(values, "Orientation", config)
    values["data.axes"] = (codes, "Orientation in MONAI's config")


def _spacing(values: Values, own: dict[str, Any], config: Config, channels: int) -> None:
    pixdim, mode = own.pop("pixdim", None), own.pop("mode", "bilinear")
    mode = mode[0] if isinstance(mode, list) and mode else mode
    odd = [own.pop("diagonal", False), own.pop("align_corners", False), own.pop("scale_extent", False)]
    padding = own.pop("padding_mode", "border")
    numbers = (
        isinstance(pixdim, list)
        and len(pixdim) == 3
        and all(isinstance(p, int | float) and p > 0 for p in pixdim)  # others mean: leave this axis as it is
    )
    if not numbers or any(odd) or mode not in ("bilinear", "nearest", 1, 0) or padding != "border":
        raise BundleError(
            f"{config.path}: Spacing in a way that has no equal here",
            found=f"pixdim {pixdim}, mode {mode}, padding {padding}, {odd}"[:120],
        )
    values["data.spacing_mm"] = ([float(p) for p in reversed(pixdim)], "Spacing in MONAI's config")
    how = {"order": 0 if mode in ("nearest", 0) else 1, "apart": None, "grid": "first"}
    values["data.resample"] = (how, "as MONAI's Spacing does")
    values["data.normalise_first"] = ("data.normalise" in values, "in the order of MONAI's config")


def _range(values: Values, own: dict[str, Any], config: Config, channels: int) -> None:
    ends = [own.pop(k, None) for k in ("a_min", "a_max", "b_min", "b_max")]
    if not all(isinstance(end, int | float) for end in ends):
        raise BundleError(f"{config.path}: ScaleIntensityRange without its ends", found=str(ends)[:80])
    a, b, low, high = map(float, ends)
    if not (a < b and low < high):
        raise BundleError(
            f"{config.path}: ScaleIntensityRange over no range", found=f"{a}, {b}, {low}, {high}"
        )
    sd = (b - a) / (high - low)
    entry = linear(a - low * sd, sd)
    if own.pop("clip", False):
        entry |= {"low": a, "high": b}
    _normalise(values, [entry] * channels, "ScaleIntensityRange", config)


def _normalize(values: Values, own: dict[str, Any], config: Config, channels: int) -> None:
    mean, sd = own.pop("subtrahend", None), own.pop("divisor", None)
    each = bool(own.pop("channel_wise", False))
    if own.pop("nonzero", False):
        raise BundleError(f"{config.path}: NormalizeIntensity of what is not zero has no equal here")
    if (mean is None) != (sd is None) or (mean is None and not each and channels > 1):
        raise BundleError(f"{config.path}: NormalizeIntensity over all channels at once has no equal here")
    if mean is None:
        entries = [{"method": "zscore"}] * channels
    else:
        means, sds = (v if isinstance(v, list) else [v] * channels for v in (mean, sd))
        if len(means) != channels or len(sds) != channels:
            raise BundleError(f"{config.path}: NormalizeIntensity of another number of channels")
        entries = [linear(float(m), float(s)) for m, s in zip(means, sds, strict=True)]
    _normalise(values, entries, "NormalizeIntensity", config)


def _normalise(values: Values, entries: list[dict[str, Any]], name: str, config: Config) -> None:
    if "data.normalise" in values:
        raise BundleError(
            f"{config.path}: intensities are changed twice, which has no equal here", found=name
        )
    values["data.normalise"] = (entries, f"{name} in MONAI's config")


def _assert_first(values: Values, name: str, config: Config) -> None:
    if "data.spacing_mm" in values:
        raise BundleError(f"{config.path}: {name} after Spacing has no equal here", hint=f"{name} before it")


_KNOWN: dict[str, Callable[[Values, dict[str, Any], Config, int], None]] = {
    "Orientation": _orientation,
    "Spacing": _spacing,
    "ScaleIntensityRange": _range,
    "NormalizeIntensity": _normalize,
}
