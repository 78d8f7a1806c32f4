// virga.toml as virgad takes it: read once, checked against what this machine allows, and divided among those who have
// settings of their own.
//
//   Result<Settings> settings = read_settings(home, probe_tier());   // a mistake: one line, with file and place
#pragma once

#include <optional>
#include <string>

#include "clouds/azure/settings.hpp"
#include "clouds/host/tier.hpp"
#include "core/config.hpp"
#include "wire/config_engine.hpp"
#include "wire/config_journal.hpp"
#include "wire/config_mail.hpp"
#include "wire/home.hpp"

namespace virga {

/// To the brain, and to journals, clouds and engines. All but `config` holds from the start of virgad on.
struct Settings {
  Config config;
  JournalSettings journal;
  EngineSettings engine;
  MailSettings mail;
  std::optional<AzureSettings> azure;
};

Result<Settings> read_settings(const Home& home, const TierReport& tier);

/// The file as it is; empty without one.
Result<std::string> config_text(const Home& home);

}  // namespace virga
