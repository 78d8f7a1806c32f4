#include "brain/sched/files.hpp"

#include <algorithm>

namespace virga {

std::string plain_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      out.erase(std::min(out.rfind('/'), out.size()));
    } else {
      out.append("/").append(part);
    }
  }
  return out.empty() ? "/" : out;
}

bool lies_in(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::optional<std::string> file_off_storage(const std::vector<Storage>& storage, const JobSpec& spec) {
  const auto is_kept = [&](const std::string& path) {
    const std::string plain = plain_path(path);
    return plain == "/dev/null" ||
           std::any_of(storage.begin(), storage.end(), [&](const Storage& one) { return lies_in(plain, one.mount); });
  };
  const std::string work_dir = plain_path(spec.work_dir);
  const bool is_everywhere = work_dir == "/" || work_dir == "/tmp";
  if (!is_everywhere && !is_kept(work_dir)) return "work folder " + spec.work_dir;
  if (spec.kind != JobKind::batch) return std::nullopt;  // the client has the files of an allocation's steps
  struct Named {
    const char* what;
    const std::string& path;
  };
  for (const Named& file :
       {Named{"output file ", spec.std_out}, Named{"error file ", spec.std_err}, Named{"input file ", spec.std_in}}) {
    if (file.path.empty() && &file.path != &spec.std_out) continue;  // where the output goes, or none
    const std::string whole = file.path.starts_with('/') ? file.path : work_dir + "/" + file.path;
    if (!is_kept(whole)) return file.what + whole;
  }
  return std::nullopt;
}

bool lies_on_storage(const std::vector<Storage>& storage, const JobSpec& spec) {
  return !file_off_storage(storage, spec);
}

}  // namespace virga
