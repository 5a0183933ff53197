"""The verbs as a user meets them: exit codes, one-line errors with a hint, JSON, no traceback, no heavy import."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sparsemem.cli.app import run

ROOT = Path(__file__).parents[2]
TRANSCRIPTS = ROOT / "tests" / "transcripts"


def sparsemem(*argv: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sparsemem", *argv],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, input=stdin, env={**os.environ, **env},
    )  # fmt: skip


def _json(*argv: str) -> Any:
    done = sparsemem(*argv)
    assert not done.stderr
    return json.loads(done.stdout)


LAYOUT = "6.1; 1M-512M ram, 512M+64M pmem, 576M+64M ram; memremap_pages 0x20000000-0x23ffffff"


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["nonsense"], 2, "No such command"),
        (["doctor", "--kernel", "9.x"], 2, "9.x"),
        (["doctor", "/nonexistent"], 4, "/nonexistent"),
        (["doctor", "6.1; 4G-2G ram"], 3, "backwards"),
        (["doctor", "6.1; 1M-2M {"], 3, "layout line"),
        (["doctor", "example:nothing"], 2, "choose one of"),
        (["doctor", "example:laptop", "--sysroot", "/"], 2, "not both"),
        (["draw", "6.1; 1M-64M ram; frobnicate 0x0-0xfff"], 3, "frobnicate"),
        (["draw", "6.1; 1M-64M ram; online memoryx"], 3, "memoryx"),
        (["draw", "3.0; 1M-64M ram"], 2, "3.0"),
        (["draw", "6.1 vax; 1M-64M ram"], 2, "vax"),
        (["play", "/nonexistent.toml"], 4, "/nonexistent.toml"),
        (["play", "README.md"], 3, "TOML"),
        (["explain", "xyzzy plugh"], 1, ""),
        (["capture", "/nonexistent/x.tar"], 2, "/nonexistent"),
        (["draw", LAYOUT, "--format", "svg", "-o", "/nonexistent/x.svg"], 4, "cannot write"),
        (["draw", LAYOUT, "--html", "/nonexistent/x.html"], 4, "cannot write"),
        (["draw", LAYOUT, "--html", "x.html", "--svg", "x.svg"], 2, "give one of"),
        (["draw", LAYOUT, "--html", "x.html", "--format", "svg"], 2, "give one of"),
        (["doctor", LAYOUT, "--html", "/nonexistent/x.html"], 4, "cannot write"),
        (["doctor", LAYOUT, "--html", "x.html", "--json"], 2, "not both"),
        (["doctor", "example:laptop", "--html", "x.html", "--compare", "5.2,5.3,6.1"], 2, "give two"),
    ],
)
def test_what_goes_wrong_is_one_error_with_an_exit_code(argv: list[str], code: int, words: str) -> None:
    done = sparsemem(*argv)
    assert done.returncode == code, done.stderr
    assert words in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 5


def test_help_teaches_by_example_at_80_columns() -> None:
    for verb in ([], ["doctor"], ["draw"], ["play"], ["explain"], ["capture"], ["machines"], ["diff"]):
        done = sparsemem(*verb, "--help")
        assert done.returncode == 0
        assert "sparsemem" in done.stdout
        assert all(len(line) <= 80 for line in done.stdout.splitlines()), verb


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    done = sparsemem("--completion", shell)
    assert done.returncode == 0
    assert "_SPARSEMEM_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "at", "offers"),
    [
        ("sparsemem d", 1, "plain,doctor"),
        ("sparsemem doctor example:l", 2, "plain,example:laptop"),
        ("sparsemem draw --kernel 5.1", 3, "plain,5.15"),
        ("sparsemem draw --fo", 2, "plain,--format"),
    ],
)
def test_what_completion_offers(words: str, at: int, offers: str) -> None:
    done = sparsemem(_SPARSEMEM_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(at))
    assert offers in done.stdout.splitlines()


@pytest.mark.parametrize("scenario", ["plug_several", "block_boot", "boot_memmap_48M_336M"])
@pytest.mark.parametrize("kernel", ["5.1", "5.10", "7.2"])
def test_play_json_keeps_to_the_schema(scenario: str, kernel: str) -> None:
    document = _json("play", str(TRANSCRIPTS / f"{scenario}.toml"), "--kernel", kernel, "--json")
    jsonschema.validate(document, json.loads((ROOT / "docs" / "play.schema.json").read_text()))
    assert document["kernel"] == kernel
    assert all((s["subsection_map"] is None) == (kernel == "5.1") for s in document["sections"])


def test_every_verb_speaks_json() -> None:
    assert _json("machines", "--json")
    assert _json("explain", "EEXIST", "--json")
    assert _json("draw", LAYOUT, "--json")
    assert _json("draw", LAYOUT, "--against", "5.2", "--json")["scenes"]
    assert _json("doctor", LAYOUT, "--json")
    assert _json("play", "examples/mail.toml", "--json")["steps"][0]["errno"] == "ENXIO"


def test_capture_and_read_back(tmp_path: Path) -> None:
    out = tmp_path / "machine.tar.xz"
    made = _json("capture", str(out), "--sysroot", str(ROOT / "src/sparsemem/fixtures/mixed-region"), "--json")
    assert made["bytes"] == out.stat().st_size
    first = sparsemem("draw", "example:mixed-region", "--json")
    again = sparsemem("draw", str(out), "--json")
    assert json.loads(first.stdout)["rows"] == json.loads(again.stdout)["rows"]
    refused = sparsemem("capture", str(out), "--sysroot", "src/sparsemem/fixtures/mixed-region")
    assert refused.returncode == 2


def test_pages(tmp_path: Path) -> None:
    """A page in place of the text; the doctor's exit code stays, and "-" is standard input and standard output."""
    for argv, code, words in (
        (["draw", LAYOUT], 0, "block-holds-device-pages"),
        (["doctor", LAYOUT], 0, "Findings ("),
        (["doctor", "example:mixed-region"], 10, "ram-beside-device"),
        (["doctor", "example:mixed-region", "--compare", "5.1,6.1"], 10, "Linux 5.1 beside Linux 6.1"),
        (
            ["doctor", "example:mixed-region", "--kernel", "5.1", "--upgrade-to", "6.1"],
            11,
            "From Linux 5.1 to Linux 6.1",
        ),
        (["doctor", "--dmesg", "tests/doctor/logs/C09-5.1.log"], 10, "A boot log"),
        (["diff", LAYOUT, "6.1; 1M-512M ram"], 12, "Before and after"),
        (["diff", LAYOUT, LAYOUT], 0, "no difference in what both tell"),
    ):
        path = tmp_path / "page.html"
        done = sparsemem(*argv, "--html", str(path))
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert done.stderr == f"{path}: {path.stat().st_size} bytes\n"
        assert words in path.read_text(encoding="utf-8")
        path.unlink()
    text = "00100000-1fffffff : System RAM\n20000000-23ffffff : Persistent Memory\n"
    for verb in ("draw", "doctor"):
        done = sparsemem(verb, "-", "--kernel", "6.1", "--html", "-", stdin=text)
        assert done.stdout.startswith("<!DOCTYPE html>")
        assert "0x20000000-0x23ffffff" in done.stdout
    svg = sparsemem("draw", LAYOUT, "--svg", "-").stdout
    assert svg == sparsemem("draw", LAYOUT, "--format", "svg").stdout.replace("\r", "")


