// A certificate authority of the stand-in's own, and a certificate for this machine's loopback names and addresses of
// its own choice.
//
//   Result<CertificateFiles> files = make_certificate("/tmp/arm", {});   // writes ca.pem, cert.pem, key.pem (mode
//   0600)
//
// Clients are told to trust ca.pem: REQUESTS_CA_BUNDLE (Python, az), NODE_EXTRA_CA_CERTS (npm), --cacert (curl). A
// folder that has all three files already keeps them, if they fit each other and the addresses; else they are made
// again.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace virga::arm {

struct CertificateFiles {
  std::string ca;
  std::string certificate;
  std::string key;
};

Result<CertificateFiles> make_certificate(const std::string& folder, const std::vector<std::string>& addresses);

}  // namespace virga::arm
