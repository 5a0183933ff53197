"""What libndctl tells at LOG_DEBUG while it finds devices: the attributes it reads, in its order, and what it makes of them.

The library reads all this at any log level. Here it is read when --verbose shows it; otherwise an attribute is read when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import number

if TYPE_CHECKING:
    from sparsemem.tools.libndctl_base import Context

__all__ = [
    "scan_btt",
    "scan_bus",
    "scan_dimm",
    "scan_namespace",
    "scan_pfn",
    "scan_region",
    "scan_region_type",
    "tell_dax_region",
]

_MODULES = {
    "nd:t1": "libnvdimm",
    "nd:t2": "libnvdimm",
    "nd:t3": "libnvdimm",
    "nd:t4": "nd_pmem",
    "nd:t5": "nd_pmem",
    "nd:t7": "dax_pmem",
}
_NS_PMEM = 5
_DAX_CLASS = "/sys/class/dax"
"""Of kernels built with dax_pmem_compat: the alias is that module's, which nobody installs who uses daxctl reconfigure-device."""
_BUS = (
    "dev",
    "device/commands",
    "device/nfit/revision",
    "device/of_node/compatible",
    "device/nfit/dsm_mask",
    "device/provider",
    "device/firmware/activate",
    "device/firmware/capability",
)
_DIMM = (
    "id",
    "handle",
    "phys_id",
    "serial",
    "vendor",
    "device",
    "rev_id",
    "dirty_shutdown",
    "subsystem_vendor",
    "subsystem_device",
    "subsystem_rev_id",
    "family",
    "dsm_mask",
    "format",
)


def _read(context: Context, path: str, *names: str) -> None:
    for name in names:
        context.read(f"{path}/{name}")


def _module(context: Context, path: str) -> None:
    alias = context.read(f"{path}/modalias")
    if alias is not None:
        module = _MODULES.get(alias)
        if module is None or (alias == "nd:t7" and context.tree.exists(_DAX_CLASS)):
            text = f"failed to find module for alias: {alias} 0 list: empty"
        else:
            text = f"alias: {alias} module: {module}"
        context.dbg("__util_modalias_to_module", text)


def _lbasize(context: Context, name: str, text: str) -> None:
    context.dbg("parse_lbasize_supported", f"{name}: {text}")


def scan_bus(context: Context, path: str) -> None:
    """``add_bus``; ``path`` in /sys/class/nd."""
    _read(context, path, *_BUS)


def scan_dimm(context: Context, path: str, *, nfit: bool) -> None:
    """``add_dimm``."""
    name = path.rpartition("/")[2]
    _read(context, path, "nfit/formats" if nfit else "papr/formats", "dev", "commands")
    _module(context, path)
    flags = context.read(f"{path}/flags")
    if flags is not None:
        context.dbg("parse_dimm_flags", f"{name}: {flags.partition(' ')[0]}")
    _read(context, path, "firmware/activate", "firmware/result")
    if not nfit:
        return
    _read(context, f"{path}/nfit", *_DIMM)
    flags = context.read(f"{path}/nfit/flags")
    if flags is not None:
        context.dbg("parse_nfit_mem_flags", f"{name}: {flags.partition(' ')[0]}")


def scan_region(context: Context, path: str, *, nfit: bool) -> None:
    """``add_region``."""
    _read(context, path, "size", "mappings", "nfit/range_index" if nfit else "papr/range_index", "read_only")
    _module(context, path)
    _read(context, path, "numa_node", "target_node", "align")
    scan_region_type(context, path)
    _read(context, path, "persistence_domain")


def scan_region_type(context: Context, path: str) -> None:
    """``region_set_type``."""
    if number(context.read(f"{path}/nstype")) == _NS_PMEM:
        cookie = number(context.read(f"{path}/set_cookie"))
        context.dbg("region_set_type", f"{path.rpartition('/')[2]}: iset-{cookie:#018x} added")


def scan_namespace(context: Context, path: str) -> None:
    """``add_namespace``."""
    kind = number(context.read(f"{path}/nstype"))
    _read(context, path, "size", "resource", "force_raw", "numa_node", "target_node", "holder_class")
    if kind == _NS_PMEM:
        _lbasize(context, path.rpartition("/")[2], context.read(f"{path}/sector_size") or "")
        _read(context, path, "alt_name", "uuid")
    _module(context, path)


def scan_btt(context: Context, path: str) -> None:
    """``add_btt``."""
    _module(context, path)
    _read(context, path, "uuid")
    _lbasize(context, path.rpartition("/")[2], context.read(f"{path}/sector_size") or "")
    _read(context, path, "size")


def scan_pfn(context: Context, path: str) -> None:
    """``__add_pfn``, of a pfn or a dax device."""
    _module(context, path)
    _read(context, path, "uuid", "mode", "align", "resource", "size")
    text = context.read(f"{path}/supported_alignments")
    _lbasize(context, path, "4096 2097152" if text is None else text)


def tell_dax_region(context: Context, nr: int, path: str, *, shown: bool) -> None:
    """``daxctl_new_region`` and the search for its devices: libdaxctl follows the log level of libndctl.

    ``shown``: for the JSON of the region, whose size is asked for before.
    """

    def say(function: str, text: str) -> None:
        context.console.library("libdaxctl", function, text)

    def found(base: str, *names: str) -> None:
        say("__sysfs_device_parse", f"base: '{base}' dev: 'dax{nr}.'")
        for name in names:
            say("add_dax_dev", f"add_dax_dev: base: '{base}/{name}'")
            say("__sysfs_device_parse", f"{name}: processed")

    tree = context.tree
    say("add_dax_region", f"add_dax_region: '{path}'")
    if not context.dax_regions_told:
        context.dax_regions_told = True
        if not tree.exists(_DAX_CLASS):
            say("__dax_regions_init", f"no dax regions found via: {_DAX_CLASS}")
        for name in tree.listdir("/sys/bus/dax/devices"):
            parent = tree.realpath(f"/sys/bus/dax/devices/{name}").rpartition("/")[0]
            say("add_dax_region", f"add_dax_region: '{parent}'")
    say("daxctl_new_region", f"daxctl_new_region: {path.rpartition('/')[2]}")
    size = f"{path}/dax_region/available_size"
    if shown and not tree.exists(size):
        say("__sysfs_read_attr", f"failed to open {size}: No such file or directory")
    found(f"{path}/dax")
    say("__sysfs_device_parse", f'no "dax{nr}." devices found')
    start = f"dax{nr}."
    found(path, *(name for name in tree.listdir(path) if name.startswith(start) and name[len(start) :].isdecimal()))
