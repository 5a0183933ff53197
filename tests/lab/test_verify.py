"""The comparison from end to end with guests that are the model itself, and the reports of what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from xml.etree import ElementTree as Xml

import pytest

from sparsemem.lab.bench import init_command
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.fuzz import fuzz
from sparsemem.lab.generate import draw_machine, draw_scenario, to_toml
from sparsemem.lab.report import exit_code, junit, text_lines, to_json
from sparsemem.lab.scenarios import load
from sparsemem.lab.verify import Verdict, verify
from sparsemem.play import parse_scenario
from sparsemem.play.scenario import PmemTable, Scenario

from .fake import FakeBench

LIST = "ndctl list -N"
CREATE = "ndctl create-namespace -s 16M"


def scenario(*steps: str, name: str = "dir/some.toml") -> Scenario:
    text = f'steps = {json.dumps(steps)}\n[machine]\nmemory = "512M"\npmem = [{{ size = "64M", labels = true }}]'
    return parse_scenario(text, name)


def check(*steps: str, lies: dict[str, GuestAnswer] | None = None, **options: bool) -> Verdict:
    bench = FakeBench(lies=lies or {})
    return verify(scenario(*steps), bench, **options)  # type: ignore[arg-type]


def test_two_that_agree_are_the_same() -> None:
    verdict = check(CREATE, LIST, CREATE, "ndctl destroy-namespace -f all")
    assert (verdict.outcome, verdict.steps, verdict.differences) == ("same", 4, [])


def test_a_difference_has_its_step_and_both_sides() -> None:
    verdict = check(CREATE, LIST, lies={LIST: GuestAnswer(1, "nothing\n", ("words",))})
    assert verdict.outcome == "different"
    assert [(each.step, each.what) for each in verdict.differences] == [(2, "exit code"), (2, "output"), (2, "log")]
    assert verdict.differences[0].kernel == "1"


def test_the_first_difference_can_be_enough() -> None:
    lies = {LIST: GuestAnswer(1, "nothing\n", ())}
    assert check(LIST, CREATE, CREATE, lies=lies, stop_at_first=True).steps == 1
    assert check(LIST, CREATE, CREATE, lies=lies).steps == 3


def test_a_lost_guest_is_neither() -> None:
    verdict = check(CREATE, "echo c > /proc/sysrq-trigger", LIST)
    assert (verdict.outcome, verdict.steps) == ("lost", 1)
    assert "Kernel panic" in verdict.console


def test_a_transcript_is_recorded_without_uuids() -> None:
    document = check(CREATE, record=True).transcript
    assert document is not None
    assert "00000000-0000-4000-8000-000000000001" in document["steps"][0]["stdout"]
    assert json.loads(json.dumps(document)) == document
    assert list(document)[:3] == ["kernel", "package", "steps"]


def test_labels_are_initialised_where_they_are_not_to_be_blank() -> None:
    table = scenario(LIST).machine
    assert init_command(table) == "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all"
    mixed = [PmemTable(1 << 26, True, True), PmemTable(1 << 26, True), PmemTable(1 << 26, False)]
    from dataclasses import replace

    assert "init-labels -f nmem1;" in str(init_command(replace(table, pmem=tuple(mixed))))
    assert init_command(replace(table, pmem=(mixed[0], mixed[2]))) is None


def all_outcomes() -> list[Verdict]:
    different = check(LIST, lies={LIST: GuestAnswer(7, f"a\x00b {'word ' * 40}\n{'x' * 200}\n", ())})
    lost = check("echo c > /proc/sysrq-trigger")
    unknown = Verdict("dir/other.toml", "6.1", "not modelled", words="I cannot tell, because of this & that <here>")
    lost.scenario = "dir/lost.toml"
    different.scenario = "dir/a_scenario_with_a_name_that_is_rather_long_for_a_table_of_eighty_columns.toml"
    return [check(LIST), different, lost, unknown]


def test_the_text_report_fits_80_columns_and_says_everything() -> None:
    lines = list(text_lines(all_outcomes(), [FakeBench(boots=2, boot_seconds=12.0)], show_qemu=True))  # type: ignore[list-item]
    assert max(len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for words in (
        "same 1",
        "2 different",
        "lost",
        "not modelled",
        "kernel: 7",
        "Kernel panic",
        "qemu-system-x86_64",
        "TCG",
        "2 boots of 6.0 s",
    ):
        assert words in text, words
    assert "1 same, 1 different, 1 lost, 1 not modelled" in text


def test_the_exit_code_is_that_of_the_worst() -> None:
    same, different, lost, unknown = all_outcomes()
    assert exit_code([same]) == 0
    assert exit_code([same, lost, different]) == 12
    assert exit_code([same, lost, unknown]) == 8
    assert exit_code([same, unknown]) == 6


def test_junit_is_what_readers_of_junit_expect() -> None:
    root = Xml.fromstring(junit(all_outcomes()))  # noqa: S314
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert float(str(suite.get("time"))) >= 0
    for case in suite:
        assert case.tag == "testcase"
        assert {"name", "classname", "time"} <= set(case.keys())
        assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"])
        assert all(child.get("message") for child in case)


def test_the_json_report_is_plain() -> None:
    verdicts = all_outcomes()
    document = to_json(verdicts, [FakeBench()])  # type: ignore[list-item]
    assert json.loads(json.dumps(document)) == document
    assert [each["outcome"] for each in document["results"]] == ["same", "different", "lost", "not modelled"]


# -- generated scenarios


def test_a_seed_draws_the_same_again_and_its_file_reads_back(tmp_path: Path) -> None:
    def draw() -> list[Scenario]:
        rng = Random(11)
        return [draw_scenario(rng, draw_machine(rng), "6.1", 6) for _ in range(4)]

    first = draw()
    assert [to_toml(each) for each in first] == [to_toml(each) for each in draw()]
    for each in first:
        assert len(each.steps) == 6
        file = tmp_path / "x.toml"
        file.write_text(to_toml(each, "words\n\nof two lines"))
        again = load(str(file))
        assert (again.machine, again.kernel) == (each.machine, "6.1")
        assert [text for text, _ in again.steps] == [text for text, _ in each.steps]


def test_the_fuzzer_finds_shrinks_and_writes_a_difference(tmp_path: Path) -> None:
    class Liar(dict[str, GuestAnswer]):
        def get(self, command: str, default: GuestAnswer) -> GuestAnswer:  # type: ignore[override]
            return default._replace(exit_code=99) if command.startswith("ndctl destroy-namespace") else default

    bench = FakeBench(lies=Liar())
    summary = fuzz(bench, 30, 3, tmp_path, tell=lambda summary, text: None, plugs=False)  # type: ignore[arg-type]
    assert summary.steps >= 30
    assert summary.findings
    for finding in summary.findings.values():
        assert finding.difference.what == "exit code"
        written = load(finding.path)
        assert len(written.steps) == 1
        assert written.steps[0][0].startswith("ndctl destroy-namespace")
        assert "kernel: 99" in Path(finding.path).read_text()


def test_the_fuzzer_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    summary = fuzz(FakeBench(), 40, 5, tmp_path, tell=lambda summary, text: None)  # type: ignore[arg-type]
    assert not summary.findings
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("machine", ['layout = "6.1; 1M-512M ram"', 'sysroot = "example:laptop"'])
def test_a_machine_that_cannot_be_booted_is_refused(tmp_path: Path, machine: str) -> None:
    from sparsemem.errors import InputError

    file = tmp_path / "x.toml"
    file.write_text(f"steps = []\n[machine]\n{machine}\n")
    with pytest.raises(InputError, match="cannot be booted"):
        load(str(file))


def test_a_block_that_chmem_finds_busy_is_luck() -> None:
    """As a 7.2 guest of 512 MiB did: which blocks of a kernel zone hold pages of its own."""
    command = "chmem -v -d -b 0-2"
    block = "Memory Block {} (0x{:016x}-0x{:016x})"
    name = [block.format(nr, nr << 27, ((nr + 1) << 27) - 1) for nr in (0, 1, 2)]
    said = (
        f"chmem: {name[0]} disable failed: Invalid argument\nchmem: {name[1]} disable failed: Device or resource busy\n"
    )
    said += f"{name[2]} disabled\n"
    verdict = check(command, "lsmem", lies={command: GuestAnswer(64, said, ("page dumped because: unmovable page",))})
    assert (verdict.outcome, verdict.steps) == ("same", 1), "what comes later is another machine's"
    assert {each.excuse for each in verdict.differences} == {
        "whether a kernel zone's block can go offline depends on where the kernel's own pages lie"
    }
    other = said.replace(f"chmem: {name[1]} disable failed: Device or resource busy", f"{name[1]} enabled")
    assert check(command, lies={command: GuestAnswer(64, other, ())}).outcome == "different"
