"""A captured machine's persistent memory as operations: firmware's regions, labels and info blocks as they lay on the medium, and what
was bound, so that the drivers of the model find what those of the machine found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY_LEGACY, Resource
from sparsemem.kernel.nvdimm import pfn
from sparsemem.kernel.nvdimm.interleave import acpi_nfit_init_interleave_set, qemu_member
from sparsemem.kernel.nvdimm.label_bytes import (
    ABSTRACTION,
    NAME_LEN,
    PMEM_GUID,
    NsLabel,
    encode_index,
    encode_label,
    fresh_index,
    nd_label_validate,
    sizeof_namespace_index,
)
from sparsemem.kernel.nvdimm.nfit import LINE
from sparsemem.kernel.nvdimm.types import CCLASS_DAX, CCLASS_NONE, CCLASS_PFN
from sparsemem.machine.description import Note
from sparsemem.machine.nd_operations import pack
from sparsemem.machine.operations import Operation, store_operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.description import DaxFact, MachineDescription, NamespaceFact, RegionFact
    from sparsemem.ranges import Range
    from sparsemem.spec import Kernel

__all__ = ["nd_operations", "placed", "without_claims"]

_LABEL_SIZE, _OLD_LABEL_SIZE = 256, 128
_AREA, _LARGE_AREA = 128 << 10, 2 << 20
_SLOTS = 500
_CLAIM = re.compile(r"(namespace|dax|btt|pfn|pmem)\d+(\.\d+)?\Z")
_CLASSES = {"fsdax": CCLASS_PFN, "devdax": CCLASS_DAX}
_ND = "/sys/bus/nd"
_DAX = "/sys/bus/dax"
_STRUCT_PAGE = 64


def placed(description: MachineDescription) -> list[RegionFact]:
    """The regions whose address is known, by number."""
    return sorted((each for each in description.regions if each.range is not None), key=lambda each: _number(each.dev))


def without_claims(res: Resource, description: MachineDescription) -> Resource:
    """The entry without what the drivers of namespaces and dax devices claimed in it: they will claim it again."""
    ranges = [each.range for each in placed(description)]
    ranges += [r for dax in description.dax for r in dax.ranges]
    return _without(res, [r for r in ranges if r is not None])


def _without(res: Resource, ranges: list[Range]) -> Resource:
    children = tuple(
        _without(child, ranges)
        for child in res.children
        if not _CLAIM.match(child.name or "") or not any(r.start <= child.start and child.end < r.end for r in ranges)
    )
    return res.with_children(children)


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name.partition(".")[0]) or 0)


def _uuid(fact: NamespaceFact) -> str:
    """Its own, or one that only this namespace has."""
    major, _, minor = fact.dev.removeprefix("namespace").partition(".")
    return (fact.uuid or f"00000000-0000-4000-8000-{int(major):06x}{int(minor or 0):06x}").lower()


def _labelled(region: RegionFact, namespaces: list[NamespaceFact]) -> bool:
    if region.labels is not None:
        return region.labels
    whole = len(namespaces) == 1 and namespaces[0].range == region.range and namespaces[0].uuid is None
    return bool(region.mappings) and not whole


# -- labels and info blocks as bytes


def _label_size(description: MachineDescription) -> int:
    """Bytes of a label: of version 1.1 where all areas that were read have it, else of 1.2. A kernel shows its version nowhere; with 1.1 a
    sector namespace is 4 KiB smaller (``nd_btt_version``)."""
    found = [nd_label_validate(fact.data) for fact in description.label_areas]
    return _OLD_LABEL_SIZE if {size for at, size, _ in found if at >= 0} == {_OLD_LABEL_SIZE} else _LABEL_SIZE


def _areas(
    region: RegionFact, namespaces: list[NamespaceFact], slot: int, ways: int, label_size: int = _LABEL_SIZE
) -> list[bytes]:
    """The label area of each DIMM of an interleave set, as long as it has content."""
    assert region.range is not None
    cookies = acpi_nfit_init_interleave_set([qemu_member(slot + i, i * LINE) for i in range(ways)])
    size = _LARGE_AREA if len(namespaces) > _SLOTS else _AREA
    index_size = sizeof_namespace_index(size, label_size)
    areas = []
    for way in range(ways):
        labels = b"".join(
            encode_label(
                NsLabel(
                    _uuid(fact),
                    (fact.name or "").encode()[:NAME_LEN].ljust(NAME_LEN, b"\0"),
                    0,
                    ways,
                    cookies.position[way],
                    cookies.cookie2 if label_size == _LABEL_SIZE else cookies.cookie1,
                    fact.sector_size if fact.mode != "sector" and fact.sector_size in (512, 4096) else 512,
                    (fact.range.start - region.range.start) // ways,
                    fact.range.size // ways,
                    number,
                    type_guid=PMEM_GUID,
                    abstraction_guid=ABSTRACTION[_CLASSES.get(fact.mode, CCLASS_NONE)],
                ),
                label_size,
            )
            for number, fact in enumerate(namespaces)
            if fact.range is not None
        )
        blocks = []
        for number in (0, 1):
            index = fresh_index(size, label_size, number, 3 - number)
            free = int.from_bytes(index.free, "little") & ~((1 << len(namespaces)) - 1)
            blocks.append(encode_index(index._replace(free=free.to_bytes(len(index.free), "little"))))
        assert len(blocks[0]) == index_size
        areas.append((b"".join(blocks) + labels).ljust(size, b"\0"))
    return areas


def _info_block(k: Kernel, fact: NamespaceFact, padded: tuple[int, int]) -> bytes | None:
    """The info block of an fsdax or devdax namespace; None where it has none, or its place is not known."""
    if fact.range is None or fact.mode not in _CLASSES or fact.map not in ("dev", "mem"):
        return None
    if fact.mode == "fsdax" and fact.holder is None and fact.uuid is None:
        return None  # raw, with pages: legacy memory
    g = k.geometry
    align = fact.align or g.PMD_SIZE
    start, end = fact.range
    start_pad, end_trunc = padded
    if fact.data is not None and fact.data.start > start:
        dataoff, end_trunc = fact.data.start - start - start_pad, end - fact.data.end
    else:
        whole = g.PAGES_PER_SECTION if k.features.pfn_pads_to_sections else 1
        pages = -(-((end - start - 8192) // g.PAGE_SIZE) // whole) * whole
        table = _STRUCT_PAGE * pages if fact.map == "dev" else 0
        unit = max(align, g.PMD_SIZE if k.features.pfn_pads_to_sections else g.SUBSECTION_SIZE)
        dataoff = -(-(start + start_pad + 8192 + table) // unit) * unit - start - start_pad
        end_trunc = end_trunc or end % unit
    size = end - start - start_pad - end_trunc - dataoff
    if dataoff < 0 or size <= 0:
        return None
    uuid = _uuid(fact)
    return pfn.encode(
        pfn.NdPfnSb(
            pfn.PFN_SIG if fact.mode == "fsdax" else pfn.DAX_SIG,
            uuid,
            uuid if fact.uuid is not None else "",
            version_minor=k.features.info_block_minor,
            dataoff=dataoff,
            npfns=size // g.PAGE_SIZE,
            mode=pfn.MODES.index("pmem" if fact.map == "dev" else "ram"),
            start_pad=start_pad,
            end_trunc=end_trunc,
            align=align,
            page_size=g.PAGE_SIZE if k.features.info_block_minor >= 4 else 0,
            page_struct_size=_STRUCT_PAGE if k.features.info_block_minor >= 4 else 0,
        )
    )


# -- operations


def _store(path: str, text: str) -> Operation:
    return store_operation(path, text)


def _btt(fact: NamespaceFact, number: int) -> Iterator[Operation]:
    """A BTT is made anew: same uuid, same sectors."""
    if fact.mode != "sector" or not fact.enabled:
        return
    seed = f"btt{_number(fact.region)}.{number}"
    yield _store(f"{_ND}/drivers/nd_pmem/unbind", fact.dev)
    yield _store(f"{_ND}/devices/{seed}/uuid", _uuid(fact))
    yield _store(f"{_ND}/devices/{seed}/sector_size", str(fact.sector_size or 4096))
    yield _store(f"{_ND}/devices/{seed}/namespace", fact.dev)
    yield _store(f"{_ND}/drivers/nd_pmem/bind", seed)


def _region(
    description: MachineDescription, k: Kernel, region: RegionFact, slot: int, pads: dict[str, tuple[int, int]]
) -> tuple[list[Operation], int]:
    """The operations of one region, and how many DIMMs it has."""
    assert region.range is not None
    found = [each for each in description.namespaces if each.region == region.dev and each.range is not None]
    legacy = any(
        res.desc == IORES_DESC_PERSISTENT_MEMORY_LEGACY and res.start <= region.range.start <= res.end
        for res in (description.iomem.children if description.iomem is not None else ())
    )
    ways = 0 if legacy or region.mappings == 0 else region.mappings or 1
    if ways and region.range.size % (ways * k.geometry.PAGE_SIZE):
        ways = 1
    options = {"bus": "nfit" if ways else "e820", "region": str(_number(region.dev))}
    operations = []
    for fact in found:
        block = _info_block(k, fact, pads.get(fact.dev, (0, 0)))
        if block is not None and fact.range is not None:
            at = fact.range.start - region.range.start + 4096
            put = (("at", f"{at:#x}"), ("data", pack(block)), ("on", region.dev))
            operations.append(Operation("nd_media", options=put))
    if ways:
        options |= {"slot": str(slot), "nmem": str(slot), "ways": str(ways)}
        if _labelled(region, found) and not found:
            options["labels"] = "1.2" if _label_size(description) == _LABEL_SIZE else "1.1"
        if _labelled(region, found) and found:
            options["ids"] = ",".join(f"{_uuid(fact)}:{fact.dev.rpartition('.')[2]}" for fact in found)
            options["label"] = ",".join(
                pack(area) for area in _areas(region, found, slot, ways, _label_size(description))
            )
    if region.numa_node:
        options["node"] = str(region.numa_node)
    if region.target_node is not None:
        options["target_node"] = str(region.target_node)
    operations.append(Operation("nd_region", (region.range,), options=tuple(sorted(options.items()))))
    sectors = [fact for fact in found if fact.mode == "sector" and fact.enabled]
    for number, fact in enumerate(sectors):
        operations += _btt(fact, number)
    if region.align is not None and k.features.region_align_attribute:
        operations.append(_store(f"{_ND}/devices/{region.dev}/align", str(region.align)))
    for fact in found:
        if not fact.enabled:
            operations.append(_store(f"{_ND}/drivers/nd_pmem/unbind", fact.dev))
    if not region.enabled:
        operations.append(_store(f"{_ND}/drivers/nd_region/unbind", region.dev))
    return operations, ways


def _dax_region(description: MachineDescription, fact: DaxFact) -> Operation | None:
    """A soft-reserved or CXL range with its dax device."""
    if not fact.ranges or description.iomem is None:
        return None
    first = fact.ranges[0]
    whole = next(
        (
            res
            for _, res in description.iomem.walk()
            if res.name == "Soft Reserved" and res.start <= first.start <= res.end
        ),
        None,
    )
    place = first if whole is None else type(first)(whole.start, whole.end + 1)
    options = {"driver": "hmem" if whole is not None else "cxl", "region": str(_number(fact.dev))}
    if fact.target_node is not None:
        options["target_node"] = str(fact.target_node)
    return Operation("dax_region", (place,), options=tuple(sorted(options.items())))


def _mode(fact: DaxFact, machine_default: str) -> Iterator[Operation]:
    """The driver of a dax device, where it is not the one that takes it by itself."""
    wanted = {"system-ram": "kmem", "devdax": "device_dax"}.get(fact.mode or "", "")
    if wanted == machine_default:
        return
    yield _store(f"{_DAX}/drivers/{machine_default}/unbind", fact.dev)
    if wanted:
        yield _store(f"{_DAX}/drivers/{wanted}/new_id", fact.dev)


def nd_operations(
    description: MachineDescription, k: Kernel, pads: dict[str, tuple[int, int]], notes: list[Note]
) -> Iterator[tuple[str, Operation]]:
    """(device, operation) for everything of libnvdimm and device-dax. ``k`` is the kernel that wrote the medium; ``pads``: bytes that it
    left out at both ends of a namespace (up to v5.2)."""
    slot = 0
    for hidden in description.regions:
        if hidden.range is None:
            notes.append(Note(description.source, hidden.dev, "its address is not known: left out"))
    for region in placed(description):
        operations, ways = _region(description, k, region, slot, pads)
        slot += ways
        for operation in operations:
            yield region.dev, operation
    known = {region.dev for region in placed(description)}
    for fact in description.dax:
        default = "device_dax"
        if fact.region not in known:
            if any(each.region == fact.region for each in description.namespaces):
                continue
            made = _dax_region(description, fact)
            if made is None:
                continue
            yield fact.dev, made
            default = "kmem" if k.features.dax_kmem_by_default else "device_dax"
        for each in _mode(fact, default):
            yield fact.dev, each
