// The columns of sacct. A row is a job, its batch step, or a step.
//
//   Result<std::vector<AccountColumn>> columns = parse_account_format("JobID%20,State,ExitCode");
//   std::string text = render_accounts(*columns, rows, {.parsable = '|'});
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/named_columns.hpp"
#include "core/job.hpp"

namespace virga {

struct AccountRow {
  enum class Kind : std::uint8_t { job, batch, step };
  const Job* job = nullptr;
  const Step* step = nullptr;  ///< with Kind::step
  Kind kind = Kind::job;
  std::string cluster;
  Time now;
  std::string array_tasks = {};   ///< "[1-3%2]": of tasks that wait, in one row
  std::uint64_t node_memory = 0;  ///< of one of its partition's nodes, if that was looked up
};

struct AccountField {
  const char* name;
  int width;  ///< Slurm's own; negative: the text is on the left
  std::string (*text)(const AccountRow&);
};
std::span<const AccountField> account_fields();

struct AccountColumn {
  const AccountField* field = nullptr;
  int width = 0;
};
/// Names may be shortened as in Slurm; "%30" behind one sets its width, "%-30" puts it on the left.
Result<std::vector<AccountColumn>> parse_account_format(std::string_view text);

std::string render_accounts(const std::vector<AccountColumn>& columns, const std::vector<AccountRow>& rows,
                            const ColumnStyle& style);

/// The job's row, then its steps' unless `jobs_only`.
void add_account_rows(const Job& job, const std::string& cluster, Time now, bool jobs_only,
                      std::vector<AccountRow>& rows);
/// "COMPLETED", "CANCELLED by 1000"
std::string account_state(const AccountRow& row);

}  // namespace virga
