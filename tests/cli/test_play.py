"""``sparsemem play``: the bundled examples, the format of its JSON, and its options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sparsemem.play import load_scenario, play, to_json

from .test_verbs import sparsemem

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.toml"))


def _played(name: str, kernel: str) -> dict[str, Any]:
    player, results = play(load_scenario(str(ROOT / "examples" / f"{name}.toml")), kernel)
    return to_json(player.machine, results)


def _json(*words: str) -> dict[str, Any]:
    done = sparsemem("play", *words, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("kernel", ["5.2", "5.10", "6.1", "7.2"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_keep_to_the_schema(name: str, kernel: str) -> None:
    document = json.loads(json.dumps(_played(name, kernel)))
    jsonschema.validate(document, json.loads((ROOT / "docs" / "play.schema.json").read_text()))


@pytest.mark.parametrize("kernel", ["5.3", "5.4", "5.10", "5.15", "6.1", "6.6", "6.12", "7.2"])
def test_ten_namespaces_side_by_side(kernel: str) -> None:
    """The upstream unit test: create, mkfs, mount with dax, umount; then disable, enable and destroy each."""
    document = _played("sub_section", kernel)
    steps = document["steps"]
    assert [step["exit_code"] for step in steps] == [0] * len(steps)
    assert steps[0]["stdout"].count('"size":"14.00 MiB (14.68 MB)"') == 10
    assert steps[1]["stdout"].count("dax") == 10
    assert steps[2]["stdout"] == "10\n"
    for step, word in zip(steps[3:6], ("disabled", "enabled", "destroyed"), strict=True):
        assert step["stdout"] == f"{word} 1 namespace\n" * 10
    assert '"available_size":201326592' in steps[6]["stdout"]
    assert kernel == "5.3" or not document["faults"]  # 5.3 has bugs of its own (zone spans)
    assert "namespace" not in document["iomem"]
    assert [section["nr"] for section in document["sections"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("kernel", ["4.19", "5.0", "5.1", "5.2"])
def test_up_to_5_2_the_second_namespace_fails(kernel: str) -> None:
    document = _played("sub_section", kernel)
    first = document["steps"][0]
    assert (first["exit_code"] != 0, first["errno"]) == (True, "ENXIO")
    assert first["stdout"].count('"size":"12.00 MiB (12.58 MB)"') == 1
    assert "failed to create namespace: No such device or address" in first["stdout"]
    if kernel in ("5.1", "5.2"):
        assert "nd_pmem pfn0.1: Conflicting mapping in same section" in first["log"]
    assert document["steps"][2]["stdout"] == "1\n"


def test_the_release_of_ndctl(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    text = 'kernel = "6.1"\nndctl = "71.1"\nsteps = ["ndctl version"]\n[machine]\nmemory = "512M"\n'
    file.write_text(text)
    assert _json(str(file))["steps"][0]["stdout"] == "71.1\n"
    assert _json(str(file), "--ndctl-version", "76")["steps"][0]["stdout"] == "76.1\n"
    done = sparsemem("play", str(file), "--ndctl-version", "new")
    assert (done.returncode, "is not a release of ndctl" in done.stderr) == (2, True)
    file.write_text(text.replace("71.1", "seventy"))
    assert sparsemem("play", str(file)).returncode == 3


def test_debug_lines_are_shown_when_asked_for() -> None:
    plain, debug = (sparsemem("play", "examples/sub_section.toml", *more).stdout for more in ((), ("--debug",)))
    assert "[debug]" not in plain
    assert plain in debug or len(debug) >= len(plain)


def test_bytes_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text('steps = [\'printf "a\\xff\\n"\']\n[machine]\nmemory = "512M"\n')
    assert _json(str(file))["steps"][0]["stdout"] == "a\\xff\n"
    assert "a\\xff" in sparsemem("play", str(file)).stdout


def test_a_command_that_is_not_implemented_stops_it_before_it_starts(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text('steps = ["ndctl list", "ndctl inject-smart nmem0"]\n[machine]\nmemory = "512M"\n')
    done = sparsemem("play", str(file))
    assert (done.returncode, done.stdout) == (6, "")
    assert "step 2" in done.stderr
