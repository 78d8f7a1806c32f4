"""One Virga instance for a test: its folder, its daemon, its commands, and the search for what it may have left behind.

    with Instance(bin_dir, tier="root") as virga:
        virga.up()
        virga.sh("sbatch --wrap true")
        virga.down()
        assert virga.leftovers() == []
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class CannotRun(Exception):
    """This machine cannot have what a test needs; the text says why."""


ORDINARY_USERS = ("games", "news")  # in every Debian; no test needs more than two


_reachable: dict = {}


def reachable(bin_dir: Path) -> Path:
    """The programs where every user can reach them: out of a private folder they are copied, while the test lasts."""
    bin_dir = bin_dir.resolve()
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o1 for folder in (bin_dir, *bin_dir.parents)):
        return bin_dir
    if bin_dir not in _reachable:
        copy = tempfile.TemporaryDirectory(prefix="virga-test-bin-", dir=Instance._parent())
        os.chmod(copy.name, 0o755)
        for program in ("virga", "virgad", "virga-node", "virga-arm"):
            if (bin_dir / program).exists():
                shutil.copy(bin_dir / program, copy.name)
        for link in bin_dir.iterdir():
            if link.is_symlink():
                (Path(copy.name) / link.name).symlink_to(os.readlink(link))
        _reachable[bin_dir] = copy
    return Path(_reachable[bin_dir].name)


class Instance:
    def __init__(self, bin_dir: Path, tier: str = "", user: str = "", config: str = "") -> None:
        self.bin_dir = reachable(bin_dir)
        self.user = user
        self.home = Path(tempfile.mkdtemp(prefix="virga-test-", dir=self._parent()))
        self.work = self.home / "work"
        self.work.mkdir()
        if config:
            (self.home / "virga.toml").write_text(config)
        self.env = {
            "PATH": f"{self.bin_dir}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.work),
            "VIRGA_HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        if tier:
            self.env["VIRGA_TIER"] = tier
        self.give(self.home)
        self.home.chmod(0o755)
        self.work.chmod(0o777)

    @staticmethod
    def _parent() -> str:
        # Nodes have a /tmp of their own; what users share lies elsewhere.
        return "/var/tmp" if os.access("/var/tmp", os.W_OK) else "/tmp"

    def give(self, path: Path) -> None:
        """What lies there becomes that of the user whom the instance runs as."""
        if not self.as_user(self.user):
            return
        entry = pwd.getpwnam(self.user)
        for each in (path, *path.rglob("*")):
            os.chown(each, entry.pw_uid, entry.pw_gid)

    def __enter__(self) -> "Instance":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_everything()
        shutil.rmtree(self.home, ignore_errors=True)

    def as_user(self, user: str) -> dict:
        """Arguments for subprocess that run a command as this user (root may, others only as themselves)."""
        if not user or os.geteuid() != 0 or user == "root":
            return {}
        entry = pwd.getpwnam(user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [entry.pw_gid]}

    def sh(self, command: str, user: str | None = None, timeout: float = 60, **env: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.work,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            **self.as_user(self.user if user is None else user),
        )

    def up(self, **env: str) -> subprocess.CompletedProcess:
        return self.sh("virga up", **env)

    def down(self) -> subprocess.CompletedProcess:
        return self.sh("virga down --cancel", timeout=90)

    def daemon_pid(self) -> int | None:
        try:
            pid = int((self.home / "run" / "virgad.pid").read_text())
            os.kill(pid, 0)
            return pid if not self._is_zombie(pid) else None
        except (OSError, ValueError):
            return None

    @staticmethod
    def _is_zombie(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    def processes(self) -> list[tuple[int, str]]:
        """Every living process, but for this one, that carries the instance's folder in its words or environment."""
        found = []
        mark = str(self.home).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid() or self._is_zombie(int(entry.name)):
                continue
            try:
                words = (entry / "cmdline").read_bytes()
                where = words + (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in where:
                found.append((int(entry.name), words.replace(b"\0", b" ").decode(errors="replace")[:160]))
        return found

    def leftovers(self, patience_s: float = 3.0) -> list[str]:
        """Processes, mounts, control groups, sockets and VM folders of the instance that are still there."""
        end = time.monotonic() + patience_s
        while True:
            found = [f"process {pid}: {words}" for pid, words in self.processes()]
            found += [f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines()
                      if str(self.home) in line]
            found += [f"vm folder {p}" for home in self.homes() for p in (home / "vms").glob("*")]
            found += [f"control group {g}" for g in self.control_groups()]
            found += [f"socket {p}" for home in self.homes() for p in (home / "run").rglob("*") if p.is_socket()]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def homes(self) -> list[Path]:
        """Folders that nodes of the host cloud live in: the instance's own, and that of a stand-in's nodes."""
        return [self.home, self.home / "azure" / "nodes"]

    def control_groups(self) -> list[Path]:
        """The host cloud names them after the 64-bit FNV-1a digest of the home's path (src/base/digest.hpp)."""
        found: list[Path] = []
        for home in self.homes():
            digest = 0xCBF29CE484222325
            for byte in str(home).encode():
                digest = ((digest ^ byte) * 0x100000001B3) % 2**64
            # os.walk() takes it as it is when a group goes meanwhile; Path.glob() does not.
            found += [Path(above) / name for above, names, _ in os.walk("/sys/fs/cgroup")
                      for name in names if name == f"virga-{digest:016x}"]
        return found

    def kill_everything(self) -> None:
        for _ in range(50):
            left = self.processes()
            if not left:
                return
            for pid, _words in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.02)