def test_the_examples_of_the_documentation_make_pages(tmp_path: Path) -> None:
    text = Path("docs/page.md").read_text(encoding="utf-8")
    examples = re.findall(r"^\$ sparsemem (.* --html \S+)$", text, re.MULTILINE)
    assert len(examples) == 9
    for example in examples:
        *argv, name = shlex.split(example)
        done = sparsemem(*argv, str(tmp_path / name))
        assert done.returncode in (0, 10, 11, 12), done.stderr
        assert (tmp_path / name).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_standard_input_and_pipes() -> None:
    text = "00100000-1fffffff : System RAM\n20000000-23ffffff : Persistent Memory\n"
    done = sparsemem("draw", "-", "--kernel", "6.1", stdin=text)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    ascii_only = sparsemem("draw", "-", "--kernel", "6.1", stdin=text, PYTHONIOENCODING="ascii")
    assert ascii_only.returncode == 0
    assert ascii_only.stdout.isascii()
    colours = sparsemem("draw", "-", "--kernel", "6.1", stdin=text, FORCE_COLOR="1", NO_COLOR="")
    assert "\x1b" in colours.stdout
    assert "\x1b" not in sparsemem("draw", "-", stdin=text, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.parametrize(
    "argv", [["--help"], ["doctor", "example:laptop"], ["play", "examples/dimm.toml"], ["explain", "section"]]
)
def test_small_verbs_import_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys; from sparsemem.cli.app import run; run(sys.argv[1:]); "
        "print([m for m in ('numpy', 'numba', 'hypothesis', 'jsonschema') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_python_m_and_the_public_names() -> None:
    import sparsemem as package

    for name in package.__all__:
        assert getattr(package, name).__doc__, name
    with pytest.raises(AttributeError):
        _ = package.nothing
    assert sparsemem("--version").stdout.startswith("sparsemem ")


@pytest.mark.parametrize("verb", ["capture", "diff", "doctor", "draw", "explain", "machines", "play", "shell"])
def test_help_teaches_by_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if line.strip().removeprefix("sudo ").startswith("sparsemem ")]


def test_a_scenario_is_a_machine_too() -> None:
    """Its machine after its steps, as doctor, draw and diff are asked of a layout line."""
    path = "tests/cases/machines/C17.toml"
    found = json.loads(sparsemem("doctor", path, "--json").stdout)
    assert found["source"] == path
    assert [each["id"] for each in found["findings"]] == ["free-space-off-sub-section"]
    newer = json.loads(sparsemem("doctor", path, "--kernel", "5.6", "--json").stdout)
    assert newer["kernel"].startswith("5.6")
    assert "nd_pmem pfn0.0" in sparsemem("draw", path).stdout
    assert sparsemem("diff", path, path).returncode == 0
