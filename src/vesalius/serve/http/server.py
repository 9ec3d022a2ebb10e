"""Running the HTTP service: bundles opened, an address that is safe, uvicorn until it is told to stop."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from vesalius.adjunct.server import ChatServer
from vesalius.core.errors import OutputError, UnsafeError
from vesalius.core.progress import Progress, Silent
from vesalius.core.quiet import quiet
from vesalius.core.words import counted
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.connections import PendingConnections, TimedConnection, TimedLoop, raise_open_files
from vesalius.serve.http.keys import check_mode
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.service import Service
from vesalius.serve.http.shared.sharing import Shared
from vesalius.serve.http.similar import SimilarCases
from vesalius.serve.transport import Tls, loopback
from vesalius.serve.webhook import Address

_GRACE_S = 10


class _Server(uvicorn.Server):
    """Tells the service at the first signal, so that streams end and what runs is cancelled in time."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking connections; end what is open within the grace. uvicorn would raise the signal once more then."""
        self.service.stopping.set()
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


def run_service(
    bundles: Sequence[Path | str],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    keys: Path | None = None,
    audit: Path = Path("vesalius-audit.jsonl"),
    bounds: Bounds | None = None,
    devices: Sequence[str | None] = (None,),
    tls: Tls | None = None,
    accept_mismatch: bool = False,
    refuse_unlike: bool = False,
    selftest: bool = True,
    runtime: str | None = None,
    guard: Path | None = None,
    edits: Path | None = None,
    annotate: Path | None = None,
    llm: ChatServer | None = None,
    similar: SimilarCases | None = None,
    alarm: Address | None = None,
    shared: Shared | None = None,
    progress: Progress | None = None,
    ready: Callable[[str, Sequence[str]], None] = lambda address, models: None,
) -> None:
    """Serve until SIGINT or SIGTERM. `port` 0 takes a free one; what it is, `progress` is told, and `ready`, beside the
    models' names.

    Images of another modality or unit than a bundle learned from are refused unless `accept_mismatch`, or a
    request, says otherwise; those that raise a bundle's alarm are answered and marked unless `refuse_unlike`, or a
    request, says otherwise. Before anything is answered, each bundle proves that it answers here as it did where it
    was made, unless `selftest` is False. `llm` is a language model that may be asked beside an answer. `runtime` is
    what computes on a processor, by default the fastest (see `infer/choosing.py`). Reports that people change are kept
    in the folder `edits`; without one none is. `annotate` is the folder of a project that people annotate here. Cases
    like an uploaded one are found in the index `similar`. `guard` is a bundle of what is normal, which looks at each
    case before any of `bundles` answers it. Processes that have the same `shared` share uploads, jobs and results.
    `alarm` is told of what goes wrong (see `serve/alarms.py`).

    Raises UnsafeError for an address other than loopback without keys, OutputError for one that is taken, and what
    opening and testing bundles, keys and the audit log raises.
    """
    progress = progress or Silent()
    check_exposure(host, keys=keys)
    raise_open_files()
    listening = _listen(host, port)
    with contextlib.closing(listening):
        service = Service(
            Catalogue(
                bundles,
                devices,
                accept_mismatch=accept_mismatch,
                refuse_unlike=refuse_unlike,
                selftest=selftest,
                runtime=runtime,
                guard=guard,
            ),
            audit=audit,
            keys=keys,
            bounds=bounds,
            edits=edits,
            annotate=annotate,
            llm=llm,
            similar=similar,
            alarm=alarm,
            shared=shared,
        )
        server = _Server(_config(service, tls), service)
        scheme = "https" if tls else "http"
        shown = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{shown}:{listening.getsockname()[1]}"
        names, tail = ", ".join(service.models.by_name), service.audit.tail
        so_far = (
            f"{counted(tail.count, 'line')} so far, the last one's hash {tail.hash}"
            if tail.count
            else "a new one"
        )
        what = names or (service.annotating.project.name if service.annotating is not None else "nothing")
        progress.note(f"serving {what} at {address}, for research only; audit log: {audit}, {so_far}")
        cleared = service.workdir.cleared
        for warning in (
            service.audit.mended,
            service.edits and service.edits.mended,
            edits and f"reports that people change are kept in {edits}",
            *(service.annotating.notes if service.annotating is not None else ()),
            *(
                f"each case is looked at first by the guard '{one.name}' (hash {one.hash[:12]})"
                for one in service.models.guards[:1]
            ),
            f"removed uploads and results of services that were killed: {cleared}" if cleared else None,
            keys and check_mode(keys, keys.stat().st_mode),
            shared and _shared_at(service),
            alarm and f"alarms go to {alarm}, without anything of a patient",
            llm
            and f"who asks has the findings of an answer, and nothing else, sent to the language model at {llm.host}",
            similar and _found_in(similar),
            *(model.doubt for model in service.models.by_name.values()),
        ):
            if warning:
                progress.note(warning)
        if tls is None and not loopback(host):
            progress.note("keys go over this network unencrypted: --tls-cert, or a proxy that has one")
        ready(address, tuple(service.models.by_name))
        with quiet():
            server.run(sockets=[listening])


def _shared_at(service: Service) -> str | None:
    """Return in a sentence with what other processes this one shares its jobs."""
    sharing = service.sharing
    if sharing is None:
        return None
    return (
        f"uploads and jobs are shared by all processes at the queue {sharing.queue.where} with the folder"
        f" {sharing.folder}; this one is {sharing.queue.worker}"
    )


def _found_in(similar: SimilarCases) -> str:
    """Return in a sentence what callers are told of an index, and who sees whose its cases are."""
    among = counted(len(similar.opened.index.entries), "case")
    who = "every user" if similar.role == "user" else f"keys of the role {similar.role}"
    pictures = "and pictures" if similar.images is not None else "and no pictures"
    return f"cases like an uploaded one are found among {among}; {who} see their ids {pictures}"


def check_exposure(host: str, *, keys: Path | None) -> None:
    """Raises UnsafeError for an address other than loopback without keys."""
    if keys is None and not loopback(host):
        raise UnsafeError(
            f"the service does not listen at {host} without keys",
            found="no --keys",
            hint="vesalius serve --make-key NAME --keys FILE, or listen at 127.0.0.1",
        )


def _config(service: Service, tls: Tls | None) -> uvicorn.Config:
    options: dict[str, Any] = {}
    if tls is not None:
        tls.server()  # says in our words what is wrong with the files
        options = {"ssl_certfile": str(tls.cert), "ssl_keyfile": str(tls.key)}
        if tls.ca is not None:
            import ssl

            options |= {"ssl_ca_certs": str(tls.ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    options |= {
        "http": functools.partial(TimedConnection, waiting=PendingConnections(service.bounds)),
        "loop": TimedLoop,
    }
    return uvicorn.Config(
        create_app(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        forwarded_allow_ips="127.0.0.1,::1",  # a proxy on this machine may say whom it asks for
        ws_max_size=service.bounds.frame_bytes,
        ws_max_queue=4,
        **options,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens already, so that a taken address is known before bundles are loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
        os.set_inheritable(made.fileno(), False)
    except OSError as error:
        made.close()
        raise OutputError(
            f"{host}:{port} cannot be listened at", found=error.strerror or str(error), hint="another --port"
        ) from error
    return made
