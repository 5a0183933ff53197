"""Any machine that can be read can be judged, on any kernel: no exception but a clear error, and the same answer twice."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.doctor import Diagnosis, diagnose, render_text, to_json
from sparsemem.doctor.finding import SEVERITIES
from sparsemem.errors import SparsememError
from sparsemem.machine.description import BlockFact, DaxFact, MachineDescription, NamespaceFact, RegionFact
from sparsemem.ranges import Range
from sparsemem.readers import read_text
from sparsemem.units import GIB, MIB

UNITS = st.sampled_from([4096, 64 * 1024, 2 * MIB, 16 * MIB, 64 * MIB, 128 * MIB, GIB])
SIZES = st.builds(lambda unit, count: unit * count, UNITS, st.integers(1, 40))
NAMES = st.sampled_from(
    [
        "System RAM",
        "Persistent Memory",
        "Persistent Memory (legacy)",
        "Soft Reserved",
        "Reserved",
        "CXL Window 0",
        "PCI Bus 0000:00",
    ]
)
VERSIONS = st.sampled_from(
    [None, "4.19", "5.1", "5.2", "5.3", "5.6", "5.7", "5.10", "5.12", "5.15", "6.1", "6.12", "6.18", "7.2"]
)
MODES = st.sampled_from(["raw", "fsdax", "devdax", "sector", "unknown"])


@st.composite
def ranges(draw: st.DrawFn, count: int) -> list[Range]:
    at, found = draw(SIZES), []
    for _ in range(count):
        at += draw(st.just(0) | SIZES)
        size = draw(SIZES)
        found.append(Range(at, at + size))
        at += size
    return found


@st.composite
def descriptions(draw: st.DrawFn) -> MachineDescription:
    entries = draw(ranges(draw(st.integers(1, 8))))
    lines = ["00001000-0009ffff : System RAM"] if entries[0].start > MIB else []
    names = [draw(NAMES) for _ in entries]
    lines += [f"{r.start:08x}-{r.end - 1:08x} : {name}" for r, name in zip(entries, names, strict=True)]
    found = read_text("\n".join(lines) + "\n", "drawn")
    regions, namespaces, daxes = [], [], []
    for index, (r, name) in enumerate(zip(entries, names, strict=True)):
        if not name.startswith("Persistent") or not draw(st.booleans()):
            continue
        regions.append(
            RegionFact(f"region{index}", draw(st.sampled_from([r, None])), r.size, draw(st.none() | UNITS),
                       draw(st.none() | st.integers(0, 6)), labels=draw(st.none() | st.booleans()), type="pmem")
        )  # fmt: skip
        at = r.start
        for number in range(draw(st.integers(0, 3))):
            size = min(draw(SIZES), r.end - at)
            if size <= 0:
                break
            part, mode = Range(at, at + size), draw(MODES)
            cut = min(size - 1, draw(SIZES))
            data = draw(
                st.sampled_from([None, part, Range(part.start + cut, part.end), Range(part.start, part.end - cut)])
            )
            namespaces.append(
                NamespaceFact(f"namespace{index}.{number}", f"region{index}", mode, draw(st.sampled_from([None, "dev", "mem"])),
                              draw(st.sampled_from([part, None])), size, align=draw(st.none() | UNITS),
                              enabled=draw(st.booleans()), data=data, force_raw=draw(st.none() | st.booleans()))
            )  # fmt: skip
            if mode == "devdax" and draw(st.booleans()):
                daxes.append(
                    DaxFact(
                        f"dax{index}.{number}",
                        size,
                        draw(st.sampled_from([(part,), ()])),
                        mode=draw(st.sampled_from(["devdax", "system-ram", None])),
                        region=f"region{index}",
                    )
                )
            at += size + draw(st.just(0) | SIZES)
    block = draw(st.sampled_from([None, 128 * MIB, GIB, 2 * GIB]))
    states = st.sampled_from(["online", "offline", "going-offline"])
    blocks = draw(
        st.lists(
            st.builds(BlockFact, st.integers(0, 400), states, st.sampled_from([(), ("Normal",), ("Movable",)])),
            max_size=5,
        )
    )
    return replace(
        found, regions=tuple(regions), namespaces=tuple(namespaces), dax=tuple(daxes), block_size=block, blocks=tuple(blocks),
        kernel_release=draw(st.none() | st.sampled_from(["4.18.18", "5.1.0-rc1", "5.10.25", "6.1.0-50-cloud-amd64", "7.2.12", "odd"])),
        hypervisor=draw(st.none() | st.booleans()), levels=draw(st.sampled_from([None, 4, 5])),
    )  # fmt: skip


def _judge(description: MachineDescription, version: str | None) -> Diagnosis | None:
    try:
        return diagnose(description, version)
    except SparsememError:
        return None


@settings(max_examples=150, deadline=None)
@given(descriptions(), VERSIONS)
def test_every_machine_gets_an_answer(description: MachineDescription, version: str | None) -> None:
    found = _judge(description, version)
    if found is None:
        return
    json.dumps(to_json(found))
    assert render_text(found, 60).endswith("\n")
    assert [SEVERITIES.index(each.severity) for each in found.findings] == sorted(
        SEVERITIES.index(e.severity) for e in found.findings
    )
    for each in found.findings:
        assert all(r.start < r.end for r in each.ranges), each
        assert each.capacity is None or each.capacity >= 0
        assert not each.lost or each.capacity
    assert found == _judge(description, version)
