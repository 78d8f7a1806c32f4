#!/usr/bin/env python3
"""Tools that were written for Slurm, unmodified, on a cluster of script/slurm-prefix: each does its usual work there.

    tests/slurm_tools/tools_test.py TOOL --bin BUILD/bin    TOOL: clustershell snakemake parallel jube openmpi hpcc
    tests/slurm_tools/tools_test.py TOOL --real             the same on real Slurm: is the test itself right?

Exit code 77, with a line that says why, where the tool or the user games is not there (script/setup --group tools).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "slurm"))
from clusters import CannotRun, Cluster, RealSlurm, Virga  # noqa: E402


class Failed(Exception):
    pass


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path="/usr/bin:/bin") is None:
            raise CannotRun(f"{program} is not installed (script/setup --group tools)")


def needs_file(path: Path) -> Path:
    if not path.exists():
        raise CannotRun(f"there is no {path}: this machine leaves out the documentation of packages")
    return path


def sh(cluster: Cluster, script: str, timeout: float = 120) -> str:
    done = cluster.run(["bash", "-euo", "pipefail", "-c", script], timeout=timeout)
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode} of:\n{script}\n{done.stdout}{done.stderr}")
    return done.stdout


def file(cluster: Cluster, name: str, text: str) -> None:
    path = cluster.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    shutil.chown(path, "games", "games")


def must_be(what: str, found: str, right: str) -> None:
    if found != right:
        raise Failed(f"{what}: {found!r}, not {right!r}")


def clustershell(cluster: Cluster) -> None:
    """Its groups of nodes by partition, state, job and user come from sinfo and squeue."""
    needs("nodeset")
    examples = Path("/etc/clustershell")
    config = (examples / "groups.conf.d" / "slurm.conf.example").read_text()
    main = "[Main]\ndefault: sp\nconfdir: $CFGDIR/groups.conf.d\n"
    file(cluster, ".config/clustershell/groups.conf", main)
    file(cluster, ".config/clustershell/groups.conf.d/slurm.conf", config)
    cluster.env["XDG_CONFIG_HOME"] = str(cluster.work / ".config")
    must_be("a partition", sh(cluster, "nodeset -f @sp:alt"), "n[1-8]\n")
    must_be("all nodes", sh(cluster, "nodeset -c -a"), "8\n")
    must_be("partitions", sh(cluster, "nodeset -l"), "@alt\n@main\n")
    must_be("partitions of a node", sh(cluster, "nodeset -l n3 | sort"), "@alt\n@main\n")
    must_be("idle nodes", sh(cluster, "nodeset -c @st:idle"), "8\n")
    job = sh(cluster, "sbatch --parsable -N3 --exclusive --wrap 'sleep 300'").strip()
    sh(cluster, f"until [ \"$(squeue -h -j {job} -o %T)\" = RUNNING ]; do sleep 0.2; done")
    must_be("nodes of a job", sh(cluster, f"nodeset -f @sj:{job}"), "n[1-3]\n")
    must_be("nodes of a user", sh(cluster, "nodeset -f @su:games"), "n[1-3]\n")
    must_be("jobs of a node", sh(cluster, "nodeset -s sj -l n2"), f"@sj:{job}\n")
    must_be("nodes of a partition without a job's", sh(cluster, f"nodeset -f @sp:main -x @sj:{job}"), "n[4-8]\n")
    sh(cluster, f"scancel {job}")


def snakemake(cluster: Cluster) -> None:
    """Rules become batch jobs, whose ends are asked of sacct."""
    needs("snakemake")
    file(cluster, "Snakefile", """
rule all:
    input: expand("out/{x}.txt", x=[1, 2, 3])
rule one:
    output: "out/{x}.txt"
    resources: runtime=5, mem_mb=100, slurm_partition="alt"
    threads: 2
    shell: "echo {wildcards.x} $SLURM_JOB_PARTITION {threads} > {output}"
""")
    sh(cluster, "snakemake --slurm -j 4 > snakemake.log 2>&1 || { cat snakemake.log; exit 1; }", timeout=280)
    must_be("the rules' files", sh(cluster, "cat out/1.txt out/2.txt out/3.txt"), "1 alt 2\n2 alt 2\n3 alt 2\n")
    must_be("jobs in the accounts", sh(cluster, "sacct -X -n -P -o State,AllocCPUS"), "COMPLETED|2\n" * 3)


def parallel(cluster: Cluster) -> None:
    """GNU parallel inside of a job, a step for each of its lines."""
    needs("parallel")
    file(cluster, "job.sh", """#!/bin/bash
#SBATCH -N2 -n4 -c2 -o job.out
mkdir -p .parallel && touch .parallel/will-cite
step="srun --exclusive -N1 -n1 -c2"
parallel -k -j "$SLURM_NTASKS" $step sh -c \\''echo "{} on $SLURM_CPUS_PER_TASK"'\\' ::: $(seq 12)
""")
    sh(cluster, "sbatch --wait job.sh || { cat job.out; exit 1; }")
    must_be("the steps' output", sh(cluster, "cat job.out"), "".join(f"{i} on 2\n" for i in range(1, 13)))
    must_be("steps in the accounts", sh(cluster, "sacct -n -P -o JobID,State | grep -c '[.][0-9].*COMPLETED'"), "12\n")


def jube(cluster: Cluster) -> None:
    """A benchmark over two numbers of tasks, submitted with its own template for Slurm."""
    needs("jube")
    file(cluster, "bench.xml", """<?xml version="1.0" encoding="UTF-8"?>
