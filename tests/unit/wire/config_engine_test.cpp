// [engine] of virga.toml, and that each mistake in it is told.
#include "wire/config_engine.hpp"

#include <doctest/doctest.h>

#include "wire/config_toml.hpp"

namespace virga {

TEST_CASE("engine settings: local unless the file says otherwise") {
  CHECK(parse_engine_settings("", "v.toml")->kind == EngineKind::local);
  const auto slurm = parse_engine_settings("[engine]\nkind = \"slurm\"\nsweep = \"3s\"\n", "v.toml");
  REQUIRE(slurm);
  CHECK(slurm->kind == EngineKind::slurm);
  CHECK(slurm->sweep == Duration::seconds(3));
  CHECK(slurm->conf.empty());
  CHECK(slurm->foreign_jobs == ForeignJobs::leave);
  CHECK_FALSE(slurm->accounting);
  CHECK(parse_engine_settings("[engine]\nkind = \"slurm\"\naccounting = true\n", "v.toml")->accounting);
  const auto adopts = parse_engine_settings("[engine]\nkind = \"slurm\"\nforeign_jobs = \"adopt\"\n", "v.toml");
  REQUIRE(adopts);
  CHECK(adopts->foreign_jobs == ForeignJobs::adopt);
  CHECK(adopts->sweep == Duration::seconds(2));
  const auto site = parse_engine_settings("[engine]\nkind = \"slurm\"\nconf = \"/etc/slurm/slurm.conf\"\n", "v.toml");
  REQUIRE(site);
  CHECK(site->partition == "virga");
  CHECK(site->address.empty());
  CHECK(site->sweep == Duration::seconds(2));
  const auto azure = parse_engine_settings("[engine]\nkind = \"slurm\"\naddress = \"10.64.255.254\"\n", "v.toml");
  REQUIRE(azure);
  CHECK(azure->address == "10.64.255.254");
  // The brain's configuration leaves the section to this reader.
  CHECK(parse_config("[engine]\nkind = \"slurm\"\n", "v.toml", {}));
}

TEST_CASE("engine settings: each mistake has its place and says what is right") {
  const auto message = [](const char* text) { return parse_engine_settings(text, "v.toml").error().message; };
  CHECK(message("[engine]\nkind = \"pbs\"\n") ==
        "v.toml:2:8: engine.kind: no \"pbs\" here; write one of \"local\", \"slurm\"");
  CHECK(message("[engine]\nsweep = \"5s\"\n").find("is of kind = \"slurm\" only") != std::string::npos);
  CHECK(message("[engine]\nkind = \"slurm\"\nconf = \"x\"\n").find("is no absolute path") != std::string::npos);
  CHECK(message("[engine]\nkind = \"slurm\"\naddress = \"here\"\n").find("is no address") != std::string::npos);
  CHECK(message("[engine]\naddress = \"10.64.255.254\"\n").find("\"slurm\" only") != std::string::npos);
  CHECK(message("[engine]\naccounting = true\n").find("\"slurm\" only") != std::string::npos);
  CHECK(message("[engine]\nkind = \"slurm\"\nconf = \"/etc/slurm/slurm.conf\"\naccounting = true\n")
            .find("says itself whether it has slurmdbd") != std::string::npos);
  CHECK(message("[engine]\nforeign_jobs = \"leave\"\n").find("\"slurm\" only") != std::string::npos);
  CHECK(message("[engine]\nkind = \"slurm\"\nforeign_jobs = \"kill\"\n").find("\"leave\", \"adopt\"") !=
        std::string::npos);
  CHECK(message("[[=").find("no TOML") != std::string::npos);
  CHECK_FALSE(parse_config("engine = 3\n", "v.toml", {}));
}

}  // namespace virga
