#include "journals/sqlite/record.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>

#include "journals/sqlite/crc32c.hpp"

namespace virga {

std::uint32_t record_crc(std::uint64_t key, std::string_view record) {
  char raw[8];
  for (int i = 0; i < 8; ++i) raw[i] = static_cast<char>(key >> (8 * i));
  return crc32c(record, crc32c({raw, sizeof(raw)}));
}

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
