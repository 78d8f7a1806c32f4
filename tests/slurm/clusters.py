"""The two clusters that differential scenarios run on, both raised as the ordinary user `games` with the same nodes,
n1 to n8 of 8 CPUs and 16 GiB, and the same partitions: Debian's Slurm 22.05.8 with its accounting, and Virga's
prefix."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

USER = "games"
FIRST_JOB = 41001
REPO = Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


# "# cluster: accounts" in a file of scenarios: priorities by several factors, accounts with shares, and QOS. The
# same for both, in the words of each.
SLURM_PRIORITIES = """
PriorityType=priority/multifactor
PriorityWeightAge=1000
PriorityWeightFairshare=10000
PriorityWeightJobSize=500
PriorityWeightPartition=1000
PriorityWeightQOS=2000
"""
SLURM_ACCOUNTS = (
    "add account science description=science organization=science share=10",
    "add account physics parent=science description=physics organization=science share=3",
    "add account chemistry parent=science description=chemistry organization=science share=1",
    "add account guests description=guests organization=guests share=2",
    f"add user {USER} account=physics share=1",
    f"add user {USER} account=chemistry share=1",
    "add user nobody account=guests share=1",
    "modify qos normal set priority=10",
    "add qos urgent priority=40 maxjobspu=4 maxsubmitjobspu=20 maxwall=1-00:00:00 gracetime=60 preempt=normal",
    "modify account science set qos=normal,urgent",
    "modify account guests set qos=normal,urgent",
    "modify account root set qos=normal,urgent",
)
VIRGA_ACCOUNTS = f"""
[scheduler]
policy = "multifactor"
[priority]
age = 1000
fair_share = 10000
size = 500
partition = 1000
qos = 2000
[qos.normal]
priority = 10
[qos.urgent]
priority = 40
max_jobs_per_user = 4
max_submit_per_user = 20
max_wall = "24h"
grace_time = "60s"
preempt = ["normal"]
[tenant.science]
shares = 10
[tenant.physics]
parent = "science"
shares = 3
users = ["{USER}"]
[tenant.chemistry]
parent = "science"
shares = 1
users = ["{USER}"]
[tenant.guests]
shares = 2
users = ["nobody"]
"""


class CannotRun(Exception):
    """This machine cannot have it; the text says why."""


def as_user() -> dict:
    entry = pwd.getpwnam(USER)
    if os.geteuid() == entry.pw_uid:
        return {}
    if os.geteuid() != 0:
        raise CannotRun(f"needs root, or the user {USER}")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [entry.pw_gid]}


class Cluster:
    """A folder of the user's; `path` and `env` are what its commands need."""

    def __init__(self) -> None:
        self.user = as_user()
        self.home = Path(tempfile.mkdtemp(prefix="slurm-", dir="/var/tmp"))
        self.work = self.home / "w"
        self.work.mkdir()
        self.env = {"PATH": SYSTEM_PATH, "HOME": str(self.work), "USER": USER, "LOGNAME": USER, "SHELL": "/bin/bash",
                    "LANG": "C.UTF-8", "TZ": "UTC"}
        for folder in (self.home, self.work):
            shutil.chown(folder, USER, pwd.getpwnam(USER).pw_gid)
            folder.chmod(0o755)

    def run(self, words: list[str], **more) -> subprocess.CompletedProcess:
        return subprocess.run(words, cwd=self.work, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", **self.user, **more)

    def must(self, words: list[str], **more) -> str:
        done = self.run(words, **more)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def __enter__(self) -> "Cluster":
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        shutil.rmtree(self.home, ignore_errors=True)


class Virga(Cluster):
    def __init__(self, bin_dir: Path, kind: str = "") -> None:
        super().__init__()
        self.more = VIRGA_ACCOUNTS if kind == "accounts" else ""
        self.bin_dir = bin_dir
        self.dir = self.home / "p"
        self.env["PATH"] = f"{self.dir}/bin:{SYSTEM_PATH}"

    def up(self) -> None:
        config = self.home / "cluster.toml"
        in_partition = 'priority = 1\nqos = "normal"' if self.more else ""
        config.write_text(f"""
[cluster]
name = "virga"
first_job_id = {FIRST_JOB}
kill_wait = "2s"
[sku.node]
cpus = 8
memory = "16GiB"
[pool.n]
sku = "node"
max_nodes = 8
idle_time = "infinite"
[partition.main]
pools = ["n"]
default = true
{in_partition}
[partition.alt]
pools = ["n"]
{in_partition}
{self.more}""")
        config.chmod(0o644)
        copies = self.home / "bin"  # the build folder may be one that this user does not reach
        copies.mkdir()
        copies.chmod(0o755)
        for program in ("virga", "virgad", "virga-node"):
            shutil.copy(self.bin_dir / program, copies)
        script = self.home / "script"
        script.mkdir()
        script.chmod(0o755)
        for name in ("slurm-prefix", "demo-parts"):
            shutil.copy(REPO / "script" / name, script)
        self.must([str(script / "slurm-prefix"), str(self.dir), "--config", str(config), "--bin", str(copies)],
                  timeout=120)

    def api_socket(self) -> Path:
        return self.dir / "run" / "api.sock"

    def down(self) -> None:
        script = self.home / "script" / "slurm-prefix"
        if script.exists() and (self.dir / ".slurm-prefix").exists():
            done = self.run([str(script), "--down", str(self.dir)], timeout=120)
            if done.returncode != 0:
                raise RuntimeError(f"slurm-prefix --down: exit {done.returncode}\n{done.stdout}{done.stderr}")


class RealSlurm(Cluster):
    PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db", "mariadb")

    def __init__(self, kind: str = "") -> None:
        self.kind = kind
        for program in self.PROGRAMS:
            if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
                raise CannotRun(f"{program} is not installed (script/setup --group record)")
        super().__init__()
        self.host = socket.gethostname().split(".")[0]
        self.port = self.free_ports(12)
        self.env["SLURM_CONF"] = str(self.home / "etc" / "slurm.conf")
        self.env["PATH"] = f"{SYSTEM_PATH}:/usr/sbin"
        self.daemons: list[subprocess.Popen] = []

    @staticmethod
    def free_ports(count: int) -> int:
        for first in range(21000 + os.getpid() % 500 * 16, 32000, 16):
            try:
                for port in range(first, first + count):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", port))
                return first
            except OSError:
                continue
        raise CannotRun("no free ports")

    def start(self, words: list[str]) -> None:
        log = open(self.home / "log" / (words[0] + ".out"), "ab")
        self.daemons.append(subprocess.Popen(words, cwd=self.home, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, start_new_session=True, **self.user))

    def wait_for(self, what: str, ready, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise RuntimeError(f"{what} does not come up; see {self.home}/log")
            time.sleep(0.1)

    def own(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)

    def up(self) -> None:
        home = self.home
        for name in ("etc", "log", "state", "munge", "db", *(f"spool.n{i}" for i in range(1, 9))):
            (home / name).mkdir()
            self.own(home / name, 0o755)
        (home / "munge" / "key").write_bytes(os.urandom(128))
        self.own(home / "munge" / "key", 0o400)
        self.start(["munged", "--foreground", f"--key-file={home}/munge/key", f"--socket={home}/munge/sock",
                    f"--pid-file={home}/munge/pid", f"--log-file={home}/log/munged.log",
                    f"--seed-file={home}/munge/seed"])
        self.start_database()
        (home / "etc" / "slurm.conf").write_text(self.conf())
        (home / "etc" / "slurmdbd.conf").write_text(f"""
AuthType=auth/munge
AuthInfo=socket={home}/munge/sock
DbdHost={self.host}
DbdAddr=127.0.0.1
DbdPort={self.port + 10}
SlurmUser={USER}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={self.port + 11}
StorageUser={USER}
StoragePass=x
StorageLoc=slurm_acct_db
LogFile={home}/log/slurmdbd.log
PidFile={home}/slurmdbd.pid
""")
        self.own(home / "etc" / "slurm.conf", 0o644)
        self.own(home / "etc" / "slurmdbd.conf", 0o600)
        self.start(["slurmdbd", "-D"])
        self.wait_for("slurmdbd", lambda: self.answers(self.port + 10))
        self.run(["sacctmgr", "-i", "add", "cluster", "virga"], timeout=30)
        for line in SLURM_ACCOUNTS if self.kind == "accounts" else ():
            self.must(["sacctmgr", "-i", *line.split()], timeout=30)
        self.start(["slurmctld", "-D"])
        self.wait_for("slurmctld", lambda: " UP" in self.run(["scontrol", "ping"]).stdout)
        for i in range(1, 9):
            self.start(["slurmd", "-D", "-N", f"n{i}"])
        idle = ["sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D"]
        self.wait_for("slurmd", lambda: self.run(idle).stdout == "8\n")

    def start_database(self) -> None:
        home = self.home
        self.must(["mariadb-install-db", "--no-defaults", f"--datadir={home}/db", "--skip-test-db",
                   "--auth-root-authentication-method=normal"])
        self.start(["mariadbd", "--no-defaults", f"--datadir={home}/db", f"--socket={home}/db/s",
                    f"--pid-file={home}/db/pid", "--bind-address=127.0.0.1", f"--port={self.port + 11}",
                    "--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"])
        ask = ["mariadb", "--no-defaults", "-u", "root", f"--socket={home}/db/s", "-e"]
        self.wait_for("mariadbd", lambda: self.run([*ask, "select 1"]).returncode == 0)
        self.must([*ask, f"create database slurm_acct_db; create user '{USER}'@'127.0.0.1' identified by 'x'; "
                         f"grant all on slurm_acct_db.* to '{USER}'@'127.0.0.1'"])

    @staticmethod
    def answers(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def conf(self) -> str:
        home = self.home
        nodes = "\n".join(f"NodeName=n{i} NodeHostname={self.host} NodeAddr=127.0.0.1 Port={self.port + i} CPUs=8 "
                          f"Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=16384 State=UNKNOWN"
                          for i in range(1, 9))
        return f"""
ClusterName=virga
SlurmctldHost={self.host}(127.0.0.1)
SlurmctldPort={self.port}
AuthType=auth/munge
AuthInfo=socket={home}/munge/sock
CredType=cred/munge
SlurmUser={USER}
SlurmdUser={USER}
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool.%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.%n.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,bf_interval=1
ReturnToService=2
FirstJobId={FIRST_JOB}
KillWait=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={self.port + 10}
AccountingStoragePass={home}/munge/sock
{nodes}
PartitionName=main Nodes=n[1-8] Default=YES MaxTime=INFINITE State=UP
PartitionName=alt Nodes=n[1-8] MaxTime=INFINITE State=UP
{SLURM_PRIORITIES if self.kind == "accounts" else ""}"""

    def down(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons = []
