// What each route does: requests become events for the controller, reads are made on its thread.
//
//   Api api({.home = "/var/lib/virga", …}, controller);
//   api.handle(request, responder);                 // http thread; never blocks
#pragma once

#include <charconv>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/controller.hpp"
#include "http/event_feed.hpp"
#include "http/exchange.hpp"
#include "http/market_desk.hpp"
#include "http/slurm_rest.hpp"
#include "http/standing.hpp"
#include "http/wait_board.hpp"

namespace virga {

struct ApiOptions {
  std::string home;
  std::string version;
  std::uint32_t daemon_uid = 0;
  std::function<Status()> reload;  ///< reads the configuration again; called on the http thread
  /// What the clouds would lend; called on a thread of its own, may block. Empty: nothing is known of it.
  std::function<Market(const MarketQuery&)> market = {};
  const Leadership* leadership = nullptr;                               ///< null: this controller has its journal alone
  std::function<std::string(const std::string& pool)> cluster_of = {};  ///< HttpOptions::cluster_of
};

class Api {
 public:
  Api(ApiOptions options, Controller& controller);

  void handle(Request request, Responder responder);

 private:
  void carry_out(const Request& request, const Responder& responder);

  using MakeReply = std::function<HttpReply(std::uint64_t, const Brain&)>;

  // handlers.cpp: changes
  void submit(const Request& request, const Responder& responder);
  void act(const Request& request, const Responder& responder, JobAction action);
  void cancel_many(const Request& request, const Responder& responder);
  void change_job(const Request& request, const Responder& responder);
  void signal(const Request& request, const Responder& responder);
  void start_step(const Request& request, const Responder& responder);
  void end_step(const Request& request, const Responder& responder);
  void checkpoint(const Request& request, const Responder& responder);
  void update_partition(const Request& request, const Responder& responder);
  void update_node(const Request& request, const Responder& responder);
  void shutdown(const Request& request, const Responder& responder);
  void reload(const Request& request, const Responder& responder);
  void change(const Request& request, const Responder& responder, EventBody body,
              std::optional<LaunchPayload> payload = std::nullopt, MakeReply made = nullptr);

  // handlers_read.cpp
  void ping(const Responder& responder);
  void status(const Responder& responder);
  void config(const Responder& responder);
  void vms(const Responder& responder);
  void jobs(const Request& request, const Responder& responder);
  void job(const Request& request, const Responder& responder);
  void wait(const Request& request, const Responder& responder);
  void explain(const Request& request, const Responder& responder);
  void script(const Request& request, const Responder& responder);
  void accounted_jobs(const Request& request, const Responder& responder);
  void accounted_vms(const Responder& responder);
  void events(const Request& request, const Responder& responder);
  void journal(const Responder& responder);
  void backup(const Request& request, const Responder& responder);

  // handlers_money.cpp
  void cost(const Request& request, const Responder& responder);
  void budgets(const Request& request, const Responder& responder);
  void priorities(const Request& request, const Responder& responder);
  void offers(const Request& request, const Responder& responder);
  void market(const Request& request, const Responder& responder);

  ApiOptions options_;
  Standing standing_;
  Controller& controller_;
  SlurmRest slurm_rest_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::string openapi_;
  std::shared_ptr<WaitBoard> board_;
  std::shared_ptr<EventFeed> feed_;
  std::shared_ptr<MarketDesk> desk_;
};

/// A parameter of the path as a number; Code::not_found for what is none, in Slurm's words for a job.
Result<JobId> job_parameter(const Request& request);
/// A number that is named `name` in the query.
template <class T>
Result<T> number_of(const std::string& name, const std::string& text) {
  T value{};
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && stop == text.data() + text.size()) return value;
  return fail(Code::invalid, "'" + text + "' in '" + name + "' is no number of the right size");
}
/// The body as T; an empty one is T's defaults.
template <class T>
Result<T> body_of(const Request& request) {
  if (request.body.empty()) return T{};
  Result<T> body = from_json_text<T>(request.body);
  if (!body) return fail(Code::invalid, "the body is wrong: " + body.error().message);
  return body;
}

}  // namespace virga
