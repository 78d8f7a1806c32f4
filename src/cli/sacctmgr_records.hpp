// What sacctmgr shows: records of accounts, users, associations, QOS and so on, made from the configuration.
//
//   AccountRecords records = association_records(config);       // depth first, as Slurm orders them
//   records.front().at("Account")
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/named_columns.hpp"
#include "core/config.hpp"

namespace virga {

/// By the names of sacctmgr_columns(); what is not there is empty.
using AccountRecord = std::map<std::string, std::string, std::less<>>;
using AccountRecords = std::vector<AccountRecord>;

/// Slurm's one list of columns for all of its records.
const std::vector<ColumnName>& sacctmgr_columns();

AccountRecords association_records(const Config& config);
/// `with_associations`: a record for each of an account's or a user's.
AccountRecords account_records(const Config& config, bool with_associations);
AccountRecords user_records(const Config& config, bool with_associations);
AccountRecords cluster_records(const Config& config);
AccountRecords qos_records(const Config& config);
AccountRecords tres_records(const Config& config);

/// The lines of `sacctmgr dump` behind its comments.
std::vector<std::string> dump_lines(const Config& config);

}  // namespace virga
