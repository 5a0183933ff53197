"""A bench for one kernel: boots machines, and sets one back instead of booting it again wherever that is enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError
from sparsemem.lab.cache import in_use
from sparsemem.lab.errors import GuestLostError, LabError
from sparsemem.lab.guest import INIT_LABELS, Guest, GuestAnswer
from sparsemem.lab.qemu import arguments
from sparsemem.lab.sections import SectionReader
from sparsemem.lab.snapshot import Snapshot
from sparsemem.lab.vmcore import VmcoreReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import IO

    from sparsemem.lab.kernels import KernelImage
    from sparsemem.lab.sections import TableReader
    from sparsemem.play.scenario import MachineTable

__all__ = ["Bench", "Seat", "open_bench"]

_DRIVERS = {
    "nd": "libnvdimm", "nd/devices/ndbus0": "nfit", "nd/drivers/nd_pmem": "nd_pmem", "dax/drivers/device_dax": "device_dax",
    "dax/drivers/kmem": "kmem",
}  # fmt: skip
"""What a machine with pmem shows under /sys/bus, and the driver that it is missing without."""


@dataclass(slots=True)
class Seat:
    """A guest ready for a scenario's first step. ``labels`` is the command that initialised its labels, with its answer, or None."""

    guest: Guest
    reader: TableReader | None
    labels: tuple[str, GuestAnswer] | None
    snapshot: Snapshot | None = None


def init_command(table: MachineTable) -> str | None:
    """What initialises the labels of a machine: QEMU's label areas are blank."""
    wanted = [f"nmem{index}" for index, entry in enumerate(table.pmem) if entry.labels and not entry.blank]
    if not wanted:
        return None
    if any(entry.blank for entry in table.pmem):
        return INIT_LABELS.replace("-f all", f"-f {' '.join(wanted)}")
    return INIT_LABELS


@dataclass(slots=True)
class Bench:
    """Use it in a ``with`` block: it holds one guest. ``boots``, ``resets`` and their seconds are for the report, as are ``lost_boots``:
    guests that were gone before their first step; each is tried once more, and the report says so. ``reading``: how the section
    table was read, or why it was not."""

    image: KernelImage
    initrd: Path
    accel: str = "tcg"
    sections: bool = True
    boots: int = 0
    lost_boots: int = 0
    resets: int = 0
    boot_seconds: float = 0.0
    reset_seconds: float = 0.0
    reading: str = ""
    _hold: IO[str] | None = field(default=None, repr=False)
    _seat: Seat | None = field(default=None, repr=False)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
        if self._hold is not None:
            self._hold.close()

    @property
    def pid(self) -> int | None:
        """The process of the guest, while there is one."""
        return None if self._seat is None else self._seat.guest.qemu.process.pid

    @property
    def reads(self) -> bool:
        """Whether the section table is compared."""
        return self.reading in (SectionReader.how, VmcoreReader.how)

    def close(self) -> None:
        """End the guest."""
        if self._seat is not None:
            self._seat.guest.close()
            self._seat = None

    def arguments(self, table: MachineTable) -> list[str]:
        """The command that would run this machine; ``DIR`` stands for its directory of sockets."""
        from pathlib import Path

        return arguments(table, self.image.vmlinuz, self.initrd, Path("DIR"), self.accel)

    def sit(self, table: MachineTable, *, again: bool = False) -> Seat:
        """A guest of that machine as it is after boot. ``again``: it will be wanted another time. Raises LabError."""
        seat = self._seat
        if seat is not None and seat.guest.table == table and seat.guest.fresh and seat.snapshot is not None:
            began = time.monotonic()
            try:
                seat.snapshot.restore()
                seat.guest.run("true")  # the clock jumped: let it say so now
            except SparsememError:
                pass  # boot it again
            else:
                self.resets += 1
                self.reset_seconds += time.monotonic() - began
                return seat
        self.close()
        return self._boot(table, again)

    def _boot(self, table: MachineTable, again: bool) -> Seat:
        try:
            guest = Guest(table, self.image.vmlinuz, self.initrd, self.accel)
        except GuestLostError:  # seen once in a few hundred boots under software emulation, before any step
            self.lost_boots += 1
            guest = Guest(table, self.image.vmlinuz, self.initrd, self.accel)
        self.boots += 1
        self.boot_seconds += guest.boot_seconds
        seat = self._seat = Seat(guest, None, None)
        try:
            if self.sections:
                seat.reader = self._reader(guest)
            if table.pmem:
                self._check_drivers(guest)
            command = init_command(table)
            if command is not None:
                seat.labels = command, guest.run(command)
            guest.run("dmesg -c >/dev/null")  # the boot is not in what a step's dmesg shows; its lines were had already
            if again and guest.fresh:
                try:
                    seat.snapshot = Snapshot(guest.qemu)
                except GuestLostError:
                    raise
                except LabError:
                    seat.snapshot = None  # an old QEMU, or no room for it: every run boots
        except BaseException:
            self.close()
            raise
        return seat

    def _check_drivers(self, guest: Guest) -> None:
        """Raises LabError: without its drivers a kernel would answer everything differently, which says nothing about the model."""
        told = guest.run(f"for d in {' '.join(_DRIVERS)}; do test -e /sys/bus/$d || echo $d; done").stdout.split()
        if told:
            missing = ", ".join(_DRIVERS.get(each, each) for each in told)
            raise LabError(
                f"kernel {self.image.name} lacks {missing}, neither built in nor as a module that the guest has",
                remedy="add it with its modules: sparsemem kernels add IMAGE --modules .../lib/modules/RELEASE",
            )

    def _reader(self, guest: Guest) -> TableReader | None:
        """drgn where there are symbols, else what the kernel says of itself. A kernel that says nothing is compared without."""
        if self.image.vmlinux is not None:
            self.reading = SectionReader.how
            return SectionReader(self.image.vmlinux, guest.qemu.socket("drgn"))
        try:
            reader = VmcoreReader(guest, self.image.root / "layout.json")
        except GuestLostError:
            raise
        except LabError as error:
            self.reading = str(error)
            return None
        self.reading = reader.how
        return reader


def open_bench(
    name: str, *, sections: bool = True, say: Callable[[str], None] | None = None, accel: str | None = None
) -> Bench:
    """A bench for a kernel of the cache or, by series, of Debian. Raises LabError, UsageError."""
    from sparsemem.lab.initramfs import initramfs
    from sparsemem.lab.kernels import find
    from sparsemem.lab.qemu import accelerator, binary
    from sparsemem.lab.userland import userland

    binary()
    image = find(name, say=say)
    hold = in_use(f"kernel-{image.name}", say)
    try:
        initrd = initramfs(image, userland(say), say)
        return Bench(image, initrd, accel or accelerator(image.vmlinuz, initrd), sections, _hold=hold)
    except BaseException:
        hold.close()
        raise
