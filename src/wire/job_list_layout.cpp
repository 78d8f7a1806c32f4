#include "wire/job_list_layout.hpp"

#include <array>
#include <concepts>
#include <type_traits>
#include <unordered_map>

namespace virga {
namespace {

constexpr std::uint32_t k_magic = 0x424F4A56;  // "VJOB"
constexpr std::uint64_t k_end = ~std::uint64_t{0};

using Spec = Shared<JobSpec>;

/// The members of a new job, in the order of its visit().
struct NewJob {
  NewJob() { Job::visit(job, *this); }
  template <class T>
  void operator()(std::string_view, const T& value) {
    members.at(count++) = &value;
  }

  Job job;
  std::array<const void*, 63> members{};  // a bit each, and never all of them: that is k_end
  std::size_t count = 0;
};

/// Whether all members are what their types are without an initialiser.
struct IsPlain {
  template <class T>
  void operator()(std::string_view, const T& value) {
    if constexpr (requires { value.empty(); }) {
      plain = plain && value.empty();
    } else if constexpr (std::is_class_v<T> && requires(IsPlain & is) { T::visit(value, is); }) {
      T::visit(value, *this);
    } else {
      plain = plain && value == T{};
    }
  }

  bool plain = true;
};

template <class T>
bool is_plain(const T& value) {
  IsPlain is;
  is("", value);
  return is.plain;
}

/// Which fields are to be told.
struct ToldFields {
  template <class T>
  void operator()(std::string_view, const T& value) {
    bool told = true;
    if constexpr (std::is_class_v<T> && requires(IsPlain & is) { T::visit(value, is); }) {
      told = !is_plain(value) || !is_plain(*static_cast<const T*>(usual.members[at]));
    } else if constexpr (requires { value.empty(); }) {
      told = !value.empty();
    } else if constexpr (!std::same_as<T, Spec>) {
      told = !(value == *static_cast<const T*>(usual.members[at]));
    }
    bits |= std::uint64_t{told} << at++;
  }

  const NewJob& usual;
  std::uint64_t bits = 0;
  std::size_t at = 0;
};

}  // namespace

struct JobListWriter::Inside {
  template <class T>
  void operator()(std::string_view, const T& value) {
    if ((bits >> at++ & 1) == 0) return;
    if constexpr (std::same_as<T, Spec>) {
      put_spec(value);
    } else {
      out.put(value);
    }
  }

  /// Tasks of an array share one; of others many say the same.
  void put_spec(const Spec& spec) {
    const auto known = number_of_object.find(&*spec);
    if (known != number_of_object.end()) return out.put(known->second);
    std::string text = encode(*spec);
    const auto [number, is_new] =
        number_of_text.emplace(std::move(text), static_cast<std::uint32_t>(number_of_text.size()));
    number_of_object.emplace(&*spec, number->second);
    out.put(number->second);
    if (is_new) out.put(*spec);
  }

  BinaryWriter out;
  NewJob usual;
  std::uint32_t count = 0;
  std::uint64_t bits = 0;  ///< of the job that is being written
  std::size_t at = 0;      ///< its next field
  std::unordered_map<const JobSpec*, std::uint32_t> number_of_object;
  std::unordered_map<std::string, std::uint32_t> number_of_text;
};

JobListWriter::JobListWriter(Time now) : inside_(std::make_unique<Inside>()) {
  inside_->out.put(k_magic);
  inside_->out.put(k_job_list_layout);
  inside_->out.put(now);
}
JobListWriter::~JobListWriter() = default;
JobListWriter::JobListWriter(JobListWriter&&) noexcept = default;

void JobListWriter::put(const Job& job) {
  ToldFields told{inside_->usual};
  Job::visit(job, told);
  inside_->bits = told.bits;
  inside_->at = 0;
  inside_->out.put(told.bits);
  Job::visit(job, *inside_);
  ++inside_->count;
}

std::string JobListWriter::end() {
  inside_->out.put(k_end);
  inside_->out.put(inside_->count);
  return inside_->out.take();
}

Result<JobListReader> JobListReader::open(std::string_view bytes) {
  JobListReader reader(bytes);
  std::uint32_t magic = 0;
  std::uint32_t layout = 0;
  reader.bytes_.get(magic);
  reader.bytes_.get(layout);
  reader.bytes_.get(reader.now_);
  if (!reader.ok() || magic != k_magic || layout != k_job_list_layout) {
    return fail(Code::corrupt, "no list of jobs in the layout " + std::to_string(k_job_list_layout));
  }
  return reader;
}

namespace {

struct JobFields {
  template <class T>
  void operator()(std::string_view, T& value) {
    if ((bits >> at++ & 1) == 0) return;
    if constexpr (std::same_as<T, Spec>) {
      std::uint32_t number = 0;
      bytes.get(number);
      if (number == specs.size()) bytes.get(specs.emplace_back());
      if (number < specs.size()) value = specs[number];
      is_known = number < specs.size();
    } else {
      bytes.get(value);
    }
  }

  BinaryReader& bytes;
  std::vector<Spec>& specs;
  std::uint64_t bits;
  std::size_t at = 0;
  bool is_known = true;
};

}  // namespace

bool JobListReader::next(Job& job) {
  if (at_end_ || !ok()) return false;
  job = Job{};
  std::uint64_t bits = 0;
  bytes_.get(bits);
  if (bits == k_end) {
    std::uint32_t count = 0;
    bytes_.get(count);
    at_end_ = true;
    is_sound_ = count == read_ && bytes_.at_end();
    return false;
  }
  ++read_;
  JobFields fields{bytes_, specs_, bits};
  Job::visit(job, fields);
  if (!fields.is_known || bits >> fields.at != 0) is_sound_ = false;
  return ok();
}

}  // namespace virga
