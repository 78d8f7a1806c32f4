#include "wire/config_engine.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr Duration k_site_sweep = Duration::seconds(2);

void read_engine(const toml::table& root, EngineSettings& settings, Mistakes& mistakes) {
  const auto* table = root["engine"].as_table();
  if (table == nullptr) return;  // something else than a table is a mistake of the whole text: config_toml.cpp
  TomlSection section(*table, "engine", mistakes);
  section.word("kind", settings.kind);
  if (section.long_text("conf", settings.conf) && !settings.conf.starts_with('/')) {
    section.wrong("conf", fmt::format("\"{}\" is no absolute path; write one that starts with /", settings.conf));
  }
  section.text("partition", settings.partition);
  in_addr address{};
  if (section.text("address", settings.address) && inet_pton(AF_INET, settings.address.c_str(), &address) != 1) {
    section.wrong("address", fmt::format("\"{}\" is no address; write one like \"10.64.255.254\"", settings.address));
  }
  if (section.flag("accounting", settings.accounting) && settings.accounting && !settings.conf.empty()) {
    section.wrong("accounting",
                  "is of a cluster that Virga raises; the one of conf says itself whether it has slurmdbd");
  }
  section.word("foreign_jobs", settings.foreign_jobs);
  // Who cannot be told of what happens looks for it.
  if (!settings.conf.empty() || settings.foreign_jobs == ForeignJobs::adopt) settings.sweep = k_site_sweep;
  section.duration("sweep", settings.sweep, {Duration::seconds(1), Duration::minutes(10)});
  for (const std::string_view key : {"conf", "partition", "address", "sweep", "foreign_jobs", "accounting"}) {
    if (settings.kind == EngineKind::local && section.has(key)) {
      section.wrong(key, "is of kind = \"slurm\" only; leave it out");
    }
  }
  section.finish();
}

}  // namespace

Result<EngineSettings> parse_engine_settings(std::string_view text, const std::string& file_name) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  Mistakes mistakes(file_name);
  EngineSettings settings;
  read_engine(*root, settings, mistakes);
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return settings;
}

}  // namespace virga
