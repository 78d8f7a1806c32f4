// Deployments with an inline template: az makes scale sets and VMs this way. The resources go through the same handlers
// as any PUT; the deployment ends when the last of their operations has ended.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/template.hpp"
#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/json_codec.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_type = "Microsoft.Resources/deployments";
constexpr std::size_t k_resources_max = 800;  // as in Azure

Answer invalid_template(std::string_view message) { return refusal(400, "InvalidTemplate", message); }

/// A resource of the template, ready to be PUT.
struct Step {
  Target target;
  std::string id;
  std::string name;
  std::string type;
  std::string version;
  std::vector<std::string> after;  ///< ids, names or TYPE/NAME
  const json::object* raw = nullptr;
};

Result<Document> reference_of(World& world, const std::vector<Step>& steps, const std::string& what) {
  const Resource* found = world.resources.find(what);
  for (const Step& step : steps) {
    if (found == nullptr && (same_word(step.name, what) || same_word(step.type + "/" + step.name, what))) {
      found = world.resources.find(step.id);
    }
  }
  if (found == nullptr) return fail(Code::not_found, "The resource '" + what + "' is not defined.");
  const json::object view = view_of_any(world, *found);
  const json::object* properties = object_at(view, "properties");
  return Document(properties == nullptr ? json::object() : *properties);
}

TemplateScope scope_of(World& world, const Call& call, const json::object& properties, const std::vector<Step>& steps) {
  TemplateScope scope;
  scope.subscription = world.scenario.subscription;
  scope.group = call.target.group;
  if (const Group* group = world.resources.find_group(scope.group)) scope.location = group->location;
  if (const json::object* declared = object_at(properties, "template.parameters")) {
    for (const auto& [name, declaration] : *declared) {
      const json::object* d = declaration.if_object();
      const json::value* value = d == nullptr ? nullptr : d->if_contains("defaultValue");
      if (value != nullptr) (*scope.defaults)[name] = *value;
    }
  }
  if (const json::object* given = object_at(properties, "parameters")) {
    for (const auto& [name, wrapped] : *given) {
      const json::object* w = wrapped.if_object();
      const json::value* value = w == nullptr ? nullptr : w->if_contains("value");
      if (value != nullptr) (*scope.parameters)[name] = *value;
    }
  }
  if (const json::object* variables = object_at(properties, "template.variables"))
    scope.variables = Document(*variables);
  scope.reference = [&world, &steps](const std::string& what) { return reference_of(world, steps, what); };
  return scope;
}

std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t slash = text.find('/');
    parts.emplace_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

/// "Microsoft.Network/virtualNetworks/subnets" with the name "v/s".
Result<Target> target_of(const Step& step, const TemplateScope& scope) {
  std::vector<std::string> types = parts_of(step.type);
  const std::string provider = types.front();
  types.erase(types.begin());
  std::vector<std::string> names = parts_of(step.name);
  const auto sound = [](const std::string& part) { return is_segment(part); };
  const bool all_sound = is_segment(provider) && std::all_of(types.begin(), types.end(), sound) &&
                         std::all_of(names.begin(), names.end(), sound);
  if (types.empty() || !all_sound || types.size() != names.size()) {
    return fail(Code::invalid, fmt::format("the name '{}' does not fit the type '{}': it needs one part for each part "
                                           "of the type after the provider, without ? # % and backslash",
                                           step.name, step.type));
  }
  return resource_target(scope.subscription, scope.group, provider, types, std::move(names));
}

Result<Step> read_step(const json::value& raw, const TemplateScope& scope) {
  if (!raw.is_object()) return fail(Code::invalid, "a resource of the template is no object");
  Step step;
  step.raw = &raw.get_object();
  if (step.raw->contains("copy")) return fail(Code::invalid, "the stand-in does not serve 'copy' in templates");
  const Result<std::string> name = evaluate_text(text_at(*step.raw, "name"), scope);
  const Result<std::string> version = evaluate_text(text_at(*step.raw, "apiVersion"), scope);
  if (!name) return unexpected(name.error());
  if (!version) return unexpected(version.error());
  step.name = *name;
  step.version = *version;
  step.type = text_at(*step.raw, "type");
  if (step.type.empty() || step.name.empty() || !is_api_version(step.version)) {
    return fail(Code::invalid, "a resource of the template needs type, name and apiVersion, such as 2022-08-01");
  }
  Result<Target> target = target_of(step, scope);
  if (!target) return unexpected(target.error());
  step.target = std::move(*target);
  step.id = step.target.id();
  const json::array* after = array_at(*step.raw, "dependsOn");
  for (std::size_t i = 0; after != nullptr && i < after->size(); ++i) {
    if (!after->at(i).is_string()) continue;
    const Result<std::string> text = evaluate_text(after->at(i).get_string().c_str(), scope);
    if (!text) return unexpected(text.error());
    step.after.push_back(*text);
  }
  return step;
}

