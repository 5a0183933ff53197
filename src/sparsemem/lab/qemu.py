"""QEMU for a scenario's machine: its arguments, which accelerator really boots a kernel here, and the process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.errors import MissingExtraError
from sparsemem.lab.errors import GuestLostError, LabError, LackingQemuError, RefusedByQemuError
from sparsemem.machine.cxl_board import LABEL_AREA, root_ports
from sparsemem.machine.qemu import LABEL_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket as Socket  # noqa: N812  (a method here is called socket)

    from sparsemem.play.scenario import MachineTable

__all__ = ["BINARY", "PREFIX", "Qemu", "accelerator", "arguments", "binary", "die_with_parent", "shown", "sweep"]

BINARY = "qemu-system-x86_64"
CMDLINE = "console=ttyS0 panic=-1 nokaslr"
_MIB = 1 << 20


def binary() -> str:
    """The path of QEMU. Raises LabError naming the package."""
    found = shutil.which(BINARY)
    if found is None:
        raise LabError(f"no {BINARY} here", remedy="apt-get install --no-install-recommends qemu-system-x86 seabios")
    return found


def _memory(table: MachineTable) -> str:
    size = f"{table.memory // _MIB}M" if not table.memory % _MIB else f"{table.memory}B"
    return f"{size},slots={table.slots},maxmem={table.maxmem}B" if table.slots else size


def _nodes(table: MachineTable) -> list[str]:
    """Nodes with memory of their own, and without; both CPUs are node 0's."""
    argv = []
    for nid, size in enumerate(table.nodes):
        node = f"node,nodeid={nid}" + (",cpus=0-1" if nid == 0 else "")
        if size:
            argv += ["-object", f"memory-backend-ram,id=ram{nid},size={size}"]
            node += f",memdev=ram{nid}"
        argv += ["-numa", node]
    return argv


def arguments(table: MachineTable, kernel: Path, initrd: Path, sockets: Path, accel: str = "tcg") -> list[str]:
    """The command that runs the machine. ``sockets`` is the directory for its sockets and console."""
    argv = [
        BINARY, "-M", f"q35,accel={accel},nvdimm=on{',cxl=on' * bool(table.cxl)}",
        "-cpu", ("max" if accel == "tcg" else "host") + ",-hypervisor" * (not table.hypervisor), "-smp", "2",
        "-m", _memory(table), "-nic", "none", "-vga", "none", "-display", "none", "-monitor", "none", "-no-reboot",
        "-device", "vmcoreinfo", "-kernel", str(kernel), "-initrd", str(initrd),
        "-append", f"{CMDLINE} {table.cmdline}".strip(),
        "-serial", f"file:{sockets}/console",
        "-serial", f"unix:{sockets}/agent,server=on,wait=off",
        "-qmp", f"unix:{sockets}/qmp,server=on,wait=off",
        "-qmp", f"unix:{sockets}/drgn,server=on,wait=off",
    ]  # fmt: skip
    argv += _nodes(table)
    for index, dimm in enumerate(table.dimms):
        node = f",node={dimm.node}" if dimm.node else ""
        argv += ["-object", f"memory-backend-ram,id=cmem{index},size={dimm.size}"]
        argv += ["-device", f"pc-dimm,id=cold{index},memdev=cmem{index}{node}"]
    for index, entry in enumerate(table.pmem):
        size, labels = (entry.size + LABEL_SIZE, f",label-size={LABEL_SIZE}") if entry.labels else (entry.size, "")
        argv += ["-object", f"memory-backend-ram,id=nvmem{index},size={size}"]
        node = f",node={entry.node}" if entry.node else ""
        argv += ["-device", f"nvdimm,id=nvdimm{index},memdev=nvmem{index}{labels}{node}"]
    for index, device in enumerate(table.virtio_mem):
        told = f"virtio-mem-pci,id=vm{index},memdev=vmem{index},requested-size={device.requested}"
        told += f",block-size={device.block_size}" if device.block_size is not None else ""
        told += f",node={device.node}" if device.node else ""
        argv += ["-object", f"memory-backend-ram,id=vmem{index},size={device.size}", "-device", told]
    return argv + _cxl(table)


