// Whether this controller may answer a request, where several of them share a journal (ports/leadership.hpp).
//
//   Standing standing(leadership);
//   if (auto allowed = standing.admit(request, responder)) handle(request, *allowed);     // else it is answered
//
// The leader answers everything, as long as it knows that it leads: a read that was made while it did, but would go out
// later, is not sent. A follower answers reads and says so in the header `Virga-Follows: <leader>; lag=<events>`; what
// changes something, and reads with the header `Virga-Ask: leader`, get 421 Misdirected Request with the leader's
// addresses as `leader` (RFC 9110, section 15.5.20). Who has lost the lead answers everything so, without addresses.
#pragma once

#include <optional>

#include "http/exchange.hpp"
#include "ports/leadership.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

class Standing {
 public:
  /// Without one this controller has its journal alone, and answers everything.
  explicit Standing(const Leadership* leadership) : leadership_(leadership) {}

  /// The way back for what may be done; nothing if the request was answered.
  std::optional<Responder> admit(const Request& request, const Responder& responder) const;
  /// For the status; `applied` is the newest event that the answer knows.
  std::optional<StandbyBody> body(Seq applied) const;

 private:
  const Leadership* leadership_;
};

}  // namespace virga
