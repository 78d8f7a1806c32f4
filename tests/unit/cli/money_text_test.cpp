// `virga cost` and `virga offers` as tables.
#include "cli/verbs/money_text.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <time.h>

namespace virga {

TEST_CASE("virga cost: the columns of a report by pool add up, to the cent") {
  CostBody body;
  body.by = CostBy::pool;
  for (const char* name : {"hb", "nd", ""}) {
    CostRow row;
    row.name = name;
    row.jobs = 2;
    row.job_cost = {1'003'333};
    row.node_time = Duration::minutes(90);
    row.vms = 1;
    row.vm_cost = {2'006'667};
    row.vm_time = Duration::minutes(120);
    row.idle_time = Duration::minutes(30);
    row.wasted_cost = {333'334};
    row.wasted_time = Duration::minutes(15);
    body.rows.push_back(row);
    body.total.job_cost += row.job_cost;
    body.total.vm_cost += row.vm_cost;
  }
  body.total.jobs = 5;
  body.total.vms = 3;
  body.total.node_time = Duration::minutes(270);
  body.total.vm_time = Duration::minutes(360);
  body.total.idle_time = Duration::minutes(90);
  body.total.wasted_cost = {1'000'002};
  body.total.wasted_time = Duration::minutes(45);
  CHECK(cost_text(body) ==
        "POOL    JOBS  NODE_HOURS  JOBS_USD  VMS  VM_HOURS  VMS_USD  IDLE_HOURS  IDLE_USD  WASTED_HOURS  WASTED_USD\n"
        "hb         2        1.50      1.00    1      2.00     2.01        0.50      1.01          0.25        0.33\n"
        "nd         2        1.50      1.01    1      2.00     2.00        0.50      0.99          0.25        0.34\n"
        "(none)     2        1.50      1.00    1      2.00     2.01        0.50      1.01          0.25        0.33\n"
        "total      5        4.50      3.01    3      6.00     6.02        1.50      3.01          0.75        1.00\n");
  body.by = CostBy::user;
  CHECK(cost_text(body) ==
        "USER    JOBS  NODE_HOURS  JOBS_USD\n"
        "hb         2        1.50      1.00\n"
        "nd         2        1.50      1.01\n"
        "(none)     2        1.50      1.00\n"
        "total      5        4.50      3.01\n"
        "3 VMs for 6.00 hours: 6.02 USD, of which 3.01 for jobs and 3.01 idle (1.50 hours without a job)\n"
        "wasted, in quarantine or on VMs that no job ever ran on: 0.75 hours, 1.00 USD\n");
  body.all_jobs = false;
  CHECK(cost_text(body).ends_with("total      5        4.50      3.01\n"));
}

TEST_CASE("virga offers: what is free, what could be, and why not now") {
  setenv("TZ", "UTC", 1);
  tzset();
  OffersBody body;
  PoolOffer nd;
  nd.pool = "nd";
  nd.cloud = "host";
  nd.sku = "Standard_ND";
  nd.price_per_node_hour = Money::usd(98, 320'000);
  nd.gpus_per_node = 8;
  nd.nodes_free = 2;
  nd.nodes_askable = 6;
  nd.kind = OfferKind::ready;
  nd.wait = {};
  nd.price = Money::usd(196, 640'000);
  PoolOffer spot = nd;
  spot.pool = "spot";
  spot.price_class = Purchase::spot;
  spot.nodes_free = 0;
  spot.nodes_askable = 0;
  spot.kind = OfferKind::wait;
  spot.reason = Reason::quota;
  spot.detail = "pool spot: none left";
  spot.retry_at = Time::from_seconds(1'769'860'800);
  spot.wait = Duration::minutes(90);
  PoolOffer held = spot;
  held.pool = "held";
  held.reason = Reason::resources;
  held.detail = "";
  held.retry_at = Time::never();
  held.wait = Duration::infinite();
  body.offers = {nd, spot, held};
  CHECK(offers_text(body) ==
        "POOL  CLOUD  SKU          CLASS      NODE_USD_H  GPUS  FREE  MORE  ADDS_USD  WAIT     NOW\n"
        "nd    host   Standard_ND  on_demand       98.32     8     2     6    196.64  none     ready\n"
        "spot  host   Standard_ND  spot            98.32     8     0     0    196.64  1:30:00  wait: quota (pool spot: "
        "none left), asked again at 2026-01-31T12:00:00\n"
        "held  host   Standard_ND  spot            98.32     8     0     0    196.64  unknown  wait: resources\n");

  // Pools of a cloud with regions show what is left there.
  body.offers = {nd, held};
  body.offers[1].cloud = "azure";
  MarketOffer there;
  there.region = "eastus";
  there.quota = Quota::limited;
  there.quota_left = 3;
  there.restriction = "NotAvailableForSubscription in zone 1";
  there.pools = {"held", "other"};
  MarketOffer here;
  here.quota = Quota::unlimited;
  here.pools = {"nd"};
  body.market = {here, there};
  CHECK(
      offers_text(body) ==
      "POOL  CLOUD  SKU          CLASS      NODE_USD_H  GPUS  FREE  MORE  ADDS_USD  WAIT     REGION  QUOTA_LEFT  "
      "RESTRICTION                            NOW\n"
      "nd    host   Standard_ND  on_demand       98.32     8     2     6    196.64  none     -                -  -    "
      "                                  ready\n"
      "held  azure  Standard_ND  spot            98.32     8     0     0    196.64  unknown  eastus           3  "
      "NotAvailableForSubscription in zone 1  wait: resources\n");
}

TEST_CASE("virga offers --market: nothing is invented") {
  MarketBody body;
  MarketRow known;
  known.sku = "Standard_ND";
  known.region = "eastus";
  known.cloud = "azure";
  known.price_per_hour = Money::usd(98, 320'000);
  known.quota = Quota::limited;
  known.quota_left = 0;
  known.restriction = "NotAvailableForSubscription";
  known.pools = {"a", "b"};
  known.wait = Duration::minutes(90);
  MarketRow unknown = known;
  unknown.price_class = Purchase::spot;
  unknown.price_per_hour.reset();
  unknown.quota = Quota::unknown;
  unknown.restriction = "";
  unknown.pools = {};
  unknown.wait.reset();
  MarketRow here;
  here.sku = "tiny";
  here.cloud = "host";
  here.price_per_hour = Money::usd(0, 200'000);
  here.quota = Quota::unlimited;
  here.pools = {"small"};
  here.wait = Duration{};
  body.offers = {known, unknown, here};
  CHECK(market_text(body) ==
        "SKU          REGION  CLASS      CLOUD  USD_H  QUOTA_LEFT  WAIT     POOLS  RESTRICTION\n"
        "Standard_ND  eastus  on_demand  azure  98.32           0  1:30:00  a,b    NotAvailableForSubscription\n"
        "Standard_ND  eastus  spot       azure      -     unknown  -        -      -\n"
        "tiny         -       on_demand  host    0.20           -  none     small  -\n");
}

}  // namespace virga
