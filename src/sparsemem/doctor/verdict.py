"""What this kernel does with one device range: libnvdimm's own checks first, then the mapping itself, tried on the model and undone."""

from __future__ import annotations

from errno import errorcode
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.spec.record import Era
from sparsemem.units import GIB

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.machine.machine import Answer

__all__ = [
    "Verdict",
    "altmap_too_small",
    "answer_verdict",
    "judge",
    "padding",
    "resource_text",
    "shared_parts",
    "try_mapping",
]

_PADS_AGAINST_REGIONS = Era(
    True, "4.20", "ae86cbfef381", "libnvdimm, pfn: Pad pfn namespaces relative to other regions", {"4.19": "4.19.9"}
)
_TRY_WHOLE = 2 * GIB


class Verdict(NamedTuple):
    """``rule`` None: the kernel maps it. ``errno`` is a name ("ENXIO"), ``function`` the one that refuses, ``log`` what it prints.
    ``padding``: bytes that libnvdimm cuts off at the start and at the end before it maps the rest (up to v5.2)."""

    rule: str | None = None
    errno: str | None = None
    function: str | None = None
    log: tuple[str, ...] = ()
    padding: tuple[int, int] = (0, 0)

    @property
    def refused(self) -> bool:
        return self.rule is not None


def resource_text(r: Range) -> str:
    """A memory resource as ``%pr`` prints it."""
    return f"[mem {r.start:#010x}-{r.end - 1:#010x} flags 0x200]"


def answer_verdict(answer: Answer) -> Verdict:
    """The model's answer as a verdict."""
    refusal = answer.refusal
    if refusal is None:
        return Verdict()
    log = refusal.log or tuple(line.text for line in answer.log if line.level != "debug")
    return Verdict(refusal.rule, errorcode.get(refusal.errno, str(refusal.errno)), refusal.function, log)


def try_mapping(ctx: Context, r: Range, owner: str = "") -> Verdict:
    """Map the range on the model as it stands, and take it back."""
    options = (("owner", owner),) if owner and " " not in owner else ()
    answer = ctx.machine.apply(Operation("memremap_pages", (r,), options=options))
    ctx.machine.undo()
    return answer_verdict(answer)


def shared_parts(ctx: Context, r: Range) -> tuple[Range, Range]:
    """What of the first and of the last section of the range lies outside of it; empty where the edge is a section's."""
    return Range(align_down(r.start, ctx.section), r.start), Range(r.end, align_up(r.end, ctx.section))


def _untouched(ctx: Context, r: Range) -> bool:
    """Are the sections of the range its own? Then nothing can refuse it but its own alignment and address."""
    g = ctx.kernel.geometry
    if (r.start | r.end) % g.SUBSECTION_SIZE or r.end > 1 << g.MAX_PHYSMEM_BITS:
        return False
    whole = Range(align_down(r.start, ctx.section), align_up(r.end, ctx.section))
    if ctx.ram.touches(whole):
        return False
    sections = ctx.state.sections
    first, last = whole.start >> g.PA_SECTION_SHIFT, (whole.end >> g.PA_SECTION_SHIFT) - 1
    if first in sections or last in sections:
        return False
    return not ctx.mapped.touches(whole)


def _try(ctx: Context, r: Range, owner: str) -> Verdict:
    f, g = ctx.kernel.features, ctx.kernel.geometry
    if ctx.state.misc.get("physmem_end") is None and _untouched(ctx, r):
        return Verdict()
    misaligned = (r.start | r.end) % g.SUBSECTION_SIZE
    high = r.end > 1 << g.MAX_PHYSMEM_BITS
    if not f.subsection_hotplug or misaligned or high or r.size <= _TRY_WHOLE or ctx.ram.touches(r):
        return try_mapping(ctx, r, owner)
    head = try_mapping(ctx, Range(r.start, align_up(r.start + 1, ctx.section)), owner)
    return head if head.refused else try_mapping(ctx, Range(align_down(r.end - 1, ctx.section), r.end), owner)


