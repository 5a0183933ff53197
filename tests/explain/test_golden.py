"""Ten answers as people see them at 80 columns: plain files under ``golden/``, for a reviewer to read.

``SPARSEMEM_WRITE_GOLDEN=1`` rewrites them; the change is then reviewed like any other.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sparsemem.explain import explain
from sparsemem.spec.kernel import kernel

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[str, str | None]] = {
    "sub-section": ("sub-section", None),
    "eexist": ("EEXIST", None),
    "c09-mixed-region@5.1": ("devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]",
    "5.1"),
    "c01-alignment-collision": ("nd_pmem pfn0.0: namespace0.0 alignment collision, truncate 67108864 bytes", None),
    "c14-misaligned-unable-to-map": ("nd_pmem namespace0.0: [mem 0x06000000-0x0e8b7fff] misaligned, unable to map",
    None),
    "c33-unaligned-hotplug-range@6.1": (
        "Block size [0x80000000] unaligned hotplug range: start 0x1040000000, size 0x80000000", "6.1",
    ),
    "c44-misaligned-pages@6.12": ("[  5.1] Misaligned __add_pages start: 0xfc605 end: #fc609", "6.12"),
    "c02-did-you-intend": (
        "'--size=' must align to interleave-width: 6 and alignment: 2097152\ndid you intend --size=132M?", None,
    ),
    "c26-kmem": ("kmem dax0.0: DAX region [mem 0x150000000-0x33fffffff] cannot be hotremoved until the next reboot",
    None),
    "no-match": ("sectoin", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    text, version = CASES[name]
    got = explain(text, kernel(version) if version else None).text(80) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SPARSEMEM_WRITE_GOLDEN"):
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


def test_no_golden_is_left_over() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == set(CASES)
