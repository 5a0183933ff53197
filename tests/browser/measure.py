"""Size and cost of pages, for docs/speed.md: ``python -m tests.browser.measure``. CPU time of the page's thread, so that a busy
computer counts little; wall-clock times are printed beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.doctor import machine as captured
from sparsemem.doctor.engine import examine
from sparsemem.doctor.picture import finding_marks, scene_of
from sparsemem.draw import Scene, build_scene, compare, paint_html
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, paint_plan, parse_intent
from sparsemem.readers import read_machine
from tests.browser import pages
from tests.browser.chromium import Browser, Page, program
from tests.draw import machines
from tests.planner.machines import GIB, machine


def _ranges(count: int) -> Scene:
    """64 TiB, 4 of them RAM, with ``count`` namespaces of 6 GiB and some sub-sections: no two sections of theirs fold."""
    machine = parse_machine("6.1; 1000-9fbff ram, 1M-3G ram, 4G-4T ram, 8T-64T pmem")
    step = (56 << 40) // count & ~((1 << 21) - 1)
    for n in range(count):
        start = (8 << 40) + n * step
        end = start + (6 << 30) + (n % 60 + 1 << 21)
        assert (
            machine.apply(f"memremap_pages {start:#x}-{end - 1:#x} owner=namespace{n // 64}.{n % 64}").refusal is None
        )
    return build_scene(machine.state, exact=True)


def _doctor(count: int, folder: Path) -> str:
    """What ``doctor --html`` writes for a captured machine with that many namespaces."""
    folder.mkdir()
    captured(folder, count)
    ctx, diagnosis = examine(read_machine(str(folder)))
    return paint_html(scene_of(ctx), marks=finding_marks(diagnosis.findings))


def _plan(count: int) -> str:
    """What ``plan --html`` writes for that many namespaces; most of a minute is the planner's."""
    return paint_plan(make_plan(machine("6.12", *[96 * GIB] * 8), parse_intent(f"{count} x fsdax 128M")))


def _cpu(page: Page) -> float:
    """Seconds that the page's main thread has worked."""
    metrics = {each["name"]: each["value"] for each in page.call("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def _measure(browser: Browser, name: str, text: str, folder: Path) -> None:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    blank = folder / "blank.html"
    blank.write_text("<html data-ready='0'></html>", encoding="utf-8")
    page = browser.page(blank.as_uri())
    page.call("Performance.enable", timeDomain="threadTicks")
    page.call("Page.navigate", url=path.as_uri())
    page.wait("location.pathname.endsWith('page.html') && document.documentElement?.dataset.ready")
    page.painted()
    loaded = _cpu(page)
    page.wait("performance.getEntriesByName('first-contentful-paint').length")
    first = page.run("Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime)")
    ready = page.run("document.documentElement.dataset.ready")
    began, steps = time.monotonic(), ("+",) * 10 + ("-",) * 10
    page.press(*steps)
    step = (time.monotonic() - began) / len(steps)
    worked = (_cpu(page) - loaded) / len(steps)
    elements = page.run("document.querySelectorAll('.piece').length")
    cpu = f"{loaded * 1000:.0f} ms | {worked * 1000:.0f} ms"
    print(
        f"| {name} | {len(text) / 1e6:.2f} MB | {cpu} | {first} ms | {ready} ms | {step * 1000:.0f} ms | {elements:,} |"
    )
    page.close()


def main() -> None:
    path = program()
    if path is None:
        sys.exit("no Chromium")
    browser = Browser(path)
    print(
        "| page | size | CPU: open | CPU: zoom | first paint | picture | zoom | pieces |\n|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        many = _ranges(8192)
        for name, text in (
            ("pmem-guest, doctor", pages.doctor()),
            ("pmem-guest, plan", pages.plan()),
            ("4,096 namespaces, doctor", _doctor(4096, Path(folder) / "captured")),
            ("4,096 namespaces, plan", _plan(4096)),
            ("64 TiB, 2 ranges", paint_html(machines.huge())),
            ("64 TiB, 8,192 ranges", paint_html(many)),
            ("64 TiB, 8,192 ranges, two beside each other", paint_html(compare(many, many))),
        ):
            _measure(browser, name, text, Path(folder))
    browser.close()


if __name__ == "__main__":
    main()
