"""The files of the cxl bus's devices: drivers/cxl/core/port.c, memdev.c and region.c. What each kernel adds is chosen by ``cxl_sysfs``.

Left out: the CDAT of an endpoint, the ``firmware`` directory of a memory device, and files of RAM regions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.cxl import hdm, region
from sparsemem.kernel.cxl.attach import store_targetN
from sparsemem.kernel.cxl.core import CONFIG_COMMIT as COMMIT
from sparsemem.kernel.cxl.core import PORT_DECODER, decoder_of, decoders, memdev_of, memdevs, region_of, root_of
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_nd_attribute import Attribute, ignored, ro, rw, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.cxl.core import CxlDecoder, CxlMemdev, CxlRegion, CxlRoot
    from sparsemem.kernel.state import State

__all__ = ["decoder_files", "memdev_files", "port_files", "region_files", "root_decoder_files", "typed"]

Files = dict[str, Attribute]
_DEV_MAJOR = 251  # dynamic: that of a Debian 6.12 guest
_NONE = (1 << 64) - 1


def typed(devtype: str, number: int, driver: str = "", more: str = "") -> Files:
    """devtype, modalias and uevent."""
    lines = f"{more}DEVTYPE={devtype}\n" + (f"DRIVER={driver}\n" if driver else "") + f"MODALIAS=cxl:t{number}\n"
    return {
        "devtype": text(devtype),
        "modalias": text(f"cxl:t{number}"),
        "uevent": Attribute(0o644, lambda state, key: lines, ignored),
    }


def _root(state: State) -> CxlRoot:
    root = root_of(state)
    assert root is not None
    return root


def port_files(state: State, number: int, driver: str, committed: int) -> Files:
    """Of the root (type 4) and of ports (3): ``committed`` decoders."""
    found = typed("cxl_port", number, driver)
    if state.kernel.features.cxl_sysfs != "6.1":
        found["decoders_committed"] = text(str(committed))
    return found


def _not_ram(state: State, key: str, word: str) -> None:
    raise NotModelledError(
        "I cannot tell what a CXL region of volatile memory does", why="QEMU 7.2's devices have none"
    )


def _write_only(state: State, key: str) -> str:
    raise Refusal(13, "open", "sysfs-path")


def root_decoder_files(state: State) -> Files:
    """Of decoder0.0."""
    root = _root(state)
    next_region: Callable[[State, str], str] = lambda state, key: f"region{_root(state).next_id}\n"  # noqa: E731
    found = {
        **typed("cxl_decoder_root", 0),
        **{name: text("1") for name in ("cap_pmem", "cap_ram", "cap_type2", "cap_type3")},
        "create_pmem_region": rw(next_region, lambda state, key, word: region.create_pmem_region_store(state, word)),
        "delete_region": Attribute(
            0o200, _write_only, lambda state, key, word: region.delete_region_store(state, word)
        ),
        "interleave_granularity": text("256"),
        "interleave_ways": text("1"),
        "locked": text("0"),
        "size": text(f"{root.size:#x}"),
        "start": text(f"{root.start:#x}"),
        "target_list": text("12"),
    }
    if state.kernel.features.cxl_sysfs != "6.1":
        found["create_ram_region"] = rw(next_region, _not_ram)
        found["qos_class"] = text("0")
    return found


def _of_decoder(show: Callable[[CxlDecoder], object]) -> Attribute:
    return ro(lambda state, key: f"{show(decoder_of(state, key))}\n")


_DECODER = {
    "interleave_granularity": _of_decoder(lambda dev: dev.granularity),
    "interleave_ways": _of_decoder(lambda dev: dev.ways),
    "locked": text("0"),
    "region": _of_decoder(lambda dev: dev.region),
    "size": _of_decoder(lambda dev: f"{dev.size:#x}"),
    "start": _of_decoder(lambda dev: f"{dev.start:#x}"),
    "target_type": text("expander"),
}
_SWITCH = {
    **_DECODER,
    **typed("cxl_decoder_switch", 0),
    "target_list": _of_decoder(lambda dev: ",".join(str(each) for each in dev.targets)),
}
_ENDPOINT = {
    **_DECODER,
    **typed("cxl_decoder_endpoint", 0),
    "dpa_resource": _of_decoder(lambda dev: "0x0" if dev.dpa else f"{_NONE:#x}"),
    "dpa_size": rw(lambda state, key: f"{decoder_of(state, key).dpa:#018x}\n", hdm.dpa_size_store),
    "mode": rw(lambda state, key: f"{decoder_of(state, key).mode}\n", hdm.mode_store),
}


def decoder_files(name: str) -> Files:
    """Of the host bridge's decoder, or an endpoint's."""
    return _SWITCH if name == PORT_DECODER else _ENDPOINT


def memdev_files(state: State, memdev: CxlMemdev) -> tuple[Files, dict[str, Files]]:
    """Of a memory device: files, and directories of files."""
    found = {
        **typed(
            "cxl_memdev", 5, "cxl_mem" if memdev.bound else "", f"MAJOR={_DEV_MAJOR}\nMINOR={memdev.id}\nDEVNAME=cxl/{memdev.name}\n"
        ),
        "dev": text(f"{_DEV_MAJOR}:{memdev.id}"),
        "firmware_version": text("BWFW VERSION 00"),
        "label_storage_size": text(str(memdev.lsa_size)),
        "numa_node": text("-1"),
        "payload_max": text("2048"),
        "serial": text(f"{memdev.serial:#x}"),
    }  # fmt: skip
    for name in ("devtype", "modalias"):
        del found[name]
    groups = {"pmem": {"size": text(f"{memdev_of(state, memdev.name).size:#x}")}, "ram": {"size": text("0x0")}}
    if state.kernel.features.cxl_sysfs != "6.1":
        groups["security"] = {"state": text("disabled")}
    return found, groups


def _of_region(show: Callable[[CxlRegion], object]) -> Callable[[State, str], str]:
    return lambda state, key: f"{show(region_of(state, key))}\n"


_REGION = {
    "commit": rw(_of_region(lambda dev: int(dev.state >= COMMIT)), region.commit_store),
    "interleave_granularity": rw(_of_region(lambda dev: dev.granularity), region.interleave_granularity_store),
    "interleave_ways": rw(_of_region(lambda dev: dev.ways), region.interleave_ways_store),
    "resource": ro(_of_region(lambda dev: f"{dev.start if dev.size else _NONE:#x}")),
    "size": rw(_of_region(lambda dev: f"{dev.size:#x}"), region.size_store),
    "uuid": rw(_of_region(lambda dev: dev.uuid), region.uuid_store),
}


def _target(position: int) -> Attribute:
    return rw(
        _of_region(lambda dev: dev.targets[position]),
        lambda state, key, word: store_targetN(state, key, word, position),
    )


def region_files(state: State, dev: CxlRegion) -> Files:
    """Of a region: a file for each of its targets."""
    found = {**_REGION, **typed("cxl_region", 6, "cxl_region" if dev.bound else "")}
    found.update((f"target{position}", _target(position)) for position in range(dev.ways))
    if state.kernel.features.cxl_sysfs != "6.1":
        found["mode"] = text("pmem")
    if state.kernel.features.cxl_sysfs == "7.2":
        found["locked"] = text("0")
    return found


def committed(state: State, endpoint: str = "") -> int:
    """How many decoders of the host bridge, or of one endpoint port ("endpoint2"), are committed."""
    if not endpoint:
        return int(decoder_of(state, PORT_DECODER).enabled)
    names = [each.name for each in memdevs(state) if f"endpoint{each.endpoint}" == endpoint]
    return sum(each.enabled for each in decoders(state) if each.memdev in names)
