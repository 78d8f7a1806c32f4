// Who calls: discovery documents, tokens for service principals and managed identities, and what a token is worth.
//
//   Login login(scenario);
//   Answer answer = *login.answer(request, target, base_url, now);        // POST /TENANT/oauth2/v2.0/token …
//   Result<std::string> principal = login.check("Bearer eyJ…", now);      // "app"
//
// Times in tokens and in answers are the client's; when a token expires is decided in the stand-in's own time.
//
// Tokens of our own expire; any other bearer token is taken as it is, since clients under test bring their own. Nothing
// is signed: this protects nothing.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "arm/message.hpp"
#include "arm/scenario.hpp"
#include "arm/target.hpp"
#include "base/prng.hpp"

namespace virga::arm {

class Login {
 public:
  Login(const Scenario& scenario, Prng random) : scenario_(scenario), random_(random) {}

  /// Nothing for a request that is not about login.
  std::optional<Answer> answer(const Request& request, const Target& target, const std::string& base_url, Time now);
  /// GET /metadata/identity/oauth2/token of the metadata service.
  Answer managed_identity(const Request& request, const Target& target, std::string_view identity, Time now);
  /// The principal behind an Authorization header; Code::denied with the reason.
  Result<std::string> check(std::string_view authorization, Time now) const;

 private:
  struct Issued {
    std::string principal;
    Time expires;
  };
  /// For how long a token is good, on the client's clock, which counts real seconds.
  std::int64_t life_seconds() const;
  std::string new_token(const std::string& principal, const std::string& audience, const Request& request, Time now);
  Answer token(const Request& request, const std::string& base_url, Time now);

  const Scenario& scenario_;
  Prng random_;
  std::map<std::string, Issued> issued_;
};

}  // namespace virga::arm
