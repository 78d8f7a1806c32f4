// The time of collectives: identities that hold on any fabric, NCCL's choices, and mistakes in what is asked.
#include "twin/collective.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>

namespace virga {
namespace {

constexpr double k_mib = 1 << 20;
constexpr double k_gib = 1 << 30;

const Net hopper() { return make_net(k_nvlink4, k_infiniband_ndr, true); }
const Net ampere() { return make_net(k_nvlink3, k_infiniband_hdr, false); }

RankGroup group(std::uint32_t ranks, std::uint32_t ranks_per_domain = 8) {
  return {.ranks = ranks, .ranks_per_domain = ranks_per_domain};
}

CollectiveEstimate all_reduce(std::uint32_t ranks, double bytes, const Net& net, CollectiveOptions options = {}) {
  return collective_estimate(Collective::all_reduce, group(ranks), bytes, net, options);
}

}  // namespace

TEST_CASE("collective: one rank, or no bytes, takes no time") {
  for (const auto collective : {Collective::all_reduce, Collective::broadcast, Collective::send_recv}) {
    CHECK(collective_seconds(collective, group(1), k_gib, hopper()) == 0);
    CHECK(collective_seconds(collective, group(16), 0, hopper()) == 0);
  }
}

TEST_CASE("collective: algbw, busbw and seconds are one figure") {
  const auto e = all_reduce(16, k_gib, hopper());
  CHECK(e.algbw == doctest::Approx(k_gib / e.seconds));
  CHECK(e.busbw == doctest::Approx(e.algbw * 2 * 15 / 16));
  CHECK(bus_factor(Collective::all_gather, 8) == 7.0 / 8);
  CHECK(bus_factor(Collective::broadcast, 8) == 1);
}

TEST_CASE("collective: the choice is NCCL's") {
  CHECK(all_reduce(8, 32768, hopper()).algorithm == Algorithm::ring);
  CHECK(all_reduce(8, 32768, hopper()).protocol == Protocol::ll);
  CHECK(all_reduce(8, 2 * k_mib, hopper()).algorithm == Algorithm::nvls);
  // H200 goes over to NVLS above 4 GPUs, B200 above 5.
  CHECK(all_reduce(4, 8 * k_gib, hopper()).algorithm == Algorithm::ring);
  CHECK(all_reduce(5, 8 * k_gib, hopper()).algorithm == Algorithm::nvls);
  const Net blackwell = make_net(k_nvlink5, k_infiniband_ndr, true);
  CHECK(all_reduce(5, 8 * k_gib, blackwell).algorithm == Algorithm::ring);
  CHECK(all_reduce(6, 8 * k_gib, blackwell).algorithm == Algorithm::nvls);
  CHECK(all_reduce(16, 1024, hopper()).algorithm == Algorithm::tree);
  CHECK(all_reduce(16, k_gib, hopper()).algorithm == Algorithm::nvls_tree);
  CHECK(all_reduce(32, 16 * k_gib, hopper()).algorithm == Algorithm::ring);
  CHECK(all_reduce(8, 8 * k_gib, ampere()).protocol == Protocol::simple);
  CHECK(collective_estimate(Collective::all_to_all, group(16), k_gib, hopper()).algorithm == Algorithm::direct);
  Net sharp = hopper();
  sharp.sharp = true;
  CHECK(all_reduce(1024, k_gib, sharp).algorithm == Algorithm::collnet);
}

TEST_CASE("collective: what a provider prescribes is kept") {
  const Net tcpxo = make_net(k_nvlink4, k_tcpxo, true);
  for (const double bytes : {8.0, 4096.0, k_mib, k_gib}) {
    CHECK(all_reduce(16, bytes, tcpxo).protocol == Protocol::simple);
    CHECK(all_reduce(16, bytes, tcpxo).algorithm != Algorithm::nvls_tree);
  }
  CHECK(all_reduce(8, k_gib, tcpxo).algorithm == Algorithm::nvls);  // inside one node the network does not matter
}

TEST_CASE("collective: a choice by hand is followed, and takes for ever where it is impossible") {
  const auto ring = all_reduce(8, k_gib, hopper(), {.algorithm = Algorithm::ring, .protocol = Protocol::ll});
  CHECK(ring.algorithm == Algorithm::ring);
  CHECK(ring.protocol == Protocol::ll);
  CHECK(std::isinf(all_reduce(8, k_gib, ampere(), {.algorithm = Algorithm::nvls}).seconds));
  CHECK(std::isinf(all_reduce(16, k_gib, hopper(), {.algorithm = Algorithm::collnet}).seconds));
}

TEST_CASE("collective: wire bytes are those of the algorithm") {
  const auto wire = [](Algorithm algorithm, std::uint32_t ranks) {
    return all_reduce(ranks, k_gib, hopper(), {.algorithm = algorithm}).wire_bytes_per_nic / k_gib * 8;
  };
  CHECK(wire(Algorithm::ring, 32) == doctest::Approx(2 * 31.0 / 32));
  CHECK(wire(Algorithm::hierarchical, 32) == doctest::Approx(2 * 3.0 / 4));
  CHECK(wire(Algorithm::tree, 16) == doctest::Approx(1));
  CHECK(wire(Algorithm::nvls_tree, 32) == doctest::Approx(2));
  CHECK(all_reduce(8, k_gib, hopper()).wire_bytes_per_nic == 0);
  RankGroup shared = group(32);
  shared.nics_per_domain_share = 4;
  const auto half = collective_estimate(Collective::all_reduce, shared, k_gib, hopper());
  CHECK(half.wire_bytes_per_nic == doctest::Approx(2 * 31.0 / 32 * k_gib / 4));
}

TEST_CASE("collective: no algorithm beats its wire") {
  for (const auto collective : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                Collective::broadcast, Collective::all_to_all, Collective::send_recv}) {
    for (const std::uint32_t ranks : {2u, 7u, 8u, 9u, 16u, 24u, 1000u, 16384u}) {
      for (double bytes = 8; bytes <= 64 * k_gib; bytes *= 4) {
        const auto e = collective_estimate(collective, group(ranks), bytes, hopper());
        REQUIRE(std::isfinite(e.seconds));
        REQUIRE(e.seconds >= e.wire_bytes_per_nic / hopper().nic_bytes_s);
      }
    }
  }
}

