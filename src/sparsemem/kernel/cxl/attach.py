"""``drivers/cxl/core/region.c``: endpoint decoders become the targets of a region, and leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import (
    CONFIG_ACTIVE,
    CONFIG_INTERLEAVE_ACTIVE,
    PORT_DECODER,
    CxlDecoder,
    decoder_of,
    endpoint_decoder,
    memdev_of,
    memdevs,
    put,
    region_of,
)
from sparsemem.kernel.cxl.hdm import cxl_decoder_reset
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["cxl_region_detach", "store_targetN"]


def store_targetN(state: State, name: str, text: str, position: int) -> None:  # noqa: N802  (the kernel's name)
    """Make an endpoint decoder, by name, the region's target at a position; nothing takes away what is there.

    Raises Refusal: ENODEV (no such device), EINVAL (no endpoint decoder), and what ``cxl_region_attach`` says.
    """
    word = text.removesuffix("\n")
    if not word:
        region = region_of(state, name)
        if region.targets[position]:
            cxl_region_detach(state, region.targets[position])
        return
    if word not in [endpoint_decoder(each) for each in memdevs(state) if each.endpoint]:
        known = state.misc.get(f"cxl:{word}")
        raise Refusal(22 if known is not None or word == "decoder0.0" else 19, "attach_target", "cxl-unknown")
    try:
        _cxl_region_attach(state, name, word, position)
    except Refusal as refusal:
        if state.kernel.features.cxl_logs_failed_attach:
            endpoint = memdev_of(state, decoder_of(state, word).memdev).endpoint
            state.log(
                "warn", f"cxl_port endpoint{endpoint}: failed to attach {word} to {name}: -{refusal.errno}"
            )  # fmt: skip
        raise


def _refuse(errno: int, rule: str = "cxl-region-config") -> Refusal:
    return Refusal(errno, "cxl_region_attach", rule)


def _cxl_region_attach(state: State, name: str, decoder_name: str, position: int) -> None:
    """Raises Refusal: EINVAL (no mode; all targets there; sizes that do not match), EBUSY (the region or the decoder is in use, or the
    host bridge has no decoder left), ENXIO (no addresses yet; nothing given to the decoder), ENODEV."""
    region, decoder = region_of(state, name), decoder_of(state, decoder_name)
    if decoder.mode != "pmem":
        raise _refuse(19 if state.kernel.features.cxl_partitions else 22, "cxl-capacity")
    if region.state > CONFIG_INTERLEAVE_ACTIVE:
        raise _refuse(16)
    if region.state < CONFIG_INTERLEAVE_ACTIVE:
        raise _refuse(6)
    if region.nr_targets >= region.ways:
        raise _refuse(22)
    if not decoder.dpa:
        raise _refuse(6, "cxl-capacity")
    if decoder.dpa * region.ways != region.size:
        raise _refuse(22)
    if region.targets[position] or decoder_name in region.targets:
        raise _refuse(16)
    bridge = decoder_of(state, PORT_DECODER)
    if decoder.region or bridge.region not in ("", name):
        raise _refuse(16, "cxl-decoder-busy")
    state.alloc("alloc_region_ref")
    put(state, bridge._replace(region=name))
    targets = tuple(decoder_name if index == position else each for index, each in enumerate(region.targets))
    region = region._replace(targets=targets)
    put(
        state,
        decoder._replace(
            region=name,
            start=region.start,
            size=region.size,
            ways=region.ways,
            granularity=region.granularity,
            position=position,
        ),
    )
    if region.nr_targets == region.ways:
        _cxl_port_setup_targets(state, bridge._replace(region=name), targets)
        region = region._replace(state=CONFIG_ACTIVE)
    put(state, region)


def _cxl_port_setup_targets(state: State, bridge: CxlDecoder, targets: tuple[str, ...]) -> None:
    region = region_of(state, bridge.region)
    ports = tuple(memdev_of(state, decoder_of(state, each).memdev).port for each in targets)
    put(
        state,
        bridge._replace(
            start=region.start, size=region.size, ways=len(targets), granularity=region.granularity, targets=ports
        ),
    )


def cxl_region_detach(state: State, decoder_name: str) -> None:
    """An endpoint decoder leaves its region, which is reset and loses its driver.

    The host bridge's decoder keeps the addresses of a region whose last target goes first: the kernel forgets them with it.
    """
    from sparsemem.kernel.cxl.region import device_release_driver  # it detaches, too

    decoder = decoder_of(state, decoder_name)
    if not decoder.region:
        return
    region = region_of(state, decoder.region)
    if region.state > CONFIG_ACTIVE:
        cxl_decoder_reset(state, region)
        region = region._replace(state=CONFIG_ACTIVE)
        decoder = decoder_of(state, decoder_name)
    bridge = decoder_of(state, PORT_DECODER)
    left = tuple("" if each == decoder_name else each for each in region.targets)
    last = not any(left)
    if last:
        bridge = bridge._replace(region="")
    if region.state == CONFIG_ACTIVE:
        region = region._replace(state=CONFIG_INTERLEAVE_ACTIVE)
        if not last:
            bridge = bridge._replace(start=0, size=0)
    put(state, bridge)
    put(state, region._replace(targets=left))
    put(state, decoder._replace(region="", start=0, size=0))
    device_release_driver(state, region.name)
