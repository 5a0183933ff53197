"""The pages of these tests. ``python -m tests.browser.pages`` prints how the goldens would change; ``--write`` writes them,
``--pictures DIR`` takes screenshots for people to look at.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from sparsemem import fixtures
from sparsemem.doctor import diagnose
from sparsemem.doctor.diff import diff_machines, portrait_of_machine
from sparsemem.doctor.diff.page import paint_diff
from sparsemem.doctor.dmesg import explain_log
from sparsemem.doctor.dmesg.page import paint_log
from sparsemem.doctor.picture import finding_marks
from sparsemem.doctor.upgrade import compare_kernels
from sparsemem.doctor.upgrade.page import paint_upgrade
from sparsemem.draw import Scene, build_scene, compare, paint_html
from sparsemem.machine.build import build
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import Plan, make_plan, make_vm, paint_plan, parse_intent, parse_vm
from sparsemem.readers import read_machine
from tests.browser.chromium import Browser, program
from tests.browser.structure import outline, shown, told
from tests.draw import machines
from tests.planner.machines import cxl_machine

GOLDEN = Path(__file__).parent / "golden"


def _example(name: str, kernel: str) -> tuple[Scene, tuple[object, ...]]:
    description = read_machine(fixtures.path(name))
    machine = build(description, kernel).machine
    return build_scene(machine.state, machine.faults(), exact=True), diagnose(description, kernel).findings


@cache
def doctor(name: str = "pmem-guest", kernel: str = "6.1") -> str:
    """A bundled machine with the doctor's findings."""
    scene, findings = _example(name, kernel)
    return paint_html(scene, marks=finding_marks(findings))  # type: ignore[arg-type]


@cache
def two_kernels() -> str:
    """One machine on two kernels, with the findings of either."""
    left, before = _example("pmem-two-regions", "4.18")
    right, after = _example("pmem-two-regions", "6.1")
    marks = finding_marks(before, 0) + finding_marks(after, 1)  # type: ignore[arg-type]
    return paint_html(compare(left, right), marks=marks)


@cache
def plan_of(intent: str, name: str = "pmem-guest") -> Plan:
    """A plan for a bundled machine."""
    return make_plan(build(read_machine(fixtures.path(name)), devices=True).machine, parse_intent(intent))


def plan() -> str:
    """Everything of a machine is replaced, by two namespaces and by memory."""
    return paint_plan(plan_of("replace all, 2 x fsdax 208M name=db, system-ram all whole blocks"))


def no_plan() -> str:
    """What cannot be had, with what can."""
    return paint_plan(plan_of("fsdax 900G"))


@cache
def cxl_plan_of() -> Plan:
    """A CXL region goes, another one is made, with two namespaces, one of them memory, of which a part goes offline; boot memory, too."""
    board = make_plan(cxl_machine(), parse_intent("region on mem0, fsdax 256M")).after
    intent = (
        "replace region0, region on mem0 mem1, fsdax 256M, system-ram 512M, offline memory226-memory227 memory1-memory2"
    )
    return make_plan(board, parse_intent(intent))


def cxl_plan() -> str:
    """Its page."""
    return paint_plan(cxl_plan_of())


@cache
def memory_plan_of() -> Plan:
    """Memory alone: hot-plugged blocks go online in two zones, and one of boot memory offline."""
    layout = "6.12; 1M-2G ram; with auto_online=offline; add_memory 0x100000000-0x11fffffff; add_memory 0x180000000-0x18fffffff"
    return make_plan(parse_machine(layout), parse_intent("online 512M no-movable, online all, offline memory5"))


def memory_plan() -> str:
    """Its page."""
    return paint_plan(memory_plan_of())


@cache
def guest_plan() -> str:
    """A guest's memory devices, and namespaces on them."""
    vm = make_vm(parse_vm("ram 4G, dimm 2G, 2 x pmem 10G"), "6.12")
    assert vm.machine is not None
    return paint_plan(make_plan(vm.machine, parse_intent("fsdax rest")), vm)


@cache
def upgrade() -> str:
    """Device memory beside RAM, from a kernel that refuses it to one that maps it."""
    description = replace(read_machine(fixtures.path("mixed-region")), source="mixed-region")
    found = compare_kernels(description, "5.1", "6.1")
    # What has no address does not matter here, and there may be more of it when more is known of kernels.
    return paint_upgrade(replace(found, changes=tuple(each for each in found.changes if each.ranges)))


@cache
def diff() -> str:
    """A memory block that came, RAM that went."""
    before = parse_machine("6.1; 0-4G ram, 4G+256M ram, 8G+1G pmem")
    after = parse_machine("6.1; 0-4G ram, 8G+1G pmem; add_memory 0x100000000-0x107ffffff")
    return paint_diff(diff_machines(portrait_of_machine(before), portrait_of_machine(after)))