def padding(ctx: Context, device: Device) -> tuple[int, int]:
    """Bytes that v5.2 and older cut off a new fsdax or devdax namespace over this range: (start_pad, end_trunc)."""
    r = device.range
    before, after = shared_parts(ctx, r)
    against_regions = _PADS_AGAINST_REGIONS.reached_by(ctx.kernel.version, ctx.kernel.arch)
    start = end = 0
    if ctx.ram.touches(before) or (against_regions and ctx.regions.touches(before)):
        start = align_up(r.start, ctx.section) - r.start
    if ctx.ram.touches(after) or (against_regions and ctx.regions.touches(after)):
        end = r.end - align_down(r.end, ctx.section)
    return start, end


def _libnvdimm(ctx: Context, device: Device) -> Verdict | None:
    """The checks of v5.7 and later that come before any mapping."""
    r, align = device.range, memremap_compat_align(ctx.state)
    driver = f"nd_pmem {device.name}: " if device.kind == "namespace" else ""
    if device.kind in ("legacy", "pmem") or (device.kind == "namespace" and device.mode in ("raw", "unknown", None)):
        if (r.start | r.end) % align and not ctx.ram.touches(r):
            text = f"{driver}{resource_text(r)} misaligned, unable to map"
            return Verdict("namespace-alignment", "EOPNOTSUPP", "nvdimm_namespace_common_probe", (text,))
    elif device.kind == "namespace" and device.mode in ("fsdax", "devdax"):
        data = device.namespace.data if device.namespace is not None else None
        if r.start % align:
            return Verdict("info-block-alignment", "EOPNOTSUPP", "nd_pfn_validate", ("resource start misaligned",))
        if data is not None and data.end <= r.end and data.end % align:
            return Verdict("info-block-alignment", "EOPNOTSUPP", "nd_pfn_validate", ("resource end misaligned",))
    elif device.kind == "region" and r.start % align:
        text = f"start {r.start:#x} misaligned to {align:#x}"
        return Verdict("compat-align", "EINVAL", "nd_pfn_init", (text,))
    return None


def altmap_too_small(ctx: Context, r: Range) -> bool:
    """Has the page array of a new namespace there no room in it? Up to v5.2 ``nd_pfn_init()`` keeps the memmap of as many sections as the
    range has bytes for; where it starts inside one, it lies in one section more, whose memmap has no place."""
    g, section = ctx.kernel.geometry, ctx.section
    if ctx.kernel.features.altmap_backing != "whole sections":
        return False
    table = g.PAGES_PER_SECTION * g.sizeof_struct_page
    data = align_up(r.start + 8192 + align_up(r.size - 8192, section) // section * table, g.PMD_SIZE)
    room = (data - align_up(r.start + 8192, g.PMD_SIZE)) // table
    return (align_up(r.end, section) - align_down(r.start, section)) // section > room


def judge(ctx: Context, device: Device) -> Verdict:
    """What the kernel does when this device is to be mapped. A device that never is (sector mode) is accepted."""
    f = ctx.kernel.features
    if not device.maps or (device.kind == "mapping" and device.live):
        return Verdict()
    if not ctx.captured and device.live and device.kind in ("namespace", "dax"):
        return Verdict()  # it is up, on this very kernel
    if f.memremap_compat_align:
        early = _libnvdimm(ctx, device)
        if early is not None:
            return early
    if device.answer is not None:
        return answer_verdict(device.answer)
    pads = device.kind == "region" or (device.kind == "namespace" and device.mode in ("fsdax", "devdax"))
    if not f.pfn_pads_to_sections or not pads:
        return _try(ctx, device.range, device.name)
    start, end = padding(ctx, device)
    rest = Range(device.range.start + start, device.range.end - end)
    if rest.start >= rest.end:
        text = "unable to satisfy requested alignment"
        return Verdict("info-block-capacity", "ENXIO", "nd_pfn_init", (text,), (start, end))
    name = device.name.replace("region", "namespace") + ".0" if device.kind == "region" else device.name
    verdict = _try(ctx, rest, name)
    said = (f.pfn_section_pad_message.replace("%s", name) % (start + end),) if start + end else ()
    if not verdict.refused and device.kind == "region" and altmap_too_small(ctx, rest):
        verdict = Verdict("altmap-exhausted", "ENOMEM", "altmap_alloc_block_buf")
    return verdict._replace(padding=(start, end), log=(*said, *verdict.log))
