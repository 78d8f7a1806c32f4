// Jobs and files: which jobs nodes without shared files may serve, what is said of the others, and what becomes of a
// job whose files did not reach the storage.
#include "brain/sched/files.hpp"

#include <doctest/doctest.h>

#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::timed;
using test::World;

namespace {

JobSpec lying_in(const std::string& work_dir, const std::string& std_out = "slurm-%j.out") {
  JobSpec spec = timed(1, 60);
  spec.kind = JobKind::batch;
  spec.work_dir = work_dir;
  spec.std_out = std_out;
  return spec;
}

std::vector<Storage> mounted_at(const std::string& path) {
  Storage one;
  one.name = "files";
  one.mount = path;
  return {one};
}

Config private_config() {
  Config config = small_config();
  config.pools[0].shared_files = false;
  config.storage = mounted_at("/data");
  return config;
}

}  // namespace

TEST_CASE("files: paths are compared part by part") {
  CHECK(plain_path("/data//ada/./x/..") == "/data/ada");
  CHECK(plain_path("/../..") == "/");
  CHECK(plain_path("/data/../etc") == "/etc");
  CHECK(lies_in("/data/x", "/data"));
  CHECK(lies_in("/data", "/data"));
  CHECK_FALSE(lies_in("/database", "/data"));
  CHECK(lies_in("/anything", "/"));
}

TEST_CASE("files: the first one that lies elsewhere is named") {
  const std::vector<Storage> storage = mounted_at("/data");
  CHECK_FALSE(file_off_storage(storage, lying_in("/data/ada")));
  CHECK_FALSE(file_off_storage(storage, lying_in("/data", "/dev/null")));
  CHECK_FALSE(file_off_storage(storage, lying_in("/tmp", "/data/out")));
  CHECK(file_off_storage(storage, lying_in("/srv/ada")) == "work folder /srv/ada");
  CHECK(file_off_storage(storage, lying_in("/data/../srv")) == "work folder /data/../srv");
  CHECK(file_off_storage(storage, lying_in("/tmp")) == "output file /tmp/slurm-%j.out");
  CHECK(file_off_storage(storage, lying_in("/data", "../out")) == "output file /data/../out");
  JobSpec spec = lying_in("/data");
  spec.std_in = "/srv/in";
  CHECK(file_off_storage(storage, spec) == "input file /srv/in");
  CHECK(lies_on_storage(storage, lying_in("/data")));
  CHECK_FALSE(lies_on_storage({}, lying_in("/data")));
  CHECK(lies_on_storage({}, lying_in("/tmp", "/dev/null")));  // as the pool may have it
}

TEST_CASE("files: what nodes mount changes only while they are none") {
  World w(private_config());
  Config changed = private_config();
  changed.storage[0].mount = "/other";
  CHECK_FALSE(w.brain.check(ConfigChanged{changed}));
  JobSpec spec = lying_in("/data");
  w.run(spec);
  const auto refused = w.brain.check(ConfigChanged{changed});
  REQUIRE(refused);
  CHECK(refused->message.find("what its nodes mount can only change when it is empty") != std::string::npos);
  changed = private_config();
  changed.pools[0].shared_files = true;
  CHECK(w.brain.check(ConfigChanged{changed}));
  changed = private_config();
  changed.kill_wait = Duration::seconds(7);
  CHECK_FALSE(w.brain.check(ConfigChanged{changed}));
}

TEST_CASE("files: a job whose files no pool could have is refused, and the line says what to do") {
  World w(private_config());
  const auto refused = w.ask(JobSubmitted{{1000, 1000, "ada"}, lying_in("/srv/ada"), {}});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find(
            "work folder /srv/ada is not on the nodes of pool nd, which share no files with this machine; use a folder "
            "below /data (sbatch --chdir)") != std::string::npos);
  CHECK(w.ask(JobSubmitted{{1000, 1000, "ada"}, lying_in("/data/ada"), {}}).has_value());

  Config none = private_config();
  none.storage.clear();
  World without(none);
  const auto never = without.ask(JobSubmitted{{1000, 1000, "ada"}, lying_in("/data/ada"), {}});
  REQUIRE_FALSE(never.has_value());
  CHECK(never.error().message.find("nothing is mounted there") != std::string::npos);
}

TEST_CASE("files: pools that could not serve a job are passed over") {
  Config config = private_config();
  Pool shared = config.pools[0];
  shared.name = "near";
  shared.node_prefix = "near-";
  shared.shared_files = true;
  config.pools.push_back(shared);
  config.partitions[0].pools = {"nd", "near"};
  World w(config);
  w.submit(lying_in("/srv/ada"));
  CHECK(w.take<ReserveGang>().pool.name == "near");
  w.submit(lying_in("/data/ada"));
  CHECK(w.take<ReserveGang>().pool.name == "nd");
}

TEST_CASE("files: what did not reach the storage makes a good end a failure, and is told with any end") {
  World w(private_config());
  const JobId lost = w.run(lying_in("/data"));
  w.event(JobEnded{lost, 0, {}, {}, "node nd-1: /data: 1 file was not uploaded in time"});
  CHECK(w.job(lost).state == JobState::failed);
  CHECK(w.job(lost).reason == Reason::files_unsaved);
  CHECK(w.job(lost).detail == "node nd-1: /data: 1 file was not uploaded in time");
  const JobId failed = w.run(lying_in("/data"));
  w.event(JobEnded{failed, 0, {3, 0}, {}, "node nd-1: lost"});
  CHECK(w.job(failed).reason == Reason::non_zero_exit);
  CHECK(w.job(failed).detail == "node nd-1: lost");
}

}  // namespace virga