TEST_CASE("collective: one algorithm takes longer for more bytes, and no longer on a faster net") {
  for (const auto algorithm : {Algorithm::ring, Algorithm::tree, Algorithm::nvls_tree, Algorithm::hierarchical}) {
    double before = 0;
    for (double bytes = 8; bytes <= 64 * k_gib; bytes *= 2) {
      const CollectiveOptions options{.algorithm = algorithm, .protocol = Protocol::simple};
      const double seconds = all_reduce(64, bytes, hopper(), options).seconds;
      REQUIRE(seconds > before);
      before = seconds;
      Net faster = hopper();
      faster.nic_bytes_s *= 2;
      REQUIRE(all_reduce(64, bytes, faster, options).seconds <= seconds);
      Net tapered = hopper();
      tapered.taper = 2;
      REQUIRE(all_reduce(64, bytes, tapered, options).seconds >= seconds);
    }
  }
}

TEST_CASE("collective: an all-reduce is a reduce-scatter and an all-gather") {
  const CollectiveOptions ring{.algorithm = Algorithm::ring, .protocol = Protocol::simple};
  const auto both = all_reduce(64, k_gib, hopper(), ring);
  const auto half = collective_estimate(Collective::all_gather, group(64), k_gib, hopper(), ring);
  CHECK(both.seconds == doctest::Approx(2 * half.seconds).epsilon(0.02));
  CHECK(half.seconds == collective_estimate(Collective::reduce_scatter, group(64), k_gib, hopper(), ring).seconds);
}

TEST_CASE("collective: latencies that are not given are those of the kind") {
  Net net = make_net(k_nvlink4, k_efa, true);
  const double seconds = all_reduce(32, k_mib, net).seconds;
  net.nvlink_latency_s = 0;
  net.nic_latency_s = 0;
  CHECK(all_reduce(32, k_mib, net).seconds == seconds);
  net.kind = nullptr;
  CHECK(all_reduce(32, k_mib, net).seconds < seconds);
}

TEST_CASE("collective: what makes no sense is told in one line, and takes for ever") {
  const auto message = [](const RankGroup& g, const Net& net) {
    const auto status = check_collective(g, net);
    CHECK(std::isinf(collective_seconds(Collective::all_reduce, g, k_mib, net)));
    return status ? std::string() : status.error().message;
  };
  CHECK(message({.ranks = 0}, hopper()) == "a group of 0 ranks; a collective needs at least 1");
  CHECK(message({.ranks = 4, .ranks_per_domain = 0}, hopper()) ==
        "0 ranks per NVLink domain; write 1 where GPUs share no NVLink");
  CHECK(message(group(8), {}).find("nvlink_bytes_s is not above 0") != std::string::npos);
  Net no_nics = hopper();
  no_nics.nic_bytes_s = 0;
  CHECK(message(group(16), no_nics).find("nic_bytes_s is not above 0") != std::string::npos);
  CHECK(check_collective(group(16), hopper()).has_value());
}

}  // namespace virga
