"""``sparsemem plan --apply`` itself as a process inside a guest, killed (SIGKILL) at every step and gone on with, also after a reboot that
gave devices other names. What there is in the end is asked of the guest from outside. ``make lab-apply``: ten minutes and more."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import SparsememError
from sparsemem.lab.bench import open_bench
from sparsemem.lab.errors import GuestLostError
from sparsemem.lab.guest import Guest, GuestAnswer
from sparsemem.lab.qemu import BINARY
from sparsemem.lab.userland import userland
from sparsemem.planner.apply import Journal
from sparsemem.planner.apply.view import uuids_of, view_of
from sparsemem.play import parse_scenario
from tests.lab.guest_python import with_python
from tests.lab.test_apply import look
from tests.lab.test_real import KERNEL, _missing
from tests.planner.test_apply_again import shape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.environ.get("SPARSEMEM_LAB_APPLY") != "1", reason="ten minutes and more: make lab-apply"),
]

MACHINE = 'steps = []\n[machine]\nmemory = "1G"\npmem = [{ size = "512M", labels = true }, { size = "64M" }]'
INTENT = "fsdax 64M name=db, sector 32M, system-ram 256M"
SECONDS = 400.0
"""For one run of sparsemem under software emulation on a busy machine; five seconds where nothing else runs."""

_KILL = r"""
sparsemem plan %(words)s --yes > /tmp/out 2>&1 & p=$!
n=$(cat /j/%(name)s 2> /dev/null | grep -c '%(event)s')
while kill -0 $p 2> /dev/null && [ "$(cat /j/%(name)s 2> /dev/null | grep -c '%(event)s')" = $n ]; do usleep 1000; done
usleep %(delay)d; kill -9 $p 2> /dev/null; wait $p; code=$?
while pidof ndctl daxctl > /dev/null; do usleep 10000; done
cat /tmp/out; exit $code
"""
_KILLED = 137


class Inside:
    """A guest with sparsemem in it. The second, label-less NVDIMM has the journals: it outlasts a reset."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.ran("ndctl disable-region region0; ndctl init-labels -f nmem0; ndctl enable-region region0")
        self.ran("mkdir -p /j && mkfs.ext4 -q /dev/pmem1 && mount /dev/pmem1 /j")

    def run(self, command: str) -> GuestAnswer:
        return self.guest.run(command, SECONDS)

    def ran(self, command: str) -> str:
        answer = self.run(command)
        assert answer.exit_code == 0, answer.stdout
        return answer.stdout

    def sparsemem(self, *words: str) -> GuestAnswer:
        return self.run(f"sparsemem plan {' '.join(words)} --yes 2>&1")

    def killed(self, name: str, words: str, event: str, delay: int) -> str:
        """Run it, and kill it so many microseconds after that event is in the journal."""
        script = _KILL % {"words": words, "event": event, "name": name, "delay": delay}
        answer = self.run(script.strip().replace("\n", "; ").replace("&; ", "& "))
        assert answer.exit_code in (0, _KILLED), answer.stdout
        return answer.stdout

    def reset(self) -> None:
        """Power is cut: nothing is unmounted."""
        self.ran("sync")
        self.guest.qemu.qmp("set-action", reboot="reset")
        for left in (1, 0):  # a boot under software emulation can be lost; the lab tries once more, too
            self.guest.qemu.qmp("system_reset")
            try:
                self.guest._talk.until(b"<<ready>>", SECONDS / 2)
                break
            except GuestLostError:
                if not left:
                    raise
        self.ran(
            "mkdir -p /j; for d in /dev/pmem[0-9]*; do mount -t ext4 $d /j 2> /dev/null && [ -d /j/lost+found ] && break; done"
        )

    def view(self) -> dict[str, dict[str, Any]]:
        return view_of(look(self.guest))

    def journal(self, name: str, into: Path) -> Journal:
        """A copy of it, closed."""
        path = into / f"copy-{name}"
        path.write_text(self.ran(f"cat /j/{name}"))
        with Journal.open(path) as journal:
            return journal


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    if shutil.which(BINARY) is None:
        _missing(f"no {BINARY}; apt-get install --no-install-recommends qemu-system-x86 seabios")
    try:
        bench = open_bench(KERNEL, sections=False)
    except SparsememError as error:
        _missing(str(error))
        raise
    with bench:
        image = with_python(bench.initrd, userland(), tmp_path_factory.mktemp("guest") / "initrd")
        with Guest(parse_scenario(MACHINE).machine, bench.image.vmlinuz, image, bench.accel, SECONDS) as guest:
            yield Inside(guest)


def _begin(step: int) -> str:
    return f'"begin".*"step":{step}'


def _back(step: int) -> str:
    return f'"back".*"step":{step}'


