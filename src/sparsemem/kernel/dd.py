"""``drivers/base/dd.c`` and ``bus.c``: what the driver core says of a probe that failed, and what writing to ``bind`` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

__all__ = ["bind", "probe_failed"]

_NO_MATCH = (6, 19)  # -ENXIO and -ENODEV only say that the driver does not want the device


def probe_failed(state: State, driver: str, name: str, errno: int) -> None:
    """Log that a driver's probe of a device failed; a rejected match is no news."""
    if errno in _NO_MATCH:
        return
    if state.kernel.features.probe_failure_names_device:
        state.log("err", f"{driver} {name}: probe with driver {driver} failed with error -{errno}")
    else:
        state.log("warn", f"{driver}: probe of {name} failed with error -{errno}")


def bind(state: State, *, bound: bool, matches: bool, probe: Callable[[], None]) -> None:
    """``bind_store``: give a device to a driver that takes it.

    Raises Refusal: ENODEV (no such device, not for this driver; up to v5.13 also where it is bound or the probe fails), EBUSY
    (bound already), and what the probe says.
    """
    if not matches:
        raise Refusal(19, "bind_store", "driver-match")
    reports = state.kernel.features.bind_returns_probe_error
    if bound:
        raise Refusal(16 if reports else 19, "bind_store", "driver-match")
    try:
        probe()
    except Refusal as refusal:
        if reports or refusal.crash:
            raise
        raise Refusal(19, "bind_store", refusal.rule, refusal.log) from refusal