bool waits_for(const Step& step, const Step& other) {
  return std::any_of(step.after.begin(), step.after.end(), [&](const std::string& what) {
    return same_word(what, other.id) || same_word(what, other.name) || same_word(what, other.type + "/" + other.name);
  });
}

/// A resource whose "condition" is false is left out.
Result<bool> is_wanted(const json::value& raw, const TemplateScope& scope) {
  const json::object* object = raw.if_object();
  const json::value* condition = object == nullptr ? nullptr : object->if_contains("condition");
  if (condition == nullptr) return true;
  const Result<Document> value = evaluate(json::object{{"condition", *condition}}, scope);
  if (!value) return unexpected(value.error());
  const json::value& result = (**value).at("condition");
  if (result.is_bool()) return result.get_bool();
  return fail(Code::invalid, "the condition of a resource is neither true nor false");
}

/// Each after those that it depends on; Code::invalid for a circle.
Result<std::vector<Step>> in_order(std::vector<Step> steps) {
  std::vector<Step> ordered;
  while (!steps.empty()) {
    const auto next = std::find_if(steps.begin(), steps.end(), [&](const Step& step) {
      return std::none_of(steps.begin(), steps.end(), [&](const Step& other) { return waits_for(step, other); });
    });
    if (next == steps.end()) return fail(Code::invalid, "Circular dependency detected in the template.");
    ordered.push_back(std::move(*next));
    steps.erase(next);
  }
  return ordered;
}

Answer put_step(World& world, const Call& call, const Step& step, const TemplateScope& scope) {
  json::object raw = *step.raw;
  for (const char* key : {"dependsOn", "apiVersion", "type", "name", "condition", "comments"}) raw.erase(key);
  const Result<Document> body = evaluate(raw, scope);
  if (!body) return invalid_template(body.error().message);
  const Request request{"PUT", step.id + "?api-version=" + step.version, call.request.headers, json_text(**body)};
  Call inner{request, step.target, call.now, call.base_url, false, call.failure};
  inner.target.query["api-version"] = step.version;
  return route(world, inner);
}

std::string operation_id_of(const Answer& answer) {
  const std::string_view url = answer.header("Azure-AsyncOperation");
  const std::size_t mark = url.find('?');
  const std::size_t slash = url.rfind('/', mark);
  return url.empty() ? "" : std::string(url.substr(slash + 1, mark - slash - 1));
}

void finish(World& world, const std::string& id, const json::object& properties, const std::vector<Step>& steps,
            const Call& call, const Operation& ended) {
  Resource* deployment = world.resources.find(id);
  if (deployment == nullptr) return;
  deployment->provisioning = ended.error_code.empty() ? "Succeeded" : "Failed";
  const auto fails = [&](std::string_view code, std::string_view message) {
    deployment->provisioning = "Failed";
    make_at(*deployment->body, "properties.error") = {{"code", code}, {"message", message}};
  };
  if (!ended.error_code.empty()) return fails(ended.error_code, ended.error_message);
  const TemplateScope scope = scope_of(world, call, properties, steps);
  const json::object* outputs = object_at(properties, "template.outputs");
  if (outputs == nullptr) return;
  const Result<Document> evaluated = evaluate(*outputs, scope);
  if (evaluated) {
    make_at(*deployment->body, "properties.outputs") = **evaluated;
    return;
  }
  fails("DeploymentOutputEvaluationFailed", evaluated.error().message);
  world.operations.fail(ended.id, "DeploymentOutputEvaluationFailed", evaluated.error().message);
}

/// The deployment's own operation waits for those of its resources.
void follow(World& world, const Operation& deployment, const std::vector<std::string>& operations, Time now) {
  if (operations.empty()) return world.operations.end_at(deployment.id, now);
  world.operations.expect_machines(deployment.id, static_cast<std::uint32_t>(operations.size()));
  for (const std::string& id : operations) {
    world.operations.when_ended(id, [&world, outer = deployment.id](const Operation& inner, Time when) {
      world.operations.settle(outer, inner.error_code, inner.error_message, when);
    });
  }
}

