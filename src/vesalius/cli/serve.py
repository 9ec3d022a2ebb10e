"""`vesalius serve`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from vesalius.cli._alarm import alarm_address
from vesalius.cli._app import when_told_to_stop
from vesalius.cli._llm import chat_server
from vesalius.cli._node import node
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.errors import VesaliusError
from vesalius.core.words import counted

if TYPE_CHECKING:
    from vesalius.adjunct.server import ChatServer
    from vesalius.serve.http.shared.sharing import Shared
    from vesalius.serve.http.similar import SimilarCases
    from vesalius.serve.webhook import Address

_OF_NODE = {"status", "dead_letters", "replay", "pull", "peer"}


def serve(
    context: typer.Context,
    talk: Talk,
    bundles: list[str] | None = typer.Argument(
        None, metavar="BUNDLE…", help="Bundles, or the runs that hold them; NAME=PATH names one."
    ),
    dicom: Path | None = typer.Option(
        None, "--dicom", metavar="SETTINGS", help="Run the DICOM node of a settings file instead."
    ),
    status: bool = typer.Option(False, "--status", help="With --dicom: say where the node's series stand."),
    dead_letters: bool = typer.Option(
        False, "--dead-letters", help="With --dicom: list the series that were given up."
    ),
    replay: str | None = typer.Option(
        None,
        "--replay",
        metavar="UID",
        help="With --dicom: answer a series again; or, with all, each that was given up.",
    ),
    pull: str | None = typer.Option(
        None, "--pull", metavar="STUDY", help="With --dicom: ask a PACS to send a study to the node (C-MOVE)."
    ),
    peer: str | None = typer.Option(
        None,
        "--from",
        metavar="NAME",
        help="With --pull: the destination that is asked.",
        show_default="the only one",
    ),
    host: str = typer.Option(
        "127.0.0.1", "--host", help="The address to listen at; beyond loopback only with keys."
    ),
    port: int = typer.Option(8080, "--port", min=0, max=65535, help="The port; 0 takes a free one."),
    keys: Path | None = typer.Option(None, "--keys", help="A keys file: who may call, and as what."),
    make_key: str | None = typer.Option(
        None, "--make-key", metavar="NAME", help="Add a key to the --keys file, print it, and leave."
    ),
    role: str = typer.Option("user", "--role", help="With --make-key: monitor, user or admin."),
    audit: Path = typer.Option(
        Path("vesalius-audit.jsonl"), "--audit", help="The audit log, gone on with where it exists."
    ),
    check_audit: bool = typer.Option(False, "--check-audit", help="Verify the audit log, and leave."),
    edits: Path | None = typer.Option(
        None,
        "--edits",
        metavar="FOLDER",
        help="Keep reports that people change in this folder; without it nobody can change one.",
    ),
    annotate: Path | None = typer.Option(
        None,
        "--annotate",
        metavar="FOLDER",
        help="Let people annotate the project in this folder, which `vesalius annotate` made; bundles may be left out.",
    ),
    export_edits: Path | None = typer.Option(
        None,
        "--export-edits",
        metavar="DATA",
        help="With --edits: write a table of the changed reports of these images, and leave.",
    ),
    out: Path | None = typer.Option(
        None, "--out", "-o", metavar="TABLE", help="With --export-edits: the table that is written."
    ),
    verified_only: bool = typer.Option(
        False, "--verified-only", help="With --export-edits: only reports that somebody answers for."
    ),
    queue: str | None = typer.Option(
        None,
        "--queue",
        metavar="DATABASE",
        help="Share jobs with other processes of this service: a postgresql:// URL, or on one machine a SQLite file.",
    ),
    workdir: Path | None = typer.Option(
        None,
        "--workdir",
        metavar="FOLDER",
        help="With --queue: the folder of uploads and results that all share.",
    ),
    max_upload: int = typer.Option(2048, "--max-upload", min=1, help="MiB of one upload at most."),
    max_stored: int = typer.Option(
        32, "--max-stored", min=1, help="GiB of uploads and results kept at most."
    ),
    keep: float = typer.Option(
        24.0, "--keep", min=0.01, help="Hours after which uploads and results are removed."
    ),
    device: list[str] | None = typer.Option(
        None,
        "--device",
        help="cpu, cuda, …; several, to work on several.",
        show_default="a GPU where there is one",
    ),
    tls_cert: Path | None = typer.Option(None, "--tls-cert", help="PEM certificate, to serve https."),
    tls_key: Path | None = typer.Option(None, "--tls-key", help="PEM key of that certificate."),
    memory_limit: str | None = typer.Option(
        None,
        "--memory-limit",
        help="Never hold more memory: 800MB, 4GB. Requests that take more are refused.",
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Answer images of another modality or unit than a bundle learned from, whatever a request says.",
    ),
    refuse_unlike: bool = typer.Option(
        False,
        "--refuse-unlike",
        help="Refuse images unlike those that a bundle learned from, whatever a request says.",
    ),
    guard: Path | None = typer.Option(
        None,
        "--guard",
        metavar="BUNDLE",
        help="A bundle of what is normal (fit --task anomaly), which looks at each case first and marks what it calls.",
    ),
    without_selftest: bool = typer.Option(
        False,
        "--without-selftest",
        help="Serve bundles that nobody has tested on this machine; see `vesalius selftest`.",
    ),
    runtime: str = typer.Option(
        "auto",
        "--runtime",
        help="What computes: torch, onnx, openvino, or the fastest here; see `vesalius runtimes`.",
    ),
    alarm: str | None = typer.Option(
        None,
        "--alarm",
        metavar="URL",
        help="An address that is told of drift, anomalies and a queue that is stuck; nothing of a patient.",
    ),
    alarm_secret: Path | None = typer.Option(
        None,
        "--alarm-secret",
        metavar="FILE",
        help="With --alarm: a file that holds the secret to sign with.",
    ),
    llm: str | None = typer.Option(
        None,
        "--llm",
        metavar="URL",
        help="A server of chat completions that callers may ask beside an answer; only findings leave.",
    ),
    llm_model: str = typer.Option("default", "--llm-model", help="With --llm: which model it is asked for."),
    llm_allow: list[str] | None = typer.Option(
        None, "--llm-allow", metavar="HOST", help="With --llm: a host beyond this machine that may be asked."
    ),
    llm_key: Path | None = typer.Option(
        None, "--llm-key", metavar="FILE", help="With --llm: a file that holds its key."
    ),
    index: Path | None = typer.Option(
        None,
        "--index",
        metavar="INDEX",
        help="Find cases like an uploaded one in an index of `vesalius index`.",
    ),
    index_images: Path | None = typer.Option(
        None, "--index-images", metavar="FOLDER", help="With --index: the folder whose images may be shown."
    ),
    index_role: str = typer.Option(
        "admin", "--index-role", help="With --index: who sees ids and pictures of its cases: admin, or user."
    ),
) -> Outcome | None:
    """Serve bundles over HTTP (a viewer at /, an API, MONAI Label's for 3D Slicer), or as a DICOM node of a PACS."""
    if dicom is not None:
        _assert_of_node(context, bundles)
        return node(
            dicom, talk, status=status, dead_letters=dead_letters, replay=replay, pull=pull, peer=peer
        )
    if status or dead_letters or replay is not None or pull is not None or peer is not None:
        raise VesaliusError(
            "--status, --dead-letters, --replay, --pull and --from ask a DICOM node", hint="--dicom SETTINGS"
        )
    if make_key is not None:
        return _make_key(keys, make_key, role)
    if check_audit:
        return _check_audit(audit)
    if export_edits is not None:
        return _export_edits(edits, export_edits, out, verified_only=verified_only)
    if out is not None or verified_only:
        raise VesaliusError(
            "--out and --verified-only are of a table of changed reports", hint="--export-edits DATA"
        )
    _serve_http(
        bundles,
        talk,
        host=host,
        port=port,
        keys=keys,
        audit=audit,
        limits=_Limits(max_upload, max_stored, keep),
        devices=device,
        tls=(tls_cert, tls_key),
        accept_mismatch=accept_mismatch,
        refuse_unlike=refuse_unlike,
        guard=guard,
        selftest=not without_selftest,
        runtime=runtime,
        memory=memory_limit,
        edits=edits,
        annotate=annotate,
        llm=chat_server(llm, model=llm_model, allowed=llm_allow, key=llm_key),
        index=_Index(index, index_images, index_role),
        alarm=alarm_address(alarm, alarm_secret),
        queue=_Queue(queue, workdir),
    )
    return None


@dataclass(frozen=True, slots=True)
class _Index:
    """The index of a service, as it is typed: where it lies, the folder of its images, and who sees them."""

    path: Path | None
    images: Path | None
    role: str

    def opened(self) -> SimilarCases | None:
        """Return the index, ready to be asked. Raises VesaliusError for what does not go together."""
        if self.path is None:
            if self.images is not None:
                raise VesaliusError("--index-images is of an index", hint="--index FOLDER")
            return None
        from vesalius.serve.http.similar import SimilarCases

        if self.role not in ("admin", "user"):
            raise VesaliusError("--index-role is admin or user", found=self.role)
        role: Literal["admin", "user"] = "admin" if self.role == "admin" else "user"
        return SimilarCases(self.path, images=self.images, role=role)


@dataclass(frozen=True, slots=True)
class _Queue:
    """What a service shares with its other processes, as it is typed."""

    where: str | None
    folder: Path | None

    def opened(self, *, edits: Path | None, annotate: Path | None) -> Shared | None:
        """Return what is shared; None where nothing is. Raises VesaliusError for what does not go together."""
        if self.where is None and self.folder is None:
            return None
        from vesalius.serve.http.shared.sharing import Shared, assert_shareable

        if self.where is None or self.folder is None:
            lacks = "--queue DATABASE" if self.where is None else "--workdir FOLDER"
            raise VesaliusError(f"--queue and --workdir belong together, and {lacks} is missing")
        assert_shareable(edits=edits, annotate=annotate)
        return Shared(self.where, self.folder)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a service takes and keeps, as it is typed."""

    upload_mib: int
    stored_gib: int
    keep_h: float


def _serve_http(
    bundles: list[str] | None,
    talk: Talk,
    *,
    host: str,
    port: int,
    keys: Path | None,
    audit: Path,
    limits: _Limits,
    devices: list[str] | None,
    tls: tuple[Path | None, Path | None],
    accept_mismatch: bool,
    refuse_unlike: bool,
    guard: Path | None,
    selftest: bool,
    runtime: str,
    memory: str | None,
    edits: Path | None,
    annotate: Path | None,
    llm: ChatServer | None,
    index: _Index,
    alarm: Address | None,
    queue: _Queue,
) -> None:
    """Serve over HTTP until the process is told to stop. `tls` are the files of certificate and key."""
    if not bundles and annotate is None:
        raise VesaliusError("nothing to serve", hint="vesalius serve BUNDLE, or --annotate FOLDER")
    cert, key = tls
    if (cert is None) != (key is None):
        raise VesaliusError("--tls-cert and --tls-key belong together")

    shared = queue.opened(edits=edits, annotate=annotate)

    def listening(address: str, models: Sequence[str]) -> None:
        talk.say(Outcome({"service": {"url": address, "models": list(models), "audit": audit}}, lambda: None))

    with when_told_to_stop(_leave), _kept_below(memory):  # how a service ends, while it loads, too
        from vesalius.serve.http.limits import Bounds
        from vesalius.serve.http.server import run_service
        from vesalius.serve.transport import Tls

        run_service(
            bundles or (),
            host=host,
            port=port,
            keys=keys,
            audit=audit,
            bounds=replace(
                Bounds(),
                body_bytes=limits.upload_mib << 20,
                stored_bytes=limits.stored_gib << 30,
                keep_s=limits.keep_h * 3600,
            ),
            devices=devices or [None],
            tls=Tls(cert, key) if cert and key else None,
            accept_mismatch=accept_mismatch,
            refuse_unlike=refuse_unlike,
            guard=guard,
            selftest=selftest,
            runtime=runtime,
            edits=edits,
            annotate=annotate,
            llm=llm,
            similar=index.opened(),
            alarm=alarm,
            shared=shared,
            progress=talk.progress,
            ready=listening,
        )


@contextmanager
def _kept_below(memory: str | None) -> Iterator[None]:
    """Inside this block, keep within the memory that is written so; None is no limit."""
    if memory is None:
        yield
        return
    from vesalius.run.limits.allowance import memory_of
    from vesalius.run.limits.memory import kept_below

    with kept_below(memory_of(memory)):
        yield


def _leave() -> None:
    raise SystemExit(0)


def _assert_of_node(context: typer.Context, bundles: list[str] | None) -> None:
    """Raise VesaliusError for bundles, or an option of the HTTP service, which a node would not heed."""
    if bundles:
        raise VesaliusError(
            "a DICOM node's bundles stand in its settings", found=bundles[0], hint="one serve for each"
        )
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if (
            name in _OF_NODE | {"dicom", "bundles", "as_json"}
            or source is None
            or source.name != "COMMANDLINE"
        ):
            continue
        raise VesaliusError(
            f"{parameter.opts[0]} is not for a DICOM node, whose settings stand in a file",
            hint="the keys in docs/pacs.md",
        )


def _check_audit(path: Path) -> Outcome:
    from vesalius.serve.http.audit import check

    tail = check(path)
    said = f"{counted(tail.count, 'line')}, all as they were written; the last one's hash is {tail.hash}"
    return Outcome(
        {"audit": {"path": path, "lines": tail.count, "hash": tail.hash}},
        lambda: typer.echo(f"{path}: {said}"),
    )


def _export_edits(folder: Path | None, data: Path, out: Path | None, *, verified_only: bool) -> Outcome:
    if folder is None or out is None:
        lacks = "the folder that keeps them" if folder is None else "a file to write"
        raise VesaliusError(
            f"--export-edits needs {lacks}", hint="--edits FOLDER --export-edits DATA --out edits.csv"
        )
    from vesalius import cohorts
    from vesalius.serve.edits.table import export_edits

    made = export_edits(folder, cohorts.read(data), out, verified_only=verified_only)

    def show() -> None:
        typer.echo(f"{made.path}: {counted(made.cases, 'changed report')}")
        for case, reason in made.left_out:
            typer.echo(f"left out: {case}: {reason}")
        if made.elsewhere:
            typer.echo(f"{counted(made.elsewhere, 'changed report')} of images that are not here")

    left = [{"case": case, "reason": reason} for case, reason in made.left_out]
    said = {"table": made.path, "cases": made.cases, "left_out": left, "elsewhere": made.elsewhere}
    return Outcome({"edits": said}, show)


def _make_key(path: Path | None, name: str, role: str) -> Outcome:
    from vesalius.serve.http.keys import ROLES, make

    found = next((r for r in ROLES if r == role), None)
    if path is None or found is None:
        wrong = "--make-key needs the file to add it to" if path is None else f"no role '{role}'"
        raise VesaliusError(wrong, hint="--keys FILE" if path is None else ", ".join(ROLES))
    key = make(path, name, found)

    def show() -> None:
        typer.echo(f"added '{name}' ({role}) to {path}; its key, shown this once:", err=True)
        typer.echo(key)

    return Outcome({"key": {"name": name, "role": role, "file": path, "key": key}}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "serve", serve, limited=False)
