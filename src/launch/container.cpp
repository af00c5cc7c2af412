#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <string_view>

#include "core/error.h"
#include "launch/compose.h"

extern char** environ;

namespace primus::launch {

namespace {

using Words = std::vector<std::string>;

constexpr std::array<std::string_view, 4> cumulative = {"device", "cap-add", "volume", "env"};
constexpr std::array<std::string_view, 6> passed_on = {"PRIMUS_", "NCCL_",  "RCCL_",
                                                       "GLOO_",   "IONIC_", "HIPBLASLT_"};
constexpr const char* clean_option = "clean";

struct ContainerLine {
  /// Options of docker run by name, without dashes; flags have the value "true".
  std::map<std::string, Words> options;
  Words command;
  std::string file;
  bool debug = false;
  bool dry_run = false;
};

bool is_cumulative(const std::string& name) {
  return std::find(cumulative.begin(), cumulative.end(), name) != cumulative.end();
}

/// "--name value", "--name=value" or "--flag", as docker takes them.
void parse_option(ContainerLine& parsed, Words::const_iterator& word, Words::const_iterator end) {
  if (!word->starts_with("--")) {
    throw_user_error(
        "container: '{}' is not an option: write options as --name value, and the command after --", *word);
  }
  std::string name = word->substr(2), value = "true";
  if (const std::size_t equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  } else if (name != "debug" && name != "dry-run" && name != "dry_run" && name != clean_option &&
             std::next(word) != end && !std::next(word)->starts_with("--")) {
    value = *++word;
  }
  if (name == "debug") {
    parsed.debug = true;
  } else if (name == "dry-run" || name == "dry_run") {
    parsed.dry_run = true;
  } else if (name == "config") {
    parsed.file = value;
  } else if (name == clean_option) {
    throw_user_error(
        "container: --clean would remove containers that others may use: remove them with docker rm");
  } else {
    parsed.options[name == "v" ? "volume" : name].push_back(value);
  }
}

ContainerLine parse_container(const Words& words) {
  ContainerLine parsed;
  const auto end = std::find(words.begin(), words.end(), "--");
  if (end == words.end() || std::next(end) == words.end()) {
    throw_user_error("container: the command is missing: give it after --");
  }
  for (auto word = words.begin(); word != end; ++word) parse_option(parsed, word, end);
  parsed.command.assign(std::next(end), words.end());
  return parsed;
}

/// The file's options under those of the command line.
void add_container_options(ContainerLine& parsed, const LauncherFile& file) {
  constexpr std::string_view prefix = "options.";
  for (const std::string& key : file.keys("container")) {
    if (!key.starts_with(prefix)) {
      if (key != "debug" && key != "dry_run")
        throw_user_error("unknown key '{}' in section 'container'", key);
      continue;
    }
    const std::string name = key.substr(prefix.size());
    Words& values = parsed.options[name];
    const Words from_file = file.values("container", key);
    if (is_cumulative(name)) {
      values.insert(values.begin(), from_file.begin(), from_file.end());
    } else if (values.empty()) {
      values = from_file;
    }
  }
}

void check_values(const ContainerLine& parsed, const char* name, const char* pattern, const char* form) {
  const auto found = parsed.options.find(name);
  if (found == parsed.options.end()) return;
  for (const std::string& value : found->second) {
    if (!std::regex_match(value, std::regex(pattern))) {
      throw_user_error("container: --{} {}: expected {}", name, value, form);
    }
  }
}

void check_container(const ContainerLine& parsed) {
  check_values(parsed, "memory", "[0-9]+[bkmgBKMG]?", "a size such as 256G");
  check_values(parsed, "shm-size", "[0-9]+[bkmgBKMG]?", "a size such as 64G");
  check_values(parsed, "cpus", "[0-9]+(\\.[0-9]+)?", "a number such as 32 or 16.5");
  check_values(parsed, "device", "/[^:]+(:[^:]+){0,2}", "a device's path such as /dev/kfd");
  check_values(parsed, "volume", "[^:]+(:[^:]+){1,2}", "source:target, with :ro if it is read-only");
}

/// KEY=VALUE settings for the ranks: those asked for, and all variables of the known families.
Words inner_variables(const ContainerLine& parsed, const Environment& environment, const Words& names) {
  std::map<std::string, std::string> variables;
  for (const std::string& name : names) {
    const bool wanted = std::any_of(passed_on.begin(), passed_on.end(),
                                    [&](std::string_view prefix) { return name.starts_with(prefix); });
    const auto value = wanted ? environment(name) : std::nullopt;
    if (value && !value->empty()) variables[name] = *value;
  }
  const auto asked = parsed.options.find("env");
  for (const std::string& entry : asked == parsed.options.end() ? Words() : asked->second) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) {
      variables[entry.substr(0, equals)] = entry.substr(equals + 1);
    } else if (const auto value = environment(entry); value && !value->empty()) {
      variables[entry] = *value;
    }
  }
  Words result;
  for (const auto& [name, value] : variables) result.insert(result.end(), {"--env", name + "=" + value});
  return result;
}

