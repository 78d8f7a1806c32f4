#!/usr/bin/env python3
"""az of Debian 12 asks for API versions that Debian's own SDK does not have; this sets those that it has."""
import runpy
import sys

from azure.cli.core.profiles import _shared

latest = _shared.AZURE_API_PROFILES["latest"]
compute = latest[_shared.ResourceType.MGMT_COMPUTE]
compute.profile[None] = "2022-08-01"
compute.profile["virtual_machine_scale_sets"] = "2022-08-01"
latest[_shared.ResourceType.MGMT_NETWORK] = "2022-07-01"
sys.argv[0] = "az"
runpy.run_module("azure.cli", run_name="__main__")
