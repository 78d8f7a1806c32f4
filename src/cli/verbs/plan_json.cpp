// The answer for programs. Seconds, bytes, US dollars; shares are of 1.
#include "cli/verbs/plan_report.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

void put_layout(JsonWriter& w, const twin::Layout& l) {
  w.key("layout");
  w.begin_object();
  w("tp", l.tp);
  w("pp", l.pp);
  w("dp", l.dp);
  w("cp", l.cp);
  w("ep", l.ep);
  w("interleave", l.interleave);
  w("micro_batch", l.micro_batch);
  w("micro_batches", l.micro_batches());
  w("global_batch", l.global_batch);
  w("recompute", l.recompute);
  w("sequence_parallel", l.sequence_parallel);
  w("distributed_optimizer", l.distributed_optimizer);
  w("precision", l.precision);
  w.end_object();
}

void put_memory(JsonWriter& w, const twin::MemoryUse& m, const twin::System& system) {
  w.key("memory");
  w.begin_object();
  w("weights", m.weights);
  w("gradients", m.gradients);
  w("optimizer", m.optimizer);
  w("activations", m.activations);
  w("output", m.output);
  w("reserve", m.reserve);
  w("total", m.total());
  w("gpu", system.gpu->hbm_bytes);
  w.end_object();
}

void put_model(JsonWriter& w, const twin::PlanRequest& request) {
  const twin::Transformer& model = *request.model;
  const twin::ParameterCount count = twin::parameters(model);
  w("model", model.name);
  w("parameters", count.total);
  w("active_parameters", count.active);
  w("seq", model.seq);
  w("software", request.stack->name);
}

void put_terms(JsonWriter& w, const twin::Prediction& prediction) {
  w("seconds", prediction.seconds);
  w.key("terms");
  w.begin_object();
  for (const auto& [term, seconds] : terms_of(prediction.terms)) w(name_of(term), seconds);
  w.end_object();
  w("binding", prediction.binding);
}

void put_run(JsonWriter& w, const PlanReport& r) {
  const twin::RunEstimate& run = r.point.run;
  w.key("run");
  if (r.request.tokens <= 0) return w.put_null();
  w.begin_object();
  w("tokens", r.request.tokens);
  w("steps", twin::steps_of(r.request.tokens, *r.request.model, r.layout.global_batch));
  w("training_seconds", run.work_s);
  w("wall_seconds", run.wall_s);
  w("days", run.wall_s / 86400);
  w("usd", run.usd);
  w("spot", r.question.spot);
  w("failures_per_node_hour", r.offer.reliability.failures_per_node_hour);
  w("failures", run.failures);
  w("checkpoint_seconds", r.checkpoint_s);
  w("checkpoint_interval_seconds", run.interval_s);
  w("within_budget", r.plan.within_budget);
  w("within_deadline", r.plan.within_deadline);
  w.end_object();
}

void put_slowed(JsonWriter& w, const PlanReport& r) {
  w.key("slow_ranks");
  w.begin_array();
  for (const auto& group : r.request.slow.groups()) {
    w.begin_object();
    w("factor", group.factor);
    w("ranks", group.ranks);
    w.end_object();
  }
  w.end_array();
  w("slow_rank_seconds", r.plan.slow_seconds);
  w("fabric", r.question.fabric_name);
  w("other_jobs", r.request.fabric ? r.request.fabric->other_jobs : 0);
  w("scattered", r.request.fabric && r.request.fabric->scattered);
  w("nic_share", r.point.nic_share);
}

void put_points(JsonWriter& w, const PlanReport& r) {
  w.key("points");
  w.begin_array();
  for (std::size_t i = 0; i < r.plan.points.size(); ++i) {
    const twin::PlanPoint& point = r.plan.points[i];
    w.begin_object();
    w("sku", r.request.offers[point.offer].system->name);
    w("gpus", point.gpus);
    w("nodes", point.nodes);
    w("nic_share", point.nic_share);
    w("seconds", point.found.seconds);
    w("wall_seconds", point.run.wall_s);
    w("usd", point.run.usd);
    w("on_front", point.on_front);
    w("chosen", r.plan.chosen == i);
    put_layout(w, point.found.layout);
    w.end_object();
  }
  w.end_array();
}

void put_sensitivities(JsonWriter& w, const twin::Plan& plan) {
  w.key("sensitivity");
  w.begin_array();
  for (const twin::Sensitivity& s : plan.sensitivities) {
    w.begin_object();
    w("ten_percent_more", s.lever);
    w("possible", s.any);
    w("gain", s.gain);
    if (s.amount > 0) w("amount", s.amount);
    if (s.any) put_layout(w, s.layout);
    w.end_object();
  }
  w.end_array();
}

}  // namespace

std::string plan_json(const PlanReport& r, std::string_view launcher) {
  JsonWriter w;
  w.begin_object();
  put_model(w, r.request);
  w("sku", r.system.name);
  w("gpu", r.system.gpu->name);
  w("gpus", r.point.gpus);
  w("nodes", r.point.nodes);
  w("global_batch", r.layout.global_batch);
  w("global_batch_assumed", r.question.batch_assumed);
  w("fits", true);
  w("beyond_calibration", twin::beyond_calibration(r.system, r.layout));
  put_layout(w, r.layout);
  put_terms(w, r.prediction);
  w("tokens_per_s", r.tokens_per_s);
  w("tflops_per_gpu", r.flops_per_gpu / 1e12);
  w("mfu", r.utilisation);
  put_memory(w, r.prediction.memory, r.system);
  w("usd_per_node_hour", r.offer.usd_per_node_hour);
  w("region", r.question.regions[r.point.offer]);
  put_slowed(w, r);
  put_run(w, r);
  put_points(w, r);
  put_sensitivities(w, r.plan);
  w("layouts", r.point.found.layouts);
  w("unpriced", r.question.unpriced);
  w("script", plan_script(r, launcher));
  w.end_object();
  return w.take();
}

std::string unfit_json(const PlanQuestion& question, const twin::Plan& plan) {
  const twin::PlanRequest& request = question.request;
  const twin::System& system = *request.offers.front().system;
  const twin::Evaluator evaluator(*request.model, system, *request.stack);
  const twin::Prediction prediction = evaluator.predict(plan.nearest.smallest);
  JsonWriter w;
  w.begin_object();
  put_model(w, request);
  w("sku", system.name);
  w("gpus", plan.nearest.smallest.gpus());
  w("fits", false);
  put_layout(w, plan.nearest.smallest);
  put_terms(w, prediction);
  put_memory(w, prediction.memory, system);
  w.key("cures");
  w.begin_array();
  for (const twin::Cure& cure : plan.cures) {
    w.begin_object();
    w("remedy", cure.remedy);
    w("gpus", cure.gpus);
    if (cure.remedy == twin::Remedy::other_system) w("sku", twin::known_systems()[cure.offer].name);
    if (cure.remedy == twin::Remedy::free_part) w("part", cure.part);
    put_layout(w, cure.layout);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return w.take();
}

}  // namespace virga