def test_killed_at_every_step_gone_on_with_and_taken_back(inside: Inside, tmp_path: Path) -> None:
    start = inside.view()
    for step, delay in enumerate(
        (0, 30_000, 150_000, 500_000, 0, 30_000), 1
    ):  # with a policy to set aside there are six
        words = f"'{INTENT}' --apply --no-picture --journal /j/a" if step == 1 else "--resume /j/a"
        inside.killed("a", words, _begin(step), delay)
    done = inside.sparsemem("--resume", "/j/a")
    assert done.exit_code == 0, done.stdout
    journal = inside.journal("a", tmp_path)
    steps = len(journal.steps)
    assert steps in (4, 6)
    assert f"Done: {steps} of {steps} commands" in done.stdout
    assert shape(inside.view()) == shape(journal.views[-1])
    for step in range(steps, 0, -1):
        inside.killed("a", "--undo /j/a", _back(step), (0, 500_000, 150_000, 30_000)[step % 4])
    undone = inside.sparsemem("--undo", "/j/a")
    assert undone.exit_code == 0, undone.stdout
    assert "Taken back" in undone.stdout
    assert "not as before" not in undone.stdout
    assert shape(inside.view()) == shape(start)


def test_a_reboot_between(inside: Inside, tmp_path: Path) -> None:
    """Other names afterwards: the first namespace was destroyed, and the boot numbers them anew."""
    for command in ("create-namespace -r region0 -m raw -s 16M", "create-namespace -r region0 -m fsdax -s 32M -n keep"):
        inside.ran(f"ndctl {command}")
    (keep,) = [name for name, shown in inside.view().items() if shown.get("name") == "keep"]
    (first,) = [name for name, shown in inside.view().items() if shown.get("size") == 16 << 20]
    inside.ran(f"ndctl destroy-namespace -f {first}")
    uuid, block = uuids_of(look(inside.guest))[keep], inside.view()[keep]["blockdev"]
    inside.ran(f"dd if=/dev/urandom of=/dev/{block} bs=1M count=8 conv=fsync 2> /dev/null")
    sum_before = inside.ran(f"dd if=/dev/{block} bs=1M count=8 2> /dev/null | md5sum")
    start = inside.view()

    inside.killed("b", f"'{INTENT}' --apply --no-picture --journal /j/b", _begin(3), 100_000)
    inside.reset()
    again = inside.sparsemem("--resume", "/j/b")
    assert again.exit_code == 0, again.stdout
    assert "this machine was booted since" in again.stdout
    journal = inside.journal("b", tmp_path)
    assert any(name.startswith("namespace") for name in journal.names), "the boot gave other names"
    assert shape(inside.view()) == shape(journal.views[-1])

    inside.reset()
    assert "system-ram" not in str(inside.view()), "memory is a device again after a boot"
    again = inside.sparsemem("--resume", "/j/b")
    assert again.exit_code == 0, again.stdout
    assert "system-ram" in str(inside.view())

    undone = inside.sparsemem("--undo", "/j/b")
    assert undone.exit_code == 0, undone.stdout
    assert shape(inside.view()) == shape(start)
    names = {each: name for name, each in uuids_of(look(inside.guest)).items()}
    block = inside.view()[names[uuid]]["blockdev"]
    assert inside.ran(f"dd if=/dev/{block} bs=1M count=8 2> /dev/null | md5sum") == sum_before


def test_what_is_mounted_is_not_destroyed(inside: Inside) -> None:
    (name,) = [name for name, shown in inside.view().items() if shown.get("name") == "keep"]
    block = inside.view()[name]["blockdev"]
    inside.ran(f"mkfs.ext4 -q -F /dev/{block} && mkdir -p /mnt/keep && mount /dev/{block} /mnt/keep")
    before = inside.view()
    refused = inside.sparsemem(f"'replace {name}, fsdax 64M'", "--apply", "--no-picture", "--journal", "/j/c")
    assert refused.exit_code == 14, refused.stdout
    assert f"/dev/{block} is mounted on /mnt/keep" in refused.stdout
    assert inside.run("ls /j/c").exit_code != 0, "no journal was begun"
    assert inside.view() == before
    inside.ran("umount /mnt/keep")
    inside.ran(f"sh -c 'exec 9< /dev/{block}; sleep 1000 & echo $! > /tmp/sleeper'")
    refused = inside.sparsemem(f"'replace {name}, fsdax 64M'", "--apply", "--no-picture", "--journal", "/j/c")
    assert refused.exit_code == 14, refused.stdout
    assert f"/dev/{block} is open in sleep" in refused.stdout
    inside.ran("kill $(cat /tmp/sleeper)")
    done = inside.sparsemem(f"'replace {name}, fsdax 64M'", "--apply", "--no-picture", "--journal", "/j/c")
    assert done.exit_code == 0, done.stdout
    assert "This is destroyed" in done.stdout