@cache
def log() -> str:
    """A boot log with a WARN about device memory beside RAM, of the machine that it describes."""
    text = (Path(__file__).parents[1] / "doctor/logs/C09-5.1.log").read_text(encoding="utf-8")
    return paint_log(explain_log(text, "C09-5.1.log"), all_lines=True)


@cache
def beside() -> str:
    """RAM, a device, residue and hot-added RAM side by side; the list is of faults."""
    return paint_html(machines.ram_beside_pmem())


def many(*, exact: bool) -> Scene:
    """100 namespaces of a section each, then 200 of half a section."""
    machine = parse_machine("6.1; 1000-9fbff ram, 1M-2G ram, 4G+25600M pmem")
    start = 1 << 32
    for n in range(300):
        size = (128 if n < 100 else 64) << 20
        answer = machine.apply(f"memremap_pages {start:#x}-{start + size - 1:#x} owner=namespace0.{n}")
        assert answer.refusal is None
        start += size
    return build_scene(machine.state, exact=exact)


def stories() -> dict[str, tuple[str, tuple[int, int], bool, tuple[tuple[str, tuple[str, ...]], ...]]]:
    """Golden -> page, window, dark, and steps: what it is, and the keys. Made when wanted: a page takes a while."""
    return {
        "beside": (
            beside(), (1440, 900), False,
            (("as it opens", ()), ("first finding", ("n",)), ("zoomed to sub-sections", ("+", "+")), ("and out", ("0",))),
        ),
        "doctor": (doctor(), (1440, 1000), True, (("as it opens", ()), ("second finding", ("n", "n")), ("the one before", ("p",)))),
        "two-kernels": (
            two_kernels(), (1600, 1000), True,
            (("as it opens", ()), ("first finding", ("n",)), ("first difference", ("d",)), ("below each other", ("s",))),
        ),
        "narrow": (doctor("mixed-region", "5.1"), (420, 900), False, (("as it opens", ()), ("first finding", ("n",)))),
        "plan": (
            plan(), (1440, 1000), False,
            (("as it opens", ()), ("first that goes", ("n",)), ("last that is made", ("p", "p")), ("first difference", ("d",))),
        ),
        "no-plan": (no_plan(), (420, 900), True, (("as it opens", ()),)),
        "guest-plan": (guest_plan(), (1000, 900), True, (("as it opens", ()), ("first that is made", ("n",)))),
        "cxl-plan": (
            cxl_plan(), (1440, 1000), False,
            (("as it opens", ()), ("first that goes", ("n",)), ("the region that goes", ("n",)), ("the one that is made", ("n",))),
        ),
        "memory-plan": (
            memory_plan(), (1000, 900), True,
            (("as it opens", ()), ("first that goes online", ("n",)), ("the block that goes offline", ("p",))),
        ),
        "upgrade": (upgrade(), (1440, 1000), True, (("as it opens", ()), ("what is mapped now", ("p",)))),
        "diff": (diff(), (1000, 900), False, (("as it opens", ()), ("first change", ("n",)), ("second change", ("n",)))),
        "log": (log(), (900, 900), False, (("as it opens", ()), ("first line", ("n",)))),
        "arm64": (paint_html(machines.arm64()), (1024, 768), False, (("as it opens", ()), ("a device", ("g", "n", "v", "Enter")))),
        "64T": (paint_html(machines.huge()), (1440, 900), False, (("as it opens", ()), ("zoomed 10 times", ("+",) * 10))),
    }  # fmt: skip


def tell(browser: Browser, name: str, folder: Path, pictures: Path | None = None) -> str:
    """The golden of a story; screenshots on the way."""
    text, (width, height), dark, steps = stories()[name]
    path = folder / f"{name}.html"
    path.write_text(text, encoding="utf-8")
    page = browser.page(path.as_uri(), width=width, height=height, dark=dark)
    parts = []
    for number, (what, keys) in enumerate(steps):
        page.press(*keys)
        page.painted()
        parts.append(
            " ".join([f"== {name}, {what}", *(f"<{key}>" for key in keys)]) + "\n" + shown(page, strip=number == 0)
        )
        if pictures is not None:
            page.screenshot(pictures / f"{name}-{number}.png")
    around = told(page)
    if around:
        parts.append(f"== {name}, what is told around the picture\n{around}")
    parts.append(f"== {name}, as a screen reader gets it\n{outline(page)}")
    page.close()
    return "\n".join(parts)


def main(argv: list[str]) -> None:
    path = program()
    if path is None:
        sys.exit("no Chromium")
    pictures = Path(argv[argv.index("--pictures") + 1]) if "--pictures" in argv else None
    GOLDEN.mkdir(exist_ok=True)
    browser = Browser(path)
    with tempfile.TemporaryDirectory() as folder:
        for name in stories():
            golden = GOLDEN / f"{name}.txt"
            old = golden.read_text(encoding="utf-8") if golden.exists() else ""
            new = tell(browser, name, Path(folder), pictures)
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, name))
            if "--write" in argv:
                golden.write_text(new, encoding="utf-8")
    browser.close()


if __name__ == "__main__":
    main(sys.argv)
