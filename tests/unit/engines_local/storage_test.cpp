// Storage on a node, as far as it needs none: rclone's words, keys and signatures, programs with a limit, users'
// entries.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engines/local/blob_cache.hpp"
#include "engines/local/node_users.hpp"
#include "engines/local/storage_access.hpp"
#include "engines/local/storage_desk.hpp"
#include "engines/local/storage_mounts.hpp"
#include "wire/blob_url.hpp"
#include "wire/command.hpp"

namespace virga {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string path = fs::temp_directory_path() / "virga-storage.XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_; }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = path_ / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  fs::path path_;
};

JobBinding of(const std::string& user, std::uint32_t uid) {
  JobBinding binding;
  binding.job.owner = {uid, uid, user};
  binding.groups = {uid, 60};
  binding.group_names = {user, "games"};
  binding.home_dir = "/srv/" + user;
  binding.shell = "/bin/sh";
  return binding;
}

pid_t start_waiting() {
  const pid_t pid = fork();
  if (pid == 0) {
    pause();
    _exit(0);
  }
  return pid;
}

void end(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

std::vector<std::uint32_t> serving;  ///< what say_mounted() tells of

void say_mounted(FrameChannel agent, const MountStorage&) {
  agent.send(StorageMounted{true, "", serving});
  agent.flush();
  _exit(0);
}

/// An export and two containers, mounted by say_mounted().
StorageMounted mount_three(StorageDesk& desk) {
  MountStorage wanted;
  for (const auto& [name, kind] :
       {std::pair{"exp", StorageKind::nfs}, {"one", StorageKind::blob}, {"two", StorageKind::blob}}) {
    Storage storage;
    storage.name = name;
    storage.kind = kind;
    storage.source = std::string("source-of-") + name;
    wanted.mounts.push_back({storage, ""});
  }
  REQUIRE_FALSE(desk.mount(wanted).has_value());
  pollfd ready{desk.fd(), POLLIN, 0};
  REQUIRE(poll(&ready, 1, 20'000) == 1);
  return desk.read().value();
}

}  // namespace

TEST_CASE("storage: a mount whose process is gone is told, and is not mounted from then on") {
  const pid_t first = start_waiting();
  const pid_t second = start_waiting();
  serving = {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(second)};
  StorageDesk desk(say_mounted);
  CHECK(mount_three(desk).ok);
  CHECK_FALSE(desk.child_ended(getpid()).has_value());
  end(second);
  const auto lost = desk.child_ended(second);
  REQUIRE(lost.has_value());
  CHECK_FALSE(lost->ok);
  CHECK(lost->message.starts_with("storage.two (source-of-two): rclone, which serves it, has ended"));
  CHECK(desk.mount({}).value().message == lost->message);
  CHECK(desk.helpers() == std::vector<pid_t>{first});  // still ours
  CHECK(desk.mounted().size() == 3);                   // what jobs wrote there is asked for, and told as not saved
  end(first);
  CHECK_FALSE(desk.child_ended(first).has_value());  // nothing new
}

TEST_CASE("storage: a process that is gone before its mount was told of is noticed, too") {
  const pid_t gone = start_waiting();
  end(gone);
  serving = {static_cast<std::uint32_t>(gone)};
  StorageDesk desk(say_mounted);
  const StorageMounted answer = mount_three(desk);
  CHECK_FALSE(answer.ok);
  CHECK(answer.message.starts_with("storage.one (source-of-one): rclone"));
}

TEST_CASE("storage: what rclone has left to upload") {
  CHECK(files_to_upload(R"({"diskCache": {"uploadsInProgress": 2, "uploadsQueued": 3}})") == 5);
  CHECK(files_to_upload(R"({"diskCache": {"uploadsInProgress": 0, "uploadsQueued": 0}})") == 0);
  CHECK(files_to_upload(R"({"diskCache": {"uploadsQueued": 0}})") == -1);
  CHECK(files_to_upload("") == -1);
}

TEST_CASE("storage: of rclone's many lines the one that helps") {
  CHECK(rclone_trouble("Failed: -> github.com/…, ServiceCode=AuthenticationFailed) =====\nmore\n") ==
        "Azure answers AuthenticationFailed");
  CHECK(rclone_trouble("ERROR : error listing: directory not found\n") == "there is no such container");
  CHECK(rclone_trouble("first\nlast\n  \n") == "last");
  CHECK(rclone_trouble("") == "rclone ended without a word");
}

TEST_CASE("storage: no signature is in what is told of rclone's trouble") {
  CHECK(rclone_trouble(
            "2026/11/30 NOTICE: Get \"https://acct.blob.core.windows.net/homes?restype=container&sig=c2Vj%2F\": "
            "dial tcp: no such host; HEAD http://127.0.0.1:10000/acct/homes/a?sv=1&sig=c2Vj failed\n") ==
        "2026/11/30 NOTICE: Get \"https://acct.blob.core.windows.net/homes\": dial tcp: no such host; "
        "HEAD http://127.0.0.1:10000/acct/homes/a failed");
  CHECK(rclone_trouble("cannot parse https://acct.blob.core.windows.net/homes?sv=1&sig=c2Vj") ==
        "cannot parse https://acct.blob.core.windows.net/homes");
}

TEST_CASE("storage: a key is read from a file that nobody else can read") {
  const Folder folder;
  CHECK(read_account_key(folder.write("key", "c2VjcmV0\n")).value() == "c2VjcmV0");
  CHECK(read_account_key(folder.write("open", "c2VjcmV0\n", 0644)).error().message.find("chmod 600") !=
        std::string::npos);
  CHECK(read_account_key(folder.write("text", "not base64!\n")).error().message.find("holds no account key") !=
        std::string::npos);
  CHECK(read_account_key(folder.write("empty", "")).error().message.find("holds no account key") != std::string::npos);
  CHECK(read_account_key(folder.path()).error().message.find("is no file") != std::string::npos);
  CHECK(read_account_key(folder.path() + "/none").error().message.find("cannot be read") != std::string::npos);
}

TEST_CASE("storage: a container's signature opens it until its expiry, and does not hold the key") {
  const BlobUrl container{"acct", "homes", "blob.core.windows.net", "https://acct.blob.core.windows.net/homes"};
  const std::string words = sign_container(container, "c2VjcmV0", 0).value();
  CHECK(words.starts_with("sv=2018-11-09&se=1970-01-01T00%3A00%3A00Z&sr=c&sp=racwdl&sig="));
  CHECK(words.find("c2VjcmV0") == std::string::npos);
  CHECK(sign_container(container, "c2VjcmV0", 0).value() == words);
  CHECK(sign_container(container, "c2VjcmV0", 1).value() != words);
  CHECK(sign_container(container, "b3RoZXI=", 0).value() != words);
}

TEST_CASE("storage: programs end by their limit, and say why they failed") {
  using std::chrono::milliseconds;
  constexpr milliseconds k_long{20'000};
  const CommandEnd good =
      run_command({"sh", "-c", "echo $WORD; echo aside >&2"}, own_environment_with({"WORD=out"}), k_long);
  CHECK(good.ok());
  CHECK(good.out == "out\n");
  CHECK(good.err == "aside\n");
  const auto run = [](const std::string& script, milliseconds limit) {
    return run_command({"sh", "-c", script}, own_environment_with({}), limit);
  };
  const CommandEnd bad = run("echo first >&2; echo last >&2; exit 3", k_long);
  CHECK(bad.exit_code == 3);
  CHECK(bad.why() == "last");
  CHECK(run("kill -9 $$", k_long).exit_code == 128 + 9);
  CHECK(run("sleep 1000", milliseconds(50)).how == CommandEnd::How::stopped_at_limit);
  // One that has closed its streams may hang nevertheless.
  CHECK(run("exec > /dev/null 2>&1; sleep 1000", milliseconds(200)).how == CommandEnd::How::stopped_at_limit);
  const CommandEnd none = run_command({"no-such-program"}, own_environment_with({}), k_long);
  CHECK(none.how == CommandEnd::How::not_started);
  CHECK(none.why() == "cannot run no-such-program: No such file or directory");
}

TEST_CASE("storage: a node's users are added once, with the ids that they have everywhere") {
  const Folder folder;
  folder.write("passwd", "root:x:0:0:root:/:/bin/sh\ngames:x:5:60::/:/bin/sh\n", 0644);
  folder.write("group", "root:x:0:\ngames:x:60:\n", 0644);
  const NodeUsers users(folder.path());
  REQUIRE(users.add(of("ada", 54321)).has_value());
  REQUIRE(users.add(of("ada", 54321)).has_value());
  CHECK(folder.read("passwd") ==
        "root:x:0:0:root:/:/bin/sh\ngames:x:5:60::/:/bin/sh\nada:x:54321:54321::/srv/ada:/bin/sh\n");
  CHECK(folder.read("group") == "root:x:0:\ngames:x:60:\nada:x:54321:ada\ngames:x:60:ada\n");
  const Status other = users.add(of("games", 54322));
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().code == Code::conflict);
  CHECK(other.error().message == "user games has the id 5 and not 54322 on this node");
}

}  // namespace virga