std::string runtime(const Environment& environment) {
  const std::string path = environment("PATH").value_or("");
  for (const std::string name : {"docker", "podman"}) {
    std::string rest = path + ":";
    for (std::size_t colon; (colon = rest.find(':')) != std::string::npos; rest.erase(0, colon + 1)) {
      if (::access((rest.substr(0, colon) + "/" + name).c_str(), X_OK) == 0) return name;
    }
  }
  return "";
}

std::string take_image(ContainerLine& parsed, const Environment& environment) {
  const auto variable = environment("DOCKER_IMAGE");
  const Words images = parsed.options["image"];
  parsed.options.erase("image");
  if (variable && !variable->empty()) return *variable;
  if (!images.empty()) return images.back();
  throw_user_error(
      "container: no image: give --image, DOCKER_IMAGE, or image under container: options: in the "
      "launcher's file");
}

Words docker_options(const ContainerLine& parsed, const std::filesystem::path& root) {
  Words words = {"--rm", "--volume", fmt::format("{0}:{0}", root.string()), "--workdir", root.string()};
  for (const auto& [name, values] : parsed.options) {
    if (name == "env" || values.empty()) continue;
    const Words used = is_cumulative(name) ? values : Words{values.back()};
    for (const std::string& value : used) {
      if (value == "false") continue;
      words.push_back("--" + name);
      if (value != "true") words.push_back(value);
    }
  }
  return words;
}

}  // namespace

std::vector<std::string> variable_names() {
  Words names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

Composed compose_container(const Words& words, const Environment& environment, const Words& names,
                           const std::filesystem::path& root) {
  ContainerLine parsed = parse_container(words);
  const LauncherFile file = find_launcher_file(parsed.file, environment);
  add_container_options(parsed, file);
  check_container(parsed);
  Composed composed;
  composed.dry_run = parsed.dry_run || file.flag("container", "dry_run") || file.flag("main", "dry_run");
  std::string program = runtime(environment);
  if (program.empty() && !composed.dry_run)
    throw_user_error("container: neither docker nor podman is installed");
  if (program.empty()) program = "docker";
  const std::string image = take_image(parsed, environment);
  composed.words = {program, "run"};
  const Words options = docker_options(parsed, root), variables = inner_variables(parsed, environment, names);
  composed.words.insert(composed.words.end(), options.begin(), options.end());
  composed.words.insert(composed.words.end(), {image, (root / "primus-cli").string(), "direct"});
  if (parsed.debug || file.flag("container", "debug")) composed.words.push_back("--debug");
  composed.words.insert(composed.words.end(), variables.begin(), variables.end());
  composed.words.push_back("--");
  composed.words.insert(composed.words.end(), parsed.command.begin(), parsed.command.end());
  return composed;
}

}  // namespace primus::launch
