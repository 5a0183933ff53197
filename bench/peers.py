"""The peers: C compiled here and now, pyroaring, intervaltree, a dict."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FlatC", "KernelLikeC", "compiler"]

_HERE = Path(__file__).parent
_FOLDER = tempfile.TemporaryDirectory(prefix="sparsemem-bench-")  # removed when the run ends
_OPTIONS = {"kernel_like": ["-O2"], "flat": ["-O3", "-march=native"]}


def compiler() -> str:
    """The compiler's own one-line description."""
    return subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]  # noqa: S607


@cache
def _library(name: str) -> ctypes.CDLL:
    target = Path(_FOLDER.name) / f"{name}.so"
    command = ["gcc", *_OPTIONS[name], "-Wall", "-shared", "-fPIC", "-o", str(target), str(_HERE / "c" / f"{name}.c")]
    subprocess.run(command, check=True)  # noqa: S603
    return ctypes.CDLL(str(target))


def _p(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _u(value: int) -> ctypes.c_uint64:
    return ctypes.c_uint64(value)


class KernelLikeC:
    """The two-level table: a root, a section, its usage."""

    def __init__(self, maps: np.ndarray, early: np.ndarray) -> None:
        self._lib = _library("kernel_like")
        self._lib.table_new.restype = ctypes.c_void_p
        self._table = ctypes.c_void_p(self._lib.table_new(_u(len(maps))))
        maps, early = np.ascontiguousarray(maps), np.ascontiguousarray(early.view(np.uint8))
        self._lib.table_load(self._table, _p(maps), _p(early))

    def pfn_valid(self, pfns: np.ndarray, out: np.ndarray) -> None:
        self._lib.table_pfn_valid(self._table, _p(pfns), _u(pfns.size), _p(out))

    def batch(self, starts: np.ndarray, counts: np.ndarray, adds: np.ndarray, answers: np.ndarray) -> None:
        self._lib.table_batch(self._table, _p(starts), _p(counts), _p(adds), _u(starts.size), _p(answers))

    def close(self) -> None:
        self._lib.table_free(self._table)


class FlatC:
    """One flat bitmap in C, with the derived tables of EffectiveMap."""

    def __init__(self, words: np.ndarray) -> None:
        self._lib = _library("flat")
        self.words = np.ascontiguousarray(words).copy()
        blocks = self.words.size // 64
        make = np.zeros
        self.dirty = make(blocks, np.uint8)
        self.counts, self.row0 = make(blocks, np.uint16), make(blocks * 64, np.uint16)
        self._tables: list[Any] = [self.counts, self.row0, make(blocks, np.uint32), make(blocks // 64, np.uint32)]
        self._tables += [
            make(max(size, 1) + 1, np.uint64) for _ in range(2) for size in (blocks, blocks // 64, blocks // 4096)
        ]

    def pfn_valid(self, pfns: np.ndarray, out: np.ndarray) -> None:
        self._lib.flat_pfn_valid(_p(self.words), _u(self.words.size * 64), _u(9), _p(pfns), _u(pfns.size), _p(out))

    def traffic(self, pfns: np.ndarray, out: np.ndarray) -> None:
        self._lib.flat_traffic(_p(pfns), _u(pfns.size), _p(out))

    def batch(self, starts: np.ndarray, counts: np.ndarray, adds: np.ndarray, answers: np.ndarray) -> None:
        self.dirty[:] = 0
        self._lib.flat_batch(
            _p(self.words), _p(starts), _p(counts), _p(adds), _u(starts.size), _p(answers), _p(self.dirty)
        )

    def derive(self, everything: bool = False) -> None:
        if everything:
            self.dirty[:] = 1
        self._lib.flat_derive(_p(self.words), _u(self.counts.size), _p(self.dirty), *map(_p, self._tables))

    def holes(self, out: np.ndarray) -> int:
        self._lib.flat_holes.restype = ctypes.c_uint64
        return int(self._lib.flat_holes(_p(self.words), _u(self.words.size), _p(out), _u(out.size)))
