"""The host's end of the conversation with a guest, against a guest played over a socket pair."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sparsemem.lab.conversation import Conversation, GuestAnswer
from sparsemem.lab.errors import GuestLostError, LabError
from sparsemem.lab.masks import clean_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Box:
    """The machine that the guest runs in."""

    def __init__(self) -> None:
        self.dead = False

    def alive(self) -> None:
        if self.dead:
            raise GuestLostError("the guest is gone", self.console())

    def console(self) -> str:
        return "[    9.1] Kernel panic - not syncing: oh no\n"


@contextmanager
def guest(play: Callable[[socket.socket, Box], None]) -> Iterator[Conversation]:
    ours, theirs = socket.socketpair()
    box = Box()
    thread = threading.Thread(target=play, args=(theirs, box), daemon=True)
    thread.start()
    talk = Conversation(ours, box)
    try:
        yield talk
    finally:
        talk.close()
        theirs.close()
        thread.join(5)


def answering(*pieces: bytes) -> Callable[[socket.socket, Box], None]:
    def play(end: socket.socket, box: Box) -> None:
        for piece in pieces:
            end.recv(4096)
            for at in range(0, len(piece), 3):  # marks are cut anywhere
                end.sendall(piece[at : at + 3])

    return play


def test_an_answer_has_its_code_its_output_and_its_log() -> None:
    text = b"noise<<1 out>>hello\r\nworld\n<<1 code 3>><<1 log>>[    1.234567] nd_pmem pfn0.1: words\n<<1 end>>"
    with guest(answering(text)) as talk:
        answer, seen = talk.ask("ndctl list")
    assert answer == GuestAnswer(3, "hello\nworld\n", ("nd_pmem pfn0.1: words",))
    assert seen == ""


def test_what_the_machine_shows_comes_along_when_it_is_asked_for() -> None:
    text = b"<<1 out>><<1 code 0>><<1 seen>>/proc/iomem:a\n@@\n<<1 log>><<1 end>>"
    with guest(answering(text)) as talk:
        assert talk.ask("true", look=True) == (GuestAnswer(0, "", ()), "/proc/iomem:a\n@@\n")


@pytest.mark.parametrize(
    ("command", "mode"),
    [
        ("ndctl list", "t"),
        ("for i in 1 2; do ndctl create-namespace || exit; done", "t"),
        ("cat /proc/iomem", "f"),
        ("cat /sys/bus/nd/drivers/ndctl_thing", "f"),
    ],
)
def test_tools_have_a_terminal_and_other_commands_a_file(command: str, mode: str) -> None:
    heard: list[bytes] = []

    def play(end: socket.socket, box: Box) -> None:
        heard.append(end.recv(4096))
        end.sendall(b"<<1 out>><<1 code 0>><<1 log>><<1 end>>")

    with guest(play) as talk:
        talk.ask(command)
    assert heard == [f"1 {mode} {command}\n".encode()]


def test_bytes_that_are_no_text_are_shown() -> None:
    with guest(answering(b"<<1 out>>\xff\xfe<<1 code 0>><<1 log>><<1 end>>")) as talk:
        assert talk.ask("cat x")[0].stdout == "\\xff\\xfe"


def test_a_guest_that_hangs_is_lost_in_bounded_time() -> None:
    def play(end: socket.socket, box: Box) -> None:
        end.recv(4096)
        end.sendall(b"<<1 out>>half of")
        time.sleep(2)

    with guest(play) as talk:
        began = time.monotonic()
        with pytest.raises(GuestLostError, match="did not answer within") as lost:
            talk.ask("sleep 1000", seconds=0.3)
    assert time.monotonic() - began < 5
    assert lost.value.why == "[    9.1] Kernel panic - not syncing: oh no"


def test_a_guest_that_talks_without_end_is_lost_before_it_fills_the_memory() -> None:
    def play(end: socket.socket, box: Box) -> None:
        end.recv(4096)
        with contextlib.suppress(OSError):  # the host hangs up
            while True:
                end.sendall(b"y\n" * 50_000)

    with guest(play) as talk:
        began = time.monotonic()
        with pytest.raises(GuestLostError, match="talks without end"):
            talk.ask("yes")
    assert time.monotonic() - began < 30


def test_a_guest_that_dies_is_lost_at_once() -> None:
    def play(end: socket.socket, box: Box) -> None:
        end.recv(4096)
        box.dead = True
        end.close()

    with guest(play) as talk:
        began = time.monotonic()
        with pytest.raises(GuestLostError, match="gone"):
            talk.ask("echo c > /proc/sysrq-trigger")
    assert time.monotonic() - began < 5


def test_a_step_of_several_lines_is_refused() -> None:
    with guest(answering()) as talk, pytest.raises(LabError, match="several lines"):
        talk.ask("a\nb")


def test_a_warning_is_its_message() -> None:
    log = """\
before
------------[ cut here ]------------
Misaligned something
WARNING: CPU: 0 PID: 12 at mm/memremap.c:10 f+0x1/0x2
Modules linked in: a b
CPU: 0 PID: 12 Comm: ndctl
RIP: 0010:f+0x1/0x2
Call Trace:
 <TASK>
 g+0x1/0x2
 </TASK>
---[ end trace 0000000000000000 ]---
memmap_init_zone_device initialised 3584 pages in 12ms
page:00000000 refcount:1
flags: 0x1
page dumped because: unmovable page"""
    assert clean_log(log.splitlines()) == [
        "before",
        "Misaligned something",
        "memmap_init_zone_device initialised 3584 pages in 0ms",
        "page dumped because: unmovable page",
    ]
