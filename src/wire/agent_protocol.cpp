// Frames between engine, srun and agent.
#include "wire/agent_protocol.hpp"

#include "core/binary.hpp"

namespace virga {
namespace {

constexpr std::size_t k_header_bytes = 4;

}  // namespace

std::string encode_frame(const AgentMessage& message) {
  BinaryWriter writer;
  writer.put(std::uint32_t{0});
  writer.put(message);
  std::string frame = writer.take();
  auto length = static_cast<std::uint32_t>(frame.size() - k_header_bytes);
  for (std::size_t i = 0; i < k_header_bytes; ++i) frame[i] = static_cast<char>(length >> (8 * i));
  return frame;
}

void FrameReader::feed(std::string_view bytes) {
  if (start_ == bytes_.size()) {
    bytes_.clear();
    start_ = 0;
  } else if (start_ > bytes_.size() / 2) {
    bytes_.erase(0, start_);
    start_ = 0;
  }
  bytes_ += bytes;
}

Result<std::optional<AgentMessage>> FrameReader::next() {
  std::string_view rest = std::string_view(bytes_).substr(start_);
  if (rest.size() < k_header_bytes) return std::nullopt;
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < k_header_bytes; ++i) {
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(rest[i])) << (8 * i);
  }
  if (length > k_agent_frame_bytes_max) return fail(Code::corrupt, "frame of the agent's protocol is too long");
  if (rest.size() < k_header_bytes + length) return std::nullopt;
  auto message = decode<AgentMessage>(rest.substr(k_header_bytes, length));
  if (!message) return unexpected(message.error());
  start_ += k_header_bytes + length;
  return std::optional<AgentMessage>(std::move(*message));
}

}  // namespace virga
