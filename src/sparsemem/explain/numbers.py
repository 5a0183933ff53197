"""The arithmetic of a line: where a range lies in the memory model, what is misaligned, what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.ranges import Range, format_range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from sparsemem.spec.kernel import Kernel

__all__ = ["Frame", "Number", "decode", "span_of"]

_SECTION, _SUBSECTION, _PAGE = 128 * MIB, 2 * MIB, 4096
_LIMIT = 1 << 64
_NAMES = {"subsection": "sub-section", "section": "section", "block": "memory block", "align": "alignment"}


@dataclass(frozen=True, slots=True)
class Number:
    """One decoded fact: ``label`` and ``text`` for people, ``value`` (bytes, or an address) for programs."""

    label: str
    text: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Frame:
    """The sizes to measure with, in bytes; ``block`` None where unknown. ``basis`` says whose sizes they are."""

    page: int
    section: int
    subsection: int
    block: int | None
    basis: str

    @classmethod
    def of(cls, kernel: Kernel | None, block: int | None = None) -> Frame:
        """The sizes of that kernel; without one, those of x86-64."""
        if kernel is None:
            return cls(_PAGE, _SECTION, _SUBSECTION, block, "x86-64: 4 KiB pages, 128 MiB sections, 2 MiB sub-sections")
        g = kernel.geometry
        basis = (
            f"{kernel.version} on {kernel.arch}: {format_size(g.PAGE_SIZE)} pages, {format_size(g.SECTION_SIZE)} "
            "sections, "
            f"{format_size(g.SUBSECTION_SIZE)} sub-sections"
        )
        return cls(g.PAGE_SIZE, g.SECTION_SIZE, g.SUBSECTION_SIZE, block, basis)

    def unit(self, name: str, values: dict[str, int]) -> int | None:
        """The size of that unit: what the line says goes before what is known."""
        if name == "block":
            return values.get("block") or self.block
        return (
            values.get("align") if name == "align" else {"section": self.section, "subsection": self.subsection}[name]
        )


def decode(values: dict[str, int], units: tuple[str, ...], frame: Frame, *, trims: bool = False) -> tuple[Number, ...]:
    """Facts about one line's numbers; ``values`` by the field names of ``Message``. Nonsense gives no facts."""
    facts: list[Number] = []
    span = span_of(values, frame)
    if span is not None:
        facts.append(Number("range", f"{format_range(span)}, {_exact(span.size)}", format_range(span)))
        if "start_pfn" in values:
            pages = f"{values['start_pfn']:#x}-{values['start_pfn'] + span.size // frame.page - 1:#x}"
            facts.append(Number("pages", f"pfn {pages}, {span.size // frame.page} of {format_size(frame.page)}", pages))
        facts.append(_places(span, frame.section, "section"))
        if "subsection" in units or (span.start | span.end) % frame.section:
            facts.append(_subsections(span, frame))
    if span is not None:
        facts.extend(_against(span, units, values, frame, trims))
    facts.extend(_plain(values))
    if 0 < values.get("ways", 0) < 1 << 20 and 0 < values.get("align", 0) < _LIMIT:
        step = values["ways"] * values["align"]
        facts.append(
            Number("size step", f"{_exact(step)}: {values['ways']} ways times {_exact(values['align'])}", step)
        )
    return tuple(facts)


