"""daxctl on the model. The usage texts and error lines are those of the real daxctl 76.1, run without any dax device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.kernel.dax.bus import dev_dax_of
from sparsemem.tools.daxctl import main
from sparsemem.tools.files import Files
from tests.dax.local_tree import GIB, LocalTree, soft_reserved

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.tools.result import ToolResult

REAL = {
    "list --foo": ("  Error: unknown option `foo'\n", 129),
    "list -Z": ("  Error: unknown switch `Z'\n", 129),
    "list xx": ('  Error: unknown parameter "xx"\n\n', 129),
    "disable-device": ('specify a device to disable, or "all"\n', 129),
    "enable-device": ('specify a device to disable, or "all"\n', 129),
    "disable-device a b": ('unknown extra parameter "b"\n', 129),
    "reconfigure-device dax0.0": ("error: a 'align', 'mode' or 'size' option is required\n", 129),
    "reconfigure-device dax0.0 -N -m devdax": ("--no-online is incompatible with --mode=devdax\n", 129),
    "online-memory": ('specify a device to online memory for, or "all"\n', 129),
    "foo": ("Unknown command: 'foo'\n", 1),
    "create-device": ("error creating devices: No such device or address\ncreated 0 devices\n", 250),
    "create-device x": ("error creating devices: No such device or address\ncreated 0 devices\n", 250),
    "disable-device dax9.0": ("error disabling device: No such device or address\ndisabled 0 devices\n", 250),
    "reconfigure-device dax9.0 -m foo": (
        "error reconfiguring devices: No such device or address\nreconfigured 0 devices\n",
        250,
    ),
}
USAGE = """  Error: switch `m' requires a value

 usage: daxctl reconfigure-device <device> [<options>]

    -m, --mode <mode>     mode to switch the device to
"""


def daxctl(state: State, line: str, version: int = 76, files: Files | None = None) -> ToolResult:
    return main(LocalTree(state), line.split(), version=(version,), files=files)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", REAL)
def test_the_words_of_the_real_tool(line: str) -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    state.dax.clear()
    result = daxctl(state, line)
    text, code = REAL[line]
    assert result.stderr.startswith(text)
    assert result.stderr == text or code == 129
    assert (result.exit_code, result.stdout) == (code, "")


def test_a_missing_value_shows_the_one_option() -> None:
    assert daxctl(soft_reserved("6.1", 5 * GIB, GIB), "reconfigure-device -m").stderr == USAGE


def test_list() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    assert daxctl(state, "list -DRM -u").stdout == (
        '{\n  "path":"\\/platform\\/hmem.0",\n  "id":0,\n  "size":"1024.00 MiB (1073.74 MB)",\n  "align":2097152,\n'
        '  "devices":[\n    {\n      "chardev":"dax0.0",\n      "size":"1024.00 MiB (1073.74 MB)",\n'
        '      "target_node":0,\n      "align":2097152,\n      "mode":"devdax",\n      "mappings":[\n        {\n'
        '          "page_offset":"0",\n          "start":"0x140000000",\n          "end":"0x17fffffff",\n'
        '          "size":"1024.00 MiB (1073.74 MB)"\n        }\n      ]\n    }\n  ]\n}\n'
    )


@pytest.mark.parametrize("version", ["5.10", "6.1", "6.12", "7.2"])
def test_system_ram_and_back(version: str) -> None:
    state = soft_reserved(version, 5 * GIB, GIB)
    if dev_dax_of(state, "dax0.0").driver == "kmem":
        assert daxctl(state, "reconfigure-device -m devdax dax0.0").exit_code == 0
    result = daxctl(state, "reconfigure-device -m system-ram dax0.0")
    assert (result.exit_code, result.stderr) == (0, "reconfigured 1 device\n")
    assert '"online_memblocks":8,\n    "total_memblocks":8,\n    "movable":true' in result.stdout
    assert daxctl(state, "online-memory dax0.0").exit_code == 1
    busy = daxctl(state, "reconfigure-device -m devdax dax0.0")
    assert busy.stderr == "error reconfiguring devices: Device or resource busy\nreconfigured 0 devices\n"
    back = daxctl(state, "reconfigure-device -f -m devdax dax0.0")
    assert (back.exit_code, back.stderr) == (0, "reconfigured 1 device\n")
    assert dev_dax_of(state, "dax0.0").driver == "device_dax"
    assert daxctl(state, "offline-memory dax0.0").stderr.startswith(
        "dax0.0: memory operations are not applicable in devdax mode\n"
    )


def test_c28_as_the_report_quotes_it() -> None:
    state = soft_reserved("6.1", 5 * GIB + (6 << 20), 250 << 20, block="2G")
    result = daxctl(state, "reconfigure-device -N -m system-ram dax0.0")
    assert result.stderr == (
        "libdaxctl: daxctl_dev_enable: dax0.0: failed to enable\n"
        "error reconfiguring devices: Invalid argument\nreconfigured 0 devices\n"
    )
    assert result.exit_code == 256 - 22


def test_carving_a_dynamic_region() -> None:
    """Two devices out of one region, one of them in two pieces, then all of it free again."""
    state = soft_reserved("6.1", 5 * GIB, GIB)
    for line in ("disable-device dax0.0", "reconfigure-device -s 256M dax0.0", "create-device -s 512M"):
        result = daxctl(state, line)
        assert result.exit_code == 0, result.stderr
    assert [(r.start, r.size) for r in dev_dax_of(state, "dax0.1").ranges] == [(0x150000000, 512 << 20)]
    # Announcing dax0.1 to the driver made it look at every unbound device: dax0.0 is bound again.
    assert dev_dax_of(state, "dax0.0").driver == "device_dax"
    assert daxctl(state, "reconfigure-device -s 512M dax0.0").exit_code == 250
    assert daxctl(state, "disable-device dax0.0").exit_code == 0
    assert daxctl(state, "reconfigure-device -s 512M dax0.0").exit_code == 0
    assert [r.size >> 20 for r in dev_dax_of(state, "dax0.0").ranges] == [256, 256]
    assert daxctl(state, "create-device").stderr == (
        "error creating devices: No space left on device\ncreated 0 devices\n"
    )
    assert daxctl(state, "destroy-device dax0.1").stderr.startswith("dax0.1 is active, specify --force for deletion\n")
    busy = "error destroying devices: Device or resource busy\n"
    assert daxctl(state, "destroy-device -f all").stderr == f"{busy}destroyed 1 device\n"  # the kernel keeps dax0.0
    assert daxctl(state, "destroy-device -f all").stderr == f"{busy}destroyed 0 devices\n"
    assert daxctl(state, "destroy-device -f all", 79).stderr == "destroyed 1 device\n"  # d78f57e ignores that
    assert daxctl(state, "list").stdout == ""
    assert '"available_size":1073741824' in daxctl(state, "list -R").stdout


def test_config_files_are_not_modelled() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB)
    result = daxctl(state, "reconfigure-device -C dax0.0")
    assert (result.stderr, result.exit_code) == (
        "no UUID match for dax0.0 found in config files\ndax0.0: missing or malformed config section\n",
        0,
    )
    with pytest.raises(NotModelledError, match="config"):
        daxctl(state, "reconfigure-device -C dax0.0", files=Files({"/etc/daxctl.conf.d/a.conf": b""}))


def test_create_from_a_file() -> None:
    """--input takes what ``daxctl list -DM`` printed of one device, its pieces in their order."""
    state = soft_reserved("6.1", 5 * GIB, GIB)
    for line in ("disable-device dax0.0", "reconfigure-device -s 0 dax0.0"):
        assert daxctl(state, line).exit_code == 0
    text = """{"chardev":"dax0.1","size":8388608,"target_node":0,"align":2097152,"mode":"devdax","mappings":[
      {"page_offset":1024,"start":5901385728,"end":5905580031,"size":4194304},
      {"page_offset":0,"start":5368709120,"end":5372903423,"size":4194304}]}"""
    files = Files({"/tmp/dev.json": text.encode(), "/tmp/no.json": b"{}"})  # noqa: S108
    result = daxctl(state, "create-device --input /tmp/dev.json", files=files)
    assert (result.stderr, result.exit_code) == ("created 1 device\n", 0)
    assert '"size":8388608' in result.stdout
    assert [(r.start, r.size) for r in dev_dax_of(state, "dax0.1").ranges] == [
        (0x140000000, 4 << 20),
        (0x15FC00000, 4 << 20),
    ]
    for name in ("/tmp/no.json", "/tmp/nothing.json"):  # noqa: S108
        wrong = daxctl(state, f"create-device --input {name}", files=files)
        assert wrong.exit_code == 129
        assert wrong.stderr.startswith("error: failed to parse device file: Invalid argument\n\n usage: daxctl create")
