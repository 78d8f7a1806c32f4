// Durable events a second: clients that each wait for theirs, and one thread that makes all that has queued up one
// commit, as the controller does.
//
//   journal_append JOURNAL CLIENTS IN_FLIGHT SECONDS      prints events/s, commits/s and events a commit
//
// JOURNAL is a path or postgres://…; it must not be there yet, or be empty. An event is a submission of usual size.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "journals/postgres/postgres_journal.hpp"
#include "journals/sqlite/sqlite_journal.hpp"
#include "wire/config_journal.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Waiting {
  virga::JournalEntry entry;
  std::size_t client;
};

struct Queue {
  std::mutex mutex;
  std::condition_variable filled, answered;
  std::deque<Waiting> items;
  std::vector<std::size_t> in_flight;
  bool over = false;
};

virga::JournalEntry submission(std::size_t client, std::uint64_t n) {
  virga::JobSubmitted body;
  body.actor = {1000, 1000, "user", false};
  body.spec.name = "train-" + std::to_string(n);
  body.spec.partition = "main";
  body.spec.nodes = 8;
  body.spec.work_dir = "/data/experiments/" + std::to_string(client);
  body.idempotency_key = std::to_string(client) + "-" + std::to_string(n);
  virga::LaunchPayload payload{"#!/bin/sh\n" + std::string(400, '#') + "\nsrun train\n", {}, {"HOME=/data"}, 022};
  return {{virga::Time{static_cast<std::int64_t>(n)}, std::move(body)}, std::move(payload)};
}

void run_client(Queue& queue, std::size_t client, std::size_t in_flight_max) {
  for (std::uint64_t n = 0;; ++n) {
    virga::JournalEntry entry = submission(client, n);
    std::unique_lock lock(queue.mutex);
    queue.answered.wait(lock, [&] { return queue.over || queue.in_flight[client] < in_flight_max; });
    if (queue.over) return;
    ++queue.in_flight[client];
    queue.items.push_back({std::move(entry), client});
    queue.filled.notify_one();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: journal_append JOURNAL CLIENTS IN_FLIGHT SECONDS\n");
    return 2;
  }
  const std::string name = argv[1];
  const std::size_t clients = std::strtoul(argv[2], nullptr, 10);
  const std::size_t in_flight_max = std::strtoul(argv[3], nullptr, 10);
  const auto limit = std::chrono::duration<double>(std::strtod(argv[4], nullptr));
  auto journal = virga::names_postgres(name)
                     ? virga::open_postgres_journal({.url = name}, virga::OpenMode::create_or_open)
                     : virga::open_sqlite_journal(name, virga::OpenMode::create_or_open);
  if (!journal) {
    std::fprintf(stderr, "%s\n", journal.error().message.c_str());
    return 1;
  }
  Queue queue;
  queue.in_flight.resize(clients);
  std::vector<std::thread> threads;
  for (std::size_t client = 0; client < clients; ++client) {
    threads.emplace_back(run_client, std::ref(queue), client, in_flight_max);
  }
  std::uint64_t events = 0, commits = 0;
  const auto start = Clock::now();
  int code = 0;
  while (Clock::now() - start < limit && code == 0) {
    std::deque<Waiting> taken;
    {
      std::unique_lock lock(queue.mutex);
      queue.filled.wait(lock, [&] { return !queue.items.empty(); });
      taken.swap(queue.items);
    }
    std::vector<virga::JournalEntry> batch;
    for (Waiting& each : taken) batch.push_back(std::move(each.entry));
    if (auto first = (*journal)->append(batch, {}, {}); !first) {
      std::fprintf(stderr, "%s\n", first.error().message.c_str());
      code = 1;
    }
    events += batch.size();
    ++commits;
    std::lock_guard lock(queue.mutex);
    for (const Waiting& each : taken) --queue.in_flight[each.client];
    queue.answered.notify_all();
  }
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  {
    std::lock_guard lock(queue.mutex);
    queue.over = true;
  }
  queue.answered.notify_all();
  for (std::thread& thread : threads) thread.join();
  std::printf("%.0f %.0f %.1f\n", static_cast<double>(events) / took, static_cast<double>(commits) / took,
              static_cast<double>(events) / static_cast<double>(commits));
  return code;
}
