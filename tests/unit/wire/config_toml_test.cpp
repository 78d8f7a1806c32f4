// virga.toml: what a good file means, and that each mistake is told with its place and its remedy.
#include "wire/config_toml.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/binary.hpp"
#include "wire/config_units.hpp"
#include "wire/sku_table.hpp"

using virga::ConfigContext;
using virga::Duration;
using virga::parse_config;

namespace {

constexpr std::string_view k_good = R"([pool.nd]
max_nodes = 4
[partition.main]
pools = ["nd"]
)";

std::string bytes_of(const virga::Config& config) {
  virga::BinaryWriter writer;
  writer.put(config);
  return writer.take();
}

/// The whole message about a text that must be refused.
std::string refusal(const std::string& text) {
  const auto config = parse_config(text, "virga.toml", ConfigContext{});
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().code == virga::Code::invalid);
  return config.error().message;
}

std::string pool_refusal(const std::string& line) {
  return refusal("[pool.nd]\n" + line + "\n[partition.main]\npools = [\"nd\"]\n");
}
std::string partition_refusal(const std::string& line) {
  return refusal("[pool.nd]\n[partition.main]\n" + line + "\n");
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("without a file the default text holds") {
  const auto empty = parse_config("", "virga.toml", ConfigContext{});
  const auto written = parse_config(virga::default_config_text(), "virga.toml", ConfigContext{});
  REQUIRE_MESSAGE(empty.has_value(), empty.error().message);
  REQUIRE_MESSAGE(written.has_value(), written.error().message);
  CHECK(bytes_of(*empty) == bytes_of(*written));

  REQUIRE(empty->pools.size() == 1);
  const auto& pool = empty->pools.front();
  CHECK(pool.name == "nd");
  CHECK(pool.cloud == "host");
  CHECK(pool.max_nodes == 8);
  CHECK(pool.node_prefix == "nd");
  CHECK(pool.idle_time == Duration::seconds(20));
  CHECK(pool.sku.name == "Standard_ND96isr_H100_v5");
  CHECK(pool.sku.resources.gpus == 8);
  CHECK(pool.sku.resources.cpus == 96);
  CHECK(pool.sku.price_per_hour == virga::Money::usd(98, 320'000));
  REQUIRE(empty->partitions.size() == 1);
  CHECK(empty->partitions.front().name == "main");
  CHECK(empty->partitions.front().is_default);
}

TEST_CASE("every key reaches its place") {
  const auto config = parse_config(R"(
[cluster]
name = "cumulus"
operator_group = "hpc-ops"
open_queue = false
kill_wait = "10s"
min_job_age = "1h30m"
requeue_delay = "0s"
max_requeues = 3
max_jobs = 1000
[api]
listen = "[::1]:6820"
token_file = "/etc/virga/tokens"
[sku.small]
cpus = 4
memory = "16GiB"
gpus = 1
gpu_model = "A10"
price_per_hour = 0.9
[pool.z2]
sku = "small"
max_nodes = 16
warm_nodes = 2
idle_time = "2-00:00:00"
boot_timeout = "90s"
network = "host"
limit_cpus = 2
limit_memory = "512MiB"
[pool.a]
node_prefix = "alpha"
[partition.long]
pools = ["a", "z2"]
default = true
max_time = "7d"
default_time = "01:00:00"
[partition.short]
pools = ["z2"]
up = false
)",
                                   "virga.toml", ConfigContext{});
  REQUIRE_MESSAGE(config.has_value(), config.error().message);
  CHECK(config->cluster_name == "cumulus");
  CHECK(config->operator_group == "hpc-ops");
  CHECK_FALSE(config->open_queue);
  CHECK(config->kill_wait == Duration::seconds(10));
  CHECK(config->min_job_age == Duration::minutes(90));
  CHECK(config->requeue_delay == Duration{});
  CHECK(config->max_requeues == 3);
  CHECK(config->max_jobs == 1000);
  CHECK(config->listen == "[::1]:6820");
  CHECK(config->token_file == "/etc/virga/tokens");
  REQUIRE(config->pools.size() == 2);
  const auto& pool = config->pools[0];  // the order of the file, not of the alphabet
  CHECK(pool.name == "z2");
  CHECK(pool.node_prefix == "z2-");
  CHECK(pool.sku.name == "small");
  CHECK(pool.sku.resources == virga::Resources{4, 1, std::uint64_t{16} << 30});
  CHECK(pool.sku.gpu_model == "A10");
  CHECK(pool.sku.price_per_hour == virga::Money::usd(0, 900'000));
  CHECK(pool.max_nodes == 16);
  CHECK(pool.warm_nodes == 2);
  CHECK(pool.idle_time == Duration::minutes(2 * 24 * 60));
  CHECK(pool.boot_timeout == Duration::seconds(90));
  CHECK(pool.network == virga::HostNetwork::host);
  CHECK(pool.limit_cpus == 2);
  CHECK(pool.limit_memory_bytes == std::uint64_t{512} << 20);
  CHECK(config->pools[1].node_prefix == "alpha");
  CHECK(config->pools[1].idle_time == Duration::minutes(5));
  REQUIRE(config->partitions.size() == 2);
  CHECK(config->partitions[0].pools == std::vector<std::string>{"a", "z2"});
  CHECK(config->partitions[0].max_time == Duration::minutes(7 * 24 * 60));
  CHECK(config->partitions[0].default_time == Duration::minutes(60));
  CHECK_FALSE(config->partitions[1].up);
  CHECK_FALSE(config->partitions[1].is_default);
}

TEST_CASE("health checks: on by default for Azure's own machines, off for those that have no GPUs to check") {
  const auto pool_of = [](const std::string& text) {
    const auto config = parse_config(text + "[partition.main]\npools = [\"nd\"]\n", "virga.toml", ConfigContext{});
    REQUIRE_MESSAGE(config.has_value(), config.error().message);
    return config->pools.front();
  };
  const std::string azure = "[pool.nd]\ncloud = \"azure\"\n";
  CHECK_FALSE(pool_of("[pool.nd]\n").health_checks);
  CHECK(pool_of(azure).health_checks);
  CHECK(pool_of("[cloud.azure]\nendpoint = \"https://management.azure.com\"\n" + azure).health_checks);
  CHECK_FALSE(pool_of("[cloud.azure]\nendpoint = \"https://127.0.0.1:37089\"\n" + azure).health_checks);
  CHECK_FALSE(pool_of(azure + "health_checks = false\n").health_checks);
  CHECK(pool_of("[pool.nd]\n").quarantine_time == Duration::minutes(30));
  const virga::Pool pool =
      pool_of("[pool.nd]\nhealth_checks = true\nhealth_tools = \"/opt/checks\"\nquarantine_time = \"0s\"\n");
  CHECK(pool.health_checks);
  CHECK(pool.health_tools == "/opt/checks");
  CHECK(pool.quarantine_time == Duration{});
  CHECK(has(
      refusal("[sku.own]\ncpus = 1\nmemory = \"1GiB\"\n[pool.nd]\nsku = \"own\"\nhealth_checks = true\n"
              "[partition.main]\npools = [\"nd\"]\n"),
      "virga.toml:6:17: pool.nd.health_checks: nothing is known of a healthy \"own\"; write health_checks = false"));
  CHECK(has(pool_refusal("health_tools = \"checks\""),
            "\"checks\" is no folder of a PATH; write one that starts with /"));
  CHECK(has(pool_refusal("health_tools = \"/a:/b\""), "is no folder of a PATH"));
  CHECK(has(pool_refusal("health_tools = \"/a\""), "the nodes of this pool are not checked; add health_checks = true"));
  CHECK(has(pool_refusal("quarantine_time = \"31d\""), "out of range"));
}

TEST_CASE("plain nodes are called by their addresses") {
  ConfigContext context;
  context.plain_network = "127.77.";
  const auto config =
      parse_config("[pool.a]\n[pool.b]\n[partition.p]\npools = [\"a\", \"b\"]\n", "virga.toml", context);
  REQUIRE_MESSAGE(config.has_value(), config.error().message);
  CHECK(config->pools[0].node_prefix == "127.77.0.");
  CHECK(config->pools[1].node_prefix == "127.77.1.");
  const auto too_many = parse_config("[pool.a]\nmax_nodes = 255\n[partition.p]\npools = [\"a\"]\n", "f", context);
  REQUIRE_FALSE(too_many.has_value());
  CHECK(has(too_many.error().message, "from 1 to 254"));
}

TEST_CASE("a partition that is alone is the default unless it says no") {
  const auto config = parse_config(k_good, "virga.toml", ConfigContext{});
  REQUIRE(config.has_value());
  CHECK(config->partitions.front().is_default);
}

TEST_CASE("each mistake has its line, column and remedy") {
  CHECK(pool_refusal("max_node = 4") ==
        "virga.toml:2:1: unknown key \"max_node\" in [pool.nd]; did you mean \"max_nodes\"?");
  CHECK(has(pool_refusal("wibble = 4"), "virga.toml:2:1: unknown key \"wibble\" in [pool.nd]; known are cloud, sku"));
  CHECK(has(refusal("[clutser]\n" + std::string(k_good)),
            "unknown key \"clutser\" at the top of the file; did you mean \"cluster\"?"));
  CHECK(pool_refusal("max_nodes = \"eight\"") ==
        "virga.toml:2:13: pool.nd.max_nodes: \"eight\" is a text; write a whole number from 1 to 1024");
  CHECK(has(pool_refusal("max_nodes = 4.5"), "4.5 is a number with a fraction; write a whole number"));
  CHECK(has(pool_refusal("max_nodes = 0"), "0 is out of range; write a whole number from 1 to 1024"));
  CHECK(has(pool_refusal("max_nodes = -3"), "-3 is out of range"));
  CHECK(has(pool_refusal("max_nodes = 100000000000"), "100000000000 is out of range"));
  CHECK(has(pool_refusal("idle_time = 60"), "virga.toml:2:13: pool.nd.idle_time: 60 has no unit; write \"60s\" or"));
  CHECK(has(pool_refusal("idle_time = \"60\""), "\"60\" has no unit; write \"60s\" or \"60m\""));
  CHECK(has(pool_refusal("idle_time = \"5 min\""), "\"5 min\" is no time; write one such as \"90s\""));
  CHECK(has(pool_refusal("boot_timeout = \"0s\""), "\"0s\" is out of range; write a time from \"1s\""));
  CHECK(has(pool_refusal("boot_timeout = \"infinite\""), "out of range"));
  CHECK(has(pool_refusal("limit_memory = \"4GB\""), "\"4GB\" is no size in a binary unit; write \"4GiB\""));
  CHECK(has(pool_refusal("limit_memory = 4096"), "4096 is a whole number; write a size with its unit in quotes"));
  CHECK(has(pool_refusal("limit_memory = \"1KiB\""), "out of range"));
  CHECK(has(pool_refusal("network = \"infiniband\""), "no network \"infiniband\"; write \"fabric\" or \"host\""));
  CHECK(has(pool_refusal("cloud = \"azur\""), "no cloud \"azur\"; did you mean \"azure\""));
  CHECK(has(pool_refusal("sku = \"Standard_ND96isr_H100_v6\""),
            "no SKU \"Standard_ND96isr_H100_v6\"; did you mean \"Standard_ND96isr_H100_v5\"?, or describe it in"));
  CHECK(has(pool_refusal("warm_nodes = 9"), "9 nodes are to be kept ready, but the pool has at most 8; raise"));
  CHECK(has(pool_refusal("node_prefix = \"nd[\""), "\"nd[\" cannot stand in a hostlist such as nd[1-8]; write"));
  CHECK(has(pool_refusal("node_prefix = \"a,b\""), "cannot stand in a hostlist"));
  CHECK(has(pool_refusal("node_prefix = \"nd1\""), "\"nd1\" ends in a digit"));
  CHECK(has(refusal("[pool.\"n d\"]\n[partition.main]\npools = [\"n d\"]\n"), "\"n d\" is no name of a pool"));
  CHECK(has(refusal("[pool.nd]\n[partition.\"a,b\"]\npools = [\"nd\"]\n"), "\"a,b\" is no name of a partition"));
  CHECK(has(refusal("pool = 3\n"), "pool: 3 is a whole number; write a table, which starts with a line [pool]"));
  CHECK(has(refusal("[pool]\nnd = 3\n"), "virga.toml:2:1: \"nd\" in [pool] is a whole number; a pool is a table"));
}

TEST_CASE("mistakes about partitions") {
  CHECK(has(partition_refusal("pools = [\"md\"]"), "virga.toml:3:9: partition.main.pools: no pool \"md\"; did you "));
  CHECK(has(partition_refusal("pools = []"), "empty; name at least one pool"));
  CHECK(has(partition_refusal("pools = [\"nd\", \"nd\"]"), "\"nd\" stands there twice"));
  CHECK(has(partition_refusal("pools = \"nd\""), "\"nd\" is a text; write a list, such as pools = [\"nd\"]"));
  CHECK(has(partition_refusal("pools = [3]"), "holds a whole number; write texts"));
  CHECK(has(partition_refusal(""), "partition.main.pools: missing; write pools = [\"nd\"]"));
  CHECK(has(partition_refusal("pools = [\"nd\"]\nmax_time = \"10:00\""), "\"10:00\" is no time"));
  CHECK(has(partition_refusal("pools = [\"nd\"]\nmax_time = \"1h\"\ndefault_time = \"2h\""), "longer than max_time"));
  CHECK(has(partition_refusal("pools = [\"nd\"]\ndefault = 1"), "1 is a whole number; write true or false"));
  CHECK(has(partition_refusal("pools = [\"nd\"]\ndefault = false"), "no partition is the default; add default = true"));
  CHECK(has(refusal("[pool.nd]\n"), "no partition, so nobody can submit; add [partition.main] with pools = [\"nd\"]"));
  CHECK(has(refusal("[partition.main]\npools = [\"nd\"]\n"), "no pool, so there is nothing to run on"));
  CHECK(has(refusal("[pool.nd]\n[partition.a]\npools=[\"nd\"]\n[partition.b]\npools=[\"nd\"]\n"),
            "no partition is the default"));
  CHECK(has(refusal("[pool.nd]\n[partition.a]\npools=[\"nd\"]\ndefault=true\n[partition.b]\npools=[\"nd\"]\n"
                    "default = true\n"),
            "virga.toml:7:11: partition.b.default: partition \"a\" is the default already"));
  CHECK(has(refusal("[pool.a]\nnode_prefix = \"n\"\n[pool.n]\n[partition.main]\npools = [\"n\"]\n"),
            "nodes of pool \"a\" are also called \"n1\" and so on"));
}

TEST_CASE("mistakes about cluster, API and SKUs") {
  const std::string good(k_good);
  CHECK(has(refusal(good + "[cluster]\nname = \"my cluster\"\n"), "\"my cluster\" is no name"));
  CHECK(has(refusal(good + "[cluster]\nopen_queue = \"yes\"\n"), "\"yes\" is a text; write true or false"));
  CHECK(has(refusal(good + "[cluster]\nmax_jobs = 0\n"), "from 1 to 10000000"));
  CHECK(has(refusal(good + "[cluster]\nname = \"a\\nb\"\n"), "holds control characters"));
  CHECK(has(refusal(good + "[api]\nlisten = \"6820\"\ntoken_file = \"/t\"\n"), "\"6820\" is no address:port"));
  CHECK(has(refusal(good + "[api]\nlisten = \"h:99999\"\ntoken_file = \"/t\"\n"), "is no address:port"));
  CHECK(has(refusal(good + "[api]\nlisten = \"127.0.0.1:6820\"\n"), "without token_file anybody could submit"));
  CHECK(has(refusal(good + "[api]\ntoken_file = \"tokens\"\n"), "no absolute path"));
  CHECK(has(refusal(good + "[sku.x]\ncpus = 4\n"), "sku.x.memory: missing; write how much memory"));
  CHECK(has(refusal(good + "[sku.x]\nmemory = \"4GiB\"\n"), "sku.x.cpus: missing"));
  CHECK(has(refusal(good + "[sku.x]\ncpus = 4\nmemory = \"4GiB\"\nprice_per_hour = -1\n"), "-1 is out of range"));
  CHECK(has(refusal(good + "[sku.x]\ncpus = 4\nmemory = \"4GiB\"\nprice_per_hour = \"98\"\n"), "is a text; write a"));
  CHECK(has(refusal(good + "[sku.x]\ncpus = 4\nmemory = \"4GiB\"\nprice_per_hour = nan\n"), "out of range"));
}

TEST_CASE("all mistakes of a file are told, in its order") {
  const auto text = refusal("[pool.nd]\nmax_nodes = \"x\"\nidle = 3\n[partition.main]\npools = [\"mm\"]\nup = 1\n");
  std::vector<std::string> lines;
  for (std::size_t at = 0; at != std::string::npos;) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end == std::string::npos ? end : end - at));
    at = end == std::string::npos ? end : end + 1;
  }
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("virga.toml:2:13: "));
  CHECK(lines[1].starts_with("virga.toml:3:1: "));
  CHECK(lines[2].starts_with("virga.toml:5:9: "));
  CHECK(lines[3].starts_with("virga.toml:6:6: "));
}

