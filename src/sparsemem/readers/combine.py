"""All readers over one source, combined into a description."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.errors import InputError, UnreadableError
from sparsemem.machine.description import (
    MachineDescription,
    Note,
)
from sparsemem.readers.bootlog import boot_lines, parse_boot_log
from sparsemem.readers.cxl import read_cxl
from sparsemem.readers.dax import read_dax
from sparsemem.readers.facts import (
    Facts,
    arch_of_iomem,
    block_size_told,
    daxes_of,
    namespaces_of,
    page_size_of,
    regions_of,
)
from sparsemem.readers.firmware import read_firmware_memmap
from sparsemem.readers.iomem import parse_iomem
from sparsemem.readers.jsontext import load_documents
from sparsemem.readers.listing import place
from sparsemem.readers.media import read_media
from sparsemem.readers.memory_blocks import read_memory_blocks
from sparsemem.readers.metadata import read_metadata
from sparsemem.readers.nd import read_nd
from sparsemem.readers.proc import ONE_PAGE_SIZE, read_proc
from sparsemem.readers.trees import DirectorySource
from sparsemem.readers.zoneinfo import parse_zoneinfo, zoneinfo_lines

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["HIDDEN", "HIDDEN_REMEDY", "describe", "read_source"]

HIDDEN = "every address in it is zero: the kernel shows them to root only"
HIDDEN_REMEDY = "run as root, or save it with: sudo cat /proc/iomem > iomem.txt"
_LOGS = ("/var/log/dmesg", "/dmesg", "/dmesg.txt", "/dmesg.log")


def read_source(source: Source) -> MachineDescription:
    """The machine in a tree. Raises InputError when there is none in it, UnreadableError when the kernel hid all that
    matters.
    """
    metadata = read_metadata(source)
    facts = Facts()
    proc = read_proc(source, metadata.page_size)
    facts.proc = replace(
        proc,
        arch=metadata.arch or proc.arch,
        page_size=metadata.page_size or proc.page_size,
        release=proc.release or metadata.release,
    )
    live = isinstance(source, DirectorySource) and source.root == "/"
    for path in ("/proc/iomem",) if live else ("/proc/iomem", "/iomem", "/iomem.txt"):
        text = source.read_text(path)
        if text is not None:
            parsed = parse_iomem(text, source.where(path))
            source.notes.extend(parsed.notes)
            facts.iomem, facts.hidden = parsed.root, parsed.hidden
            if parsed.root is None and not parsed.hidden:
                source.note(path, "no resource line in it")
            break
    facts.memory = read_memory_blocks(source)
    text = source.read_text("/proc/zoneinfo", keep=zoneinfo_lines)
    if text is not None:
        facts.zones, notes = parse_zoneinfo(text, source.where("/proc/zoneinfo"))
        source.notes.extend(notes)
    facts.regions, facts.namespaces = read_nd(source)
    facts.dax = read_dax(source)
    facts.cxl = read_cxl(source)
    facts.boot_map = read_firmware_memmap(source)
    if not live:
        facts.label_areas, facts.info_blocks = read_media(source)
    for path in _LOGS[:1] if live else _LOGS:
        text = source.read_text(path, keep=boot_lines)
        if text:
            facts.log = parse_boot_log(text, source.where(path))
            source.notes.extend(facts.log.notes)
            break
    if not live:
        for name in source.listdir("/", r"(?!sparsemem-).{1,100}\.json"):
            text = source.read_text(name)
            if text is not None:
                documents, notes = load_documents(text, source.where(name))
                source.notes.extend(notes)
                if not facts.add_listing(documents, source.where(name)) and not notes:
                    source.note(name, "not a listing of ndctl, daxctl or lsmem; not used")
    facts.notes[:0] = [
        *source.notes,
        *(Note(source.where(path), "", f"when captured: {what}") for path, what in metadata.remarks),
    ]
    if facts.hidden:
        facts.notes.append(Note(source.where("/proc/iomem"), "", f"{HIDDEN}; {HIDDEN_REMEDY}"))
    return describe(facts, "this machine" if live else source.name, source.where("/proc/iomem"))


def describe(facts: Facts, name: str, iomem_name: str = "") -> MachineDescription:
    """Combine facts into a description. Raises UnreadableError or InputError when nothing in them describes memory."""
    proc, log = facts.proc, facts.log
    boot_map = facts.boot_map or log.regions
    if not (
        facts.iomem or facts.memory.blocks or facts.zones or facts.regions or facts.namespaces or facts.dax or boot_map
    ):
        if facts.hidden:
            raise UnreadableError(HIDDEN, where=iomem_name or name, remedy=HIDDEN_REMEDY)
        first = facts.notes[0] if facts.notes else None
        unread = first is not None and first.what.startswith("cannot be read")
        raise (UnreadableError if unread else InputError)(
            "no description of memory found",
            where=name,
            why=f"{first.source}: {first.where + ': ' if first.where else ''}{first.what}" if first else None,
            remedy="give a tree or tarball with proc/iomem or sys/devices/system/memory, an iomem text, a boot log, or "
            "ndctl, daxctl or lsmem JSON, or the table of lsmem",
        )
    notes = list(facts.notes)
    arch = proc.arch or log.arch or arch_of_iomem(facts.iomem)
    page_size = proc.page_size or ONE_PAGE_SIZE.get(arch or "") or page_size_of(facts, notes, name)
    namespaces = namespaces_of(facts)
    dax = daxes_of(facts, notes, name)
    regions = regions_of(facts, namespaces)
    if facts.iomem is None and not boot_map and not facts.memory.blocks:
        regions, namespaces, assumed = place(regions, namespaces, name)
        notes += assumed
    block_size = facts.memory.block_size or log.block_size or block_size_told(facts, dax, notes, name)
    return MachineDescription(
        source=name,
        kernel_release=proc.release or log.release,
        arch=arch,
        page_size=page_size,
        cmdline=proc.cmdline if proc.cmdline is not None else log.cmdline,
        hypervisor=proc.hypervisor if proc.hypervisor is not None else log.hypervisor,
        tdx_host=log.tdx_host,
        levels=proc.levels,
        physical_bits=proc.physical_bits,
        iomem=facts.iomem,
        boot_map=boot_map,
        block_size=block_size,
        auto_online=facts.memory.auto_online,
        blocks=facts.memory.blocks,
        zones=facts.zones,
        regions=regions,
        namespaces=namespaces,
        dax=dax,
        label_areas=facts.label_areas,
        info_blocks=facts.info_blocks,
        cxl=facts.cxl,
        notes=tuple(notes),
    )
