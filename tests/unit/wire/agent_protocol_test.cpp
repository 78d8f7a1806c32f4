// Frames between engine, srun and agent: whole, in pieces, and senseless ones.
#include "wire/agent_protocol.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/binary.hpp"
#include "wire/frame_channel.hpp"

namespace virga {
namespace {

LaunchJob launch() {
  LaunchJob message;
  message.binding.job.id = {42};
  message.binding.job.incarnation = 3;
  message.binding.job.nodes = {{{7}, "nd-7", {0, 1}}};
  message.binding.groups = {4, 5};
  message.payload.script = std::string("#!/bin/sh\n\0binary", 17);
  message.payload.environment = {"A=b"};
  return message;
}

}  // namespace

TEST_CASE("agent protocol: messages survive any cutting of the stream") {
  const AgentMessage messages[] = {launch(), TaskOutput{3, 2, std::string(100'000, 'x')}, AgentHello{}};
  std::string stream;
  for (const AgentMessage& message : messages) stream += encode_frame(message);
  for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4097}, stream.size()}) {
    FrameReader reader;
    std::size_t got = 0;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      for (auto message = reader.next(); message && *message; message = reader.next()) {
        REQUIRE(got < 3);
        CHECK(encode(**message) == encode(messages[got++]));
      }
    }
    CHECK(got == 3);
  }
}

TEST_CASE("agent protocol: nonsense is an error, and never more than an error") {
  auto first = [](std::string bytes) {
    FrameReader reader;
    reader.feed(bytes);
    return reader.next();
  };
  CHECK_FALSE(first("\xff\xff\xff\xff"));                  // too long
  CHECK_FALSE(first(std::string("\2\0\0\0\xff\xff", 6)));  // no such message
  CHECK_FALSE(first(std::string("\0\0\0\0", 4)));          // no message at all
  std::string frame = encode_frame(launch());
  for (std::size_t i = 4; i < frame.size(); ++i) {
    std::string damaged = frame;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    (void)first(damaged);  // any answer, but no crash
    damaged = frame.substr(0, i);
    CHECK(first(damaged).has_value());  // incomplete: wait for more
  }
}

TEST_CASE("frame channel: keeps what the socket does not take, and delivers before the end") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  FrameChannel reader(ends[1]);
  constexpr int k_count = 100;
  {
    FrameChannel writer(ends[0]);
    for (int i = 0; i < k_count; ++i)
      writer.send(TaskOutput{static_cast<std::uint32_t>(i), 1, std::string(50'000, 'y')});
    CHECK(writer.unsent() > 1'000'000);
    int got = 0;
    while (got < k_count - 1) {
      writer.flush();
      REQUIRE(reader.receive());
      for (auto message = reader.next(); message && *message && got < k_count - 1; message = reader.next()) {
        CHECK(std::get<TaskOutput>(**message).task == static_cast<std::uint32_t>(got++));
        if (got == k_count - 1) break;
      }
    }
    writer.flush();
    CHECK(writer.unsent() == 0);
  }
  while (reader.receive()) {
  }
  auto last = reader.next();
  REQUIRE((last && *last));
  CHECK(std::get<TaskOutput>(**last).task == k_count - 1);
}

TEST_CASE("frame channel: a socket that nobody listens at is told by name") {
  auto fd = connect_to_agent("/nonexistent/agent.sock");
  REQUIRE_FALSE(fd);
  CHECK(fd.error().code == Code::unavailable);
  CHECK(fd.error().message.find("/nonexistent/agent.sock") != std::string::npos);
  CHECK_FALSE(connect_to_agent("/" + std::string(200, 'x')));
}

}  // namespace virga
