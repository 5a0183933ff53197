"""Public reports, replayed: the machine as it was told, the commands as they were typed, and the answers that people quoted.

Each test names its case; ``sparsemem.explain.cases`` has the address. What cannot be matched is in ``NOT_MATCHED``, with the reason.
Cases of which only a range and a kernel call are told are in tests/kernel/test_cases.py and tests/kernel/test_mail.py.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sparsemem.explain.cases import CASES
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step

if TYPE_CHECKING:
    from sparsemem.play.player import StepResult

ELSEWHERE = {
    "C09": "tests/kernel/test_mail.py",
    "C10": "tests/kernel/test_mail.py",
    "C11": "tests/kernel/test_mail.py",
    "C33": "tests/kernel/test_cases.py",
    "C35": "tests/kernel/test_cases.py",
    "C39": "tests/kernel/test_cases.py",
    "C44": "tests/kernel/test_cases.py",
    "C45": "tests/kernel/test_cases.py",
    "N01": "tests/cases/cases.toml",
    "N02": "tests/cases/cases.toml",
    "N05": "tests/cases/cases.toml, and its size below",
    "N06": "tests/cases/cases.toml",
}
NOT_MATCHED = {
    "C05": "the report is a hang of the tool; which kernel and ndctl it was is not told (the size is tested below, the hang is not)",
    "C07": (
        "4.x is all that is told of the kernel, and no rule of 4.17 to 5.2 lets the second namespace of region1 get as far as the altmap: "
        "its section is mapped by the first, and that is asked before. The message itself is C17"
    ),
    "C08": "grade C: the layout is not told",
    "C16": "grade C: the layout is not told; the oops is spec feature namespace_below_compat_align",
    "C23": "grade C: kernels 3.10 to 4.15 are not modelled (4.17 is the oldest)",
    "C32": "cxl create-region: regions of a CXL decoder are not modelled, only the memory that they give",
    "C37": "grade C: the range is cut in the report",
    "C42": "what holds the address is not told",
    "C48": "the refusal is of a TDX series that was never merged in this form",
}


class Run(NamedTuple):
    """A machine and what its steps answered."""

    player: Player
    boot: list[str]
    steps: list[StepResult]

    @property
    def log(self) -> list[str]:
        return [line for step in self.steps for line in step.log_lines]

    def iomem(self) -> str:
        return self.player.step("cat /proc/iomem", parse_step("cat /proc/iomem")).stdout


def replay(layout: str, *steps: str, ndctl: int = 76) -> Run:
    machine = parse_machine(layout)
    boot = [line.text for line in machine.state.lines if line.level != "debug"]
    player = Player(machine, ndctl=(ndctl,))
    return Run(player, boot, [player.step(step, parse_step(step)) for step in steps])


def size_of(step: StepResult) -> str:
    return str(json.loads(step.stdout)["size"])


ENABLE_FAILED = "failed to create namespace: No such device or address\n"


def test_every_case_is_replayed_or_has_a_reason() -> None:
    text = open(__file__, encoding="utf-8").read()  # noqa: SIM115
    here = {name.upper() for name in re.findall(r"def test_([a-z]\d\d)_", text)}
    later = {case for case in CASES if case.startswith("M")}  # found later: each is a row of the table (test_table.py)
    assert here | set(ELSEWHERE) | set(NOT_MATCHED) == set(CASES) - later


# -- two devices in one section


C01 = (
    "4.18; 1M-2G ram, 1840000000-187bffffff ram, 187c000000-967bffffff pmem, 967c000000-b67bffffff ram; with possible_nodes=2; "
    "nd_region 0x187c000000-0x577bffffff labels=1.1; nd_region 0x577c000000-0x967bffffff labels=1.1"
)


def test_c01_two_regions_in_one_section() -> None:
    run = replay(C01, "ndctl create-namespace -r region0", "ndctl create-namespace -r region1", ndctl=63)
    first, second = run.steps
    assert first.exit_code == 0
    assert size_of(first) == "248.00 GiB (266.29 GB)"
    assert first.log_lines == [
        "nd_pmem pfn0.0: namespace0.0 alignment collision, truncate 67108864 bytes",
        "pmem0: detected capacity change from 0 to 266285875200",
    ]
    assert second.errno == "ENXIO"
    assert second.log_lines[:2] == [
        "nd_pmem pfn1.0: namespace1.0 alignment collision, truncate 67108864 bytes",
        "nd_pmem pfn1.0: Conflicting mapping in same section",
    ]
    assert "libndctl: ndctl_pfn_enable: pfn1.0: failed to enable\n" in second.stdout
    assert second.stdout.endswith(ENABLE_FAILED)


@pytest.mark.parametrize("version", ["5.3", "5.10", "6.1", "7.2"])
def test_c01_works_since_sub_sections(version: str) -> None:
    run = replay(
        C01.replace("4.18", version, 1), "ndctl create-namespace -r region0", "ndctl create-namespace -r region1"
    )
    assert [step.exit_code for step in run.steps] == [0, 0]
    assert not any("Conflicting" in line for line in run.log)


def test_c02_two_small_namespaces_on_six_ways() -> None:
    layout = "5.0; 1M-2G ram, 1860000000-245fffffff pmem; nd_region 0x1860000000-0x245fffffff ways=6 labels=1.2"
    run = replay(layout, *(f"ndctl create-namespace -m fsdax -s {size}m" for size in (128, 132, 132, 132)), ndctl=64)
    refused, made, second, third = run.steps
    assert "'--size=' must align to interleave-width: 6 and alignment: 2097152\n" in refused.stdout
    assert "did you intend --size=132M?\n" in refused.stdout
    assert size_of(made) == "126.00 MiB (132.12 MB)"
    for failed in (second, third):
        assert "pfn0.1: failed to enable\n" in failed.stdout
        assert (failed.errno, failed.stdout.endswith(ENABLE_FAILED)) == ("ENXIO", True)
        assert "nd_pmem pfn0.1: Conflicting mapping in same section" in failed.log_lines


def test_c03_two_64m_namespaces() -> None:
    """The report is of 3.10 (RHEL 7); the oldest modelled kernel has the same rule."""
    layout = "{}; 1M-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2"
    step = "ndctl create-namespace --mode memory --map mem --region region0 --size 64M"
    first, second = replay(layout.format("4.17"), step, step, ndctl=60).steps
    assert size_of(first) == "62.00 MiB (65.01 MB)"
    assert second.errno == "ENXIO"
    assert "pfn0.1: failed to enable\n" in second.stdout
    assert [step.exit_code for step in replay(layout.format("5.3"), *[step.replace("memory", "fsdax")] * 2).steps] == [
        0,
        0,
    ]


def test_c05_a_size_that_is_no_multiple_of_16m() -> None:
    """What became of it: since ndctl 72 and Linux 5.7 the size is refused before anything is made."""
    layout = "6.1; 1M-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2"
    step = "ndctl create-namespace --mode devdax -s 100M -a 4k -r region0"
    run = replay(layout, step)
    assert run.steps[0].errno == "EINVAL"
    assert "region0: align setting is 0x1000000 size 0x6400000 is misaligned" in run.steps[0].stdout


# -- alignment of namespaces


@pytest.mark.parametrize(("bus", "name"), [("e820", "legacy"), ("virtio", "pmem")])
def test_c14_an_image_that_is_no_multiple_of_2m(bus: str, name: str) -> None:
    run = replay(f"6.12; 1M-64M ram, 6000000-e8b7fff {name}; nd_region 0x6000000-0xe8b7fff bus={bus}", "ndctl list -i")
    assert run.boot == [
        "nd_pmem namespace0.0: [mem 0x06000000-0x0e8b7fff flags 0x200] misaligned, unable to map",
        "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95",
    ]
    assert json.loads(run.steps[0].stdout)[0]["state"] == "disabled"


def test_c15_old_4k_aligned_namespaces_and_the_next_one() -> None:
    run = replay(
        "5.7; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region 0x1860000000-0xd55fffffff ways=6 labels=1.2",
        "echo 24576 > /sys/bus/nd/devices/region0/align",
        "ndctl create-namespace -m fsdax -a 4096 -s 53687107584",
        "ndctl create-namespace -m sector -l 512 -s 53687107584",
        "echo 100663296 > /sys/bus/nd/devices/region0/align",
        "ndctl create-namespace -s 36g -r 0",
        "ndctl list",
    )
    assert [step.exit_code for step in run.steps] == [0] * 6
    sizes = {each["dev"]: each["size"] for each in json.loads(run.steps[-1].stdout)}
    assert (sizes["namespace0.0"], sizes["namespace0.1"]) == (52846133248, 53270768640)
    assert size_of(run.steps[4]) == "35.44 GiB (38.05 GB)"
    places = [line.strip() for line in run.iomem().splitlines() if "namespace" in line]
    assert places == [
        "1860000000-24e0003fff : namespace0.0",
        "24e0004000-3160007fff : namespace0.1",
        "3162000000-3a61ffffff : namespace0.2",
    ]


def test_c17_64k_aligned_namespaces_on_ppc64() -> None:
    layout = "5.4 ppc64; 0-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2"
    run = replay(layout, *["ndctl create-namespace -s 16908288 --align 64K"] * 2, ndctl=67)
    assert [step.errno for step in run.steps] == [None, "ENXIO"]
    assert "memory add fail, invalid altmap" in run.steps[1].log_lines


def test_c19_a_size_on_six_ways() -> None:
    layout = "5.3; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region 0x1860000000-0xd55fffffff ways=6 labels=1.2"
    run = replay(layout, "ndctl create-namespace -m devdax -s 4295000000", ndctl=67)
    assert "'--size=' must align to interleave-width: 6 and alignment: 2097152\n" in run.steps[0].stdout
    assert "did you intend --size=4303355904?\n" in run.steps[0].stdout


@pytest.mark.parametrize("version", ["4.20", "5.0", "5.10", "6.1", "7.2"])
def test_c22_1g_alignment_costs_1g(version: str) -> None:
    layout = f"{version}; 1M-2G ram, 8G+16G pmem; nd_region 0x200000000-0x5ffffffff labels=1.2"
    run = replay(layout, *(f"ndctl create-namespace -m devdax -a 1G -s {size}G" for size in (1, 2, 3)))
    assert [step.errno for step in run.steps] == ["ENXIO", None, None]
    assert run.steps[0].log_lines[0] == "dax_pmem dax0.0: namespace0.0 unable to satisfy requested alignment"
    assert [size_of(step) for step in run.steps[1:]] == ["1024.00 MiB (1073.74 MB)", "2.00 GiB (2.15 GB)"]


def test_c25_a_label_less_4g_region() -> None:
    layout = "4.17; 1M-2G ram, 8G+4G legacy; nd_region 0x200000000-0x2ffffffff bus=e820"
    run = replay(layout, "ndctl create-namespace -e namespace0.0 -f -s 1G", "ndctl list", ndctl=60)
    assert run.boot[-1] == "pmem0: detected capacity change from 0 to 4294967296"
    assert size_of(run.steps[0]) == "3.94 GiB (4.23 GB)"
    assert json.loads(run.steps[1].stdout)[0]["size"] == 4225761280


# -- device memory as System RAM


def test_c26_metadata_shifts_data_off_the_block_line() -> None:
    run = replay(
        "5.4; 1M-2G ram, 140000000-33fffffff pmem; with auto_online=offline; nd_region 0x140000000-0x33fffffff labels=1.2",
        "ndctl create-namespace -m devdax",
        "daxctl reconfigure-device -m system-ram dax0.0",
        "cat /proc/iomem",
        "echo dax0.0 > /sys/bus/dax/drivers/kmem/unbind",
        "ndctl create-namespace -f -e namespace0.0 -m fsdax",
        ndctl=67,
    )
    assert run.steps[2].stdout.splitlines()[1:] == [
        "140000000-33fffffff : Persistent Memory",
        "  140000000-1481fffff : namespace0.0",
        "  150000000-33fffffff : dax0.0",
        "    150000000-33fffffff : System RAM",
    ]
    stranded = 0x150000000 - 0x148200000
    assert stranded == 126 << 20
    assert run.steps[3].log_lines == [
        "removing memory fails, because memory [0x0000000150000000-0x0000000157ffffff] is onlined",
        "kmem dax0.0: DAX region [mem 0x150000000-0x33fffffff] cannot be hotremoved until the next reboot",
    ]
    # the reporter had rebooted, here it is the first namespace of an empty region: its resource prints as "???"
    assert any(
        re.search(r"could not reserve region \[\S+ 0x140000000-0x33fffffff", line) for line in run.steps[4].log_lines
    )
    assert run.steps[4].exit_code


def test_c28_256m_is_less_than_a_block() -> None:
    run = replay(
        "6.6; 1M-2G ram, 4G-100G ram, 2000000000-2fffffffff pmem; with bare-metal auto_online=offline possible_nodes=2; "
        "nd_region 0x2000000000-0x2fffffffff labels=1.2 target_node=1",
        "ndctl create-namespace -m devdax -s 256M",
        "daxctl reconfigure-device -N -m system-ram dax0.0",
        "ndctl create-namespace -m devdax -s 4G",
        "daxctl reconfigure-device -N -m system-ram dax0.1",
    )
    small, refused, _, made = run.steps
    assert size_of(small) == "250.00 MiB (262.14 MB)"
    assert refused.errno == "EINVAL"
    assert (
        "libdaxctl: daxctl_dev_enable: dax0.0: failed to enable\nerror reconfiguring devices: Invalid argument\n"
        in refused.stdout
    )
    assert refused.log_lines[:2] == [
        "kmem dax0.0: mapping0: 0x2000600000-0x200fffffff too small after alignment",
        "kmem dax0.0: rejecting DAX region without any memory after alignment",
    ]
    assert made.exit_code == 0
    assert run.player.machine.state.misc["memory_block_size_bytes"] == 2 << 30


def test_c30_soft_reserved_before_the_cxl_region() -> None:
    place = "0x850000000-0x284fffffff"
    head = "1M-2G ram, 850000000-284fffffff soft; with auto_online=offline possible_nodes=3"
    both = f"dax_region {place} driver=hmem target_node=2; dax_region {place} driver=cxl region=1 target_node=2"
    assert (
        "kmem dax1.0: mapping0: 0x850000000-0x284fffffff could not reserve region"
        in replay(f"6.18; {head}; {both}").boot
    )
    run = replay(f"7.2; {head}; {both}")
    assert any("dax_region resource conflict for [mem 0x850000000-0x284fffffff" in line for line in run.boot)
    assert "850000000-284fffffff : System RAM (kmem)" in run.iomem()


def test_c31_a_hole_and_2g_blocks() -> None:
    run = replay(
        "6.14; 1M-2G ram, 100000000-1bfffffff soft, 200000000-23fffffff soft; with block=2G auto_online=offline possible_nodes=2; "
        "dax_region 0x100000000-0x1bfffffff driver=cxl target_node=1; dax_region 0x200000000-0x23fffffff driver=cxl target_node=1"
    )
    ram = re.findall(r"(\w+)-(\w+) : System RAM \(kmem\)", run.iomem())
    assert ram == [("100000000", "17fffffff")]
    assert (0xC0000000 + 0x40000000) - 0x80000000 == 2 << 30  # stranded, of 4 GiB


def test_c41_above_the_direct_map() -> None:
    """11 TiB is where the report's guest ended its direct map."""
    run = replay(
        "6.12; 1M-2G ram, 4G-6G ram, 3f0000000000-3f003fffffff pmem; with physmem_end=0xaffffffffff; "
        "nd_region 0x3f0000000000-0x3f003fffffff bus=virtio",
        "ndctl list",
    )
    assert any("exceeds maximum addressable range" in line for line in run.boot)
    assert run.steps[0].stdout == ""
    assert not any(getattr(device, "disk", "") for device in run.player.machine.state.nd.values())