TEST_CASE("a text that is no TOML is told with its place") {
  CHECK(has(refusal("[pool.nd\nmax_nodes = 3\n"), "virga.toml:1:"));
  CHECK(has(refusal("[pool.nd]\nmax_nodes = \n"), "virga.toml:2:"));
  CHECK(has(refusal("a = 1\na = 2\n"), "no TOML"));
  CHECK(has(refusal("a = 1\n[[=\n"), "virga.toml:2:1: no TOML"));
  CHECK(has(refusal("a = 1\n[&"), "virga.toml:2:"));
  CHECK(has(refusal(std::string(2 << 20, ' ')), "bytes long; a configuration has at most"));
}

TEST_CASE("bytes of any kind give a configuration or a message, never anything else") {
  const std::string seeds[] = {virga::default_config_text(), std::string(k_good), "[sku.x]\ncpus=1\nmemory=\"1GiB\"\n"};
  const std::string pieces[] = {"[",  "]",   "\"",      "=",    "\n", ".",    "{", "}",
                                "0x", "1e9", "\\u0000", "\xff", "-",  "pool", "#"};
  std::uint64_t state = 88172645463325252ULL;
  auto next = [&](std::uint64_t bound) {  // xorshift64: the same texts on every run
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
  };
  for (int round = 0; round < 3000; ++round) {
    std::string text = seeds[next(std::size(seeds))];
    for (std::uint64_t edits = next(12) + 1; edits > 0; --edits) {
      const auto at = next(text.size() + 1);
      switch (next(4)) {
        case 0:
          text.insert(at, pieces[next(std::size(pieces))]);
          break;
        case 1:
          text.insert(at, 1, static_cast<char>(next(256)));
          break;
        case 2:
          text.erase(at, next(20));
          break;
        default:
          text.insert(at, text.substr(next(text.size() + 1), next(40)));
          break;
      }
    }
    const auto config = parse_config(text, "virga.toml", ConfigContext{});
    if (config) {
      CHECK_FALSE(config->pools.empty());
      CHECK_FALSE(config->partitions.empty());
    } else {
      CAPTURE(text);
      CHECK(config.error().message.starts_with("virga.toml:"));
    }
  }
}

