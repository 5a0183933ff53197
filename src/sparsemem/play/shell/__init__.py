"""The shell that steps are written in: words and quotes, pipes, redirects, lists, loops and conditions of POSIX sh.

Messages are busybox's, which is what the recorded guests run.
"""

from __future__ import annotations

from sparsemem.play.shell.checks import COMMANDS
from sparsemem.play.shell.parser import parse_step
from sparsemem.play.shell.syntax import Script

__all__ = ["COMMANDS", "Script", "parse_step"]
