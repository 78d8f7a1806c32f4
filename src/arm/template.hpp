// Expressions of deployment templates, as far as az's own templates use them.
//
//   TemplateScope scope{…};
//   Result<Document> resource = evaluate(raw, scope);     // every "[…]" in it, however deep
//
// Functions: resourceId, reference, providers, parameters, variables, concat, toLower,
// uniqueString, resourceGroup, subscription; .member and [index] after any of them. Code::invalid for all else.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "arm/document.hpp"
#include "base/result.hpp"

namespace virga {

struct TemplateScope {
  std::string subscription;
  std::string group;
  std::string location;  ///< of the group
  Document parameters;   ///< name → value
  Document variables;
  /// properties of the resource with this id or name; Code::not_found if there is none yet.
  std::function<Result<Document>(const std::string& id_or_name)> reference;
};

/// Evaluates every text of the object. A text that starts with "[[" is one that starts with "[".
Result<Document> evaluate(const boost::json::object& raw, const TemplateScope& scope);
Result<std::string> evaluate_text(std::string_view text, const TemplateScope& scope);

}  // namespace virga
