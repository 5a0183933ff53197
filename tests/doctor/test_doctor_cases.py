"""What really happened to people (../shared/cases.md): the doctor says it from the layout alone, in the kernel's words."""

from __future__ import annotations

import pytest

from sparsemem import fixtures
from sparsemem.doctor import Diagnosis, Finding, diagnose, diagnose_machine
from sparsemem.machine.notation import parse_layout, parse_machine
from sparsemem.ranges import Range
from sparsemem.readers import read_machine, read_text
from sparsemem.spec import kernel
from sparsemem.units import GIB, MIB
from tests.doctor.machines import case_path


def judged(case: str, version: str | None = None) -> Diagnosis:
    if case.endswith(".layout"):
        line = case_path(case).read_text().strip()
        override = kernel(version, parse_layout(line)[0].arch) if version else None
        return diagnose_machine(parse_machine(line, kernel_override=override))
    return diagnose(read_machine(case_path(case)), version)


def example(name: str, version: str | None = None) -> Diagnosis:
    return diagnose(read_machine(fixtures.path(name)), version)


def one(diagnosis: Diagnosis, topic: str) -> Finding:
    (found,) = [each for each in diagnosis.findings if each.id == topic]
    return found


def ids(diagnosis: Diagnosis) -> set[str]:
    return {each.id for each in diagnosis.findings}


def test_c01_two_regions_share_a_section() -> None:
    """ndctl issue 76: both namespaces lose 64 MiB, the second is refused; one page of capacity accounts for all of it."""
    found = example("pmem-two-regions")
    cut = one(found, "start-pad")
    assert (cut.capacity, cut.ranges) == (67108864, (Range(0x187C000000, 0x1880000000),))
    assert "DAX" in cut.what
    refused = one(found, "devices-share-section")
    assert refused.devices == ("region1",)
    assert refused.kernel_says[0] == "namespace1.0 alignment collision, truncate 67108864 bytes"
    assert "Conflicting mapping in same section" in refused.kernel_says[1]
    # 252 GiB less the pad and the quoted 4034 MiB of metadata is the quoted capacity of pmem0
    assert 252 * GIB - 67108864 - 4034 * MIB == 266285875200
    assert found.exit_code == 11


def test_c01_is_gone_with_sub_sections() -> None:
    assert "devices-share-section" not in ids(example("pmem-two-regions", "5.3"))
    assert "devices-share-section" not in ids(example("pmem-two-regions", "6.1"))


@pytest.mark.parametrize("version", ["4.20", "5.0", "5.1-rc1", "5.1"])
def test_c09_memmap_with_unaligned_end(version: str) -> None:
    refused = one(judged("C09.iomem", version), "ram-beside-device")
    assert refused.severity == "error"
    assert refused.errno == "ENXIO"
    assert refused.kernel_says == (
        "devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]",
    )
    assert refused.ranges == (Range(0x200000000, 0x2FC000000),)


@pytest.mark.parametrize("version", ["5.12", "6.1", "7.2"])
def test_c09_works_with_sub_sections(version: str) -> None:
    found = judged("C09.iomem", version)
    assert found.exit_code == 0
    assert one(found, "tainted-section").ranges == (Range(0x2F8000000, 0x2FC000000),)


def test_c10_legacy_pmem_ends_inside_a_section() -> None:
    old = one(judged("C10.iomem", "5.2"), "ram-beside-device")
    assert old.severity == "error"
    assert old.ranges == (Range(0x200000000, 0x304000000),)
    assert old.capacity == 4160 * MIB
    assert judged("C10.iomem", "5.15").exit_code == 0


def test_c11_device_pages_pass_for_ram() -> None:
    bug = one(judged("C11.iomem", "5.10"), "mixed-section-online-page")
    assert bug.severity == "error"
    assert bug.ranges[0].start == 0x1FC000000  # what soft_offline_page was given
    assert bug.kernels == "5.3 to 5.11"
    assert one(example("ram-beside-pmem"), "mixed-section-online-page").ranges == bug.ranges
    fixed = judged("C11.iomem", "5.12")
    assert fixed.exit_code == 0
    assert "tainted-section" in ids(fixed)
    assert one(judged("C11.iomem", "5.2"), "ram-beside-device").errno == "ENXIO"


def test_c14_image_that_is_no_multiple_of_2_mib() -> None:
    refused = one(judged("C14.iomem", "6.12"), "namespace-misaligned")
    assert refused.errno == "EOPNOTSUPP"  # 95
    assert refused.kernel_says == ("[mem 0x06000000-0x0e8b7fff flags 0x200] misaligned, unable to map",)
    assert refused.rule == "namespace-alignment"
    # before v5.7 libnvdimm does not look, and the add fails
    assert one(judged("C14.iomem", "5.6"), "subsection-misaligned").errno == "EINVAL"


def test_c15_namespaces_of_an_old_kernel() -> None:
    new = [each for each in judged("C15", "5.7").findings if each.id == "namespace-misaligned"]
    assert [each.ranges for each in new] == [
        (Range(0x1860000000, 0x24E0004000),),
        (Range(0x24E0004000, 0x3160008000),),
    ]
    assert all(each.errno == "EOPNOTSUPP" for each in new)


