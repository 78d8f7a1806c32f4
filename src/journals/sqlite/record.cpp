#include "journals/sqlite/record.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>

namespace virga {

std::string_view blob_of(const SQLite::Column& column) {
  const void* bytes = column.getBlob();  // before getBytes(), which counts what getBlob() made
  const int size = column.getBytes();
  return bytes != nullptr ? std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
                          : std::string_view();
}

void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes) {
  statement.bindNoCopy(index, static_cast<const void*>(bytes.data()), static_cast<int>(bytes.size()));
}

Using::~Using() { statement_.tryReset(); }

}  // namespace virga
