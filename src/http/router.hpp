// From the wire to a handler: who asks, which route, are its parameters sound.
#pragma once

#include <functional>
#include <optional>

#include "http/auth.hpp"
#include "http/exchange.hpp"

namespace virga {

class Router {
 public:
  using Handler = std::function<void(Request, Responder)>;

  Router(Identities identities, std::optional<TokenTable> tokens, Handler handler)
      : identities_(std::move(identities)), tokens_(std::move(tokens)), handler_(std::move(handler)) {}

  void handle(RawRequest raw, Responder responder);

  Identities& identities() { return identities_; }
  void set_tokens(TokenTable tokens) { tokens_ = std::move(tokens); }

 private:
  /// Code::denied where the sender did not show who he is.
  Result<Actor> actor_of(RawRequest& raw);

  Identities identities_;
  std::optional<TokenTable> tokens_;
  Handler handler_;
};

}  // namespace virga
