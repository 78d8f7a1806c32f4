#!/usr/bin/env python3
"""Throws texts at a parser for a minute of processor time, beginning with those of tests/fuzz/corpus/NAME.

    tests/fuzz/run.py NAME BUILD [--seconds 60]       NAME: a file of tests/fuzz without its .cpp

What it finds is kept in BUILD/fuzz/NAME, and printed in base64 with what it did; put it into the corpus once it is
mended. Exit code 77, with a line that says why, where clang has no fuzzer.
"""

from __future__ import annotations

import argparse
import base64
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
PARSERS = ["src/wire/hostlist.cpp", "src/wire/slurm_text.cpp", "src/wire/slurm_policy.cpp",
           "src/wire/output_pattern.cpp", "src/wire/job_list_layout.cpp", "src/cli/batch_script.cpp",
           "src/cli/table.cpp"]
FLAGS = ["-std=c++20", "-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=undefined", "-DFMT_HEADER_ONLY", f"-I{REPO}/src", f"-I{REPO}/tests"]
ROUND_S = 20


def compiler() -> list[str]:
    clang = next((c for c in ("clang++-14", "clang++") if shutil.which(c)), None)
    if clang is None:
        print("skipped: there is no clang++ (script/setup --group test)")
        sys.exit(77)
    return [*(["ccache"] if shutil.which("ccache") else []), clang]


def run(words: list[str]) -> None:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"failed: {' '.join(words)}\n{done.stdout[-4000:]}")


def build(name: str, folder: Path) -> Path:
    """Objects of the parsers are made once for all fuzzers."""
    clang = compiler()
    probe = folder / "probe.cpp"
    probe.write_text('extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n')
    if subprocess.run([*clang, "-fsanitize=fuzzer,address", str(probe), "-o", str(folder / "probe")],
                      capture_output=True).returncode != 0:
        print("skipped: clang has no fuzzer here (Debian's libclang-rt-14-dev)")
        sys.exit(77)
    sources = [*sorted(str(p.relative_to(REPO)) for p in (REPO / "src" / "base").glob("*.cpp")), *PARSERS]
    objects = []
    for source in sources:
        objects.append(str(folder / (source.replace("/", ".") + ".o")))
        run([*clang, *FLAGS, "-fsanitize=fuzzer-no-link", "-c", str(REPO / source), "-o", objects[-1]])
    program = folder / name
    main = str(folder / f"{name}.o")
    run([*clang, *FLAGS, "-fsanitize=fuzzer-no-link", "-c", str(HERE / f"{name}.cpp"), "-o", main])
    run([*clang, *FLAGS, "-fsanitize=fuzzer", main, *objects, "-o", str(program)])
    return program


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(p.stem for p in HERE.glob("*.cpp")))
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    folder = args.build.resolve() / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    program = build(args.name, folder)
    found = folder / f"{args.name}.found"
    shutil.rmtree(found, ignore_errors=True)
    grown = found / "corpus"
    grown.mkdir(parents=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    while (spent := resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) < args.seconds:
        seconds = str(max(1, min(ROUND_S, round(args.seconds - spent))))
        done = subprocess.run([str(program), f"-max_total_time={seconds}", "-max_len=600", "-timeout=20",
                               "-rss_limit_mb=3000", "-print_final_stats=0", f"-artifact_prefix={found}/", str(grown),
                               str(HERE / "corpus" / args.name)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env={**os.environ, "TZ": "UTC"})
        if done.returncode != 0:
            print(done.stdout[-4000:])
            for path in sorted(p for p in found.iterdir() if p.is_file()):
                print(f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}")
            return 1
    print(f"{args.name}: {spent:.0f} s of processor time, {len(list(grown.iterdir()))} texts that reach something new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
