"""Files of differential scenarios: what real Slurm printed, which Virga must print as well.

    # proves: sbatch --wrap -J; squeue -o --state      the options that this file proves (of each scenario in it)
    # cluster: accounts                               the one that has accounts and priorities (clusters.py)
    ## held jobs wait                                  a scenario begins: a fresh work folder, no job of another one
    $ job=$(sbatch --parsable -H --wrap true)          a shell command; all of a scenario share one shell
    $ squeue -h -j $job -o '%i %T %r'                  what it printed follows, its stdout first
    J0001 PENDING JobHeldUser
    2> a line of its stderr
    = 1                                                its exit code, where it is not 0
    ! Virga has no such thing                          the output differs on purpose: why; Virga's own follows
    J0001 …

A line that ends in a backslash ends right before it (blanks count); one that begins with a backslash is what follows
that (where it could be taken for something else). Helpers that scenarios may call are in helpers.sh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path


class Malformed(Exception):
    pass


@dataclass
class Seen:
    """What one command did."""

    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


@dataclass
class Command:
    text: str
    line: int
    slurm: Seen = field(default_factory=Seen)
    why: str = ""  # set: Virga's output is another one, and this is the reason
    virga: Seen = field(default_factory=Seen)

    def expected(self) -> Seen:
        return self.virga if self.why else self.slurm


@dataclass
class Scenario:
    name: str
    line: int
    remarks: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass
class File:
    path: Path
    head: list[str] = field(default_factory=list)  # comments before the first scenario
    scenarios: list[Scenario] = field(default_factory=list)

    def cluster(self) -> str:
        """Of "# cluster: accounts"; else the plain one."""
        return next((line.split()[2] for line in self.head if line.startswith("# cluster:")), "")

    def proves(self) -> list[str]:
        """"sbatch --wrap" and so on."""
        found = []
        for line in self.head:
            if not line.startswith("# proves:"):
                continue
            for part in line[len("# proves:"):].split(";"):
                words = part.split()
                found += [f"{words[0]} {word}" for word in words[1:]]
        return found


def decoded(line: str) -> str:
    if line.startswith("\\") and len(line) > 1:
        line = line[1:]
    return line[:-1] if line.endswith("\\") else line


def encoded(line: str) -> str:
    if re.match(r"(\$ |2> |= |! |#|\\)", line):
        line = "\\" + line
    return line + "\\" if line == "" or line[-1] in " \\" else line


def parse(path: Path) -> File:
    file = File(path)
    seen: Seen | None = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("## "):
            file.scenarios.append(Scenario(line[3:], number))
            seen = None
        elif line.startswith("#"):
            (file.scenarios[-1].remarks if file.scenarios else file.head).append(line)
            if file.scenarios and file.scenarios[-1].commands:
                raise Malformed(f"{path}:{number}: a comment behind the first command")
        elif not line:
            continue
        elif not file.scenarios:
            raise Malformed(f"{path}:{number}: a scenario begins with ## and its name")
        elif line.startswith("$ "):
            command = Command(line[2:], number)
            file.scenarios[-1].commands.append(command)
            seen = command.slurm
        elif seen is None:
            raise Malformed(f"{path}:{number}: output before the first command")
        elif line.startswith("! "):
            command = file.scenarios[-1].commands[-1]
            command.why = line[2:]
            seen = command.virga
        elif line.startswith("2> "):
            seen.err.append(decoded(line[3:]))
        elif re.fullmatch(r"= \d+", line):
            seen.code = int(line[2:])
        else:
            seen.out.append(decoded(line))
    return file


def lines_of(seen: Seen) -> list[str]:
    lines = [encoded(line) for line in seen.out]
    lines += ["2> " + (line + "\\" if line == "" or line[-1] in " \\" else line) for line in seen.err]
    return lines + ([f"= {seen.code}"] if seen.code else [])


def write(file: File) -> None:
    lines = list(file.head)
    for scenario in file.scenarios:
        lines += ["", f"## {scenario.name}", *scenario.remarks]
        for command in scenario.commands:
            lines += [f"$ {command.text}", *lines_of(command.slurm)]
            if command.why:
                lines += [f"! {command.why}", *lines_of(command.virga)]
    file.path.write_text("\n".join(lines) + "\n")


ID = re.compile(r"(?<![1-9])4[1-4]\d{3}(?!\d)")


def as_long_as(text: str):
    """Columns may cut what is replaced."""
    return lambda match: text[: len(match[0])]


RULES = [
    (re.compile(r"/var/tmp/slurm-[a-z0-9_]{1,8}"), as_long_as("/var/tmp/slurm-wxxxxxxxxx")),
    (re.compile(r"\b20[2-3]\d-\d\d(-\d\d(T[\d:]{1,8})?)?"), as_long_as("YYYY-MM-DDThh:mm:ss")),
    (re.compile(r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d 20\d\d"), "DDD MMM dd hh:mm:ss YYYY"),
    (re.compile(r"(?<![\d:])(\d-)?00:00:0\d(?![\d:])"), r"\g<1>00:00:0s"),
    (re.compile(r"(?<![\d:])0:0\d(?![\d:])"), "0:0s"),
    (re.compile(r"(?<![\d:])((?:\d-)?(?:\d+:)?59):5\d(?!\d)"), r"\g<1>:5s"),
    (re.compile(r"AllocNode:Sid=\S+:\d+"), "AllocNode:Sid=HOST:SID"),
    (re.compile(r"\b4294[89]\d{5}\b"), "PPPPPPPPPP"),  # priorities of jobs that have none of their own
    (re.compile(r"\bScheduler=(Main|Backfill)\b"), "Scheduler=ANY"),  # who of the two happened to look first
    (re.compile(r"\b0\.9999\d+"), as_long_as("0.9999pppppppppp")),
]


class Normal:
    """One scenario's texts without what differs from run to run: ids by their order, times, places, this host."""

    def __init__(self, work: str, host: str) -> None:
        self.work = work
        self.host = re.compile(r"\b" + re.escape(host) + r"\b")
        self.ids: dict[str, str] = {}

    def line(self, text: str) -> str:
        text = text.replace(self.work, "/var/tmp/slurm-w" + "x" * (len(self.work) - len("/var/tmp/slurm-w")))
        for pattern, by in RULES:
            text = pattern.sub(by, text)
        text = self.host.sub("HOST", text)
        return ID.sub(lambda m: self.ids.setdefault(m[0], f"J{len(self.ids) + 1:04d}"), text)

    def seen(self, out: str, err: str, code: int) -> Seen:
        return Seen([self.line(s) for s in out.splitlines()], [self.line(s) for s in err.splitlines()], code)
