"""``ndctl create-namespace`` and ``destroy-namespace``: the writes, in the order of ndctl/namespace.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.json_out import pretty
from sparsemem.tools.libndctl_base import EBUSY, EINVAL, ENXIO, ULLONG_MAX
from sparsemem.tools.libndctl_namespace import NS_IO, NS_PMEM
from sparsemem.tools.ndctl_json import namespace_to_json
from sparsemem.tools.ndctl_validate import (
    EAGAIN,
    ENODEV,
    Parsed,
    do_setup_pfn,
    validate_available_capacity,
    validate_namespace_options,
)
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Region
    from sparsemem.tools.libndctl_devices import Pfn
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.ndctl_params import Run

__all__ = ["namespace_create", "namespace_destroy", "namespace_reconfig"]

_INFO_SIZE = 8192
_16M = 1 << 24
_SECTOR = 512


class _Failed(Exception):  # noqa: N818  (the try() of the tool returns)
    def __init__(self, rc: int) -> None:
        super().__init__(rc)
        self.rc = rc


def _try(run: Run, devname: str, step: str, rc: int) -> None:
    if rc:
        run.err("setup_namespace", 500, f"{devname}: {step} failed: {strerror(rc)}")
        raise _Failed(rc)


def _check_dax_align(run: Run, ndns: Namespace) -> None:
    if not run.features.resource_align_16m:
        return
    resource = ndns.resource
    if resource == ULLONG_MAX:
        run.console.warning(f"{ndns.devname} unable to validate alignment\n")
    elif resource % _16M and not run.on("force"):
        run.error(f"{ndns.devname} misaligned to 16M, adjust region alignment and retry")
        raise _Failed(-EINVAL)


def _set_sector_size(run: Run, ndns: Namespace, p: Parsed) -> None:
    if p.sector_size in ndns.lbasize.supported:
        _try(run, ndns.devname, "set_sector_size", ndns.set_sector_size(p.sector_size or 0))
    elif p.mode != "sector" and p.sector_size != _SECTOR:
        run.error(f"{ndns.devname}: sector_size: {p.sector_size} not supported")
        raise _Failed(-EINVAL)


def _enable_pfn(run: Run, pfn: Pfn | None, ndns: Namespace, p: Parsed, uuid: str) -> int:
    """A pfn or a dax device: what it is, whose it is, and then its driver."""
    if pfn is None:
        raise _Failed(-ENXIO)
    _check_dax_align(run, ndns)
    name = pfn.devname
    _try(run, name, "set_uuid", pfn.set_uuid(uuid))
    _try(run, name, "set_location", pfn.set_location(p.loc))
    if pfn.KIND == "dax" or pfn.has_align():
        _try(run, name, "set_align", pfn.set_align(p.align))
    _try(run, name, "set_namespace", pfn.set_namespace(ndns))
    rc = pfn.enable()
    if rc and p.autorecover and run.features.cleans_up:
        pfn.set_namespace(None)
    return rc


def _enable_btt(run: Run, region: Region, ndns: Namespace, p: Parsed, uuid: str) -> int:
    btt = region.btt_seed()
    if btt is None:
        raise _Failed(-ENXIO)
    if p.sector_size is None:
        p.sector_size = 4096
    _try(run, btt.devname, "set_uuid", btt.set_uuid(uuid))
    _try(run, btt.devname, "set_sector_size", btt.set_sector_size(p.sector_size))
    _try(run, btt.devname, "set_namespace", btt.set_namespace(ndns))
    return btt.enable()


def _setup(run: Run, region: Region, ndns: Namespace, p: Parsed) -> int:
    if ndns.type != NS_IO:
        _try(run, ndns.devname, "set_uuid", ndns.set_uuid(p.uuid))
        _try(run, ndns.devname, "set_alt_name", ndns.set_alt_name(p.name))
        _try(run, ndns.devname, "set_size", ndns.set_size(p.size))
    if p.sector_size:
        _set_sector_size(run, ndns, p)
    uuid = run.context.tree.fresh_uuid()
    ndns.set_enforce_mode(p.mode)  # older kernels have no such attribute: not checked
    if do_setup_pfn(ndns, p):
        rc = _enable_pfn(run, region.pfn_seed(), ndns, p, uuid)
    elif p.mode == "devdax":
        rc = _enable_pfn(run, region.dax_seed(), ndns, p, uuid)
    elif p.mode == "sector":
        rc = _enable_btt(run, region, ndns, p, uuid)
    else:
        rc = ndns.enable()
    if rc:
        run.error(f"{ndns.devname}: failed to enable")
        return rc
    flags = {"dax", "devices"}
    if run.console.tty:
        flags.add("human")
    if not run.features.json_not_verbose:
        flags.add("verbose")
    found = namespace_to_json(ndns, frozenset(flags))
    if found is not None:
        run.console.out(pretty(found, run.context.version) + "\n")
    return 0


def _setup_namespace(run: Run, region: Region, ndns: Namespace, p: Parsed) -> int:
    try:
        return _setup(run, region, ndns, p)
    except _Failed as failed:
        return failed.rc


def _idle(run: Run, ndns: Namespace) -> bool:
    """May the namespace be set up?"""
    if run.features.configuration_idle:
        return ndns.is_configuration_idle()
    if run.features.active_by_driver:
        return not ndns.is_active()
    return not (ndns.is_enabled or ndns.pfn() or ndns.dax() or ndns.btt())


def _region_get_namespace(run: Run, region: Region) -> Namespace | None:
    """The first one if it is idle, else the seed."""
    first = region.find_namespace(f"namespace{region.id}.0")
    if first is not None and _idle(run, first):
        return first
    return region.namespace_seed()


def namespace_create(run: Run, region: Region) -> int:
    """Make a namespace in a region. EAGAIN: it cannot be in this one."""
    rc, p = validate_namespace_options(run, region, None)
    if rc:
        return rc
    if region.ro:
        run.debug("namespace_create", 1023, f"{region.devname}: read-only, ineligible for namespace creation")
        return -EAGAIN
    if not run.features.size_in_validate:
        rc = validate_available_capacity(run, region, p, ("namespace_create", 1030))
        if rc:
            return rc
    ndns = _region_get_namespace(run, region)
    if ndns is None or not _idle(run, ndns):
        which = "available" if ndns is None else "idle"
        run.debug("namespace_create", 1030, f"{region.devname}: no {which} namespace seed")
        return -EAGAIN if run.features.seed_missing_goes_on else -ENODEV
    rc = _setup_namespace(run, region, ndns, p)
    if rc and p.autorecover and run.features.cleans_up:
        ndns.set_enforce_mode("raw")
        ndns.delete()
    return rc


def _zero_old(run: Run, ndns: Namespace, node: str) -> int:
    """Before v63: 4 KiB at 4 KiB, always."""
    try:
        run.context.tree.pwrite(node, 4096, bytes(4096))
    except SysfsError:
        run.debug("zero_info_block", 815, f"{ndns.devname}: failed to zero info block {node}")
        return -ENXIO
    return 0


def _zero(run: Run, ndns: Namespace, rc: int) -> int:
    tree, bdev = run.context.tree, ndns.block_device()
    node = f"/dev/{bdev}"
    if not bdev or tree.busy(bdev):
        run.err("zero_info_block", 1077, f"{ndns.devname}: failed to open {node} to zero info block")
        return rc
    if not run.features.checks_zeroed_info_block:
        return _zero_old(run, ndns, node)
    try:
        data = tree.pread(node, 0, _INFO_SIZE)
    except SysfsError:
        data = b""
    if len(data) < _INFO_SIZE:
        run.err("zero_info_block", 1085, f"{ndns.devname}: failed to read info block, continuing")
    if not any(data):
        return 1
    try:
        tree.pwrite(node, 0, bytes(_INFO_SIZE))
    except SysfsError:
        run.err("zero_info_block", 1095, f"{ndns.devname}: failed to zero info block {node}")
        return -ENXIO
    return 0


def _zero_info_block(run: Run, ndns: Namespace) -> int:
    """Zero 8 KiB through the raw namespace. 1: there was nothing to do, or it could not be enabled."""
    ndns.set_raw_mode(1)
    rc = ndns.enable()
    if rc < 0:
        run.err("zero_info_block", 1060, f"{ndns.devname} failed to enable for zeroing, continuing")
        rc = 1 if run.features.checks_zeroed_info_block else 0
    else:
        rc = _zero(run, ndns, rc)
    ndns.set_raw_mode(0)
    ndns.disable_invalidate()
    return rc


def _namespace_prep_reconfig(run: Run, region: Region, ndns: Namespace) -> int:
    """Disable and zero it. 2 for one with labels; 0 or 1 without: did that do anything?"""
    if region.ro:
        run.error(f"{ndns.devname}: read-only, re-configuration disabled")
        return -ENXIO
    claimed = bool(run.features.always_zeroes or ndns.pfn() or ndns.dax() or ndns.btt())
    if ndns.is_active() and not run.on("force"):
        run.error(f"{ndns.devname} is active, specify --force for re-configuration")
        return -EBUSY
    rc = ndns.disable_safe()
    if rc:
        return rc
    ndns.set_enforce_mode("raw")
    rc = 1
    if claimed:
        rc = _zero_info_block(run, ndns)
        if rc < 0:
            return rc
    if ndns.type == NS_PMEM:
        return 2
    return 0 if rc == 0 else 1


def namespace_destroy(run: Run, region: Region, ndns: Namespace) -> int:
    """0 when it is gone, 1 when there was nothing to count, or a negative errno."""
    rc = _namespace_prep_reconfig(run, region, ndns)
    if rc < 0:
        return rc
    size = ndns.size
    if rc == 2:
        rc = ndns.delete()
        if rc:
            run.debug("namespace_destroy", 1176, f"{ndns.devname}: failed to reclaim")
    if not run.features.counts_processed:
        return 0
    if size == 0 and rc == 0 and run.features.counts_no_seeds and not run.features.all_skips_seeds:
        return 1
    return rc


def namespace_reconfig(run: Run, region: Region, ndns: Namespace) -> int:
    """``-e``: set up anew, with labels where a label-less region can have them."""
    rc, p = validate_namespace_options(run, region, ndns)
    if rc:
        return rc
    if run.features.reconfigures_in_place:
        rc = _namespace_prep_reconfig(run, region, ndns)
    else:
        rc = namespace_destroy(run, region, ndns)
    if rc < 0:
        return rc
    anew: Namespace | None = ndns
    check = False
    if region.nstype == NS_IO and p.autolabel:
        from sparsemem.tools.ndctl_autolabel import enable_labels

        check = enable_labels(run, region) != -ENODEV
    if check or not run.features.reconfigures_in_place:
        anew = _region_get_namespace(run, region)
        if anew is None or not _idle(run, anew):
            which = "available" if anew is None else "idle"
            run.debug("namespace_reconfig", 1292, f"{region.devname}: no {which} namespace seed")
            return -ENODEV
    return _setup_namespace(run, region, ndns if anew is None else anew, p)
