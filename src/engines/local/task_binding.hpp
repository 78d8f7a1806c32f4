// Which processors and GPUs a task of a step gets on its node.
//
//   TaskBinding binding{.cpus = "mask_cpu", .cpu_list = {"3", "c"}};
//   cpus_of_task(binding, 1, {0, 1, 2, 3});               // {2, 3}
//   gpus_of_task({.gpus = "per_task", .gpu_list = {"2"}}, 1, "0,1,2,3");   // "2,3"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/step_protocol.hpp"

namespace virga {

/// The processors that this process may run on.
std::vector<std::uint32_t> usable_cpus();

/// Of the task with this place on its node; empty: it is not bound. `usable` are the machine's numbers; where they are
/// fewer than a binding names (a virtual node that claims more than there are), they are counted round.
std::vector<std::uint32_t> cpus_of_task(const TaskBinding& binding, std::uint32_t local_index,
                                        const std::vector<std::uint32_t>& usable);
/// What --cpu-bind=verbose says of a task.
std::string cpu_report(const TaskBinding& binding, const std::string& node, std::uint32_t task,
                       std::uint32_t local_index, std::uint32_t pid, const std::vector<std::uint32_t>& cpus);

/// CUDA_VISIBLE_DEVICES of a task, of the list that its job has on the node.
std::string gpus_of_task(const TaskBinding& binding, std::uint32_t local_index, const std::string& all);

}  // namespace virga
