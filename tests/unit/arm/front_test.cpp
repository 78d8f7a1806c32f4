// What the resource manager's front end does before a request reaches a resource; tokens; throttling.
#include <boost/json.hpp>

#include "arm/text.hpp"
#include "unit/arm/client.hpp"
#include "wire/encodings.hpp"

namespace virga::arm::test {

TEST_CASE("a request needs a token, an api-version, a subscription and a group") {
  Client azure;
  const std::string groups = azure.prefix + "/resourceGroups";
  CHECK(azure.azure.handle({"GET", groups + "?api-version=2021-04-01", {}, ""}, azure.now).status == 401);
  const Answer bare = azure.azure.handle({"GET", groups, {{"Authorization", "Bearer x"}}, ""}, azure.now);
  CHECK(bare.status == 400);
  CHECK(bare.body.find("MissingApiVersionParameter") != std::string::npos);
  CHECK(azure.get("/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups").code() ==
        "SubscriptionNotFound");
  CHECK(azure.get(k_sets + "/s").code() == "ResourceGroupNotFound");
  CHECK(azure.get("/resourceGroups/g").code() == "ResourceGroupNotFound");
  azure.make_group("g");
  CHECK(azure.get(k_sets + "/s").code() == "ResourceNotFound");
  CHECK(azure.put("/resourceGroups/g", R"({"location": "eastus"})").status() == 200);
  CHECK(azure.put("/resourceGroups/g", R"({"location": "mars"})").code() == "LocationNotAvailableForResourceType");
  CHECK(azure.put("/resourceGroups/h", "{").code() == "InvalidRequestContent");
  CHECK(azure.send("HEAD", "/resourceGroups/g").status() == 204);
  CHECK(azure.send("HEAD", "/resourceGroups/h").status() == 404);
}

TEST_CASE("a group takes everything in it along") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(3));
  CHECK(azure.del("/resourceGroups/g").status() == 202);
  CHECK(azure.put(k_sets + "/t", set_body(1)).code() == "ResourceGroupBeingDeleted");
  azure.pass(Duration::minutes(1));
  CHECK(azure.get("/resourceGroups/g").status() == 404);
  CHECK(azure.azure.world().machines.all().empty());
}

TEST_CASE("a service principal's token is worth something until it expires") {
  Client azure("client_secret = \"right\"\ntoken_life = \"10m\"");
  const auto token = [&](const std::string& secret) {
    return azure.azure.handle({"POST",
                               "/22222222-2222-2222-2222-222222222222/oauth2/v2.0/token",
                               {},
                               "grant_type=client_credentials&client_id=app&client_secret=" + secret},
                              azure.now);
  };
  CHECK(token("wrong").status == 401);
  const Answer answer = token("right");
  REQUIRE(answer.status == 200);
  const auto body = boost::json::parse(answer.body).as_object();
  CHECK(number_at(body, "expires_in", 0) == 600);
  const std::vector<Header> headers = {{"authorization", "Bearer " + text_at(body, "access_token")}};
  const std::string target = azure.prefix + "/resourceGroups?api-version=2021-04-01";
  CHECK(azure.azure.handle({"GET", target, headers, ""}, azure.now).status == 200);
  azure.pass(Duration::minutes(10));
  const Answer late = azure.azure.handle({"GET", target, headers, ""}, azure.now);
  CHECK(late.status == 401);
  CHECK(late.body.find("ExpiredAuthenticationToken") != std::string::npos);
}

