#!/usr/bin/env python3
"""Slurm's REST interface: a client made from the OpenAPI document of Debian's slurmrestd asks it and Virga the same.

    rest_test.py --bin BUILD/bin

Of each answer the HTTP code, the members of every object and the types of their values must be the same, and the values
of what a client acts upon. The document names the paths, their parameters and methods; the requests are below.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from clusters import CannotRun, RealSlurm, Virga  # noqa: E402

V38 = "v0.0.38"
# What a machine, a moment or a database decides; or what Virga has no use for and says in its own way.
OPEN_VALUES = {"statistics.rpcs_by_message_type", "statistics.rpcs_by_user"}


JOB = ["sbatch", "--parsable", "-J", "rest", "-N2", "-n2", "-t", "30", "-D", "/var/tmp", "-o", "/dev/null", "--wrap",
       "sleep 60"]


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Client:
    """Its methods are the operations of the document: client.get_job(job_id="7")."""

    def __init__(self, socket_path: Path, document: dict) -> None:
        self.socket_path = str(socket_path)
        self.operations = {}
        for path, methods in document["paths"].items():
            if f"/{V38}/" not in path:
                continue
            for method, said in methods.items():
                if isinstance(said, dict) and "operationId" in said:
                    root = "db_" if path.startswith("/slurmdb/") else ""
                    self.operations[root + said["operationId"].split(f"_{V38.replace('.', '_')}_")[1]] = (method, path)

    def __getattr__(self, name: str):
        method, path = self.operations[name]

        def call(body: dict | None = None, query: str = "", **parameters: str) -> tuple[int, dict]:
            where = path
            for key, value in parameters.items():
                where = where.replace("{" + key + "}", value)
            return self.ask(method.upper(), where + query, body)

        return call

    def ask(self, method: str, target: str, body: dict | str | None = None) -> tuple[int, dict]:
        link = OverSocket(self.socket_path)
        try:
            text = body if isinstance(body, str) or body is None else json.dumps(body)
            link.request(method, target, text, {"Content-Type": "application/json"} if text is not None else {})
            answer = link.getresponse()
            said = answer.read().decode()
            try:
                return answer.status, json.loads(said)
            except ValueError:
                return answer.status, {"text": said}
        finally:
            link.close()


def kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "number", float: "number", str: "text", type(None): "null"}.get(type(value), "")


def shape_of(value: object, where: str, out: dict[str, set[str]]) -> None:
    """Which members there are, and of which types their values are; of a list all entries together."""
    if isinstance(value, dict):
        out.setdefault(where or ".", set()).add("object")
        for key, one in value.items():
            shape_of(one, f"{where}.{key}" if where else key, out)
    elif isinstance(value, list):
        out.setdefault(where, set()).add("list")
        for one in value:
            shape_of(one, where + "[]", out)
    else:
        out.setdefault(where, set()).add(kind(value))


class Comparison:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.asked = 0

    def compare(self, what: str, real: tuple[int, dict], ours: tuple[int, dict], only: str = "") -> None:
        """`only`: the member that is looked at, beside "errors"."""
        self.asked += 1
        if real[0] != ours[0]:
            self.problems.append(f"{what}: HTTP {ours[0]}, not {real[0]}: {json.dumps(ours[1])[:300]}")
        shapes: list[dict[str, set[str]]] = [{}, {}]
        for (_, said), shape in zip((real, ours), shapes):
            shape_of(said, "", shape)
        for member in sorted(shapes[0].keys() | shapes[1].keys()):
            if any(member.startswith(each) for each in OPEN_VALUES):
                continue
            theirs, mine = (shape.get(member, set()) for shape in shapes)
            # What one has not (null) the other may have; an empty list says nothing of its entries.
            if self.is_null_above(member, shapes):
                continue
            if not theirs or not mine:
                above = member
                while "[]" in above:
                    above = above[:above.rindex("[]")]
                    if min(len(self.list_at(each[1], above)) for each in (real, ours)) == 0:
                        break
                else:
                    self.problems.append(f"{what}: {member}: {'missing' if not mine else 'not of Slurm'}")
                continue
            if theirs - {"null"} and mine - {"null"} and theirs - {"null"} != mine - {"null"}:
                self.problems.append(f"{what}: {member}: {sorted(mine)}, not {sorted(theirs)}")
        for entry in ("error", "error_number", "error_code", "errno"):
            values = [[error.get(entry) for error in said.get("errors", [])] for _, said in (real, ours)]
            if values[0] != values[1]:
                self.problems.append(f"{what}: {entry}: {values[1]}, not {values[0]}")

    @staticmethod
    def is_null_above(member: str, shapes: list[dict[str, set[str]]]) -> bool:
        above = member
        while "." in above:
            above = above.rpartition(".")[0]
            if any("null" in shape.get(above, set()) for shape in shapes):
                return True
        return False

    @staticmethod
    def list_at(document: object, path: str) -> list:
        """All entries of the lists at that place."""
        found = [document]
        for step in path.split("."):
            name, depth = step.replace("[]", ""), step.count("[]")
            found = [one[name] for one in found if isinstance(one, dict) and name in one]
            for _ in range(depth):
                found = [entry for one in found if isinstance(one, list) for entry in one]
        return [entry for one in found if isinstance(one, list) for entry in one]


def wait_for(client: Client, job: str, state: str) -> None:
    end = time.monotonic() + 60
    while client.get_job(job_id=job)[1]["jobs"][0]["job_state"] != state:
        if time.monotonic() > end:
            raise RuntimeError(f"job {job} does not become {state}")
        time.sleep(0.1)


def play(real: Client, virga: Client, number: dict[Client, str]) -> Comparison:
    """`number`: of a job that runs in each."""
    seen = Comparison()

    def both(what: str, call) -> tuple[tuple[int, dict], tuple[int, dict]]:
        answers = call(real), call(virga)
        seen.compare(what, *answers)
        return answers

    for client, job in number.items():
        wait_for(client, job, "RUNNING")
    for name in ("ping", "diag", "slurmctld_get_licenses", "get_jobs", "get_nodes", "get_partitions",
                 "get_reservations", "db_get_tres", "db_get_qos", "db_get_associations", "db_get_users",
                 "db_get_accounts"):
        both(name, lambda client: getattr(client, name)())
    running = both("get_job", lambda client: client.get_job(job_id=number[client]))
    for member in ("name", "node_count", "tasks", "cpus", "time_limit", "partition", "standard_output", "job_state",
                   "current_working_directory", "user_name", "batch_flag", "exit_code", "nodes", "batch_host"):
        values = [answer[1]["jobs"][0][member] for answer in running]
        if values[0] != values[1]:
            seen.problems.append(f"get_job: {member} is {values[1]!r}, not {values[0]!r}")
    both("get_jobs with one", lambda client: client.get_jobs())
    both("get_node", lambda client: client.get_node(node_name="n1"))
    both("get_partition", lambda client: client.get_partition(partition_name="main"))
    for what, call in {
        "no such job": lambda client: client.get_job(job_id="99"),
        "no number of a job": lambda client: client.get_job(job_id="abc"),
        "no such node": lambda client: client.get_node(node_name="zz"),
        "no such partition": lambda client: client.get_partition(partition_name="zz"),
        "no such reservation": lambda client: client.get_reservation(reservation_name="zz"),
        "no such user": lambda client: client.db_get_user(user_name="zz"),
        "no such account": lambda client: client.db_get_account(account_name="zz"),
        "no such qos": lambda client: client.db_get_single_qos(qos_name="zz"),
        "no job in the accounts": lambda client: client.db_get_job(job_id="99"),
        "cancel: no such job": lambda client: client.cancel_job(job_id="99"),
        "cancel: no such signal": lambda client: client.cancel_job(job_id=number[client], query="?signal=XX"),
        "no such path": lambda client: client.ask("GET", f"/slurm/{V38}/nothing"),
        "no such method": lambda client: client.ask("PUT", f"/slurm/{V38}/ping"),
        "cancel": lambda client: client.cancel_job(job_id=number[client]),
    }.items():
        both(what, call)
    for client in (real, virga):
        wait_for(client, number[client], "CANCELLED")
    both("get_job, cancelled", lambda client: client.get_job(job_id=number[client]))
    both("get_job of the accounts", lambda client: client.db_get_job(job_id=number[client]))
    return seen


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    args = parser.parse_args()
    if shutil.which("slurmrestd", path="/usr/sbin:/usr/bin") is None:
        print("skipped: slurmrestd is not installed (script/setup --group slurm)")
        return 77
    try:
        with RealSlurm() as slurm, Virga(args.bin.resolve()) as virga:
            rest = slurm.home / "rest.sock"
            slurm.start(["slurmrestd", "-a", "rest_auth/local", f"unix:{rest}"])
            slurm.wait_for("slurmrestd", rest.exists)
            _, document = Client(rest, {"paths": {}}).ask("GET", "/openapi/v3")
            number = {}
            for cluster, path in ((slurm, rest), (virga, virga.api_socket())):
                number[Client(path, document)] = cluster.must(JOB).strip()
            seen = play(*number, number)
    except CannotRun as why:
        print(f"skipped: {why}")
        return 77
    for problem in seen.problems:
        print(f"FAIL {problem}")
    print(f"{seen.asked} requests, {len(seen.problems)} differences")
    return 1 if seen.problems else 0


if __name__ == "__main__":
    sys.exit(main())
