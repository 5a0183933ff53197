"""daxctl's way between devdax and system-ram, and its onlining and offlining of memory blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.releases import known
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from sparsemem.tools.daxctl_params import Run
    from sparsemem.tools.libdaxctl import Device, Memory

__all__ = ["dev_offline_memory", "dev_online_memory", "reconfigure_mode"]

_RACE = """{}:
  WARNING: detected a race while onlining memory
  Some memory may not be in the expected zone. It is
  recommended to disable any other onlining mechanisms,
  and retry. If onlining is to be left to other agents,
  use the --no-online option to suppress this warning"""


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _online(run: Run, dev: Device, memory: Memory) -> int:
    """How many blocks are online, or a negative errno."""
    on = memory.num_online()
    if on < 0:
        run.say(f"{dev.name}: failed to determine online state: {strerror(on)}")
    return on


def _count(run: Run, dev: Device, memory: Memory) -> tuple[int, int, int]:
    """How many blocks there are, how many are online, and a negative errno where that cannot be told."""
    total = memory.num_sections()
    if total < 0:
        run.say(f"{dev.name}: failed to get number of memory sections")
        return 0, 0, total
    on = _online(run, dev, memory)
    return total, on, min(on, 0)


def dev_online_memory(run: Run, dev: Device) -> int:
    """0, 1 when all was online already, or a negative errno."""
    memory = dev.memory()
    if memory is None:
        run.say(f"{dev.name}: failed to get the memory object")
        return -6
    total, on, rc = _count(run, dev, memory)
    if rc < 0:
        return rc
    if on and run.features.warns_of_races:
        run.say(_RACE.format(dev.name))
    if on == total:
        run.say(f"{dev.name}: all memory sections ({on}) already online")
        return 1
    if on:
        run.say(f"{dev.name}: {on} memory section{_s(on)} already online")
    zone = "Normal" if run.on("no_movable") else "Movable"
    rc = memory.online(zone)
    if not rc and memory.zone() != zone:
        memory.ctx.err(
            "daxctl_memory_online_with_zone",
            f"{dev.name}:\n  WARNING: detected a race while onlining memory\n"
            "  See 'man daxctl-reconfigure-device' for more details",
        )
        rc = -16
    if rc < 0:
        run.say(f"{dev.name}: failed to online memory: {strerror(rc)}")
        return rc
    if run.on("verbose"):
        run.say(f"{dev.name}: {rc} memory section{_s(rc)} onlined")
    on = _online(run, dev, memory)
    if on < 0:
        return on
    if on < total:
        run.say(f"{dev.name}: failed to online {total - on} memory sections")
        return -6
    return 0


def dev_offline_memory(run: Run, dev: Device) -> int:
    """0, 1 when all was offline already, or a negative errno."""
    memory = dev.memory()
    if memory is None:
        run.say(f"{dev.name}: failed to get the memory object")
        return -6
    total, on, rc = _count(run, dev, memory)
    if rc < 0:
        return rc
    off = total - on
    if off == total:
        run.say(f"{dev.name}: all memory sections ({off}) already offline")
        return 1
    if off:
        run.say(f"{dev.name}: {off} memory section{_s(off)} already offline")
    rc = memory.offline()
    if rc < 0:
        run.say(f"{dev.name}: failed to offline memory: {strerror(rc)}")
        return rc
    if run.on("verbose"):
        run.say(f"{dev.name}: {rc} memory section{_s(rc)} offlined")
    on = _online(run, dev, memory)
    if on < 0:
        return on
    if on:
        run.say(f"{dev.name}: failed to offline {on} memory sections")
        return -6
    return 0


def reconfigure_mode(run: Run, dev: Device) -> int:
    """Switch modes: 0 or 1 (it was there already), or a negative errno."""
    return {"system-ram": _to_system_ram, "devdax": _to_devdax, "famfs": _to_famfs}[run.mode](run, dev)


def _knows_famfs(run: Run) -> bool:
    return known(run.features.famfs, "what reconfigure-device does with a device that is in the mode already")


def _disable(run: Run, dev: Device) -> int:
    rc = dev.disable()
    if rc:
        run.say(f"{dev.name}: disable failed: {strerror(rc)}")
    return rc


def _to_system_ram(run: Run, dev: Device) -> int:
    if run.features.heeds_policy and (run.on("no_online") or not run.on("no_movable")) and not run.on("force"):
        policy = dev.ctx.read("/sys/devices/system/memory/auto_online_blocks") or ""
        if policy.startswith("online"):
            run.say(f"{dev.name}: error: kernel policy will auto-online memory, aborting")
            return -16
    already = False
    if dev.driver() is not None:
        if dev.memory() is not None:
            if not _knows_famfs(run):
                run.say(f"{dev.name} was already in system-ram mode")
            already = True
        elif (rc := _disable(run, dev)) < 0:
            return rc
    if not already and (rc := dev.enable("system-ram")):
        return rc
    return 0 if run.on("no_online") else dev_online_memory(run, dev)


def _to_devdax(run: Run, dev: Device) -> int:
    if dev.driver() is not None:
        memory = dev.memory()
        if memory is None and _knows_famfs(run):
            rc = _disable(run, dev)
            return rc or dev.enable("devdax")
        if memory is None:
            run.say(f"{dev.name} was already in devdax mode")
            return 1
        if run.on("force") and (rc := dev_offline_memory(run, dev)) < 0:
            return rc
        on = _online(run, dev, memory)
        if on < 0:
            return on
        if on:
            if run.on("verbose"):
                run.say(f"{dev.name}: found {on} memory sections online")
                run.say(f"{dev.name}: refusing to change modes")
            return -16
        if rc := _disable(run, dev):
            return rc
    return dev.enable("devdax")


def _to_famfs(run: Run, dev: Device) -> int:
    mode = dev.mode()
    if mode == "system-ram":
        run.say(f"{dev.name} is in system-ram mode; must be in devdax mode to convert to famfs")
        return -22
    if mode is not None and (rc := _disable(run, dev)):
        return rc
    return dev.enable("famfs")
