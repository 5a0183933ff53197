"""The doctor's answer as a whole: clean machines, what was not judged, text, JSON, and the fixtures as text files to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sparsemem import fixtures
from sparsemem.doctor import compare, diagnose, diagnose_machine, render_comparison, render_text, to_json
from sparsemem.machine.notation import parse_machine
from sparsemem.readers import read_machine, read_text
from sparsemem.spec.rules import RULES
from tests.doctor.machines import huge_iomem

GOLDEN = Path(__file__).parent / "golden"


def rendered(name: str) -> str:
    path = fixtures.path(name)
    return render_text(diagnose(read_machine(path))).replace(path, name)


@pytest.mark.parametrize("name", fixtures.names())
def test_fixture_reads_as_in_its_file(name: str) -> None:
    assert rendered(name).split() == (GOLDEN / f"{name}.txt").read_text().split()


@pytest.mark.parametrize("version", [None, "5.1", "5.10", "6.12", "7.2"])
def test_clean_machine_is_told_in_three_lines(version: str | None) -> None:
    clean = diagnose(read_machine(fixtures.path("firecracker-vm")), version)
    assert clean.findings == () or {each.id for each in clean.findings} == {"uninitialised-hole"}
    assert clean.exit_code == 0
    assert clean.skipped == ()
    if not clean.findings:
        assert len(render_text(clean, width=200).splitlines()) <= 3


def test_laptop_has_nothing_wrong_but_a_bug_of_its_kernel() -> None:
    laptop = read_machine(fixtures.path("laptop"))
    assert [(each.id, each.severity) for each in diagnose(laptop).findings] == [("uninitialised-hole", "notice")]
    assert diagnose(laptop, "5.6").findings == ()
    assert diagnose(laptop, "6.12").findings == ()


def test_a_check_without_input_says_so() -> None:
    lsmem = '{"memory": [{"range": "0x0000000000000000-0x000000007fffffff", "size": "2G", "state": "online", "block": "0-15"}]}'
    found = diagnose(read_text(lsmem, "lsmem.json"), "6.1")
    skipped = {check.name: check.reason for check in found.skipped}
    assert "mappings" in skipped
    assert "no addresses of devices are known" in skipped["mappings"]
    assert "skipped, because" in render_text(found)


def test_hidden_addresses_are_a_finding_and_nothing_is_judged_from_them(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/iomem").write_text("00000000-00000000 : System RAM\n00000000-00000000 : Persistent Memory\n")
    block = tmp_path / "sys/devices/system/memory/memory0"
    block.mkdir(parents=True)
    (block / "state").write_text("online\n")
    (block.parent / "block_size_bytes").write_text("8000000\n")
    found = diagnose(read_machine(tmp_path), "6.1")
    assert [(each.id, each.severity) for each in found.findings] == [("zero-iomem", "warning")]
    assert found.exit_code == 11
    assert "mappings" in {check.name for check in found.skipped}


def test_block_size_that_can_not_be_told_is_not_guessed() -> None:
    iomem = (
        "100000000-fbfffffff : System RAM\n1000000000-1fbfffffff : System RAM\n2000000000-203fffffff : CXL Window 0\n"
    )
    found = diagnose(read_text(iomem, "big"), "6.1")
    (skipped,) = [check for check in found.skipped if check.name == "cxl-windows"]
    assert skipped.reason.startswith("cannot tell")
    assert diagnose(read_text(iomem, "big"), "5.8").skipped == ()  # one rule for metal and guests


def test_json_is_json_and_complete() -> None:
    for name in fixtures.names():
        document = json.loads(json.dumps(to_json(diagnose(read_machine(fixtures.path(name))))))
        assert document["exit_code"] in (0, 10, 11)
        for each in document["findings"]:
            assert each["what"]
            assert each["why"]
            assert each["rule"] is None or each["rule"] in RULES


def test_colour_only_adds_colour() -> None:
    import re

    found = diagnose(read_machine(fixtures.path("mixed-region")))
    assert re.sub(r"\x1b\[[0-9;]*m", "", render_text(found, 200, color=True)) == render_text(found, 200)


def test_lines_keep_to_the_width_but_for_the_kernels_own() -> None:
    found = diagnose(read_machine(fixtures.path("pmem-two-regions")))
    said = {line for each in found.findings for line in each.kernel_says}
    long = [line for line in render_text(found, 80).splitlines() if len(line) > 80]
    assert all(any(words in line for words in said) or "/" in line for line in long)


def test_the_machine_is_left_as_it_was() -> None:
    machine = parse_machine("5.1; 4G-8G ram, 8G+60M pmem, 8252M+64M pmem; memremap_pages 0x200000000-0x203bfffff")
    before = machine.snapshot()
    diagnose_machine(machine)
    assert machine.snapshot() == before
    assert len(machine.history) == 1


def test_a_layout_line_tells_of_refused_steps() -> None:
    found = diagnose_machine(parse_machine("6.1; 4G-8G ram, 8G+64M pmem; memremap_pages 0x200000000-0x200001fff"))
    (refused,) = [each for each in found.findings if each.id == "subsection-misaligned"]
    assert refused.severity == "error"
    assert "Misaligned __add_pages" in refused.kernel_says[0]


def test_neighbours_that_wait_are_tried_one_after_the_other() -> None:
    line = "{}; 0-4G ram, 8G+60M pmem, 8252M+68M pmem"
    (old,) = diagnose_machine(parse_machine(line.format("5.1"))).findings
    assert (old.id, old.severity) == ("devices-share-section", "warning")
    assert diagnose_machine(parse_machine(line.format("5.3"))).findings == ()


def test_comparison_shows_what_an_upgrade_changes() -> None:
    rows = compare(read_machine(fixtures.path("mixed-region")), ("5.1", "5.4", "6.1"))
    table = render_comparison(rows)
    assert [row.worst for row in rows] == ["error", "error", "notice"]
    assert "+ error mixed-section-online-page" in table
    assert "- error ram-beside-device" in table


@pytest.mark.parametrize(("version", "exit_code"), [("5.1", 11), ("6.1", 0)])
def test_many_ranges_are_one_finding(version: str, exit_code: int) -> None:
    found = diagnose(read_text(huge_iomem(1024), "huge"), version)
    assert found.exit_code == exit_code
    assert len(found.findings) <= 4
    assert len(render_text(found).splitlines()) < 100
    if version == "5.1":
        # all but every 16th range end inside a section that the next one begins in
        shared = next(each for each in found.findings if each.id == "devices-share-section")
        assert len(shared.devices) > 900


def test_small_machines_need_no_heavy_imports() -> None:
    code = (
        "import sys; from sparsemem import fixtures; from sparsemem.readers import read_machine;"
        "from sparsemem.doctor import diagnose, render_text;"
        "render_text(diagnose(read_machine(fixtures.path('pmem-guest'))));"
        "sys.exit(bool({'numpy', 'numba', 'rich', 'msgspec'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
