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
  CHECK(slurm->clusters[0].sweep == Duration::seconds(3));
  CHECK(slurm->clusters[0].conf.empty());
  CHECK(slurm->clusters[0].foreign_jobs == ForeignJobs::leave);
  CHECK_FALSE(slurm->clusters[0].accounting);
  CHECK(parse_engine_settings("[engine]\nkind = \"slurm\"\naccounting = true\n", "v.toml")->clusters[0].accounting);
  const auto adopts = parse_engine_settings("[engine]\nkind = \"slurm\"\nforeign_jobs = \"adopt\"\n", "v.toml");
  REQUIRE(adopts);
  CHECK(adopts->clusters[0].foreign_jobs == ForeignJobs::adopt);
  CHECK(adopts->clusters[0].sweep == Duration::seconds(2));
  const auto site = parse_engine_settings("[engine]\nkind = \"slurm\"\nconf = \"/etc/slurm/slurm.conf\"\n", "v.toml");
  REQUIRE(site);
  CHECK(site->clusters[0].partition == "virga");
  CHECK(site->clusters[0].address.empty());
  CHECK(site->clusters[0].sweep == Duration::seconds(2));
  const auto azure = parse_engine_settings("[engine]\nkind = \"slurm\"\naddress = \"10.64.255.254\"\n", "v.toml");
  REQUIRE(azure);
  CHECK(azure->clusters[0].address == "10.64.255.254");
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

namespace {

constexpr const char* k_pools = "[pool.nd]\n[pool.wd]\nslurm_cluster = \"west\"\n[partition.main]\npools = [\"nd\"]\n";

}  // namespace

TEST_CASE("engine settings: several clusters, each with keys of its own") {
  const std::string text = std::string(k_pools) +
                           "[engine]\nkind = \"slurm\"\nsweep = \"3s\"\n"
                           "[engine.cluster.west]\nconf = \"/etc/west/slurm.conf\"\nforeign_jobs = \"adopt\"\n";
  const auto engine = parse_engine_settings(text, "v.toml");
  REQUIRE(engine);
  REQUIRE(engine->clusters.size() == 2);
  CHECK(engine->has_several_clusters());
  CHECK(engine->clusters[0].name.empty());
  CHECK(engine->clusters[0].sweep == Duration::seconds(3));
  CHECK(engine->clusters[0].foreign_jobs == ForeignJobs::leave);
  CHECK(engine->clusters[1].name == "west");
  CHECK(engine->clusters[1].conf == "/etc/west/slurm.conf");
  CHECK(engine->clusters[1].sweep == Duration::seconds(2));
  CHECK(engine->clusters[1].foreign_jobs == ForeignJobs::adopt);
  CHECK(engine->cluster_of("wd").name == "west");
  CHECK(engine->cluster_of("nd").name.empty());
  CHECK(parse_config(text, "v.toml", {}));
}

TEST_CASE("engine settings: each mistake about several clusters is told once, in one line") {
  const auto message = [](const std::string& text) {
    const auto engine = parse_engine_settings(text, "v.toml");
    return engine ? std::string("none") : engine.error().message;
  };
  const std::string slurm = "[engine]\nkind = \"slurm\"\n";
  const std::string west = "[engine.cluster.west]\n";
  CHECK(message(k_pools + slurm + west) == "none");
  CHECK(message("[pool.nd]\nslurm_cluster = \"wets\"\n[pool.ed]\n" + slurm + west) ==
        "v.toml:2:17: pool.nd.slurm_cluster: no cluster \"wets\"; known: \"west\"");
  CHECK(message(k_pools + slurm) ==
        "v.toml:3:17: pool.wd.slurm_cluster: no cluster \"west\"; add [engine.cluster.west]");
  CHECK(message(k_pools + slurm + west + "[engine.cluster.north]\n") ==
        "v.toml:9:1: engine.cluster.north: no pool is in it; write slurm_cluster = \"north\" into one, or leave the "
        "cluster out");
  CHECK(message("[pool.wd]\nslurm_cluster = \"west\"\n" + slurm + west)
            .find("engine: all pools are in other clusters, and none in this one") != std::string::npos);
  const std::string conf = "conf = \"/etc/slurm/slurm.conf\"\n";
  CHECK(message(k_pools + slurm + conf + west + conf)
            .find("engine.cluster.west.conf: \"/etc/slurm/slurm.conf\" is that of [engine] already") !=
        std::string::npos);
  CHECK(message(k_pools + west).find("engine.cluster: is of kind = \"slurm\" only") != std::string::npos);
  CHECK(message(k_pools).find("pool.wd.slurm_cluster: of [engine] kind = \"slurm\" only") != std::string::npos);
  for (const char* name : {"West", "\"a b\"", "abcdefghijklmnopq", "8ths"}) {
    CHECK(message(std::string("[pool.wd]\nslurm_cluster = \"west\"\n[pool.nd]\n") + slurm + west + "[engine.cluster." +
                  name + "]\n")
              .find("is no name of a cluster; write a small letter") != std::string::npos);
  }
  CHECK(message(k_pools + std::string("[cluster]\nname = \"west\"\n") + slurm + west)
            .find("\"west\" is what the cluster of [engine] is called") != std::string::npos);
  CHECK(message(k_pools + slurm + west + "kind = \"slurm\"\n").find("unknown key \"kind\"") != std::string::npos);
  // A partition over pools of several clusters is what they are for.
  CHECK(parse_config(std::string(k_pools) + "[partition.both]\npools = [\"nd\", \"wd\"]\ndefault = true\n", "v.toml",
                     {}));
  CHECK_FALSE(parse_config("[pool.nd]\nslurm_cluster = 3\n[partition.main]\npools = [\"nd\"]\n", "v.toml", {}));
}

}  // namespace virga
