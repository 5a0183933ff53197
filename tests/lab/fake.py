"""A guest that is the model itself, speaking as the agent does; it can be told to answer one step differently, or to be lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparsemem.lab.bench import Seat
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.errors import GuestLostError
from sparsemem.lab.kernels import KernelImage
from sparsemem.lab.observe import of_model
from sparsemem.play.player import Player
from sparsemem.play.scenario import MachineTable, Scenario
from sparsemem.play.setup import set_up
from sparsemem.play.shell import parse_step

MEMORY = "/sys/devices/system/memory"


def shown(player: Player) -> str:
    """What the agent's ``see`` prints of this machine."""
    seen = of_model(player)
    lines = []
    for zone in seen.zones:
        lines += [
            f"Node {zone.node}, zone {zone.zone:>8}",
            f"        spanned  {zone.spanned}",
            f"        present  {zone.present}",
        ]
        lines += [f"  start_pfn:           {zone.start_pfn}"] if zone.start_pfn is not None else []
    lines += [f"/proc/iomem:{line}" for line in ("fd000000-fdffffff : PCI Bus 0000:00", *seen.iomem)]
    lines += [
        f"{MEMORY}/block_size_bytes:{seen.block_size_bytes:x}",
        f"{MEMORY}/auto_online_blocks:{seen.auto_online_blocks}",
    ]
    for block in seen.blocks:
        lines += [
            f"{MEMORY}/{block.name}/state:{block.state}",
            f"{MEMORY}/{block.name}/valid_zones:{' '.join(block.valid_zones)}",
        ]
    return "\n".join([*lines, "@@", seen.ndctl, "@@", seen.daxctl, ""])


class FakeGuest:
    """``lies``: command -> the answer that it gets whatever the model says. "panic" loses the guest."""

    def __init__(self, table: MachineTable, version: str, lies: dict[str, GuestAnswer]) -> None:
        self.player = Player(*set_up(Scenario("fake", version, None, table, ()), version))
        self.lies = lies
        self.fresh = True
        self.table = table

    def look(self) -> str:
        return shown(self.player)

    def take(self, command: str) -> tuple[GuestAnswer, str]:
        if command in ("panic", "echo c > /proc/sysrq-trigger"):
            raise GuestLostError("the guest is gone", "[ 1.0] Kernel panic - not syncing: sysrq triggered crash\n")
        result = self.player.step(command, parse_step(command))
        answer = GuestAnswer(result.exit_code, result.stdout, tuple(result.log_lines))
        return self.lies.get(command, answer), shown(self.player)

    def close(self) -> None:
        pass


@dataclass
class FakeBench:
    """Stands where a ``Bench`` does."""

    version: str = "6.1"
    lies: dict[str, GuestAnswer] = field(default_factory=dict)
    sections: bool = False
    accel: str = "tcg"
    boots: int = 0
    lost_boots: int = 0
    resets: int = 0
    boot_seconds: float = 0.0
    reset_seconds: float = 0.0
    closed: int = 0
    reads: bool = False
    reading: str = ""

    @property
    def image(self) -> KernelImage:
        return KernelImage(self.version, self.version, f"{self.version}-fake", "none", Path("/nonexistent"))

    def arguments(self, table: MachineTable) -> list[str]:
        return ["qemu-system-x86_64", "-m", str(table.memory)]

    def sit(self, table: MachineTable, *, again: bool = False) -> Seat:
        self.boots += 1
        guest: Any = FakeGuest(table, self.version, self.lies)
        return Seat(guest, None, None)

    def close(self) -> None:
        self.closed += 1
