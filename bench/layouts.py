"""Machines of 64 TiB to measure on, each with a naive reference: one bool a sub-section, written by slices."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from sparsemem.bulk import EffectiveMap

__all__ = ["NR_SECTIONS", "NR_SUBSECTIONS", "Layout", "half_full", "realistic"]

NR_SECTIONS = 1 << 19  # x86-64, 4 levels: 64 TiB of 128 MiB
NR_SUBSECTIONS = NR_SECTIONS * 64
GIB = 512  # sub-sections


@dataclass
class Layout:
    """``naive``: bool a sub-section, what pfn_valid() must say. ``early``: bool a section. ``maps``: words a
    kernel-like table loads."""

    name: str
    naive: np.ndarray
    early: np.ndarray
    maps: np.ndarray
    map: EffectiveMap


def realistic(seed: int = 1) -> Layout:
    """12 TiB of boot RAM, 24 TiB of hot-plugged RAM in 2 GiB blocks with holes, 16 TiB of pmem in namespaces that
    begin anywhere."""
    rng = random.Random(seed)  # noqa: S311
    boot = [(0, 2 * GIB), (4 * GIB, 6 * 1024 * GIB), (6 * 1024 * GIB + 40, 12 * 1024 * GIB)]
    plugged = [(at, at + 2 * GIB) for at in range(16 * 1024 * GIB, 40 * 1024 * GIB, 2 * GIB) if rng.random() < 0.97]
    devices = []
    at = 44 * 1024 * GIB
    while at < 60 * 1024 * GIB:
        size = rng.choice((8 * GIB, 32 * GIB, 126 * GIB, 512 * GIB)) + rng.randrange(0, 64)
        devices.append((at, at + size))
        at += size + rng.choice((0, 1, 8, 64, 4 * GIB, 32 * GIB))
    naive = np.zeros(NR_SUBSECTIONS, bool)
    early = np.zeros(NR_SECTIONS, bool)
    for start, end in boot:
        early[start // 64 : -(-end // 64)] = True
    for start, end in plugged + devices:
        naive[start:end] = True
    # Early sections are loaded as they boot: only what RAM touches is in the map, yet all of their pfns are valid.
    raw = naive.copy()
    for start, end in boot:
        raw[start:end] = True
    naive.reshape(-1, 64)[early] = True
    m = EffectiveMap(NR_SECTIONS)
    for nr in np.flatnonzero(early).tolist():
        m.set_section(nr, (1 << 64) - 1)
    for start, end in plugged + devices:
        m.fill_range(start, end)
    return Layout("realistic", naive, early, _words(raw), m)


def half_full(seed: int = 2) -> Layout:
    """Every section hot-plugged, half of its sub-sections set at random: the worst case for runs, trees and caches."""
    naive = np.random.default_rng(seed).random(NR_SUBSECTIONS, np.float32) < 0.5
    m = EffectiveMap(NR_SECTIONS)
    words = _words(naive)
    for nr, word in enumerate(words.tolist()):
        m.set_section(nr, word)
    return Layout("half full", naive, np.zeros(NR_SECTIONS, bool), words, m)


def _words(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64)
