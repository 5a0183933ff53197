"""Machines and command sequences drawn from a seed, weighted to edges: the input of ``fuzz``.

A sequence is drawn while the model plays it, so that it names devices that exist, most of the time.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparsemem.errors import NotModelledError, SparsememError
from sparsemem.lab.generate_virtio import draw_resize
from sparsemem.lab.observe import of_model
from sparsemem.play.player import Player
from sparsemem.play.scenario import DimmTable, MachineTable, PmemTable, Scenario
from sparsemem.play.setup import set_up
from sparsemem.play.shell import parse_step

if TYPE_CHECKING:
    from random import Random

    from sparsemem.play.shell import Script

__all__ = ["draw_machine", "draw_scenario", "to_toml"]

_MIB = 1 << 20
_BLOCKS = "/sys/devices/system/memory"
_ND = "/sys/bus/nd/devices"
_PMEM = (16, 32, 64, 66, 96, 112, 128, 130, 144, 192, 256, 256, 258, 384, 384, 512)
_CMDLINES = (
    "memmap=48M!336M", "memmap=64M!256M", "memmap=50M!334M", "memmap=16M!368M", "memmap=128M!256M", "memmap=100M!300M",
    "memmap=32M!250M", "memmap=32M!256M memmap=32M!320M", "memmap=66M!318M", "memmap=2M!382M", "memmap=96M!352M",
)  # fmt: skip
_PARAMETERS = (
    "memhp_default_state=online_movable", "memhp_default_state=online", "movable_node", "memory_hotplug.memmap_on_memory=1",
)  # fmt: skip
_NODES = ((256, 256), (256, 256, 0), (200, 312), (384, 128, 0), (512, 0), (512, 0, 0))
"""MiB of each node: cut at a block and inside one, and nodes without memory of their own; the domain in the middle is unknown."""
_MODES = ("fsdax", "fsdax", "devdax", "devdax", "sector", "raw")
_ALIGNS = ("4096", "4K", "2M", "2M", "2M", "1G", "3")


def draw_machine(rng: Random) -> MachineTable:
    """A q35 machine: NVDIMMs whose ends are beside section and block boundaries, pmem cut out of RAM, parameters that matter; one in
    five has several nodes."""
    words = []
    if rng.random() < 0.35:
        words.append(rng.choice(_CMDLINES))
    if rng.random() < 0.3:
        words.append(rng.choice(_PARAMETERS))
    count = rng.choice((0, 1, 1, 1) if words and "!" in words[0] else (1, 1, 1, 2))
    pmem = []
    for _ in range(count):
        labels = rng.random()
        pmem.append(PmemTable(rng.choice(_PMEM) * _MIB, labels < 0.85, 0.8 < labels < 0.85))
    memory = rng.choice((512, 512, 512, 512, 513, 768)) * _MIB
    if rng.random() >= 0.2:
        return MachineTable("memory", "", memory, " ".join(words), tuple(pmem))
    nodes = tuple(size * _MIB for size in rng.choice(_NODES))
    placed = tuple(replace(each, node=rng.randrange(len(nodes))) for each in pmem)
    return MachineTable("memory", "", sum(nodes), " ".join(words), placed, nodes=nodes)


class _Drawer:
    """Draws the next step from what the model shows now."""

    def __init__(self, rng: Random, player: Player, plugs: bool, table: MachineTable) -> None:
        self.rng = rng
        self.nodes = len(table.nodes)
        self.player = player
        self.plugs = plugs
        self.table = table
        self.dimms: list[str] = []
        seen = of_model(player)
        listed = json.loads(seen.ndctl or "[]")
        rows: list[dict[str, Any]] = listed if isinstance(listed, list) else listed.get("regions", [])
        self.regions = [row for row in rows if "dev" in row]
        self.spaces = [each for row in rows for each in row.get("namespaces", [])]
        daxes = json.loads(seen.daxctl or "[]")
        self.daxes = [str(each["chardev"]) for each in _devices(daxes)]
        self.blocks = [each.name for each in seen.blocks]

    def step(self) -> str:
        rng = self.rng
        kinds = [
            (self._create, 26), (self._destroy, 13), (self._toggle, 14), (self._again, 10), (self._region, 4), (self._dax, 14),
            (self._block, 6), (self._seed, 8), (self._read, 7), (self._mount, 4), (self._policy, 1),
        ]  # fmt: skip
        if self.plugs:
            kinds.append((self._plug, 30 if self.nodes else 14))
        if self.table.virtio_mem:
            kinds += [(self._resize, 150), (self._block, 50), (self._policy, 12)]
        draws, weights = zip(*kinds, strict=True)
        return str(rng.choices(draws, weights)[0]())

    def _region_name(self) -> str:
        if self.regions and self.rng.random() < 0.97:
            return str(self.rng.choice(self.regions)["dev"])
        return f"region{self.rng.randrange(3)}"

    def _space(self) -> str:
        used = [str(each["dev"]) for each in self.spaces if each.get("size")]
        if used and self.rng.random() < 0.85:
            return self.rng.choice(used)
        names = [str(each["dev"]) for each in self.spaces] or ["namespace0.0"]
        return self.rng.choice([*names, "namespace0.9"])

    def _size(self) -> str:
        rng = self.rng
        near = [int(row.get("max_available_extent", row.get("available_size", 0))) for row in self.regions]
        bases = [16 * _MIB, 16 * _MIB, 16 * _MIB, 32 * _MIB, 32 * _MIB, 48 * _MIB, 64 * _MIB, 128 * _MIB]
        if rng.random() < 0.1:
            bases = [2 * _MIB, 6 * _MIB, 18 * _MIB, 66 * _MIB]
        if rng.random() < 0.15 and any(near):
            bases = [each for each in near if each]
        offset = rng.choice(
            (0, 0, 0, 0, 0, 0, 1, -1, 4096, -4096, 2 * _MIB, -2 * _MIB, 16 * _MIB, -16 * _MIB, 1 * _MIB)
        )
        size = max(rng.choice(bases) + offset, 0)
        return f"{size // _MIB}M" if size and not size % _MIB else str(size)

    def _shape(self) -> str:
        rng = self.rng
        text = ""
        mode = rng.choice(_MODES)
        if rng.random() < 0.8:
            text += f" -m {mode}"
        if rng.random() < (0.45 if mode in ("fsdax", "devdax") else 0.03):
            text += f" -M {rng.choice(('mem', 'dev'))}"
        if rng.random() < 0.13:
            text += f" -a {rng.choice(_ALIGNS)}"
        if mode == "sector" and rng.random() < 0.2:
            text += f" -l {rng.choice(('512', '4096', '520', '1024'))}"
        return text

    def _create(self) -> str:
        rng = self.rng
        labelled = [each for each in self.regions if each.get("max_available_extent")]
        if not labelled and rng.random() < 0.8:
            return rng.choice((self._destroy, self._again, self._toggle))()
        text = "ndctl create-namespace"
        if len(self.regions) > 1 or rng.random() < 0.2:
            text += f" -r {self._region_name()}"
        text += self._shape()
        if rng.random() < 0.95:
            text += f" -s {self._size()}"
        if rng.random() < 0.06:
            text += " -n some"
        if rng.random() < 0.08:
            text += " --no-autolabel"
        return text

    def _again(self) -> str:
        text = f"ndctl create-namespace {self.rng.choice(('-f ', '-f ', '-f ', ''))}-e {self._space()}{self._shape()}"
        return text if self.rng.random() < 0.8 else f"{text} -s {self._size()}"

    def _destroy(self) -> str:
        rng = self.rng
        name = "all" if rng.random() < 0.12 else self._space()
        return f"ndctl destroy-namespace {rng.choice(('-f ', '-f ', '-f ', ''))}{name}"

    def _toggle(self) -> str:
        verb = self.rng.choice(("disable", "enable"))
        name = "all" if self.rng.random() < 0.15 else self._space()
        return f"ndctl {verb}-namespace {name}"

    def _region(self) -> str:
        name = "all" if self.rng.random() < 0.4 else self._region_name()
        if self.rng.random() < 0.6:
            return f"ndctl disable-region {name} && ndctl enable-region {name}"
        return f"ndctl {self.rng.choice(('disable', 'enable'))}-region {name}"

    def _dax(self) -> str:
        rng = self.rng
        if not self.daxes:
            room = max((int(row.get("max_available_extent", 0)) for row in self.regions), default=0)
            if room < 144 * _MIB:
                return self._create()
            return f"ndctl create-namespace -m devdax -M {rng.choice(('mem', 'dev'))} -s {rng.choice(('128M', '130M', '256M', '144M'))}"
        name = rng.choice(self.daxes) if self.daxes and rng.random() < 0.95 else "dax0.5"
        return rng.choice(
            (
                f"daxctl reconfigure-device -m system-ram {name}",
                f"daxctl reconfigure-device -m system-ram -N {name}",
                f"daxctl reconfigure-device -m system-ram --no-movable {name}",
                f"daxctl reconfigure-device -m devdax {name}",
                f"daxctl reconfigure-device -m devdax -f {name}",
                f"daxctl online-memory {name}",
                f"daxctl offline-memory {name}",
                f"daxctl disable-device {name}",
                f"daxctl enable-device {name}",
                f"cat /sys/bus/dax/devices/{name}/size",
            )
        )

    def _block(self) -> str:
        rng = self.rng
        high = [name for name in self.blocks if int(name[6:]) >= 32]
        if not high or rng.random() < 0.2:
            name = rng.choice(self.blocks)
            return (
                f"cat {_BLOCKS}/{name}/{rng.choice(('state', 'valid_zones', 'removable', 'phys_device', 'phys_index'))}"
            )
        word = rng.choice(("online", "online", "online_movable", "online_kernel", "offline", "offline", "on"))
        return f"echo {word} > {_BLOCKS}/{rng.choice(high)}/state"

    def _seed(self) -> str:
        rng = self.rng
        names = [str(each["dev"]) for each in self.spaces] or ["namespace0.0"]
        empty = [str(each["dev"]) for each in self.spaces if not each.get("size")]
        name = rng.choice(empty if empty and rng.random() < 0.7 else names)
        if rng.random() < 0.7:
            size = rng.choice((16 * _MIB, 16 * _MIB, 32 * _MIB, 0, 4096, 2 * _MIB, 16 * _MIB + 1, 17 * _MIB, 1 << 40))
            return f"echo {size} > {_ND}/{name}/size"
        attribute, words = rng.choice(
            (
                ("holder_class", ("pfn", "dax", "btt", "", "none")),
                ("alt_name", ("some", "")),
                ("sector_size", ("512", "4096", "7")),
                ("force_raw", ("1", "0", "x")),
            )
        )
        return f"echo {rng.choice(words)} > {_ND}/{name}/{attribute}"

    def _read(self) -> str:
        rng = self.rng
        region, name = self._region_name(), self._space()
        return rng.choice(
            (
                "ndctl list -RNiu", "ndctl list -Nv", "ndctl list -XN", "daxctl list -u", "ndctl list -N -m fsdax",
                f"cat {_ND}/{region}/available_size {_ND}/{region}/max_available_extent", f"cat {_ND}/{region}/namespace_seed",
                f"cat {_ND}/{name}/size {_ND}/{name}/mode {_ND}/{name}/holder", f"cat {_ND}/{name}/resource",
                f"cat {_ND}/{region}/size {_ND}/{region}/align {_ND}/{region}/init_namespaces",
            )
        )  # fmt: skip

    def _mount(self) -> str:
        devices = [str(each["blockdev"]) for each in self.spaces if each.get("blockdev")]
        if not devices or self.rng.random() < 0.3:
            return "umount /mnt"
        device = self.rng.choice(devices)
        options = self.rng.choice((" -o dax", " -o dax", ""))
        return f"mkfs.ext4 -q -b 4096 /dev/{device} && mount -t ext4{options} /dev/{device} /mnt"

    def _policy(self) -> str:
        return f"echo {self.rng.choice(('online', 'offline', 'online_movable', 'online_kernel'))} > {_BLOCKS}/auto_online_blocks"

    def _resize(self) -> str:
        return draw_resize(self.rng, self.table)

    def _plug(self) -> str:
        rng = self.rng
        name = f"d{rng.randrange(3)}"
        if rng.random() < 0.45:
            return f"unplug {name}"
        size = rng.choice(("128M", "128M", "256M", "64M", "192M", "2M", "130M"))
        place = rng.choice(("", "", "", f" addr={0x180000000 + rng.randrange(8) * 0x4000000:#x}"))
        if rng.random() < 0.3:
            place += f" type=nvdimm{rng.choice(('', ' labels=blank'))}"
        if self.nodes:
            place += f" node={rng.randrange(self.nodes + (rng.random() < 0.05))}"
        return f"plug {name} {size}{place}"


def _devices(listed: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if isinstance(listed, dict):
        if "chardev" in listed:
            found.append(listed)
        for value in listed.values():
            found += _devices(value)
    elif isinstance(listed, list):
        for each in listed:
            found += _devices(each)
    return found


def draw_scenario(rng: Random, table: MachineTable, version: str, length: int, *, plugs: bool = False) -> Scenario:
    """A sequence of ``length`` steps. Steps that the model cannot tell about are drawn again. Raises SparsememError for the machine."""
    scenario = Scenario("fuzz", version, None, table, ())
    player = Player(*set_up(scenario, version))
    steps: list[tuple[str, Script]] = []
    for _ in range(length * 4):
        if len(steps) == length:
            break
        text = _Drawer(rng, player, plugs, table).step()
        try:
            script = parse_step(text)
            player.step(text, script)
        except NotModelledError:
            continue
        except SparsememError:
            raise
        except Exception:
            steps.append((text, script))  # a bug of the model: a difference that is worth a scenario
            break
        steps.append((text, script))
    return Scenario("fuzz", version, None, table, tuple(steps))


def to_toml(scenario: Scenario, words: str = "") -> str:
    """The scenario as a file that ``verify`` and ``play`` take; ``words`` go on top, as a comment."""
    table = scenario.machine

    def size(value: int) -> str:
        return f'"{value // _MIB}M"' if not value % _MIB else str(value)

    def dimm(each: DimmTable) -> str:
        return f"{{ size = {size(each.size)}, node = {each.node} }}" if each.node else size(each.size)

    lines = [f"# {line}".rstrip() for line in words.splitlines()]
    if scenario.kernel:
        lines.append(f"kernel = {json.dumps(scenario.kernel)}")
    lines += ["steps = [", *(f"  {json.dumps(text)}," for text, _ in scenario.steps), "]", "", "[machine]"]
    if table.nodes:
        lines.append(f"nodes = [{', '.join(size(each) if each else '0' for each in table.nodes)}]")
    else:
        lines.append(f"memory = {size(table.memory)}")
    if table.cmdline:
        lines.append(f"cmdline = {json.dumps(table.cmdline)}")
    entries = []
    for each in table.pmem:
        labels = ', labels = "blank"' if each.blank else ", labels = true" if each.labels else ""
        node = f", node = {each.node}" if each.node else ""
        entries.append(f"{{ size = {size(each.size)}{labels}{node} }}")
    if entries:
        lines.append(f"pmem = [{', '.join(entries)}]")
    if table.slots != 8:
        lines.append(f"slots = {table.slots}")
    if table.maxmem != 16 << 30:
        lines.append(f"maxmem = {size(table.maxmem)}")
    if table.dimms:
        lines.append(f"dimms = [{', '.join(dimm(each) for each in table.dimms)}]")
    devices = []
    for device in table.virtio_mem:
        block = f", block_size = {size(device.block_size)}" if device.block_size is not None else ""
        node = f", node = {device.node}" if device.node else ""
        devices.append(f"{{ size = {size(device.size)}, requested = {size(device.requested)}{block}{node} }}")
    if devices:
        lines.append(f"virtio_mem = [{', '.join(devices)}]")
    return "\n".join(lines) + "\n"
