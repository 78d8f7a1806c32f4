// The report's style sheet and its script: constants that html_report.cpp puts into the page.
//
// The script only helps to read: a line and figures under the pointer, a drag zooms all plots of a run in time, a
// double click shows all of it again. Without it the page is complete. Colours follow the reader's light or dark theme.
#pragma once

#include <string_view>

namespace virga {

extern const std::string_view k_page_style;
extern const std::string_view k_page_script;

}  // namespace virga
