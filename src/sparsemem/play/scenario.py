"""The scenario file: TOML with ``kernel``, ``steps`` and a ``[machine]`` table. docs/scenarios.md describes it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsemem.errors import InputError, SparsememError, UnreadableError, UsageError
from sparsemem.machine.cxl_board import DEFAULT_WINDOW, CxlDevice
from sparsemem.play.cxl import parse_cxl, parse_window
from sparsemem.play.shell import Script, parse_step
from sparsemem.units import parse_size

__all__ = [
    "UTIL_LINUX",
    "DimmTable",
    "MachineTable",
    "PmemTable",
    "Scenario",
    "VirtioMemTable",
    "load_scenario",
    "parse_ndctl_version",
    "parse_scenario",
]

_TOP = {"arch", "kernel", "machine", "ndctl", "steps", "title", "util_linux"}
_MACHINE = {
    "memory", "nodes", "cmdline", "pmem", "slots", "maxmem", "dimms", "virtio_mem", "sysroot", "iomem", "layout",
}  # fmt: skip
_MACHINE |= {"cxl", "cxl_window", "hypervisor"}
_PMEM = {"size", "labels", "node"}
_DIMM = {"size", "node"}
_VIRTIO_MEM = {"size", "requested", "block_size", "node"}
UTIL_LINUX = ("2.38", "2.39", "2.40", "2.41", "2.42")
"""Releases whose chmem is modelled."""
_KINDS = ("memory", "sysroot", "iomem", "layout")
_MAX_SIZE = 1 << 22
_MAX_NODES = 128
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class PmemTable:
    """An NVDIMM: ``size`` in bytes without its label area; ``labels``: it has a label area, ``blank`` or initialised; its ``node``;
    ``addr`` (0: where QEMU puts it)."""

    size: int
    labels: bool
    blank: bool = False
    node: int = 0
    addr: int = 0


@dataclass(frozen=True, slots=True)
class DimmTable:
    """A DIMM of the command line: bytes, its node, and ``addr`` (0: where QEMU puts it)."""

    size: int
    node: int = 0
    addr: int = 0


@dataclass(frozen=True, slots=True)
class VirtioMemTable:
    """A virtio-mem device, in bytes: ``size`` of its region, ``requested`` of it at the start. ``block_size`` None: QEMU's default."""

    size: int
    requested: int = 0
    block_size: int | None = None
    node: int = 0


@dataclass(frozen=True, slots=True)
class MachineTable:
    """``[machine]``: a QEMU q35 machine (``memory`` and what goes with it), or one of ``sysroot``, ``iomem``, ``layout``.

    ``nodes``: bytes of each node, in order (empty: nothing was said, all is node 0); ``memory`` is their sum.
    ``hypervisor``: the CPU says that it is a guest's.
    """

    kind: str
    source: str
    memory: int = 0
    cmdline: str = ""
    pmem: tuple[PmemTable, ...] = ()
    slots: int = 8
    maxmem: int = 16 << 30
    dimms: tuple[DimmTable, ...] = ()
    nodes: tuple[int, ...] = ()
    virtio_mem: tuple[VirtioMemTable, ...] = ()
    cxl: tuple[CxlDevice, ...] = ()
    cxl_window: int = DEFAULT_WINDOW
    hypervisor: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, read and checked. ``steps`` pairs each text with what it was understood as."""

    name: str
    kernel: str | None
    arch: str | None
    machine: MachineTable
    steps: tuple[tuple[str, Script], ...]
    directory: Path | None = None
    ndctl: tuple[int, ...] = (76,)
    util_linux: tuple[int, ...] = (2, 38)


def load_scenario(path: str) -> Scenario:
    """Read a scenario file. Raises UnreadableError, InputError, NotModelledError."""
    file = Path(path)
    try:
        if file.stat().st_size > _MAX_SIZE:
            raise InputError("larger than 4 MiB: not a scenario", where=path)
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=path, remedy="give a scenario in TOML") from None
    except OSError as error:
        raise UnreadableError(f"cannot read it: {error.strerror}", where=path) from None
    return parse_scenario(text, name=path, directory=file.parent)


def parse_scenario(text: str, name: str = "scenario", directory: Path | None = None) -> Scenario:
    """Check a scenario's text. Raises InputError with the place, or NotModelledError for a command that is not implemented."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("not valid TOML", where=name, why=str(error) or "too deeply nested") from None
    _known(table, _TOP, name)
    if "machine" not in table or not isinstance(table["machine"], dict):
        raise InputError(
            "no [machine] table", where=name, remedy='add [machine] with memory = "512M", or layout = "..."'
        )
    steps = _typed(table, "steps", list, [], name)
    if not all(isinstance(step, str) for step in steps):
        raise InputError("steps must be a list of strings", where=name)
    parsed = []
    for index, step in enumerate(steps, 1):
        try:
            parsed.append((step, parse_step(step)))
        except SparsememError as error:
            raise type(error)(
                error.what, where=f"{name}: step {index}: {step}", why=error.why, remedy=error.remedy
            ) from None
    kernel, arch = _typed(table, "kernel", str, None, name), _typed(table, "arch", str, None, name)
    release = _typed(table, "ndctl", str, "76", name)
    try:
        ndctl = parse_ndctl_version(release)
    except SparsememError as error:
        raise InputError(f"ndctl: {error.what}", where=name, remedy=error.remedy) from None
    util_linux = _util_linux(_typed(table, "util_linux", str, "2.38", name), name)
    return Scenario(name, kernel, arch, _machine(table["machine"], name), tuple(parsed), directory, ndctl, util_linux)


