"""Versions, geometries and features of Linux kernels: every constant with its commit or header."""

from __future__ import annotations

from sparsemem.spec.features import Features, features, history, known_bugs
from sparsemem.spec.geometry import ARCHES, Geometry, geometry
from sparsemem.spec.kernel import Config, Kernel, kernel
from sparsemem.spec.record import Era, Record
from sparsemem.spec.version import KNOWN_SERIES, LTS_SERIES, KernelVersion

__all__ = [
    "ARCHES",
    "KNOWN_SERIES",
    "LTS_SERIES",
    "Config",
    "Era",
    "Features",
    "Geometry",
    "Kernel",
    "KernelVersion",
    "Record",
    "features",
    "geometry",
    "history",
    "kernel",
    "known_bugs",
]
