// scontrol update: nodes.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cli/messages.hpp"
#include "cli/scontrol.hpp"
#include "wire/api_bodies.hpp"
#include "wire/encodings.hpp"
#include "wire/hostlist.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

struct NodeUpdate {
  std::string nodes;
  std::optional<std::string> state;
  std::optional<std::string> reason;
};

int update_nodes(Client& client, const NodeUpdate& update) {
  const auto is = [&](std::string_view word) { return update.state && same_word(*update.state, word); };
  const bool drain = is("drain") || is("draining") || is("drained") || is("down") || is("fail");
  const bool resume = is("resume") || is("undrain") || is("idle");
  if (!update.state && !update.reason) {
    std::fputs("No changes specified\n", stderr);
    return k_exit_failure;
  }
  if (update.state && !drain && !resume) {
    std::fprintf(stderr,
                 "Invalid input: state=%s\nRequest aborted\n"
                 "Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN\n"
                 "Not all states are valid given a node's prior state\n",
                 update.state->c_str());
    return k_exit_failure;
  }
  if (drain && update.reason.value_or("").empty()) {
    std::fputs("You must specify a reason when DOWNING or DRAINING a node. Request denied\n", stderr);
    return k_exit_failure;
  }
  Result<std::vector<std::string>> names = expand_hostlist(update.nodes);
  if (!names) return failed("scontrol", names.error());
  if (!update.state) {  // another reason for nodes that are drained already
    Result<VmsBody> vms = client.get_as<VmsBody>("/v1/vms");
    if (!vms) return failed("scontrol", vms.error());
    for (const std::string& name : *names) {
      const auto mark = vms->marks.find(name);
      if (mark != vms->marks.end() && mark->second.drained) continue;
      std::fputs("A reason belongs to a drained node: give state=drain too. Request denied\n", stderr);
      return k_exit_failure;
    }
  }
  int exit_code = k_exit_ok;
  for (const std::string& name : *names) {
    const NodeBody body{!resume, resume ? "" : *update.reason};
    Result<NoBody> done = client.post_as<NoBody>("/v1/nodes/" + percent_encoded(name), body, Client::Retry::safe);
    if (done) continue;
    const bool away = done.error().code == Code::unavailable;
    std::fprintf(stderr, "slurm_update error: %s\n",
                 away ? done.error().message.c_str() : slurm_error_text(done.error()).c_str());
    exit_code = k_exit_failure;
    if (away) break;
  }
  return exit_code;
}

}  // namespace

int scontrol_update(Client& client, const std::vector<std::string>& args) {
  if (args.size() < 2) {
    std::fputs("too few arguments for update keyword\n", stderr);
    return k_exit_failure;
  }
  NodeUpdate node;
  bool is_node = false;
  std::vector<std::string> others;
  for (std::size_t i = 1; i < args.size(); ++i) {
    const std::size_t equal = args[i].find('=');
    const std::string key = args[i].substr(0, equal);
    const std::string value = equal == args[i].npos ? "" : args[i].substr(equal + 1);
    if (same_word(key, "jobid")) {
      print_error("scontrol", "update jobid is not supported: only nodes are updated here");
      return k_exit_failure;
    }
    if (same_word(key, "partitionname") || same_word(key, "reservationname")) {
      print_error("scontrol", fmt::format("update {} is not supported: write it into virga.toml, then scontrol "
                                          "reconfigure",
                                          key));
      return k_exit_failure;
    }
    if (same_word(key, "nodename")) {
      node.nodes = value;
      is_node = true;
    } else if (same_word(key, "state")) {
      node.state = value;
    } else if (same_word(key, "reason")) {
      node.reason = value;
    } else {
      others.push_back(args[i]);
    }
  }
  if (is_node && !others.empty()) {
    std::fprintf(stderr, "Invalid input: %s\nRequest aborted\n", others.front().c_str());
    return k_exit_failure;
  }
  if (is_node) return update_nodes(client, node);
  std::fputs(
      "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \"Reservation\", "
      "\"JobId\", or \"SlurmctldDebug\"\n",
      stderr);
  return k_exit_failure;
}

}  // namespace virga
