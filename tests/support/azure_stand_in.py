"""virga-arm for a test: the cloud that the instance's azure pools live in.

    with Instance(bin_dir, config=CONFIG) as virga:
        arm = StandIn(virga, scenario='client_secret = "s"', simulated=False)
        arm.configure(virga)                  # [cloud.azure] in virga.toml, and what commands need to ask it
        virga.up()
        arm.admin("failure", {"operation": "PUT virtualMachineScaleSets", "kind": "hang"})
        arm.admin("state")["vms"]
        assert arm.stop() == []               # nothing is left of it

Its VMs are virtual nodes below the instance's folder, or, with simulated=True, nothing but entries in its books. What
the instance's commands see: $AZURE_URL, $AZURE_CA, $AZURE_SECRET_FILE and the command `arm-admin` (arm-admin itself
tells how it is used).
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import time
import tomllib
import urllib.request
from pathlib import Path

from instance import CannotRun, Instance

READY_S = 20.0
END_S = 60.0
QUICK = '[boot.default]\nleast = "1s"\nmean_extra = "1s"\nmost = "10s"\n'
SHORT_TIMES = {
    "connect_timeout": "2s",
    "request_timeout": "5s",
    "operation_timeout": "60s",
    "throttle_patience": "5s",
    "recover_patience": "20s",
    "watch_interval": "1s",
    "stranger_grace": "5s",
}


class StandIn:
    def __init__(self, virga: Instance, scenario: str = "", simulated: bool = False, speed: int = 0,
                 private_files: bool = False) -> None:
        self.folder = virga.home / "azure"
        self.nodes = self.folder / "nodes"
        self.folder.mkdir(exist_ok=True)
        table = tomllib.loads(scenario)
        self.secret = table.get("client_secret") or "secret"
        self.speed = speed or table.get("speed", 1)
        (self.folder / "secret").write_text(self.secret + "\n")
        (self.folder / "scenario.toml").write_text(scenario if "boot" in table else scenario + "\n" + QUICK)
        virga.give(self.folder)
        words = [str(virga.bin_dir / "virga-arm"), "--dir", str(self.folder), "--scenario",
                 str(self.folder / "scenario.toml")]
        words += ["--speed", str(speed)] if speed else []
        words += [] if simulated else ["--nodes", str(self.nodes)]
        words += ["--private-files"] if private_files else []
        self.log = open(self.folder / "virga-arm.log", "w")
        self.process = subprocess.Popen(words, cwd=virga.work, env=virga.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        **virga.as_user(virga.user))
        line = self.process.stdout.readline().split()  # it ends where the program ends
        if len(line) < 10 or line[0] != "ready":
            self.process.wait(READY_S)
            why = (self.folder / "virga-arm.log").read_text().strip()
            raise CannotRun(why) if "lets nobody make the namespaces" in why else RuntimeError(f"virga-arm: {why}")
        self.url, self.ca, self.subscription, self.tenant = line[1], line[5], line[7], line[9]
        self.trust = ssl.create_default_context(cafile=self.ca)

    def configure(self, virga: Instance) -> None:
        """Adds to [cloud.azure] of virga.toml what is not said there already."""
        path = virga.home / "virga.toml"
        text = path.read_text() if path.exists() else ""
        said = tomllib.loads(text).get("cloud", {}).get("azure", {})
        keys = {
            "endpoint": self.url,
            "login_endpoint": self.url,
            "ca_file": self.ca,
            "subscription": self.subscription,
            "tenant": self.tenant,
            "client_id": "00000000-0000-0000-0000-00000000000a",
            "secret_file": str(self.folder / "secret"),
            "region": "eastus",
            "resource_group": "virga",
            **SHORT_TIMES,
        }
        lines = "\n".join(f'{key} = "{value}"' for key, value in keys.items() if key not in said)
        header = "[cloud.azure]\n"
        text = text if re.search(r"^\[cloud\.azure\]$", text, re.MULTILINE) else text + header
        path.write_text(text.replace(header, header + lines + "\n", 1))
        virga.give(path)
        support = Path(__file__).resolve().parent / "bin"
        virga.env["PATH"] = f"{support}:{virga.env['PATH']}"
        virga.env |= {"AZURE_URL": self.url, "AZURE_CA": self.ca, "AZURE_SECRET_FILE": str(self.folder / "secret")}

    def admin(self, what: str, body: dict | None = None) -> dict:
        """POST with a body, GET without."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/admin/{what}", data=data)
        with urllib.request.urlopen(request, context=self.trust, timeout=30) as answer:
            return json.load(answer)

    def sets(self) -> list[str]:
        ids = [resource["id"] for resource in self.admin("state")["resources"]]
        return [name for name in ids if re.search(r"/virtualMachineScaleSets/[^/]+$", name)]

    def left(self, patience_s: float = 10.0) -> list[str]:
        """VMs and scale sets that are still there."""
        end = time.monotonic() + patience_s
        while True:
            found = [f"VM {vm['name']} ({vm['provisioningState']})" for vm in self.admin("state")["vms"]]
            found += [f"scale set {name}" for name in self.sets()]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def stop(self) -> list[str]:
        """Ends it, and says what was left in it, or went wrong with it."""
        found = self.left()
        self.process.terminate()
        try:
            code = self.process.wait(END_S)
            found += [f"virga-arm ended with {code}"] if code != 0 else []
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            found.append(f"virga-arm did not end within {END_S} s")
        self.process.stdout.close()
        self.log.close()
        return found