def test_c47_no_target_node() -> None:
    run = replay(
        "5.10; 1M-2G ram, 4G+128G pmem; nd_region 0x100000000-0x20ffffffff labels=1.2 target_node=-1",
        "ndctl create-namespace -m devdax -s 126G",
        "daxctl list",
        "daxctl reconfigure-device --mode=system-ram dax0.0",
    )
    listed = json.loads(run.steps[1].stdout)[0]
    assert listed["size"] == 133175443456
    assert "target_node" not in listed
    assert run.steps[2].errno == "ENODEV"
    assert "dax0.0: failed to enable\n" in run.steps[2].stdout
    assert "No such device\n" in run.steps[2].stdout
    assert "kmem dax0.0: rejecting DAX region with invalid node: -1" in run.steps[2].log_lines


def test_c49_a_range_that_is_left_in_the_firmware_map() -> None:
    run = replay("6.12 arm64; 40000000-ffffffff ram; nd_region 0x48000000-0x67ffffff bus=virtio")
    assert run.boot[-1] == "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -16"
    assert any("nd_pmem namespace0.0: could not reserve region [mem 0x48000000-0x67ffffff" in line for line in run.boot)


# -- more public reports


def test_n03_a_devdax_behind_an_fsdax() -> None:
    """The free space that the report lists, and the word of the kernel for the section that both would have."""
    run = replay(
        C01.replace("4.18;", "5.1;").replace("labels=1.1", "labels=1.2"),
        "ndctl create-namespace --mode=fsdax --size=128G --region=region0 --force",
        "ndctl create-namespace --mode=fsdax --size=128G --region=region1 --force",
        "ndctl list -r region1 -R",
        "ndctl create-namespace --mode=devdax --size=100G --region=region0 --force",
        ndctl=71,
    )
    region = json.loads(run.steps[2].stdout)[0]
    assert (region["size"], region["available_size"]) == (270582939648, 133143986176)
    assert "device_dax dax0.1: Conflicting mapping in same section" in run.steps[3].log_lines


