"""``drivers/cxl/core/hdm.c``: a memory device's bytes are given to its decoder, and decoders are committed and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import (
    PORT_DECODER,
    SZ_256M,
    CxlDecoder,
    decoder_of,
    endpoint_decoder,
    memdev_of,
    put,
)
from sparsemem.kernel.kstrtox import kstrtoull
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.cxl.core import CxlMemdev, CxlRegion
    from sparsemem.kernel.state import State

__all__ = ["cxl_decoder_commit", "cxl_decoder_reset", "dpa_size_store", "init_hdm_decoder", "mode_store"]


def dpa_size_store(state: State, name: str, text: str) -> None:
    """Give the first bytes of the memory device to its decoder; 0 takes them back.

    Raises Refusal: EINVAL (no number; not whole 256 MiB; no mode), EBUSY (in a region, or committed; v6.15+: no mode), ENOSPC (more than
    there is).
    """
    size = kstrtoull(text, "dpa_size_store")
    if size % SZ_256M:
        raise Refusal(22, "dpa_size_store", "cxl-256m")
    decoder = decoder_of(state, name)
    if decoder.dpa:
        _idle(decoder, "cxl_dpa_free")
        decoder = decoder._replace(dpa=0)
        put(state, decoder)
    if not size:
        return
    _idle(decoder, "cxl_dpa_alloc")
    if decoder.mode != "pmem":
        raise Refusal(16 if state.kernel.features.cxl_partitions else 22, "cxl_dpa_alloc", "cxl-capacity")
    if size > memdev_of(state, decoder.memdev).size:
        raise Refusal(28, "cxl_dpa_alloc", "cxl-capacity")
    state.alloc("__cxl_dpa_reserve")
    put(state, decoder._replace(dpa=size))


def _idle(decoder: CxlDecoder, function: str) -> None:
    if decoder.region or decoder.enabled:
        raise Refusal(16, function, "cxl-decoder-busy")


def mode_store(state: State, name: str, text: str) -> None:
    """Say what kind of capacity the decoder is for: the devices have persistent memory only.

    Raises Refusal: EINVAL (neither pmem nor ram; ram, where partitions are known), EBUSY (committed), ENXIO (ram).
    """
    word = text.removesuffix("\n")
    if word not in ("pmem", "ram"):
        raise Refusal(22, "mode_store", "attribute-syntax")
    decoder = decoder_of(state, name)
    if decoder.enabled:
        raise Refusal(16, "cxl_dpa_set_mode", "cxl-decoder-busy")
    if word == "ram":
        raise Refusal(22 if state.kernel.features.cxl_partitions else 6, "cxl_dpa_set_mode", "cxl-capacity")
    put(state, decoder._replace(mode="pmem"))


def _of(state: State, region: CxlRegion) -> list[CxlDecoder]:
    names = [name for name in (PORT_DECODER, *region.targets) if name]
    return [each for each in (decoder_of(state, name) for name in names) if each.region == region.name]


def cxl_decoder_commit(state: State, region: CxlRegion) -> None:
    """Commit the decoders of a region, bottom up: the hardware takes them."""
    for each in _of(state, region):
        put(state, each._replace(enabled=True))
        if each.memdev:
            put(state, memdev_of(state, each.memdev)._replace(stuck=True))


def cxl_decoder_reset(state: State, region: CxlRegion) -> None:
    """Take them back."""
    for each in _of(state, region):
        put(state, each._replace(enabled=False))


def init_hdm_decoder(state: State, memdev: CxlMemdev) -> None:
    """A decoder of a new endpoint port is what its registers say.

    Raises Refusal(ENXIO): they say committed and have no size, as QEMU's device does after a region was on it.
    """
    name = endpoint_decoder(memdev)
    if memdev.stuck:
        port = f"cxl_port endpoint{memdev.endpoint}"
        named = state.kernel.features.cxl_names_failed_decoder
        then = f"Failed to initialize {name}" if named else "Couldn't enumerate decoders (-6)"
        lines = (f"{port}: {name}: Committed with zero size", f"{port}: {then}")
        for level, line in zip(("warn", "err"), lines, strict=True):
            state.log(level, line)
        raise Refusal(6, "init_hdm_decoder", "cxl-decoder-stuck", lines)
    put(state, CxlDecoder(name, memdev=memdev.name))
