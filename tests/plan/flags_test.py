#!/usr/bin/env python3
"""The scripts of `virga plan` have only flags that the launchers know, and keep the launchers' own rules.

    flags_test.py --bin BUILD/bin

The table is launcher_flags.csv, which names its sources; the rules are those of Megatron-LM's validate_args
(megatron/training/arguments.py) and TransformerConfig.__post_init__, so far as a layout can break them.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
import tempfile
from pathlib import Path

A100 = "Standard_ND96amsr_A100_v4"
H100 = "Standard_ND96isr_H100_v5"
GB200 = "gb200-nvl72"
# Every kind of model that the scripts tell apart, and layouts that bring the rarer flags.
CASES = [
    ["mt-nlg-530b", "--gpus", "2240", "--sku", A100, "--global-batch", "1920", "--tokens", "270B"],
    ["mt-nlg-530b", "--gpus", "2240", "--sku", A100, "--global-batch", "1920", "--pp", "35", "--precision", "fp16"],
    ["gpt-3-175b", "--gpus", "512", "--sku", A100, "--stack", "megatron-2022", "--recompute", "selective"],
    ["bloom-176b", "--gpus", "384", "--sku", A100],
    ["llama-3-70b", "--gpus", "512", "--sku", H100, "--precision", "fp8"],
    ["llama-3-70b", "--gpus", "512", "--sku", H100, "--seq", "65536", "--cp", "8"],
    ["llama-3.1-405b", "--gpus", "1024", "--sku", H100, "--pp", "16", "--interleave", "8", "--recompute", "full"],
    ["llama-3.1-405b", "--gpus", "576", "--sku", GB200, "--precision", "mxfp8"],
    ["llama-3-8b", "--gpus", "8", "--sku", H100, "--distributed-optimizer", "off", "--recompute", "full"],
    ["llama-3-8b", "--gpus", "72", "--sku", GB200, "--precision", "nvfp4"],
    ["mixtral-8x7b", "--gpus", "128", "--sku", H100],
    ["mixtral-8x7b", "--gpus", "128", "--sku", H100, "--ep", "2", "--tp", "8"],
    ["mixtral-8x7b", "--gpus", "128", "--sku", H100, "--precision", "fp16"],
    ["deepseek-v3", "--gpus", "2048", "--sku", H100, "--precision", "fp8"],
    ["deepseek-v3", "--gpus", "1024", "--sku", H100, "--pp", "16", "--ep", "64"],
    ["qwen3-235b-a22b", "--gpus", "512", "--sku", H100],
]

Values = dict[str, str]


def known_flags(launcher: str) -> dict[str, tuple[str, list[str]]]:
    lines = (Path(__file__).parent / "launcher_flags.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["name"]: (row["kind"], row["values"].split()) for row in rows if row["launcher"] == launcher}


def words_of(script: str) -> list[str]:
    """The words of the script's arrays, as its shell sees them."""
    arrays = "".join(re.findall(r"^(?:MODEL|LAYOUT|RUN)=\(\n.*?^\)\n", script, re.M | re.S))
    fields = "".join(re.findall(r"^SEQ_FIELD=.*\n", script, re.M))
    shell = ("LR=1 CHECKPOINTS=/c DATA=(--mock-data --tokenizer-type NullTokenizer)\n" + fields + arrays
             + 'printf "%s\\n" "${MODEL[@]}" "${LAYOUT[@]}" "${RUN[@]}"')
    return subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout.splitlines()


def values_of(launcher: str, words: list[str]) -> Values:
    """By flag; an empty value for a switch."""
    if launcher == "megatron-bridge":
        return dict(word.split("=", 1) for word in words)
    values: Values = {}
    at = ""
    for word in words:
        if word.startswith("--"):
            assert word not in values, f"{word} twice"
            at = word
            values[at] = ""
        else:
            assert at and not values[at], f"a second value of {at}: {word}"
            values[at] = word
    return values


def wrong_values(launcher: str, values: Values) -> list[str]:
    known = known_flags(launcher)
    wrong = []
    for name, value in values.items():
        if name not in known:
            wrong.append(f"{name} is unknown to {launcher}")
            continue
        kind, choices = known[name]
        fine = {"switch": value == "", "text": value != "", "choice": value in choices,
                "int": re.fullmatch(r"\d+", value) is not None,
                "float": re.fullmatch(r"\d+(\.\d+)?", value) is not None}[kind]
        if not fine:
            wrong.append(f"{name} cannot be \"{value}\"")
    return wrong


