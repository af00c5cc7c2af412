#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "config/arguments.h"

namespace primus::cli {

namespace {

// Both shells ask the program itself what may come next, so that completion knows every command and argument.
constexpr std::string_view bash_script =
    R"script(# bash completion of primus-cli: source <(primus-cli completion bash)
_primus_cli() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" completion candidates -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _primus_cli primus-cli
)script";

constexpr std::string_view zsh_script = R"script(#compdef primus-cli
# zsh completion of primus-cli: source <(primus-cli completion zsh)
_primus_cli() {
  local -a candidates
  candidates=(${(f)"$(${words[1]} completion candidates -- ${words[2,$CURRENT]} 2>/dev/null)"})
  compadd -S '' -- $candidates || _files
}
compdef _primus_cli primus-cli
)script";

/// The visible subcommands.
std::vector<CLI::App*> subcommands_of(CLI::App& command) {
  return command.get_subcommands([](CLI::App* next) { return !next->get_group().empty(); });
}

/// The words that may stand where the last of `words` is being typed.
std::vector<std::string> candidates(CLI::App& program, const std::vector<std::string>& words) {
  CLI::App* command = &program;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    for (CLI::App* next : subcommands_of(*command)) {
      if (next->get_name() == words[i]) command = next;
    }
  }
  std::vector<std::string> all;
  for (const CLI::App* next : subcommands_of(*command)) all.push_back(next->get_name());
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) all.push_back("--" + name);
  }
  if (command->get_allow_extras()) {
    for (const std::string& name : config::argument_names()) all.push_back(name + "=");
  }
  const std::string typed = words.empty() ? "" : words.back();
  std::erase_if(all, [&](const std::string& word) { return !word.starts_with(typed); });
  return all;
}

}  // namespace

void add_completion(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("completion", "Print shell completion: source <(primus-cli completion bash)");
  command->require_subcommand(1);
  command->add_subcommand("bash", "For bash")->callback([] { std::fputs(bash_script.data(), stdout); });
  command->add_subcommand("zsh", "For zsh")->callback([] { std::fputs(zsh_script.data(), stdout); });
  CLI::App* list =
      command->add_subcommand("candidates", "Words that may come next; the shells ask for them")->group("");
  auto words = std::make_shared<std::vector<std::string>>();
  list->add_option("words", *words, "The words typed so far");
  list->callback([&program, words] {
    for (const std::string& word : candidates(program, *words)) std::fputs((word + "\n").c_str(), stdout);
  });
}

}  // namespace primus::cli