def _against(span: Range, units: tuple[str, ...], values: dict[str, int], frame: Frame, trims: bool) -> list[Number]:
    facts: list[Number] = []
    sizes = {unit: size for unit in units if (size := frame.unit(unit, values)) and size & (size - 1) == 0}
    for label, address in (("start", span.start), ("end", span.end)):
        for unit, size in sizes.items():
            facts.append(_alignment(label, address, size, _NAMES[unit]))
            if address % size == 0:
                break
    if units[:2] == ("section", "subsection") and (span.start | span.end) % frame.section:
        wide = Range(span.start // frame.section * frame.section, -(-span.end // frame.section) * frame.section)
        facts.append(
            Number("widened", f"{format_range(wide)}: what kernels up to 5.2 check, whole sections", format_range(wide))
        )
    if trims and "block" in units:
        facts.extend(_trimmed(span, sizes["block"], "memory block") if "block" in sizes else _for_usual_blocks(span))
    elif (
        units[:1] in (("block",), ("subsection",)) and (size := sizes.get(units[0])) and (span.start | span.end) % size
    ):
        facts.extend(_trimmed(span, size, _NAMES[units[0]], label="inside"))
    return facts


def span_of(values: dict[str, int], frame: Frame) -> Range | None:
    """The bytes that a line is about; None where it names no range, or nonsense."""
    start, end = values.get("start"), None
    if start is not None:
        end = values["last"] + 1 if "last" in values else start + values["size"] if "size" in values else None
    elif "start_pfn" in values:
        start = values["start_pfn"] * frame.page
        if "last_pfn" in values:
            end = (values["last_pfn"] + 1) * frame.page
        elif "nr_pages" in values:
            end = start + values["nr_pages"] * frame.page
    if start is None or end is None or not 0 <= start < end <= _LIMIT:
        return None
    return Range(start, end)


def _exact(size: int) -> str:
    short = format_size(size)
    if size < 1024 or "." not in short:
        return short
    return f"{short} ({size // MIB} MiB)" if size % MIB == 0 and size >= 1024 * MIB else f"{short} ({size} bytes)"


def _places(span: Range, section: int, name: str) -> Number:
    first, last = span.start // section, (span.end - 1) // section
    if first == last:
        room = Range(first * section, (first + 1) * section)
        return Number(name, f"{first} ({format_range(room)}), {format_size(span.start - room.start)} in", first)
    return Number(f"{name}s", f"{first} to {last}, of {format_size(section)} each", f"{first}-{last}")


def _subsections(span: Range, frame: Frame) -> Number:
    per, first, last = (
        frame.section // frame.subsection,
        span.start // frame.subsection,
        (span.end - 1) // frame.subsection,
    )
    if first // per == last // per:
        bits = f"{first % per} to {last % per}" if first != last else f"{first % per}"
        return Number("sub-sections", f"{bits} of 0 to {per - 1} in that section", f"{first % per}-{last % per}")
    text = f"{first % per} of the first section to {last % per} of the last, of {per} each"
    return Number("sub-sections", text, f"{first % per}-{last % per}")


def _alignment(label: str, address: int, size: int, name: str) -> Number:
    over = address % size
    if not over:
        return Number(label, f"on a {name} boundary ({format_size(size)})", address)
    text = (
        f"{address:#x} is {_exact(over)} past a {name} boundary of {format_size(size)}; aligned it would be "
        f"{address - over:#x} (down) or {address - over + size:#x} (up)"
    )
    return Number(label, text, address)


def _inside(span: Range, size: int) -> tuple[Range | None, int]:
    start, end = -(-span.start // size) * size, span.end // size * size
    return (Range(start, end), span.size - (end - start)) if start < end else (None, span.size)


def _trimmed(span: Range, size: int, name: str, label: str = "usable") -> list[Number]:
    whole, lost = _inside(span, size)
    if whole is None:
        return [Number(label, f"nothing: no whole {name} of {format_size(size)} lies inside", 0)]
    if not lost:
        return [Number(label, f"all of it: whole {name}s of {format_size(size)}", span.size)]
    head, tail = whole.start - span.start, span.end - whole.end
    return [
        Number(label, f"{format_range(whole)}, {_exact(whole.size)}", whole.size),
        Number(
            "outside" if label == "inside" else "lost",
            f"{_exact(lost)}: {_exact(head)} at the start, {_exact(tail)} at the end",
            lost,
        ),
    ]


def _for_usual_blocks(span: Range) -> list[Number]:
    facts = []
    for size in (128 * MIB, 2048 * MIB):
        whole, lost = _inside(span, size)
        text = (
            f"{_exact(whole.size)} usable ({format_range(whole)}), {_exact(lost)} lost" if whole else "nothing usable"
        )
        facts.append(
            Number(f"at {format_size(size)}", f"{text}, if that is the memory block size", whole.size if whole else 0)
        )
    return facts


def _plain(values: dict[str, int]) -> list[Number]:
    labels = {
        "bytes": "bytes",
        "align": "align",
        "block": "memory block",
        "meant": "intended size",
        "dataoff": "data offset",
        "available": "available",
        "align_hex": "align",
        "capacity_hex": "capacity",
        "asked": "asked for",
        "got": "got",
    }
    return [
        Number(label, f"{_exact(values[name])} ({values[name]:#x})", values[name])
        for name, label in labels.items()
        if 0 < values.get(name, 0) < _LIMIT
    ]
