"""The section table against a naive model: a set of sub-section numbers, and the rules in their plainest words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.kernel.mmzone import first_valid_pfn, next_valid_pfn, pfn_valid
from sparsemem.machine.notation import parse_machine
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.machine import Machine

SUB, PER = 2 << 20, 64
FIRST = (4 << 30) // SUB
#: RAM covers the first 96 sub-sections (a section and a half), the window is four sections.
RAM, WINDOW = 96, 256


class Sections(RuleBasedStateMachine):
    """Device ranges come and go beside RAM, on a kernel with sub-sections."""

    machine: Machine

    @initialize(version=st.sampled_from(["5.3", "5.8", "5.10", "5.12", "6.1", "7.2"]))
    def boot(self, version: str) -> None:
        self.machine = parse_machine(f"{version}; 1000-9fbff ram, 1M-512M ram, 4G+192M ram, 4288M+320M pmem")
        self.active = set(range(RAM))
        self.devices: set[tuple[int, int]] = set()
        self.lost: set[int] = set()

    def _operation(self, name: str, start: int, end: int) -> Operation:
        return Operation(name, (Range((FIRST + start) * SUB, (FIRST + end) * SUB),))

    def _chunks(self, start: int, end: int) -> Iterator[set[int]]:
        """The range section by section."""
        while start < end:
            stop = min(end, (start // PER + 1) * PER)
            yield set(range(start, stop))
            start = stop

    def _add(self, start: int, end: int) -> None:
        for chunk in self._chunks(start, end):
            if chunk & self.active:
                return
            self.active |= chunk

    def _remove(self, start: int, end: int) -> None:
        for chunk in self._chunks(start, end):
            if chunk <= self.active:
                self.active -= chunk

    def _found(self) -> list[set[int]]:
        return [set(range(*device)) - self.lost for device in self.devices]

    @rule(start=st.integers(0, WINDOW - 1), size=st.integers(1, 80))
    def map_device(self, start: int, size: int) -> None:
        end = min(start + size, WINDOW)
        wanted = set(range(start, end))
        answer = self.machine.apply(self._operation("memremap_pages", start, end))
        if any(start in device or end - 1 in device for device in self._found()):
            assert answer.errno == 12
        elif min(wanted) < RAM:
            assert answer.errno == 6
        elif wanted & self.active:
            assert answer.errno == 17
            self._add(start, end)
            # The lookup of whatever was there has been overwritten and erased.
            self.lost |= wanted
        else:
            assert answer.refusal is None
            self.devices.add((start, end))
            self._add(start, end)
            self.lost -= wanted

    @rule(data=st.data())
    def unmap_device(self, data: st.DataObject) -> None:
        if self.devices:
            start, end = data.draw(st.sampled_from(sorted(self.devices)))
            assert self.machine.apply(self._operation("memunmap_pages", start, end)).refusal is None
            self.devices.discard((start, end))
            self._remove(start, end)
            self.lost |= {sub for sub in range(start, end) if any(a <= sub < b for a, b in self.devices)}

    @rule(start=st.integers(RAM, WINDOW - 1), size=st.integers(1, 80))
    def add_bare(self, start: int, size: int) -> None:
        end = min(start + size, WINDOW)
        answer = self.machine.apply(self._operation("arch_add_memory", start, end))
        assert answer.errno == (17 if set(range(start, end)) & self.active else 0)
        self._add(start, end)

    @rule(start=st.integers(RAM, WINDOW - 1), size=st.integers(1, 80))
    def remove_bare(self, start: int, size: int) -> None:
        end = min(start + size, WINDOW)
        assert self.machine.apply(self._operation("arch_remove_memory", start, end)).refusal is None
        self._remove(start, end)

    @invariant()
    def the_map_is_the_set(self) -> None:
        if not hasattr(self, "machine"):
            return
        active, state = self.active, self.machine.state
        for nr in range(WINDOW // PER):
            ms = state.sections.get(FIRST // PER + nr)
            expected = sum(1 << i for i in range(PER) if nr * PER + i in active)
            assert (ms.usage.subsection_map if ms is not None and ms.usage else 0) == expected

    @invariant()
    def pfn_valid_is_the_rule(self) -> None:
        if not hasattr(self, "machine"):
            return
        for sub in range(0, WINDOW, 5):
            expected = sub in self.active or sub // PER in (0, 1)
            assert pfn_valid(self.machine.state, (FIRST + sub) * 512) is expected
            assert pfn_valid(self.machine.state, (FIRST + sub) * 512 + 511) is expected

    @invariant()
    def walks_agree_with_pfn_valid(self) -> None:
        if not hasattr(self, "machine"):
            return
        state, end = self.machine.state, (FIRST + WINDOW) * 512
        valid = [pfn for pfn in range(FIRST * 512, end, 512) if pfn_valid(state, pfn)]
        walked, pfn = [], first_valid_pfn(state, FIRST * 512, end)
        while pfn < end:
            walked.append(pfn)
            pfn = next_valid_pfn(state, pfn + 511, end)
        assert walked == valid

    @invariant()
    def online_pages_are_ram(self) -> None:
        if not hasattr(self, "machine") or not self.machine.kernel.features.pfn_to_online_page_checks_subsection:
            return
        for sub in range(RAM):
            assert pfn_to_online_page(self.machine.state, (FIRST + sub) * 512)
        for pages in self._found():
            for sub in sorted(pages)[:8]:
                assert not pfn_to_online_page(self.machine.state, (FIRST + sub) * 512)


TestSections = Sections.TestCase
TestSections.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
