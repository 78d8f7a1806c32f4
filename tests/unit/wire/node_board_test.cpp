// What a controller writes on the board is what the machines read there, also after its restart.
#include "wire/node_board.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using virga::NodeBoard;
using virga::NodeEntry;
using virga::VmId;
namespace files = std::filesystem;

struct Folder {
  Folder() {
    char pattern[] = "/tmp/virga-board-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
  }
  ~Folder() { files::remove_all(path); }
  std::string board() const { return path + "/x/board"; }
  std::string path;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

NodeEntry entry(std::uint64_t vm) {
  const std::string number = std::to_string(vm);
  return {"nd" + number, VmId{vm}, "10.64.0." + number,
          "#!/bin/sh\n# \"quoted\" and \xff\nexec agent " + number + "\n"};
}

}  // namespace

TEST_CASE("node board: entries come back exactly, names are known to all, and outlive the controller") {
  Folder folder;
  {
    NodeBoard board(folder.board());
    CHECK(*board.read("aa-1") == std::nullopt);
    REQUIRE(board.put({{"aa-1", entry(4)}, {"bb-2", entry(5)}}));
    CHECK(**board.read("aa-1") == entry(4));
    CHECK(text_of(board.hosts_file()).find("10.64.0.5 nd5\n") != std::string::npos);
  }
  struct stat folder_stat {};
  REQUIRE(stat(folder.board().c_str(), &folder_stat) == 0);
  CHECK((folder_stat.st_mode & 0777) == 0700);
  NodeBoard next(folder.board());
  struct stat hosts {};
  REQUIRE(stat(next.hosts_file().c_str(), &hosts) == 0);
  REQUIRE(next.put({{"cc-3", entry(6)}}));
  CHECK(**next.read("bb-2") == entry(5));
  const std::string names = text_of(next.hosts_file());
  for (const char* line : {"10.64.0.4 nd4\n", "10.64.0.5 nd5\n", "10.64.0.6 nd6\n"}) {
    CHECK_MESSAGE(names.find(line) != std::string::npos, line);
  }
  // Nodes have it mounted: it must stay the same file.
  struct stat hosts_now {};
  REQUIRE(stat(next.hosts_file().c_str(), &hosts_now) == 0);
  CHECK(hosts.st_ino == hosts_now.st_ino);
}

TEST_CASE("node board: a machine changes its node, a VM goes, broken entries are told") {
  Folder folder;
  NodeBoard board(folder.board());
  REQUIRE(board.put({{"aa-1", entry(4)}, {"bb-2", entry(5)}}));
  REQUIRE(board.put({{"aa-1", entry(9)}}));
  CHECK(**board.read("aa-1") == entry(9));
  board.remove(VmId{5});
  CHECK(*board.read("bb-2") == std::nullopt);
  CHECK(text_of(board.hosts_file()).find("nd5") == std::string::npos);
  CHECK(text_of(board.hosts_file()).find("10.64.0.9 nd9\n") != std::string::npos);
  board.remove(VmId{77});

  std::ofstream(folder.board() + "/machines/aa-1") << "{\"name\": ";
  CHECK(board.read("aa-1").error().message.find("machines/aa-1: ") != std::string::npos);
  CHECK(board.read("../hosts").error().code == virga::Code::invalid);
  CHECK(board.put({{"a/b", entry(1)}}).error().code == virga::Code::invalid);

  // A disk that cannot be written, or a file in the folder's place.
  std::ofstream(folder.path + "/file") << "x";
  NodeBoard nowhere(folder.path + "/file/board");
  CHECK(nowhere.put({{"aa-1", entry(4)}}).error().message.find("file/board") != std::string::npos);
  nowhere.remove(VmId{4});
}
