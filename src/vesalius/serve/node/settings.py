"""The settings of a DICOM node, one YAML or JSON file: the peers that may call, the rules, and the destinations."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from vesalius.core import settings_file
from vesalius.core.errors import DataError
from vesalius.core.fields import Unfit
from vesalius.core.secret import secret_in
from vesalius.serve.node.listener import Peer
from vesalius.serve.node.routing import Destination, Routes, Strict
from vesalius.serve.node.values import FilePath, Host, Number, Text, Title, Whole
from vesalius.serve.transport import Tls, loopback
from vesalius.serve.webhook import Address


def _network(text: str) -> str:
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise Unfit("no address or network", hint="10.1.2.3 or 10.1.2.0/24") from error
    if found.prefixlen == 0:
        raise Unfit("that is every address there is", hint="the peer's own, or tls with a ca")
    return text


def _postgres(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise Unfit(
            "this is no address of a PostgreSQL database",
            found="another address",
            hint="postgresql://user@host/name, or leave queue: out",
        )
    return text


class AllowedPeer(Strict):
    """A peer that may call: its AE title, and the address or network that it must call from."""

    aet: Title
    address: Annotated[str, AfterValidator(_network)] | None = None


def _someone(callers: tuple[AllowedPeer, ...]) -> tuple[AllowedPeer, ...]:
    if not callers:
        raise Unfit(
            "an empty list allows nobody to call",
            found="[]",
            hint="the AE titles that may; or leave allow out, for all who can reach us on loopback",
        )
    return callers


class TlsFiles(Strict):
    """PEM files: our certificate, its key, and `ca`, which signed the certificates that peers must show."""

    cert: FilePath
    key: FilePath
    ca: FilePath | None = None


def _address(text: str) -> str:
    try:
        Address(text)
    except DataError as error:
        raise Unfit(error.what, found=error.found or "", hint=error.hint) from error
    return text


class AlarmTo(Strict):
    """Whom to tell of drift and strange cases: an http or https address, and a file of the secret to sign with."""

    url: Annotated[str, AfterValidator(_address)]
    secret: FilePath | None = None


class Settings(Routes):
    """All settings of a node. Paths are relative to the file; docs/pacs.md describes each key."""

    aet: Title = "VESALIUS"
    host: Host = "127.0.0.1"
    port: Whole = Field(default=11112, ge=0, le=65535)
    allow: Annotated[tuple[AllowedPeer, ...], AfterValidator(_someone)] = ()
    tls: TlsFiles | None = None
    store: FilePath = Path("store")
    queue: Annotated[str, AfterValidator(_postgres)] | None = None
    stable_s: Number = Field(default=30.0, ge=0)
    attempts: Whole = Field(default=6, ge=1)
    backoff_s: Number = Field(default=10.0, ge=0)
    keep_days: Number | None = Field(default=None, ge=0)
    reserve_mib: Whole = Field(default=256, ge=0)
    device: Text | None = None
    selftest: bool = True
    guard: FilePath | None = None
    alarm: AlarmTo | None = None

    @model_validator(mode="after")
    def _certified(self) -> Settings:
        for name, there in self.destinations.items():
            if not isinstance(there, Destination):
                continue
            if there.tls and self.tls is None:
                raise Unfit(
                    "this destination wants TLS, and there is no tls: with our certificate",
                    found="", hint="tls: {cert: …, key: …}", at=("destinations", name, "tls"),
                )  # fmt: skip
            if loopback(there.host) and (there.port, there.aet) == (self.port, self.aet):
                raise Unfit(
                    "this destination is the node itself", found=there.where, at=("destinations", name)
                )
        for k, caller in enumerate(self.allow):
            if caller in self.allow[:k]:
                raise Unfit(
                    "this caller is listed twice",
                    found=caller.aet,
                    hint="each caller once",
                    at=("allow", k),
                )
            if caller.address is None and any(c.aet == caller.aet and c.address for c in self.allow):
                raise Unfit(
                    "the same AE title with and without an address: it may call from anywhere then",
                    found=caller.aet, hint="an address with each", at=("allow", k),
                )  # fmt: skip
        return self

    _file: Path = PrivateAttr(default=Path("the settings"))

    @property
    def file(self) -> Path:
        """The file that the settings were read from."""
        return self._file

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The peers that may call."""
        return tuple(Peer(c.aet, c.address) for c in self.allow)

    @property
    def certificate(self) -> Tls | None:
        """The node's certificate; None where there is none."""
        return Tls(self.tls.cert, self.tls.key, self.tls.ca) if self.tls else None

    @property
    def alarms_to(self) -> Address | None:
        """The address that is told of a drift; None where there is none. Raises DataError for a secret that is none."""
        if self.alarm is None:
            return None
        secret = self.alarm.secret
        return Address(self.alarm.url, None if secret is None else secret_in(secret))


def load(path: Path) -> Settings:
    """Read a settings file. Raises PlanError, which names the line and the key that is wrong."""
    found = settings_file.read(path, Settings)
    found._file = path
    here = path.parent
    tls = found.tls and TlsFiles(
        cert=here / found.tls.cert, key=here / found.tls.key, ca=found.tls.ca and here / found.tls.ca
    )
    there = {
        name: d.model_copy(update={k: here / v for k, v in d if isinstance(v, Path)})
        for name, d in found.destinations.items()
    }
    alarm = found.alarm and found.alarm.model_copy(
        update={"secret": found.alarm.secret and here / found.alarm.secret}
    )
    rules = tuple(r.model_copy(update={"bundle": str(here / r.bundle)}) for r in found.rules)
    return found.model_copy(
        update={
            "store": here / found.store,
            "tls": tls,
            "guard": found.guard and here / found.guard,
            "alarm": alarm,
            "destinations": there,
            "rules": rules,
        }
    )
