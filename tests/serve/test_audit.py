"""The audit log: a chain that shows any change, whole after a crash, and without a word out of a file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from vesalius.core.errors import FormatError, OutputError
from vesalius.serve.http.audit import START, Audit, check, verify


def written(path: Path, lines: int = 5) -> list[str]:
    log = Audit(path)
    for k in range(lines):
        log.add("ward-3", "upload", {"study": f"s{k}", "bytes": k})
    log.close()
    return path.read_text().splitlines()


def test_each_line_carries_the_hash_of_the_one_before(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path / "a.jsonl")]
    assert [x["n"] for x in lines] == [1, 2, 3, 4, 5]
    assert [x["previous"] for x in lines] == [START, *(x["hash"] for x in lines[:-1])]
    tail = verify(tmp_path / "a.jsonl")
    assert (tail.count, tail.hash) == (5, lines[-1]["hash"])
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("line", range(5))
@pytest.mark.parametrize("how", ["changed", "removed", "swapped", "repeated", "rehashed", "renamed"])
def test_any_change_is_found(how: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = written(path)
    if how == "changed":
        lines[line] = lines[line].replace('"bytes": ', '"bytes": 1')
    elif how == "removed":
        del lines[line]
        if line == 4:
            assert verify(path).count == 5
            path.write_text("\n".join(lines) + "\n")
            assert verify(path).count == 4, (
                "only the number and the hash that are kept elsewhere can show this"
            )
            return
    elif how == "swapped":
        other = (line + 1) % 5
        lines[line], lines[other] = lines[other], lines[line]
    elif how == "repeated":
        lines.insert(line, lines[line])
    elif how == "rehashed":  # as one who knows how the chain is made, and changes one line alone
        said = json.loads(lines[line]) | {"who": "someone else"}
        del said["hash"]
        other = Audit(tmp_path / "b.jsonl")
        other.close()
        from vesalius.serve.http import audit

        said["hash"] = audit._hash(said)
        lines[line] = json.dumps(said)
        if line == 4:
            path.write_text("\n".join(lines) + "\n")
            assert verify(path).hash != written(tmp_path / "c.jsonl")[-1][-66:-2]
            return
    else:
        lines[line] = lines[line].replace('"who"', '"whom"')
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError):
        verify(path)
    with pytest.raises(FormatError):
        Audit(path)


def test_it_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, 3)
    written(path, 2)
    assert verify(path).count == 5


def test_a_line_that_a_crash_left_half_written_is_cut_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, 3)
    with path.open("ab") as file:
        file.write(b'{"n": 4, "at": "20')
    with pytest.raises(FormatError, match="never finished"):
        check(path)
    log = Audit(path)
    (said,) = log.last(1)
    log.close()
    (aside,) = tmp_path.glob("a.jsonl.torn-*")
    assert aside.read_bytes() == b'{"n": 4, "at": "20' and aside.stat().st_mode & 0o077 == 0
    assert log.mended is not None and aside.name in log.mended
    assert (said["what"], said["bytes"]) == ("repaired", 18)
    assert said["sha256"] == hashlib.sha256(aside.read_bytes()).hexdigest()
    assert verify(path).count == check(path).count == 4
    with path.open("ab") as file:
        file.write(b"not JSON\n")
    with pytest.raises(FormatError):
        verify(path)


def test_a_log_that_is_torn_and_was_changed_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = written(path, 3)
    lines[1] = lines[1].replace("ward-3", "ward-4")
    path.write_text("\n".join(lines) + '\n{"n": 4')
    before = path.read_bytes()
    with pytest.raises(FormatError, match="line 2"):
        Audit(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_two_services_do_not_write_one_log(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = Audit(path)
    with pytest.raises(OutputError, match="in use"):
        Audit(path)
    log.add("ward-3", "upload", {"study": "s"})
    log.close()
    Audit(path).close()
    assert verify(path).count == 1


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_the_chain_as_it_was(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    log = Audit(path)
    log.add("ward-3", "upload", {"study": "s"})
    real, written_ = os.write, list[int]()

    def full(handle: int, data: bytes = b"") -> int:
        if call == "write" and not written_:
            written_.append(real(handle, data[:20]))  # and the next piece finds no room
            return written_[0]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OutputError):
            log.add("ward-3", "look", {"study": "s"})
    log.add("ward-3", "delete", {"study": "s"})
    log.close()
    assert verify(path).count == 2
    assert [json.loads(line)["what"] for line in path.read_text().splitlines()] == ["upload", "delete"]


def test_nothing_out_of_a_file_or_its_name_is_written(
    clients: Any, series: list[Path], picture: bytes
) -> None:
    import pydicom

    client = clients()
    head = pydicom.dcmread(series[0], stop_before_pixels=True)
    head_words = {
        str(head.get(k)) for k in ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID")
    }
    files = [("files", (f"PLANTED-DOE-{p.name}", p.read_bytes())) for p in series]
    made = client.post("/api/studies", files=files).json()
    got = client.post(
        "/api/predict", files={"files": ("PLANTED^JANE.png", picture)}, data={"model": "chest"}
    ).json()
    client.get(got["answers"][0]["files"]["answer.json"])
    client.get(f"/api/studies/{made['study']}/cases/c1/image.nii.gz")
    client.get("/api/studies/PLANTED-id")
    client.delete(f"/api/studies/{made['study']}")
    path: Path = client.app.state.service.audit.path
    text = path.read_text()
    assert "PLANTED" not in text
    assert not any(w and w in text for w in head_words)
    kinds = [json.loads(line)["what"] for line in text.splitlines()]
    assert kinds == ["start", "upload", "upload", "predict", "done", "download", "look", "delete"]
    assert verify(path).count == len(kinds)
