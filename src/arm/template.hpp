// Expressions of deployment templates, as far as az's own templates use them.
//
//   TemplateScope scope{…};
//   Result<Document> resource = evaluate(raw, scope);     // every "[…]" in it, however deep
//
// Functions: resourceId, reference, providers, parameters, variables, concat, toLower,
// uniqueString, resourceGroup, subscription; .member and [index] after any of them. Code::invalid for all else, for
// what is nested more than 40 deep (variables that name each other included), and for a template that grows beyond 4
// MB.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "arm/document.hpp"
#include "base/result.hpp"

namespace virga::arm {

struct TemplateScope {
  std::string subscription;
  std::string group;
  std::string location;  ///< of the group
  Document parameters;   ///< name → value
  Document defaults;     ///< of parameters that are not given; they may be expressions
  Document variables;
  mutable std::size_t bytes_left = std::size_t{4} << 20;  ///< that all its expressions together may still make
  /// properties of the resource with this id or name; Code::not_found if there is none yet.
  std::function<Result<Document>(const std::string& id_or_name)> reference;
};

/// Evaluates every text of the object. A text that starts with "[[" is one that starts with "[".
Result<Document> evaluate(const boost::json::object& raw, const TemplateScope& scope);
Result<std::string> evaluate_text(std::string_view text, const TemplateScope& scope);

}  // namespace virga::arm
