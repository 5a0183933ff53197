"""``ndctl read-infoblock`` and ``write-infoblock``: the 8 KiB at the start of a namespace or a file (ndctl/namespace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.nvdimm.pfn import DAX_SIG, PFN_SIG, NdPfnSb, encode
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.json_features import json_features
from sparsemem.tools.json_out import display_array, no_devices
from sparsemem.tools.libndctl_base import ULLONG_MAX
from sparsemem.tools.ndctl_filter import nsmode
from sparsemem.tools.ndctl_infoblock_json import infoblocks_to_json
from sparsemem.tools.ndctl_params import Run, parse_namespace_options
from sparsemem.tools.ndctl_xaction import do_xaction_namespace
from sparsemem.tools.options import parse_size64
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.tools.daxctl_json import Json
    from sparsemem.tools.files import Files
    from sparsemem.tools.libndctl import Context, Region
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = ["INFOBLOCK_SZ", "cmd_read_infoblock", "cmd_write_infoblock", "pfn_infoblock"]

INFOBLOCK_SZ = 0x2000
ENOENT, EIO, ENXIO, EBUSY, EINVAL = 2, 5, 6, 16, 22
_SUBSECTION, _STRUCT_PAGE = 0x200000, 64


class _Io:
    """Files of the player, and block devices of the tree behind their paths."""

    def __init__(self, run: Run, files: Files) -> None:
        self.run = run
        self.files = files
        self.tree = run.context.tree

    def disk(self, path: str | None) -> str:
        """The name of a block device, "" for a file."""
        name = (path or "").removeprefix("/dev/")
        return name if path and name != path and self.tree.exists(f"/sys/block/{name}") else ""

    def size(self, path: str) -> int | None:
        """fstat() or BLKGETSIZE64; None for what is neither a file nor a block device."""
        if disk := self.disk(path):
            return int(self.tree.read(f"/sys/block/{disk}/size")) * 512
        return None if path == "/dev/null" else len(self._old(path))

    def _old(self, path: str) -> bytes:
        return b"" if self.files.cannot_read(path) else self.files.input(path)

    def create(self, path: str) -> None:
        """open(O_CREAT) without O_TRUNC."""
        if not self.disk(path) and self.files.cannot_read(path):
            self.files.write(path, b"")

    def read(self, path: str | None) -> tuple[bytes, int]:
        """The first 8 KiB and 0, or nothing and the errno of open(O_RDONLY | O_EXCL)."""
        if disk := self.disk(path):
            if self.tree.busy(disk):
                return b"", EBUSY
            try:
                return self.tree.pread(f"/dev/{disk}", 0, INFOBLOCK_SZ), 0
            except SysfsError as refused:
                return b"", refused.number
        problem = self.files.cannot_read(path)
        return (b"", problem) if problem else (self.files.input(path)[:INFOBLOCK_SZ], 0)

    def write(self, path: str, data: bytes) -> int:
        if disk := self.disk(path):
            try:
                self.tree.pwrite(f"/dev/{disk}", 0, data)
            except SysfsError:
                return -EIO
        else:
            self.files.write(path, data + self._old(path)[len(data) :])
        return 0


class _Read:
    """``struct read_infoblock_ctx``."""

    def __init__(self, run: Run, io: _Io) -> None:
        self.run = run
        self.io = io
        self.jblocks: list[Json] | None = None
        self.written = bytearray()

    def out(self, data: bytes) -> None:
        if self.run.text("outfile") is None:
            self.run.console.out_bytes(data)
        self.written += data

    def file(self, path: str | None, ndns: Namespace | None) -> int:
        """``file_read_infoblock``."""
        run, name = self.run, "" if ndns is None else ndns.devname
        data, problem = self.io.read(path)
        path = "<stdin>" if path is None else path
        if problem:
            _verbose(run, f"read-infoblock: {name} failed to open {path}: {strerror(problem)}")
            return -problem
        if len(data) < INFOBLOCK_SZ:  # too short is no error of read(), so what is printed is left over
            _verbose(run, f"read-infoblock: {name} failed to read {path}: {strerror(ENOENT)}")
            return -EIO
        if not run.on("json") and not run.on("human"):
            self.out(data)
            return 0
        found = infoblocks_to_json(data, ndns, path, human=run.on("human"), verify=run.on("verify"), say=_sayer(run))
        self.jblocks = [*(self.jblocks or []), *found]
        return 0

    def display(self) -> None:
        if self.jblocks is None:
            return
        if not self.jblocks and json_features(self.run.context.version).warns_of_nothing:
            no_devices(self.run.console)
        text = display_array(self.jblocks, human=False, version=self.run.context.version)
        self.out(text.encode("utf-8", "surrogateescape"))


def _verbose(run: Run, text: str) -> None:
    if run.on("verbose"):
        run.say(text)


def _sayer(run: Run) -> Callable[[str], None]:
    return lambda text: _verbose(run, text)


def _in_raw_mode(run: Run, command: str, ndns: Namespace, act: Callable[[str, str], int]) -> int:
    """``namespace_rw_infoblock``: ``act(path, uuid)`` while a disabled namespace is enabled as a plain block device."""
    if ndns.is_active():
        _verbose(run, f"{command}: {ndns.devname} enabled, must be disabled")
        return -EBUSY
    ndns.set_raw_mode(1)
    rc = ndns.enable()
    if rc < 0:
        _verbose(run, f"{command}: {ndns.devname} failed to enable")
    elif rc == 0 or command == "read-infoblock":
        rc = act(f"/dev/{ndns.block_device()}", ndns.uuid)
    ndns.set_raw_mode(0)
    ndns.disable_invalidate()
    return rc


def cmd_read_infoblock(context: Context, argv: Sequence[str], files: Files) -> int:
    """Print info blocks as they are, or as JSON."""
    run = Run(context, "read-infoblock")
    name = parse_namespace_options(run, argv)
    read = _Read(run, _Io(run, files))
    rc, count = _read(run, read, name, files)
    if rc < 0:
        run.say(f"error reading infoblock data: {strerror(rc)}")
    run.say(f"read {count} infoblock{'' if count == 1 else 's'}")
    return rc


def _read(run: Run, read: _Read, name: str | None, files: Files) -> tuple[int, int]:
    outfile = run.text("outfile")
    problem = files.cannot_write(outfile)
    if problem:
        run.say(f"failed to open: {outfile}: ({strerror(problem)})")
        return -problem, 0
    if run.text("infile") is not None or name is None:
        rc = read.file(run.text("infile"), None)
        count = int(rc >= 0)
    else:

        def act(_: Region, ndns: Namespace) -> int:
            return _in_raw_mode(run, "read-infoblock", ndns, lambda path, uuid: read.file(path, ndns))

        rc, count = do_xaction_namespace(run, name, act)
    read.display()
    if outfile is not None:
        files.write(outfile, bytes(read.written))
    return rc, count


def cmd_write_infoblock(context: Context, argv: Sequence[str], files: Files) -> int:
    """Write a pfn or dax info block to stdout, a file, or disabled namespaces."""
    run = Run(context, "write-infoblock")
    name = parse_namespace_options(run, argv)
    io = _Io(run, files)
    if name is None:
        if run.text("align") is None:
            run.given["align"] = "2M"
        rc = _file_write(run, io, run.text("outfile"), run.text("parent_uuid"))
        count = int(rc >= 0)
    else:
        rc, count = do_xaction_namespace(run, name, lambda _, ndns: _write_namespace(run, io, ndns))
    if rc < 0:
        run.say(f"error checking infoblocks: {strerror(rc)}")
    run.say(f"wrote {count} infoblock{'' if count == 1 else 's'}")
    return rc


def _write_namespace(run: Run, io: _Io, ndns: Namespace) -> int:
    def act(path: str, uuid: str) -> int:
        given = run.text("align")
        run.given["align"] = given or str(_default_alignment(ndns))
        rc = _check_size(run)
        rc = rc or _file_write(run, io, path, run.text("parent_uuid") or uuid)
        run.given["align"] = given
        return rc

    return _in_raw_mode(run, "write-infoblock", ndns, act)


def _check_size(run: Run) -> int:
    size, align = run.text("size"), run.text("align")
    if size is None:
        return 0
    step = parse_size64(align)
    if json_features(run.context.version).infoblock_align_check and step in (0, ULLONG_MAX):
        run.error(f"invalid alignment:{align}")
        return -EINVAL
    if step < ULLONG_MAX and parse_size64(size) & (step - 1):
        run.error(f"--size={size} not aligned to {align}")
        return -EINVAL
    return 0


def _default_alignment(ndns: Namespace) -> int:
    pfn = {"fsdax": ndns.pfn, "devdax": ndns.dax}.get(ndns.mode, lambda: None)()
    supported = pfn.alignments.supported if pfn is not None else []
    return (supported[1] if len(supported) > 1 else 0) or ndns.context.page_size


def _file_write(run: Run, io: _Io, path: str | None, parent: str | None) -> int:
    """``file_write_infoblock``; without a path to stdout."""
    size = parse_size64(run.text("size"))
    to_stdout = run.on("std_out")
    if not to_stdout:
        assert path is not None
        if problem := 0 if io.disk(path) else io.files.cannot_write(path):
            run.error(f"failed to open: {path}")
            return -problem
        io.create(path)
        if not size:
            found = io.size(path)
            if found is None:
                run.error(f"unsupported file type: {path}")
                return -EINVAL
            size = found
    block, rc = _infoblock(run, size, parent or "")
    if block is None:
        return rc
    if to_stdout:
        run.console.out_bytes(block)
        return 0
    assert path is not None
    return io.write(path, block)


def _infoblock(run: Run, size: int, parent: str) -> tuple[bytes | None, int]:
    uuid = run.text("uuid")
    if uuid is None:
        try:
            uuid = run.context.tree.fresh_uuid()
        except SysfsError:
            raise NotModelledError("a captured machine makes no uuids", remedy="give one with -u") from None
    start = parse_size64(run.text("offset"))
    if json_features(run.context.version).infoblock_offset_check and start == ULLONG_MAX:
        run.err("write_pfn_sb", 1877, f"failed to parse offset option '{run.text('offset')}'")
        return None, -EINVAL
    signature = PFN_SIG if nsmode(run.text("mode")) == "fsdax" else DAX_SIG
    block = pfn_infoblock(
        size,
        signature,
        start=start,
        align=parse_size64(run.text("align")),
        in_pmem=run.text("map") == "dev",
        page_size=run.context.page_size,
        uuids=(uuid.lower(), parent.lower()),
    )
    if block is None:
        run.error("unable to satisfy requested alignment")
        return None, -ENXIO
    return block, 0


def _up(value: int, align: int) -> int:
    return (value + align - 1) & ~(align - 1) & ULLONG_MAX


def pfn_infoblock(
    size: int,
    signature: bytes,
    *,
    start: int,
    align: int,
    in_pmem: bool,
    page_size: int,
    uuids: tuple[str, str],
) -> bytes | None:
    """The 8 KiB that ``write_pfn_sb`` makes: 4 KiB of zeros and an info block of version 1.4 for ``size`` bytes.

    ``start`` is where the namespace is taken to be in memory, ``uuids`` its own and its parent's. None where nothing is left of it.
    """
    step = max(align, _SUBSECTION)
    npfns = ((size - INFOBLOCK_SZ) & ULLONG_MAX) // page_size
    start_pad = (_up(start, step) - start) & ULLONG_MAX
    end_trunc = (start + size & step - 1) & ULLONG_MAX
    reserve = INFOBLOCK_SZ + (_STRUCT_PAGE * npfns if in_pmem else 0)
    offset = (_up(start + reserve & ULLONG_MAX, step) - start) & ULLONG_MAX
    if offset >= size:
        return None
    npfns = ((size - offset - (end_trunc & 0xFFFFFFFF) - (start_pad & 0xFFFFFFFF)) & ULLONG_MAX) // page_size
    sb = NdPfnSb(
        signature, uuids[0], uuids[1], 0, 1, 4, offset, npfns, 2 if in_pmem else 1,
        start_pad & 0xFFFFFFFF, end_trunc & 0xFFFFFFFF, align & 0xFFFFFFFF, page_size, _STRUCT_PAGE,
    )  # fmt: skip
    return bytes(0x1000) + encode(sb)
