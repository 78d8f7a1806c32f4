#!/usr/bin/env python3
"""Every `$ virga fabric …` of docs/fabric.md prints what the page says. A line … stands for any lines.

    docs_test.py --bin BUILD/bin
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/fabric.md"


def matches(wanted: str, printed: str) -> bool:
    pattern = re.escape(wanted).replace(re.escape("…\n"), r"(?:.*\n)*?")
    return re.fullmatch(pattern, printed) is not None


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    bin_dir = Path(arguments.parse_args().bin).resolve()
    examples = re.findall(r"^```\n\$ virga (fabric [^\n]*)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="virga-docs-") as folder:
        for command, wanted in examples:
            done = subprocess.run([f"{bin_dir}/virga", *shlex.split(command)], capture_output=True, text=True,
                                  cwd=folder, check=False)
            if done.returncode != 0 or not matches(wanted, done.stdout):
                wrong += 1
                print(f"$ virga {command}\nexit code {done.returncode}, printed:\n{done.stdout}{done.stderr}")
    print(f"{len(examples)} examples, {wrong} of them wrong")
    return 1 if wrong or len(examples) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
