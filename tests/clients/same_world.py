"""Debian's Python SDK of Azure and a controller see the same world at once. Arguments: BIN. Exit code 77: skipped.

A job of two nodes runs on VMs of virga-arm, which are virtual nodes. Then another tool, behind the controller's back,
scales their set up (the new VMs are deleted, the job does not notice) and deletes a VM of the job's (it starts again).
"""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from azure_stand_in import StandIn  # noqa: E402
from instance import CannotRun, Instance  # noqa: E402

try:
    from azure.core.credentials import AccessToken
    from azure.mgmt.compute import ComputeManagementClient
except ImportError:
    print("skipped: python3-azure is not installed")
    sys.exit(77)

SET = "virga-c1-nd-1"
CONFIG = """
[cluster]
name = "c1"
[pool.nd]
cloud = "azure"
max_nodes = 4
idle_time = "1s"
[partition.main]
pools = ["nd"]
[cloud.azure]
resource_group = "g"
stranger_grace = "3s"
"""


class Token:
    def get_token(self, *scopes, **more):
        return AccessToken("static", int(time.time()) + 3600)


def eventually(what, condition, patience_s=90):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it never came to this: " + what
        time.sleep(0.2)


def check(virga, arm):
    os.environ["REQUESTS_CA_BUNDLE"] = arm.ca
    compute = ComputeManagementClient(Token(), arm.subscription, base_url=arm.url, polling_interval=0.2,
                                      credential_scopes=[arm.url + "/.default"], api_version="2022-08-01")
    sets, vms = compute.virtual_machine_scale_sets, compute.virtual_machine_scale_set_vms
    runs = virga.work / "runs"

    def machines():
        return {vm.instance_id for vm in vms.list("g", SET) if vm.provisioning_state != "Deleting"}

    def run_count():
        return len(runs.read_text().splitlines()) if runs.exists() else 0

    def nodes():
        return virga.sh("squeue -h -o %N").stdout.strip()

    submitted = virga.sh(f"sbatch --parsable -N 2 --requeue --wrap 'hostname >> {runs}; sleep 1000'")
    assert submitted.returncode == 0, submitted.stdout
    eventually("the job runs", lambda: run_count() == 1)
    assert nodes() == "nd[1-2]", nodes()
    first = machines()
    assert len(first) == 2, first

    sets.begin_update("g", SET, {"sku": {"capacity": 4}}).result()
    assert len(machines()) == 4
    eventually("the strangers are deleted", lambda: machines() == first)
    assert run_count() == 1 and nodes() == "nd[1-2]", "the job noticed"

    sets.begin_delete_instances("g", SET, {"instance_ids": [sorted(first)[0]]}).result()
    eventually("the job starts again", lambda: run_count() == 2)
    assert virga.sh("squeue -h -o %T").stdout.strip() == "RUNNING"
    eventually("two machines again", lambda: len(machines()) == 2)

    virga.sh("scancel 1")
    eventually("all is released", lambda: not list(sets.list("g")))


def main():
    with Instance(Path(sys.argv[1]), config=CONFIG) as virga:
        try:
            arm = StandIn(virga, "speed = 60\n")
        except CannotRun as why:
            print(f"skipped: {why}")
            return 77
        try:
            arm.configure(virga)
            up = virga.up()
            assert up.returncode == 0, up.stdout
            check(virga, arm)
            down = virga.down()
            assert down.returncode == 0, down.stdout
        except BaseException:
            log = virga.home / "virgad.log"
            print(log.read_text(errors="replace")[-3000:] if log.exists() else "no log")
            arm.stop()
            raise
        left = arm.stop() + virga.leftovers()
        assert not left, left
    print("same world: strangers went, the job that lost a VM ran again, nothing is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
