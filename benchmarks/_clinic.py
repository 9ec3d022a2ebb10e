"""A clinic in a box: a real Orthanc, the node as a user runs it, and modalities, in a network of their own.

Orthanc 1.10 listens on every interface whatever it is told, so all of it runs where there is no interface but loopback:
`python -m benchmarks._clinic SCENARIO FOLDER …` is called by `alone`, and prints what it found as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pydicom
import yaml

from benchmarks import _fits, _record
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.verbs.fetch import find
from vesalius.verbs.phantom import phantom
from vesalius.verbs.read import read

DICOM, REST, NODE = 4242, 8042, 11112
WEB = f"http://127.0.0.1:{REST}/dicom-web"
SERVER = shutil.which("Orthanc", path="/usr/sbin:" + os.environ.get("PATH", ""))
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
TINY = (
    "--set", "net.scale=0.125", "--set", "train.threads=1", "--set", "train.members=1", "--set", "train.steps=4",
    "--set", "train.batch=1", "--set", "train.validations=1", "--set", "data.size=[16,32,32]",
)  # fmt: skip


def missing() -> str | None:
    """What the clinic needs and this machine lacks, in words; None where it can open."""
    programs = ("storescu", "echoscu", "unshare", "ip")
    lacking = [
        p for p in programs if shutil.which(p, path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")) is None
    ]
    if SERVER is None or not PLUGIN.is_file():
        lacking.append("orthanc with orthanc-dicomweb")
    if lacking:
        return f"{', '.join(lacking)} not installed"
    if subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode:
        return "no private network namespace can be made here"
    return None


def _unshare() -> list[str]:
    return ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]


def alone(scenario: str, folder: Path, *words: str, timeout_s: float) -> dict[str, Any]:
    """Run a scenario in a network namespace of its own. Raises RuntimeError with what it said."""
    up = 'ip link set lo up && exec "$0" "$@"'
    words = (sys.executable, "-m", "benchmarks._clinic", scenario, str(folder), *words)
    path = f"/usr/sbin:/usr/bin:{os.environ.get('PATH', '')}"  # dcmtk's tools, not pynetdicom's of the same names
    done = subprocess.run(
        [*_unshare(), "sh", "-c", up, *words],
        cwd=_record.ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=timeout_s,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the scenario '{scenario}' ended with {done.returncode}: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def bundle(folder: Path, *, seed: int = 0) -> Path:
    """A tiny bundle that segments, made in seconds unless it lies there; what it finds is not worth looking at."""
    data, out = folder / "training", folder / f"run-{seed}"
    if (out / "bundle").exists():
        return out / "bundle"
    if not data.exists():
        phantom(data, cases=6, seed=4, size=(12, 32, 32))
    words = _fits.vesalius("fit", str(data), "-o", str(out), "--target", "mask", "--seed", str(seed), *TINY)
    subprocess.run(words, cwd=_record.ROOT, check=True, capture_output=True)
    return out / "bundle"


def studies(folder: Path, count: int, *, planes: int, first: int = 0) -> dict[str, list[Path]]:
    """Phantom studies of one CT series each: their files by StudyInstanceUID."""
    found: dict[str, list[Path]] = {}
    for index in range(first, first + count):
        here = folder / f"study-{index}"
        here.mkdir(parents=True)
        for name, data in dicom_files(patient(index, size=(planes, 32, 32))):
            (here / name).write_bytes(data)
        paths = sorted(here.iterdir())
        found[str(pydicom.dcmread(paths[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)] = paths
    return found


class Clinic:
    """An Orthanc that runs, and a node that can be started, killed and started again."""

    def __init__(self, folder: Path, bundles: Sequence[Path], **settings: Any) -> None:
        self.folder, self.settings = folder, folder / "node.yaml"
        self.node: subprocess.Popen[str] | None = None
        said = {
            "allow": [{"aet": a} for a in ("CT1", "ORTHANC")],
            "stable_s": 2.0,
            "backoff_s": 1.0,
            "destinations": {
                "pacs": {
                    "host": "127.0.0.1",
                    "port": DICOM,
                    "aet": "ORTHANC",
                    "orthanc": f"http://127.0.0.1:{REST}",
                },
                "web": {"dicomweb": WEB},
            },
            "rules": [
                {"bundle": str(b), "destination": where, "modality": "CT", "body_part": part}
                for b in bundles
                for where, part in (("pacs", "ABDOMEN"), ("web", "CHEST"))
            ],
        }
        self.settings.write_text(yaml.safe_dump(said | settings), encoding="utf-8")
        store = Path(tempfile.mkdtemp(prefix="orthanc-", dir=folder))
        config = {
            "Name": "clinic", "StorageDirectory": str(store), "IndexDirectory": str(store), "DicomAet": "ORTHANC",
            "DicomPort": DICOM, "HttpPort": REST, "RemoteAccessAllowed": True, "AuthenticationEnabled": False,
            "DicomModalities": {"node": ["VESALIUS", "127.0.0.1", NODE]}, "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "DicomAlwaysAllowStore": True,
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(config), encoding="utf-8")
        with (folder / "orthanc.log").open("w") as log:
            self.orthanc = subprocess.Popen(
                [str(SERVER), str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
            )
        until(lambda: self.rest("/system") is not None, 30, "Orthanc does not answer")

    def __enter__(self) -> Clinic:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.node, self.orthanc):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(20)

    def start(self, *, wait: bool = True) -> None:
        """Start the node; with `wait`, come back once it listens."""
        with (self.folder / "node.log").open("a") as log:
            words = _fits.vesalius("serve", "--dicom", str(self.settings))
            self.node = subprocess.Popen(words, cwd=_record.ROOT, stderr=log, text=True)
        if wait:
            until(listens, 120, "the node does not listen")

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.node is not None:
            self.node.kill()
            self.node.wait()

    def said(self, *words: str) -> str:
        """What `vesalius serve --dicom SETTINGS …` says."""
        done = subprocess.run(
            _fits.vesalius("serve", "--dicom", str(self.settings), *words),
            cwd=_record.ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def rest(self, path: str) -> Any:
        """What Orthanc's REST interface says; None where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{REST}{path}", timeout=20) as answer:
                return json.loads(answer.read())
        except OSError:
            return None

    def results(self) -> dict[str, Counter[str]]:
        """Of each study in Orthanc, the number of objects by modality."""
        found: dict[str, Counter[str]] = {}
        for study in self.rest("/studies?expand"):
            counts = found[study["MainDicomTags"]["StudyInstanceUID"]] = Counter()
            for modality, instances in self._series(study):
                counts[modality] += len(instances)
        return found

    def frames(self, study_uid: str) -> list[int]:
        """The numbers of frames of a study's segmentations."""
        found = []
        for study in self.rest("/studies?expand"):
            if study["MainDicomTags"]["StudyInstanceUID"] == study_uid:
                for modality, instances in self._series(study):
                    tags = [
                        self.rest(f"/instances/{i}/simplified-tags") for i in instances if modality == "SEG"
                    ]
                    found += [int(t["NumberOfFrames"]) for t in tags if t]
        return found

    def _series(self, study: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
        """The modality and the instances of each of a study's series, but for those that are deleted just now."""
        for uid in study["Series"]:
            series = self.rest(f"/series/{uid}")
            if series:
                yield series["MainDicomTags"]["Modality"], series["Instances"]


def until(true: Callable[[], bool], limit_s: float, otherwise: str) -> float:
    """Wait until something is so; how long it took. Raises RuntimeError."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > limit_s:
            raise RuntimeError(otherwise)
        time.sleep(0.2)
    return time.monotonic() - began


def listens() -> bool:
    """Whether the node takes connections."""
    try:
        socket.create_connection(("127.0.0.1", NODE), timeout=1).close()
    except OSError:
        return False
    return True


def echo(limit_s: float = 30) -> float:
    """Seconds until C-ECHO succeeded."""
    began = time.monotonic()
    words = ["echoscu", "-aet", "CT1", "-aec", "VESALIUS", "127.0.0.1", str(NODE)]
    subprocess.run(words, check=True, capture_output=True, timeout=limit_s)
    return time.monotonic() - began


def send(paths: Sequence[Path], stop: threading.Event) -> None:
    """Send files as a modality does: what is not acknowledged is sent again, over a new association."""
    from pynetdicom import AE
    from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

    left = list(paths)
    while left and not stop.is_set():
        ae = AE("CT1")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 10
        ae.add_requested_context(CTImageStorage)
        made = ae.associate("127.0.0.1", NODE, ae_title="VESALIUS")
        while made.is_established and left:
            try:
                if made.send_c_store(pydicom.dcmread(left[0])).get("Status") != 0:
                    break
            except (RuntimeError, ValueError):
                break
            left.pop(0)
        if made.is_established:
            made.release()
        if left:
            time.sleep(0.3)


def burst(folder: Path, instances: int, kills: int, seed: int, bundles: int) -> dict[str, Any]:
    """A burst of instances from four modalities, the node killed at random moments; then what Orthanc holds."""
    planes = 40 if instances >= 400 else 10
    made = [bundle(folder, seed=k) for k in range(bundles)]
    sent = studies(folder / "studies", instances // planes, planes=planes)
    moments, stop = random.Random(seed), threading.Event()
    when: list[str] = []
    with Clinic(folder, made) as clinic:
        clinic.start()
        began = time.monotonic()
        files = list(sent.values())
        senders = [
            threading.Thread(target=send, args=([p for f in files[k::4] for p in f], stop)) for k in range(4)
        ]
        for thread in senders:
            thread.start()
        for _ in range(kills):
            until(listens, 120, "the node does not listen")
            time.sleep(moments.uniform(0.05, 6.0))
            when.append(" ".join(f"{n} {s}" for s, n in states(clinic).items()))
            clinic.kill()
            clinic.start(wait=False)
        for thread in senders:
            thread.join(600)
        stop.set()
        acknowledged_s = time.monotonic() - began

        def done() -> bool:
            return states(clinic) == {"confirmed": len(sent)}

        until(done, 1200, f"not all is confirmed: {states(clinic)}")
        took_s = time.monotonic() - began
        until(listens, 120, "the node does not listen")  # killed, perhaps, after the last was confirmed
        echo_s = echo()
        found = clinic.results()
        right = sum(
            found.get(uid) == Counter({"SEG": bundles, "SR": bundles})
            and clinic.frames(uid) == [len(paths) * labels(made[0])] * bundles
            for uid, paths in sent.items()
        )
        return {
            "studies": len(sent), "right": right, "kills": len(when), "acknowledged_s": acknowledged_s,
            "took_s": took_s, "when": when, "replaced": replaced(clinic), "echo_s": echo_s,
            "found": {str(c): n for c, n in Counter(str(dict(c)) for c in found.values()).items()},
        }  # fmt: skip


def labels(path: Path) -> int:
    """How many labels a bundle's masks have: a segment each, with a frame a plane."""
    return len(json.loads((path / "state-0.json").read_text())["labels"])


def _rows(clinic: Clinic, statement: str) -> list[tuple[Any, ...]]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(clinic.folder / "store" / "queue.db", timeout=30)) as base:
        return base.execute(statement).fetchall()