TEST_CASE("times, sizes, prices") {
  using virga::parse_bytes;
  using virga::parse_duration;
  using virga::parse_money;
  CHECK(parse_duration("90s") == Duration::seconds(90));
  CHECK(parse_duration("1h30m") == Duration::minutes(90));
  CHECK(parse_duration("500ms") == Duration::milliseconds(500));
  CHECK(parse_duration("2d") == Duration::minutes(2880));
  CHECK(parse_duration("1-12") == Duration::minutes(36 * 60));
  CHECK(parse_duration("1-00:30") == Duration::minutes(24 * 60 + 30));
  CHECK(parse_duration("00:00:05") == Duration::seconds(5));
  CHECK(parse_duration("infinite")->is_infinite());
  for (const auto* bad : {"", "5", "m", "5x", "30m1h", "5m5m", "-5s", "1:2", "1-", "-", "99999999999999999999s",
                          "300000000d", "1-2:3:4:5", "5s ", "0x5s", "9223372036854775807ms"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad).has_value());
  }
  CHECK(parse_bytes("4GiB") == std::uint64_t{4} << 30);
  CHECK(parse_bytes("7B") == 7);
  for (const auto* bad : {"", "4", "4G", "4gib", "-4GiB", "99999999999TiB", "GiB", "4 GiB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_bytes(bad).has_value());
  }
  CHECK(parse_money("98.32") == virga::Money::usd(98, 320'000));
  CHECK(parse_money("3") == virga::Money::usd(3));
  CHECK(parse_money("0.000001") == virga::Money{1});
  for (const auto* bad : {"", ".5", "5.", "1.0000001", "-1", "1e3", "1.2.3", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_money(bad).has_value());
  }
}

TEST_CASE("the SKU table") {
  CHECK(virga::known_skus().size() >= 10);
  for (const auto& sku : virga::known_skus()) {
    CAPTURE(sku.name);
    CHECK(sku.resources.cpus > 0);
    CHECK(sku.resources.gpus > 0);
    CHECK(sku.resources.memory_bytes > 0);
    CHECK((sku.price_per_hour.micro_usd > 0) == (sku.gpu_model != "GB300"));  // which has no published price
    CHECK_FALSE(sku.gpu_model.empty());
  }
  CHECK(virga::find_sku("no such") == nullptr);
  CHECK(virga::set_shape_of("Standard_ND96isr_H100_v5") == virga::SetShape::uniform);
  CHECK(virga::set_shape_of("Standard_NC80adis_H100_v5") == virga::SetShape::flexible);
  CHECK(virga::set_shape_of("Standard_ND128isr_GB300_v6") == virga::SetShape::rack);
  CHECK(virga::set_shape_of("no such") == virga::SetShape::uniform);
  CHECK(virga::can_be_targeted("Standard_NC24ads_A100_v4"));
  CHECK_FALSE(virga::can_be_targeted("Standard_NC40ads_H100_v5"));
  CHECK_FALSE(virga::parse_sku_table("what,is,this\n").has_value());
  const std::string header = "name,vcpus,memory_gib,gpus,gpu_model,price_usd_per_hour,scale_set,targeted\n";
  CHECK(virga::parse_sku_table(header + "a,1,2,3,b,4.5,rack,no\n").has_value());
  CHECK(virga::parse_sku_table(header + "a,1,2,3,b,,rack,yes\n").has_value());
  for (const char* bad : {"a,b,c,d,e,f,rack,no", "a,1,2,3,b,4.5,,no", "a,1,2,3,b,4.5,pile,no", "a,1,2,3,b,4.5,rack"}) {
    CHECK_FALSE(virga::parse_sku_table(header + bad + "\n").has_value());
  }
}

TEST_CASE("pools of placement groups: a scale set has a hundred VMs, unless more are asked for") {
  const auto set_nodes_of = [](const std::string& cloud, const std::string& sku, const std::string& more = "") {
    const auto config =
        virga::parse_config("[pool.nd]\nmax_nodes = 250\nhealth_checks = false\ncloud = \"" + cloud + "\"\nsku = \"" +
                                sku + "\"\n" + more + "[partition.main]\npools = [\"nd\"]\n",
                            "virga.toml", virga::ConfigContext{});
    REQUIRE_MESSAGE(config.has_value(), config.error().message);
    return config->pools[0].set_nodes_max;
  };
  CHECK(set_nodes_of("azure", "Standard_ND96isr_H100_v5") == 100);
  CHECK(set_nodes_of("azure", "Standard_ND96isr_H100_v5", "set_nodes_max = 300\n") == 300);
  CHECK(set_nodes_of("azure", "Standard_NC96ads_A100_v4") == 0);  // Flexible, without InfiniBand
  CHECK(set_nodes_of("host", "Standard_ND96isr_H100_v5") == 0);
}

TEST_CASE("pools: tapers are numbers from 1 to 1000, kept as thousandths") {
  const auto parse = [](const std::string& keys) {
    return virga::parse_config("[pool.nd]\n" + keys + "\n[partition.main]\npools = [\"nd\"]\n", "virga.toml",
                               virga::ConfigContext{});
  };
  const auto config = parse("nodes_per_leaf = 4\nleaf_taper = 2.5\nspine_taper = 3");
  REQUIRE_MESSAGE(config.has_value(), config.error().message);
  CHECK(config->pools[0].fabric.leaf_taper_permille == 2'500);
  CHECK(config->pools[0].fabric.spine_taper_permille == 3'000);
  CHECK(config->pools[0].fabric.pod_taper_permille == 1'000);
  for (const char* bad : {"0.5", "1000.1", "\"2\"", "true", "nan"}) {
    CAPTURE(bad);
    const auto refused = parse(std::string("leaf_taper = ") + bad);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.find("pool.nd.leaf_taper") != std::string::npos);
  }
}

TEST_CASE("pools of racks: a scale set and a leaf are a rack, and a size without a list price wants one") {
  const std::string pool = "[pool.gb]\ncloud = \"azure\"\nmax_nodes = 36\nsku = \"Standard_ND128isr_NDR_GB200_v6\"\n";
  const std::string rest = "[partition.main]\npools = [\"gb\"]\n";
  const auto config = virga::parse_config(pool + rest, "virga.toml", virga::ConfigContext{});
  REQUIRE_MESSAGE(config.has_value(), config.error().message);
  CHECK(config->pools[0].set_nodes_max == 18);
  CHECK(config->pools[0].fabric.nodes_per_leaf == 18);
  const auto smaller = virga::parse_config(pool + "set_nodes_max = 9\nnodes_per_leaf = 9\n" + rest, "virga.toml",
                                           virga::ConfigContext{});
  REQUIRE(smaller.has_value());
  CHECK(smaller->pools[0].set_nodes_max == 9);
  CHECK(smaller->pools[0].fabric.nodes_per_leaf == 9);
  const auto refused = [](const std::string& text) {
    const auto parsed = virga::parse_config(text, "virga.toml", virga::ConfigContext{});
    return parsed ? std::string() : parsed.error().message;
  };
  CHECK(refused(pool + "set_nodes_max = 36\n" + rest).find("from 1 to 18") != std::string::npos);
  std::string unpriced = pool;
  unpriced.replace(unpriced.find("NDR_GB200"), 9, "GB300");
  CHECK(refused(unpriced + rest).find("no list price of Standard_ND128isr_GB300_v6") != std::string::npos);
  CHECK(refused(unpriced + "price_per_hour = 120\n" + rest).empty());
}
