"""What both servers need to listen: certificates for TLS, and whether an address is this machine's own."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: our certificate and its key. With `ca`, peers must show a certificate that this authority signed."""

    cert: Path
    key: Path
    ca: Path | None = None

    def server(self) -> ssl.SSLContext:
        """Return a context for a server, TLS 1.2 or later. Raises DataError for files that cannot be used."""
        return self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def client(self) -> ssl.SSLContext:
        """Return a context for a client that shows our certificate.

        Peers are checked against `ca`, or against the system's authorities where there is no `ca`.
        """
        context = ssl.create_default_context()
        return self._loaded(context)

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for name, path in (("cert", self.cert), ("key", self.key), ("ca", self.ca)):
            try:
                if path is not None:
                    path.open("rb").close()
            except OSError as error:
                raise DataError(
                    f"the TLS file {name}, {path}, cannot be read", found=error.strerror, hint="a PEM file"
                ) from error
        try:
            context.load_cert_chain(self.cert, self.key, password=lambda: "")
            if self.ca is not None:
                context.load_verify_locations(self.ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or ""
            found = {
                "KEY_VALUES_MISMATCH": "a key of another certificate",
                "": "no PEM, or a key with a password",
            }
            raise DataError(
                f"the TLS files {self.cert}, {self.key}{f', {self.ca}' if self.ca else ''} cannot be used",
                found=found.get(reason, reason.lower().replace("_", " ")),
                hint="PEM files, the key without a password",
            ) from error
        return context


def loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone.

    Of the host names only `localhost` counts: any other name may lead anywhere.
    """
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host == "localhost"