def test_c26_metadata_shifts_data_off_the_block_line() -> None:
    lost = one(example("pmem-kmem"), "kmem-stranded")
    assert (lost.capacity, lost.ranges) == (126 * MIB, (Range(0x148200000, 0x150000000),))
    assert lost.kernel_says == ()  # "silent"
    assert lost.lost
    said = one(example("pmem-kmem", "7.2"), "kmem-stranded").kernel_says
    assert said == ("kmem dax0.0: DAX region truncated by 126 MiB due to alignment",)


def test_c28_a_device_smaller_than_a_block() -> None:
    found = one(judged("C28"), "kmem-stranded")
    assert found.capacity == 250 * MIB
    assert found.errno == "EINVAL"
    assert found.kernel_says == ("kmem dax1.0: rejecting DAX region without any memory after alignment",)
    # for another kernel the block size depends on whether this is a guest, which these files do not tell
    (skipped,) = [check for check in judged("C28", "5.14").skipped if check.name == "kmem"]
    assert skipped.reason.startswith("cannot tell")


def test_c31_cxl_windows_around_a_hole() -> None:
    lost = [each for each in judged("C31.layout").findings if each.id == "kmem-stranded"]
    assert [each.devices for each in lost] == [("CXL Window 0",), ("CXL Window 1",)]
    assert sum(each.capacity or 0 for each in lost) == 2 * GIB  # of 4 GiB
    assert lost[0].ranges == (Range(0x180000000, 0x1C0000000),)
    assert "kmem-stranded" not in ids(judged("C31.layout", "6.18"))  # blocks of 1 GiB, by the windows' advice


def test_c33_dimm_behind_an_odd_end_of_ram() -> None:
    refused = one(judged("C33.layout"), "dimm-misaligned")
    assert refused.kernel_says == (
        "Block size [0x80000000] unaligned hotplug range: start 0x1040000000, size 0x80000000",
    )
    assert (refused.severity, refused.errno) == ("warning", "EINVAL")


def test_c35_nvdimm_in_front_of_a_dimm() -> None:
    refused = one(example("arm64-virt"), "dimm-misaligned")
    assert refused.kernel_says == (
        "Block size [0x40000000] unaligned hotplug range: start 0xc8000000, size 0x40000000",
    )
    assert example("arm64-virt", "5.12").findings == ()


def test_c39_a_removal_smaller_than_a_block() -> None:
    refused = one(judged("C39.layout"), "dimm-misaligned")
    assert refused.kernel_says[0] == "Block size [0x4000000] unaligned hotplug range: start 0x220000000, size 0x1000000"
    assert refused.severity == "error"
    assert refused.rule == "removal-alignment"


def test_a_namespace_that_is_all_of_an_unlabelled_region_is_not_made_anew() -> None:
    """https://github.com/intel/nemu/pull/50: an NVDIMM of 48 KiB. ndctl gives it the same size again; the device has to be larger."""
    text = (
        "00100000-7fffffff : System RAM\n100000000-10000bfff : Persistent Memory\n  100000000-10000bfff : namespace0.0\n"
        "108000000-147ffffff : System RAM\n"
    )
    found = one(diagnose(read_text(text, "iomem"), "6.1"), "namespace-misaligned")
    assert found.severity == "warning"  # raw on an NVDIMM has no pages, and works
    assert "Its mode is not told" in found.what
    assert [remedy.argv for remedy in found.remedies] == [()]
    legacy = one(diagnose(read_text(text.replace("Memory", "Memory (legacy)"), "iomem"), "6.1"), "namespace-misaligned")
    assert legacy.severity == "error"


def test_memmap_in_pieces_follows_the_command_line() -> None:
    """Two parameters may make neighbours on purpose; one that came in two pieces did not."""
    log = (
        "[    0.000000] Linux version 6.1.0\n[    0.000000] Command line: {}\n"
        "[    0.000000] user: [mem 0x0000000000100000-0x00000000bfffffff] usable\n"
        "[    0.000000] user: [mem 0x0000000100000000-0x000000017fffffff] persistent (type 12)\n"
        "[    0.000000] user: [mem 0x0000000180000000-0x00000001ffffffff] persistent (type 12)\n"
        "[    0.000000] user: [mem 0x0000000200000000-0x000000043fffffff] usable\n"
    )
    wanted = diagnose(read_text(log.format("memmap=2G!4G memmap=2G!6G"), "log"))
    assert "memmap-in-pieces" not in ids(wanted)
    found = one(diagnose(read_text(log.format("memmap=4G!4G"), "log")), "memmap-in-pieces")
    assert found.capacity == 4 * GIB
    assert len(found.devices) == 2
    assert "memmap=4G!6G" in found.remedies[-1].why
    assert "memmap-in-pieces" not in ids(diagnose(read_text(log.format("quiet"), "log")))
