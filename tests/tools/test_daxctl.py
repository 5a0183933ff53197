"""What daxctl learnt from release to release. The behaviour of 76.1 is checked by recordings and in tests/dax."""

from __future__ import annotations

import pytest

from tests.dax.local_tree import GIB, soft_reserved
from tests.dax.test_daxctl import daxctl

OLD = ["version", "list", "help"]
MEMORY = ["reconfigure-device", "online-memory", "offline-memory"]


@pytest.mark.parametrize(
    ("version", "commands"),
    [
        (63, OLD),
        (64, [*OLD, "migrate-device-model"]),
        (67, [*OLD, "migrate-device-model", *MEMORY]),
        (
            76,
            [
                *(*OLD, "split-acpi", "migrate-device-model", "create-device", "destroy-device"),
                *(*MEMORY, "disable-device", "enable-device"),
            ],
        ),
    ],
)
def test_commands(version: int, commands: list[str]) -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    assert daxctl(state, "--list-cmds", version).stdout.split() == commands
    if "create-device" not in commands:
        assert daxctl(state, "create-device", version).stderr == "Unknown command: 'create-device'\n"


@pytest.mark.parametrize(
    ("version", "line", "first"),
    [
        (66, "reconfigure-device --no-movable dax0.0", "  Error: unknown option `no-movable'"),
        (70, "reconfigure-device -s 1G dax0.0", "  Error: unknown switch `s'"),
        (70, "list -M", "  Error: unknown switch `M'"),
        (71, "reconfigure-device -C dax0.0", "  Error: unknown switch `C'"),
        (67, "list -r region0", "  Error: switch `r' expects a numerical value"),
        (67, "list --region region0", "  Error: option `region' expects a numerical value"),
        (80, "create-device dax0.0", 'unknown extra parameter "dax0.0"'),
        (80, "create-device -m devdax", "  Error: unknown switch `m'"),
    ],
)
def test_options_that_are_not_there(version: int, line: str, first: str) -> None:
    result = daxctl(soft_reserved("6.1", 5 * GIB, GIB), line, version)
    assert result.stderr.splitlines()[0] == first
    assert (result.exit_code, result.stdout) == (129, "")


def test_a_region_by_number_and_by_name() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    by_name = daxctl(state, "list -r region0", 68).stdout
    assert '"id":0' in by_name
    assert daxctl(state, "list -r 0", 67).stdout == by_name
    assert daxctl(state, "list -r 1", 67).stdout == ""
    assert '"chardev":"dax0.0"' in daxctl(state, "list -r -1", 67).stdout  # as if nothing was asked for


def test_fields_of_a_device() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    assert '"align"' not in daxctl(state, "list", 70).stdout
    assert '"align":2097152' in daxctl(state, "list", 71).stdout


def test_usage_of_create_device() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    shown = {version: daxctl(state, "create-device -h", version).stderr for version in (79, 80)}
    assert "--no-movable" in shown[79]
    assert shown[79].startswith(shown[80].rstrip("\n"))  # the later one is the earlier one without its end
