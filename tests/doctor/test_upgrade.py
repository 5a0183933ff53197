"""``doctor --upgrade-to``: what public reports say changed between two kernels, and the laws of any machine."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem import fixtures
from sparsemem.doctor.checks.mappings import _MAPPING_RULES
from sparsemem.doctor.upgrade import (
    Change,
    Upgrade,
    compare_kernels,
    compare_machines_kernels,
    render_upgrade,
    upgrade_to_json,
)
from sparsemem.doctor.upgrade.change import KINDS, SEVERITIES
from sparsemem.doctor.upgrade.table import CAUSES, EFFECTS
from sparsemem.doctor.upgrade.traits import TRAITS
from sparsemem.errors import SparsememError, UsageError
from sparsemem.machine.description import DaxFact, MachineDescription
from sparsemem.machine.notation import parse_machine
from sparsemem.readers import read_machine, read_text
from sparsemem.spec import kernel
from sparsemem.spec.features import history
from sparsemem.units import GIB, MIB
from tests.doctor.machines import case_path
from tests.doctor.test_doctor_law import descriptions

HERE = Path(__file__).parent
GOLDEN = HERE / "golden_changes"
NAMES = {record.name for record in history()}


def described(name: str) -> MachineDescription:
    if name in fixtures.names():
        return replace(read_machine(fixtures.path(name)), source=f"example:{name}", notes=())
    return replace(read_machine(case_path(name)), source=name, notes=())


def of_kind(upgrade: Upgrade, *kinds: str) -> list[Change]:
    return [change for change in upgrade.changes if change.kind in kinds]


def layout(line: str, before: str, after: str) -> Upgrade:
    from sparsemem.machine.notation import parse_layout

    arch = parse_layout(line)[0].arch
    return compare_machines_kernels(*(parse_machine(line, kernel_override=kernel(v, arch)) for v in (before, after)))


GOLDENS = [
    ("mixed-region", None, "6.1"), ("pmem-two-regions", "5.2", "6.12"), ("C28", "5.8", "6.1"), ("pmem-kmem", "5.7", "5.0"),
    ("arm64-virt", None, "5.12"), ("C14.iomem", "5.6", "5.7"), ("laptop", "6.1", "6.1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after"), GOLDENS)
def test_golden(name: str, before: str | None, after: str) -> None:
    got = render_upgrade(compare_kernels(described(name), before, after), 80)
    path = GOLDEN / f"upgrade-{name}-{before or 'own'}-{after}.txt"
    if os.environ.get("SPARSEMEM_WRITE_GOLDEN"):
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


def test_no_golden_is_left_over() -> None:
    assert {p.name for p in GOLDEN.glob("upgrade-*")} == {f"upgrade-{n}-{b or 'own'}-{a}.txt" for n, b, a in GOLDENS}


def test_every_feature_says_whom_it_touches() -> None:
    assert EFFECTS.keys() == NAMES
    assert {trait for effect in EFFECTS.values() for trait in effect.traits} <= TRAITS.keys()
    assert {effect.kind for effect in EFFECTS.values()} == {"behaviour", "words", "files"}
    assert {name for names in CAUSES.values() for name in names} <= NAMES | {"SECTION_SIZE"}


def test_whatever_refuses_a_mapping_has_its_features() -> None:
    assert set(_MAPPING_RULES) <= CAUSES.keys()


def test_a_page_array_without_room_goes_with_whole_sections() -> None:
    """Up to 5.2 the page arrays of all sections that a range touches; from 5.3 on of its sub-sections (ba72b4c8cf60)."""
    line = "6.1; 1M-2G ram, 4144M+512M pmem; nd_region 0x103000000-0x122ffffff labels=1.2"
    (change,) = [each for each in layout(line, "4.19", "5.3").changes if each.id == "altmap-exhausted"]
    assert (change.kind, *((cause.feature, cause.commit) for cause in change.causes)) == (
        "better",
        ("subsection_hotplug", "ba72b4c8cf60"),
    )


def test_c09_starts_with_sub_sections() -> None:
    """The report: -ENXIO on 4.9; "On 5.3+ the map works". The range is 0xfc000000 bytes."""
    (change,) = of_kind(compare_kernels(described("mixed-region"), "5.2", "5.3"), "starts")
    assert (change.bytes, change.severity) == (0xFC000000, "good")
    assert [(cause.feature, cause.commit, cause.release) for cause in change.causes] == [
        ("subsection_hotplug", "ba72b4c8cf60", "5.3")
    ]


def test_c11_device_pages_look_online_from_5_3_to_5_11() -> None:
    """The report: legal on 5.3 and later, and taken for RAM until SECTION_TAINT_ZONE_DEVICE (5.12)."""
    machine = described("C11.iomem")
    comes = compare_kernels(machine, "5.2", "5.10")
    assert "mixed-section-online-page" in {change.id for change in of_kind(comes, "worse")}
    assert comes.exit_code == 10
    goes = compare_kernels(machine, "5.10", "5.15")
    (gone,) = [change for change in of_kind(goes, "better") if change.id == "mixed-section-online-page"]
    assert gone.causes[0].feature == "device_page_counts_as_online"
    assert goes.exit_code == 0
    early = compare_kernels(machine, "5.10", "5.12")
    comes_back = [
        change.causes[0].backport for change in of_kind(early, "bug") if change.id == "pfn_section_valid_trusts_usage"
    ]
    assert comes_back == ["5.10.222"], "5.12.0 has not what 5.10 took later"


def test_c28_larger_blocks_on_bare_metal() -> None:
    """The report: fe124c95df9e raised the block size of bare metal to 2 GiB, and 256M as system-ram failed."""
    upgrade = compare_kernels(described("C28"), "5.8", "6.1")
    (blocks,) = of_kind(upgrade, "resized")
    assert upgrade.block_size[1] == 2 * GIB
    assert [cause.commit for cause in blocks.causes] == ["fe124c95df9e"]


def test_c31_a_window_that_is_no_whole_blocks() -> None:
    """The documentation: with 2 GiB blocks 2 GiB of 4 GiB are stranded, with 1 GiB blocks none."""
    upgrade = layout(case_path("C31.layout").read_text().strip(), "6.12", "6.18")
    assert upgrade.block_size == (2 * GIB, GIB)
    assert sum(change.bytes or 0 for change in of_kind(upgrade, "better")) == 2 * GIB


def test_c35_smaller_sections_on_arm64() -> None:
    """The report: 1 GiB blocks refuse the DIMM; f0b13ee23241 (5.12) made them 128 MiB."""
    upgrade = compare_kernels(described("arm64-virt"), "5.11", "5.12")
    assert upgrade.block_size == (GIB, 128 * MIB)
    (dimm,) = [change for change in upgrade.changes if change.id == "dimm-misaligned"]
    assert dimm.before == ("Block size [0x40000000] unaligned hotplug range: start 0xc8000000, size 0x40000000",)
    assert dimm.causes[0].commit == "f0b13ee23241"


def test_c14_other_words_for_the_same_refusal() -> None:
    (change,) = of_kind(compare_kernels(described("C14.iomem"), "5.6", "5.7"), "answers")
    assert change.after == ("[mem 0x06000000-0x0e8b7fff flags 0x200] misaligned, unable to map",)


def test_a_kernel_without_kmem_loses_the_ram() -> None:
    (change,) = of_kind(compare_kernels(described("pmem-kmem"), "5.7", "5.0"), "stops")
    assert (change.devices, change.bytes, change.severity) == (("dax0.0",), -(7936 * MIB), "error")


def test_larger_blocks_lose_ram_of_a_dax_device() -> None:
    text = "00001000-0009ffff : System RAM\n00100000-7fffffff : System RAM\n"
    text += "100000000-2077ffffff : System RAM\n2080000000-20ffffffff : Soft Reserved\n"
    base = read_text(text, "drawn")
    r = next(node for _, node in base.iomem.walk() if node.name == "Soft Reserved") if base.iomem else None
    assert r is not None
    from sparsemem.ranges import Range

    dax = DaxFact(
        "dax0.0", r.end + 1 - r.start - 256 * MIB, (Range(r.start + 256 * MIB, r.end + 1),), mode="system-ram"
    )
    machine = replace(base, dax=(dax,), hypervisor=False)
    (change,) = [c for c in compare_kernels(machine, "5.8", "5.9").changes if c.devices == ("dax0.0",) and c.bytes]
    assert (change.kind, change.bytes) == ("stops", -(2 * GIB - 256 * MIB))


def test_auto_online_of_debians_kernels() -> None:
    (change,) = of_kind(compare_kernels(described("pmem-kmem"), "6.1", "6.12"), "policy")
    assert (change.id, change.severity, change.before, change.after) == (
        "online_by_default",
        "warning",
        ("offline",),
        ("online",),
    )
    fixed = replace(described("pmem-kmem"), cmdline="memhp_default_state=offline")
    assert not of_kind(compare_kernels(fixed, "6.1", "6.12"), "policy")


def test_a_size_that_the_rule_does_not_give_is_left_open() -> None:
    machine = replace(described("laptop"), block_size=512 * MIB)
    upgrade = compare_kernels(machine, None, "6.1")
    assert not of_kind(upgrade, "resized")
    assert any("memory blocks" in text for text in upgrade.unsure)
    assert "I cannot tell the size of memory blocks" in render_upgrade(upgrade)


def test_what_has_no_effect_is_named_with_its_reason_only_when_asked() -> None:
    upgrade = compare_kernels(described("laptop"), "5.2", "6.12")
    shown = {cause.feature for change in upgrade.changes for cause in change.causes}
    left = {cause.feature for cause, _ in upgrade.without_effect}
    differing = {n for n in NAMES if getattr(kernel("5.2").features, n) != getattr(kernel("6.12").features, n)}
    assert not shown & left
    assert {n for n in differing if not n.startswith(("arm64_", "ppc64_"))} <= shown | left
    assert "without effect here" not in render_upgrade(upgrade)
    assert "also changed, without effect here" in render_upgrade(upgrade, everything=True)


def test_a_machine_that_does_not_tell_its_kernel_must_be_told() -> None:
    with pytest.raises(UsageError, match="which kernel it runs"):
        compare_kernels(described("C09.iomem"), None, "6.1")


def test_many_of_one_kind_are_told_as_one() -> None:
    text = "00100000-7fffffff : System RAM\n" + "".join(
        f"{at:x}-{at + 0x3FFFFFF:x} : Persistent Memory (legacy)\n{at + 0x4000000:x}-{at + 0x7FFFFFF:x} : System RAM\n"
        for at in range(0x100000000, 0x100000000 + 20 * 0x8000000, 0x8000000)
    )
    upgrade = compare_kernels(read_text(text, "drawn"), "5.2", "5.3")
    (change,) = of_kind(upgrade, "starts")
    assert change.what.startswith("20 times, first: ")
    assert (change.bytes, len(change.devices)) == (20 * 64 * MIB, 20)


def test_json_has_every_key() -> None:
    document = json.loads(json.dumps(upgrade_to_json(compare_kernels(described("mixed-region"), None, "6.1"))))
    assert set(document) == {
        "source", "before", "after", "arch", "worst", "exit_code", "changes", "without_effect", "unsure", "notes", "mapped", "stranded",
        "block_size",
    }  # fmt: skip
    for change in document["changes"]:
        assert set(change) == {
            "id", "kind", "severity", "what", "ranges", "devices", "bytes", "before", "after", "causes", "basis", "remedies",
        }  # fmt: skip
        assert change["kind"] in KINDS
        assert change["causes"] or change["basis"]


VERSIONS = st.sampled_from(
    ["4.19", "5.1", "5.2", "5.3", "5.6", "5.7", "5.10", "5.12", "5.15", "6.1", "6.12", "6.18", "7.2"]
)


def _compared(description: MachineDescription, before: str, after: str) -> Upgrade | None:
    try:
        return compare_kernels(description, before, after)
    except SparsememError:
        return None


@settings(max_examples=40, deadline=None)
@given(descriptions(), VERSIONS)
def test_nothing_changes_without_another_kernel(description: MachineDescription, version: str) -> None:
    upgrade = _compared(description, version, version)
    assert upgrade is None or not upgrade.changes


@settings(max_examples=80, deadline=None)
@given(descriptions(), VERSIONS, VERSIONS)
def test_there_and_back(description: MachineDescription, before: str, after: str) -> None:
    description = replace(
        description, kernel_release=None, block_size=None
    )  # both kernels by the rules: no evidence on either side
    there, back = _compared(description, before, after), _compared(description, after, before)
    if there is None or back is None:
        return
    for kind, other in (("starts", "stops"), ("stops", "starts")):
        ours = {name for change in of_kind(there, kind) for name in change.devices}
        theirs = {name for change in of_kind(back, other) for name in change.devices}
        assert ours == theirs
        assert sum(c.bytes or 0 for c in of_kind(there, kind)) == -sum(c.bytes or 0 for c in of_kind(back, other))
    assert there.mapped == back.mapped[::-1]
    assert there.stranded == back.stranded[::-1]
    ranks = [SEVERITIES.index(change.severity) for change in there.changes]
    assert ranks == sorted(ranks)
    for change in there.changes:
        assert change.causes or change.basis
        assert all(cause.before != cause.after for cause in change.causes)
    json.dumps(upgrade_to_json(there))
    assert render_upgrade(there, 60, everything=True).endswith("\n")
