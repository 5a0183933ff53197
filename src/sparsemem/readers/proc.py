"""``/proc``: command line, kernel release, and what tells the architecture and the page size.

The kernel prints no page size there. It follows from the architecture where that has only one, from a kernel
configuration, or from the zones (in pages) against System RAM in the iomem tree (in bytes).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = [
    "ProcFacts",
    "arch_of_machine",
    "arch_of_release",
    "config_facts",
    "cpuinfo_head",
    "parse_cpuinfo",
    "read_proc",
]

ONE_PAGE_SIZE = {"x86_64": 4096, "s390x": 4096, "riscv64": 4096}
"""Architectures whose page size is not a choice."""

_MACHINES = {
    "x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64", "ppc64": "ppc64", "ppc64le": "ppc64",
    "ppc64el": "ppc64", "powerpc64": "ppc64", "powerpc64le": "ppc64", "s390x": "s390x", "riscv64": "riscv64",
    "loongarch64": "loongarch", "loong64": "loongarch", "loongarch": "loongarch",
}  # fmt: skip
_SUFFIX = re.compile(
    r"[-._](x86_64|amd64|aarch64|arm64|ppc64le|ppc64el|ppc64|powerpc64le|s390x|riscv64|loongarch64|loong64)\b"
)
_COMPILER = re.compile(r"\((x86_64|aarch64|powerpc64le|powerpc64|s390x|riscv64|loongarch64)-(?:\w+-)*gcc")
_VERSION = re.compile(r"Linux version (\S{1,200})")
_CONFIG_ARCH = {
    "X86_64": "x86_64", "ARM64": "arm64", "PPC64": "ppc64", "S390": "s390x", "64BIT_RISCV": "riscv64",
    "LOONGARCH": "loongarch",
}  # fmt: skip
_CONFIG = re.compile(r"^CONFIG_(\w+)=(.*)$", re.MULTILINE)
_CPU_KEYS = re.compile(
    r"(?:processor|vendor_id|flags|address sizes|isa|cpu|CPU implementer|features|machine|platform)\s*:", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ProcFacts:
    """What /proc tells by itself; ``levels`` of page tables is 4 or 5 on x86-64, else None."""

    cmdline: str | None = None
    release: str | None = None
    arch: str | None = None
    page_size: int | None = None
    hypervisor: bool | None = None
    levels: int | None = None
    physical_bits: int | None = None


def arch_of_machine(machine: str | None) -> str | None:
    """The kernel's name of an architecture from ``uname -m`` or a distribution's name of it."""
    return _MACHINES.get(machine.strip().lower()) if machine else None


def arch_of_release(text: str) -> str | None:
    """The architecture that a release ("6.1.0-18-arm64") or a version line (its compiler) names, if any."""
    match = _SUFFIX.search(text) or _COMPILER.search(text)
    return _MACHINES.get(match[1]) if match else None


def release_of_version(text: str) -> str | None:
    """``6.1.0-18-amd64`` of a /proc/version or boot log line."""
    match = _VERSION.search(text)
    return match[1] if match else None


def cpuinfo_head(text: str) -> str:
    """The first processor's lines that ``parse_cpuinfo`` reads."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("processor") and any(kept.startswith("processor") for kept in lines):
            break
        if _CPU_KEYS.match(line):
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def parse_cpuinfo(text: str) -> ProcFacts:
    """Architecture, hypervisor flag, page-table levels and physical address bits of a cpuinfo text."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    vendor = fields.get("vendor_id", "")
    flags = fields.get("flags", "").split()
    arch = None
    if "lm" in flags:
        arch = "x86_64"
    elif "cpu implementer" in fields:
        arch = "arm64"
    elif fields.get("isa", "").startswith("rv64"):
        arch = "riscv64"
    elif vendor.startswith("IBM/S390"):
        arch = "s390x"
    elif fields.get("cpu", "").upper().startswith("POWER"):
        arch = "ppc64"
    elif "loongson" in " ".join(fields.values()).lower():
        arch = "loongarch"
    if arch != "x86_64":
        return ProcFacts(arch=arch, page_size=ONE_PAGE_SIZE.get(arch or ""))
    bits = re.match(r"(\d{1,2}) bits physical", fields.get("address sizes", ""))
    return ProcFacts(
        arch=arch,
        page_size=4096,
        hypervisor="hypervisor" in flags,
        levels=5 if "la57" in flags else 4,
        physical_bits=int(bits[1]) if bits else None,
    )


def config_facts(text: str) -> ProcFacts:
    """Architecture and page size of a kernel configuration (``/boot/config-*``, ``/proc/config.gz``)."""
    values = {match[1]: match[2].strip().strip('"') for match in _CONFIG.finditer(text)}
    if values.get("RISCV") == "y" and values.get("64BIT") == "y":
        values["64BIT_RISCV"] = "y"
    arch = next((name for key, name in _CONFIG_ARCH.items() if values.get(key) == "y"), None)
    page_size = None
    shift = values.get("PAGE_SHIFT", "")
    if re.fullmatch(r"\d{2}", shift) and 12 <= int(shift) <= 18:
        page_size = 1 << int(shift)
    for key, value in values.items():
        # CONFIG_ARM64_16K_PAGES, CONFIG_PPC_64K_PAGES, CONFIG_PAGE_SIZE_16KB
        size = re.fullmatch(r"(?:ARM64_|PPC_)(4|16|64|256)K_PAGES|PAGE_SIZE_(4|16|64|256)KB", key)
        if size and value == "y":
            page_size = int(size[1] or size[2]) << 10
    return ProcFacts(arch=arch, page_size=page_size or ONE_PAGE_SIZE.get(arch or ""))


def _config_lines(text: str) -> str:
    wanted = re.compile(
        r"CONFIG_(?:PAGE_SHIFT|64BIT|RISCV|X86_64|ARM64|PPC64|S390|LOONGARCH|(?:ARM64_|PPC_)\d+K_PAGES|PAGE_SIZE_\d+KB)="
    )
    return "".join(f"{line}\n" for line in text.splitlines() if wanted.match(line))


def read_proc(source: Source, page_size: int | None = None) -> ProcFacts:
    """Command line, release, architecture and page size, as far as the files of the source tell them.

    A ``page_size`` already known saves looking for a kernel configuration.
    """
    version = source.read_text("/proc/version", limit=1 << 16)
    release = source.value("/proc/sys/kernel/osrelease") or (release_of_version(version) if version else None)
    if version and version.strip() and release is None:
        source.note("/proc/version", "no kernel release found in it", "line 1")
    cmdline = source.value("/proc/cmdline")
    cpuinfo = source.read_text("/proc/cpuinfo", keep=cpuinfo_head, limit=1 << 20)
    cpu = parse_cpuinfo(cpuinfo) if cpuinfo else ProcFacts()
    config = _config(source, release) if (page_size or cpu.page_size) is None else ProcFacts()
    named = arch_of_release(f"{release or ''} {version or ''}")
    arch = cpu.arch or config.arch or named
    return ProcFacts(
        cmdline,
        release,
        arch,
        cpu.page_size or config.page_size or ONE_PAGE_SIZE.get(arch or ""),
        cpu.hypervisor,
        cpu.levels,
        cpu.physical_bits,
    )


def _config(source: Source, release: str | None) -> ProcFacts:
    if release is not None and "/" not in release:
        text = source.read_text(f"/boot/config-{release}", keep=_config_lines, limit=1 << 22)
        if text is not None:
            return config_facts(text)
    packed = source.read_bytes("/proc/config.gz", limit=1 << 21)
    if packed is None:
        return ProcFacts()
    try:
        plain = zlib.decompressobj(31).decompress(packed, 1 << 22)
    except zlib.error as error:
        source.note("/proc/config.gz", f"cannot be unpacked: {error}")
        return ProcFacts()
    return config_facts(plain.decode("utf-8", "replace"))
