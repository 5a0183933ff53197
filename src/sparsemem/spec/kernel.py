"""One kernel: version, architecture, geometry, features and build options in one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from sparsemem.spec.features import Features, features
from sparsemem.spec.geometry import Geometry, geometry
from sparsemem.spec.version import KernelVersion

__all__ = ["Config", "Kernel", "kernel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Build options that change behaviour, as Debian's cloud kernels (amd64) have them.

    ``default_online_type`` is what hot-added memory becomes without a policy of the administrator: offline in Debian's
    5.10 and 6.1, online from 6.5 on. Other distributions choose for themselves; a machine tells in
    ``auto_online_blocks``.
    """

    default_online_type: str
    MHP_MEMMAP_ON_MEMORY: bool
    PAGE_EXTENSION: bool = False
    ZONE_DMA: bool = True
    ZONE_DEVICE: bool = True
    SPARSEMEM_VMEMMAP: bool = True
    RANDOMIZE_MEMORY_PHYSICAL_PADDING: int = 10
    """TiB that KASLR leaves free after RAM in the direct map."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel to be modelled; ``page_size`` in bytes, ``levels`` of its page tables.

    The rest follows from these, so they alone are compared and hashed.
    """

    version: KernelVersion
    arch: str
    page_size: int
    levels: int
    geometry: Geometry = field(compare=False)
    features: Features = field(compare=False)
    config: Config = field(compare=False)

    @property
    def caveat(self) -> str | None:
        """A sentence about what the version does not tell, or None."""
        return self.version.caveat

    def __str__(self) -> str:
        return f"{self.version} {self.arch}"


def kernel(version: str | KernelVersion, arch: str = "x86_64", page_size: int | None = None, levels: int = 4) -> Kernel:
    """The kernel of that version; text is read by ``KernelVersion.parse``. Raises UsageError for what there is not."""
    parsed = version if isinstance(version, KernelVersion) else KernelVersion.parse(version)
    return _kernel(parsed, parsed.text, arch, page_size, levels)


@cache
def _kernel(version: KernelVersion, text: str, arch: str, page_size: int | None, levels: int) -> Kernel:
    del text  # equal versions of different texts keep their own caveats
    numbers = geometry(arch, version, page_size, levels)
    known = features(version, arch)
    config = Config(
        default_online_type="online" if known.online_by_default else "offline",
        MHP_MEMMAP_ON_MEMORY=known.memmap_on_memory,
    )
    return Kernel(version, arch, numbers.PAGE_SIZE, levels, numbers, known, config)
