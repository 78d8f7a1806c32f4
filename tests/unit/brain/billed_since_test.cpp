// A cloud may say that a VM is billed since before its grant was told; another clock than ours never bends time.
#include "world.hpp"

namespace virga::test {

TEST_CASE("billing starts when the cloud says, within what we know") {
  World w;
  const JobId id = w.submit(World::spec(4));
  const ReserveGang gang = w.take<ReserveGang>();
  const Time asked = w.brain.state().vms.at(gang.vms[0].vm).requested;
  w.pass(Duration::seconds(300));
  const Time began = asked + Duration::seconds(40);
  // On time, before we asked, after now, not told.
  w.event(GangGranted{
      gang.gang, {"a", "b", "c", "d"}, {began, asked - Duration::seconds(99), w.now + Duration::seconds(9), Time{}}});
  const Time told = w.now;
  const Time expected[] = {began, asked, told, told};
  for (std::size_t i = 0; i < 4; ++i) CHECK(w.brain.state().vms.at(gang.vms[i].vm).granted == expected[i]);

  for (const WantedVm& vm : gang.vms) w.event(VmReady{vm.vm});
  w.take<StartJob>();
  w.event(JobStarted{id, 0});
  w.pass(Duration::seconds(600));
  w.event(JobEnded{id, 0, {0, 0}, {}});
  w.pass(Duration::seconds(3600));
  w.commands.clear();
  for (const WantedVm& vm : gang.vms) w.event(VmReleased{vm.vm});
  const Money price = w.brain.state().config.pools[0].node_price();
  for (std::size_t i = 0; i < 4; ++i) {
    const VmRecord record = w.take<ArchiveVm>().vm;
    CHECK(record.granted == expected[i]);
    CHECK(record.cost == price_for(price, record.released - expected[i]));
  }
}

TEST_CASE("fewer times than VMs, as an older journal has: from the grant on") {
  World w;
  w.submit(World::spec(2));
  const ReserveGang gang = w.take<ReserveGang>();
  w.pass(Duration::seconds(30));
  const Time began = w.now - Duration::seconds(10);
  w.event(GangGranted{gang.gang, {"a", "b"}, {began}});
  CHECK(w.brain.state().vms.at(gang.vms[0].vm).granted == began);
  CHECK(w.brain.state().vms.at(gang.vms[1].vm).granted == w.now);
}

}  // namespace virga::test
