"""What daxctl does to one device or region (daxctl/device.c): 0, more where it was so already, or a negative errno."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.daxctl_json import device_json
from sparsemem.tools.daxctl_memory import dev_offline_memory, dev_online_memory, reconfigure_mode
from sparsemem.tools.libdaxctl import Device
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.tools.daxctl_params import Run
    from sparsemem.tools.libdaxctl import Region

__all__ = ["ACTIONS", "create_device"]

ENXIO, EBUSY, EINVAL, ENOSPC = 6, 16, 22, 28


def _reconfigure(run: Run, dev: Device) -> int:
    if run.align > 0 and (rc := dev.set_align(run.align)) < 0:
        return rc
    if run.size >= 0:
        return dev.set_size(run.size)
    if not run.mode:
        run.say(f"{dev.name}: unknown mode requested: 0")
        return -EINVAL
    rc = reconfigure_mode(run, dev)
    if rc < 0:
        return rc
    run.found.append(device_json(Device(dev.region, dev.name), run.flags))
    return 0


def _destroy(run: Run, dev: Device) -> int:
    if dev.is_enabled and not run.on("force"):
        run.say(f"{dev.name} is active, specify --force for deletion")
        return -ENXIO
    if rc := dev.disable():
        run.say(f"{dev.name}: disable failed: {strerror(rc)}")
        return rc
    if (rc := dev.set_size(0)) < 0:
        return rc
    rc = dev.region.destroy_dev(dev)
    if dev.id == 0 and rc == -EBUSY and run.features.keeps_first_device:
        return 0  # the kernel keeps daxX.0
    return rc


def _xble(run: Run, dev: Device, enable: bool) -> int:
    if dev.memory() is not None:
        run.say(f"{dev.name}: status operations are only applicable in devdax mode")
        return -ENXIO
    rc = dev.enable("devdax") if enable else dev.disable()
    if rc:
        run.say(f"{dev.name}: {'enable' if enable else 'disable'} failed: {strerror(rc)}")
    return rc


def _xline(run: Run, dev: Device, online: bool) -> int:
    if dev.memory() is None:
        run.say(f"{dev.name}: memory operations are not applicable in devdax mode")
        return -ENXIO
    return (dev_online_memory if online else dev_offline_memory)(run, dev)


ACTIONS: dict[str, Callable[[Run, Device], int]] = {
    "destroy-device": _destroy,
    "reconfigure-device": _reconfigure,
    "disable-device": lambda run, dev: _xble(run, dev, False),
    "enable-device": lambda run, dev: _xble(run, dev, True),
    "online-memory": lambda run, dev: _xline(run, dev, True),
    "offline-memory": lambda run, dev: _xline(run, dev, False),
}


def create_device(run: Run, region: Region) -> int:
    """Out of what is free in a region, in one piece or in those of an input file."""
    if region.create_dev():
        return -ENOSPC
    dev = region.seed()
    if dev is None:
        return -ENOSPC
    size = run.size if run.size != -1 else region.number("available_size") or 0
    if size <= 0:
        return -ENOSPC
    if run.align > 0 and (rc := dev.set_align(run.align)) < 0:
        return rc
    allocated = 0
    for start, end in run.mappings:
        if (rc := dev.set_mapping(start, end)) < 0:
            return rc
        allocated += end - start + 1
    if run.mappings and allocated != size:
        run.say(f"{dev.name}: allocated {allocated} but specified size {size}")
    elif (rc := dev.set_size(size)) < 0:
        return rc
    if rc := dev.enable("devdax"):
        run.say(f"{dev.name}: enable failed: {strerror(rc)}")
        return rc
    run.found.append(device_json(dev, run.flags))
    return 0
