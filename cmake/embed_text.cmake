# virga_embed_text(TARGET FILE NAME): puts a text file into the program as
# `extern const std::string_view NAME` of namespace virga.
function(virga_embed_text target file name)
  set(generated ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
       "// Made from a data file by cmake/embed_text.cmake.
#include <string_view>
namespace virga {
extern const std::string_view ${name};
const std::string_view ${name} = R\"embedded(@text@)embedded\";
}  // namespace virga
")
  target_sources(${target} PRIVATE ${generated})
endfunction()
