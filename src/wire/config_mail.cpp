#include "wire/config_mail.hpp"

#include "wire/toml_section.hpp"

namespace virga {

Result<MailSettings> parse_mail_settings(std::string_view text, const std::string& file_name) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  Mistakes mistakes(file_name);
  MailSettings settings;
  // Something else than a table is a mistake of the whole text: config_toml.cpp.
  if (const auto* table = (*root)["mail"].as_table()) {
    TomlSection section(*table, "mail", mistakes);
    section.text("program", settings.program);
    if (!settings.program.empty() && settings.program.front() != '/') {
      section.wrong("program", "must be the whole path of a program, such as \"/usr/bin/mail\"");
    }
    section.finish();
  }
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return settings;
}

}  // namespace virga
