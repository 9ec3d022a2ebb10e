"""Channels by their meaning: what each is called, which are colours, and in which order two sides mean the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vesalius.core.words import counted

COLOURS = ("red", "green", "blue")
_ALPHA = ("alpha", "opacity", "a")
_SAME = {  # names of one thing, without regard to case, spaces and signs
    "r": "red",
    "g": "green",
    "b": "blue",
    "t1w": "t1",
    "t1n": "t1",
    "t1weighted": "t1",
    "t1gd": "t1c",
    "t1ce": "t1c",
    "t1post": "t1c",
    "t1contrast": "t1c",
    "t1wc": "t1c",
    "t2w": "t2",
    "t2weighted": "t2",
    "t2f": "flair",
    "t2flair": "flair",
    "petct": "pet",
    "pt": "pet",
    "mri": "mr",
}

_NOTHING = {  # names that any image may have: ours for it, and nnU-Net's for how it is normalised
    "image", "img", "reference", "channel", "scan", "file", "path", "grey", "gray", "greyscale", "grayscale",
    "intensity", "nonorm", "zscore", "rescaleto", "rescale", "rgbto", "unknown", "",
}  # fmt: skip


def plain(name: str) -> str:
    """Return a channel's name as it is compared: `T1-Gd` and `t1gd` are one."""
    bare = re.sub(r"[^0-9a-z]+", "", name.casefold()) or name
    return _SAME.get(bare, bare)


def says_nothing(name: str) -> bool:
    """Return whether a name may be that of any image or channel, so that it need not be the same on both sides."""
    return plain(name).rstrip("0123456789") in _NOTHING


def are_colours(names: Sequence[str]) -> bool:
    """Return whether channels of these names are red, green and blue, perhaps with an opacity as the fourth."""
    known = tuple(plain(n) for n in names)
    return known[:3] == COLOURS and (len(known) == 3 or (len(known) == 4 and known[3] in _ALPHA))


def order(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...] | None:
    """Return the place in `names` of each name that is wanted; None where the two are not the same set of names."""
    have, want = [plain(n) for n in names], [plain(n) for n in wanted]
    if sorted(have) != sorted(want) or len(set(have)) < len(have):
        return tuple(range(len(have))) if have == want else None
    return tuple(have.index(n) for n in want)


def described(count: int, names: Sequence[str]) -> str:
    """Return channels in words: `4 channels (FLAIR, T1w, t1gd, T2w)`, `1 channel`, `colours (red, green, blue)`."""
    if len(names) == count and are_colours(names):
        return f"colours ({', '.join(names)})"
    text = counted(count, "channel")
    return f"{text} ({', '.join(names)})" if names and len(names) == count else text
