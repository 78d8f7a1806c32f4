// The record of a VM that is to be made: what it may use of this machine, and which number it gets.
#pragma once

#include <set>

#include "clouds/host/vm_file.hpp"
#include "core/command.hpp"

namespace virga::host {

/// `taken` are the numbers of the instance's other VMs. Control groups and address are left to the caller.
VmFile plan_vm_file(Tier tier, const ReserveGang& command, const WantedVm& wanted,
                    const std::set<std::uint32_t>& taken);

}  // namespace virga::host
