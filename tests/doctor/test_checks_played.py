"""Each check on a machine that has the problem, on the same machine cured, and without the input that it needs.

The machines are those of public reports where there is one (``sparsemem.explain.cases``); quoted numbers are marked.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from sparsemem.doctor import Diagnosis, diagnose, diagnose_machine
from sparsemem.doctor.context import make_context
from sparsemem.doctor.engine import _examine
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.ranges import Range
from sparsemem.readers import read_text
from sparsemem.readers.model import read_model
from sparsemem.units import GIB, MIB
from tests.doctor.played import cured, finding, ids, play, remedy

LABELLED = (
    "{}; 1M-2G ram, 4G+8G pmem; with possible_nodes=2; nd_region 0x100000000-0x2ffffffff labels=1.2 target_node=1"
)
C01 = (
    "4.18; 1M-2G ram, 1840000000-187bffffff ram, 187c000000-967bffffff pmem, 967c000000-b67bffffff ram; with possible_nodes=2; "
    "nd_region 0x187c000000-0x577bffffff labels=1.1; nd_region 0x577c000000-0x967bffffff labels=1.1"
)
SIX_WAYS = "{}; 1M-2G ram, 1860000000-245fffffff pmem; nd_region 0x1860000000-0x245fffffff ways=6 labels=1.2"
POLICY = "/sys/devices/system/memory/auto_online_blocks"


def without(layout: str, **fields: object) -> Diagnosis:
    """The diagnosis of a machine that tells less."""
    machine = parse_machine(layout)
    description = replace(read_model(machine), **fields)  # type: ignore[arg-type]
    return _examine(make_context(machine, description, True, (), captured=False), ())


def test_cxl_devices_in_no_region() -> None:
    """ndctl issues 226 and 236, run_qemu issue 6: the devices are listed, and there is nothing that could be used."""
    layout = (
        "6.12; 1M-2G ram, 4G+4G CXL Window 0; with bare-metal possible_nodes=2; cxl_acpi_probe 0x100000000-0x1ffffffff "
        "devices=268435456:1:262144,805306368:2:262144,805306368:3:262144 dports=3 msi=N"
    )
    player = play(layout)
    found = finding(player, "cxl-no-region")
    assert (found.severity, found.devices, found.capacity) == ("notice", ("mem0", "mem1", "mem2"), 1792 * MIB)
    assert " ".join(remedy(found).argv) == "cxl create-region -t pmem -d decoder0.0 -w 2 -m mem1 mem2"
    after = cured(player, "cxl-no-region")
    assert "cxl-no-region" not in ids(after)
    assert [(each.name, each.raw) for each in after.balances if each.kind == "region"] == [("region0", 1536 * MIB)]
    assert "cxl-no-region" not in ids(diagnose_machine(parse_machine("6.12; 1M-2G ram, 4G+4G CXL Window 0")))


def _script(text: str):  # type: ignore[no-untyped-def]
    from sparsemem.play.shell import parse_step

    return parse_step(text)


def state(found: Diagnosis, check: str) -> str:
    (run,) = [each for each in found.checks if each.name == check]
    return f"{run.state} {run.reason}".strip()


def test_c01_the_second_region() -> None:
    player = play(C01, "ndctl create-namespace -r region0", "ndctl create-namespace -r region1", ndctl=63, refused=True)
    found = finding(player, "devices-share-section")
    assert found.devices == ("namespace1.0",)
    assert found.kernel_says == (
        "namespace1.0 alignment collision, truncate 67108864 bytes",  # quoted
        "namespace1.0: Conflicting mapping in same section",  # quoted
    )
    (first, _) = diagnose_machine(player.machine).balances
    assert (first.raw, first.share("data"), first.share("padding")) == (
        270582939648,
        266285875200,
        67108864,
    )  # all quoted
    assert "devices-share-section" not in ids(cured(player, "devices-share-section"))


@pytest.mark.parametrize(("layout", "step", "ndctl", "size"), [
    (SIX_WAYS.format("5.0"), "ndctl create-namespace -m fsdax -s 132m", 64, 402653184),
    ("4.17; 1M-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2",
     "ndctl create-namespace --mode memory --map mem --region region0 --size 64M", 60, 134217728),
])  # fmt: skip
def test_c02_c03_what_is_free_begins_in_a_taken_section(layout: str, step: str, ndctl: int, size: int) -> None:
    player = play(layout, step, ndctl=ndctl)
    found = finding(player, "free-space-in-taken-section")
    assert found.errno == "ENOMEM"
    assert found.kernel_says == ("Conflicting mapping in same section",)  # quoted (C02)
    play_again = play(layout, step, step, ndctl=ndctl, refused=True)  # and so it is
    assert "Conflicting mapping in same section" in " ".join(line.text for line in play_again.machine.state.lines)
    assert str(size) in remedy(found).steps[-1]  # the smallest multiple of section and interleave width
    assert "free-space-in-taken-section" not in ids(cured(player, "free-space-in-taken-section"))
    newer = play(layout.replace(layout.split(";")[0], "5.6", 1), step.replace("memory", "fsdax"))
    assert "free-space-in-taken-section" not in ids(diagnose_machine(newer.machine))


def test_c17_what_is_free_begins_inside_a_sub_section() -> None:
    line = "{}; 0-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2"
    step = "ndctl create-namespace -s 16908288 --align 64K"
    player = play(line.format("5.4 ppc64"), step, ndctl=67)
    found = finding(player, "free-space-off-sub-section")
    assert (found.errno, found.ranges) == ("EINVAL", (Range(0x101020000, 0x101200000),))
    assert found.kernel_says == ("memory add fail, invalid altmap",)  # quoted
    again = play(line.format("5.4 ppc64"), step, step, ndctl=67, refused=True)
    assert found.kernel_says[0] in [line.text for line in again.machine.state.lines]
    assert "free-space-off-sub-section" not in ids(cured(player, "free-space-off-sub-section"))
    whole = step.replace("16908288", str(16 * MIB)).replace(" --align 64K", "")
    for version, typed in (("5.6", whole), ("5.7", whole), ("5.2", "ndctl create-namespace -m sector -s 64M")):
        assert "free-space-off-sub-section" not in ids(
            diagnose_machine(play(line.format(version), typed, ndctl=67).machine)
        )
    hidden = tuple(replace(fact, range=None) for fact in read_model(player.machine).namespaces)
    ctx = make_context(player.machine, replace(read_model(player.machine), namespaces=hidden), True, (), captured=False)
    assert state(_examine(ctx, ()), "free-off-sub-section").startswith("skipped the addresses of namespace0.0")


def test_c19_no_round_size_is_legal_on_six_dimms() -> None:
    found = finding(play(SIX_WAYS.format("5.3")), "interleave-unit")
    assert "4303355904" in found.what  # quoted: "did you intend --size=4303355904?"
    assert found.kernel_says[0] == "'--size=' must align to interleave-width: 6 and alignment: 2097152"  # quoted
    newer = finding(play(SIX_WAYS.format("6.1")), "interleave-unit")
    assert "multiples of 96 MiB" in newer.what  # C15: 16 MiB x 6
    refused = play(SIX_WAYS.format("6.1"), "ndctl create-namespace -s 4G", refused=True)
    assert newer.kernel_says[0] in refused.step("x", _script("ndctl create-namespace -s 4G")).stdout
    assert "interleave-unit" not in ids(
        diagnose_machine(play(SIX_WAYS.format("6.1").replace("ways=6", "ways=4")).machine)
    )
    assert state(diagnose_machine(parse_machine("6.1; 1M-2G ram")), "interleave-unit") == "nothing there are no regions"


def test_c22_an_align_of_1_gib_costs_one() -> None:
    player = play(LABELLED.format("6.1"), "ndctl create-namespace -m devdax -a 1G -s 2G")
    found = finding(player, "align-cost")
    assert "(2 GiB) offers 1 GiB" in found.what  # quoted: "2G gives 1G"
    (balance,) = diagnose_machine(player.machine).balances
    assert balance.share("data") == GIB
    assert found.capacity == balance.share("rounding") == sum(r.size for r in found.ranges)
    assert "align-cost" not in ids(cured(player, "align-cost"))
    hidden = tuple(replace(fact, range=None) for fact in read_model(player.machine).namespaces)
    ctx = make_context(player.machine, replace(read_model(player.machine), namespaces=hidden), True, (), captured=False)
    assert state(_examine(ctx, ()), "align-cost").startswith("skipped the addresses of namespace0.0")


def test_c25_a_region_without_labels() -> None:
    player = play("4.17; 1M-4G ram, 4G+4G pmem; nd_region 0x100000000-0x1ffffffff bus=e820",
                  "ndctl create-namespace -e namespace0.0 -f -s 1G", ndctl=60)  # fmt: skip
    assert "namespace0.0 has all 4 GiB of it" in finding(player, "label-less-region").what
    (balance,) = diagnose_machine(player.machine).balances
    assert (balance.raw, balance.share("data")) == (4294967296, 4225761280)  # quoted
    assert balance.lost == 66 * MIB
    labelled = play(LABELLED.format("4.17").replace("target_node=1", ""), "ndctl create-namespace -s 1G", ndctl=60)
    assert "label-less-region" not in ids(diagnose_machine(labelled.machine))


def test_c26_metadata_off_the_block_line() -> None:
    player = play("5.7; 1M-4G ram, 5G+8G pmem; with possible_nodes=2; nd_region 0x140000000-0x33fffffff labels=1.2 target_node=1",
                  "ndctl create-namespace -m devdax -f", "daxctl reconfigure-device -m system-ram dax0.0")  # fmt: skip
    (balance,) = diagnose_machine(player.machine).balances
    assert balance.share("outside-blocks") == 126 * MIB
    assert balance.share("ram") == 7936 * MIB
    assert balance.share("info") + balance.share("memmap") + balance.share("rounding") == 130 * MIB
    assert finding(player, "kmem-stranded").ranges == (
        Range(0x148200000, 0x150000000),
    )  # quoted: dax0.0 starts at 150000000


@pytest.mark.parametrize("version", ["5.4", "6.1", "6.12"])
def test_c26_as_much_ram_in_a_smaller_namespace(version: str) -> None:
    layout = f"{version}; 1M-4G ram, 5G+8G pmem; with auto_online=offline possible_nodes=2"
    player = play(f"{layout}; nd_region 0x140000000-0x33fffffff labels=1.2 target_node=1",
                  "ndctl create-namespace -m devdax", "daxctl reconfigure-device -m system-ram dax0.0")  # fmt: skip
    assert remedy(finding(player, "kmem-stranded")).argv[-1] == str(8064 * MIB)
    after = cured(player, "kmem-stranded")
    assert "kmem-stranded" not in ids(after)
    assert (after.balances[0].share("ram"), after.balances[0].share("free")) == (7936 * MIB, 128 * MIB)


def test_no_smaller_namespace_gives_as_much_ram() -> None:
    """With map=mem the data begins 2 MiB behind the start, whatever the size."""
    player = play("6.1; 1M-4G ram, 5G+8G pmem; with possible_nodes=2; nd_region 0x140000000-0x33fffffff labels=1.2 target_node=1",
                  "ndctl create-namespace -m devdax -M mem", "daxctl reconfigure-device -m system-ram dax0.0")  # fmt: skip
    found = finding(player, "kmem-stranded")
    assert found.capacity == 126 * MIB
    assert not any(each.steps for each in found.remedies)


def test_a_devdax_namespace_of_an_old_kernel_is_clean() -> None:
    """Up to 5.0 a dax device is of a class and claims nothing in iomem: that is no lost range."""
    for version in ("4.17", "5.0", "5.1"):
        player = play(LABELLED.format(version), "ndctl create-namespace -m devdax", ndctl=64)
        assert "driver-lost-its-range" not in ids(diagnose_machine(player.machine))


def test_c28_a_device_below_a_block_is_made_larger() -> None:
    layout = LABELLED.format("6.1").replace("possible_nodes=2", "block=2G possible_nodes=2")
    player = play(layout, "ndctl create-namespace -m devdax -s 256M")
    found = finding(player, "kmem-stranded")
    assert found.capacity == 250 * MIB  # quoted
    assert remedy(found).steps[-1][-1] == str(4 * GIB)  # ndctl commit 194a73d went to 4 GiB, too
    after = cured(player, "kmem-stranded")
    assert "kmem-stranded" not in ids(after)
    player = play(layout, "ndctl create-namespace -m devdax -s 4G", "daxctl reconfigure-device -m system-ram dax0.0")
    assert diagnose_machine(player.machine).balances[0].share("ram") == 2 * GIB


def test_c33_the_address_for_the_dimm() -> None:
    player = play("4.17 x86_64; 1000-9fbff ram, 100000-bffdefff ram, 100000000-103fffffff ram; with block=2G")
    found = finding(player, "dimm-misaligned")
    assert "addr=0x1080000000" in remedy(found).argv[1]
    assert "dimm-misaligned" not in ids(cured(player, "dimm-misaligned"))


@pytest.mark.parametrize(("version", "words"), [("6.1", "Invalid argument"), ("5.10", "No such device")])
def test_c47_no_target_node(version: str, words: str) -> None:
    layout = LABELLED.format(version).replace("target_node=1", "target_node=-1")
    player = play(
        layout, "ndctl create-namespace -m devdax", "daxctl reconfigure-device -m system-ram dax0.0", refused=True
    )
    found = finding(player, "no-target-node")
    assert words in found.what
    said = [line.text for line in player.machine.state.lines]
    assert found.kernel_says[0] in said  # the model's driver says it when it is tried
    assert "no-target-node" not in ids(
        diagnose_machine(play(LABELLED.format(version), "ndctl create-namespace -m devdax").machine)
    )
    assert state(diagnose_machine(parse_machine("6.1; 1M-2G ram")), "target-node") == "nothing there are no dax devices"


def test_a_policy_that_stops_daxctl() -> None:
    make = "ndctl create-namespace -m devdax -s 1G"
    player = play(
        LABELLED.format("6.1"),
        f"echo online > {POLICY}",
        make,
        "daxctl reconfigure-device -m system-ram dax0.0",
        refused=True,
    )
    found = finding(player, "auto-online-policy")
    assert found.kernel_says == ("dax0.0: error: kernel policy will auto-online memory, aborting",)
    assert "auto-online-policy" not in ids(cured(player, "auto-online-policy"))
    assert player.step("true", ()).exit_code == 0
    unread = replace(read_model(player.machine), auto_online=None)
    ctx = make_context(player.machine, unread, True, (), captured=False)
    assert state(_examine(ctx, ()), "auto-online") == "skipped auto_online_blocks was not read"


def test_kmem_blocks_that_are_partly_online_have_chmem_as_a_remedy_too() -> None:
    steps = (
        "ndctl create-namespace -m devdax -s 1G",
        "daxctl reconfigure-device -N -m system-ram dax0.0",
        "echo online_kernel > /sys/devices/system/memory/memory34/state",
    )
    player = play(LABELLED.format("6.1"), *steps)
    first, second = finding(player, "kmem-partly-online").remedies
    assert first.argv == ("daxctl", "online-memory", "dax0.0")
    assert second.steps == (
        ("chmem", "-e", "-z", "Movable", "-b", "33"),
        ("chmem", "-e", "-z", "Movable", "-b", "35-39"),
    )
    assert second.commands == ("sh -c 'chmem -e -z Movable -b 33 && chmem -e -z Movable -b 35-39'",)
    for step in second.steps:
        answer = player.step(shlex.join(step), parse_step(shlex.join(step)))
        assert (answer.exit_code, answer.stdout) == (0, "")
    assert "kmem-partly-online" not in ids(diagnose_machine(player.machine))
    assert {player.machine.state.blocks[number].zone for number in (33, 35, 36, 37, 38, 39)} == {"Movable"}
    other = play(LABELLED.format("6.1"), *steps)
    words = "daxctl online-memory dax0.0"
    assert "WARNING: detected a race" in other.step(words, parse_step(words)).stdout


def test_kmem_blocks_that_are_partly_online() -> None:
    player = play(LABELLED.format("6.1"), "ndctl create-namespace -m devdax -s 1G", "daxctl reconfigure-device -N -m system-ram dax0.0",
                  "echo online_movable > /sys/devices/system/memory/memory34/state")  # fmt: skip
    found = finding(player, "kmem-partly-online")
    assert (found.severity, found.capacity) == ("warning", 6 * 128 * MIB)
    assert "kmem-partly-online" not in ids(cured(player, "kmem-partly-online"))
    unread = replace(read_model(player.machine), blocks=())
    ctx = make_context(player.machine, unread, True, (), captured=False)
    assert state(_examine(ctx, ()), "partly-online") == "skipped the states of the memory blocks are not known"


def test_ram_of_a_device_in_a_kernel_zone() -> None:
    make = "ndctl create-namespace -m devdax -s 1G"
    stuck = play(LABELLED.format("6.1"), make, "daxctl reconfigure-device --no-movable -m system-ram dax0.0")
    assert finding(stuck, "unmovable-block").capacity == 7 * 128 * MIB
    back = play(LABELLED.format("6.1"), make, "daxctl reconfigure-device --no-movable -m system-ram dax0.0",
                "daxctl reconfigure-device -m devdax dax0.0", refused=True)  # fmt: skip
    assert "Device or resource busy" in back.step("x", _script("daxctl reconfigure-device -m devdax dax0.0")).stdout
    assert "unmovable-block" not in ids(cured(stuck, "unmovable-block"))
    unread = replace(read_model(stuck.machine), blocks=())
    ctx = make_context(stuck.machine, unread, True, (), captured=False)
    assert state(_examine(ctx, ()), "movable").startswith("skipped the states of the memory blocks")


def test_a_sub_section_that_two_devices_share() -> None:
    """Borders of 4 KiB, as old kernels made them (C15, C17)."""
    line = "{}; 1M-2G ram, 4G+{}K pmem, {}K+64M pmem"
    shared = diagnose_machine(parse_machine(line.format("6.1", 65536 + 128, 4 * 1024 * 1024 + 65536 + 128)))
    (found,) = [each for each in shared.findings if each.id == "subsection-shared"]
    assert found.ranges == (Range(0x104000000, 0x104200000),)
    apart = diagnose_machine(parse_machine(line.format("6.1", 65536, 4 * 1024 * 1024 + 65536)))
    assert "subsection-shared" not in ids(apart)
    rounded = diagnose_machine(parse_machine("6.1; 1M-2G ram, 4G-0x10007ffff ram, 0x100080000-0x103ffffff pmem"))
    assert "boot-map-rounding" in ids(rounded)
    lsmem = '{"memory": [{"range": "0x0000000000000000-0x000000007fffffff", "size": "2G", "state": "online", "block": "0-15"}]}'
    assert state(diagnose(read_text(lsmem, "lsmem.json"), "6.1"), "sub-sections").startswith("skipped no addresses")


def test_c15_what_a_newer_kernel_refuses() -> None:
    region = "0x1860000000-0xd55fffffff"
    layout = f"{{}}; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region {region} ways=6 labels=1.2"
    make = "ndctl create-namespace -m fsdax -a 4K -s 53687107584"
    player = play(layout.format("5.2"), make, ndctl=64)
    found = finding(player, "refused-by-newer-kernels")
    assert (found.errno, found.ranges) == (
        "EOPNOTSUPP",
        (Range(0x1860000000, 0x24E0004000),),
    )  # quoted: 1860000000-24e0003fff
    cut = play(
        layout.format("5.6"), make, ndctl=66
    )  # 5.3 to 5.6 cut the end of the data to 2 MiB: nothing is refused later
    (balance,) = diagnose_machine(cut.machine).balances
    assert balance.share("data") == 52846133248  # quoted
    assert "refused-by-newer-kernels" not in ids(diagnose_machine(cut.machine))
    newer = diagnose(replace(read_model(player.machine), arch="x86_64"), "5.7")
    (refused,) = [each for each in newer.findings if each.id == "namespace-misaligned"]
    assert refused.kernel_says == ("resource end misaligned",)
    assert remedy(refused).argv[-1] == str(50 * GIB // (96 * MIB) * 96 * MIB)  # quoted: region align 96 MiB
    # cured: what 5.7 makes itself, it takes
    made = play(layout.format("5.7"), f"ndctl create-namespace -m fsdax -s {remedy(refused).argv[-1]}")
    assert not {"namespace-misaligned", "refused-by-newer-kernels"} & ids(diagnose_machine(made.machine))


def test_c15_the_space_between_misplaced_namespaces_comes_back() -> None:
    layout = "5.7; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region 0x1860000000-0xd55fffffff ways=6 labels=1.2"
    align = "> /sys/bus/nd/devices/region0/align"
    steps = (f"echo 24576 {align}", "ndctl create-namespace -m fsdax -a 4096 -s 53687107584",
             "ndctl create-namespace -m sector -l 512 -s 53687107584", f"echo 100663296 {align}",
             "ndctl create-namespace -s 36g")  # fmt: skip
    player = play(layout, *steps)
    found = finding(player, "region-align-finding")
    assert (found.ranges, found.lost) == ((Range(0x3160008000, 0x3162000000),), True)  # quoted
    verbs = [words[1] for words in remedy(found).steps]
    assert verbs == ["create-namespace", "destroy-namespace", "create-namespace"]  # made anew it would keep its start
    assert "region-align-finding" not in ids(cured(player, "region-align-finding"))


def test_a_misaligned_namespace_finds_another_place() -> None:
    """Made anew under its own name it would keep its start (C15: namespace0.1, on a kernel that looks)."""
    layout = "{}; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region 0x1860000000-0xd55fffffff ways=6 labels=1.2"
    steps = ("ndctl create-namespace -m sector -s 24M", "ndctl create-namespace -m fsdax -a 4K -s 53687107584")
    old = play(layout.format("5.2"), *steps, ndctl=64)
    newer = diagnose(replace(read_model(old.machine), arch="x86_64"), "5.7")
    (refused,) = [each for each in newer.findings if each.id == "namespace-misaligned"]
    assert [words[1] for words in remedy(refused).steps] == ["destroy-namespace", "create-namespace"]
    assert remedy(refused).steps[1][-1] == str(50 * GIB // (96 * MIB) * 96 * MIB)


def test_a_range_that_somebody_else_holds() -> None:
    """C49: device-tree memory that the EFI map gave away as RAM."""
    iomem = "48000000-67ffffff : System RAM\n68000000-7fffffff : System RAM\n"
    ndctl = '[{"dev":"region0","size":536870912,"type":"pmem","namespaces":[]}]'
    text = read_text(iomem, "dt")
    region = read_text(ndctl, "nd").regions[0]
    held = replace(
        text, arch="arm64", regions=(replace(region, range=Range(0x48000000, 0x68000000)),), kernel_release="6.10.0"
    )
    (found,) = [each for each in diagnose(held).findings if each.id == "device-range-busy"]
    assert found.errno == "EBUSY"  # quoted: error -16
    assert found.kernel_says == (
        "nd_pmem namespace0.0: could not reserve region [mem 0x48000000-0x67ffffff]",
    )  # quoted
    moved = replace(held, iomem=read_text("68000000-7fffffff : System RAM\n", "dt").iomem)
    assert "device-range-busy" not in ids(diagnose(moved))


@pytest.mark.parametrize(("operation", "steps"), [
    ("remove_memory 0x220000000-0x220ffffff", (("offline", "memory136"), ("remove_memory", "0x220000000-0x223ffffff"))),
    ("add_memory 0x401000000-0x401ffffff", (("add_memory", "0x404000000-0x407ffffff"),)),
])  # fmt: skip
def test_c39_whole_memory_blocks(operation: str, steps: tuple[tuple[str, ...], ...]) -> None:
    found = diagnose_machine(parse_machine(f"5.10 ppc64; 0-16G ram; with block=64M; {operation}"))
    (refused,) = [each for each in found.findings if each.id == "dimm-misaligned" and each.check == "steps"]
    assert remedy(refused).steps == steps
    cure = play("5.10 ppc64; 0-16G ram; with block=64M", *(" ".join(words) for words in steps))
    assert "dimm-misaligned" not in ids(diagnose_machine(cure.machine))


def test_c41_beyond_the_direct_map() -> None:
    iomem = "00100000-7fffffff : System RAM\n3ff000000000-3ff0ffffffff : Persistent Memory\n"
    text = replace(read_text(iomem, "vm"), arch="x86_64", hypervisor=True, cmdline="quiet")
    (found,) = [each for each in diagnose(text, "6.12.10").findings if each.id == "beyond-direct-map"]
    assert found.ranges == (Range(0x3FF000000000, 0x3FF100000000),)
    assert "beyond-direct-map" not in ids(
        diagnose(replace(text, cmdline="quiet nokaslr"), "6.12.10")
    )  # quoted: "nokaslr masks it"
    assert "beyond-direct-map" not in ids(diagnose(text, "6.18"))


def test_c30_two_drivers_for_one_range() -> None:
    iomem = (
        "00100000-7fffffff : System RAM\n850000000-284fffffff : CXL Window 0\n  850000000-284fffffff : Soft Reserved\n"
    )
    found = diagnose(replace(read_text(iomem, "amd"), arch="x86_64"), "7.2")
    (twice,) = [each for each in found.findings if each.id == "soft-reserved-twice"]
    assert twice.capacity == 128 * GIB  # quoted
    assert "hmem range [mem 0x850000000-0x284fffffff flags 0x80000200] already active" in twice.kernel_says  # quoted
    plain = iomem.splitlines()[:2]
    assert "soft-reserved-twice" not in ids(
        diagnose(replace(read_text("\n".join(plain) + "\n", "amd"), arch="x86_64"), "7.2")
    )


def test_c32_the_low_memory_hole() -> None:
    iomem = "00000000-7fffffff : CXL Window 0\n100000000-27fffffff : CXL Window 1\n{}-{} : System RAM\n"
    found = diagnose(
        replace(read_text(iomem.format("1000000000", "10ffffffff"), "lmh"), arch="x86_64", hypervisor=False), "6.12"
    )
    (hole,) = [each for each in found.findings if each.id == "cxl-low-memory-hole"]
    assert "12: 1 GiB" in hole.what  # quoted: of 12 x 256 MiB = 3 GiB, 2 GiB are usable
    above = "100000000-27fffffff : CXL Window 1\n1000000000-10ffffffff : System RAM\n"
    assert "cxl-low-memory-hole" not in ids(
        diagnose(replace(read_text(above, "lmh"), arch="x86_64", hypervisor=False), "6.12")
    )


def test_the_edge_of_a_boot_section_is_never_ram() -> None:
    line = "6.1; 1M-2G ram, 4G-0x103ffffff ram, {} CXL Window 0"
    edge = diagnose_machine(parse_machine(line.format("0x104000000-0x13fffffff")))
    (found,) = [each for each in edge.findings if each.id == "early-section-edge"]
    assert (found.errno, found.ranges) == ("EEXIST", (Range(0x104000000, 0x108000000),))
    assert "early-section-edge" not in ids(diagnose_machine(parse_machine(line.format("0x108000000-0x13fffffff"))))


@pytest.mark.parametrize("version", ["4.18", "4.20", "5.1", "5.2"])
@pytest.mark.parametrize("past", [0, 2, 64, 126])
@pytest.mark.parametrize("size", [254, 256, 318, 1022, 1024])
def test_a_page_array_that_has_no_room_in_its_namespace(version: str, past: int, size: int) -> None:
    """Up to 5.2, in a region that begins inside a section: said before anything is made, and so where, and only where, it fails."""
    start = (4096 + past) * MIB
    line = f"{version}; 1M-2G ram, {start:x}-{start + size * MIB - 1:x} pmem; nd_region {start:#x}-{start + size * MIB - 1:#x} labels=1.2"
    found = [each for each in diagnose_machine(parse_machine(line)).findings if each.rule == "altmap-exhausted"]
    made = Player(parse_machine(line), ndctl=(67,))
    answer = made.step("ndctl create-namespace", parse_step("ndctl create-namespace"))
    assert bool(found) == (answer.exit_code != 0)
    for cure in (each for refused in found for each in refused.remedies if each.steps):
        player = Player(parse_machine(line), ndctl=(67,))
        text = " ".join(cure.steps[0])
        assert player.step(text, parse_step(text)).exit_code == 0, text
