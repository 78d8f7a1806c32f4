// [storage.NAME] of virga.toml, containers' addresses, and the paths that a bootstrap names.
#include "wire/config_storage.hpp"

#include <doctest/doctest.h>

#include "wire/blob_url.hpp"
#include "wire/config_toml.hpp"
#include "wire/machine_paths.hpp"

namespace virga {
namespace {

const std::string k_pool =
    "[pool.nd]\nmax_nodes = 4\nshared_files = false\n[partition.main]\npools = [\"nd\"]\n[storage.files]\n";
const std::string k_blob = "mount = \"/data\"\nblob = \"https://acct.blob.core.windows.net/homes\"\n";

std::string refusal(const std::string& lines) {
  const auto config = parse_config(k_pool + lines, "virga.toml", ConfigContext{});
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().code == Code::invalid);
  return config.error().message;
}

void check_refused(const std::string& lines, const std::string& why) {
  const std::string message = refusal(lines);
  CHECK_MESSAGE(message.find(why) != std::string::npos, message);
}

}  // namespace

TEST_CASE("storage: what a good table means") {
  const auto blob = parse_config(k_pool + k_blob + "key_file = \"/etc/key\"\ncheckpoints = true\n", "virga.toml", {});
  REQUIRE(blob.has_value());
  CHECK_FALSE(blob->pools[0].shared_files);
  REQUIRE(blob->storage.size() == 1);
  const Storage& one = blob->storage[0];
  CHECK(one.name == "files");
  CHECK(one.mount == "/data");
  CHECK(one.kind == StorageKind::blob);
  CHECK(one.source == "https://acct.blob.core.windows.net/homes");
  CHECK(one.key_file == "/etc/key");
  CHECK(one.checkpoints);
  CHECK(one.save_time == Duration::minutes(5));
  const auto nfs = parse_config(
      k_pool + "mount = \"/home\"\nnfs = \"server:/export\"\noptions = \"vers=4.2,hard\"\nsave_time = \"1m\"\n",
      "virga.toml", {});
  REQUIRE(nfs.has_value());
  CHECK(nfs->storage[0].kind == StorageKind::nfs);
  CHECK(nfs->storage[0].options == "vers=4.2,hard");
  CHECK(nfs->storage[0].save_time == Duration::minutes(1));
}

TEST_CASE("storage: files are shared where nothing is said") {
  for (const char* cloud : {"host", "azure"}) {
    const auto config = parse_config(
        std::string("[pool.nd]\nmax_nodes = 4\ncloud = \"") + cloud + "\"\n[partition.main]\npools = [\"nd\"]\n",
        "virga.toml", {});
    REQUIRE(config.has_value());
    CHECK(config->pools[0].shared_files);
    CHECK(config->storage.empty());
  }
}

TEST_CASE("storage: mistakes are told with their place and their remedy") {
  const std::string key = "key_file = \"/etc/key\"\n";
  const std::string place = "virga.toml:7:9: storage.files.mount: ";
  check_refused("mount = \"data\"\nnfs = \"s:/e\"\n", place + "\"data\" is no folder to mount at");
  check_refused("mount = \"/data/\"\nnfs = \"s:/e\"\n", "is no folder to mount at");
  check_refused("mount = \"/\"\nnfs = \"s:/e\"\n", "is no folder to mount at");
  check_refused("mount = \"/tmp\"\nnfs = \"s:/e\"\n", "is no folder to mount at");
  check_refused("mount = \"/usr/local\"\nnfs = \"s:/e\"\n", "would hide the system's /usr");
  check_refused("mount = \"/var\"\nnfs = \"s:/e\"\n", "would hide the system's /var/cache");
  check_refused("nfs = \"s:/e\"\n", "missing; write where nodes have it");
  check_refused("mount = \"/data\"\n", "no source");
  check_refused(k_blob + key + "nfs = \"s:/e\"\n", "keep one of the two");
  check_refused(k_blob, "needs either key_file");
  check_refused(k_blob + key + "identity = \"managed\"\n", "needs either key_file");
  check_refused(k_blob + "identity = \"mine\"\n", "no identity \"mine\"");
  check_refused(k_blob + "key_file = \"key\"\n", "is no absolute path");
  check_refused(k_blob + key + "options = \"--rc-no-auth\"\n", "cannot be given to rclone mount");
  check_refused(k_blob + key + "options = \"x\"\n", "cannot be given to rclone mount");
  check_refused("mount = \"/data\"\nnfs = \"server\"\n", "\"server\" is no export");
  check_refused("mount = \"/data\"\nnfs = \"s:/e\"\nkey_file = \"/etc/key\"\n", "belongs to blob");
  check_refused("mount = \"/data\"\nnfs = \"s:/e\"\nsave_time = \"0s\"\n", "save_time");
  const std::string first = "mount = \"/data\"\nnfs = \"s:/e\"\ncheckpoints = true\n[storage.more]\n";
  check_refused(first + "mount = \"/data/more\"\nnfs = \"s:/f\"\n", "lie in each other");
  check_refused(first + "mount = \"/more\"\nnfs = \"s:/f\"\ncheckpoints = true\n", "storage.files keeps them already");
}

TEST_CASE("storage: containers are addressed in two shapes") {
  const auto azure = parse_blob_url("https://acct.blob.core.windows.net/homes/");
  REQUIRE(azure.has_value());
  CHECK(azure->account == "acct");
  CHECK(azure->container == "homes");
  CHECK(azure->endpoint == "blob.core.windows.net");
  CHECK(azure->url == "https://acct.blob.core.windows.net/homes");
  const auto emulator = parse_blob_url("http://127.0.0.1:10000/devstoreaccount1/homes");
  REQUIRE(emulator.has_value());
  CHECK(emulator->account == "devstoreaccount1");
  CHECK(emulator->endpoint.empty());
  for (const char* wrong :
       {"", "acct", "ftp://acct.blob.core.windows.net/homes", "http://acct.blob.core.windows.net/homes",
        "https://acct.blob.core.windows.net", "https://acct.blob.core.windows.net/a/b",
        "https://acct.blob.core.windows.net/Homes", "https://acct.blob.core.windows.net/homes?sig=x",
        "http://127.0.0.1:10000/homes", "http://127.0.0.1:x/devstoreaccount1/homes", "https://acct/homes"}) {
    CHECK_MESSAGE(!parse_blob_url(wrong).has_value(), wrong);
  }
}

TEST_CASE("storage: a bootstrap names the paths that it needs of this machine") {
  const std::string script = "#!/bin/sh\n" + machine_path_line("/var/v/run") + machine_path_line("") +
                             machine_path_line("relative") + machine_path_line("/opt/my bin") + "exec true\n";
  CHECK(machine_paths(script) == std::vector<std::string>{"/var/v/run", "/opt/my bin"});
  CHECK(machine_path_line("/a\n#virga-machine-path /etc").empty());
  CHECK(machine_paths("#!/bin/sh\nexec true\n").empty());
}

}  // namespace virga
