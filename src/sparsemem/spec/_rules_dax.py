"""Rules of drivers/dax/bus.c and of binding a device to a driver."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_BUS = "drivers/dax/bus.c (read in 5.10, 6.1, 6.12, 7.2)"
_BASE = "drivers/base/bus.c, drivers/base/dd.c (read in 5.10, 6.1, 6.12, 7.2)"

RULES: tuple[Rule, ...] = (
    Rule(
        "dax-stale-pgmap",
        "a dynamic dax device whose probe failed is not probed again",
        "The page map of the failed probe stays in the device, and device_dax refuses a device that has one; delete the device.",
        ("dev_dax_probe",),
        "drivers/dax/device.c (read in 6.1, 6.12, 7.2)",
        since="5.17",
        errnos=("EINVAL",),
    ),
    Rule(
        "dax-static",
        "a static dax region is what its namespace made it",
        "Devices are created and deleted in dynamic regions only (soft-reserved memory, CXL); a devdax namespace is one device.",
        ("create_store", "delete_store", "dev_dax_probe", "devm_create_dev_dax"),
        _BUS,
        since="5.10",
        errnos=("EINVAL",),
    ),
    Rule(
        "dax-busy",
        "a dax device is changed while no driver has it",
        "Size, alignment and deletion need an unbound device; deletion also one without a size, and never the number 0.",
        ("dev_dax_resize", "align_store", "delete_store", "memmap_on_memory_store"),
        _BUS,
        since="5.10",
        errnos=("EBUSY",),
    ),
    Rule(
        "dax-no-space",
        "a dax region hands out what it has",
        "A device grows by what no other device of its region holds, and a range is given once.",
        ("create_store", "dev_dax_resize", "alloc_dev_dax_range"),
        _BUS,
        since="5.10",
        errnos=("ENOSPC", "ENOMEM", "EBUSY"),
    ),
    Rule(
        "dax-unknown",
        "only a device of the region can be deleted",
        "The name is none of this region's devices.",
        ("delete_store",),
        _BUS,
        since="5.10",
        errnos=("ENXIO",),
    ),
    Rule(
        "dax-empty",
        "a dax device without a size has no driver",
        "A seed gets its size before it can be bound.",
        ("dax_bus_probe",),
        _BUS,
        since="5.10",
        errnos=("ENXIO",),
    ),
    Rule(
        "attribute-syntax",
        "an attribute takes its own syntax",
        "The text written is not the number, range or device name that the attribute takes.",
        ("create_store", "size_store", "mapping_store", "align_store", "do_id_store"),
        _BUS,
        errnos=("EINVAL", "ERANGE", "ENXIO"),
    ),
    Rule(
        "driver-match",
        "a device is bound to a driver that takes it",
        "bind and unbind name a device of the bus that this driver takes, or has.",
        ("bind_store", "unbind_store", "device_driver_attach"),
        _BASE,
        errnos=("ENODEV", "EBUSY"),
    ),
)
