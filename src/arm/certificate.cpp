#include "arm/certificate.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace virga {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

constexpr long k_valid_seconds = 3650L * 24 * 3600;

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Signed by `issuer`, or by itself without one.
Certificate new_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  unsigned char serial[8];
  if (!certificate || RAND_bytes(serial, sizeof serial) != 1) return nullptr;
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), k_valid_seconds);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509* signer = issuer == nullptr ? certificate.get() : issuer;
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
  const bool is_ca = issuer == nullptr;
  bool ok = add_extension(certificate.get(), signer, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE") &&
            add_extension(certificate.get(), signer, NID_subject_key_identifier, "hash") &&
            add_extension(certificate.get(), signer, NID_authority_key_identifier, "keyid:always");
  if (is_ca) {
    ok = ok && add_extension(certificate.get(), signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    ok = ok &&
         add_extension(certificate.get(), signer, NID_subject_alt_name,
                       "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1") &&
         add_extension(certificate.get(), signer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate.get(), signer, NID_ext_key_usage, "serverAuth");
  }
  if (!ok || X509_sign(certificate.get(), issuer_key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

std::unique_ptr<std::FILE, Free> create(const std::string& path, mode_t mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  return std::unique_ptr<std::FILE, Free>(fd < 0 ? nullptr : ::fdopen(fd, "w"));
}

bool write_certificate(const std::string& path, X509* certificate) {
  const auto file = create(path, 0644);
  return file && PEM_write_X509(file.get(), certificate) == 1 && std::fflush(file.get()) == 0;
}

bool write_key(const std::string& path, EVP_PKEY* key) {
  const auto file = create(path, 0600);
  return file && PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
         std::fflush(file.get()) == 0;
}

}  // namespace

Result<CertificateFiles> make_certificate(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::invalid, "cannot make the folder " + folder + ": " + error.message());
  CertificateFiles files{folder + "/ca.pem", folder + "/cert.pem", folder + "/key.pem"};
  const auto exists = [](const std::string& path) { return ::access(path.c_str(), R_OK) == 0; };
  if (exists(files.ca) && exists(files.certificate) && exists(files.key)) return files;
  // The authority's key is used once and never kept: nobody can make a second certificate with it.
  const Key ca_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  if (!ca_key || !key) return fail(Code::internal, "OpenSSL cannot make a key");
  const Certificate ca = new_certificate("virga-arm test authority", ca_key.get(), nullptr, ca_key.get());
  if (!ca) return fail(Code::internal, "OpenSSL cannot make a certificate");
  const Certificate leaf = new_certificate("localhost", key.get(), ca.get(), ca_key.get());
  if (!leaf) return fail(Code::internal, "OpenSSL cannot make a certificate");
  if (!write_certificate(files.ca, ca.get()) || !write_certificate(files.certificate, leaf.get()) ||
      !write_key(files.key, key.get())) {
    return fail(Code::invalid, "cannot write the certificate into " + folder);
  }
  return files;
}

}  // namespace virga