def _util_linux(text: str, where: str) -> tuple[int, ...]:
    """A release of util-linux as numbers. Raises InputError for one that is not modelled."""
    if text not in UTIL_LINUX:
        raise InputError(
            f"util_linux: {text!r} is not modelled", where=where, remedy="known are " + ", ".join(UTIL_LINUX)
        )
    return tuple(map(int, text.split(".")))


def parse_ndctl_version(text: str) -> tuple[int, ...]:
    """``"76"`` or ``"76.1"`` -> its numbers. Raises UsageError."""
    if not re.fullmatch(r"v?\d{1,3}(\.\d{1,3})?", text):
        raise UsageError(f"{text!r} is not a release of ndctl", remedy='write "76" or "76.1"')
    return tuple(int(part) for part in text.removeprefix("v").split("."))


def _known(table: dict[str, Any], allowed: set[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise InputError(f"unknown key {key!r}", where=where, remedy="known are " + ", ".join(sorted(allowed)))


def _typed(table: dict[str, Any], key: str, kind: type, default: Any, where: str) -> Any:
    value = table.get(key, default)
    if value is not default and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        names = {str: "a string", list: "a list", int: "a whole number", bool: "true or false"}
        raise InputError(f"{key} must be {names[kind]}", where=where)
    return value


def _size(value: Any, key: str, where: str, least: int = 1) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str):
        try:
            size = parse_size(value)
        except SparsememError as error:
            raise InputError(f"{key}: {error.what}", where=where, remedy=error.remedy) from None
    else:
        raise InputError(f"{key} must be a size", where=where, remedy='write "512M"')
    if not least <= size < 1 << 52:
        raise InputError(f"{key} = {value!r} is not a size that a machine can have", where=where)
    return size


def _machine(table: dict[str, Any], name: str) -> MachineTable:
    where = f"{name}: [machine]"
    _known(table, _MACHINE, where)
    nodes = _nodes(table, where)
    if nodes and "memory" not in table:
        table = {**table, "memory": sum(nodes)}
    kinds = [kind for kind in _KINDS if kind in table]
    if len(kinds) != 1:
        raise InputError(
            "it must say what machine, once", where=where, why=f"found {', '.join(kinds) or 'none'}",
            remedy="give one of " + ", ".join(_KINDS),
        )  # fmt: skip
    kind = kinds[0]
    if kind != "memory":
        for key in set(table) - {kind}:
            raise InputError(f"{key} goes with memory, not with {kind}", where=where)
        return MachineTable(kind, _typed(table, kind, str, "", where))
    pmem = []
    for index, entry in enumerate(_typed(table, "pmem", list, [], where), 1):
        place = f"{where} pmem {index}"
        if not isinstance(entry, dict) or "size" not in entry:
            raise InputError('it must be a table with a size: { size = "64M", labels = true }', where=place)
        _known(entry, _PMEM, place)
        blank = entry.get("labels") == "blank"
        labels = blank or _typed(entry, "labels", bool, False, place)
        pmem.append(PmemTable(_size(entry["size"], "size", place), labels, blank, _node(entry, nodes, place)))
    slots = _typed(table, "slots", int, 8, where)
    if not 0 <= slots <= 256:
        raise InputError(f"slots = {slots}: QEMU takes 0 to 256", where=where)
    maxmem = _size(table["maxmem"], "maxmem", where) if "maxmem" in table else 16 << 30
    memory = _size(table["memory"], "memory", where)
    cmdline = _typed(table, "cmdline", str, "", where)
    dimms = tuple(_dimm(entry, nodes, where) for entry in _typed(table, "dimms", list, [], where))
    if nodes and memory != sum(nodes):
        raise InputError(
            f"memory = {memory} is not the sum of its nodes, {sum(nodes)}", where=where, remedy="leave memory out"
        )
    virtio_mem = _virtio_mem(table, nodes, where)
    cxl = parse_cxl(_typed(table, "cxl", list, [], where), where, _size)
    window = parse_window(table, where, _size)
    hypervisor = _typed(table, "hypervisor", bool, True, where)
    return MachineTable(
        kind, "", memory, cmdline, tuple(pmem), slots, maxmem, dimms, nodes, virtio_mem, cxl=cxl, cxl_window=window,
        hypervisor=hypervisor,
    )  # fmt: skip


def _nodes(table: dict[str, Any], where: str) -> tuple[int, ...]:
    """Bytes of each node: whole MiB, the first one's more than nothing (it has the CPUs)."""
    sizes = []
    for index, value in enumerate(_typed(table, "nodes", list, [], where)):
        size = 0 if value in (0, "0") and value is not False else _size(value, "nodes", where)
        if size % _MIB or not (size or index):
            raise InputError(
                f"node {index} of {value!r}: a node has whole MiB, and node 0 at least one", where=where,
                remedy='write nodes = ["256M", "256M", 0]; 0 is a node without memory of its own',
            )  # fmt: skip
        sizes.append(size)
    if len(sizes) > _MAX_NODES:
        raise InputError(f"{len(sizes)} nodes: QEMU takes {_MAX_NODES}", where=where)
    return tuple(sizes)


def _node(entry: dict[str, Any], nodes: tuple[int, ...], where: str) -> int:
    node: int = _typed(entry, "node", int, 0, where)
    if not 0 <= node < max(len(nodes), 1):
        raise InputError(
            f"node = {node}: the machine has {max(len(nodes), 1)}", where=where, remedy='add nodes = ["256M", "256M"]'
        )
    return node


def _dimm(entry: Any, nodes: tuple[int, ...], where: str) -> DimmTable:
    """A size, or a table with a size and a node."""
    if not isinstance(entry, dict):
        return DimmTable(_size(entry, "dimms", where))
    _known(entry, _DIMM, f"{where} dimms")
    return DimmTable(_size(entry.get("size"), "dimms", where), _node(entry, nodes, f"{where} dimms"))


def _virtio_mem(table: dict[str, Any], nodes: tuple[int, ...], where: str) -> tuple[VirtioMemTable, ...]:
    found = []
    for index, entry in enumerate(_typed(table, "virtio_mem", list, [], where), 1):
        place = f"{where} virtio_mem {index}"
        if not isinstance(entry, dict) or "size" not in entry:
            raise InputError('it must be a table with a size: { size = "1G", requested = "256M" }', where=place)
        _known(entry, _VIRTIO_MEM, place)
        wanted = _size(entry.get("requested", 0), "requested", place, 0)
        block = _size(entry["block_size"], "block_size", place) if "block_size" in entry else None
        node = _node(entry, nodes, place)
        found.append(VirtioMemTable(_size(entry["size"], "size", place), wanted, block, node))
    return tuple(found)
