"""``struct resource`` as an immutable value, and the flags and descriptors of include/linux/ioport.h.

Addresses are bytes; ``end`` is inclusive, as in the kernel. A tree is its root: a ``Resource`` whose ``children`` are
sorted by
``start``. There are no parent pointers, so two trees that look the same are the same value, and an old root stays
valid for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "IORESOURCE_BUSY",
    "IORESOURCE_EXCLUSIVE",
    "IORESOURCE_EXT_TYPE_BITS",
    "IORESOURCE_IO",
    "IORESOURCE_MEM",
    "IORESOURCE_MEM_DRIVER_MANAGED",
    "IORESOURCE_MUXED",
    "IORESOURCE_PREFETCH",
    "IORESOURCE_READONLY",
    "IORESOURCE_SYSRAM",
    "IORESOURCE_SYSRAM_DRIVER_MANAGED",
    "IORESOURCE_SYSRAM_MERGEABLE",
    "IORESOURCE_SYSTEM_RAM",
    "IORESOURCE_TYPE_BITS",
    "IORESOURCE_WINDOW",
    "IORES_DESC_ACPI_NV_STORAGE",
    "IORES_DESC_ACPI_TABLES",
    "IORES_DESC_CRASH_KERNEL",
    "IORES_DESC_CXL",
    "IORES_DESC_DEVICE_PRIVATE_MEMORY",
    "IORES_DESC_NONE",
    "IORES_DESC_PERSISTENT_MEMORY",
    "IORES_DESC_PERSISTENT_MEMORY_LEGACY",
    "IORES_DESC_RESERVED",
    "IORES_DESC_SOFT_RESERVED",
    "RESOURCE_SIZE_MAX",
    "Resource",
    "resource_contains",
    "resource_overlaps",
    "resource_size",
]

IORESOURCE_TYPE_BITS = 0x00001F00
IORESOURCE_IO = 0x00000100
IORESOURCE_MEM = 0x00000200
IORESOURCE_PREFETCH = 0x00002000
IORESOURCE_READONLY = 0x00004000
IORESOURCE_WINDOW = 0x00200000
IORESOURCE_MUXED = 0x00400000
IORESOURCE_EXT_TYPE_BITS = 0x01000000
IORESOURCE_SYSRAM = 0x01000000
IORESOURCE_SYSRAM_DRIVER_MANAGED = 0x02000000
IORESOURCE_MEM_DRIVER_MANAGED = IORESOURCE_SYSRAM_DRIVER_MANAGED
"""The name up to v5.10; the value never changed.

Linux kernel commit 7cf603d17d22 ("kernel/resource: move and rename IORESOURCE_MEM_DRIVER_MANAGED") (in v5.10)."""
IORESOURCE_SYSRAM_MERGEABLE = 0x04000000
IORESOURCE_EXCLUSIVE = 0x08000000
IORESOURCE_BUSY = 0x80000000
IORESOURCE_SYSTEM_RAM = IORESOURCE_MEM | IORESOURCE_SYSRAM

IORES_DESC_NONE = 0
IORES_DESC_CRASH_KERNEL = 1
IORES_DESC_ACPI_TABLES = 2
IORES_DESC_ACPI_NV_STORAGE = 3
IORES_DESC_PERSISTENT_MEMORY = 4
IORES_DESC_PERSISTENT_MEMORY_LEGACY = 5
IORES_DESC_DEVICE_PRIVATE_MEMORY = 6
IORES_DESC_RESERVED = 7
IORES_DESC_SOFT_RESERVED = 8
IORES_DESC_CXL = 9

RESOURCE_SIZE_MAX = (1 << 64) - 1


class Resource:
    """One node of a resource tree with everything below it: immutable, hashable, equal by value.

    ``start`` and ``end`` (inclusive) are bytes. ``name`` is None where the kernel holds no name (printed as
    ``<BAD>``). Children are sorted by ``start`` and are not checked here: a tree read from a damaged file may be as
    odd as the file.
    """

    __slots__ = ("_hash", "children", "desc", "end", "flags", "name", "start")

    start: int
    end: int
    name: str | None
    flags: int
    desc: int
    children: tuple[Resource, ...]
    _hash: int | None

    def __init__(
        self,
        start: int,
        end: int,
        name: str | None = None,
        flags: int = IORESOURCE_MEM,
        desc: int = IORES_DESC_NONE,
        children: tuple[Resource, ...] = (),
    ) -> None:
        _set_start(self, start)
        _set_end(self, end)
        _set_name(self, name)
        _set_flags(self, flags)
        _set_desc(self, desc)
        _set_children(self, children)
        _set_hash(self, None)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Resource is immutable; use replace({name}=...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Resource is immutable")

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start + 1

    def replace(self, **changes: Any) -> Resource:
        """A copy with some fields changed."""
        values = {field: getattr(self, field) for field in _FIELDS}
        values.update(changes)
        return Resource(**values)

    def with_children(self, children: tuple[Resource, ...]) -> Resource:
        """A copy with other children; what path copying does at every level."""
        return Resource(self.start, self.end, self.name, self.flags, self.desc, children)

    def same_node(self, other: Resource) -> bool:
        """Equal but for the children: the same entry, perhaps before or after something happened below it."""
        return (
            self.start == other.start
            and self.end == other.end
            and self.name == other.name
            and self.flags == other.flags
            and self.desc == other.desc
        )

    def walk(self) -> Iterator[tuple[int, Resource]]:
        """``(depth, resource)`` of all below, in the order of ``/proc/iomem``; depth 0 is a child of this one."""
        stack = [(0, child) for child in reversed(self.children)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            if node.children:
                stack.extend((depth + 1, child) for child in reversed(node.children))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Resource):
            return NotImplemented
        if self._hash is not None and other._hash is not None and self._hash != other._hash:
            return False
        return self.same_node(other) and self.children == other.children

    def __hash__(self) -> int:
        value = self._hash
        if value is None:
            value = hash((self.start, self.end, self.name, self.flags, self.desc, self.children))
            _set_hash(self, value)
        return value

    def __reduce__(self) -> tuple[type[Resource], tuple[Any, ...]]:
        return Resource, tuple(getattr(self, field) for field in _FIELDS)

    def __repr__(self) -> str:
        below = f", {len(self.children)} children" if self.children else ""
        return f"Resource({self.start:#x}-{self.end:#x}, {self.name!r}, flags={self.flags:#x}, desc={self.desc}{below})"


_FIELDS = ("start", "end", "name", "flags", "desc", "children")


def _setter(slot: str) -> Callable[[Resource, Any], None]:
    setter: Callable[[Resource, Any], None] = Resource.__dict__[slot].__set__
    return setter


_set_start, _set_end, _set_name = _setter("start"), _setter("end"), _setter("name")
_set_flags, _set_desc, _set_children = _setter("flags"), _setter("desc"), _setter("children")
_set_hash = _setter("_hash")


def resource_size(res: Resource) -> int:
    """Bytes of a resource."""
    return res.end - res.start + 1


def resource_contains(r1: Resource, r2: Resource) -> bool:
    """True when ``r1`` fully contains ``r2``."""
    return r1.start <= r2.start and r1.end >= r2.end


def resource_overlaps(r1: Resource, r2: Resource) -> bool:
    """True when the two share at least one byte."""
    return r1.start <= r2.end and r1.end >= r2.start
