"""One kernel: version, architecture, geometry and features in one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sparsemem.spec.features import Features, features
from sparsemem.spec.geometry import Geometry, geometry
from sparsemem.spec.version import KernelVersion

__all__ = ["Config", "Kernel", "kernel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Build options that change behaviour. The defaults are those of distribution kernels with memory hotplug."""

    MEMORY_HOTPLUG_DEFAULT_ONLINE: bool = False


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel to be modelled; ``page_size`` in bytes, ``levels`` of its page tables."""

    version: KernelVersion
    arch: str
    page_size: int
    levels: int
    geometry: Geometry
    features: Features
    config: Config

    def __str__(self) -> str:
        return f"{self.version} {self.arch}"


def kernel(version: str | KernelVersion, arch: str = "x86_64", page_size: int | None = None, levels: int = 4) -> Kernel:
    """The kernel of that version (text as ``KernelVersion.parse`` reads it). Raises UsageError for what does not exist."""
    parsed = version if isinstance(version, KernelVersion) else KernelVersion.parse(version)
    return _kernel(parsed, parsed.text, arch, page_size, levels)


@cache
def _kernel(version: KernelVersion, text: str, arch: str, page_size: int | None, levels: int) -> Kernel:
    numbers = geometry(arch, version, page_size, levels)
    return Kernel(version, arch, numbers.PAGE_SIZE, levels, numbers, features(version, arch), Config())
