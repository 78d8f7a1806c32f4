#!/usr/bin/env python3
"""srun --pty: a shell on a node as from a terminal. A pseudo terminal here plays the user's.

    pty_test.py --bin BUILD/bin

What is looked at: the size of the terminal at the start and after a change, echo, ^C for what runs there and not for
srun, ^D, exit codes, and that our terminal is what it was before, however srun ended.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from clusters import CannotRun, Virga  # noqa: E402

PATIENCE = 60.0


class Terminal:
    """A program with a terminal of its own, as somebody sits at it."""

    def __init__(self, virga: Virga, words: list[str], rows: int = 31, columns: int = 97) -> None:
        self.master, self.slave = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(words, cwd=virga.work, env=virga.env, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, preexec_fn=take_terminal, **virga.user)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.seen += os.read(self.master, 65536).decode(errors="replace")
        return True

    def expect(self, pattern: str) -> str:
        """Reads until this is there; what was before it is forgotten."""
        until = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            if not self.read(max(0.0, until - time.monotonic())):
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
        self.seen = self.seen[found.end():]
        return found.group(0)

    def end(self) -> int:
        code = self.process.wait(PATIENCE)
        while self.read(0.05):
            pass
        return code

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Checks:
    def __init__(self, virga: Virga) -> None:
        self.virga = virga
        self.wrong: list[str] = []

    def check(self, what: str, ok: bool, seen: object = "") -> None:
        print(("ok     " if ok else "FAILED ") + what + ("" if ok else f": {seen!r}"), flush=True)
        if not ok:
            self.wrong.append(what)

    def shell(self) -> None:
        user = Terminal(self.virga, ["srun", "--pty", "sh"])
        try:
            user.type("tty; stty size; echo at-$((40+2))\n")
            user.expect("at-42")
            user.type("stty size\n")
            self.check("the size at the start", bool(user.expect(r"31 97\r\n")))
            self.check("raw meanwhile", not user.is_as_before())
            user.resize(50, 120)
            os.kill(user.process.pid, signal.SIGWINCH)
            user.type("while [ \"$(stty size)\" != '50 120' ]; do sleep 0.1; done; echo grown-$((1+1))\n")
            self.check("the size after a change", bool(user.expect("grown-2")))
            user.type("trap '' INT; (trap - INT; echo begun-$((2+2)); exec sleep 1000); echo went-$((3+3))\n")
            user.expect("begun-4")
            user.type("\x03")
            self.check("^C ends what runs there, srun stays", bool(user.expect("went-6")))
            user.type("exit 7\n")
            self.check("the exit code", user.end() == 7, user.seen)
            self.check("the terminal is as before", user.is_as_before())
        finally:
            user.close()

    def end_of_input(self) -> None:
        user = Terminal(self.virga, ["srun", "--pty", "cat"])
        try:
            user.type("echoed\n")
            self.check("echo, and the line", bool(user.expect(r"echoed\r\n(.*)echoed\r\n")))
            user.type("\x04")
            self.check("^D ends it", user.end() == 0, user.seen)
        finally:
            user.close()

    def killed(self) -> None:
        user = Terminal(self.virga, ["srun", "--pty", "sh", "-c", "echo here-$((5+5)); sleep 1000"])
        try:
            user.expect("here-10")
            user.process.send_signal(signal.SIGTERM)
            code = user.end()
            self.check("SIGTERM ends it", code not in (0, -signal.SIGTERM), code)
            self.check("and the terminal is as before", user.is_as_before())
        finally:
            user.close()

    def others(self) -> None:
        user = Terminal(self.virga, ["srun", "-n2", "--pty", "sh", "-c", "echo task-$SLURM_PROCID; exit $SLURM_PROCID"])
        try:
            user.expect("task-0")
            code = user.end()
            self.check("other tasks say nothing, their exit codes count", code == 1 and "task-1" not in user.seen,
                       (code, user.seen))
        finally:
            user.close()

    def inside(self) -> None:
        user = Terminal(self.virga, ["salloc", "-Q", "srun", "--pty", "sh", "-c", "echo job-$SLURM_STEP_ID; tty"])
        try:
            user.expect("job-0")
            user.expect("/dev/pts/")
            self.check("inside an allocation", user.end() == 0, user.seen)
            self.check("and the terminal is as before there", user.is_as_before())
        finally:
            user.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=Path, help="folder of the built programs")
    args = parser.parse_args()
    try:
        with Virga(args.bin.resolve()) as virga:
            checks = Checks(virga)
            checks.shell()
            checks.end_of_input()
            checks.killed()
            checks.others()
            checks.inside()
    except CannotRun as error:
        print(f"SKIPPED: {error}")
        return 77
    return 1 if checks.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
