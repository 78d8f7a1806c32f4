"""A PostgreSQL server of a test's own, and a way to it that can be cut.

    with Postgres() as server:
        server.sql("CREATE DATABASE virga")
        with Proxy(server) as way:            # PGHOST=way.folder leads to the server
            way.cut()                         # nothing comes through any more, and nobody is told
            way.mend()

The server runs with fsync on a Unix socket in a temporary folder, as an ordinary user; with a port on 127.0.0.1, too.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from instance import CannotRun

DEFAULT_PORT = 5432
SOCKET_NAME = f".s.PGSQL.{DEFAULT_PORT}"
INSTALLED = Path("/usr/lib/postgresql")


def server_programs() -> Path:
    found = sorted(INSTALLED.glob("*/bin/postgres"))
    if not found:
        raise CannotRun("PostgreSQL's server is not installed (Debian's package postgresql-15)")
    return found[-1].parent


def end_with_parent() -> None:
    """Also a test that is killed leaves no server: prctl(PR_SET_PDEATHSIG, SIGQUIT)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


class Postgres:
    def __init__(self, port: int = 0, disk_mib: int = 0) -> None:
        """With a disk, all that it has lies on a small one of its own (for which it takes root)."""
        self.programs = server_programs()
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="virga-pg-"))
        self.identity: dict = {}
        if os.geteuid() == 0:  # the server refuses to be run by root
            names = {entry.pw_name for entry in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.folder.chmod(0o755)
        self.process: subprocess.Popen | None = None
        self.data = self.folder / "data"
        self.has_disk = disk_mib > 0
        if self.has_disk:
            self.data.mkdir(mode=0o700)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m,mode=700,uid={self.identity['user']},"
                            f"gid={self.identity['group']}", "virga-pg", self.data], check=True)
        self.run("initdb", "-D", str(self.folder / "data"), "-U", "virga", "-A", "trust", "--no-sync", "-E", "UTF8",
                 "--locale", "C")
        self.start()

    def run(self, program: str, *words: str) -> str:
        done = subprocess.run([self.programs / program, *words], cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.identity)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}")
        return done.stdout

    def start(self) -> None:
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "shared_buffers=32MB",
                 "-c", f"listen_addresses={'127.0.0.1' if self.port else ''}", "-p", str(self.port or DEFAULT_PORT)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent,
                **self.identity)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.sql("SELECT 1")
                return
            except RuntimeError:
                time.sleep(0.05)
        raise RuntimeError("the server does not start: " + (self.folder / "log").read_text()[-2000:])

    def stop(self, how: int = signal.SIGQUIT) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
        self.process = None

    def sql(self, text: str, database: str = "postgres") -> str:
        where = ["-h", str(self.folder), "-p", str(self.port or DEFAULT_PORT), "-U", "virga", "-d", database]
        return self.run("psql", "-q", "-X", "-A", "-t", *where, "-v", "ON_ERROR_STOP=1", "-c", text).strip()

    def fill_disk(self) -> None:
        with open(self.data / "ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 20))
            except OSError:
                pass

    def free_disk(self) -> None:
        (self.data / "ballast").unlink()

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.has_disk:
            subprocess.run(["umount", self.data], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy(threading.Thread):
    """Passes bytes on between clients of its folder's socket and the server."""

    def __init__(self, server: Postgres) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.folder = Path(tempfile.mkdtemp(prefix="virga-way-"))
        self.folder.chmod(0o755)
        self.is_cut = False
        self.over = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.folder / SOCKET_NAME))
        (self.folder / SOCKET_NAME).chmod(0o777)
        self.listener.listen(64)
        self.peers: dict[socket.socket, socket.socket] = {}

    def cut(self) -> None:
        self.is_cut = True

    def mend(self) -> None:
        self.is_cut = False

    def run(self) -> None:
        while not self.over:
            if self.is_cut:  # whoever connects waits as well
                time.sleep(0.01)
                continue
            ready, _, _ = select.select([self.listener, *self.peers], [], [], 0.05)
            for each in ready:
                if self.is_cut:
                    break
                if each is self.listener:
                    self.welcome()
                elif each in self.peers:
                    self.pass_on(each)

    def welcome(self) -> None:
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.server.folder / SOCKET_NAME))
        except OSError:
            client.close()
            return
        self.peers[client] = server
        self.peers[server] = client

    def pass_on(self, source: socket.socket) -> None:
        target = self.peers[source]
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        for each in (source, target):
            self.peers.pop(each, None)
            each.close()

    def __enter__(self) -> "Proxy":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.join()
        for each in (self.listener, *self.peers):
            each.close()
        shutil.rmtree(self.folder, ignore_errors=True)
