#!/usr/bin/env python3
"""virga plan from the outside: JSON that adds up, files that it writes, and one line for each kind of bad input.

    verb_test.py --bin BUILD/bin
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.dom.minidom
from pathlib import Path

A100 = "Standard_ND96amsr_A100_v4"
H100 = "Standard_ND96isr_H100_v5"
MT_NLG = ["mt-nlg-530b", "--gpus", "2240", "--sku", A100, "--global-batch", "1920"]

CONFIG = {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
          "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}

# Arguments, and what the line must say.
REFUSED = [
    ([], "name a MODEL"),
    (["mt-nlg-530", "--gpus", "8"], "did you mean mt-nlg-530b?"),
    (["mt-nlg-530b", "--gpus", "0"], "--gpus 0: must be a whole number from 1"),
    (["mt-nlg-530b", "--gpus", "-8"], "--gpus"),
    (["mt-nlg-530b"], "--gpus N: missing"),
    (["mt-nlg-530b", "--gpus", "2240", "--tp", "3"], "tensor parallel 3 does not divide the 128 heads"),
    (["mt-nlg-530b", "--gpus", "2240", "--tp", "256"], "tensor parallel 256 does not divide the 128 heads"),
    (["mt-nlg-530b", "--gpus", "2240", "--pp", "106"], "pipeline parallel 106 is more than the 105 layers"),
    (["mt-nlg-530b", "--gpus", "2240", "--pp", "64"], "does not divide the 105 layers"),
    (["mt-nlg-530b", "--gpus", "2240", "--tp", "8", "--pp", "3"], "--gpus 2240: no multiple of"),
    (["mt-nlg-530b", "--gpus", "8", "--ep", "2"], "has no experts"),
    (["mt-nlg-530b", "--gpus", "8", "--precision", "fp7"], "--precision fp7: must be one of"),
    (["mt-nlg-530b", "--gpus", "8", "--sku", A100, "--precision", "fp8"], "has no tensor cores for fp8"),
    (["mt-nlg-530b", "--gpus", "8", "--recompute", "some"], "--recompute some: must be one of"),
    (["mt-nlg-530b", "--gpus", "8", "--tokens", "many"], "--tokens many: must be a number"),
    (["mt-nlg-530b", "--gpus", "8", "--budget", "5"], "say its --tokens"),
    (["mt-nlg-530b", "--gpus", "8", "--sku", "Standard_ND96isr_H100"], f"did you mean {H100}?"),
    (["llama-3-8b", "--gpus", "100", "--sku", "Standard_NC24ads_A100_v4"], "has no InfiniBand, so its 100 nodes"),
    (["llama-3-70b", "--gpus", "104", "--sku", H100, "--global-batch", "1024"], "96 GPUs can be used"),
    (["llama-3-8b", "--gpus", "8", "--sku", H100, "--region", "moon"], "--region moon: no price of"),
    (["./none.json", "--gpus", "8"], "none.json: cannot be read: No such file"),
    (["./unknown.json", "--gpus", "8"], "./unknown.json: key \"colour\" is unknown for a model of kind llama"),
    (["./missing.json", "--gpus", "8"], "./missing.json: key \"vocab_size\" is missing"),
    (["./heads.json", "--gpus", "8"], "hidden 4096 is no multiple of heads 33"),
    (["llama-3-8b", "--gpus", "8", "--launcher", "none"], "--launcher none"),
    (["llama-3-70b", "--gpus", "128", "--sku", H100, "--any-tp", "--tp", "16"], "divide the 8 key/value heads"),
    (["llama-3-8b", "--gpus", "8", "--sku", H100, "--seq", "4098", "--cp", "2"], "the sequence of 4098 in 4 parts"),
    (["mixtral-8x7b", "--gpus", "64", "--precision", "fp16", "--ep", "8"], "--ep 8: experts are not spread in fp16"),
    (["llama-3-8b", "--gpus", "8", "--slow-rank", "0.9"], "--slow-rank 0.9: must be FACTOR or FACTOR@RANKS"),
    (["llama-3-8b", "--gpus", "8", "--slow-rank", "nan@2"], "--slow-rank nan@2: must be FACTOR"),
    (["llama-3-8b", "--gpus", "8", "--slow-rank", "1.2@"], "--slow-rank 1.2@: behind the @"),
    (["llama-3-8b", "--gpus", "8", "--slow-rank", "1.2@-3"], "--slow-rank 1.2@-3: behind the @"),
    (["llama-3-8b", "--gpus", "8", "--oversubscription", "0.5"], "--oversubscription 0.5: must be at least 1"),
    (["llama-3-8b", "--gpus", "8", "--oversubscription", "nan"], "--oversubscription nan: must be a number"),
    (["llama-3-8b", "--gpus", "8", "--shared-with", "65"], "--shared-with 65: must be a whole number from 1 to 64"),
    (["llama-3-8b", "--gpus", "64", "--sku", H100, "--fabric", "tiny.conf"], "tiny.conf: 2 hosts are too few for 1"),
    (["llama-3-8b", "--gpus", "16", "--sku", H100, "--fabric", "none.conf"], "none.conf: cannot be read: No such file"),
    (["llama-3-8b", "--gpus", "8", "--sku", H100, "--tokens", "nan"], "--tokens nan: must be a number above 0"),
    (["llama-3-8b", "--gpus", "99999999999999999999"], "--gpus 99999999999999999999: must be a whole number"),
    (["llama-3-8b", "--gpus", "8", "--price", "-1"], "--price -1: must be a number from 0"),
    (["llama-3-8b", "--tokens", "1T", "--deadline", "0s"], "--deadline 0s: must be above 0"),
    (["llama-3-8b", "--tokens", "1T", "--budget", "0"], "--budget 0: must be above 0"),
    (["llama-3-8b", "--gpus", "8", "--sku", H100, "--tokens", "1T", "--restart", "99999d"], "a shorter --restart"),
    (["./layers.json", "--gpus", "8"], "./layers.json: 268435456 layers; at most 65536 are read"),
    (["./words.json", "--gpus", "8"], "./words.json: key \"vocab_size\" is -1; it must be a whole number"),
    (["./half.json", "--gpus", "8"], "./half.json: "),
    (["/dev/null", "--gpus", "8"], "/dev/null: "),
    (["/dev/zero", "--gpus", "8"], "/dev/zero: more than 64 MiB of text"),
    (["llama-3-8b", "--gpus", "12", "--sku", H100, "--global-batch", "480", "--script", "x.sh"], "no whole number of"),
    (["dit-xl/2", "--gpus", "8", "--script", "x.sh"], "no language model"),
    (["llama-3-8b", "--gpus", "8", "--sku", H100, "--html", "none/x.html"], "none/x.html: cannot be written: "),
]


class Checker:
    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.wrong = 0

    def check(self, fine: bool, what: str) -> None:
        if not fine:
            self.wrong += 1
            print(f"wrong: {what}")

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, "plan", *arguments], capture_output=True, text=True, cwd=self.folder,
                              check=False)

    def json(self, arguments: list[str], code: int = 0) -> dict:
        done = self.run([*arguments, "--json"])
        self.check(done.returncode == code, f"{arguments}: exit code {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)


def check_answers(c: Checker) -> None:
    free = c.json(MT_NLG)
    layout = free["layout"]
    c.check(layout["tp"] * layout["pp"] * layout["dp"] * layout["cp"] == 2240, f"GPUs of {layout}")
    c.check(abs(sum(free["terms"].values()) / free["seconds"] - 1) < 1e-9, "terms add up")
    c.check(free["memory"]["total"] <= free["memory"]["gpu"], "the best layout fits")
    c.check(0.2 < free["mfu"] < 0.8, f"MFU {free['mfu']}")
    c.check(any(p["chosen"] and p["gpus"] == 2240 for p in free["points"]), "the chosen point is the asked-for one")
    fixed = c.json([*MT_NLG, "--tp", "8", "--pp", "35", "--micro-batch", "1"])
    c.check((fixed["layout"]["tp"], fixed["layout"]["pp"], fixed["layout"]["dp"]) == (8, 35, 8), "fixed parts stay")
    c.check(fixed["seconds"] >= free["seconds"], "a fixed layout is no faster than the best")
    c.check(c.run([*MT_NLG, "--json"]).stdout == c.run([*MT_NLG, "--json"]).stdout, "equal questions, equal bytes")
    run = c.json([*MT_NLG, "--tokens", "270B"])["run"]
    c.check(run["days"] > 1 and run["usd"] > 1e6 and run["wall_seconds"] > run["training_seconds"], f"run {run}")
    spot = c.json(["llama-3-8b", "--gpus", "64", "--sku", H100, "--tokens", "300B", "--spot"])["run"]
    c.check(spot["checkpoint_interval_seconds"] < run["checkpoint_interval_seconds"], "spot saves more often")
    home = c.json([*MT_NLG, "--tokens", "270B"])
    cheap = c.json([*MT_NLG, "--tokens", "270B", "--region", "cheapest"])
    c.check(cheap["run"]["usd"] <= home["run"]["usd"] and cheap["region"] != "", f"cheapest in {cheap['region']}")
    alone = c.json([*MT_NLG, "--oversubscription", "4", "--scattered"])
    shared = c.json([*MT_NLG, "--oversubscription", "4", "--scattered", "--shared-with", "1"])
    c.check(free["nic_share"] == 1 and shared["nic_share"] < alone["nic_share"] <= 1, f"share {shared['nic_share']}")
    c.check(free["seconds"] <= alone["seconds"] <= shared["seconds"], "less of a NIC is no faster")
    before = free["seconds"]
    for ranks in ("1", "20", "2240"):
        slow = c.json([*MT_NLG, "--slow-rank", f"1.2@{ranks}"])
        c.check(slow["seconds"] >= before and slow["slow_rank_seconds"] > 0, f"{ranks} slow ranks: {slow['seconds']}")
        before = slow["seconds"]
    late = c.json(["llama-3-8b", "--tokens", "1T", "--deadline", "1s", "--sku", H100])
    c.check(all(late["run"]["days"] * 86400 <= p["wall_seconds"] + 1 for p in late["points"]), "late: the fastest")
    dear = c.json(["llama-3-8b", "--tokens", "1T", "--budget", "1", "--sku", H100])
    c.check(all(dear["run"]["usd"] <= p["usd"] + 1 for p in dear["points"]), "too dear: the cheapest")
    unfit = c.json(["llama-3-70b", "--gpus", "8", "--sku", H100, "--global-batch", "64"], code=1)
    c.check(not unfit["fits"] and unfit["cures"][0]["remedy"] == "more_gpus", "what would make it fit")


# What the script calls, each as a few lines of shell that say what they were told.
STUBS = {
    "scontrol": "echo first-node",
    "srun": 'shift; SLURM_PROCID=3 SLURM_LOCALID=3 SLURM_NTASKS=1024 exec "$@"',
    "python3": 'echo "trainer $RANK/$WORLD_SIZE at $MASTER_ADDR: $*"; mkdir -p "$CHECKPOINTS/iter_0000042"; exit 5',
    "virga": 'echo "virga $*"',
}


def check_script_runs(c: Checker) -> None:
    """The batch script starts the trainer with its rank, tells of the checkpoint and ends as the trainer did."""
    stubs = c.folder / "stubs"
    stubs.mkdir()
    for name, text in STUBS.items():
        (stubs / name).write_text(f"#!/bin/bash\n{text}\n")
        (stubs / name).chmod(0o755)
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "n[1-128]", "SLURM_JOB_ID": "7",
                   "SLURM_SUBMIT_DIR": str(c.folder), "CHECKPOINTS": str(c.folder / "checkpoints"), "HOME": "home"}
    done = subprocess.run(["bash", "job.sh"], capture_output=True, text=True, cwd=c.folder, env=environment,
                          check=False)
    c.check(done.returncode == 5, f"the script ends as its trainer: {done.returncode} {done.stderr}")
    c.check("trainer 3/1024 at first-node:" in done.stdout, f"the trainer's rank: {done.stdout}")
    c.check("virga checkpoint done --step 42" in done.stdout, f"the checkpoint is told: {done.stdout}")


def check_files(c: Checker) -> None:
    for launcher, word in (("megatron-lm", "pretrain_gpt.py"), ("megatron-bridge", "run_recipe.py")):
        for model in ("mt-nlg-530b", "deepseek-v3", "qwen3-235b-a22b"):
            done = c.run([model, "--gpus", "1024", "--sku", H100, "--script", "job.sh", "--html", "page.html",
                          "--launcher", launcher])
            c.check(done.returncode == 0, f"{model}: {done.stderr}")
            script = (c.folder / "job.sh").read_text()
            c.check(subprocess.run(["bash", "-n", "job.sh"], cwd=c.folder, check=False).returncode == 0, "bash -n")
            c.check(word in script and "#SBATCH --nodes=128\n" in script, f"script for {launcher}")
    check_script_runs(c)
    page = (c.folder / "page.html").read_text()
    pictures = re.findall(r"<svg.*?</svg>", page, re.S)
    c.check(len(pictures) == 3, f"{len(pictures)} pictures")
    for picture in pictures:
        xml.dom.minidom.parseString(picture)
    c.check("http" not in page, "the page needs nothing else")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", required=True)
    program = str(Path(arguments.parse_args().bin, "virga").resolve())
    with tempfile.TemporaryDirectory(prefix="virga-plan-") as folder:
        checker = Checker(program, Path(folder))
        (checker.folder / "unknown.json").write_text(json.dumps(CONFIG | {"colour": "red"}))
        (checker.folder / "heads.json").write_text(json.dumps(CONFIG | {"num_attention_heads": 33}))
        (checker.folder / "layers.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 1 << 28}))
        (checker.folder / "words.json").write_text(json.dumps(CONFIG | {"vocab_size": -1}))
        (checker.folder / "half.json").write_text(json.dumps(CONFIG)[:60])
        (checker.folder / "tiny.conf").write_text("SwitchName=s1 Nodes=n[1-2]\n")
        missing = {key: value for key, value in CONFIG.items() if key != "vocab_size"}
        (checker.folder / "missing.json").write_text(json.dumps(missing))
        for command, wanted in REFUSED:
            done = checker.run(command)
            fine = done.returncode == 2 and done.stderr.count("\n") == 1 and wanted in done.stderr and not done.stdout
            checker.check(fine, f"{command}: exit code {done.returncode}: {done.stderr or done.stdout}")
        check_answers(checker)
        check_files(checker)
    print(f"{checker.wrong} wrong")
    return 1 if checker.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
