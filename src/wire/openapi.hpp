// The OpenAPI 3.1 document of the API, made from the route table and the bodies' visit(): it cannot lag behind the
// code.
#pragma once

#include <string>
#include <string_view>

namespace virga {

std::string openapi_text(std::string_view version);

}  // namespace virga