TEST_CASE("the times of a token are those of the client's clock") {
  Client azure("speed = 60\ntoken_life = \"1h\"");
  const Time received = Time::from_seconds(1'790'000'000);  // the stand-in has run ahead
  Request request{
      "GET",   "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", {{"Metadata", "true"}}, "", "",
      received};
  const auto identity = boost::json::parse(azure.azure.handle_metadata(request, azure.now).body).as_object();
  CHECK(text_at(identity, "expires_in") == "60");
  CHECK(text_at(identity, "expires_on") == "1790000060");
  CHECK(text_at(identity, "not_before") == "1790000000");
  request = {"POST", "/t/oauth2/v2.0/token", {}, "grant_type=client_credentials&client_id=a", "", received};
  const auto token = boost::json::parse(azure.azure.handle(request, azure.now).body).as_object();
  const std::string text = text_at(token, "access_token");
  const std::size_t dot = text.find('.');
  const auto claims = from_base64(text.substr(dot + 1, text.find('.', dot + 1) - dot - 1));
  REQUIRE(claims);
  const auto read = boost::json::parse(*claims).as_object();
  CHECK(number_at(read, "iat", 0) == 1'790'000'000);
  CHECK(number_at(read, "nbf", 0) == 1'790'000'000);
  CHECK(number_at(read, "exp", 0) == 1'790'000'060);
}

TEST_CASE("the twelfth update of a set is the last for a while") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(0));
  Reply reply;
  for (int i = 0; i < 12; ++i) {
    reply = azure.patch(k_sets + "/s", R"({"tags": {"a": "b"}})");
    CHECK(reply.status() == 200);
  }
  CHECK(reply.header("x-ms-ratelimit-remaining-resource") == "Microsoft.Compute/UpdateVMScaleSetResource;0");
  CHECK(reply.header("x-ms-ratelimit-remaining-subscription-writes") == "187");
  reply = azure.patch(k_sets + "/s", "{}");
  CHECK(reply.status() == 429);
  CHECK(reply.header("Retry-After") == "15");
  CHECK(reply.code() == "OperationNotAllowed");
  const auto& details = (*reply.body).at("error").as_object().at("details").as_array();
  CHECK(text_at(details[0].as_object(), "code") == "TooManyRequests");
  CHECK(text_at(details[0].as_object(), "target") == "UpdateVMScaleSetResource");
  azure.pass(Duration::seconds(14));
  CHECK(azure.patch(k_sets + "/s", "{}").status() == 429);
  azure.pass(Duration::seconds(1));
  CHECK(azure.patch(k_sets + "/s", "{}").status() == 200);
}

TEST_CASE("the front end's buckets are the principal's") {
  Client azure;
  int refused = 0;
  for (int i = 0; i < 251; ++i) refused += azure.get("/resourceGroups").status() == 429;
  CHECK(refused == 1);
  CHECK(azure.get("/resourceGroups").code() == "SubscriptionRequestsThrottled");
  const std::string target = azure.prefix + "/resourceGroups?api-version=2021-04-01";
  CHECK(azure.azure.handle({"GET", target, {{"Authorization", "Bearer other"}}, ""}, azure.now).status == 200);
}

TEST_CASE("a bucket loses nothing over time, and never holds more than its size") {
  Bucket bucket;
  const BucketSize size{4, 12};
  Time now = k_start;
  for (int i = 0; i < 12; ++i) bucket.take(size, now);
  CHECK(bucket.wait(size, now) == Duration::seconds(15));
  now = now + Duration::minutes(60);
  CHECK(bucket.left(size, now) == 12);
  int taken = 0;
  while (bucket.wait(size, now) == Duration{} && taken < 100) {
    bucket.take(size, now);
    ++taken;
  }
  CHECK(taken == 12);
}

TEST_CASE("text: dates, networks, GUIDs") {
  CHECK(http_date(Time::from_seconds(1'800'000'000)) == "Fri, 15 Jan 2027 08:00:00 GMT");
  CHECK(parse_network("10.7.1.0/28")->size() == 16);
  CHECK_FALSE(parse_network("10.7.1/28"));
  CHECK_FALSE(parse_network("10.7.1.256/28"));
  CHECK_FALSE(parse_network("10.7.1.0/33"));
  Prng random(1);
  const std::string guid = new_guid(random);
  CHECK(guid.size() == 36);
  CHECK(guid[14] == '4');
  CHECK(guid != new_guid(random));
}

}  // namespace virga::arm::test
