#include "engines/local/notice_watch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <set>

#include "engines/local/scheduled_events.hpp"
#include "engines/local/supervisor.hpp"

namespace virga {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* k_name_target = "/metadata/instance/compute/name?api-version=2021-02-01&format=text";
constexpr const char* k_events_target = "/metadata/scheduledevents?api-version=2020-07-01";
constexpr std::size_t k_name_bytes_max = 256;

class NoticeWatch {
 public:
  NoticeWatch(FrameChannel agent, const MetadataClient& service, const NoticeTimes& times)
      : agent_(std::move(agent)), service_(service), times_(times) {}

  void run() {
    milliseconds pause = times_.interval;
    for (;;) {
      Status done = look();
      log(done ? "" : done.error().message);
      pause = done ? times_.interval : std::min(pause * 2, times_.pause_longest);
      if (!rest(pause)) return;
    }
  }

 private:
  /// One round of questions; the first that fails ends it.
  Status look() {
    if (!book_) {
      auto name = ask(k_name_target, times_.answer);
      if (!name) return unexpected(name.error());
      // A page of some other server must not become our name.
      if (name->empty() || name->size() > k_name_bytes_max || name->find_first_of("<{ \r\n") != std::string::npos) {
        return fail(Code::invalid, service_.url() + " does not say this instance's name");
      }
      book_.emplace(*name);
    }
    auto body = ask(k_events_target, answered_ ? times_.answer : times_.first_answer);
    if (!body) return unexpected(body.error());
    answered_ = true;
    auto document = parse_scheduled_events(*body);
    if (!document) return unexpected(document.error());
    EventBook::News news = book_->read(*document, Time::from_seconds(std::time(nullptr)));
    for (const std::string& remark : news.remarks) {
      std::fprintf(stderr, "virga-node notices: %s\n", remark.c_str());
    }
    for (const NodeNotice& notice : news.notices) agent_.send(notice);
    for (const NoticeOver& over : news.called_off) {
      approvals_.erase(over.event);
      agent_.send(over);
    }
    return approve();
  }

  Status approve() {
    while (!approvals_.empty()) {
      const std::string event = *approvals_.begin();
      auto answer =
          service_.post(k_events_target, "{\"StartRequests\":[{\"EventId\":\"" + event + "\"}]}", times_.answer);
      if (!answer) return unexpected(answer.error());
      // 400: it has started, or is gone; there is nothing left to approve.
      if (answer->status != 200 && answer->status != 400) return unexpected(refused(k_events_target, *answer));
      approvals_.erase(event);
    }
    return {};
  }

  Result<std::string> ask(const char* target, milliseconds within) {
    auto answer = service_.get(target, within);
    if (!answer) return unexpected(answer.error());
    if (answer->status != 200) return unexpected(refused(target, *answer));
    return std::move(answer->body);
  }

  Error refused(const char* target, const MetadataAnswer& answer) const {
    return {Code::unavailable, service_.url() + target + " answers " + std::to_string(answer.status), true};
  }

  /// Waits, and takes what the agent says meanwhile. False once the agent is gone.
  bool rest(milliseconds pause) {
    const auto end = SteadyClock::now() + pause;
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(end - SteadyClock::now()).count();
      if (left <= 0) return true;
      pollfd fd{agent_.fd(), agent_.poll_events(), 0};
      if (poll(&fd, 1, static_cast<int>(left)) <= 0) continue;
      if ((fd.revents & POLLOUT) != 0) agent_.flush();
      if ((fd.revents & ~POLLOUT) == 0) continue;
      const bool alive = agent_.receive();
      auto message = agent_.next();
      for (; message && *message; message = agent_.next()) {
        if (const auto* wish = std::get_if<ApproveNotice>(&**message)) approvals_.insert(wish->event);
      }
      if (!alive || !message) return false;
    }
  }

  void log(const std::string& trouble) {
    if (trouble == trouble_) return;
    trouble_ = trouble;
    std::fprintf(stderr, "virga-node notices: %s\n", trouble.empty() ? "the service answers" : trouble.c_str());
  }

  FrameChannel agent_;
  const MetadataClient& service_;
  const NoticeTimes& times_;
  std::optional<EventBook> book_;  ///< once our name is known
  bool answered_ = false;
  std::set<std::string> approvals_;
  std::string trouble_;
};

}  // namespace

void run_notice_watch(FrameChannel agent, const MetadataClient& service, const NoticeTimes& times) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "virga-notices");
  close_descriptors_except({agent.fd()});
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  NoticeWatch(std::move(agent), service, times).run();
  _exit(0);
}

}  // namespace virga
