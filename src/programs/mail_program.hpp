// Starts the program of [mail] for each mail, on a thread of its own: control never waits for it.
//
//   MailProgram mails(settings.mail.program, clock);
//   ports.mail = [&](const SendMail& mail) { mails.send(mail); };
//
// A mail is tried once. A program that fails, hangs for a minute or is not there is told of on stderr.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/command.hpp"
#include "ports/clock.hpp"

namespace virga {

class MailProgram {
 public:
  /// `clock` outlives it.
  MailProgram(std::string program, Clock& clock);
  /// What was not begun is dropped.
  ~MailProgram();
  MailProgram(const MailProgram&) = delete;
  MailProgram& operator=(const MailProgram&) = delete;

  void send(const SendMail& mail);

 private:
  struct Mail {
    std::string subject;
    std::string to;
  };
  void run();
  void deliver(const Mail& mail);
  bool is_stopping();

  std::string program_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Mail> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace virga