def test_n04_two_of_16_mib() -> None:
    step = "ndctl create-namespace --region=region6 --mode=fsdax --size=16M --verbose"
    run = replay(
        "4.18; 1M-2G ram, 4G+8G pmem; nd_region 0x100000000-0x2ffffffff labels=1.2 region=6", step, step, ndctl=64
    )
    assert "nd_pmem pfn6.1: Conflicting mapping in same section" in run.steps[1].log_lines


_INTERLEAVED = "1M-2G ram, 3060000000-1aa5fffffff pmem; nd_region 0x3060000000-0x1aa5fffffff ways=6 labels=1.2"
_ONE = "1M-2G ram, 4G+8G pmem; nd_region 0x100000000-0x2ffffffff labels=1.2"


@pytest.mark.parametrize(
    ("case", "layout", "ndctl", "options", "size"),
    [
        # pmem-csi #933: 1500G on six DIMMs, and with map=mem; ndctl #106 and #200 on the same set
        ("N933", f"4.18; {_INTERLEAVED}", 67, "-m fsdax -s 1500G -a 2M", "1476.56 GiB (1585.44 GB)"),
        ("N933", f"4.18; {_INTERLEAVED}", 67, "-m fsdax -s 1500G -a 2M -M mem", "1500.00 GiB (1610.61 GB)"),
        ("N106", f"5.1; {_INTERLEAVED}", 66, "", "1488.37 GiB (1598.13 GB)"),
        ("N200", f"5.14; {_INTERLEAVED}", 72, "--size 756G --region 0", "744.19 GiB (799.06 GB)"),
        # pmem-csi #7: 32 MiB asked, 28 had; ndctl #292: 16 MiB asked, 14 had
        ("N7", f"4.18; {_ONE}", 63, "-s 32M", "28.00 MiB (29.36 MB)"),
        ("N292", f"6.12; {_ONE}", 81, "-s 16777216 --no-autorecover -r region0 -n subsection-test", "14.00 MiB (14.68 MB)"),
        # ndctl #150: a label-less region of 64 GiB; #34: 2 GiB of memmap=
        (
            "N05", "5.9; 1M-2G ram, 4G+64G legacy; nd_region 0x100000000-0x10ffffffff bus=e820",
            70, "-f -e namespace0.0 -s 32g", "63.00 GiB (67.64 GB)",
        ),
        (
            "N34", "4.17; 1M-2G ram, 4G+2G legacy; nd_region 0x100000000-0x17fffffff bus=e820",
            60, "-f -e namespace0.0 -m devdax", "2014.00 MiB (2111.83 MB)",
        ),
        # Yi Zhang, 2019: 12G with 1 GiB pages in a region that begins off 1 GiB
        (
            "1G", "5.4; 1M-2G ram, 860000000-205fffffff pmem; nd_region 0x860000000-0x205fffffff labels=1.2",
            65, "-m devdax -a 1g -s 12G", "11.00 GiB (11.81 GB)",
        ),
    ],
)  # fmt: skip
def test_usable_sizes_that_people_were_surprised_by(
    case: str, layout: str, ndctl: int, options: str, size: str
) -> None:
    run = replay(layout, f"ndctl create-namespace {options}", ndctl=ndctl)
    assert size_of(run.steps[0]) == size


