"""A guest at work: steps in, exit codes, output and kernel log out. The other end is ``guest/agent``."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from sparsemem.lab.conversation import STEP_SECONDS, Conversation, GuestAnswer
from sparsemem.lab.errors import GuestLostError, LabError, LackingQemuError
from sparsemem.lab.qemu import Qemu
from sparsemem.machine.qemu import LABEL_SIZE
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparsemem.play.scenario import MachineTable

__all__ = ["INIT_LABELS", "Guest", "GuestAnswer"]

INIT_LABELS = "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all"
"""What is done before the first step on a machine with labelled pmem: QEMU's label areas are blank."""

_UNPLUG_SECONDS = 6.0
_EJECT = 3
"""The source of an _OST that answers a request to eject; others tell of a plug."""
_SETTLE_SECONDS = 150.0
_BUSY = "usleep 100000; cat /proc/[0-9]*/comm | grep -c +events_freez; cat /proc/iomem /sys/devices/system/memory/memory*/state | md5sum"
"""How many kernel threads run work of the queue that virtio_mem uses, and what the memory is now."""


class Guest:
    """A booted guest; use it in a ``with`` block. ``boot_seconds`` is how long it took to its first command.

    ``fresh``: nothing was plugged, so that a snapshot can still be loaded; a virtio-mem device is never part of one.
    """

    def __init__(
        self, table: MachineTable, kernel: Path, initrd: Path, accel: str = "tcg", boot_timeout: float = 120.0
    ) -> None:
        began = time.monotonic()
        self.table = table
        self.fresh = not table.virtio_mem
        self._backends: dict[str, str] = {}
        self._plugged = 0
        self.qemu = Qemu(table, kernel, initrd, accel)
        connected = socket.socket(socket.AF_UNIX)
        self._talk = Conversation(connected, self)
        try:
            self.qemu.connect(connected, "agent")
            self._talk.until(b"<<ready>>", boot_timeout)
            self.boot_log = self.run("true").log
            self.boot_log += self._settled()
        except BaseException:
            self.close()
            raise
        self.boot_seconds = time.monotonic() - began

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; nothing is left."""
        self._talk.close()
        self.qemu.close()

    def alive(self) -> None:
        """Raises GuestLostError when QEMU has ended, or the guest has panicked and stays."""
        self.qemu.alive()

    def console(self) -> str:
        """What the guest printed."""
        return self.qemu.console()

    def run(self, command: str, seconds: float = STEP_SECONDS) -> GuestAnswer:
        """One line of shell. Raises GuestLostError."""
        return self._talk.ask(command, seconds=seconds)[0]

    def look(self) -> str:
        """What the machine shows now: the text that ``observe`` reads."""
        return self._talk.ask("true", look=True)[1]

    def step(self, command: str) -> GuestAnswer:
        """A step of a scenario: for the guest's shell, or for the hypervisor (``plug``, ``unplug``, ``resize``)."""
        return self.take(command, look=False)[0]

    def take(self, command: str, *, look: bool = True) -> tuple[GuestAnswer, str]:
        """The same, and what the machine shows after it, in one conversation."""
        words = command.split()
        if words[:1] == ["plug"] and len(words) > 2:
            return self._hypervisor(lambda: self._plug(words[1], words[2], words[3:]), look)
        if words[:1] == ["unplug"] and len(words) == 2:
            return self._hypervisor(lambda: self._unplug(words[1]), look)
        if words[:1] == ["resize"] and len(words) == 3:
            return self._resize(words[1], parse_size(words[2]), look)
        if not self.table.virtio_mem:
            return self._talk.ask(command, look=look)
        answer, _ = self._talk.ask(command)
        later = self._settled()  # what the step onlined may let the driver plug more
        last, seen = self._talk.ask("true", look=look)
        return answer._replace(log=(*answer.log, *later, *last.log)), seen

    def _hypervisor(self, action: Callable[[], None], look: bool) -> tuple[GuestAnswer, str]:
        code, words = 0, ""
        self.fresh = False
        try:
            action()
        except (GuestLostError, LackingQemuError):
            raise
        except LabError as error:
            code, words = 1, f"{error.what}\n"
        log: list[str] = []
        for _ in range(1 if code else 10):  # until the guest's ACPI driver has nothing more to say
            answer = self.run("usleep 200000")
            log += answer.log
            if log and not answer.log:
                break
        answer, seen = self._talk.ask("true", look=look)
        return GuestAnswer(code, words, (*log, *answer.log)), seen

    def _resize(self, name: str, size: int, look: bool) -> tuple[GuestAnswer, str]:
        """``qom-set requested-size``; the answer is the size that the device has when the guest has settled."""
        path = f"/machine/peripheral/{name}"
        try:
            self.qemu.qmp("qom-set", path=path, property="requested-size", value=size)
        except GuestLostError:
            raise
        except LabError as error:
            answer, seen = self._talk.ask("true", look=look)
            return GuestAnswer(1, f"{error.what}\n", answer.log), seen
        log = self._settled()
        words = f"size={self.qemu.qmp('qom-get', path=path, property='size') >> 20}M\n"
        answer, seen = self._talk.ask("true", look=look)
        return GuestAnswer(0, words, (*log, *answer.log)), seen

    def _settled(self) -> tuple[str, ...]:
        """Wait, for a while, until the virtio-mem driver does not work, nothing changes and the log is quiet: what the log said."""
        log: list[str] = []
        quiet, last, end = 0, "", time.monotonic() + _SETTLE_SECONDS
        while self.table.virtio_mem and quiet < 2 and time.monotonic() < end:
            answer = self.run(_BUSY)
            log += answer.log
            quiet = quiet + 1 if answer.stdout == last and last.startswith("0\n") and not answer.log else 0
            last = answer.stdout
        return tuple(log)

    def _plug(self, name: str, size: str, places: list[str]) -> None:
        words = dict(word.partition("=")[::2] for word in places)
        driver = "nvdimm" if words.pop("type", "") == "nvdimm" else "pc-dimm"
        label = LABEL_SIZE if words.pop("labels", "") else 0
        told = {key: int(value, 0) for key, value in words.items()}
        self._plugged += 1
        backend = f"m{self._plugged}_{name}"  # a name of its own: the device's is the one that may be taken
        self.qemu.qmp(
            "object-add", **{"qom-type": "memory-backend-ram", "id": backend, "size": parse_size(size) + label}
        )
        if label:
            told["label-size"] = label
        try:
            self.qemu.qmp("device_add", driver=driver, id=name, memdev=backend, **told)
        except LabError as error:
            self.qemu.qmp("object-del", id=backend)
            raise LabError(error.what.replace(backend, f"mem_{name}")) from None
        self._backends[name] = backend

    def _unplug(self, name: str) -> None:
        self.qemu.qmp("query-status")  # what was said of an earlier plug is in by now
        self.qemu.events()
        self.qemu.qmp("device_del", id=name)
        end = time.monotonic() + _UNPLUG_SECONDS
        said: list[str] = []
        while time.monotonic() < end:
            self.qemu.qmp("query-status")
            for event in self.qemu.events():
                data = event.get("data", {})
                if event["event"] == "DEVICE_DELETED" and data.get("device") == name:
                    backend = self._backends.pop(name, "")
                    if backend:  # one of the command line keeps its own
                        self.qemu.qmp("object-del", id=backend)
                    return
                if event["event"] == "ACPI_DEVICE_OST" and data["info"]["source"] == _EJECT:
                    info = data["info"]
                    said.append(f"ACPI_DEVICE_OST source={info['source']} status={info['status']}")
                    if len(said) > 1:
                        raise LabError("\n".join(said))
                elif event["event"] in ("MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR") and not said:
                    raise LabError(event["event"])
            time.sleep(0.05)
        raise LabError("\n".join(said) or "nothing was ejected")
