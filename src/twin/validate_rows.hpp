// The two kinds of measured rows, for validate.cpp only.
#pragma once

#include <string>
#include <string_view>

#include "twin/csv.hpp"
#include "twin/validate.hpp"

namespace virga::twin {

/// Reads columns of the current line by name; remembers the first number that cannot be read.
class RowReader {
 public:
  explicit RowReader(const CsvReader& csv) : csv_(&csv) {}
  std::string_view text(std::string_view column) const { return (*csv_)[csv_->column(column)]; }
  template <class T>
  T number(std::string_view column) {
    T value{};
    if (!read_optional_number(text(column), value) && wrong_.empty()) wrong_ = column;
    return value;
  }
  const std::string& wrong() const { return wrong_; }

 private:
  const CsvReader* csv_;
  std::string wrong_;
};

/// Fill in predicted, outside_calibration or skipped.
void predict_training(RowReader& reader, const Assumptions& assumptions, ValidatedRow& row);
void predict_collective(RowReader& reader, ValidatedRow& row);

}  // namespace virga::twin