def test_1g_pages_in_a_region_off_1g_failed_for_some_weeks() -> None:
    """https://lore.kernel.org/all/1497200704.3777491.1564552004435.JavaMail.zimbra@redhat.com/ (5.3.0-rc1, ndctl 65)."""
    run = replay(
        "5.3-rc1; 1M-2G ram, 860000000-205fffffff pmem; nd_region 0x860000000-0x205fffffff labels=1.2",
        "ndctl create-namespace -r region0 -m devdax -a 1g -s 12G",
        ndctl=65,
    )
    assert "libndctl: ndctl_dax_enable: dax0.0: failed to enable" in run.steps[0].stdout
    assert run.steps[0].stdout.endswith(ENABLE_FAILED)


def test_a_size_off_the_region_align_is_named() -> None:
    """https://lore.kernel.org/all/158042416024.3946705.9876087353552019585.stgit@dwillia2-desk3.amr.corp.intel.com/, and pmem-csi #964."""
    run = replay(
        f"5.7; {_ONE}",
        "ndctl create-namespace -m fsdax -s 1073750016 -a 4k",
        "ndctl create-namespace -s 119537664",
        ndctl=68,
    )
    assert run.steps[0].stdout.startswith(
        "  Error: create namespace: region0: align setting is 0x1000000 size 0x40002000 is misaligned"
    )
    assert run.steps[1].errno == "EINVAL"


@pytest.mark.parametrize(
    ("kernel", "mmu", "size"),
    [("5.2", "hash", 2130706432), ("5.10", "hash", 2130706432), ("5.10", "radix", 2143289344)],
)
def test_ppc64_keeps_a_page_array_in_the_namespace(kernel: str, mmu: str, size: int) -> None:
    """https://lore.kernel.org/all/877ea85p64.fsf@linux.ibm.com/ (5.2-rc, pages of 64 KiB): -s 2G gives 2130706432.

    16 MiB go with the hash MMU, whose PMD is 16 MiB. Where the altmap has no block left, RAM holds the rest (v4.20 and later), so it
    comes up.
    """
    option = "with linear_map_page_size=16777216; " if mmu == "hash" else ""
    run = replay(
        f"{kernel} ppc64 page=65536; 0-2G ram, 4G+8G pmem; {option}nd_region 0x100000000-0x2ffffffff labels=1.2",
        "ndctl create-namespace -s 2G -r region0",
        "ndctl list",
        ndctl=67,
    )
    assert [step.exit_code for step in run.steps] == [0, 0]
    assert json.loads(run.steps[1].stdout)[0]["size"] == size
