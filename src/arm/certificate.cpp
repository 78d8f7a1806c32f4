#include "arm/certificate.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace virga::arm {
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

/// Signed by `issuer`, for these names; or by itself without one.
Certificate new_certificate(const char* name, const std::string& hosts, EVP_PKEY* key, X509* issuer,
                            EVP_PKEY* issuer_key) {
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
    ok = ok && add_extension(certificate.get(), signer, NID_subject_alt_name, hosts.c_str()) &&
         add_extension(certificate.get(), signer, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate.get(), signer, NID_ext_key_usage, "serverAuth");
  }
  if (!ok || X509_sign(certificate.get(), issuer_key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

using File = std::unique_ptr<std::FILE, Free>;

/// Under another name first: nobody sees half a file, and a file that was there gives its mode to no key.
template <class Write>
bool write_file(const std::string& path, mode_t mode, Write write) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const File file(fd < 0 ? nullptr : ::fdopen(fd, "w"));
  if (file && write(file.get()) == 1 && std::fflush(file.get()) == 0) {
    return ::rename(temporary.c_str(), path.c_str()) == 0;
  }
  ::unlink(temporary.c_str());
  return false;
}

bool write_certificate(const std::string& path, X509* certificate) {
  return write_file(path, 0644, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
}

bool write_key(const std::string& path, EVP_PKEY* key) {
  return write_file(path, 0600, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Certificate read_certificate(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  return Certificate(file ? PEM_read_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
}

/// Whether the files of the last time are whole, belong together and are good for these addresses.
bool can_be_kept(const CertificateFiles& files, const std::vector<std::string>& addresses) {
  struct stat status = {};
  if (::stat(files.key.c_str(), &status) != 0 || (status.st_mode & 077) != 0) return false;
  const Certificate ca = read_certificate(files.ca);
  const Certificate leaf = read_certificate(files.certificate);
  const File file(std::fopen(files.key.c_str(), "re"));
  const Key key(file ? PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!ca || !leaf || !key || X509_check_private_key(leaf.get(), key.get()) != 1) return false;
  if (X509_verify(leaf.get(), X509_get0_pubkey(ca.get())) != 1) return false;
  if (X509_cmp_current_time(X509_get0_notAfter(leaf.get())) < 0) return false;
  return std::all_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    return X509_check_ip_asc(leaf.get(), address.c_str(), 0) == 1;
  });
}

Status make_files(const CertificateFiles& files, const std::vector<std::string>& addresses) {
  std::string hosts = "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1";
  for (const std::string& address : addresses) hosts += ",IP:" + address;
  // The authority's key is used once and never kept: nobody can make a second certificate with it.
  const Key ca_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  if (!ca_key || !key) return fail(Code::internal, "OpenSSL cannot make a key");
  const Certificate ca = new_certificate("virga-arm test authority", "", ca_key.get(), nullptr, ca_key.get());
  if (!ca) return fail(Code::internal, "OpenSSL cannot make a certificate");
  const Certificate leaf = new_certificate("localhost", hosts, key.get(), ca.get(), ca_key.get());
  if (!leaf) return fail(Code::internal, "OpenSSL cannot make a certificate");
  if (!write_key(files.key, key.get()) || !write_certificate(files.ca, ca.get()) ||
      !write_certificate(files.certificate, leaf.get())) {
    return fail(Code::invalid, "cannot write " + files.ca + ", " + files.certificate + " and " + files.key + ": " +
                                   std::strerror(errno));
  }
  return {};
}

}  // namespace

Result<CertificateFiles> make_certificate(const std::string& folder, const std::vector<std::string>& addresses) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Code::invalid, "cannot make the folder " + folder + ": " + error.message());
  const CertificateFiles files{folder + "/ca.pem", folder + "/cert.pem", folder + "/key.pem"};
  // Two that start at once in one folder: the second waits, and keeps what the first made.
  const int lock = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return fail(Code::invalid, "cannot open the folder " + folder + ": " + std::strerror(errno));
  ::flock(lock, LOCK_EX);
  const Status made = can_be_kept(files, addresses) ? Status() : make_files(files, addresses);
  ::close(lock);
  if (!made) return unexpected(made.error());
  return files;
}

}  // namespace virga::arm