def _cxl(table: MachineTable) -> list[str]:
    """A host bridge, its root ports, a persistent memory device below each of the first, and a window that leads to the bridge."""
    if not table.cxl:
        return []
    argv = ["-device", "pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1"]
    for port in range(root_ports(len(table.cxl))):
        argv += ["-device", f"cxl-rp,port={port},bus=cxl.1,id=rp{port},chassis=0,slot={port + 2}"]
    for index, device in enumerate(table.cxl):
        argv += ["-object", f"memory-backend-ram,id=cxlmem{index},size={device.size}"]
        argv += ["-object", f"memory-backend-ram,id=cxllsa{index},size={LABEL_AREA}"]
        serial = f",sn={device.serial}" * bool(device.serial)
        argv += ["-device", f"cxl-type3,bus=rp{index},memdev=cxlmem{index},lsa=cxllsa{index},id=cxl{index}{serial}"]
    return [*argv, "-M", f"cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size={table.cxl_window}"]


_QMP_SECONDS = 30.0
_LACKS = re.compile(
    r"is not a valid device model name|unsupported machine type|invalid accelerator|unable to find CPU model|invalid option"
    r"|^Property '\S+' not found|'qom-type' does not accept value|The command \S+ has not been found",
    re.MULTILINE,
)
_HOST = re.compile(r"[Cc]ould not (open|load)|No space left|Cannot allocate memory|Failed to (bind|find an available)")
_NEWER = "install Debian's qemu-system-x86, 7.2 or newer"
_CONSOLE = 1 << 20
PREFIX = "sparsemem-lab-"
"""Of temporary directories; the process id of the lab follows, so that the next one can tell what was left."""
_KVM = Path("/dev/kvm")
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In the child, before its program runs: a lab that is killed leaves no guest and no apt behind."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def sweep() -> None:
    """Remove the directories of labs that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)


_accelerator: str | None = None


def accelerator(kernel: Path, initrd: Path) -> str:
    """ "kvm" where a kernel boots with it within seconds, else "tcg": that /dev/kvm opens says nothing."""
    global _accelerator
    if _accelerator is None:
        _accelerator = "kvm" if _KVM.exists() and _canary(kernel, initrd) else "tcg"
    return _accelerator


def _canary(kernel: Path, initrd: Path, seconds: float = 15.0) -> bool:
    from sparsemem.play.scenario import MachineTable

    try:
        with Qemu(MachineTable("memory", "", 256 * _MIB, slots=0), kernel, initrd, "kvm") as qemu:
            end = time.monotonic() + seconds
            while time.monotonic() < end and qemu.process.poll() is None:
                if "Linux version" in qemu.console() and "Run /init" in qemu.console():
                    return True
                time.sleep(0.1)
    except LabError:
        pass
    return False


class Qemu:
    """A running QEMU. Leaves no process and no file behind, however the block ends."""

    def __init__(self, table: MachineTable, kernel: Path, initrd: Path, accel: str = "tcg") -> None:
        sweep()
        program = binary()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.argv = arguments(table, kernel, initrd, self.directory, accel)
        self.accel = accel
        self._qmp: Any = None
        self._stderr = (self.directory / "stderr").open("wb+")
        try:
            self.process = subprocess.Popen(  # noqa: S603
                [program, *self.argv[1:]], stdin=subprocess.DEVNULL, stdout=self._stderr, stderr=self._stderr,
                preexec_fn=die_with_parent, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._remove()
            raise

    def __enter__(self) -> Qemu:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def console(self) -> str:
        """What the guest printed on its console so far: the last MiB of it, for a guest may print without end."""
        return self._console(-_CONSOLE)

    def _console(self, part: int) -> str:
        """The first bytes of it, or where negative the last."""
        try:
            with (self.directory / "console").open("rb") as file:
                file.seek(0 if part > 0 else max(0, file.seek(0, os.SEEK_END) + part))
                return file.read(abs(part)).decode(errors="replace")
        except OSError:
            return ""

    def socket(self, name: str, seconds: float = 15.0) -> str:
        """The path of a socket, once it is there. Raises RefusedByQemuError where QEMU gave up."""
        path = self.directory / name
        end = time.monotonic() + seconds
        while not path.exists():
            self.alive()
            if time.monotonic() > end:
                raise GuestLostError("QEMU opened no socket", self.console())
            time.sleep(0.01)
        return str(path)

    def connect(self, client: Socket, name: str, seconds: float = 15.0) -> None:
        """Connect to a socket; QEMU makes its file a moment before it listens. Raises RefusedByQemuError, GuestLostError."""
        path, end = self.socket(name, seconds), time.monotonic() + seconds
        while True:
            try:
                client.connect(path)
            except OSError as error:
                self.alive()
                if time.monotonic() > end:
                    raise GuestLostError(f"QEMU does not listen: {error.strerror}", self.console()) from None
                time.sleep(0.01)
            else:
                return

    def alive(self) -> None:
        """Raises RefusedByQemuError or GuestLostError where the process has ended."""
        if self.process.poll() is None:
            if "Kernel panic - not syncing" in self._console(-20000):
                raise GuestLostError("the guest panicked", self.console())
            return
        words = self._words()
        if words and "Linux version" not in self._console(_CONSOLE):
            if _LACKS.search(words):
                raise LackingQemuError(f"this QEMU cannot run the guest: {words}", remedy=_NEWER)
            if _HOST.search(words):
                raise LabError(f"QEMU does not start here: {words}", remedy="is there room, on the disk and in memory?")
            raise RefusedByQemuError(words, remedy="the machine is not one that QEMU takes")
        raise GuestLostError("the guest is gone: it panicked or reset", self.console())

    def _words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        found = (line.partition(": ")[2] or line for line in lines if "warning:" not in line)
        return "\n".join(re.sub(r"^-device virtio-mem-pci\S*: ", "", line) for line in found)

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Execute a QMP command: its answer. Raises LabError with QEMU's words."""
        try:
            from qemu.qmp import ExecuteError, QMPError
            from qemu.qmp.legacy import QEMUMonitorProtocol
        except ImportError:
            raise MissingExtraError("the lab needs qemu.qmp", remedy="pip install 'sparsemem[lab]'") from None
        try:
            if self._qmp is None:
                self._qmp = QEMUMonitorProtocol(self.socket("qmp"))
                self._qmp.settimeout(_QMP_SECONDS)
                self._qmp.connect(negotiate=True)
            return self._qmp.cmd(command, **arguments)
        except ExecuteError as error:
            if _LACKS.search(str(error)):
                raise LackingQemuError(f"this QEMU cannot do it: {error}", remedy=_NEWER) from None
            raise LabError(str(error)) from None
        except (QMPError, OSError, EOFError, TimeoutError):
            self.alive()
            raise GuestLostError("QEMU does not answer on QMP", self.console()) from None

    def events(self) -> list[dict[str, Any]]:
        """QMP events since the last call."""
        if self._qmp is None:
            return []
        found = [dict(event) for event in self._qmp.get_events(wait=False)]
        self._qmp.clear_events()
        return found

    def close(self) -> None:
        """End the process, and remove what it left."""
        if self._qmp is not None:
            with contextlib.suppress(Exception):  # it is going away
                self._qmp.close()
            self._qmp = None
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._remove()

    def _remove(self) -> None:
        self._stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def shown(argv: Sequence[str]) -> str:
    """The command as a shell takes it."""
    import shlex

    return shlex.join(argv)
