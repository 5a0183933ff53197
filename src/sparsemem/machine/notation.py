"""The layout line: a whole machine in one line, ``parse(format(m)) == m``.

::

    6.1 x86_64; 1000-9fbff System RAM, 100000-1fffffff System RAM, 20000000-23ffffff Persistent Memory; with block=128M;
    memremap_pages 0x20000000-0x23ffffff

Four parts, separated by ``;``: the kernel (version, architecture, ``page=``, ``levels=``); the iomem entries at boot, separated by
commas, children in braces; ``with`` options (left out when there are none); then the operations since boot, one a part.

A range is written as ``/proc/iomem`` prints it (hexadecimal, inclusive). Typing is easier: ``4G+60M`` (start and size), ``4G-8G`` (a
unit makes it half-open), and the names ``ram``, ``pmem``, ``legacy``, ``soft`` and ``reserved``.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from sparsemem.errors import InputError, NotModelledError, SparsememError
from sparsemem.kernel.iomem_text import flags_for_name
from sparsemem.kernel.ioport import RESOURCE_SIZE_MAX, Resource
from sparsemem.kernel.resource import iomem_resource
from sparsemem.machine.layout import OPTIONS, BootLayout
from sparsemem.machine.machine import Machine
from sparsemem.machine.operations import parse_operation
from sparsemem.spec import Kernel, kernel
from sparsemem.units import format_size, parse_size

__all__ = ["format_layout", "format_machine", "looks_like_layout", "parse_layout", "parse_machine"]

_ALIASES = {
    "legacy": "Persistent Memory (legacy)",
    "pmem": "Persistent Memory",
    "ram": "System RAM",
    "reserved": "Reserved",
    "soft": "Soft Reserved",
}
_UNSAFE = re.compile(r"[;,{}%\x00-\x1f\x7f]|^[ ]|[ ]$|#")
_RANGE = re.compile(
    r"(0x[0-9a-fA-F]+|[0-9a-fA-F]+[KMGTPkmgtp]?(?:i?[Bb])?)([-+])(0x[0-9a-fA-F]+|[0-9a-fA-F]+[KMGTPkmgtp]?(?:i?[Bb])?)\Z"
)
_UNIT = re.compile(r"[KMGTPkmgtp](?:i?[Bb])?\Z")
_TOKEN = re.compile(r"[{},]|[^{},]+")
_START = re.compile(r"\s*v?\d+\.\d+[^;]*;")
_MAX_DEPTH = 32


def looks_like_layout(text: str) -> bool:
    """Is this a layout line and not a file name?"""
    return bool(_START.match(text))


# -- printing


def _escape(name: str) -> str:
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02x}", name)


def _entry(res: Resource, parent: tuple[int, int] | None) -> str:
    text = f"{res.start:x}-{res.end:x}"
    if res.name is not None:
        text += f" {_escape(res.name)}"
    if (res.flags, res.desc) != flags_for_name(res.name, res.start, parent):
        text += f" #{res.flags:x}:{res.desc}"
    if res.children:
        inside = ", ".join(_entry(child, (res.flags, res.desc)) for child in res.children)
        text += f" {{{inside}}}"
    return text


def _options(layout: BootLayout) -> list[str]:
    words = []
    if layout.iomem.end != RESOURCE_SIZE_MAX:
        words.append(f"top={layout.iomem.end:x}")
    if layout.block_size is not None:
        words.append("block=" + format_size(layout.block_size).replace(" ", "").replace("bytes", "").replace("iB", ""))
    if not layout.hypervisor:
        words.append("bare-metal")
    words += [f"node={nid}:{start:x}-{end - 1:x}" for start, end, nid in layout.nodes]
    if layout.unmovable:
        words.append("unmovable=" + ",".join(map(str, layout.unmovable)))
    words += [f"{name}={value}" for name, value in layout.options]
    return words


def format_layout(k: Kernel, layout: BootLayout) -> str:
    """The line without operations."""
    head = f"{k.version.text} {k.arch}"
    if k.page_size != kernel("6.1", k.arch).page_size:
        head += f" page={k.page_size}"
    if k.levels != 4:
        head += f" levels={k.levels}"
    parts = [head, ", ".join(_entry(res, None) for res in layout.iomem.children)]
    options = _options(layout)
    if options:
        parts.append("with " + " ".join(options))
    return "; ".join(parts)


def format_machine(machine: Machine) -> str:
    """The whole line: kernel, boot layout, and every operation since."""
    return "; ".join([format_layout(machine.kernel, machine.layout), *map(str, machine.history)])


# -- reading


def _number(text: str) -> int:
    if text.startswith("0x") or _UNIT.search(text):
        return parse_size(text)
    try:
        return int(text, 16)
    except ValueError:
        raise InputError(f"not an address: {text!r}", where="layout line", remedy="write hexadecimal, or 4G") from None


def _parse_range(text: str) -> tuple[int, int]:
    match = _RANGE.match(text)
    if match is None:
        raise InputError(f"not a range: {text!r}", where="layout line", remedy="write 100000-1fffffff, 4G-8G or 4G+60M")
    first, sign, second = match.groups()
    if sign == "+":
        start, size = _number(first), parse_size(second)
        end = start + size - 1
    elif _UNIT.search(first) or _UNIT.search(second):
        start, end = parse_size(first), parse_size(second) - 1
    else:
        start, end = _number(first), _number(second)
    if not 0 <= start <= end <= RESOURCE_SIZE_MAX:
        raise InputError(
            f"the range {text} is empty, runs backwards or leaves 64 bits",
            where="layout line",
            remedy="write the first and the last address, for example 100000-1fffffff",
        )
    return start, end


def _parse_entries(text: str) -> tuple[Resource, ...]:
    # One list of children per open brace; the innermost is last.
    stack: list[list[Resource]] = [[]]
    heads: list[Resource] = []
    for token in _TOKEN.findall(text):
        word = token.strip()
        if token == "{":
            if not stack[-1] or len(stack) > _MAX_DEPTH:
                raise InputError("a brace that opens after no entry, or too deep", where="layout line")
            heads.append(stack[-1].pop())
            stack.append([])
        elif token == "}":
            if len(stack) == 1:
                raise InputError("a brace that closes nothing", where="layout line")
            children = tuple(stack.pop())
            head = heads.pop()
            if children and (children[0].start < head.start or children[-1].end > head.end):
                raise InputError(f"children leave their entry {head.start:x}-{head.end:x}", where="layout line")
            stack[-1].append(Resource(head.start, head.end, head.name, head.flags, head.desc, children))
        elif token != "," and word:
            parent = (heads[-1].flags, heads[-1].desc) if heads else None
            new = _parse_entry(word, parent)
            if stack[-1] and stack[-1][-1].end >= new.start:
                raise InputError(
                    f"the entry {new.start:x}-{new.end:x} overlaps the one before it, or is not in order",
                    where="layout line",
                    remedy="write the entries in order of address; what lies inside another goes in braces behind it",
                )
            stack[-1].append(new)
    if len(stack) > 1:
        raise InputError("a brace is not closed", where="layout line")
    return tuple(stack[0])


def _parse_entry(text: str, parent: tuple[int, int] | None) -> Resource:
    text, _, mark = text.partition(" #")
    span, _, name = text.strip().partition(" ")
    start, end = _parse_range(span)
    known: str | None = _ALIASES.get(name.strip().lower()) or unquote(name.strip()) or None
    flags, desc = flags_for_name(known, start, parent)
    if mark:
        high, colon, low = mark.strip().partition(":")
        try:
            flags, desc = int(high, 16), int(low)
        except ValueError:
            raise InputError(f"not flags: #{mark}", where="layout line", remedy="write #FLAGS:DESC") from None
        if not colon:
            raise InputError(f"not flags: #{mark}", where="layout line", remedy="write #FLAGS:DESC")
    return Resource(start, end, known, flags, desc, ())


def _parse_options(text: str, children: tuple[Resource, ...]) -> BootLayout:
    top, block_size, hypervisor = RESOURCE_SIZE_MAX, None, True
    nodes: list[tuple[int, int, int]] = []
    unmovable: tuple[int, ...] = ()
    options: dict[str, str] = {}
    for word in text.split():
        key, _, value = word.partition("=")
        try:
            if word == "bare-metal":
                hypervisor = False
            elif key == "top":
                top = int(value, 16)
            elif key == "block":
                block_size = parse_size(value)
            elif key == "unmovable":
                unmovable = tuple(sorted({int(each) for each in value.split(",")}))
            elif key == "node":
                nid, _, span = value.partition(":")
                start, end = _parse_range(span)
                nodes.append((start, end + 1, int(nid)))
            elif key in OPTIONS:
                allowed = OPTIONS[key]
                if (allowed is None and int(value, 0) < 0) or (allowed is not None and value not in allowed):
                    raise ValueError(value)
                options[key] = value
            else:
                raise InputError(
                    f"unknown option {word!r}", where="layout line", remedy="known are " + ", ".join(sorted(OPTIONS))
                )
        except ValueError:
            allowed = OPTIONS.get(key)
            form = "one of " + ", ".join(allowed) if allowed else "a number (node=1:START-END, unmovable=3,4, top=HEX)"
            raise InputError(f"not a value: {word!r}", where="layout line", remedy=f"write {key}= and {form}") from None
    if children and children[-1].end > top:
        raise InputError(f"an entry ends above top={top:x}", where="layout line")
    return BootLayout(
        iomem_resource(top, children),
        tuple(sorted(nodes)),
        block_size,
        hypervisor,
        tuple(sorted(options.items())),
        unmovable,
    )


def _parse_kernel(text: str) -> Kernel:
    words = text.split()
    if not words:
        raise InputError("no kernel version", where="layout line", remedy='begin with it: "6.1 x86_64; ..."')
    arch, page, levels = "x86_64", None, 4
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            arch = word
        elif key in ("page", "levels") and value.isdecimal() and len(value) < 8:
            page, levels = (int(value), levels) if key == "page" else (page, int(value))
        else:
            raise InputError(
                f"not understood: {word!r}", where="layout line", remedy='write "6.1 arm64 page=16384; ..."'
            )
    return kernel(words[0], arch, page, levels)


def parse_layout(line: str) -> tuple[Kernel, BootLayout, list[str]]:
    """Kernel, boot layout and the operations as text. Raises InputError or UsageError."""
    parts = [part.strip() for part in line.split(";")]
    if len(parts) < 2:
        raise InputError(
            "not a layout line",
            where=line[:60],
            remedy='write "KERNEL; ENTRIES", for example "6.1; 0-4G ram, 4G+60M pmem"',
        )
    k = _parse_kernel(parts[0])
    children = _parse_entries(parts[1])
    rest = parts[2:]
    options = ""
    if rest and rest[0].startswith("with "):
        options, rest = rest[0][5:], rest[1:]
    return k, _parse_options(options, children), [part for part in rest if part]


def parse_machine(line: str, *, kernel_override: Kernel | None = None) -> Machine:
    """The machine that the line describes: booted, and its operations replayed. Raises InputError or UsageError."""
    k, layout, operations = parse_layout(line)
    from sparsemem.kernel.refusal import Refusal

    try:
        machine = Machine(kernel_override or k, layout)
    except Refusal as refusal:
        raise InputError(f"this kernel does not boot on that layout: {refusal}", where="layout line") from None
    for text in operations:
        try:
            machine.apply(parse_operation(text))
        except NotModelledError:
            raise
        except SparsememError as error:
            where = f"layout line, {error.where or text}"
            raise InputError(error.what, where=where, why=error.why, remedy=error.remedy) from None
    return machine
