"""The settings of a DICOM node: one YAML or JSON file; who may call, what goes to which bundle, where results go."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from vesalius.core.errors import PlanError
from vesalius.serve.node.listener import Peer
from vesalius.serve.node.routing import Destination, Routes, Strict
from vesalius.serve.transport import Tls

Title = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)  # raises ValueError
    return text


class Caller(Strict):
    """Who may call: an AE title, and the address or network that it calls from."""

    aet: Title
    address: Annotated[str, AfterValidator(_network)] | None = None


class TlsFiles(Strict):
    """PEM files: our certificate, its key, and `ca`, which signed the certificates that peers must show."""

    cert: Path
    key: Path
    ca: Path | None = None


class Settings(Routes):
    """All of a node. Paths are relative to the file; see docs/pacs.md for each key."""

    aet: Title = "VESALIUS"
    host: str = "127.0.0.1"
    port: int = Field(default=11112, ge=0, le=65535)
    allow: tuple[Caller, ...] = ()
    tls: TlsFiles | None = None
    store: Path = Path("store")
    queue: str | None = Field(default=None, pattern=r"^postgres(ql)?://")
    stable_s: float = Field(default=30.0, ge=0)
    attempts: int = Field(default=6, ge=1)
    backoff_s: float = Field(default=10.0, ge=0)
    keep_days: float | None = Field(default=None, ge=0)
    reserve_mib: int = Field(default=256, ge=0)
    device: str | None = None

    @model_validator(mode="after")
    def _certified(self) -> Settings:
        for name, destination in self.destinations.items():
            if isinstance(destination, Destination) and destination.tls and self.tls is None:
                raise ValueError(f"destination '{name}' wants TLS, and there is no tls: with our certificate")
        return self

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Who may call."""
        return tuple(Peer(c.aet, c.address) for c in self.allow)

    @property
    def certificate(self) -> Tls | None:
        """Our certificate, where there is one."""
        return Tls(self.tls.cert, self.tls.key, self.tls.ca) if self.tls else None


def load(path: Path) -> Settings:
    """Read settings. Raises PlanError, with the place of what is wrong."""
    try:
        found = Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))  # JSON is YAML
    except OSError as error:
        raise PlanError(f"{path} cannot be read", found=error.strerror) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise PlanError(f"{path} is no YAML", found=" ".join(str(error).split())[:200]) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise PlanError(f"{path}: {place}: {first['msg']}") from error
    here = path.parent
    tls = found.tls and TlsFiles(
        cert=here / found.tls.cert, key=here / found.tls.key, ca=found.tls.ca and here / found.tls.ca
    )
    there = {
        name: d.model_copy(update={k: here / v for k, v in d if isinstance(v, Path)})
        for name, d in found.destinations.items()
    }
    rules = tuple(r.model_copy(update={"bundle": str(here / r.bundle)}) for r in found.rules)
    return found.model_copy(
        update={"store": here / found.store, "tls": tls, "destinations": there, "rules": rules}
    )
