#!/usr/bin/env python3
"""Every `$ virga plan …` of docs/plan.md prints what the page says. A line … stands for any lines.

    docs_test.py --bin BUILD/bin            words must be equal; what is calibrated may differ
    docs_test.py --bin BUILD/bin --write    puts what is printed now into the page
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/plan.md"
EXAMPLE = re.compile(r"^```\n\$ virga (plan [^\n]*)\n(.*?)^```", re.M | re.S)
FILES = re.compile(r"^```[a-z]+ ([\w.]+)\n(.*?)^```", re.M | re.S)


# What another calibration may change beyond figures: which terms and levers are worth a line, and the layout.
CALIBRATED = re.compile(
    r"^  (?:compute|host|tensor|expert|pipeline|bubble|data|optimizer|step) .*\n|^  .* less time.*\n"
    r"|(?<=^layout).*|(?<=^bottleneck).*|(?<=^it would).*|^ +[*-](?= +\d)|^ {12}tensor .*", re.M)


def words(text: str) -> str:
    """The text without its figures, bars and the columns that they take."""
    text = CALIBRATED.sub("", text)
    text = re.sub(r"[▏▎▍▌▋▊▉█]", " ", text)
    text = re.sub(r"\d[\d,]*(?:\.\d+)*(?:e[+-]?\d+)?", "#", text)
    return re.sub(r" +", " ", text)


def matches(wanted: str, printed: str) -> bool:
    pattern = re.escape(words(wanted)).replace(re.escape("…\n"), r"(?:.*\n)*?")
    return re.fullmatch(pattern, words(printed)) is not None


def refreshed(wanted: str, printed: str) -> str:
    """What is printed, cut where the page cuts it: only a … at the end is kept."""
    if not wanted.endswith("…\n"):
        return printed
    lines = wanted.count("\n") - 1
    return "".join(printed.splitlines(keepends=True)[:lines]) + "…\n"


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    options.bin = Path(options.bin).resolve()
    page = PAGE.read_text()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="virga-docs-") as folder:
        for name, text in FILES.findall(page):
            Path(folder, name).write_text(text)
        examples = EXAMPLE.findall(page)
        for command, wanted in examples:
            done = subprocess.run([f"{options.bin}/virga", *shlex.split(command)], capture_output=True, text=True,
                                  cwd=folder, check=False)
            printed = done.stdout + done.stderr
            if options.write:
                page = page.replace(f"$ virga {command}\n{wanted}", f"$ virga {command}\n{refreshed(wanted, printed)}")
            elif not matches(wanted, printed):
                wrong += 1
                print(f"$ virga {command}\nexit code {done.returncode}, printed:\n{printed}")
    if options.write:
        new = PAGE.with_suffix(".new")
        new.write_text(page)
        shutil.move(new, PAGE)
    print(f"{len(examples)} examples, {wrong} of them wrong" + ("; --write refreshes the page" if wrong else ""))
    return 1 if wrong or len(examples) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
