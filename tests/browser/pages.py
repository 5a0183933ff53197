"""The pages of these tests. ``python -m tests.browser.pages`` prints how the goldens would change; ``--write`` writes them,
``--pictures DIR`` takes screenshots for people to look at.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from functools import cache
from pathlib import Path

from sparsemem import fixtures
from sparsemem.cli.page import finding_marks
from sparsemem.doctor import diagnose
from sparsemem.draw import Scene, build_scene, compare, paint_html
from sparsemem.machine.build import build
from sparsemem.machine.notation import parse_machine
from sparsemem.readers import read_machine
from tests.browser.chromium import Browser, program
from tests.browser.structure import outline, shown
from tests.draw import machines

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
