// Who is connected, and how other threads reach them (see session.hpp).
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "http/session.hpp"

namespace virga {
namespace {

class SinkById : public ReplySink {
 public:
  SinkById(std::shared_ptr<SessionTable> table, std::uint64_t id) : table_(std::move(table)), id_(id) {}

  void reply(std::uint64_t slot, HttpReply reply) override {
    table_->run([table = table_, id = id_, slot, reply = std::move(reply)]() mutable {
      if (auto session = table->find(id)) session->deliver(slot, std::move(reply));
    });
  }
  void reply_made_later(std::uint64_t slot, std::function<HttpReply()> make) override {
    table_->run([table = table_, id = id_, slot, make = std::move(make)] {
      if (auto session = table->find(id)) session->deliver(slot, make());
    });
  }
  void on_abandon(std::uint64_t slot, std::function<void()> abandoned) override {
    table_->run([table = table_, id = id_, slot, abandoned = std::move(abandoned)] {
      if (auto session = table->find(id)) {
        session->on_abandon(slot, abandoned);
      } else {
        abandoned();
      }
    });
  }
  void start_stream(std::uint64_t slot, std::shared_ptr<StreamSource> source) override {
    table_->run([table = table_, id = id_, slot, source = std::move(source)] {
      if (auto session = table->find(id)) {
        session->start_stream(slot, source);
      } else {
        source->abandoned();
      }
    });
  }
  void stream_piece(std::uint64_t slot, std::string piece, bool last) override {
    table_->run([table = table_, id = id_, slot, piece = std::move(piece), last]() mutable {
      if (auto session = table->find(id)) session->stream_piece(slot, std::move(piece), last);
    });
  }

 private:
  std::shared_ptr<SessionTable> table_;
  std::uint64_t id_;
};

}  // namespace

std::shared_ptr<ReplySink> make_reply_sink(std::shared_ptr<SessionTable> table, std::uint64_t id) {
  return std::make_shared<SinkById>(std::move(table), id);
}

void SessionTable::run(Work work) {
  if (std::this_thread::get_id() == http_thread_) return work();
  std::lock_guard lock(mutex_);
  if (closed_) return;
  inbox_.push_back(std::move(work));
  // One wake-up serves all that come before the http thread looks: a batch of answers becomes few writes.
  if (inbox_.size() == 1) boost::asio::post(*context_, [this] { drain(); });
}

void SessionTable::drain() {
  std::vector<Work> works;
  {
    std::lock_guard lock(mutex_);
    works.swap(inbox_);
  }
  for (Work& work : works) work();
  flush_all();
}

void SessionTable::close() {
  std::vector<Work> dropped;
  http_thread_ = std::thread::id();  // it has ended, and its id may come again
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(inbox_);
}

std::shared_ptr<Session> SessionTable::find(std::uint64_t id) const {
  auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second;
}

std::uint64_t SessionTable::add(const std::function<std::shared_ptr<Session>(std::uint64_t id)>& make) {
  std::uint64_t id = ++last_id_;
  sessions_.emplace(id, make(id));
  return id;
}

void SessionTable::flush_all() {
  while (!to_flush_.empty()) {
    std::vector<std::uint64_t> ids;
    ids.swap(to_flush_);
    for (std::uint64_t id : ids) {
      if (auto session = find(id)) session->flush();
    }
  }
}

void SessionTable::for_each(const std::function<void(Session&)>& each) {
  std::vector<std::shared_ptr<Session>> living;
  living.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) living.push_back(session);
  for (const auto& session : living) each(*session);
  flush_all();
}

}  // namespace virga
