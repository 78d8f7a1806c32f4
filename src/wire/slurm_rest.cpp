#include "wire/slurm_rest.hpp"

#include <algorithm>

#include "wire/api_routes.hpp"

namespace virga {
namespace {

using S = SlurmOperation;

constexpr SlurmRestRoute k_routes[] = {
    {S::ping, "GET", "slurm", "/ping"},
    {S::diag, "GET", "slurm", "/diag"},
    {S::licenses, "GET", "slurm", "/licenses"},
    {S::jobs, "GET", "slurm", "/jobs"},
    {S::submit_job, "POST", "slurm", "/job/submit"},
    {S::job, "GET", "slurm", "/job/{job_id}"},
    {S::update_job, "POST", "slurm", "/job/{job_id}"},
    {S::cancel_job, "DELETE", "slurm", "/job/{job_id}"},
    {S::nodes, "GET", "slurm", "/nodes"},
    {S::node, "GET", "slurm", "/node/{node_name}"},
    {S::partitions, "GET", "slurm", "/partitions"},
    {S::partition, "GET", "slurm", "/partition/{partition_name}"},
    {S::reservations, "GET", "slurm", "/reservations"},
    {S::reservation, "GET", "slurm", "/reservation/{reservation_name}"},
    {S::accounted_jobs, "GET", "slurmdb", "/jobs"},
    {S::accounted_job, "GET", "slurmdb", "/job/{job_id}"},
    {S::db_config, "GET", "slurmdb", "/config"},
    {S::change_database, "POST", "slurmdb", "/config"},
    {S::tres, "GET", "slurmdb", "/tres"},
    {S::change_database, "POST", "slurmdb", "/tres"},
    {S::qos_list, "GET", "slurmdb", "/qos"},
    {S::change_database, "POST", "slurmdb", "/qos"},
    {S::qos, "GET", "slurmdb", "/qos/{qos_name}"},
    {S::change_database, "DELETE", "slurmdb", "/qos/{qos_name}"},
    {S::associations, "GET", "slurmdb", "/associations"},
    {S::change_database, "POST", "slurmdb", "/associations"},
    {S::change_database, "DELETE", "slurmdb", "/associations"},
    {S::association, "GET", "slurmdb", "/association"},
    {S::change_database, "DELETE", "slurmdb", "/association"},
    {S::users, "GET", "slurmdb", "/users"},
    {S::change_database, "POST", "slurmdb", "/users"},
    {S::user, "GET", "slurmdb", "/user/{user_name}"},
    {S::change_database, "DELETE", "slurmdb", "/user/{user_name}"},
    {S::clusters, "GET", "slurmdb", "/clusters"},
    {S::change_database, "POST", "slurmdb", "/clusters"},
    {S::cluster, "GET", "slurmdb", "/cluster/{cluster_name}"},
    {S::change_database, "DELETE", "slurmdb", "/cluster/{cluster_name}"},
    {S::wckeys, "GET", "slurmdb", "/wckeys"},
    {S::change_database, "POST", "slurmdb", "/wckeys"},
    {S::wckey, "GET", "slurmdb", "/wckey/{wckey}"},
    {S::change_database, "DELETE", "slurmdb", "/wckey/{wckey}"},
    {S::accounts, "GET", "slurmdb", "/accounts"},
    {S::change_database, "POST", "slurmdb", "/accounts"},
    {S::account, "GET", "slurmdb", "/account/{account_name}"},
    {S::change_database, "DELETE", "slurmdb", "/account/{account_name}"},
    {S::db_diag, "GET", "slurmdb", "/diag"},
};

/// The next word between slashes; `path` goes on behind it, with its slash.
std::string_view take_word(std::string_view& path) {
  if (path.empty()) return {};
  path.remove_prefix(1);
  const std::string_view word = path.substr(0, path.find('/'));
  path.remove_prefix(word.size());
  return word;
}

}  // namespace

std::span<const SlurmRestRoute> slurm_rest_routes() { return k_routes; }

std::span<const SlurmRestCodec> slurm_rest_codecs() { return {&k_slurm_rest_v0_0_38, 1}; }

bool is_slurm_rest(std::string_view path) { return path.starts_with("/slurm/") || path.starts_with("/slurmdb/"); }

SlurmRestMatch match_slurm_rest(std::string_view method, std::string_view path) {
  SlurmRestMatch match;
  const std::string_view root = take_word(path);
  const std::string_view version = take_word(path);
  const auto codecs = slurm_rest_codecs();
  const auto codec = std::find_if(codecs.begin(), codecs.end(), [&](const auto& c) { return c.version == version; });
  if (codec == codecs.end()) return match;
  match.codec = &*codec;
  for (const SlurmRestRoute& route : k_routes) {
    std::vector<std::string_view> parameters;
    if (route.root != root || !fits_path(route.path, path, parameters)) continue;
    match.known_path = true;
    if (route.method != method) continue;
    match.route = &route;
    match.parameters = std::move(parameters);
    return match;
  }
  return match;
}

}  // namespace virga
