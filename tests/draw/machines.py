"""The machines of the goldens. ``python -m tests.draw.machines`` prints what would change; add ``--write`` to write it."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.draw import Comparison, Scene, build_scene, compare, paint_text
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

GOLDEN = Path(__file__).parent / "golden"

MAIL = "1000-9fbff ram, 1M-2G ram, 4G-8G ram, 200000000-2fbffffff legacy, 2fc000000-43fffffff ram; with block=128M"
MAIL_STEP = "memremap_pages 0x200000000-0x2fbffffff owner=namespace0.0"
MIXED = "1000-9fbff ram, 1M-2G ram, 4G+60M ram, 0x103c00000+256M pmem; with block=128M auto_online=offline"


def scene(line: str, *steps: str) -> Scene:
    """The machine of a layout line after these operations; what the kernel logged is a note of the picture."""
    machine: Machine = parse_machine(line)
    said = [text.text for step in steps for text in machine.apply(step).log if text.level in ("err", "warn")]
    return build_scene(machine.state, machine.faults(), notes=said)


def mail(version: str) -> Scene:
    return scene(f"{version}; {MAIL}", MAIL_STEP)


def namespaces(version: str) -> Scene:
    """Three namespaces of 16 MiB in one section."""
    return scene(
        f"{version}; 1000-9fbff ram, 1M-2G ram, 4G+256M pmem; with block=128M",
        *(
            f"memremap_pages {at:#x}-{at + 0xFFFFFF:#x} owner=namespace0.{n}"
            for n, at in enumerate(range(1 << 32, 0x103000000, 1 << 24))
        ),
    )


def ram_beside_pmem() -> Scene:
    """RAM that ends mid-section, a device, residue of an add, driver-managed and plain hot-added RAM, an offline boot block."""
    return scene(
        f"6.1; {MIXED}",
        "memremap_pages 0x104000000-0x104ffffff owner=namespace0.0",
        "arch_add_memory 0x10a000000-0x10affffff",
        "add_memory_driver_managed 0x118000000-0x11fffffff",
        "add_memory 0x120000000-0x127ffffff",
        "online_movable memory35",
        "offline memory3",
    )


def arm64() -> Scene:
    """1 GiB sections: 512 sub-sections each."""
    return scene(
        "5.10 arm64; 0x40000000+2G ram, 0xc0000000+64M pmem, 0x100000000+4G ram", "memremap_pages 0xc0000000-0xc3ffffff"
    )


def huge() -> Scene:
    """64 TiB: 524,280 sections."""
    return scene(
        "6.1; 1000-9fbff ram, 1M-3G ram, 4G-4T ram, 4T-64T pmem", "memremap_pages 0x40000000000-0x3fffffffffff"
    )


def pictures() -> dict[str, tuple[Scene | Comparison, int, bool]]:
    """Golden name -> picture, width, unicode."""
    return {
        "mail-5.1": (mail("5.1"), 80, True),
        "mail-6.1": (mail("6.1"), 80, True),
        "mail-5.1-beside-6.1": (compare(mail("5.1"), mail("6.1")), 80, True),
        "namespaces-5.1": (namespaces("5.1"), 80, True),
        "namespaces-6.1": (namespaces("6.1"), 80, True),
        "ram-beside-pmem": (ram_beside_pmem(), 80, True),
        "ram-beside-pmem-ascii": (ram_beside_pmem(), 100, False),
        "ram-beside-pmem-narrow": (ram_beside_pmem(), 48, True),
        "arm64-5.10": (arm64(), 80, True),
        "64T": (huge(), 80, True),
    }


def main(write: bool) -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, (picture, width, unicode) in pictures().items():
        path = GOLDEN / f"{name}.txt"
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = paint_text(picture, width, unicode=unicode)
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, name))
        if write:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main("--write" in sys.argv)
