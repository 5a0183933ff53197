"""The map and the log of one BTT arena, checked as ``ndctl check-namespace`` does (ndctl/check.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.nvdimm.btt_bytes import Arena as ArenaMeta
    from sparsemem.tools.ndctl_check import BttChk

__all__ = ["Arena", "ArenaFault", "LogEntry"]

_INFO = 4096
_PAGE = 4096
_NORMAL, _LBA_MASK = 0xC0000000, 0x3FFFFFFF
_GROUP = struct.Struct("<16I")
_EMPTY_PAGE = bytes(_PAGE)


class ArenaFault(Exception):  # noqa: N818  (a status code of the tool)
    """What is wrong with an arena, in the tool's words. ``quiet``: it says so with --verbose only."""

    def __init__(self, words: str, *, quiet: bool = False) -> None:
        super().__init__(words)
        self.quiet = quiet


class LogEntry(NamedTuple):
    """``struct log_entry``."""

    lba: int
    old_map: int
    new_map: int
    seq: int


def _hex(value: int) -> str:
    return f"{value:#x}" if value else "0"


class Arena:
    """``struct arena_info``. The map is kept by what differs from its initial state, in which block N is where N is."""

    def __init__(self, chk: BttChk, nr: int, meta: ArenaMeta) -> None:
        self.chk = chk
        self.nr = nr
        self.meta = meta
        self.log_index = (0, 1)
        self._changed: dict[int, int] | None = None

    def mappings(self) -> list[tuple[int, int]]:
        """``(length, offset)`` of what the tool maps: info block, data, map, log, the other info block."""
        meta = self.meta
        return [
            (_INFO, meta.infooff),
            (meta.mapoff - meta.dataoff, meta.dataoff),
            (meta.logoff - meta.mapoff, meta.mapoff),
            (meta.info2off - meta.logoff, meta.logoff),
            (_INFO, meta.info2off),
        ]

    def groups(self) -> list[tuple[LogEntry, ...]]:
        """The log, four entries a lane."""
        data = self.chk.pread(self.meta.logoff, self.meta.nfree * _GROUP.size)
        words = (_GROUP.unpack_from(data, at) for at in range(0, len(data) - _GROUP.size + 1, _GROUP.size))
        return [tuple(LogEntry(*group[i : i + 4]) for i in range(0, 16, 4)) for group in words]

    def log_set_indices(self) -> bool:
        """Which two of the four entries of a lane are in use; the others are padding. False: that cannot be told."""
        found: list[int] = []
        initial = True
        for group in self.groups():
            pads = 0
            for j, entry in enumerate(group):
                empty = not any(entry)
                if len(found) == 2:
                    if (j == found[0] and empty) or (j not in found and not empty):
                        return False
                elif empty:
                    pads += 1
                elif j not in found:
                    found.append(j)
            if pads < 3:
                initial = False
        if not initial and len(found) < 2:
            return False
        if initial:
            found = [found[0] if found else -1, 1]
        if found[0] != 0 or found[1] not in (1, 2):
            self.chk.err("log_set_indices", "Found an unknown padding scheme")
            return False
        self.log_index = (found[0], found[1])
        for i in (0, 1):
            self.chk.info("log_set_indices", f"arena[{self.nr}]: log_index_{i} = {found[i]}")
        return True

    def _new(self, group: tuple[LogEntry, ...]) -> LogEntry:
        """``btt_log_read``: the newer of the two."""
        a, b = (group[i] for i in self.log_index)
        if a.seq == 0:
            return b
        older_is_first = b.seq - a.seq == 1 if a.seq < b.seq else a.seq - b.seq != 1
        return b if older_is_first else a

    def changed(self) -> dict[int, int]:
        """Block -> where it is, for all that are not in the initial state."""
        if self._changed is None:
            self._changed = dict(self._entries())
        return self._changed

    def _entries(self) -> Iterator[tuple[int, int]]:
        count = self.meta.external_nlba
        for at in range(0, count * 4, _PAGE):
            data = self.chk.pread(self.meta.mapoff + at, min(_PAGE, count * 4 - at))
            if data == _EMPTY_PAGE[: len(data)]:
                continue
            first = at // 4
            for i, raw in enumerate(struct.unpack_from(f"<{len(data) // 4}I", data)):
                if raw & _NORMAL:
                    yield first + i, raw & _LBA_MASK

    def lookup(self, lba: int) -> int:
        return self.changed().get(lba, lba)

    def _map_write(self, lba: int, mapping: int) -> None:
        if not self.chk.repair:
            text = f"Arena {self.nr}: map[{_hex(lba)}] needs to be updated to {_hex(mapping)}"
            self.chk.err("btt_map_write", text)
            self.chk.repair_msg()
            return
        self.chk.info("btt_map_write", f"Arena {self.nr}: Updating map[{_hex(lba)}] to {_hex(mapping)}")
        self.chk.pwrite(self.meta.mapoff + lba * 4, (mapping | _NORMAL).to_bytes(4, "little"))
        self.changed()[lba] = mapping

    def check(self) -> None:
        """All checks in their order. Raises ArenaFault at the first that fails."""
        self._check_log_entries()
        if any(block >= self.meta.internal_nlba for block in self.changed().values()):
            raise ArenaFault("found a map entry that is out of bounds")
        self._check_log_map()
        self._check_info2()
        self._check_bitmap()
        if self.chk.logfix:
            self._rewrite_log()

    def _check_log_entries(self) -> None:
        groups, (i, j), meta = self.groups(), self.log_index, self.meta
        for group in groups:
            if group[i].seq == group[j].seq:
                raise ArenaFault("found a pair of log entries with the same sequence number")
            if max(group[i].seq, group[j].seq) > 3:
                raise ArenaFault("found a log entry with an out of bounds sequence number")
        for entry in map(self._new, groups):
            if entry.lba >= meta.external_nlba:
                raise ArenaFault("found a log entry with an out of bounds LBA")
            if entry.old_map >= meta.internal_nlba:
                raise ArenaFault("found a log entry with an out of bounds 'old' mapping")
            if entry.new_map >= meta.internal_nlba:
                raise ArenaFault("found a log entry with an out of bounds 'new' mapping")

    def _check_log_map(self) -> None:
        """A log that was written when the map was not: the map follows it."""
        for lane, entry in enumerate(map(self._new, self.groups())):
            mapping = self.lookup(entry.lba)
            if entry.new_map != mapping and entry.old_map == mapping:
                self.chk.info(
                    "btt_check_log_map",
                    f"arena {self.nr}: log[{lane}].new_map ({_hex(entry.new_map)}) doesn't match "
                    f"map[{_hex(entry.lba)}] ({_hex(mapping)})",
                )
                self._map_write(entry.lba, entry.new_map)

    def _check_info2(self) -> None:
        chk, meta = self.chk, self.meta
        data = chk.pread(meta.infooff, _INFO)
        if data == chk.pread(meta.info2off, _INFO):
            return
        if not chk.repair:
            chk.err("btt_copy_to_info2", f"Arena {self.nr}: BTT info2 needs to be restored")
            chk.repair_msg()
            return
        chk.console.out(f"Arena {self.nr}: Restoring BTT info2\n")
        chk.pwrite(meta.info2off, data)

    def _check_bitmap(self) -> None:
        """Every internal block is in the map or in the log, once."""
        here, fault = "btt_check_bitmap", "bitmap error: internal blocks are incorrectly referenced"
        changed, count = self.changed(), self.meta.external_nlba
        twice = self._mapped_twice(changed, count)
        if twice is not None:
            self.chk.info(here, f"arena {self.nr}: internal block {_hex(twice)} is referenced by two map entries")
            raise ArenaFault(fault)
        targets = set(changed.values())
        seen: set[int] = set()
        for entry in map(self._new, self.groups()):
            block = entry.old_map
            if block in targets or block in seen or (block < count and block not in changed):
                self.chk.info(
                    here, f"arena {self.nr}: internal block {_hex(block)} is referenced by two map/log entries"
                )
                raise ArenaFault(fault)
            seen.add(block)
        if count + len(seen) != self.meta.internal_nlba:
            raise ArenaFault(fault)

    @staticmethod
    def _mapped_twice(changed: dict[int, int], count: int) -> int | None:
        """The block at which walking the map meets one for the second time, as the walk finds it."""
        first: dict[int, int] = {}
        best: tuple[int, int] | None = None
        for lba, block in sorted(changed.items()):
            other = first.setdefault(block, lba)
            meets = lba if other != lba else None
            if meets is None and block < count and block not in changed:
                meets = max(lba, block)
            if meets is not None and (best is None or meets < best[0]):
                best = (meets, block)
        return None if best is None else best[1]

    def _rewrite_log(self) -> None:
        self.chk.info("btt_rewrite_log", f"arena {self.nr}: rewriting log")
        new = [self._new(group) for group in self.groups()]
        data = b"".join(_GROUP.pack(each.lba, each.old_map, each.new_map, 1, *(0,) * 12) for each in new)
        self.chk.pwrite(self.meta.logoff, data)