def states(clinic: Clinic) -> dict[str, int]:
    """How many series are in which state."""
    return dict(_rows(clinic, "SELECT state, count(*) FROM series GROUP BY state"))


def replaced(clinic: Clinic) -> int:
    """How many results were made of a series that then grew, and were deleted from Orthanc again."""
    return int(_rows(clinic, "SELECT count(*) FROM results WHERE withdrawn = 1")[0][0])


def malformed(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Malformed connections to a node, all held open; the slowest C-ECHO meanwhile, and how its memory grew."""
    noise = random.Random(seed)
    huge, ask = struct.pack(">BBI", 1, 0, 0x7FFFFFFF), struct.pack(">BBI", 1, 0, 200)
    kinds = [
        b"", b"\x01", b"GET / HTTP/1.1\r\n\r\n", huge + b"x" * 65536, ask + b"x" * 200, ask + b"half",
        struct.pack(">BBI", 4, 0, 100) + b"x" * 100, b"\x16\x03\x01" + noise.randbytes(300),
    ]  # fmt: skip
    with Clinic(folder, [bundle(folder)]) as clinic:
        clinic.start()
        echo()
        assert clinic.node is not None
        process = psutil.Process(clinic.node.pid)
        before, peak, slowest = process.memory_info().rss, 0, 0.0
        held = []
        for k in range(count):
            made = socket.create_connection(("127.0.0.1", NODE))
            made.sendall(kinds[k] if k < len(kinds) else noise.choice([*kinds, noise.randbytes(500)]))
            held.append(made)
            if k % 5 == 4:
                slowest = max(slowest, echo())
                peak = max(peak, process.memory_info().rss)
        for _ in range(20):
            slowest = max(slowest, echo())
            peak = max(peak, process.memory_info().rss)
        for made in held:
            made.close()
        return {"slowest_echo_s": slowest, "grown_mb": (peak - before) / 1e6, "connections": count}


def everyday(folder: Path) -> dict[str, Any]:
    """A study by storescu; one that grows after its results were sent; one pulled, answered by STOW, and fetched."""
    sent = studies(folder / "studies", 3, planes=10)
    (first, one), (second, two), (third, three) = sent.items()
    for path in three:
        data = pydicom.dcmread(path)
        data.BodyPartExamined = "CHEST"
        data.save_as(path)
    with Clinic(folder, [bundle(folder)]) as clinic:
        clinic.start()
        found: dict[str, Any] = {}
        _storescu("VESALIUS", NODE, one)
        found["sent_s"] = until(lambda: _complete(clinic, first), 120, "no results of what was sent")
        _storescu("VESALIUS", NODE, two[:6])
        until(lambda: _complete(clinic, second), 120, "no results of the first part")
        early = clinic.frames(second)
        _storescu("VESALIUS", NODE, two[6:])
        until(
            lambda: clinic.frames(second) not in ([], early) and _complete(clinic, second),
            120,
            "no new results",
        )
        until(lambda: states(clinic) == {"confirmed": 2}, 60, "not confirmed")
        found["grown"] = [dict(clinic.results()[second]), early, clinic.frames(second)]
        _storescu("ORTHANC", DICOM, three)
        found["pulled"] = clinic.said("--pull", third).strip()
        until(lambda: _complete(clinic, third), 120, "no results of what was pulled")
        fetched = folder / "fetched"
        words = [WEB, "-o", str(fetched), "--study", third]
        done = subprocess.run(_fits.vesalius("fetch", *words), capture_output=True, text=True, timeout=120)
        found["fetched"] = done.stdout.replace(str(folder), "") + done.stderr
        same = {data.SOPInstanceUID: data for data in map(pydicom.dcmread, fetched.rglob("*.dcm"))}
        found["same"] = sum(same.get(d.SOPInstanceUID) == d for d in map(pydicom.dcmread, three))
        cohort = read(fetched)
        found["cohort"] = [len(cohort.cases), "mask" in cohort.targets]
        patient_id = str(pydicom.dcmread(one[0]).PatientID)
        listed = find(WEB, patient=patient_id, modalities=["SEG"])[1]
        found["listed"] = [[s.study_uid, s.modality, s.instances] for s in listed]
        found["states"] = states(clinic)
        found["results"] = {uid: dict(c) for uid, c in clinic.results().items()}
        found["labels"] = labels(folder / "run-0" / "bundle")
        assert clinic.node is not None
        clinic.node.send_signal(2)
        found["ctrl_c"] = clinic.node.wait(30)
        found["log"] = (folder / "node.log").read_text(encoding="utf-8")
        return found | {"studies": [first, second, third]}


def archive(folder: Path) -> dict[str, Any]:
    """Orthanc as an archive: its studies fetched, answered by two processes, and stored back; twice, from nothing."""
    sent = studies(folder / "studies", 3, planes=8)
    with Clinic(folder, [made := bundle(folder)]) as clinic:
        for paths in sent.values():
            _storescu("ORTHANC", DICOM, paths)
        told, results = [], []
        for name in ("first", "second"):
            server, out = f"dicomweb+{WEB}", folder / name
            words = ["predict", str(made), server, "--to", server, "-o", str(out), "--dicom", "--json"]
            words += ["--workers", "2", "--where", "Modality=CT"]
            done = subprocess.run(_fits.vesalius(*words), capture_output=True, text=True, timeout=200)
            told.append(json.loads(done.stdout)["result"]["archive"])
            results.append({uid: dict(counts) for uid, counts in clinic.results().items()})
        left = [p.name for where in (".spool", ".staging") for p in (out / where).glob("*")]
        return {"studies": list(sent), "archive": told, "results": results, "left": left}


def _storescu(aet: str, port: int, paths: Sequence[Path]) -> None:
    words = ["storescu", "-aet", "CT1", "-aec", aet, "127.0.0.1", str(port), *map(str, paths)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def _complete(clinic: Clinic, study_uid: str) -> bool:
    counts = clinic.results().get(study_uid, Counter())
    return counts["SEG"] == counts["SR"] == 1


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """What the node and Orthanc said, where a scenario fails."""
    folder = Path(sys.argv[2])
    try:
        yield
    except BaseException:
        for name in ("node.log", "orthanc.log"):
            if (folder / name).is_file():
                sys.stderr.write(f"--- {name}\n{(folder / name).read_text()[-1200:]}\n")
        raise


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[3:]]
    with shown():
        scenarios = {"burst": burst, "malformed": malformed, "everyday": everyday, "archive": archive}
        made_of = scenarios[sys.argv[1]]
        print(json.dumps(made_of(Path(sys.argv[2]), *numbers)))  # type: ignore[operator]