def broken_rules(v: Values, world: int) -> list[str]:
    """What validate_args would assert."""
    def number(name: str, otherwise: int = 1) -> int:
        return int(v.get(name) or otherwise)

    tp, pp = number("--tensor-model-parallel-size"), number("--pipeline-model-parallel-size")
    cp, ep = number("--context-parallel-size"), number("--expert-model-parallel-size")
    etp, layers = number("--expert-tensor-parallel-size"), number("--num-layers")
    virtual, batch = number("--num-virtual-stages-per-pipeline-rank"), number("--global-batch-size")
    heads, micro = number("--num-attention-heads"), number("--micro-batch-size")
    counted = layers + sum(f"--account-for-{what}-in-pipeline-split" in v for what in ("embedding", "loss"))
    last = number("--decoder-last-pipeline-num-layers", 0)
    samples = micro * (world // (tp * pp * cp))
    rules = {
        "the world is no multiple of tp x pp x cp": world % (tp * pp * cp) == 0,
        "the global batch is no multiple of micro batch x data ranks": batch % samples == 0,
        "layers do not divide": (layers - last) % (pp - 1) == 0 if last else counted % (pp * virtual) == 0,
        "virtual stages without a pipeline": virtual == 1 or pp > 1,
        "micro batches come in no groups of stages": virtual == 1 or batch // samples % pp == 0,
        "heads do not divide": heads % tp == 0,
        "key and value heads do not divide": number("--num-query-groups", heads) % tp == 0,
        "the sequence is no multiple of 2 x cp": cp == 1 or number("--seq-length") % (2 * cp) == 0,
        "positions are fewer than the sequence": number("--max-position-embeddings") >= number("--seq-length"),
        "overlap-param-gather wants the distributed optimizer and overlap-grad-reduce":
            "--overlap-param-gather" not in v
            or ("--use-distributed-optimizer" in v and "--overlap-grad-reduce" in v),
        "recompute methods are of full granularity": ("--recompute-method" in v)
            == (v.get("--recompute-granularity") == "full"),
        "grouped GEMM wants bf16": "--moe-grouped-gemm" not in v or "--bf16" in v,
        "expert parallel wants experts, and no fp16": ep == 1 or ("--num-experts" in v and "--fp16" not in v),
        "experts do not divide": number("--num-experts", ep) % ep == 0,
        "the world is no multiple of expert groups": world % (etp * ep * pp) == 0,
        "experts with tensor parallel want sequence parallel":
            "--num-experts" not in v or tp == 1 or "--sequence-parallel" in v,
        "fp4 and fp8 exclude each other": not ("--fp4-format" in v and "--fp8-format" in v),
        "bf16 and fp16 exclude each other": ("--bf16" in v) != ("--fp16" in v),
    }
    return [rule for rule, kept in rules.items() if not kept]


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    program = str(Path(arguments.parse_args().bin, "virga").resolve())
    wrong = 0
    seen: dict[str, set[str]] = {"megatron-lm": set(), "megatron-bridge": set()}
    with tempfile.TemporaryDirectory(prefix="virga-flags-") as folder:
        for case in CASES:
            for launcher, flags in seen.items():
                done = subprocess.run([program, "plan", *case, "--launcher", launcher, "--script", "job.sh"],
                                      capture_output=True, text=True, cwd=folder, check=False)
                if done.returncode != 0:
                    wrong += 1
                    print(f"{case}: exit code {done.returncode}: {done.stdout}{done.stderr}")
                    continue
                script = Path(folder, "job.sh").read_text()
                values = values_of(launcher, words_of(script))
                flags.update(values)
                sizes = re.findall(r"^#SBATCH --(?:nodes|ntasks-per-node)=(\d+)$", script, re.M)
                problems = wrong_values(launcher, values)
                if launcher == "megatron-lm":
                    problems += broken_rules(values, int(sizes[0]) * int(sizes[1]))
                for problem in problems:
                    wrong += 1
                    print(f"{' '.join(case)} ({launcher}): {problem}")
    for launcher, flags in seen.items():
        for name in known_flags(launcher).keys() - flags:
            print(f"note: no case has {launcher}'s {name}")
    print(f"{sum(len(flags) for flags in seen.values())} flags and fields seen, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
