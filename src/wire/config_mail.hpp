// [mail] of virga.toml: the program that sends the mails which jobs ask for with --mail-type. No part of what the brain
// knows, so it is read apart from the Config.
//
//   Result<MailSettings> mail = parse_mail_settings(text, "virga.toml");
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

struct MailSettings {
  std::string program;  ///< absolute; started as `program -s SUBJECT USER`; empty: no mail is sent
};

Result<MailSettings> parse_mail_settings(std::string_view text, const std::string& file_name);

}  // namespace virga
