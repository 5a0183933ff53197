"""A plan as a shell script: the commands as they are, quoted, each followed by a check of what the tools show."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from sparsemem.planner.prove import shell_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.planner.plan import Expectation, Plan

__all__ = ["to_script"]

_HEAD = """\
#!/bin/sh
# {title}
# intent: {intent}
# It was played on the model first. It stops at the first command that fails or
# shows something else than it did there; what was done until then stays.
set -eu

stop() { printf '%s\\n' "$*" >&2; exit 1; }

# value TOOL DEVICE KEY: what "ndctl list" or "daxctl list" shows
value() {
  case $1 in
    ndctl) ndctl list -N -i -n "$2" ;;
    daxctl) daxctl list -D -i -d "$2" ;;
  esac | sed -n "s/^ *\\"$3\\":\\"\\{0,1\\}\\(.*[^\\",]\\)\\"\\{0,1\\},\\{0,1\\}\\$/\\1/p" | head -n 1
}

# check TOOL DEVICE KEY VALUE
check() {
  found=$(value "$1" "$2" "$3")
  [ "$found" = "$4" ] || stop "$2: $3 is ${found:-missing}, not $4: stopped"
}

# gone TOOL DEVICE: not listed, or of size 0
gone() {
  found=$(value "$1" "$2" size)
  case $found in ""|0) ;; *) stop "$2 is still there, with $found bytes: stopped" ;; esac
}

[ "$(id -u)" = 0 ] || stop "this needs root"
"""


_BLOCKS = """
# blocks FIRST LAST WHAT: each memory block is "offline", or "online in" a zone
blocks() {
  number=$1
  while [ "$number" -le "$2" ]; do
    block=/sys/devices/system/memory/memory$number
    found=$(cat "$block/state")
    [ "$found" = offline ] || found="$found in $(cat "$block/valid_zones")"
    [ "$found" = "$3" ] || stop "memory$number is $found, not $3: stopped"
    number=$((number + 1))
  done
}
"""


_ROOT = '\n[ "$(id -u)" = 0 ]'


def _comment(text: str) -> str:
    return " ".join(text.split())


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checks(each: Expectation) -> Iterator[str]:
    if each.shows is None:
        yield f"gone {each.tool} {each.dev}"
        return
    if each.tool == "lsmem":
        first, _, last = each.dev.replace("memory", "").partition("-")
        yield f"blocks {first} {last or first} {shlex.quote(str(each.shows['memory']))}"
        return
    for key in ("mode", "size", "online_memblocks", "name"):
        if key in each.shows and isinstance(each.shows[key], str | int) and not isinstance(each.shows[key], bool):
            yield f"check {each.tool} {each.dev} {key} {shlex.quote(_value(each.shows[key]))}"


def to_script(plan: Plan) -> str:
    """The script. For a plan with something impossible, one that says so and fails."""
    tool = ".".join(map(str, plan.ndctl))
    title = f"sparsemem plan for Linux {plan.kernel} with ndctl {tool}"
    text = _HEAD.replace("{title}", _comment(title)).replace("{intent}", _comment(str(plan.intent)))
    if any(each.tool == "lsmem" for command in plan.commands for each in command.expect):
        text = text.replace(_ROOT, _BLOCKS + _ROOT)
    lines = [text.rstrip("\n")]
    tools = sorted({command.argv[0] for command in plan.commands} & {"chmem", "ndctl", "daxctl", "cxl"})
    lines += [f'command -v {name} > /dev/null || stop "{name} is not installed"' for name in tools]
    for each in plan.impossible:
        lines.append(f"stop {shlex.quote(f'can not be had: {each.what}: {each.why}')}")
    for number, command in enumerate(plan.commands, 1):
        lines += ["", f"# {number} of {len(plan.commands)}: {_comment(command.why)}"]
        if command.destroys:
            lines.append(f"# destroys what is on {', '.join(command.destroys)}")
        if command.undo:
            lines += [f"# undo: {_comment(shell_text(argv))}" for argv in command.undo]
        quiet = " > /dev/null" if command.argv[0] in ("ndctl", "daxctl") else ""
        lines.append(shell_text(command.argv) + quiet)
        lines += [line for each in command.expect for line in _checks(each)]
    return "\n".join([*lines, ""])
