"""The types of single values in a node's settings: titles, hosts, codes, patterns, paths, numbers, with our errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from vesalius.core.fields import Unfit

IMAGELESS = frozenset(
    {"SEG", "SR", "RTSTRUCT", "RTPLAN", "PR", "KO", "DOC", "REG"}
)  # objects without images, and our own results


def _some(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Unfit("must say something", hint="leave the key out where anything will do")
    return text


def _title(text: str) -> str:
    """Check an AE title (PS3.5 6.2): 1 to 16 characters of ASCII without backslash, and no spaces at its ends."""
    if not 1 <= len(text) <= 16:
        raise Unfit("an AE title is 1 to 16 characters", found=f"{text!r}, {len(text)} characters")
    if not text.isascii() or not text.isprintable() or "\\" in text or text != text.strip():
        raise Unfit(
            "an AE title is of ASCII without backslash or spaces at its ends", hint="letters and digits"
        )
    return text


def _host(text: str) -> str:
    hint = "pacs.hospital.example or 10.1.2.3; the port has a key of its own"
    if not text or not text.isprintable() or set(text) & set("/@[] ") or text.count(":") == 1:
        raise Unfit("no name or address of a host", hint=hint)
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(_some(text))
    except re.error as error:
        raise Unfit(f"no regular expression: {error}") from error
    return text


def _path(value: object) -> object:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise Unfit("must be the path of a file")
    return Path(value).expanduser()


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _code(text: str) -> str:
    """Check a code string (PS3.5 6.2, CS): other values never stand in the header that it is compared with."""
    if not re.fullmatch(r"[A-Za-z0-9_ ]{1,16}", text.strip()):
        raise Unfit(
            "no series can have that: codes are up to 16 letters, digits, spaces and underscores",
            hint="leave the key out where anything will do"
            if not text.strip()
            else "CT, MR, … or ABDOMEN, CHEST, …",
        )
    return text.strip()


def _with_images(text: str) -> str:
    if text.upper() in IMAGELESS:
        raise Unfit("series of this modality hold no images, and no rule takes them", hint="CT, MR, …")
    return text


Text = Annotated[str, AfterValidator(_some)]
Title = Annotated[str, AfterValidator(_title)]
Host = Annotated[str, AfterValidator(_host)]
Pattern = Annotated[str, AfterValidator(_pattern)]
FilePath = Annotated[Path, BeforeValidator(_path)]
Code = Annotated[str, AfterValidator(_code)]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_listed), Field(min_length=1)]
Modalities = Annotated[
    tuple[Annotated[Code, AfterValidator(_with_images)], ...], BeforeValidator(_listed), Field(min_length=1)
]
Whole = Annotated[int, Field(strict=True)]  # strict, or YAML's `true` would be a 1
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
