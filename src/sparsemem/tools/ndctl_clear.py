"""``ndctl clear-errors`` (ndctl/namespace.c): a namespace without bad blocks has nothing to clear, and is enabled anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.json_out import pretty
from sparsemem.tools.libndctl_base import ENXIO, ULLONG_MAX
from sparsemem.tools.ndctl_json import namespace_to_json
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Region
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.ndctl_params import Run

__all__ = ["ClearErrors"]


class ClearErrors:
    """One run: a scrub is asked for once a bus."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.scrubbed: set[str] = set()

    def _wait_scrub(self, region: Region, name: str) -> int:
        bus, run = region.bus, self.run
        active = bus.scrub_state()
        if active < 0:
            run.error(f"{name}: Unable to determine scrub state: {strerror(active)}")
            return active
        if run.on("scrub") and bus.devname not in self.scrubbed and not active:
            rc = bus.start_scrub()
            if rc:
                run.error(f"{name}: Unable to start scrub: {strerror(rc)}")
                return rc
        rc = bus.wait_for_scrub_completion()
        if rc:
            run.error(f"{name}: Error waiting for scrub: {strerror(rc)}")
        return rc

    def namespace_clear_bb(self, region: Region, ndns: Namespace) -> int:
        """1 for a btt, which is passed over; 0, or a negative errno."""
        run, btt = self.run, ndns.btt()
        if btt is not None:
            run.debug("namespace_clear_bb", 1528, f"{btt.devname}: skip error clearing for btt")
            return 1
        rc = self._wait_scrub(region, ndns.devname)
        self.scrubbed.add(region.bus.devname)
        if rc:
            return rc
        device = ndns.dax() or ndns.pfn() or ndns
        begin, size = device.resource, device.size
        if ULLONG_MAX in (begin, size):
            return -ENXIO
        rc = ndns.disable_safe()
        if rc:
            run.error(f"{device.devname}: unable to disable namespace: {strerror(rc)}")
            return rc
        rc = self._clear(region, ndns, device.devname)
        if rc:
            return rc
        found = namespace_to_json(ndns, frozenset({"media_errors"}))
        if found is not None:
            run.console.out(pretty(found, run.context.version) + "\n")
        return 0

    def _clear(self, region: Region, ndns: Namespace, name: str) -> int:
        if region.resource() == ULLONG_MAX:
            if ndns.enable() < 0:
                self.run.error(f"{name}: failed to reenable namespace")
            return -ENXIO
        if (region.now("badblocks") or "").strip():
            raise NotModelledError(
                f"clearing the bad blocks of {region.devname} is not modelled", why="it takes commands of the firmware"
            )
        self.run.debug("nstype_clear_badblocks", 1402, f"{name}: cleared 0 badblocks")
        return min(ndns.enable(), 0)
