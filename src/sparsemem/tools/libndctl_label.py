"""The label area of a DIMM as libndctl reads and writes it: commands with a buffer of the whole area (ndctl/lib/dimm.c).

A command moves the bytes [0, LENGTH) of the area, whatever its offset is: what lies behind OFFSET in the buffer is looked at or
changed, but the kernel is always asked from the start. So ``-O`` reads and writes less than one would think, here as there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.nvdimm.label_bytes import (
    INDEX_ALIGN,
    INDEX_HEADER,
    INDEX_SIGNATURE,
    NsIndex,
    decode_index,
    encode_index,
    nd_label_validate,
    nvdimm_num_label_slots,
    sizeof_namespace_index,
)
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.libndctl_base import number
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Dimm

__all__ = ["LabelCmd", "init_labels", "read_label_extent", "read_label_index", "validate_labels", "zero_label_extent"]

ENXIO, EBUSY, EINVAL, ENOTTY = 6, 16, 22, 25
_CHUNK = 4096
_MAX_XFER = 4076


def command_head(dimm: Dimm, command: str) -> str:
    """How a line of do_cmd() begins."""
    handle = number(dimm.attr("nfit/handle"), -1) & 0xFFFFFFFF
    return f"bus: {dimm.bus.id} dimm: {handle:#x} cmd: {command}"


class LabelCmd:
    """``struct ndctl_cmd`` of a label read, and ``struct nvdimm_data`` that is made from it. ``total_xfer`` bytes are valid from 0."""

    def __init__(self, dimm: Dimm, config_size: int) -> None:
        self.dimm = dimm
        self.config_size = config_size
        self.buf = bytearray(config_size)
        self.init_offset = 0
        self.total_xfer = config_size
        self.label_size = 0

    @property
    def node(self) -> str:
        return f"/dev/{self.dimm.devname}"

    def set_extent(self, length: int, offset: int) -> bool:
        """False where it reaches past the area."""
        if length + offset & 0xFFFFFFFF > self.config_size:
            text = f"read {length} from {offset} exceeds {self.config_size}"
            self.dimm.context.dbg("ndctl_cmd_cfg_read_set_extent", text)
            return False
        self.init_offset, self.total_xfer = offset, length
        return True

    def access(self, length: int, offset: int) -> int:
        """``iter_access``: how much of it is inside, or -EINVAL. ``length`` is unsigned in C."""
        length &= 0xFFFFFFFF
        end = self.init_offset + self.total_xfer
        if offset < self.init_offset or offset > end or length + offset > 0xFFFFFFFF:
            return -EINVAL
        return (self.total_xfer - offset) & 0xFFFFFFFF if length + offset > end else length

    def get_data(self, length: int, offset: int) -> bytes | None:
        """``ndctl_cmd_cfg_read_get_data``."""
        length = self.access(length, offset)
        return None if length < 0 else bytes(self.buf[offset : offset + length])

    def set_data(self, data: bytes, offset: int) -> int:
        """``ndctl_cmd_cfg_write_set_data``."""
        length = self.access(len(data), offset)
        if length >= 0:
            self.buf[offset : offset + length] = data[:length]
        return length

    def read(self) -> int:
        """Submit the read."""
        try:
            data = self.dimm.context.tree.pread(self.node, 0, self.total_xfer)
        except SysfsError as refused:
            self._told("get_data", -refused.number)
            return -refused.number
        self._told("get_data", 0)
        self.buf[: len(data)] = data
        return 0

    def write(self) -> int:
        """Submit a write of the buffer; runs of zeros are a write of their own."""
        tree, at = self.dimm.context.tree, 0
        try:
            while at < self.total_xfer:
                end = self._run(at)
                tree.pwrite(self.node, at, bytes(self.buf[at:end]))
                at = end
        except SysfsError as refused:
            self._told("set_data", -refused.number)
            return -refused.number
        self._told("set_data", 0)
        return 0

    def _told(self, command: str, rc: int) -> None:
        """The line of do_cmd(). QEMU's and Intel's firmware take 4096 bytes with their header at a time."""
        words = "success" if rc == 0 else strerror(rc)
        transfer = f"total: {self.total_xfer} max_xfer: {_MAX_XFER} status: {rc} fw: 0 ({words})"
        self.dimm.context.dbg("do_cmd", f"{command_head(self.dimm, command)} {transfer}")

    def _run(self, start: int) -> int:
        """Where the run of chunks ends that are, or are not, all zero like the first."""
        end, zero = start, None
        while end < self.total_xfer:
            upto = min(end + _CHUNK, self.total_xfer)
            blank = not any(self.buf[end:upto])
            if zero is not None and blank is not zero:
                break
            end, zero = upto, blank
        return end

    def sizeof_namespace_label(self) -> int:
        """As validated; else a guess from the versions that stand at 0 and at 256."""
        if not self.label_size:
            minors = []
            for offset in (0, INDEX_ALIGN):
                data = self.get_data(INDEX_HEADER, offset)
                if data is None:
                    break
                index = decode_index(data.ljust(INDEX_HEADER, b"\0"))
                if index.major == 1:
                    minors.append(index.minor)
            self.label_size = 256 if minors.count(2) > minors.count(1) else 128
        return self.label_size

    def sizeof_namespace_index(self) -> int:
        """0, and a line, when the area is too small."""
        size = sizeof_namespace_index(self.config_size, self.sizeof_namespace_label())
        if not size:
            text = f"label area ({self.config_size}) too small to host ({self.label_size} byte) labels"
            self.dimm.context.err("sizeof_namespace_index", f"{self.dimm.devname}: {text}")
        return size


def _new(dimm: Dimm) -> LabelCmd | None:
    context = dimm.context
    if context.read(f"{dimm.bus.path}/wait_probe") is None and context.tree.live:
        return None
    if not dimm.supports("get_size"):
        context.dbg("ndctl_dimm_cmd_new_cfg_size", "unsupported cmd")
        return None
    try:
        size = context.tree.label_area_size(dimm.devname)
    except SysfsError as refused:
        text = f"status: -1 fw: 0 ({strerror(refused.number)})"
        context.dbg("do_cmd", f"{command_head(dimm, 'get_size')} {text}")
        return None
    context.dbg("do_cmd", f"{command_head(dimm, 'get_size')} status: 0 fw: 0 (success)")
    if not size:
        context.dbg("ndctl_dimm_cmd_new_cfg_read", "invalid cfg_size")
        return None
    if not dimm.supports("get_data"):
        context.dbg("ndctl_dimm_cmd_new_cfg_read", "unsupported cmd")
        return None
    return LabelCmd(dimm, size)


def read_label_index(dimm: Dimm) -> LabelCmd | None:
    """Both index blocks, taken as large as they are for labels of 128 bytes."""
    cmd = _new(dimm)
    if cmd is None:
        return None
    cmd.label_size = 128
    size = cmd.sizeof_namespace_index()
    if not size:
        where = f"{dimm.devname}, {cmd.config_size} bytes"
        raise NotModelledError(
            f"a label area without room for labels ({where})", why="ndctl asks for a transfer of nothing"
        )
    return cmd if cmd.set_extent(size * 2, 0) and not cmd.read() else None


def read_label_extent(dimm: Dimm, length: int, offset: int) -> LabelCmd | None:
    """Some of the area, or all of it for a length of 0."""
    cmd = _new(dimm)
    if cmd is None:
        return None
    return cmd if cmd.set_extent(length or cmd.config_size, offset) and not cmd.read() else None


def zero_label_extent(dimm: Dimm, length: int, offset: int) -> int:
    """0 or a negative errno; the kernel is made to read the labels anew."""
    cmd = read_label_extent(dimm, length, offset)
    if cmd is None:
        return -EINVAL
    if not dimm.supports("set_data"):
        return -ENOTTY
    end = min(cmd.init_offset + cmd.total_xfer, cmd.config_size)
    cmd.buf[cmd.init_offset : end] = bytes(end - cmd.init_offset)
    if (rc := cmd.write()) < 0:
        return rc
    return revalidate_labels(dimm)


def revalidate_labels(dimm: Dimm) -> int:
    """A DIMM that is bound keeps a copy of its labels: unbind it and bind it again."""
    if not dimm.is_enabled:
        return 0
    return dimm.disable() or dimm.enable()


def validate_labels(cmd: LabelCmd) -> int:
    """How many labels there is room for, or -EINVAL where no index block is valid."""
    current, cmd.label_size, problems = nd_label_validate(
        bytes(cmd.buf), labeloff_checked=False, labelsize_checked=False
    )
    for text in problems:
        cmd.dimm.context.dbg("__label_validate", re.sub(r"(mysize|config_size): 0\Z", r"\1: 0", text))
    return -EINVAL if current < 0 else nvdimm_num_label_slots(cmd.config_size, cmd.label_size)


def init_labels(cmd: LabelCmd, label_size: int) -> int:
    """Two fresh index blocks, the second one older. Each is a write of all that was read."""
    for region in cmd.dimm.bus.regions():
        if any(each is cmd.dimm for each in region.dimms()):
            region.refresh_type = True
    for block in (0, 1):
        rc = _write_label_index(cmd, label_size, block, 3 - block)
        if rc < 0:
            return rc
    return nvdimm_num_label_slots(cmd.config_size, label_size)


def _write_label_index(cmd: LabelCmd, label_size: int, number: int, seq: int) -> int:
    cmd.label_size = label_size
    size = cmd.sizeof_namespace_index()
    nslot = nvdimm_num_label_slots(cmd.config_size, label_size)
    at = number * size
    ones = -(-nslot // 64) * 8  # to whole longs: bits behind the last slot are set too, unlike the kernel's
    free = b"\xff" * ones + bytes(cmd.buf[at + INDEX_HEADER + ones : at + size])
    minor = 1 if label_size < 256 else 2
    index = NsIndex(
        INDEX_SIGNATURE, bytes(3), label_size >> 8, seq, at, size, (1 - number) * size, 2 * size, nslot, 1, minor, 0,
        free[: size - INDEX_HEADER],
    )  # fmt: skip
    cmd.buf[at : at + size] = encode_index(index)
    if not cmd.dimm.supports("set_data"):
        return -ENXIO
    return -ENXIO if cmd.write() < 0 else 0
