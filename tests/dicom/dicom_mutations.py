"""Seeded damage to DICOM files: bytes, lengths, VRs, nested sequences, pixel data, cuts; for tests and for the soak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WRONG = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
KINDS = (b"SQ", b"UN", b"OB", b"US", b"DS", b"IS", b"UI", b"FD", b"XX", b"\0\0")
OPEN = b"\xff\xff\xff\xff"


def mutants(files: list[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """`count` damaged versions of the files in turn; the preamble stays, so that most get beyond the first look."""
    generator = np.random.default_rng(seed)
    for k in range(count):
        yield mutant(files[k % len(files)], generator)


def mutant(good: bytes, generator: np.random.Generator) -> bytes:
    """One to four changes of random sorts, mostly in the first kilobytes, where the header is."""
    bad = bytearray(good)
    for _ in range(int(generator.integers(1, 5))):
        reach = min(len(bad), 4096) if generator.random() < 0.75 else len(bad)
        at = int(generator.integers(132, max(reach, 133)))
        sort = int(generator.integers(9))
        wrong = int(generator.choice(np.array(WRONG, np.uint32)))
        if sort == 0:  # some bytes
            for _ in range(int(generator.integers(1, 8))):
                bad[int(generator.integers(132, max(len(bad), 133))) % len(bad)] = int(
                    generator.integers(256)
                )
        elif sort == 1:  # a length of four bytes
            bad[at : at + 4] = wrong.to_bytes(4, "little")
        elif sort == 2:  # a length of two
            bad[at : at + 2] = (wrong & 0xFFFF).to_bytes(2, "little")
        elif sort == 3:  # another VR
            bad[at : at + 2] = KINDS[int(generator.integers(len(KINDS)))]
        elif sort == 4:  # the rows, the columns, the frames, the bits
            number = int(generator.choice([0x02, 0x08, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103]))
            found = bytes(bad).find(b"\x28\x00" + number.to_bytes(2, "little"))
            if found > 0:
                bad[found + 8 : found + 10] = (wrong & 0xFFFF).to_bytes(2, "little")
        elif sort == 5:  # sequences in sequences
            deep = int(generator.choice([1, 5, 40, 400]))
            bad[at:at] = (b"\x08\x00\x40\x11SQ\0\0" + OPEN + b"\xfe\xff\x00\xe0" + OPEN) * deep
        elif sort == 6:  # cut
            del bad[at:]
        elif sort == 7:  # a piece twice
            bad[at:at] = bad[max(at - 200, 132) : at]
        else:  # the pixels' own stream
            found = bytes(bad).find(b"\xe0\x7f\x10\x00")
            if 0 < found < len(bad) - 40:
                spot = found + int(generator.integers(4, min(len(bad) - found, 400)))
                bad[spot : spot + 4] = wrong.to_bytes(4, "little")
    return bytes(bad)
