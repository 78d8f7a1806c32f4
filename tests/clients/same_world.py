"""Debian's Python SDK of Azure and a controller see the same world at once. Arguments: BIN. Exit code 77: skipped.

A job of two nodes runs on VMs of virga-arm, which are virtual nodes. Then another tool, behind the controller's back,
scales their set up (the new VMs are deleted, the job does not notice) and deletes a VM of the job's (it starts again).
"""
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from instance import Instance  # noqa: E402

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
subscription = "{subscription}"
tenant = "{tenant}"
client_id = "app"
secret_file = "{home}/secret"
region = "eastus"
resource_group = "g"
endpoint = "{url}"
login_endpoint = "{url}"
ca_file = "{ca}"
watch_interval = "1s"
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


def start_stand_in(virga, bin_dir):
    arm = subprocess.Popen([bin_dir / "virga-arm", "--dir", virga.home / "arm", "--nodes", virga.home / "machines",
                            "--speed", "60"], stdout=subprocess.PIPE, text=True, env=virga.env)
    words = arm.stdout.readline().split()
    assert words and words[0] == "ready", "virga-arm did not start"
    return arm, dict(url=words[1], ca=words[5], subscription=words[7], tenant=words[9])


def check(virga, facts):
    os.environ["REQUESTS_CA_BUNDLE"] = facts["ca"]
    compute = ComputeManagementClient(Token(), facts["subscription"], base_url=facts["url"], polling_interval=0.2,
                                      credential_scopes=[facts["url"] + "/.default"], api_version="2022-08-01")
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
    bin_dir = Path(sys.argv[1])
    with Instance(bin_dir) as virga:
        (virga.home / "secret").write_text("s3cret\n")
        if virga.sh("virga doctor").stdout.startswith("nodes on this machine: plain"):
            print("skipped: this machine lets nobody make the namespaces that virtual nodes need")
            return 77
        arm, facts = start_stand_in(virga, bin_dir)
        try:
            (virga.home / "virga.toml").write_text(CONFIG.format(home=virga.home, **facts))
            up = virga.up()
            assert up.returncode == 0, up.stdout
            check(virga, facts)
            down = virga.down()
            assert down.returncode == 0, down.stdout
        except BaseException:
            log = virga.home / "virgad.log"
            print(log.read_text(errors="replace")[-3000:] if log.exists() else "no log")
            raise
        finally:
            arm.terminate()
            arm.wait(30)
    print("same world: strangers went, the job that lost a VM ran again, nothing is left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