Result<std::vector<Step>> plan(World& world, const Call& call, const json::object& properties) {
  std::vector<Step> steps;
  const TemplateScope scope = scope_of(world, call, properties, steps);
  const json::array* resources = array_at(properties, "template.resources");
  if (resources != nullptr && resources->size() > k_resources_max) {
    return fail(Code::invalid, fmt::format("a template has at most {} resources", k_resources_max));
  }
  for (std::size_t i = 0; resources != nullptr && i < resources->size(); ++i) {
    const Result<bool> wanted = is_wanted(resources->at(i), scope);
    if (!wanted) return unexpected(wanted.error());
    if (!*wanted) continue;
    Result<Step> step = read_step(resources->at(i), scope);
    if (!step) return unexpected(step.error());
    steps.push_back(std::move(*step));
  }
  return in_order(std::move(steps));
}

Answer write_deployment(World& world, const Call& call, Resource* old) {
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  const json::object* given = object_at(**body, "properties");
  if (given == nullptr || object_at(*given, "template") == nullptr) {
    return refusal(400, "InvalidRequestContent", "The stand-in needs an inline template in properties.template.");
  }
  const auto properties = std::make_shared<const Document>(*given);
  Result<std::vector<Step>> planned = plan(world, call, **properties);
  if (!planned) return invalid_template(planned.error().message);
  const auto steps = std::make_shared<const std::vector<Step>>(std::move(*planned));
  std::vector<std::string> operations;
  json::array made;
  const TemplateScope scope = scope_of(world, call, **properties, *steps);
  const bool fails = call.failure && call.failure->kind == FailureKind::async;
  Document wrong;  // what stopped it
  for (const Step& step : *steps) {
    if (fails) break;  // as the scenario asked
    Answer answer = put_step(world, call, step, scope);
    if (answer.status >= 300) {
      if (made.empty()) return answer;
      wrong = parse_document(answer.body).value_or(Document());
      break;
    }
    made.push_back(json::object{{"id", step.id}});
    if (const std::string id = operation_id_of(answer); !id.empty()) operations.push_back(id);
  }
  Resource& deployment = world.resources.put(call.target, "", call.now, Duration{});
  deployment.provisioning = "Running";
  json::object& shown = make_at(*deployment.body, "properties").emplace_object();
  shown["mode"] = "Incremental";
  shown["correlationId"] = new_guid(world.random);
  shown["timestamp"] = iso8601(call.now);
  shown["duration"] = "PT0S";
  shown["outputs"] = json::object();
  shown["dependencies"] = json::array();
  shown["outputResources"] = std::move(made);
  Call plain = call;
  if (!fails) plain.failure.reset();  // the resources' own operations have it
  const std::string location = scope.location.empty() ? world.scenario.regions.front() : scope.location;
  const Operation& operation = begin_operation(world, plain, location, deployment.id);
  // The request is gone by then; what is needed of it is kept.
  const auto kept = std::make_shared<const Request>(call.request);
  const Call later{*kept, call.target, call.now, call.base_url, false, std::nullopt};
  world.operations.when_ended(
      operation.id, [&world, id = deployment.id, properties, steps, kept, later](const Operation& ended, Time) {
        finish(world, id, **properties, *steps, later, ended);
      });
  if (!(*wrong).empty()) {
    world.operations.fail(operation.id, text_at(*wrong, "error.code"), text_at(*wrong, "error.message"));
  }
  follow(world, operation, operations, fails ? call.now + world.scenario.write_time : call.now);
  if (operations.empty() && !fails) {
    world.agenda.run_until(call.now);
    return json_answer(old == nullptr ? 201 : 200, view_of(*world.resources.find(call.target.id())));
  }
  Answer answer = json_answer(old == nullptr ? 201 : 200, view_of(deployment));
  add_operation(answer, world, call, operation);
  return answer;
}

Answer validate(World& world, const Call& call) {
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  const json::object* properties = object_at(**body, "properties");
  if (properties == nullptr) return refusal(400, "InvalidRequestContent", "properties is missing");
  const Result<std::vector<Step>> planned = plan(world, call, *properties);
  if (!planned) return invalid_template(planned.error().message);
  json::object view = {{"id", call.target.id()}, {"name", call.target.name()}, {"type", k_type}};
  view["properties"] = {{"mode", "Incremental"}, {"provisioningState", "Succeeded"}};
  return json_answer(200, view);
}

}  // namespace

Answer answer_deployments(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is("POST") && target.tail_key == "validate") return validate(world, call);
  if (call.is_list && target.tail_key == "operations") {
    return list_answer(world, call, 0, [](std::size_t) { return json::object(); });
  }
  Resource* old = call.is_list ? nullptr : world.resources.find(target.id());
  if (call.is("PUT")) return write_deployment(world, call, old);
  return answer_other_resources(world, call);
}

}  // namespace virga::arm
