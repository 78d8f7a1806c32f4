// The head that every JSON document of Slurm 22.05 has: who made it, and what went wrong.
//
//   JsonWriter w;
//   begin_slurm_document(w, SlurmPlugin::slurm, errors);    // {"meta":…,"errors":[…]
//   w("jobs", …);
//   w.end_object();
#pragma once

#include "wire/json_codec.hpp"
#include "wire/slurm_rest.hpp"

namespace virga {

enum class SlurmPlugin : std::uint8_t { slurm, slurmdb };

void begin_slurm_document(JsonWriter& w, SlurmPlugin plugin, const SlurmRestErrors& errors = {});
void put_null(JsonWriter& w, std::string_view key);
/// Slurm shows a 0 that means "unset" as null.
void put_number_or_null(JsonWriter& w, std::string_view key, std::uint64_t value);

/// The codec's documents of slurmdb (slurm_rest_database.cpp).
SlurmRestAnswer slurm_rest_database(SlurmOperation what, const Config& config, const std::vector<SlurmNode>& nodes,
                                    const SlurmRestSite& site, const std::map<std::string, std::string>& wanted);

}  // namespace virga
