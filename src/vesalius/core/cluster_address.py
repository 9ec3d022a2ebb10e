"""The address of a cluster as `--cluster` takes it: `ray://HOST:PORT`, or `ray://local`, which starts one here."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.errors import UsageError

SCHEME, LOCAL, PORT = "ray://", "local", 6379
CLIENT_PORT = 10001  # of Ray's client, which another part of Ray answers
HINT = f"ray://HOST:{PORT} as `ray start --head` says it, or ray://local"


@dataclass(frozen=True)
class ClusterAddress:
    """Where a cluster's head answers; `host` is None for one that is started on this machine and stopped again."""

    host: str | None = None
    port: int = PORT

    def __str__(self) -> str:
        if self.host is None:
            return f"{SCHEME}{LOCAL}"
        return f"{SCHEME}{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def read_address(text: str) -> ClusterAddress:
    """Return the address that a text says. A host without a port has Ray's own, 6379.

    Raises UsageError for anything else than `ray://HOST:PORT`, `ray://HOST` and `ray://local`.
    """
    if not text.startswith(SCHEME):
        raise UsageError("--cluster takes the address of a Ray cluster", found=repr(text), hint=HINT)
    rest = text.removeprefix(SCHEME).removesuffix("/")
    if rest == LOCAL:
        return ClusterAddress()
    host, port = _parts(rest)
    if not host or any(mark in host for mark in "/@?# ") or (":" in host and not rest.startswith("[")):
        raise UsageError("--cluster needs a host and a port", found=repr(text), hint=HINT)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError("--cluster needs a port from 1 to 65535", found=repr(text), hint=HINT)
    if int(port) == CLIENT_PORT:
        raise UsageError(
            f"port {CLIENT_PORT} is that of Ray's client, which no data and no run's folder pass through",
            found=repr(text),
            hint=f"run this on a machine of the cluster, with ray://{rest.rpartition(':')[0]}:{PORT}",
        )
    return ClusterAddress(host, int(port))


def _parts(rest: str) -> tuple[str, str]:
    """Return host and port; an IPv6 host stands in brackets."""
    if rest.startswith("["):
        host, closed, port = rest[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return "", ""
        return host, port[1:] if port else str(PORT)
    host, colon, port = rest.rpartition(":")
    return (host, port) if colon else (port, str(PORT))