<jube>
  <benchmark name="hello" outpath="runs">
    <parameterset name="systemParameter" init_with="platform.xml">
      <parameter name="tasks" type="int">2,4</parameter>
      <parameter name="executable">sh -c 'echo rank $SLURM_PROCID'</parameter>
      <parameter name="timelimit">00:05:00</parameter>
      <parameter name="starter">srun</parameter>
      <parameter name="queue">main</parameter>
    </parameterset>
    <step name="run">
      <use>systemParameter</use>
      <use from="platform.xml">executeset</use>
      <use from="platform.xml">executesub</use>
      <use from="platform.xml">jobfiles</use>
      <do done_file="$done_file">$submit $submit_script</do>
    </step>
    <patternset name="found">
      <pattern name="last" type="int">rank (\\d+)</pattern>
    </patternset>
    <analyser name="look">
      <use>found</use>
      <analyse step="run"><file>job.out</file></analyse>
    </analyser>
    <result>
      <use>look</use>
      <table name="table" style="csv" sort="tasks"><column>tasks</column><column>last_max</column></table>
    </result>
  </benchmark>
</jube>
""")
    platform = needs_file(Path("/usr/share/doc/jube/platform/slurm"))
    sh(cluster, f"jube run --include-path {platform} -- bench.xml > jube.log 2>&1 || {{ cat jube.log; exit 1; }}; "
                "while [ -n \"$(squeue -h)\" ]; do sleep 0.2; done; jube continue runs > /dev/null; "
                "jube analyse runs > /dev/null")
    table = sh(cluster, "jube result runs --id last 2> /dev/null | grep '^[0-9]'")
    must_be("the benchmark's table", table, "2,1\n4,3\n")


def openmpi(cluster: Cluster) -> None:
    """mpirun inside of a job starts its daemons with srun, on up to all nodes."""
    needs("mpirun.openmpi")
    for nodes in (1, 2, 8):
        file(cluster, "mpi.sh", f"""#!/bin/bash
#SBATCH -N{nodes} -n{2 * nodes} -o mpi.out
mpirun.openmpi sh -c 'echo $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE on $SLURMD_NODENAME'
""")
        sh(cluster, "sbatch --wait mpi.sh || { cat mpi.out; exit 1; }")
        ranks = sorted(sh(cluster, "cut -d ' ' -f 1-3 mpi.out").splitlines(), key=lambda line: int(line.split()[0]))
        must_be(f"ranks on {nodes} nodes", "\n".join(ranks), "\n".join(f"{r} of {2 * nodes}" for r in range(2 * nodes)))
        must_be("nodes", sh(cluster, "cut -d ' ' -f 5 mpi.out | sort | uniq -c | awk '{print $1}' | uniq"), "2\n")


def hpcc(cluster: Cluster) -> None:
    """The HPC Challenge over four nodes, small."""
    needs("hpcc", "mpirun.openmpi")
    lines = needs_file(Path("/usr/share/doc/hpcc/examples/_hpccinf.txt")).read_text().splitlines()
    values = {"Ns": "400", "NBs": "40", "Ps": "2", "Qs": "2"}
    for at, line in enumerate(lines):
        words = line.split()
        if words and words[-1] in values:
            lines[at] = f"{values[words[-1]]} {words[-1]}"
        if line.rstrip().endswith(("# of problems sizes (N)", "# of NBs", "# of process grids (P x Q)")):
            lines[at] = "1 " + line.split(maxsplit=1)[1]
    file(cluster, "hpccinf.txt", "\n".join(lines) + "\n")
    file(cluster, "hpcc.sh", "#!/bin/bash\n#SBATCH -N4 -n4 -o hpcc.out\nmpirun.openmpi hpcc\n")
    sh(cluster, "sbatch --wait hpcc.sh || { cat hpcc.out; exit 1; }", timeout=280)
    must_be("HPCC's end", sh(cluster, "grep -c '^Success=1' hpccoutf.txt"), "1\n")
    must_be("its processes", sh(cluster, "grep '^CommWorldProcs' hpccoutf.txt"), "CommWorldProcs=4\n")


TOOLS = {f.__name__: f for f in (clustershell, snakemake, parallel, jube, openmpi, hpcc)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--bin", type=Path)
    parser.add_argument("--real", action="store_true")
    args = parser.parse_args()
    if not args.real and args.bin is None:
        parser.error("--bin BUILD/bin, or --real")
    try:
        with RealSlurm() if args.real else Virga(args.bin) as cluster:
            TOOLS[args.tool](cluster)
    except CannotRun as why:
        print(f"skipped: {why}")
        return 77
    except Failed as why:
        print(f"{args.tool}: {why}")
        return 1
    print(f"{args.tool}: did its work")
    return 0


if __name__ == "__main__":
    sys.exit(main())
