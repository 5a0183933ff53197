"""Captured machines that work, judged for their own kernel and for newer ones: every error and warning is in a file, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsemem import fixtures
from sparsemem.doctor import diagnose
from sparsemem.doctor.upgrade import compare_kernels
from sparsemem.machine.build import kernel_of
from sparsemem.readers import read_machine

GOLDEN = Path(__file__).parent / "golden_alarms.txt"
DATA = Path(__file__).parents[1] / "readers/data"
NEWER = ("6.1", "6.12", "7.2")


def machines() -> list[tuple[str, str]]:
    """(name, path) of the bundled machines and of those captured from real kernels for the readers."""
    bundled = [(f"example:{name}", fixtures.path(name)) for name in fixtures.names()]
    return bundled + [
        (f"readers/{path.relative_to(DATA)}", str(path))
        for path in sorted([*DATA.glob("*/boot.log"), *DATA.glob("*/tree.tar.xz"), DATA / "laptop-iomem.txt"])
    ]


def alarms(name: str, path: str) -> list[str]:
    """``MACHINE KERNEL SEVERITY FINDING DEVICES`` for its own kernel; ``A->B SEVERITY WHAT`` for what an upgrade brings."""
    description = read_machine(path)
    found = [
        f"{name} own {each.severity} {each.id} {','.join(each.devices[:2]) or '-'}"
        for each in diagnose(description).findings
        if each.severity != "notice"
    ]
    own = kernel_of(description)[0].version if description.kernel_release is not None else None
    for version in NEWER:
        if own is None or not own < kernel_of(description, version)[0].version:
            continue
        upgrade = compare_kernels(description, None, version)
        found += [
            f"{name} ->{version} {each.severity} {each.id} {','.join(each.devices[:2]) or '-'}"
            for each in upgrade.changes
            if each.severity in ("error", "warning")
        ]
    return found


def listed() -> dict[str, str]:
    """Alarm -> why it is true, from the file: a line with the alarm, and indented ones with the reason."""
    known: dict[str, str] = {}
    alarm = ""
    for text in GOLDEN.read_text().splitlines():
        if text.startswith(" "):
            known[alarm] = f"{known[alarm]} {text.strip()}".strip()
        elif text and not text.startswith("#"):
            alarm = text
            known[alarm] = ""
    return known


@pytest.mark.parametrize(("name", "path"), machines(), ids=[name for name, _ in machines()])
def test_errors_and_warnings_are_those_in_the_file(name: str, path: str) -> None:
    assert alarms(name, path) == [alarm for alarm in listed() if alarm.startswith(f"{name} ")]


def test_each_alarm_has_a_reason() -> None:
    names = {name for name, _ in machines()}
    for alarm, reason in listed().items():
        assert len(reason) > 40, alarm
        assert alarm.split()[0] in names
