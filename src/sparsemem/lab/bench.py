"""A bench for one kernel: boots machines, and sets one back instead of booting it again wherever that is enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError
from sparsemem.lab.errors import GuestLostError, LabError
from sparsemem.lab.guest import INIT_LABELS, Guest, GuestAnswer
from sparsemem.lab.qemu import arguments
from sparsemem.lab.sections import SectionReader
from sparsemem.lab.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from sparsemem.lab.kernels import KernelImage
    from sparsemem.play.scenario import MachineTable

__all__ = ["Bench", "Seat", "open_bench"]


@dataclass(slots=True)
class Seat:
    """A guest ready for a scenario's first step. ``labels`` is the command that initialised its labels, with its answer, or None."""

    guest: Guest
    reader: SectionReader | None
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
    guests that were gone before their first step; each is tried once more, and the report says so."""

    image: KernelImage
    initrd: Path
    accel: str = "tcg"
    sections: bool = True
    boots: int = 0
    lost_boots: int = 0
    resets: int = 0
    boot_seconds: float = 0.0
    reset_seconds: float = 0.0
    _seat: Seat | None = field(default=None, repr=False)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

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
            if self.sections and self.image.vmlinux is not None:
                seat.reader = SectionReader(self.image.vmlinux, guest.qemu.socket("drgn"))
            if table.pmem and guest.run("test -d /sys/bus/nd").exit_code:
                raise LabError(
                    f"kernel {self.image.name} has no libnvdimm, neither built in nor as a module that the guest has",
                    remedy="add it with its modules: sparsemem kernels add IMAGE --modules .../lib/modules/RELEASE",
                )
            command = init_command(table)
            if command is not None:
                seat.labels = command, guest.run(command)
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


def open_bench(
    name: str, *, sections: bool = True, say: Callable[[str], None] | None = None, accel: str | None = None
) -> Bench:
    """A bench for a kernel of the cache or, by series, of Debian. Raises LabError, UsageError."""
    from sparsemem.lab.initramfs import initramfs
    from sparsemem.lab.kernels import find
    from sparsemem.lab.qemu import accelerator, binary
    from sparsemem.lab.userland import userland

    binary()
    image = find(name, debuginfo=sections, say=say)
    initrd = initramfs(image, userland(say), say)
    return Bench(image, initrd, accel or accelerator(image.vmlinuz, initrd), sections)
