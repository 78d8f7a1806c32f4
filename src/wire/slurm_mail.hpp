// What a mail about a job says, in the words that Slurm's users filter by.
//
//   mail_subject(job, k_mail_begin, now)    // Slurm Job_id=7 Name=x Began, Queued time 00:00:01
#pragma once

#include <string>
#include <string_view>

#include "core/job.hpp"

namespace virga {

/// One line, whatever the job is called. Of an array whose tasks are not told one by one it is about the array, without
/// times and exit codes.
std::string mail_subject(const Job& job, MailType what, Time now);

/// Whom --mail-user names, or the job's owner.
std::string mail_receiver(const Job& job);

/// Addresses with commas between them, of letters, digits and ._+@%=- only. Programs that send mail take a leading '-'
/// for an option, and some take '|' for a command to run as whoever runs virgad.
bool is_mail_receiver(std::string_view text);

}  // namespace virga
